# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a MySQL or MariaDB replica against a position of its primary."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Channel, Comparison, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import integer, on, text


def _ids(values: Any) -> tuple[set[str], set[int]]:
    """Split a list of UUIDs and server ids."""
    items = [str(item).strip().lower() for item in values or []]
    return {item for item in items if not item.isdigit()}, {int(item) for item in items if item.isdigit()}


def compare(snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str] = ()) -> Comparison:
    """Hold a replica against a position of its primary; without one only what the replica itself shows."""
    try:
        if (primary or {}).get("kind") == "file":
            return _compare_file(snapshot, primary or {})
        if snapshot.flavor == "mariadb":
            return _compare_mariadb(snapshot, primary or {}, allow_errant)
        return _compare_mysql(snapshot, primary or {}, allow_errant)
    except (ValueError, TypeError) as error:
        return Comparison(why=str(error))


def _whole(primary: Mapping[str, Any]) -> bool:
    """Whether a position tells everything its server has, not only what to wait for."""
    return bool(primary.get("uuid") or primary.get("server_id"))


def _under_way(primary: Mapping[str, Any], sources: set[Any], own: Any) -> set[Any]:
    """Return whose newer transactions may be just that; none where the primary was asked after the replica."""
    return set() if primary.get("in_flight") is False else sources - {own}


def _compare_mysql(snapshot: Snapshot, primary: Mapping[str, Any], allow_errant: Collection[str]) -> Comparison:
    if not snapshot.executed and not on(snapshot.gtid_mode):
        return Comparison(why="without GTIDs the primary's binlog position is needed")
    executed = gtid.parse_set(snapshot.executed)
    allowed, _numbers = _ids([*allow_errant, *snapshot.peers])
    exact = primary.get("kind") == "gtid"
    received: gtid.GtidSet = {}
    for channel in snapshot.channels:
        received = gtid.union(received, gtid.parse_set(channel.retrieved))
    target = gtid.parse_set(primary.get("value")) if exact else received
    own = str(snapshot.identity.uuid or "").lower()
    if exact and _whole(primary):
        sources, _numbers = _ids(primary.get("sources"))
        sources.add(str(primary.get("uuid") or "").lower())
        if len(snapshot.channels) > 1:
            # What comes from the other primaries of a replica with several is none of this one's business.
            allowed |= {str(channel.uuid or "").lower() for channel in snapshot.channels} - sources
        errant = gtid.errant(executed, target, _under_way(primary, sources, own), allowed)
    else:
        mine = {key: value for key, value in executed.items() if gtid.source_of(key) == own}
        errant = gtid.errant(gtid.subtract(mine, target), {}, (), allowed)
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


def _compare_mariadb(snapshot: Snapshot, primary: Mapping[str, Any], allow_errant: Collection[str]) -> Comparison:
    current = gtid.parse_position(snapshot.executed)
    state = gtid.parse_position(snapshot.binlog_state)
    _names, allowed = _ids([*allow_errant, *snapshot.peers])
    exact = primary.get("kind") == "mariadb_gtid"
    if not exact and any(channel.gtid_mode == "No" for channel in snapshot.channels):
        return Comparison(why="without GTIDs the primary's binlog position is needed")
    own = snapshot.identity.server_id
    received = [item for channel in snapshot.channels for item in gtid.parse_position(channel.retrieved)]
    target = gtid.parse_position(primary.get("value")) if exact else received
    if exact and _whole(primary):
        _names, sources = _ids([*(primary.get("sources") or []), primary.get("server_id") or ""])
        # What the primary only received in an earlier life stands in its position, not always in its binlog state.
        known = [*gtid.parse_position(primary.get("state")), *target]
        if len(snapshot.channels) > 1:
            allowed |= {channel.server_id for channel in snapshot.channels if channel.server_id} - sources
        errant = gtid.mariadb_errant(state, known, _under_way(primary, sources, own), allowed)
    else:
        reached = {(item.domain, item.server_id): item.sequence for item in target}
        errant = [
            item
            for item in state
            if item.server_id == own
            and own not in allowed
            and item.sequence > reached.get((item.domain, item.server_id), 0)
        ]
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


def file_key(name: str | None, pos: int | None) -> tuple[int, int] | None:
    """Order binlog coordinates by number: binlog.1000000 comes after binlog.999999."""
    match = re.search(r"\.(\d+)\Z", name or "")
    return (int(match.group(1)), pos) if match and pos is not None else None


def _follows(channel: Channel, primary: Mapping[str, Any]) -> bool:
    ids = ((channel.uuid, primary.get("uuid")), (channel.server_id, primary.get("server_id")))
    return any(have and wanted and str(have).lower() == str(wanted).lower() for have, wanted in ids)


def _compare_file(snapshot: Snapshot, primary: Mapping[str, Any]) -> Comparison:
    target = file_key(text(primary.get("file")), integer(primary.get("pos")))
    channels = [channel for channel in snapshot.channels if _follows(channel, primary)] or snapshot.channels
    current = file_key(channels[0].file, channels[0].pos) if channels else None
    if target is None or current is None:
        return Comparison(why="without GTIDs the primary's binlog position is needed")
    wanted = f"{primary.get('file')}:{primary.get('pos')}"
    return Comparison(
        reached=current >= target,
        wanted=wanted,
        present=f"{channels[0].file}:{channels[0].pos}",
        missing=None if current >= target else wanted,
        behind_bytes=max(0, target[1] - current[1]) if target[0] == current[0] else None,
        exact=True,
    )
