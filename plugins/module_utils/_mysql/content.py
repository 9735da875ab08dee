# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server holds, and what of that is its own: the one answer for all who ask before they change a server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import SYSTEM_SCHEMAS, text

# Variables that read_content() needs; a server lacks those of the other flavor.
VARIABLES = ("gtid_binlog_state", "gtid_executed", "gtid_slave_pos", "server_id", "server_uuid", "version")
# A login without the right to see all schemas gets its own ones only. Whoever sets a server up by hand gets a schema "test",
# which nobody's data are in until it has a table.
READ_SCHEMAS = (
    "SELECT SCHEMA_NAME AS name, SCHEMA_NAME = 'test' AND NOT EXISTS (SELECT 1 FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = 'test') AS bare, (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES"
    " WHERE PRIVILEGE_TYPE = 'SHOW DATABASES' AND REPLACE(GRANTEE, '''', '') = CURRENT_USER()) AS sees_all"
    " FROM information_schema.SCHEMATA"
)


@dataclass(frozen=True)
class Content:
    """schemas: those of users. written: transactions begun here. received: transactions of other servers.

    sees_all: whether the login sees every schema; otherwise no schemas does not mean that there are none.
    """

    schemas: tuple[str, ...]
    written: str | None
    received: str | None
    sees_all: bool = True

    @property
    def empty(self) -> bool | None:
        """Whether there is nothing that could be lost; None where the login cannot tell."""
        if self.schemas or self.written or self.received:
            return False
        return True if self.sees_all else None

    @property
    def own(self) -> str | None:
        """Say what this server holds that it cannot have got from a primary, or None."""
        if self.written:
            return f"transactions written here ({self.written})"
        if self.schemas and not self.received:
            return f"schemas that did not come by replication ({_named(self.schemas)})"
        return None


def user_schemas(schemas: Rows) -> tuple[str, ...]:
    """Return the schemas of users; "#mysql50#lost+found" is the mount point's own folder."""
    names = (row.get("name") or "" for row in schemas if row.get("bare") != "1")
    return tuple(
        sorted(name for name in names if name.lower() not in SYSTEM_SCHEMAS and not name.startswith("#mysql50#"))
    )


def read_content(variables: Mapping[str, Any], schemas: Rows) -> Content:
    """Translate the variables, under lower case names, and the answer to READ_SCHEMAS."""
    if "mariadb" in str(variables.get("version") or "").lower():
        written, received = _mariadb(variables)
    else:
        written, received = _mysql(variables)
    sees_all = any(row.get("sees_all") not in (None, "0") for row in schemas)
    return Content(user_schemas(schemas), text(written), text(received), sees_all)


def _squeezed(value: Any) -> str:
    """Return a GTID set without the line breaks of a long one."""
    return re.sub(r"\s", "", str(value or ""))


def _mysql(variables: Mapping[str, Any]) -> tuple[str, str]:
    own = str(variables.get("server_uuid") or "").lower()
    parts = [part for part in _squeezed(variables.get("gtid_executed")).split(",") if part]
    written = [part for part in parts if part.partition(":")[0].lower() == own]
    return ",".join(written), ",".join(part for part in parts if part not in written)


def _mariadb(variables: Mapping[str, Any]) -> tuple[str, str]:
    applied, state = _squeezed(variables.get("gtid_slave_pos")), _squeezed(variables.get("gtid_binlog_state"))
    server_ids = {part.split("-")[1] for part in state.split(",") if part.count("-") == 2}
    # Where nothing was ever replicated, whatever the binary log holds was written here, under an earlier id too.
    wrote = bool(state) and (not applied or str(variables.get("server_id") or "") in server_ids)
    return state if wrote else "", applied


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
