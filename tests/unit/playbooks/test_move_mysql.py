# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What switchover.yml, promote.yml and rejoin.yml tell the MySQL servers, over hosts that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    HEALTHY,
    INVENTORY,
    SECRETS,
    answers,
)
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.test_mysql_move import SILENT, server

PRIMARY, REPLICA = server(server_id=1), server("db1", server_id=2)
DEAD = {"state": "unreachable", "role": "unknown", "checks": {"reachable": {"value": "timeout"}}, "reasons": []}


def told(host: str, found: dict[str, Any], **result: Any) -> Answer:
    """What a server replies to every step: what it is, and that the step was done."""
    return Answer("mysql_primary", {"found": found, "done": True, **result}, host)


def play(name: str, folder: Path, to: str, *answered: Answer, options: tuple[str, ...] = ()) -> Run:
    given = ("-e", "tier=mysql", "-e", f"to={to}", *options)
    return run_playbook(
        CHECKOUT / f"playbooks/{name}.yml", INVENTORY, [*answered, *answers(HEALTHY, HEALTHY)], folder, *given
    )


def steps(run: Run) -> list[str]:
    """Who did which step, but for the looks."""
    found = [f"{call.host}: {call.arguments['step']}" for call in run.calls if call.module == "mysql_primary"]
    return [step for step in found if not step.endswith(": look")]


def said(run: Run) -> str:
    return " ".join(run.output.split())


def test_the_primary_moves(tmp_path: Path) -> None:
    run = play("switchover", tmp_path, "db2", told("db1", PRIMARY, seconds=0.4), told("db2", REPLICA))
    assert run.code == 0, run.output
    assert steps(run) == ["db1: hand_over", "db2: take_over"]
    assert "db2 is the primary; neither it nor db1 took writes for 0.4 s." in said(run)
    handed = next(each for each in run.of("db1", "mysql_primary") if each["step"] == "hand_over")
    login = {name: handed[name] for name in ("host", "name", "port", "user", "password", "tls")}
    assert login == {
        "host": "10.0.0.21",
        "name": "db2",
        "port": 3306,
        "user": "replication",
        "password": SECRETS["mysql_replication"],
        "tls": "auto",
    }
    # The new direction is proved by a canary.
    assert [each.get("primary", {}).get("login_host") for each in run.of("db1", "replication_status")][
        -1
    ] == "10.0.0.21"


def test_a_check_tells_the_plan_and_does_nothing(tmp_path: Path) -> None:
    run = play("switchover", tmp_path, "db2", told("db1", PRIMARY), told("db2", REPLICA), options=("--check",))
    assert run.code == 0, run.output
    assert steps(run) == []
    assert "The primary moves from db1 to db2. Expected downtime: about 1 s for writers" in said(run)


STEPS = ["db1: hand_over", "db2: take_over", "db2: withdraw"]


@pytest.mark.parametrize(
    ("withdrawn", "done", "sentence"),
    [
        (
            {"opened": False},
            [*STEPS, "db1: reopen"],
            "The primary was not moved: db2: it is late. db1 is the primary and open as before, db2 its replica",
        ),
        ({}, STEPS, "db2 cannot tell whether it took over, so db1 may stand closed for writes: run this again"),
    ],
)
def test_a_move_that_fails_is_taken_back(
    tmp_path: Path, withdrawn: dict[str, Any], done: list[str], sentence: str
) -> None:
    late = told("db2", REPLICA, **{"done": False, "msg": "it is late", **withdrawn})
    run = play("switchover", tmp_path, "db2", told("db1", PRIMARY), late)
    assert run.code != 0
    assert steps(run) == done
    assert sentence in said(run)


def test_a_move_whose_new_primary_opened_all_the_same_goes_on(tmp_path: Path) -> None:
    late = told("db2", REPLICA, done=False, msg="it is late", opened=True)
    run = play("switchover", tmp_path, "db2", told("db1", PRIMARY), late)
    assert run.code == 0, run.output
    assert steps(run)[-2:] == ["db2: withdraw", "db1: follow"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("-e", "tier=mongo", "-e", "to=db2"),
            "Give -e tier=mysql or -e tier=redis; tier is mongo. Nothing was changed.",
        ),
        (
            ("-e", "tier=redis", "-e", "to=db2"),
            "Give -e to=HOST, one of redis1, redis2; to is db2. Nothing was changed.",
        ),
        (("-e", "webcluster_confirm=no"), "The question whether to go on was answered with no. Nothing was changed."),
    ],
)
def test_what_cannot_be_asked_for_reaches_no_host(tmp_path: Path, options: tuple[str, ...], sentence: str) -> None:
    run = play("promote", tmp_path, "db2", options=options)
    assert run.code != 0
    assert run.calls == []
    assert sentence in said(run)


def test_the_primary_itself_is_refused(tmp_path: Path) -> None:
    run = play("switchover", tmp_path, "db1", told("db1", PRIMARY), told("db2", REPLICA))
    assert run.code != 0
    assert steps(run) == []
    assert "db1 is the primary already; expected one of its replicas. Nothing was changed." in said(run)


def promoted(folder: Path, lost: int, *options: str) -> Run:
    dead = told("db1", SILENT, transactions=lost, gtids=["0-1-8"][:lost])
    silent = Answer("replication_status", DEAD, "db1")
    return play("promote", folder, "db2", dead, told("db2", REPLICA), silent, options=options)


def test_a_dead_primary_is_fenced_before_its_replica_opens(tmp_path: Path) -> None:
    run = promoted(tmp_path, 0)
    assert run.code == 0, run.output
    assert steps(run) == ["db1: unsent", "db1: fence", "db2: promote"]
    read = next(each for each in run.of("db1", "mysql_primary") if each["step"] == "unsent")
    assert (read["log_file"], read["log_position"]) == ("binlog.000003", 1234)


def test_a_loss_has_to_be_accepted(tmp_path: Path) -> None:
    run = promoted(tmp_path, 1)
    assert run.code != 0
    assert steps(run) == ["db1: unsent"]
    assert "1 transactions in the binary logs of db1 did not arrive at db2 (0-1-8)." in said(run)


def test_an_accepted_loss_is_told_first(tmp_path: Path) -> None:
    run = promoted(tmp_path, 1, "-e", "accept_data_loss=true")
    assert run.code == 0, run.output
    assert said(run).index("did not arrive at db2") < said(run).index("TASK [Promote the replica]")


def test_own_writes_are_named_and_exported(tmp_path: Path) -> None:
    new = server(server_id=2, promotion={"former_primary": "db1", "file": "binlog.000003", "file_position": 1234})
    refused = {"done": False, "msg": "it has 1 transactions that db2 has not (0-1-8)", "own_writes": "0-1-8"}
    old = told("db1", server(server_id=1, closed=True), file="/var/lib/webcluster-mysql/unsent-1.sql", **refused)
    run = play("rejoin", tmp_path, "db1", old, told("db2", new))
    assert run.code != 0
    assert steps(run) == ["db1: follow", "db1: unsent"]
    assert (
        "db1 does not follow db2: it has 1 transactions that db2 has not (0-1-8). All that it wrote since is in"
        " /var/lib/webcluster-mysql/unsent-1.sql on db1, as SQL."
    ) in said(run)


def test_a_server_that_is_down_is_started_closed(tmp_path: Path) -> None:
    silent = Answer("replication_status", DEAD, "db1", ("engine", "fail_on"))
    run = play("rejoin", tmp_path, "db1", told("db1", SILENT), told("db2", server(server_id=2)), silent)
    assert steps(run) == ["db1: start_closed", "db1: follow"]
