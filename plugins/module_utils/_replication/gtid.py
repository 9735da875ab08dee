# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic on global transaction identifiers: MySQL's sets, and MariaDB's positions, the newest of each domain."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

# --- MySQL: sets ----------------------------------------------------------------------------------------------------

Interval = tuple[int, int]
# "uuid" or "uuid:tag" -> sorted, disjoint, closed intervals
GtidSet = dict[str, list[Interval]]

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z"
_TAG = r"[a-z_][a-z0-9_]{0,31}\Z"
_INTERVAL = r"([0-9]{1,19})(?:-([0-9]{1,19}))?\Z"


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same numbers as sorted, disjoint, non-adjacent intervals."""
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _entry(text: str) -> Iterable[tuple[str, Interval]]:
    source, *parts = text.split(":")
    if not re.match(_UUID, source) or not parts:
        raise ValueError(f"not a GTID set: {text[:60]!r}")
    key = source
    for part in parts:
        match = re.match(_INTERVAL, part)
        if match:
            first = int(match.group(1))
            last = int(match.group(2) or first)
            if first < 1:
                raise ValueError(f"not a GTID set: {text[:60]!r}")
            # MySQL takes an interval whose end lies before its start as empty.
            if last >= first:
                yield key, (first, last)
        elif re.match(_TAG, part):
            key = f"{source}:{part}"
        else:
            raise ValueError(f"not a GTID set: {text[:60]!r}")


def parse_set(text: str | None) -> GtidSet:
    """Read a MySQL GTID set; white space anywhere and tags (8.3 and later) are understood."""
    found: dict[str, list[Interval]] = {}
    for entry in re.sub(r"\s+", "", text or "").lower().split(","):
        if entry:
            for key, interval in _entry(entry):
                found.setdefault(key, []).append(interval)
    return {key: merge(intervals) for key, intervals in found.items()}


def format_set(gtids: GtidSet) -> str:
    """Write a set so that parse_set and the server read it."""
    return ",".join(
        key + "".join(f":{first}" if first == last else f":{first}-{last}" for first, last in gtids[key])
        for key in sorted(gtids)
        if gtids[key]
    )


def _cut(left: list[Interval], right: list[Interval]) -> list[Interval]:
    result: list[Interval] = []
    for start, last in left:
        first = start
        for low, high in right:
            if high < first:
                continue
            if low > last:
                break
            if low > first:
                result.append((first, low - 1))
            first = high + 1
        if first <= last:
            result.append((first, last))
    return result


def subtract(left: GtidSet, right: GtidSet) -> GtidSet:
    """Return what is in left but not in right."""
    rest = {key: _cut(intervals, right.get(key, [])) for key, intervals in left.items()}
    return {key: intervals for key, intervals in rest.items() if intervals}


def union(left: GtidSet, right: GtidSet) -> GtidSet:
    """Return what is in either."""
    return {key: merge([*left.get(key, []), *right.get(key, [])]) for key in {*left, *right}}


def count(gtids: GtidSet) -> int:
    """Return the number of transactions."""
    return sum(last - first + 1 for intervals in gtids.values() for first, last in intervals)


def source_of(key: str) -> str:
    """Return the server UUID of a set's key."""
    return key.split(":", 1)[0]


def errant_set(executed: GtidSet, primary: GtidSet, in_flight: Collection[str], allowed: Collection[str]) -> GtidSet:
    """Return what a replica executed and its primary did not.

    in_flight: UUIDs under which the primary goes on writing or receiving, so that numbers beyond the primary's last
    known one are only newer. allowed: UUIDs that the operator accepts.
    """
    rest = subtract(executed, primary)
    result: GtidSet = {}
    for key, intervals in rest.items():
        if source_of(key) in allowed:
            continue
        known = intervals
        if source_of(key) in in_flight:
            newest = primary[key][-1][1] if key in primary else 0
            known = _cut(intervals, [(newest + 1, 2**63)])
        if known:
            result[key] = known
    return result


# --- MariaDB: positions ---------------------------------------------------------------------------------------------

_MARIADB = r"([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,20})\Z"


@dataclass(frozen=True)
class MariadbGtid:
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


def errant_positions(
    state: Iterable[MariadbGtid],
    primary: Iterable[MariadbGtid],
    in_flight: Collection[int],
    allowed: Collection[int],
) -> list[MariadbGtid]:
    """Return the entries of a replica's binlog state that the primary's binlog state does not cover.

    in_flight and allowed hold server ids, as server UUIDs do for errant_set.
    """
    known = _newest(primary)
    return [
        gtid
        for gtid in state
        if gtid.server_id not in allowed
        and gtid.server_id not in in_flight
        and gtid.sequence > known.get((gtid.domain, gtid.server_id), 0)
    ]
