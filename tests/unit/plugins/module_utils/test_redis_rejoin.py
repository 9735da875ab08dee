# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An old primary comes back: as a replica, and with its own keys named, kept and given up only where that is asked for."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.rejoin import Plan, as_replica, rejoin
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import Primary
from ansible_collections.siteops.webcluster.tests.unit.plugins.redis_tier import Client, FakeTier

NEW = "10.0.0.37"


class FakeHost:
    """The host of redis1."""

    def __init__(self, tier: FakeTier, active: bool) -> None:
        self.tier, self.active = tier, active
        self.looked = 0

    def is_active(self) -> bool:
        return self.active

    @contextmanager
    def at_rest(self) -> Iterator[Client]:
        self.looked += 1
        server = self.tier.servers["redis1"]
        silence, server.silence = server.silence, ""
        yield Client(self.tier, "redis1")
        server.silence = silence

    def start_as_replica(self, primary: Primary) -> None:
        server = self.tier.servers["redis1"]
        server.silence, server.source, server.written = "", primary.host, primary.host
        server.offset = self.tier.servers["redis2"].offset


@pytest.fixture
def tier() -> FakeTier:
    """redis2 was promoted while redis1 was away, which thinks that it is the primary still."""
    found = FakeTier("redis1", "redis2")
    found.servers["redis2"].source = found.servers["redis2"].written = ""
    found.servers["redis2"].offset = 2000
    return found


def stop(tier: FakeTier) -> FakeHost:
    tier.servers["redis1"].silence = "refused"
    return FakeHost(tier, active=False)


def let_in(
    tier: FakeTier, host: FakeHost, *allow_reseed: str, check_mode: bool = False
) -> tuple[Plan, list[str], list[Any]]:
    kept: list[Any] = []

    def keep(rows: list[dict[str, Any]]) -> Path:
        kept.extend(rows)
        return Path("/kept.json")

    plan, steps = rejoin(
        tier.members(), "redis1", host, allow_reseed, keep, check_mode, 5, tier.clock(), lambda name: {name}
    )
    return plan, steps, kept


def test_one_that_runs_beside_the_primary_follows_it(tier: FakeTier) -> None:
    let_in(tier, FakeHost(tier, active=True))
    assert tier.roles() == {"redis1": (NEW, NEW), "redis2": ("", "")}
    assert tier.changes() == [
        "redis1: CLIENT PAUSE 600000 WRITE",
        f"redis1: REPLICAOF {NEW} 6379",
        "redis1: CONFIG REWRITE",
        "redis1: CLIENT UNPAUSE",
        "redis1: CONFIG REWRITE",
    ]


def test_one_that_is_stopped_is_looked_at_and_started_as_a_replica(tier: FakeTier) -> None:
    host = stop(tier)
    let_in(tier, host)
    assert host.looked == 1
    assert tier.roles() == {"redis1": (NEW, NEW), "redis2": ("", "")}


@pytest.mark.parametrize("active", [True, False])
def test_keys_of_its_own_are_named_kept_and_not_given_up(tier: FakeTier, active: bool) -> None:
    tier.servers["redis1"].keys |= {"demo:2": "mine", "demo:1": "else", "ansible:canary:1": "ours"}
    host = FakeHost(tier, active=True) if active else stop(tier)
    with pytest.raises(RefusedError) as refused:
        let_in(tier, host)
    said = str(refused.value)
    assert "1 that the primary has not (demo:2) and 1 whose value differs there (demo:1)" in said
    assert "They are exported to /kept.json there. Give -e allow_reseed=redis1" in said
    assert tier.servers["redis1"].source == ""
    assert not tier.servers["redis1"].holds_back


def test_they_go_where_that_is_asked_for_and_are_kept(tier: FakeTier) -> None:
    tier.servers["redis1"].keys["demo:2"] = "mine"
    with pytest.raises(RefusedError):
        let_in(tier, FakeHost(tier, active=True), "redis3")
    plan, steps, kept = let_in(tier, FakeHost(tier, active=True), "redis1")
    assert tier.servers["redis1"].source == NEW
    assert [base64.b64decode(row["dump"]) for row in kept] == [b"mine"]
    assert len(plan.own) == 1
    assert steps[0].startswith("The keys that only redis1 had are kept in /kept.json")


def test_one_that_the_primary_went_on_from_needs_no_comparison(tier: FakeTier) -> None:
    tier.servers["redis2"].fields |= {"master_replid2": "stream", "second_repl_offset": "1001"}
    tier.servers["redis1"].keys["demo:2"] = "not even looked at"
    assert let_in(tier, FakeHost(tier, active=True))[0].own == []
    tier.servers["redis1"].source = ""
    tier.servers["redis1"].offset = 1001
    tier.servers["redis1"].keys["demo:2"] = "written after the promotion"
    with pytest.raises(RefusedError, match="demo:2"):
        let_in(tier, FakeHost(tier, active=True))


def test_a_check_keeps_and_changes_nothing(tier: FakeTier) -> None:
    plan, _steps, kept = let_in(tier, stop(tier), check_mode=True)
    assert "redis1 becomes a replica of redis2 and takes over its data. It has no keys of its own." in plan.text
    tier.servers["redis1"].keys["demo:2"] = "mine"
    assert let_in(tier, stop(tier), "redis1", check_mode=True)[2] == kept == []
    assert tier.servers["redis1"].source == ""


def test_a_replica_already_has_nothing_to_do(tier: FakeTier) -> None:
    let_in(tier, FakeHost(tier, active=True))
    assert let_in(tier, FakeHost(tier, active=True))[0].done


def test_one_that_runs_and_does_not_answer_is_refused(tier: FakeTier) -> None:
    tier.servers["redis1"].silence = "no answer in time"
    with pytest.raises(RefusedError, match="runs but does not let itself be asked: no answer in time"):
        let_in(tier, FakeHost(tier, active=True))


def test_there_must_be_a_primary_to_follow(tier: FakeTier) -> None:
    tier.servers["redis2"].source = "10.0.0.36"
    with pytest.raises(RefusedError, match="no server but redis1 says that it is the primary"):
        let_in(tier, FakeHost(tier, active=True))


def test_the_configuration_file_gets_one_role() -> None:
    text = 'port 6379\nreplicaof 10.0.0.1 6379\n# replicaof is explained here\nmasterauth "a b"\n'
    assert as_replica(text, Primary(NEW, 6379)).splitlines() == [
        "port 6379",
        "# replicaof is explained here",
        'masterauth "a b"',
        f"replicaof {NEW} 6379",
    ]
