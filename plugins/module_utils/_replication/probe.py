# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What those who wait, and the status service, need of the one who asks a server."""

from __future__ import annotations

from typing import Protocol

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Look


class Probe(Protocol):
    """Asks one server, as often as it is told; remembers what a single look cannot tell."""

    def look(self, canary: Canary | None = None) -> Look: ...

    def close(self) -> None: ...
