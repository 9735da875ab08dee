# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a replica against a position of its primary: what it has reached, what is missing, what only it has."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import integer, on, text
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Channel, Snapshot


@dataclass
class Comparison:
    """None where something cannot be told.

    reached: whether the position is applied. received: whether everything has arrived, applied or not. wanted and present:
    both positions, for people. exact: whether it was held against the primary's own position. asked: whether somebody
    waits for the position. why: why nothing can be told.
    """

    reached: bool | None = None
    received: bool | None = None
    wanted: str | None = None
    present: str | None = None
    missing: str | None = None
    behind_transactions: int | None = None
    behind_bytes: int | None = None
    errant: str | None = None
    errant_count: int | None = None
    exact: bool = False
    asked: bool = False
    why: str | None = None


NO_BINLOG_POSITION = "without GTIDs the primary's binlog position is needed"


def compare(snapshot: Snapshot, position: Mapping[str, Any] | None, allow_errant: Collection[str] = ()) -> Comparison:
    """Hold a replica against a position; without one only what the replica itself shows."""
    wanted = position or {}
    try:
        if snapshot.engine == "redis":
            return _offsets(snapshot, wanted)
        if wanted.get("kind") == "file":
            return _files(snapshot, wanted)
        if snapshot.flavor == "mariadb":
            return _mariadb_positions(snapshot, wanted, allow_errant)
        return _mysql_sets(snapshot, wanted, allow_errant)
    except (ValueError, TypeError) as error:
        return Comparison(why=str(error))


def _ids(values: Any) -> tuple[set[str], set[int]]:
    """Split a list of UUIDs and server ids."""
    items = [str(item).strip().lower() for item in values or []]
    return {item for item in items if not item.isdigit()}, {int(item) for item in items if item.isdigit()}


def _whole(position: Mapping[str, Any]) -> bool:
    """Whether a position tells everything its server has, not only what to wait for."""
    return bool(position.get("uuid") or position.get("server_id"))


def _in_flight(position: Mapping[str, Any], sources: set[Any], own: Any) -> set[Any]:
    """Return whose newer transactions may be just that; none where the primary was asked after the replica."""
    return set() if position.get("in_flight") is False else sources - {own}


def _mysql_sets(snapshot: Snapshot, position: Mapping[str, Any], allow_errant: Collection[str]) -> Comparison:
    if not snapshot.executed and not on(snapshot.gtid_mode):
        return Comparison(why=NO_BINLOG_POSITION)
    executed = gtid.parse_set(snapshot.executed)
    allowed, _numbers = _ids([*allow_errant, *snapshot.peers])
    exact = position.get("kind") == "gtid"
    received: gtid.GtidSet = {}
    for channel in snapshot.channels:
        received = gtid.union(received, gtid.parse_set(channel.retrieved))
    target = gtid.parse_set(position.get("value")) if exact else received
    own = str(snapshot.identity.uuid or "").lower()
    if exact and _whole(position):
        sources, _numbers = _ids(position.get("sources"))
        sources.add(str(position.get("uuid") or "").lower())
        if len(snapshot.channels) > 1:
            # What comes from the other primaries of a replica with several is none of this one's business.
            allowed |= {str(channel.uuid or "").lower() for channel in snapshot.channels} - sources
        errant = gtid.errant_set(executed, target, _in_flight(position, sources, own), allowed)
    else:
        mine = {key: value for key, value in executed.items() if gtid.source_of(key) == own}
        errant = gtid.errant_set(gtid.subtract(mine, target), {}, (), allowed)
    missing = gtid.subtract(target, executed)
    return Comparison(
        reached=not missing,
        received=not gtid.subtract(missing, received),
        wanted=gtid.format_set(target),
        present=gtid.format_set(executed),
        missing=gtid.format_set(missing),
        behind_transactions=gtid.count(missing),
        errant=gtid.format_set(errant),
        errant_count=gtid.count(errant),
        exact=exact,
    )


