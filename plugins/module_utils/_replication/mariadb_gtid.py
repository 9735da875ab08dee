# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic on MariaDB's positions: lists of global transaction identifiers, the newest of each domain."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record

_MARIADB = r"([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,20})\Z"


class MariadbGtid(Record):
    domain: int
    server_id: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.domain}-{self.server_id}-{self.sequence}"


def parse_position(text: str | None) -> list[MariadbGtid]:
    """Read a MariaDB GTID list: a position (one entry a domain) or a binlog state (one a domain and server)."""
    found: list[MariadbGtid] = []
    for entry in re.sub(r"\s+", "", text or "").split(","):
        if not entry:
            continue
        match = re.match(_MARIADB, entry)
        if not match:
            raise ValueError(f"not a MariaDB GTID position: {entry[:60]!r}")
        found.append(MariadbGtid(int(match.group(1)), int(match.group(2)), int(match.group(3))))
    return found


def format_position(gtids: Iterable[MariadbGtid]) -> str:
    return ",".join(str(gtid) for gtid in gtids)


def position_missing(target: Iterable[MariadbGtid], current: Iterable[MariadbGtid]) -> list[MariadbGtid]:
    """Return the entries of the target position that current has not reached.

    A domain is reached at the same server and number, or at any larger number.
    """
    reached: dict[int, list[MariadbGtid]] = {}
    for gtid in current:
        reached.setdefault(gtid.domain, []).append(gtid)
    return [
        wanted
        for wanted in target
        if not any(
            have.sequence > wanted.sequence or (have.sequence == wanted.sequence and have.server_id == wanted.server_id)
            for have in reached.get(wanted.domain, [])
        )
    ]


def position_distance(target: Iterable[MariadbGtid], current: Collection[MariadbGtid]) -> int:
    """Return by how many numbers current is behind target, summed over the domains."""
    newest: dict[int, int] = {}
    for gtid in current:
        newest[gtid.domain] = max(newest.get(gtid.domain, 0), gtid.sequence)
    missing = position_missing(target, current)
    return sum(max(1, gtid.sequence - newest.get(gtid.domain, 0)) for gtid in missing)


def _newest(state: Iterable[MariadbGtid]) -> Mapping[tuple[int, int], int]:
    newest: dict[tuple[int, int], int] = {}
    for gtid in state:
        key = (gtid.domain, gtid.server_id)
        newest[key] = max(newest.get(key, 0), gtid.sequence)
    return newest


def errant(
    state: Iterable[MariadbGtid],
    primary: Iterable[MariadbGtid],
    in_flight: Collection[int],
    allowed: Collection[int],
) -> list[MariadbGtid]:
    """Return the entries of a replica's binlog state that the primary's binlog state does not cover.

    in_flight and allowed hold server ids, as server UUIDs do for sets in gtid.py.
    """
    known = _newest(primary)
    return [
        gtid
        for gtid in state
        if gtid.server_id not in allowed
        and gtid.server_id not in in_flight
        and gtid.sequence > known.get((gtid.domain, gtid.server_id), 0)
    ]
