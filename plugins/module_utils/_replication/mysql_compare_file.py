# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a MySQL or MariaDB replica against a binary log position of its primary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Channel, Comparison, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import integer, text


def file_key(name: str | None, pos: int | None) -> tuple[int, int] | None:
    """Order binlog coordinates by number: binlog.1000000 comes after binlog.999999."""
    match = re.search(r"\.(\d+)\Z", name or "")
    return (int(match.group(1)), pos) if match and pos is not None else None


def _follows(channel: Channel, primary: Mapping[str, Any]) -> bool:
    ids = ((channel.uuid, primary.get("uuid")), (channel.server_id, primary.get("server_id")))
    return any(have and wanted and str(have).lower() == str(wanted).lower() for have, wanted in ids)


def compare(snapshot: Snapshot, primary: Mapping[str, Any]) -> Comparison:
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
