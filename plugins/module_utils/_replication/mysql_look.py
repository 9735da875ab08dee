# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a MySQL or MariaDB server. What a healthy server does not need is loaded when it is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Answer, Comparison, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.pulse import Pulse

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary, Sighting

# A write that takes longer has met a full disk or a lock.
WRITE_SECONDS = 10.0


class MysqlLooker:
    def __init__(
        self,
        client: Client,
        channel: str | None = None,
        steps: Sequence[mysql.Step] = mysql.STEPS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.channel = channel
        self.steps = steps
        self.clock = clock
        self.pulse = Pulse()

    def look(self, canary: Canary | None = None) -> Answer:
        found = mysql.Found()
        try:
            mysql.read(self.client, self.steps, found)
        except MysqlError as error:
            from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql_failure

            return Answer(mysql_failure.failure(error, found))
        sighting = self._send(canary, found) if canary else None
        snapshot = mysql.normalise(found.rows, self.channel, found.refused)
        self.pulse.listen(snapshot, self.clock())
        return Answer(snapshot, sighting)

    def _send(self, canary: Canary, found: mysql.Found) -> Sighting:
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql_canary
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import refusal

        before = mysql.normalise(found.rows)
        usual, self.client.timeout = self.client.timeout, WRITE_SECONDS
        try:
            if canary.mode == "read":
                return mysql_canary.look(self.client, canary, found, before.account, WRITE_SECONDS)
            refused = refusal(before)
            return refused or mysql_canary.write(self.client, canary, found, before.account, WRITE_SECONDS)
        finally:
            self.client.timeout = usual

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison:
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql_compare

        return mysql_compare.compare(snapshot, primary, allow_errant)

    def close(self) -> None:
        self.client.close()
