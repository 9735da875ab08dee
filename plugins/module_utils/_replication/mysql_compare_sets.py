# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a MySQL replica against a GTID set of its primary."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Comparison, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import on
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql_compare import ids, under_way, whole


def compare(snapshot: Snapshot, primary: Mapping[str, Any], allow_errant: Collection[str]) -> Comparison:
    if not snapshot.executed and not on(snapshot.gtid_mode):
        return Comparison(why="without GTIDs the primary's binlog position is needed")
    executed = gtid.parse_set(snapshot.executed)
    allowed, _numbers = ids([*allow_errant, *snapshot.peers])
    exact = primary.get("kind") == "gtid"
    received: gtid.GtidSet = {}
    for channel in snapshot.channels:
        received = gtid.union(received, gtid.parse_set(channel.retrieved))
    target = gtid.parse_set(primary.get("value")) if exact else received
    own = str(snapshot.identity.uuid or "").lower()
    if exact and whole(primary):
        sources, _numbers = ids(primary.get("sources"))
        sources.add(str(primary.get("uuid") or "").lower())
        if len(snapshot.channels) > 1:
            # What comes from the other primaries of a replica with several is none of this one's business.
            allowed |= {str(channel.uuid or "").lower() for channel in snapshot.channels} - sources
        errant = gtid.errant(executed, target, under_way(primary, sources, own), allowed)
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
