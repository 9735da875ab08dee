# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned move of a Redis primary: what is done, refused, rolled back and finished."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import (
    Moved,
    StoppedError,
    carry_out,
    decide,
    look_at_all,
)
from ansible_collections.siteops.webcluster.tests.unit.plugins.redis_tier import FakeTier, KilledError

OLD, NEW, THIRD = "10.0.0.36", "10.0.0.37", "10.0.0.38"


@pytest.fixture
def tier() -> FakeTier:
    return FakeTier("redis1", "redis2", "redis3")


def no_names(name: str) -> set[str]:
    return {name}


def move(tier: FakeTier, to: str = "redis2") -> Moved:
    looked = look_at_all(tier.members(), no_names)
    return carry_out(looked, decide(looked, to, 1), 5, tier.clock())


def refusal(tier: FakeTier, to: str = "redis2") -> str:
    with pytest.raises(RefusedError) as refused:
        decide(look_at_all(tier.members(), no_names), to, 1)
    assert tier.changes() == []
    return str(refused.value)


def test_the_primary_hands_over_and_everybody_keeps_it_for_the_next_start(tier: FakeTier) -> None:
    moved = move(tier)
    assert tier.changes() == [
        f"redis1: FAILOVER TO {NEW} 6379 TIMEOUT 1000",
        "redis2: CONFIG REWRITE",
        "redis1: CONFIG REWRITE",
        f"redis3: REPLICAOF {NEW} 6379",
        "redis3: CONFIG REWRITE",
    ]
    assert tier.roles() == {"redis1": (NEW, NEW), "redis2": ("", ""), "redis3": (NEW, NEW)}
    assert moved.steps[-1] == "Every replica is in step with redis2."


def test_it_goes_back_as_well(tier: FakeTier) -> None:
    move(tier)
    move(tier, "redis1")
    assert tier.roles() == {"redis1": ("", ""), "redis2": (OLD, OLD), "redis3": (OLD, OLD)}


@pytest.mark.parametrize("after", range(5))
def test_killed_before_any_change_and_run_again_it_finishes(tier: FakeTier, after: int) -> None:
    tier.left = after
    with pytest.raises(KilledError):
        move(tier)
    tier.left = None
    looked = look_at_all(tier.members(), no_names)
    carry_out(looked, decide(looked, "redis2", 1), 5, tier.clock())
    # Whoever was killed in between leaves it to the playbook's next task to have the roles written down.
    assert {name: source for name, (source, _written) in tier.roles().items()} == {
        "redis1": NEW,
        "redis2": "",
        "redis3": NEW,
    }
    assert not tier.servers["redis1"].holds_back


def test_the_primary_that_is_there_has_nothing_to_do(tier: FakeTier) -> None:
    assert decide(look_at_all(tier.members(), no_names), "redis1", 1).done


@pytest.mark.parametrize("failover", ["refuses", "never ends"])
def test_a_replica_that_does_not_come_level_changes_nothing(tier: FakeTier, failover: str) -> None:
    tier.servers["redis1"].failover = failover
    before = tier.roles()
    with pytest.raises(StoppedError, match=r"Rolled back: redis1 is the primary and takes writes again"):
        move(tier)
    assert tier.roles() == before
    assert not tier.servers["redis1"].holds_back


def test_a_replica_that_falls_silent_afterwards_is_named(tier: FakeTier) -> None:
    tier.servers["redis3"].fields["master_link_status"] = "down"
    with pytest.raises(StoppedError, match=r"redis2 is the primary and takes writes, but redis3 is not in step"):
        move(tier)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("redis2", {"master_link_status": "down"}, "The replication from redis1 to redis2 is down"),
        ("redis2", {"master_sync_in_progress": "1"}, "redis2 is still getting its first copy of redis1"),
        ("redis2", {"master_host": THIRD}, "redis2 replicates from redis3; expected a replica of the primary redis1"),
        ("redis1", {"master_repl_offset": "9000000"}, "redis2 is 9.0 MB behind redis1"),
        ("redis1", {"slave0": f"ip={NEW},port=6379,state=online,offset=1,lag=7"}, "acknowledged 7 s ago"),
        ("redis2", {"redis_version": "7.0.15"}, "redis2 runs redis 7.0.15 and redis1 redis 8.0.2"),
        ("redis2", {"valkey_version": "8.1.1"}, "redis2 runs valkey 8.1.1 and redis1 redis 8.0.2"),
        ("redis2", {"slave_priority": "0"}, "redis2 must never be the primary (replica-priority 0)"),
        ("redis2", {"slave_read_only": "0"}, "redis2 takes writes of its own"),
        ("redis2", {"aof_last_write_status": "err"}, "its append-only file cannot be written"),
        ("redis2", {"maxmemory": "10"}, "redis1 holds 5.0 MB and redis2 may hold 10 bytes (maxmemory)"),
    ],
)
def test_a_replica_that_is_not_fit_is_refused(tier: FakeTier, name: str, fields: dict[str, str], said: str) -> None:
    tier.servers["redis1"].fields["used_memory"] = "5000000"
    tier.servers[name].fields |= fields
    text = refusal(tier)
    assert said in text
    assert text.endswith("Nothing was changed.")


def test_a_failed_snapshot_stops_writes_only_where_it_is_configured_so(tier: FakeTier) -> None:
    tier.servers["redis2"].fields["rdb_last_bgsave_status"] = "err"
    assert decide(look_at_all(tier.members(), no_names), "redis2", 1).old == "redis1"
    tier.servers["redis2"].config |= {"save": "3600 1", "stop-writes-on-bgsave-error": "yes"}
    assert "its last snapshot failed" in refusal(tier)


def test_more_replicas_than_there_will_be_are_refused(tier: FakeTier) -> None:
    tier.servers["redis2"].config["min-replicas-to-write"] = "3"
    assert "redis2 takes writes with 3 replicas only" in refusal(tier)


def test_an_old_primary_that_cannot_log_in_is_refused(tier: FakeTier) -> None:
    tier.servers["redis1"].config["masterauth"] = ""
    assert "redis1 has no login for a primary" in refusal(tier)


def test_two_primaries_are_refused(tier: FakeTier) -> None:
    tier.servers["redis3"].source = ""
    assert "redis1 and redis3 claim to be the primary; expected one" in refusal(tier)


def test_a_silent_server_is_refused(tier: FakeTier) -> None:
    tier.servers["redis3"].silence = "no answer in time"
    with pytest.raises(RefusedError, match=r"redis3 does not answer: no answer in time"):
        look_at_all(tier.members(), no_names)


def test_the_plan_tells_the_order_and_the_downtime(tier: FakeTier) -> None:
    text = " ".join(decide(look_at_all(tier.members(), no_names), "redis2", 1).text)
    assert "redis1 is the primary, redis2 becomes it" in text
    assert "redis3 is pointed to redis2" in text
    assert "Expected downtime: writers up to 3 s" in text
    assert "What would stop it" in text
