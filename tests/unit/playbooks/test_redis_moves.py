# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks that move a primary tell the Redis hosts, and in which order, over hosts that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    ADDRESSES,
    HEALTHY,
    INVENTORY,
    SECRETS,
    answers,
)

MODULES = ("redis_switchover", "redis_promote", "redis_fence", "redis_rejoin", "redis_source")
ALREADY = Answer("redis_source", {"in_place": True, "reachable": True})
SILENT = {"state": "unreachable", "role": "unknown", "checks": {"reachable": {"value": "refused"}}, "data": {}}
MEMBERS = [
    {
        "name": name,
        "host": ADDRESSES[name],
        "port": 6378,
        "login_user": "admin",
        "login_password": SECRETS["redis_admin"],
        "tls": True,
        "ca_cert": "/etc/webcluster-redis-tls/ca.pem",
    }
    for name in ("redis1", "redis2")
]


def play(folder: Path, name: str, told: list[Answer], *options: str, looks: dict[str, Any] | None = None) -> Run:
    words = ("-e", "tier=redis", "-e", f"to={'redis1' if name == 'rejoin' else 'redis2'}", *options)
    return run_playbook(
        CHECKOUT / f"playbooks/{name}.yml", INVENTORY, [*told, *answers(looks or HEALTHY, HEALTHY)], folder, *words
    )


def steps(run: Run) -> list[str]:
    """Who was told what, in this order."""
    return [
        " ".join(filter(None, (f"{call.host}:", call.module, str(call.arguments.get("state") or ""))))
        for call in run.calls
        if call.module in MODULES
    ]


def said(run: Run) -> str:
    return " ".join(run.output.split())


def moved(**more: object) -> Answer:
    result = {"changed": True, "plan": ["This is the plan."], "steps": ["It took over."], "old": "redis1"}
    return Answer("redis_switchover", {**result, **more})


def test_a_switchover_tells_its_plan_moves_and_has_every_role_written_down(tmp_path: Path) -> None:
    run = play(tmp_path, "switchover", [moved(), ALREADY])
    assert run.code == 0, run.output
    assert steps(run) == [
        "redis2: redis_switchover",
        "redis2: redis_switchover",
        "redis1: redis_source replica",
        "redis2: redis_source primary",
    ]
    assert run.of("redis2", "redis_switchover")[0]["members"] == MEMBERS
    assert run.one("redis1", "redis_source")["source_host"] == ADDRESSES["redis2"]
    assert said(run).index("This is the plan.") < said(run).index("It took over.")
    assert SECRETS["redis_admin"] not in run.output


def test_a_check_tells_the_plan_and_moves_nothing(tmp_path: Path) -> None:
    run = play(tmp_path, "switchover", [moved()], "--check")
    assert run.code == 0, run.output
    assert steps(run) == ["redis2: redis_switchover"]
    assert "This is the plan." in run.output


def test_a_move_to_the_primary_that_is_there_is_refused(tmp_path: Path) -> None:
    run = play(tmp_path, "switchover", [moved(changed=False, steps=[]), ALREADY])
    assert run.code != 0
    assert "redis2 is the primary already, and every replica follows it; expected a replica." in said(run)


def test_what_a_killed_run_left_is_finished(tmp_path: Path) -> None:
    left = Answer("redis_source", {"changed": True}, "redis1")
    run = play(tmp_path, "switchover", [moved(changed=False, steps=[]), left, ALREADY])
    assert run.code == 0, run.output
    assert "redis2 was the primary already; what a former run had left was finished." in said(run)


def test_a_refusal_ends_it_before_anything(tmp_path: Path) -> None:
    refused = Answer("redis_switchover", {"failed": True, "msg": "redis2 is behind. Nothing was changed."})
    run = play(tmp_path, "switchover", [refused])
    assert run.code != 0
    assert steps(run) == ["redis2: redis_switchover"]
    assert "redis2 is behind. Nothing was changed." in said(run)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("-e", "to=redis9"), "Give -e to=HOST, one of redis1, redis2; to is redis9. Nothing was changed."),
        (("-e", "tier=web"), "Give -e tier=mysql or -e tier=redis; tier is web. Nothing was changed."),
    ],
)
def test_what_is_asked_for_must_be_there(tmp_path: Path, options: tuple[str, ...], wanted: str) -> None:
    run = play(tmp_path, "switchover", [], *options)
    assert run.code != 0
    assert wanted in said(run)
    assert [call for call in run.calls if call.module != "setup"] == []


def promoted(**more: object) -> Answer:
    result = {"changed": True, "plan": ["This is the plan."], "steps": ["redis2 is the primary."], "dead": "redis1"}
    return Answer("redis_promote", {**result, "following": [], "coordinates": "/kept.json", **more})


DEAD = {**HEALTHY, "redis1": SILENT}
FENCED = Answer("redis_fence", {"changed": True, "service": "redis-server.service"})


def test_a_promotion_fences_the_dead_one_first(tmp_path: Path) -> None:
    run = play(tmp_path, "promote", [promoted(), FENCED, ALREADY], looks=DEAD)
    assert run.code == 0, run.output
    assert steps(run) == [
        "redis2: redis_promote",
        "redis1: redis_fence fenced",
        "redis2: redis_promote",
        "redis2: redis_source primary",
    ]
    assert run.of("redis2", "redis_promote")[0]["accept_data_loss"] is False
    assert "redis1 is fenced: its service is masked." in said(run)
    assert "How far everybody was stands in /kept.json on redis2." in said(run)


def test_a_host_out_of_reach_is_not_fenced_and_told(tmp_path: Path) -> None:
    gone = Answer("redis_fence", {"unreachable": True, "msg": "no route to host"})
    run = play(tmp_path, "promote", [promoted(), gone, ALREADY], looks=DEAD)
    assert (
        "redis1 could not be fenced: should it come back as a primary, the data proxies send writes to neither."
        in said(run)
    )


def test_a_primary_that_answers_on_its_own_host_is_left_alone(tmp_path: Path) -> None:
    run = play(tmp_path, "promote", [promoted()])
    assert run.code != 0
    assert steps(run) == ["redis2: redis_promote"]
    assert "redis1 is a primary that answers on its own host, though redis2 cannot reach it" in said(run)


def test_a_promotion_that_fails_lets_the_dead_one_come_back(tmp_path: Path) -> None:
    cannot = Answer("redis_promote", {"failed": True, "msg": "The coordinates cannot be kept."}, "", ("wait",))
    run = play(tmp_path, "promote", [cannot, promoted(), FENCED], looks=DEAD)
    assert run.code != 0
    assert steps(run) == [
        "redis2: redis_promote",
        "redis1: redis_fence fenced",
        "redis2: redis_promote",
        "redis2: redis_promote",
        "redis1: redis_fence free",
    ]
    assert "redis2 was not promoted, and redis1 may come back as the primary: The coordinates cannot be kept." in said(
        run
    )


def test_a_rejoin_is_done_on_the_host_of_the_old_primary(tmp_path: Path) -> None:
    told = {"changed": True, "plan": ["redis1 becomes a replica."], "steps": ["It is one."], "primary": "redis2"}
    run = play(tmp_path, "rejoin", [Answer("redis_rejoin", told), ALREADY], "-e", "allow_reseed=redis1", looks=DEAD)
    assert run.code == 0, run.output
    assert steps(run) == ["redis1: redis_rejoin", "redis1: redis_source replica", "redis2: redis_source primary"]
    assert run.one("redis1", "redis_rejoin")["allow_reseed"] == "redis1"
    assert "It is one." in run.output
