# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look from question to report. Loopers (waiting, canary) call this again and again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_client import MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis_client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql, redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Comparison,
    Failure,
    Raw,
    Snapshot,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import report
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    Expectation,
    judge,
    judge_failure,
)


class Looker(Protocol):
    """Knows how to ask one server."""

    def look(self) -> Snapshot | Failure: ...

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison: ...


class MysqlLooker:
    def __init__(self, client: mysql.Client, channel: str | None = None) -> None:
        self.client = client
        self.channel = channel

    def look(self) -> Snapshot | Failure:
        try:
            found = mysql.read(self.client)
        except MysqlError as error:
            return mysql.failure(error)
        return mysql.normalise(found.rows, self.channel, found.notes)

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison:
        return mysql.compare(snapshot, primary, allow_errant)


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

    def look(self) -> Snapshot | Failure:
        try:
            with self.client as client:
                snapshot = redis.normalise(redis.read(client), self.login_host)
                redis.probe(client, snapshot, self.connect)
                return snapshot
        except RedisError as error:
            absent = error.detail in ("refused", "no_socket") and not self.login_host and not self.installed()
            return redis.failure(error, absent)

    def compare(
        self, snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str]
    ) -> Comparison:
        del allow_errant  # these engines keep no record of who wrote what
        return redis.compare(snapshot, primary)


def once(
    looker: Looker,
    engine: str,
    expect: Expectation,
    primary_position: Mapping[str, Any] | None = None,
    allow_errant: Collection[str] = (),
) -> Raw:
    """Look, judge and report."""
    snapshot = looker.look()
    if isinstance(snapshot, Failure):
        return report(engine, judge_failure(snapshot), None, Comparison())
    comparison = looker.compare(snapshot, primary_position, allow_errant) if snapshot.channels else Comparison()
    return report(engine, judge(snapshot, expect, comparison), snapshot, comparison)
