# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rolling_update.yml -e tier= tells the servers of a data tier, and in which order, over hosts that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_move_mysql import PRIMARY, REPLICA
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    HEALTHY,
    INVENTORY,
    answers,
)

PLAYBOOK = CHECKOUT / "playbooks/rolling_update.yml"
INST = "Inst mariadb-server [1:11.8.3-0+deb13u1] (1:11.8.6-0+deb13u1 Debian:13/stable [amd64])\n"
# What a server is asked with when it had its turn.
TURN = {"timeout": 120}
NEWER = {"changed": True, "stdout": INST}
MOVED = Answer(
    "redis_switchover", {"changed": True, "plan": ["This is the plan."], "steps": ["It took over."], "old": "redis1"}
)
STOPPED = {
    "state": "unreachable",
    "role": "unknown",
    "healthy": False,
    "msg": "Connection refused",
    "checks": {"reachable": {"value": "refused"}},
    "reasons": [],
    "data": {"empty": False},
}


def play(folder: Path, tier: str, told: list[Answer], *options: str, verdicts: dict[str, Any] | None = None) -> Run:
    """Run it; verdicts are those of the servers, beside what each says of itself."""
    table = [*told, *answers(HEALTHY, {**HEALTHY, **(verdicts or {})})]
    return run_playbook(PLAYBOOK, INVENTORY, table, folder, "-e", f"tier={tier}", *options)


def mysql(*told: Answer) -> list[Answer]:
    """The MySQL servers, which can be moved."""
    moves = [
        Answer("mysql_primary", {"found": found, "done": True, "seconds": 0.4}, host)
        for host, found in (("db1", PRIMARY), ("db2", REPLICA))
    ]
    return [*told, *moves]


def steps(run: Run) -> list[str]:
    """Who was told what that takes a server out or gives it a role, in this order; looks of the roles and of a plan are named."""
    found = []
    for call in run.calls:
        what = ""
        if call.module == "apt" and call.arguments.get("state") == "latest":
            what = "upgrade"
        elif call.module == "mysql_primary" and call.arguments["step"] != "look":
            what = call.arguments["step"]
        elif call.module == "redis_switchover":
            what = "switchover"
        elif call.module == "haproxy_server":
            what = f"{call.arguments['backend']} {call.arguments['server']} {call.arguments['state']}"
        elif call.module == "systemd_service":
            what = f"{call.arguments['name']} {call.arguments['state']}"
        if what:
            found.append(f"{call.host}: {'look at ' if call.looks_only else ''}{what}")
    return found


def reads(name: str, state: str, tier: str = "mysql") -> list[str]:
    return [f"{web}: {tier}_read {name} {state}" for web in ("web1", "web2")]


def turn(name: str) -> list[str]:
    """A replica's turn: no new reads while it is updated."""
    return [*reads(name, "drain"), f"{name}: upgrade", *reads(name, "ready")]


def said(run: Run) -> str:
    return " ".join(run.output.split())


