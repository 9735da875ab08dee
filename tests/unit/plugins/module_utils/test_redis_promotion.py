# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An emergency promotion: only where the primary is dead, and with a word about what is lost."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.promotion import (
    MARK,
    Plan,
    carry_out,
    decide,
    watch,
)
from ansible_collections.siteops.webcluster.tests.unit.plugins.redis_tier import FakeTier, KilledError

NEW = "10.0.0.37"
HEARS = {"master_link_status": "up", "master_link_down_since_seconds": "-1"}


def no_names(name: str) -> set[str]:
    return {name}


@pytest.fixture
def tier() -> FakeTier:
    """redis1 has died."""
    found = FakeTier("redis1", "redis2", "redis3")
    found.servers["redis1"].silence = "no answer in time"
    return found


def plan(tier: FakeTier, accept_data_loss: bool = False) -> Plan:
    return decide(watch(tier.members(), "redis2", tier.clock(), no_names), "redis2", accept_data_loss, no_names)


def promote(tier: FakeTier, kept: list[dict[str, Any]]) -> list[str]:
    seen = watch(tier.members(), "redis2", tier.clock(), no_names)
    return carry_out(seen, decide(seen, "redis2", False, no_names), 5, kept.append, "now", tier.clock())


def refusal(tier: FakeTier) -> str:
    with pytest.raises(RefusedError) as refused:
        plan(tier)
    assert tier.changes() == []
    return str(refused.value)


def test_the_replica_becomes_the_primary_and_the_others_follow(tier: FakeTier) -> None:
    kept: list[dict[str, Any]] = []
    promote(tier, kept)
    assert {name: tier.roles()[name] for name in ("redis2", "redis3")} == {"redis2": ("", ""), "redis3": (NEW, NEW)}
    assert kept[0]["servers"]["redis2"]["offset"] == 1000
    assert "secret" not in str(kept)


@pytest.mark.parametrize("after", range(1, 5))
def test_killed_and_run_again_it_finishes(tier: FakeTier, after: int) -> None:
    tier.left = after
    with pytest.raises(KilledError):
        promote(tier, [])
    tier.left = None
    promote(tier, [])
    # Whoever was killed at the very end leaves it to the playbook's next task to have the roles written down.
    assert [tier.servers[name].source for name in ("redis2", "redis3")] == ["", NEW]


def test_coordinates_that_cannot_be_kept_end_it_before_anything(tier: FakeTier) -> None:
    def no_room(_found: dict[str, Any]) -> None:
        raise OSError("no space left on device")

    seen = watch(tier.members(), "redis2", tier.clock(), no_names)
    with pytest.raises(OSError, match="no space"):
        carry_out(seen, decide(seen, "redis2", False, no_names), 5, no_room, "now", tier.clock())
    assert tier.changes() == []


def test_a_primary_that_lives_is_left_alone(tier: FakeTier) -> None:
    tier.servers["redis1"].silence = ""
    assert "redis1 is the primary and alive" in refusal(tier)


def test_a_primary_that_reads_its_data_lives(tier: FakeTier) -> None:
    tier.servers["redis1"].silence, tier.servers["redis1"].silence_kind = "LOADING", "loading"
    assert "redis1 is the primary and alive, it answers (LOADING)" in refusal(tier)


def test_a_primary_that_another_replica_hears_is_left_alone(tier: FakeTier) -> None:
    tier.servers["redis3"].fields |= HEARS | {"master_last_io_seconds_ago": "1"}
    seen = watch(tier.members(), "redis2", tier.clock(), no_names)
    with pytest.raises(RefusedError, match="redis1 lives: redis3 got data from it"):
        decide(seen, "redis2", False, no_names)


def test_a_primary_that_was_heard_before_we_asked_is_dead(tier: FakeTier) -> None:
    tier.servers["redis3"].fields |= HEARS | {"master_last_io_seconds_ago": "4"}
    assert plan(tier).dead == "redis1"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"master_sync_in_progress": "1"}, "redis2 has never had a whole copy of redis1"),
        ({"slave_priority": "0"}, "redis2 must never be the primary"),
        ({"aof_last_write_status": "err"}, "redis2 would refuse writes"),
    ],
)
def test_a_replica_that_is_not_fit_is_refused(tier: FakeTier, fields: dict[str, str], said: str) -> None:
    tier.servers["redis2"].fields |= fields
    assert said in refusal(tier)


def test_an_empty_replica_is_refused_unless_that_is_accepted(tier: FakeTier) -> None:
    tier.servers["redis2"].keys.clear()
    assert "redis2 is empty" in refusal(tier)
    assert plan(tier, accept_data_loss=True).dead == "redis1"


def test_the_replica_that_has_most_is_preferred(tier: FakeTier) -> None:
    tier.servers["redis3"].offset = 1500
    assert "redis3 has 500 bytes more of redis1 than redis2" in refusal(tier)
    assert "What is lost: 500 bytes that redis3 has; and what redis1 acknowledged" in " ".join(plan(tier, True).text)


def test_a_second_promotion_within_the_hour_is_refused(tier: FakeTier) -> None:
    tier.servers["redis2"].keys[MARK] = '{"to": "redis1"}'
    assert "redis1 was promoted within the last hour" in refusal(tier)
    assert plan(tier, accept_data_loss=True).dead == "redis1"


def test_everybody_knows_of_a_promotion(tier: FakeTier) -> None:
    promote(tier, [])
    assert '"to": "redis2"' in tier.servers["redis3"].keys[MARK]


def test_how_much_could_be_lost_is_told(tier: FakeTier) -> None:
    # 5000 bytes in 100 seconds, and 20 seconds of silence.
    assert "up to about 1.0 kB at its usual rate" in plan(tier).loss


def test_the_primary_that_is_there_has_nothing_to_do(tier: FakeTier) -> None:
    promote(tier, [])
    assert plan(tier).done


def test_a_rival_is_named(tier: FakeTier) -> None:
    tier.servers["redis3"].source = ""
    assert "redis3 is a primary that answers; expected none" in refusal(tier)
