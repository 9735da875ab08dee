# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a server's transactions go, and what a move of the primary needs to know of it, for MySQL and MariaDB alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import server as servers
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.source import Channel
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid

VARIABLES = (*servers.VARIABLES, "gtid_binlog_pos", "log_replica_updates", "log_slave_updates")
# Whoever may log in may ask for these.
READ_MEMBER = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})".format(", ".join(f"'{name}'" for name in VARIABLES))
# A transaction that has changed rows and goes on for so long would hold up, or be thrown away by, a server that closes.
READ_LONG = (
    "SELECT COUNT(*) AS count, COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) AS seconds"
    " FROM information_schema.INNODB_TRX WHERE trx_rows_modified > 0 AND trx_started < NOW() - INTERVAL 5 SECOND"
)


@dataclass(frozen=True)
class OwnWrites:
    """Transactions that one server has and another has not: their names, and how many they are at most."""

    gtids: str
    count: int


def read_peer(rows: Rows) -> Server:
    """Translate the answer to READ_MEMBER of a server whose schemas are not asked for."""
    return servers.read_server(rows, [])


def is_closed(server: Server) -> bool:
    """Whether the server refuses the writes of applications."""
    return server.is_on("read_only")


def position(server: Server) -> str:
    """How far a server is, whether its transactions were written or received: on MariaDB the newest number of each domain."""
    if not server.is_mariadb:
        return gtid.format_set(gtid.parse_set(server.variables.get("gtid_executed")))
    newest: dict[int, gtid.MariadbGtid] = {}
    for name in ("gtid_slave_pos", "gtid_binlog_pos"):
        for each in gtid.parse_position(server.variables.get(name)):
            if each.domain not in newest or newest[each.domain].sequence < each.sequence:
                newest[each.domain] = each
    return gtid.format_position(newest[domain] for domain in sorted(newest))


def lacking(server: Server, target: str) -> str:
    """What of a position a server has not reached; empty where it has all of it."""
    if not server.is_mariadb:
        return gtid.format_set(gtid.subtract(gtid.parse_set(target), gtid.parse_set(position(server))))
    missing = gtid.position_missing(gtid.parse_position(target), gtid.parse_position(position(server)))
    return gtid.format_position(missing)


def distance(server: Server, target: str) -> int:
    """By how many transactions a server is behind a position."""
    if not server.is_mariadb:
        return gtid.count(gtid.subtract(gtid.parse_set(target), gtid.parse_set(position(server))))
    return gtid.position_distance(gtid.parse_position(target), gtid.parse_position(position(server)))


def own_writes(server: Server, primary: Server) -> OwnWrites | None:
    """What this server has and the primary, asked after it, has not; None where there is nothing."""
    if not server.is_mariadb:
        mine, theirs = gtid.parse_set(position(server)), gtid.parse_set(position(primary))
        rest = gtid.subtract(mine, theirs)
        return OwnWrites(gtid.format_set(rest), gtid.count(rest)) if rest else None
    state = gtid.parse_position(server.variables.get("gtid_binlog_state"))
    # What the primary only received in an earlier life stands in its position, not always in its binary log's state.
    known = [*gtid.parse_position(primary.variables.get("gtid_binlog_state")), *gtid.parse_position(position(primary))]
    errant = gtid.errant_positions(state, known, (), ())
    return OwnWrites(gtid.format_position(errant), _beyond(state, known, errant)) if errant else None


def _beyond(
    state: Sequence[gtid.MariadbGtid], known: Sequence[gtid.MariadbGtid], errant: Sequence[gtid.MariadbGtid]
) -> int:
    """How many numbers lie between the newest transaction that both have and the last one, in each domain with own writes."""
    total = 0
    for domain in {each.domain for each in errant}:
        both = [
            min(mine.sequence, theirs.sequence)
            for mine in state
            for theirs in known
            if mine.domain == theirs.domain == domain and mine.server_id == theirs.server_id
        ]
        total += max(each.sequence for each in errant if each.domain == domain) - max(both, default=0)
    return total


def describe(server: Server, channels: Sequence[Channel], long_transactions: Rows) -> dict[str, Any]:
    """What a plan needs of a server that answers."""
    channel = channels[0] if channels else None
    status = channel.status if channel else None
    long_row = long_transactions[0] if long_transactions else {}
    return {
        "answers": True,
        "flavor": server.flavor,
        "version": list(server.version),
        "server_id": int(server.variables.get("server_id") or 0),
        "logs": server.is_on("log_bin"),
        "logs_received": server.is_on("log_slave_updates") or server.is_on("log_replica_updates"),
        "closed": is_closed(server),
        "position": position(server),
        "long_transactions": int(long_row.get("count") or 0),
        "long_seconds": int(long_row.get("seconds") or 0),
        "follows": None
        if status is None
        else {
            "host": status.host,
            "port": status.port or 3306,
            "receives": status.io_state or "No",
            "applies": status.sql_state or "No",
            "error": status.sql_error or "",
            "lag": status.lag_seconds,
            "delay": status.delay,
            "filters": status.filters,
            "received": status.retrieved or "",
            "file": status.read_file or "",
            "file_position": status.read_pos or 0,
            "channels": len(channels),
        },
    }
