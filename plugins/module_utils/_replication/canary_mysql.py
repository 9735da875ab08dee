# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a row from the primary to the replicas of MySQL and MariaDB: the one proof that no status can give.

The check must not harm what it checks. A row is only ever inserted, under a new key: deleting or replacing one stops the
replication of a replica that missed it. Nothing is defined anew while the table is there: that waits for backups. And
nothing is written while the replica at hand has no table for it.
"""

from __future__ import annotations

from string import Template

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote, quote_name
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import integer
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import CanaryReply, Refusal
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.statements import grant_canary

# About 2 MB. Checks once a minute fill that in a fortnight.
MOST_ROWS = 20000
# A write that takes longer has met a full disk or a lock.
WRITE_SECONDS = 10.0

_LOOK = Template(
    "SELECT DATE_FORMAT(written_at, '%Y-%m-%dT%H:%i:%s.%fZ') AS written_at,"
    " TIMESTAMPDIFF(MICROSECOND, written_at, UTC_TIMESTAMP(6)) AS age FROM $table WHERE token = $token"
)
_COUNT = Template("SELECT COUNT(*) AS count FROM $table")
_EMPTY = Template("TRUNCATE TABLE $table")
_INSERT = Template("INSERT INTO $table (token, written_at) VALUES ($token, UTC_TIMESTAMP(6))")


def create_schema(schema: str) -> str:
    return f"CREATE DATABASE IF NOT EXISTS {quote_name(schema)}"


def create_table(schema: str, table: str) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {_name(schema, table)} (token VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin"
        " NOT NULL PRIMARY KEY, written_at DATETIME(6) NOT NULL) ENGINE = InnoDB"
    )


def _name(schema: str, table: str) -> str:
    return f"{quote_name(schema)}.{quote_name(table)}"


def _creation(canary: Canary) -> list[str]:
    return [create_schema(canary.schema), create_table(canary.schema, canary.table)]


def _filled(canary: Canary, *statements: Template) -> list[str]:
    table = _name(canary.schema, canary.table)
    return [item.substitute(table=table, token=quote(canary.token)) for item in statements]


def write(client: Client, canary: Canary, account: str | None) -> CanaryReply:
    """Write the canary; the reply is empty where the table is here, but not on the replica that has to receive the row."""
    results, error = client.try_query(_filled(canary, _COUNT))
    if error is None:
        if canary.absent_below:
            return CanaryReply()
        if max((integer(row.get("count")) or 0 for row in results[0]), default=0) >= MOST_ROWS:
            # Where that is not allowed, or somebody holds the table, the next one may do it.
            client.try_query(["SET SESSION lock_wait_timeout = 1", *_filled(canary, _EMPTY)])
    elif error.errno in _ABSENT and canary.create:
        _results, error = client.try_query(_creation(canary))
    if error is None:
        insert, look = _filled(canary, _INSERT, _LOOK)
        results, error = client.try_query([insert, "COMMIT", look])
    return _reply(results, error, canary, account)


def read(client: Client, canary: Canary, account: str | None) -> CanaryReply:
    """Look for the canary."""
    results, error = client.try_query(_filled(canary, _LOOK))
    return _reply(results, error, canary, account)


def _reply(results: list[Rows], error: MysqlError | None, canary: Canary, account: str | None) -> CanaryReply:
    if error:
        return CanaryReply(refusal=refusal(error, canary, account))
    if not results[-1]:
        return CanaryReply(seen=False)
    row = results[-1][0]
    age = integer(row.get("age"))
    return CanaryReply(True, row.get("written_at"), None if age is None else round(age / 1000))


_ABSENT = {1049, 1051, 1146}
_READ_ONLY = {1290, 1792, 1836}
_FULL = {3, 28, 1021, 1026, 1030, 1114, 1598}


def refusal(error: MysqlError, canary: Canary, account: str | None) -> Refusal:
    """Say what a refused canary means."""
    name, verb = f"{canary.schema}.{canary.table}", "written to" if canary.mode == "write" else "read from"
    said = f" (error {error.errno}: {error.message})" if error.errno else f" ({error.message})"
    errno = error.errno or 0
    if errno in _ABSENT:
        return _absent(canary, f"there is no canary table {name}{said}", errno)
    if error.kind == "privilege":
        hint = grant_canary(canary.schema, canary.table, account, canary.create)
        return Refusal("auth_failed", f"the login may not use the canary table {name}{said}", hint, errno)
    if errno in _READ_ONLY:
        hint = "SET GLOBAL read_only = 0 where this is the primary; else write the canary on the primary."
        return Refusal("broken", f"this server refuses writes, so no canary could be written{said}", hint, errno)
    if errno in _FULL:
        hint = "Free space for the data directory, the binary logs and tmpdir ('df -h' on the primary)."
        return Refusal("broken", f"the primary has no space left to write{said}", hint, errno)
    if error.kind == "unreachable" and error.detail == "timeout" and canary.mode == "write":
        hint = (
            "The primary answers questions but finishes no write: look for a full disk ('df -h'), for locks"
            " (SHOW PROCESSLIST) and for a semi-synchronous replica that does not answer."
        )
        return Refusal("broken", f"the canary's write did not end within {WRITE_SECONDS:g} seconds", hint, error.errno)
    return Refusal("broken", f"the canary could not be {verb} {name}{said}", None, error.errno)


def _absent(canary: Canary, message: str, errno: int) -> Refusal:
    if canary.mode == "write":
        hint = "canary_create: true, or let the role mysql_server make it on the primary."
        return Refusal("broken", message, hint, errno)
    hint = (
        "Where a filter that is gone kept it away, make it here without a trace in the binary log: SET SESSION"
        f" sql_log_bin = 0; {'; '.join(_creation(canary))}"
    )
    return Refusal("broken", message, hint, errno, absent=True)
