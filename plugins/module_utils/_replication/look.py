# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at one server, canary included; watch.py looks again and again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_client import MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis_client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import (
    mysql,
    mysql_canary,
    mysql_compare,
    redis,
    redis_canary,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.causes import place
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Canary,
    Comparison,
    Failure,
    Sighting,
    Snapshot,
    Trouble,
)

# A write that takes longer has met a full disk or a lock.
WRITE_SECONDS = 10.0
ACKNOWLEDGE_MS = 1000


@dataclass(frozen=True)
class Answer:
    """What one look found, and what became of the canary."""

    found: Snapshot | Failure
    sighting: Sighting | None = None


class Looker(Protocol):
    """Knows how to ask one server."""

    def look(self, canary: Canary | None = None) -> Answer: ...

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison: ...

    def close(self) -> None: ...


class MysqlAsker(mysql.Client, Protocol):
    """A client that stays connected between the queries and gives up on one after timeout seconds."""

    timeout: float

    def close(self) -> None: ...


def _refusal(snapshot: Snapshot) -> Sighting | None:
    """A write on a server that follows another one would be just what this check is there to find."""
    if not snapshot.channels:
        return None
    source = place(snapshot.channels[0].host, snapshot.channels[0].port)
    message = f"this server follows {source}: a canary written here would be on no other server"
    return Sighting(trouble=Trouble("wrong_primary", message, "Write the canary on the primary."))


class MysqlLooker:
    def __init__(
        self, client: MysqlAsker, channel: str | None = None, steps: Sequence[mysql.Step] = mysql.STEPS
    ) -> None:
        self.client = client
        self.channel = channel
        self.steps = steps

    def look(self, canary: Canary | None = None) -> Answer:
        found = mysql.Found()
        try:
            mysql.read(self.client, self.steps, found)
        except MysqlError as error:
            return Answer(mysql.failure(error, found))
        sighting = self._send(canary, found) if canary else None
        return Answer(mysql.normalise(found.rows, self.channel, found.refused), sighting)

    def _send(self, canary: Canary, found: mysql.Found) -> Sighting:
        before = mysql.normalise(found.rows)
        usual, self.client.timeout = self.client.timeout, WRITE_SECONDS
        try:
            if canary.mode == "read":
                return mysql_canary.look(self.client, canary, found, before.account, WRITE_SECONDS)
            refused = _refusal(before)
            return refused or mysql_canary.write(self.client, canary, found, before.account, WRITE_SECONDS)
        finally:
            self.client.timeout = usual

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison:
        return mysql_compare.compare(snapshot, primary, allow_errant)

    def close(self) -> None:
        self.client.close()


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
        if canary.mode == "read":
            return redis_canary.look(self.client, canary, user)
        online = sum(1 for replica in snapshot.replicas or [] if replica.online)
        refused = _refusal(snapshot)
        return refused or redis_canary.write(self.client, canary, user, online, ACKNOWLEDGE_MS)

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison:
        del allow_errant  # these engines keep no record of who wrote what
        return redis.compare(snapshot, primary)

    def close(self) -> None:
        self.client.close()
