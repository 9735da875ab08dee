# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a row from the primary to the replicas of MySQL and MariaDB: the one proof that no status can give.

The check must not harm what it checks. A row is only ever inserted, under a new key: deleting or replacing one stops the
replication of a replica that missed it. Nothing is defined anew while the table is there: that waits for backups. And
nothing is written while the replica at hand has no table for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Template
from typing import TYPE_CHECKING

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    MysqlError,
    Row,
    Rows,
    quote,
    quote_name,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary, Sighting, Trouble
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import (
    STEPS,
    Found,
    Step,
    integer,
    read,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.words import grant_canary

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client

# About 2 MB. Checks once a minute fill that in a fortnight.
MOST_ROWS = 20000
_COLUMNS = (
    "(token VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, written_at DATETIME(6) NOT NULL)"
)


def create_schema(schema: str) -> str:
    return f"CREATE DATABASE IF NOT EXISTS {quote_name(schema)}"


def create_table(schema: str, table: str) -> str:
    return f"CREATE TABLE IF NOT EXISTS {_name(schema, table)} {_COLUMNS} ENGINE = InnoDB"


def _name(schema: str, table: str) -> str:
    return f"{quote_name(schema)}.{quote_name(table)}"


_LOOK = Template(
    "SELECT DATE_FORMAT(written_at, '%Y-%m-%dT%H:%i:%s.%fZ') AS written_at,"
    " TIMESTAMPDIFF(MICROSECOND, written_at, UTC_TIMESTAMP(6)) AS age FROM $table WHERE token = $token"
)
_COUNT = Template("SELECT COUNT(*) AS count FROM $table")
_EMPTY = Template("TRUNCATE TABLE $table")
_INSERT = Template("INSERT INTO $table (token, written_at) VALUES ($token, UTC_TIMESTAMP(6))")


def _fill(statement: Template, canary: Canary) -> str:
    table = _name(canary.schema, canary.table)
    return statement.substitute(table=table, token=quote(canary.token))


def write_steps(canary: Canary) -> tuple[Step, ...]:
    """Write the row, look at it, and ask again how far the server is now."""
    known = {step.name: step.statements for step in STEPS}
    return (
        Step("written", (_fill(_INSERT, canary), "COMMIT", _fill(_LOOK, canary)), optional=False),
        Step("position", known["gtids"]),
        Step("position_file", known["binlog"]),
    )


def read_steps(canary: Canary) -> tuple[Step, ...]:
    return (Step("seen", (_fill(_LOOK, canary),), optional=False),)


def _sighting(rows: Rows) -> Sighting:
    if not rows:
        return Sighting(seen=False)
    row: Row = rows[0]
    age = integer(row.get("age"))
    return Sighting(seen=True, written_at=row.get("written_at"), age_ms=round(age / 1000) if age is not None else None)


_ABSENT = {1049, 1051, 1146}
_READ_ONLY = {1290, 1792, 1836}
_FULL = {3, 28, 1021, 1026, 1030, 1114, 1598}


def trouble(error: MysqlError, canary: Canary, account: str | None, seconds: float = 0) -> Trouble:
    """Say what a refused canary means."""
    name, verb = f"{canary.schema}.{canary.table}", "written to" if canary.mode == "write" else "read from"
    said = f" (error {error.errno}: {error.message})" if error.errno else f" ({error.message})"
    errno = error.errno or 0
    if errno in _ABSENT:
        return _absent(canary, f"there is no canary table {name}{said}", errno)
    if error.kind == "privilege":
        hint = grant_canary(canary.schema, canary.table, account, canary.create)
        return Trouble("auth_failed", f"the login may not use the canary table {name}{said}", hint, errno)
    if errno in _READ_ONLY:
        hint = "SET GLOBAL read_only = 0 where this is the primary; else write the canary on the primary."
        return Trouble("broken", f"this server refuses writes, so no canary could be written{said}", hint, errno)
    if errno in _FULL:
        hint = "Free space for the data directory, the binary logs and tmpdir ('df -h' on the primary)."
        return Trouble("broken", f"the primary has no space left to write{said}", hint, errno)
    if error.kind == "unreachable" and error.detail == "timeout" and canary.mode == "write":
        hint = (
            "The primary answers questions but finishes no write: look for a full disk ('df -h'), for locks"
            " (SHOW PROCESSLIST) and for a semi-synchronous replica that does not answer."
        )
        return Trouble("broken", f"the canary's write did not end within {seconds:g} seconds", hint, error.errno)
    return Trouble("broken", f"the canary could not be {verb} {name}{said}", None, error.errno)


def _absent(canary: Canary, message: str, errno: int) -> Trouble:
    if canary.mode == "write":
        hint = "canary_create: true, or let the role mysql_server make it on the primary."
        return Trouble("broken", message, hint, errno)
    hint = (
        "Where a filter that is gone kept it away, make it here without a trace in the binary log: SET SESSION"
        f" sql_log_bin = 0; {create_schema(canary.schema)}; {create_table(canary.schema, canary.table)}"
    )
    return Trouble("broken", message, hint, errno, absent=True)


def _attempt(client: Client, steps: Sequence[Step], wanted: str, found: Found) -> MysqlError | None:
    """Take the steps; return the error that kept the wanted one from being answered."""
    try:
        read(client, steps, found)
    except MysqlError as error:
        return None if wanted in found.rows else error
    return None


def write(client: Client, canary: Canary, found: Found, account: str | None, seconds: float) -> Sighting:
    """Write the canary; found gets the position that includes it.

    Returns a sighting that tells nothing where the table is here, but not on the replica that has to receive the row.
    """
    error = _attempt(client, (Step("count", (_fill(_COUNT, canary),), optional=False),), "count", found)
    if error is None:
        if canary.absent_below:
            return Sighting()
        count = [integer(row.get("count")) or 0 for row in found.rows["count"]]
        if canary.expire and max(count, default=0) >= MOST_ROWS:
            # Where that is not allowed, or somebody holds the table, the next one may do it.
            read(client, (Step("emptied", ("SET SESSION lock_wait_timeout = 1", _fill(_EMPTY, canary))),), found)
            found.refused.pop("emptied", None)
    elif error.errno in _ABSENT and canary.create:
        create = (create_schema(canary.schema), create_table(canary.schema, canary.table))
        error = _attempt(client, (Step("created", create, optional=False),), "created", found)
    error = error or _attempt(client, write_steps(canary), "written", found)
    if error:
        return Sighting(trouble=trouble(error, canary, account, seconds))
    return _sighting(found.rows["written"])


def look(client: Client, canary: Canary, found: Found, account: str | None, seconds: float) -> Sighting:
    """Look for the canary."""
    error = _attempt(client, read_steps(canary), "seen", found)
    if error:
        return Sighting(trouble=trouble(error, canary, account, seconds))
    return _sighting(found.rows["seen"])