def _mariadb_positions(snapshot: Snapshot, position: Mapping[str, Any], allow_errant: Collection[str]) -> Comparison:
    current = gtid.parse_position(snapshot.executed)
    state = gtid.parse_position(snapshot.binlog_state)
    _uuids, allowed = _ids([*allow_errant, *snapshot.peers])
    exact = position.get("kind") == "mariadb_gtid"
    if not exact and any(channel.gtid_mode == "No" for channel in snapshot.channels):
        return Comparison(why=NO_BINLOG_POSITION)
    own = snapshot.identity.server_id
    received = [item for channel in snapshot.channels for item in gtid.parse_position(channel.retrieved)]
    target = gtid.parse_position(position.get("value")) if exact else received
    if exact and _whole(position):
        _uuids, sources = _ids([*(position.get("sources") or []), position.get("server_id") or ""])
        # What the primary only received in an earlier life stands in its position, not always in its binlog state.
        known = [*gtid.parse_position(position.get("state")), *target]
        if len(snapshot.channels) > 1:
            allowed |= {channel.server_id for channel in snapshot.channels if channel.server_id} - sources
        errant = gtid.errant_positions(state, known, _in_flight(position, sources, own), allowed)
    else:
        mine = [item for item in state if item.server_id == own]
        errant = gtid.errant_positions(mine, target, (), allowed)
    missing = gtid.position_missing(target, current)
    return Comparison(
        reached=not missing,
        received=not gtid.position_missing(missing, received),
        wanted=gtid.format_position(target),
        present=gtid.format_position(current),
        missing=gtid.format_position(missing),
        behind_transactions=gtid.position_distance(target, current),
        errant=gtid.format_position(errant),
        errant_count=len(errant),
        exact=exact,
    )


def _file_key(name: str | None, pos: int | None) -> tuple[int, int] | None:
    """Order binlog coordinates by number: binlog.1000000 comes after binlog.999999."""
    match = re.search(r"\.(\d+)\Z", name or "")
    return (int(match.group(1)), pos) if match and pos is not None else None


def _follows(channel: Channel, position: Mapping[str, Any]) -> bool:
    ids = ((channel.uuid, position.get("uuid")), (channel.server_id, position.get("server_id")))
    return any(have and wanted and str(have).lower() == str(wanted).lower() for have, wanted in ids)


def _files(snapshot: Snapshot, position: Mapping[str, Any]) -> Comparison:
    target = _file_key(text(position.get("file")), integer(position.get("pos")))
    channels = [channel for channel in snapshot.channels if _follows(channel, position)] or snapshot.channels
    current = _file_key(channels[0].file, channels[0].pos) if channels else None
    if target is None or current is None:
        return Comparison(why=NO_BINLOG_POSITION)
    wanted = f"{position.get('file')}:{position.get('pos')}"
    return Comparison(
        reached=current >= target,
        wanted=wanted,
        present=f"{channels[0].file}:{channels[0].pos}",
        missing=None if current >= target else wanted,
        behind_bytes=max(0, target[1] - current[1]) if target[0] == current[0] else None,
        exact=True,
    )


def _offsets(snapshot: Snapshot, position: Mapping[str, Any]) -> Comparison:
    """Compare offsets of Redis and Valkey; those of different histories never."""
    if not snapshot.channels or position.get("kind") != "redis":
        return Comparison(why="the primary's position was not given")
    target, current = integer(position.get("value")), snapshot.offset
    channel = snapshot.channels[0]
    if channel.io.state != "connected" or snapshot.loading:
        return Comparison(why="the link is not up, so the offsets may belong to different histories")
    if target is None or current is None:
        return Comparison(why="an offset is missing")
    if channel.replid is None or not _same_history(snapshot, channel.replid, position.get("replid"), target):
        return Comparison(why="the replication ids differ, so the offsets belong to different histories")
    behind = max(0, target - current)
    return Comparison(
        reached=behind == 0,
        wanted=f"{position.get('replid')}:{target}",
        present=f"{channel.replid}:{current}",
        missing=None if behind == 0 else f"{behind} bytes",
        behind_bytes=behind,
        exact=True,
    )


def _same_history(snapshot: Snapshot, replid: str, wanted: Any, target: int) -> bool:
    """Whether an offset of another server can be compared with this one's."""
    if not wanted or wanted == replid:
        return bool(wanted)
    # A promoted replica goes on with a new id; up to its promotion the former id's offsets are its own.
    return wanted == snapshot.replid2 and snapshot.replid2_offset is not None and target <= snapshot.replid2_offset
