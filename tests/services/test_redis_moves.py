# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move the primary between real servers, while somebody writes."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis import promotion
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.fence import Service
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import look
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.own_keys import OwnKey, own_keys
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.rejoin import rejoin
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.stopped import RealHost
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import carry_out, decide, look_at_all
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import wait_for
from ansible_collections.siteops.webcluster.tests.loopback_redis import RealServer, RealTier, writing


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[RealTier]:
    need("redis-server")
    with RealTier(tmp_path, "redis1", "redis2", "redis3") as found:
        yield found


def entries(server: RealServer) -> list[int]:
    reply = server.client.command("LRANGE", "written", "0", "-1")
    assert isinstance(reply, list)
    return [int(number) for number in reply]


def has(server: RealServer, number: int) -> bool:
    return len(entries(server)) >= number


def move(tier: RealTier, to: str) -> None:
    looked = look_at_all(tier.members())
    carry_out(looked, decide(looked, to, 30), 30)


def promote(tier: RealTier, to: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(promotion, "PATIENCE", 2.0)
    monkeypatch.setattr(promotion, "PAUSE", 0.3)
    kept: list[Any] = []
    seen = promotion.watch(tier.members(), to)
    promotion.carry_out(seen, promotion.decide(seen, to, True), 10, kept.append, "now")
    return kept


def test_a_move_there_and_back_loses_and_doubles_nothing(tier: RealTier) -> None:
    with writing(tier) as acknowledged:
        move(tier, "redis2")
        between = len(acknowledged)
        move(tier, "redis1")
    assert 0 < between < len(acknowledged)
    for server in tier.servers.values():
        wait_for(partial(has, server, len(acknowledged)))
        assert entries(server) == acknowledged
    first = tier.servers["redis1"]
    assert [server.written() for server in tier.servers.values()] == [[], *[[f"replicaof 127.0.0.1 {first.port}"]] * 2]


def test_a_frozen_primary_that_wakes_up_after_a_promotion_joins_without_a_comparison(
    tier: RealTier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new = tier.servers["redis1"], tier.servers["redis2"]
    old.client.command("SET", "before", "1")
    wait_for(lambda: new.client.command("GET", "before") == "1")
    old.send(signal.SIGSTOP)
    kept = promote(tier, "redis2", monkeypatch)
    assert kept[0]["dead"] == "redis1"
    assert not look(tier.servers["redis3"].member()).is_primary
    new.client.command("SET", "after", "2")
    old.send(signal.SIGCONT)
    assert look(old.member()).is_primary
    host = RealHost(Service("redis", old.root), old.login(), lambda _words: (0, ""))
    plan, _steps = rejoin(tier.members(), "redis1", host, [], lambda _rows: tmp_path / "kept", False, 10)
    assert plan.own == []
    assert old.client.command("GET", "after") == "2"
    assert old.written() == [f"replicaof 127.0.0.1 {new.port}"]


def test_a_killed_primary_is_looked_at_without_being_started_and_keeps_what_only_it_has(
    tier: RealTier, tmp_path: Path
) -> None:
    old, new = tier.servers["redis1"], tier.servers["redis2"]
    tier.servers["redis3"].kill()
    new.client.command("REPLICAOF", "NO", "ONE")
    old.client.command("SET", "own", "mine")
    old.kill()
    # It must not follow anybody while it is looked at.
    with old.config.open("a", encoding="utf-8") as file:
        file.write(f"replicaof 127.0.0.1 {new.port}\n")
    started: list[str] = []

    def systemd(words: Sequence[str]) -> tuple[int, str]:
        if words[1] == "start":
            started.append(words[2])
            old.start()
        return (3 if words[1] == "is-active" else 0), ""

    kept: list[Any] = []

    def keep(rows: list[dict[str, Any]]) -> Path:
        kept.extend(rows)
        return tmp_path / "kept"

    host = RealHost(Service("redis", old.root), old.login(), systemd)
    with pytest.raises(RefusedError, match=r"redis1 has keys of its own: 1 that the primary has not \(own\)"):
        rejoin(tier.members()[:2], "redis1", host, [], keep, False, 10)
    assert started == []
    assert [row["readable"] for row in kept] == ["own"]
    rejoin(tier.members()[:2], "redis1", host, ["redis1"], keep, False, 10)
    assert started == ["redis-server.service"]
    assert old.client.command("GET", "own") is None
    assert old.written() == [f"replicaof 127.0.0.1 {new.port}"]


VALUES = [
    ("SET", "string", "a\udcffb"),
    ("HSET", "hash", "field", "value", "other", "more"),
    ("SADD", "set", "one", "two", "three"),
    ("RPUSH", "list", "one", "two"),
    ("ZADD", "zset", "1", "one", "2", "two"),
    ("XADD", "stream", "1-1", "field", "value"),
    ("SET", "gone", "soon", "PX", "1"),
    ("SET", "ansible:canary:1", "ours"),
]
OTHERWISE = [
    ("SET", "string", "ab"),
    ("HSET", "hash", "field", "other"),
    ("SADD", "set", "four"),
    ("RPUSH", "list", "three"),
    ("ZADD", "zset", "3", "one"),
    ("XADD", "stream", "1-2", "field", "value"),
]


def test_keys_are_compared_by_value_in_every_database(tmp_path: Path) -> None:
    need("redis-server")
    one, other = RealServer("one", tmp_path / "one"), RealServer("other", tmp_path / "other")
    try:
        for server in (one, other):
            server.start()
        many = [str(number) for number in range(2000)]
        for server, order in ((one, many), (other, many[::-1])):
            for words in VALUES:
                server.client.command(*words)
            server.client.command("SADD", "many", *order)
            server.client.command("HSET", "fields", *(word for number in order for word in (number, "value")))
            server.client.command("SELECT", "3")
            server.client.command("SET", "same", "1")
            server.client.command("SELECT", "0")
        assert own_keys(one.client, other.client) == []
        for words in OTHERWISE:
            one.client.command(*words)
        one.client.command("SELECT", "3")
        one.client.command("SET", "only", "1")
        one.client.command("SELECT", "0")
        found = own_keys(one.client, other.client)
        wanted = [OwnKey(0, words[1], True) for words in OTHERWISE] + [OwnKey(3, "only", False)]
        assert sorted(found, key=lambda key: key.name) == sorted(wanted, key=lambda key: key.name)
    finally:
        one.kill()
        other.kill()
