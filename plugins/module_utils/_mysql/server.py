# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server on this machine is: flavor, version, settings and content."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import content
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.content import Content, read_content
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.errors import NO_SOCKET

VARIABLES = (
    *content.VARIABLES,
    "bind_address",
    "datadir",
    "gtid_domain_id",
    "log_bin",
    "port",
    "read_only",
    "ssl_ca",
    "ssl_cert",
    "super_read_only",
)
# SHOW, not SELECT @@x: a variable that the other flavor lacks is no error there.
READ_VARIABLES = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})".format(
    ", ".join(f"'{name}'" for name in VARIABLES)
)
# Where a host keeps its certificate, and the authority that it trusts.
TLS_FOLDER = "/etc/mysql/webcluster-tls"
AUTHORITY_FILE = f"{TLS_FOLDER}/ca.pem"
# What every server has that nobody gave another one.
USUAL_ID = 1
HIGHEST_ID = 2**32 - 1
READ_TEST_TABLES = "SELECT COUNT(*) AS count FROM information_schema.tables WHERE table_schema = 'test'"


@dataclass(frozen=True)
class Server:
    """One answer of the server to READ_VARIABLES and content.READ_SCHEMAS. schemas: those of the system as well."""

    variables: Mapping[str, str]
    schemas: frozenset[str]
    content: Content

    @property
    def flavor(self) -> str:
        return "mariadb" if "mariadb" in self.variables.get("version", "").lower() else "mysql"

    @property
    def is_mariadb(self) -> bool:
        return self.flavor == "mariadb"

    @property
    def version(self) -> tuple[int, ...]:
        found = re.match(r"(?:5\.5\.5-)?(\d+(?:\.\d+)+)", self.variables.get("version", ""))
        return tuple(int(part) for part in found.group(1).split(".")) if found else ()

    @property
    def makes_certificates(self) -> bool:
        """Without any set-up MySQL makes certificates itself, MariaDB does so from 11.4 on."""
        return not self.is_mariadb or self.version >= (11, 4)

    @property
    def authority(self) -> str:
        """The file of the cluster's authority, where the server runs with it: it has signed the certificate of every member."""
        return AUTHORITY_FILE if self.variables.get("ssl_ca") == AUTHORITY_FILE else ""

    @property
    def has_certificate(self) -> bool:
        return self.makes_certificates or bool(self.authority)

    @property
    def lasting_id(self) -> int | None:
        """Its server_id, where it is known by it; an empty server is known by none yet."""
        own = int(self.variables.get("server_id") or 0)
        return own if own > USUAL_ID and not self.content.empty else None

    @property
    def is_unlogged(self) -> bool:
        """Whether it holds data that no binary log will have, and does not say so yet."""
        held = self.content
        logs = self.is_on("log_bin") or "log_bin" not in self.variables
        return self.is_mariadb and not logs and bool(held.schemas) and not held.received

    def is_on(self, name: str) -> bool:
        return self.variables.get(name, "").upper() in ("ON", "1", "YES")


def read_server(variables: Rows, schemas: Rows) -> Server:
    values = {(row["Variable_name"] or "").lower(): row["Value"] or "" for row in variables}
    return Server(values, frozenset(row["name"] or "" for row in schemas), read_content(values, schemas))


def new_id() -> int:
    """A server_id that no server had before, as a replica skips whatever was once written under its own."""
    return USUAL_ID + 1 + secrets.randbelow(HIGHEST_ID - USUAL_ID)


def is_absent(error: MysqlError) -> bool:
    """Whether no server runs here, in contrast to one that is too busy to answer or that we cannot ask."""
    return error.detail == "not_installed" or error.errno == NO_SOCKET
