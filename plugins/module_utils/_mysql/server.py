# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server on this machine is: flavor, version, settings, schemas and whose data it holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Rows

VARIABLES = (
    "bind_address",
    "datadir",
    "gtid_binlog_state",
    "gtid_executed",
    "gtid_slave_pos",
    "port",
    "read_only",
    "server_id",
    "server_uuid",
    "super_read_only",
    "version",
)
# SHOW, not SELECT @@x: a variable that the other flavor lacks is no error there.
READ_VARIABLES = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})".format(
    ", ".join(f"'{name}'" for name in VARIABLES)
)
READ_SCHEMAS = "SELECT schema_name AS name FROM information_schema.schemata"
READ_TEST_TABLES = "SELECT COUNT(*) AS count FROM information_schema.tables WHERE table_schema = 'test'"

SYSTEM_SCHEMAS = frozenset({"information_schema", "mysql", "performance_schema", "sys"})


@dataclass(frozen=True)
class Server:
    """One answer of the server to READ_VARIABLES and READ_SCHEMAS."""

    variables: Mapping[str, str]
    schemas: frozenset[str]

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

    def is_on(self, name: str) -> bool:
        return self.variables.get(name, "").upper() in ("ON", "1", "YES")

    @property
    def user_schemas(self) -> list[str]:
        # "#mysql50#lost+found" is the mount point's own folder.
        return sorted(
            name for name in self.schemas if name.lower() not in SYSTEM_SCHEMAS and not name.startswith("#mysql50#")
        )


def read_server(variables: Rows, schemas: Rows) -> Server:
    return Server(
        {(row["Variable_name"] or "").lower(): row["Value"] or "" for row in variables},
        frozenset(row["name"] or "" for row in schemas),
    )


def is_absent(error: MysqlError) -> bool:
    """Whether no server runs here, in contrast to one that is too busy to answer (2002: nobody at the socket)."""
    return error.kind == "client_missing" or error.errno == 2002


def mysql_uuids(gtid_set: str) -> set[str]:
    """Return the servers of a MySQL GTID set; the server writes it with line breaks."""
    return {part.split(":")[0].lower() for part in re.sub(r"\s", "", gtid_set).split(",") if part}


def mariadb_server_ids(gtid_list: str) -> set[str]:
    """Return the servers of a MariaDB GTID list such as 0-1-270,0-2-3."""
    return {part.split("-")[1] for part in re.sub(r"\s", "", gtid_list).split(",") if part.count("-") == 2}


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def own_data(server: Server) -> str | None:
    """Say what this server holds that it cannot have got from a source, or None."""
    if server.is_mariadb:
        state = server.variables.get("gtid_binlog_state", "")
        applied = server.variables.get("gtid_slave_pos", "")
        written_here = server.variables.get("server_id", "") in mariadb_server_ids(state)
        # Nothing was ever replicated to it, so whatever its binary log holds was written here.
        if written_here or (state and not applied):
            return f"transactions written here ({state})"
        replicated = bool(applied)
    else:
        executed = re.sub(r"\s", "", server.variables.get("gtid_executed", ""))
        uuid = server.variables.get("server_uuid", "").lower()
        if uuid in mysql_uuids(executed):
            own = next(part for part in executed.split(",") if part.lower().startswith(uuid))
            return f"transactions written here ({own})"
        replicated = bool(executed)
    if server.user_schemas and not replicated:
        return f"schemas that did not come by replication ({_named(server.user_schemas)})"
    return None
