# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at one server, canary included; watch.py looks again and again, mysql_look.py and redis_look.py know how."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, Union

from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Canary,
    Comparison,
    Failure,
    Sighting,
    Snapshot,
    Trouble,
    place,
)

Found = Union[Snapshot, Failure]


class Answer(Record):
    """What one look found, and what became of the canary."""

    found: Found
    sighting: Sighting | None = None


class Looker(Protocol):
    """Knows how to ask one server."""

    def look(self, canary: Canary | None = None) -> Answer: ...

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison: ...

    def close(self) -> None: ...


def refusal(snapshot: Snapshot) -> Sighting | None:
    """A write on a server that follows another one would be just what this check is there to find."""
    if not snapshot.channels:
        return None
    source = place(snapshot.channels[0].host, snapshot.channels[0].port)
    message = f"this server follows {source}: a canary written here would be on no other server"
    return Sighting(trouble=Trouble("wrong_primary", message, "Write the canary on the primary."))