def lists_read(run: Run) -> list[str]:
    """Whose package lists were read again, before anybody looks for newer packages."""
    return [call.host for call in run.calls if call.module == "apt" and "name" not in call.arguments]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tier whose servers have newer packages."""
    run = play(tmp_path_factory.mktemp("moved"), "mysql", mysql(Answer("apt", NEWER)))
    assert run.code == 0, run.output
    return run


def test_replicas_come_first_then_the_primary_moves_and_the_former_one_is_updated(moved: Run) -> None:
    assert sorted(steps(moved)[:2]) == ["db1: look at upgrade", "db2: look at upgrade"]
    # These servers go on saying that db1 is the primary, whom nobody reads from.
    moves = ["db1: hand_over", "db2: take_over"]
    assert steps(moved)[2:] == [*turn("db2"), *moves, "db1: upgrade", *turn("db2")]
    drained = [each for each in moved.of("web1", "haproxy_server") if each["state"] == "drain"]
    assert {(each["timeout"], each["on_timeout"]) for each in drained} == {(30, "continue")}
    assert "VERDICT healthy" in moved.output


def test_the_plan_is_told_before_anything_is_changed(moved: Run) -> None:
    words = said(moved)
    assert "Order: db2, then the primary moves from db1 to db2, then db1." in words
    assert "db1: mariadb-server 1:11.8.3-0+deb13u1 to 1:11.8.6-0+deb13u1." in words
    assert words.index("Order:") < words.index("PLAY [Update the replicas]")
    assert sorted(lists_read(moved)) == ["db1", "db2"]


def test_each_server_has_to_be_in_step_before_the_next_ones_turn(moved: Run) -> None:
    """The last thing that a server is asked in its turn, with a canary, and the primary beside it."""
    looks = [(call.host, call.arguments.get("canary")) for call in moved.calls if call.module == "replication_status"]
    judged = [host for host, canary in looks if canary == "both"]
    # Before the first turn, and after that of the replica; the third is the judgement of the move.
    assert judged[:2] == ["db1", "db2"]
    assert judged[2:4] == ["db2", "db1"]
    assert {call.arguments["timeout"] for call in moved.calls if call.arguments.get("canary") == "both"} >= {5, 120}


def test_other_servers_are_asked_and_left_alone(moved: Run) -> None:
    others = {call.module for call in moved.calls if call.host in ("web1", "web2", "lb", "redis1", "redis2")}
    assert moved.of("localhost", "site_archive") == []
    assert others == {"setup", "replication_status", "front_door", "site_release_info", "haproxy_server"}


def test_a_redis_primary_moves_for_a_setting_that_only_a_restart_changes(tmp_path: Path) -> None:
    switched = Answer("redis_switchover", {"changed": True, "plan": ["This is the plan."], "steps": ["It took over."]})
    run = play(tmp_path, "redis", [switched, Answer("redis_settings", {"restart": ["databases"]}, "redis1")])
    assert run.code == 0, run.output
    # Looking restarts nobody, and says nothing of a primary that has to be restarted.
    words = said(run).partition("PLAY [Update the former primary")[0]
    assert "has to be restarted, for" not in words
    told = [step for step in steps(run) if not step.endswith("upgrade")]
    assert told == [
        *reads("redis2", "ready", "redis"),
        "redis2: look at switchover",
        "redis2: switchover",
        "redis1: redis-server restarted",
        # These servers go on saying that it is a replica.
        *reads("redis2", "ready", "redis"),
    ]
    assert "redis1: settings that it takes at its start (databases)." in said(run)


def test_nothing_to_do_moves_nobody_and_changes_nothing(tmp_path: Path) -> None:
    # The lists are newer than before, the packages are not.
    run = play(tmp_path, "mysql", mysql(Answer("apt", {}, arguments=("name",)), Answer("apt", {"changed": True})))
    assert run.code == 0, run.output
    assert steps(run)[2:] == ["db2: upgrade", *reads("db2", "ready"), "db1: upgrade"]
    assert "db1 stays the primary." in said(run)
    assert "changed=1" not in run.output


def test_a_check_tells_the_plan_and_reads_no_lists(tmp_path: Path) -> None:
    run = play(tmp_path, "mysql", mysql(Answer("apt", NEWER)), "--check")
    assert run.code == 0, run.output
    assert sorted(steps(run)) == ["db1: look at upgrade", "db2: look at upgrade"]
    assert lists_read(run) == []
    words = said(run)
    assert "Order: db2, then the primary moves from db1 to db2, then db1." in words
    assert "1. db1 closes for writes; a statement that goes on for 2 s there ends the move" in words


def test_packages_may_be_left_alone(tmp_path: Path) -> None:
    run = play(tmp_path, "redis", [], "-e", "webcluster_update_packages=false")
    assert run.code == 0, run.output
    assert (steps(run), lists_read(run)) == (reads("redis2", "ready", "redis"), [])


def test_a_failure_on_the_replica_ends_it_with_the_primary_serving(tmp_path: Path) -> None:
    # It is well before, and not after its update.
    behind = {**HEALTHY["db2"], "healthy": False, "state": "lagging", "msg": "It is 90 s behind."}
    run = play(tmp_path, "mysql", mysql(Answer("apt", NEWER), Answer("replication_status", behind, "db2", values=TURN)))
    assert run.code != 0
    assert steps(run)[2:] == [*reads("db2", "drain"), "db2: upgrade"]
    assert (
        "db2 could not be updated: Stop unless it and the primary are healthy: It is 90 s behind. db1 is the primary, nothing was"
        " changed on db1. Readers are kept from db2. Mend the cause and run again: the run goes on from here."
    ) in said(run)


def test_a_move_that_fails_leaves_the_former_primary_alone(tmp_path: Path) -> None:
    late = Answer("mysql_primary", {"found": REPLICA, "done": False, "msg": "it is late", "opened": False}, "db2")
    run = play(tmp_path, "mysql", [late, *mysql(Answer("apt", NEWER))])
    assert run.code != 0
    assert steps(run)[2:] == [*turn("db2"), "db1: hand_over", "db2: take_over", "db2: withdraw", "db1: reopen"]
    assert "db1 is the primary and open as before, db2 its replica: mend the cause and run this again." in said(run)


def test_a_tier_that_is_not_well_is_left_alone(tmp_path: Path) -> None:
    lagging = {**HEALTHY["db2"], "healthy": False, "state": "lagging", "msg": "It is 90 s behind."}
    run = play(tmp_path, "mysql", mysql(Answer("apt", NEWER)), verdicts={"db2": lagging})
    assert run.code != 0
    assert (steps(run), lists_read(run)) == ([], [])
    assert "MySQL on db2 is lagging: It is 90 s behind; expected every server of the tier to be healthy" in said(run)


@pytest.mark.parametrize("tier", ["mongo", "web"])
def test_a_tier_that_is_none_reaches_no_host(tmp_path: Path, tier: str) -> None:
    run = play(tmp_path, tier, [])
    assert run.code != 0
    assert run.calls == []
    sentence = (
        f"tier is {tier}; expected mysql or redis, or none for the web servers and load balancers. Nothing was changed."
    )
    assert sentence in said(run)
