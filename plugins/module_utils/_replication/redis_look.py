# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a Redis or Valkey server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Answer,
    Comparison,
    Snapshot,
)

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary, Sighting

ACKNOWLEDGE_MS = 1000


class RedisLooker:
    def __init__(
        self,
        client: RedisClient,
        login_host: str | None,
        connect: Callable[[RedisLogin], RedisClient] = RedisClient,
        installed: Callable[[], bool] = redis.installed,
    ) -> None:
        self.client = client
        self.login_host = login_host
        self.connect = connect
        self.installed = installed

    def look(self, canary: Canary | None = None) -> Answer:
        user = self.client.login.username
        try:
            snapshot = redis.normalise(redis.read(self.client, user), self.login_host, user)
            redis.probe(self.client, snapshot, self.connect)
        except RedisError as error:
            absent = error.detail in ("refused", "no_socket") and not self.login_host and not self.installed()
            return Answer(redis.failure(error, absent, user))
        return Answer(snapshot, self._send(canary, snapshot, user) if canary else None)

    def _send(self, canary: Canary, snapshot: Snapshot, user: str | None) -> Sighting:
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication import redis_canary
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import refusal

        if canary.mode == "read":
            return redis_canary.look(self.client, canary, user)
        online = sum(1 for replica in snapshot.replicas or [] if replica.online)
        refused = refusal(snapshot)
        return refused or redis_canary.write(self.client, canary, user, online, ACKNOWLEDGE_MS)

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison:
        del allow_errant  # these engines keep no record of who wrote what
        return redis.compare(snapshot, primary)

    def close(self) -> None:
        self.client.close()
