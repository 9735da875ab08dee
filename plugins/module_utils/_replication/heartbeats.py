# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hear the heartbeats that a server only counts, from one look to the next.

MariaDB 10 tells when the last event came, not the last heartbeat: one look cannot tell an idle primary from a dead one.
"""

from __future__ import annotations

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Snapshot


class Heartbeats:
    def __init__(self) -> None:
        # By channel: how many there were, and when one more was heard.
        self._heard: dict[str, tuple[int, float | None]] = {}

    def listen(self, snapshot: Snapshot, now: float) -> None:
        """Take back the age of a link on which a heartbeat came since. now: of any clock that never goes back."""
        for channel in snapshot.channels:
            count = channel.io.heartbeats
            if count is None:
                continue
            before, heard = self._heard.get(channel.name, (count, None))
            heard = heard if count == before else now
            self._heard[channel.name] = (count, heard)
            if heard is not None and (channel.io.heartbeat_age is None or now - heard < channel.io.heartbeat_age):
                channel.io.heartbeat_age = round(now - heard, 1)
        if snapshot.link_ages and all(self._heard.get(channel.name, (0, None))[1] for channel in snapshot.channels):
            # Each connection has been heard by itself, so their ages need not be told apart any more.
            snapshot.link_ages.clear()
