# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a MariaDB replica against a GTID position of its primary."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mariadb_gtid
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Comparison, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql_compare import ids, under_way, whole


def compare(snapshot: Snapshot, primary: Mapping[str, Any], allow_errant: Collection[str]) -> Comparison:
    current = mariadb_gtid.parse_position(snapshot.executed)
    state = mariadb_gtid.parse_position(snapshot.binlog_state)
    _names, allowed = ids([*allow_errant, *snapshot.peers])
    exact = primary.get("kind") == "mariadb_gtid"
    if not exact and any(channel.gtid_mode == "No" for channel in snapshot.channels):
        return Comparison(why="without GTIDs the primary's binlog position is needed")
    own = snapshot.identity.server_id
    received = [item for channel in snapshot.channels for item in mariadb_gtid.parse_position(channel.retrieved)]
    target = mariadb_gtid.parse_position(primary.get("value")) if exact else received
    if exact and whole(primary):
        _names, sources = ids([*(primary.get("sources") or []), primary.get("server_id") or ""])
        # What the primary only received in an earlier life stands in its position, not always in its binlog state.
        known = [*mariadb_gtid.parse_position(primary.get("state")), *target]
        if len(snapshot.channels) > 1:
            allowed |= {channel.server_id for channel in snapshot.channels if channel.server_id} - sources
        errant = mariadb_gtid.errant(state, known, under_way(primary, sources, own), allowed)
    else:
        reached = {(item.domain, item.server_id): item.sequence for item in target}
        errant = [
            item
            for item in state
            if item.server_id == own
            and own not in allowed
            and item.sequence > reached.get((item.domain, item.server_id), 0)
        ]
    missing = mariadb_gtid.position_missing(target, current)
    return Comparison(
        reached=not missing,
        received=not mariadb_gtid.position_missing(missing, received),
        wanted=mariadb_gtid.format_position(target),
        present=mariadb_gtid.format_position(current),
        missing=mariadb_gtid.format_position(missing),
        behind_transactions=mariadb_gtid.position_distance(target, current),
        errant=mariadb_gtid.format_position(errant),
        errant_count=len(errant),
        exact=exact,
    )
