# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What watch.py needs of those who look: mysql_look.py and redis_look.py."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
        Answer,
        Comparison,
        Snapshot,
    )


class Looker(Protocol):
    """Knows how to ask one server."""

    def look(self, canary: Canary | None = None) -> Answer: ...

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison: ...

    def close(self) -> None: ...
