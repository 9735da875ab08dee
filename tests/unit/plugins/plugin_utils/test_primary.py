# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _primary
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import ADDRESSES, FRESH, look

MEMBERS = {"mysql": ["db1", "db2", "db3"], "redis": ["r1", "r2"]}
# A server on its host that does not answer: what its data directory says, where it was looked at.
DOWN = look(value="no_socket")
DOWN_WITH_DATA = look(value="no_socket", empty=False)
DOWN_AND_EMPTY = look(value="no_socket", empty=True)
UNREACHABLE = {"unreachable": True, "msg": "no route"}
EMPTY = look("standalone", empty=True)
FULL = look("standalone", empty=False)


def replica(source: str, **more: t.Any) -> dict[str, t.Any]:
    return look("replica", ADDRESSES.get(source, source), empty=False, **more)


def decide(engine: str = "mysql", **looks: dict[str, t.Any]) -> _primary.Decision:
    members = [name for name in MEMBERS[engine] if name in looks] or MEMBERS[engine]
    return _primary.decide(ENGINES[engine], members, looks, ADDRESSES)


def error(engine: str = "mysql", **looks: dict[str, t.Any]) -> str:
    errors = decide(engine, **looks).errors
    assert len(errors) == 1, errors
    return errors[0]


def test_on_the_first_day_the_inventory_decides() -> None:
    assert decide(db1=FRESH, db2=FRESH, db3=FRESH) == _primary.Decision("db1", "inventory")


def test_a_half_built_cluster_of_empty_servers_goes_on_with_the_inventory() -> None:
    assert decide(db1=EMPTY, db2=EMPTY, db3=FRESH) == _primary.Decision("db1", "inventory")


def test_the_live_primary_stays_whatever_the_inventory_says() -> None:
    decision = decide(db1=replica("db2"), db2=look("primary", empty=False), db3=replica("db2"))
    assert (decision.primary, decision.decided_by, decision.errors) == ("db2", "live", [])
    assert decision.notes == ["MySQL: db2 is the live primary and stays it; the inventory says db1."]


def test_a_source_may_be_a_name_of_the_inventory() -> None:
    assert decide(db1=look("replica", "db2", empty=False), db2=look("primary", empty=False)).primary == "db2"


def test_a_primary_with_data_and_without_replicas_is_a_primary() -> None:
    decision = decide(db1=FRESH, db2=FULL, db3=FRESH)
    assert (decision.primary, decision.decided_by, decision.errors) == ("db2", "live", [])


def test_a_single_server_is_the_primary_whatever_it_says() -> None:
    for said in (FRESH, DOWN, EMPTY, FULL, DOWN_WITH_DATA):
        assert decide(db1=said).errors == []


def test_a_replica_of_a_replica_does_not_make_a_second_primary() -> None:
    middle = look("intermediate", ADDRESSES["db1"], empty=False)
    decision = decide(db1=look("primary", empty=False), db2=middle, db3=replica("db2"))
    assert (decision.primary, decision.decided_by, decision.errors) == ("db1", "live", [])


def test_a_replica_of_a_stranger_is_an_error_that_names_it() -> None:
    said = error(db1=look("primary", empty=False), db2=replica("192.0.2.9"), db3=FRESH)
    assert "MySQL on db2 replicates from 192.0.2.9, which is not in this inventory" in said


def test_a_refused_login_is_an_error_and_not_an_empty_server() -> None:
    assert decide(db1=look(state="auth_failed"), db2=FRESH, db3=FRESH).errors == [
        "MySQL on db1 refuses our login: said so"
    ]


def test_a3_two_primaries_are_named_with_what_they_hold() -> None:
    said = error(
        db1=look("primary", empty=False, position={"kind": "mariadb_gtid", "value": "0-20-118"}), db2=FULL, db3=FRESH
    )
    assert said == (
        "MySQL has 2 primaries, db1 and db2; expected one: nothing was changed. db1 holds data (transactions 0-20-118), db2"
        " holds data. Find out which one has the writes that you want to keep, then make the other one its replica:"
        " rejoin.yml with -e tier=mysql -e to= the other one."
    )


@pytest.mark.parametrize("fresh", [FRESH, EMPTY, DOWN_AND_EMPTY], ids=["replaced", "started by hand", "emptied"])
def test_a1_an_empty_host_never_becomes_the_primary_of_a_replica_with_data(fresh: dict[str, t.Any]) -> None:
    said = error(db1=fresh, db2=replica("db1", position={"kind": "mariadb_gtid", "value": "0-20-118"}))
    assert said == (
        "MySQL: db1 would be the primary, as db2 replicates from it, but db1 is empty, while db2 holds data (transactions"
        " 0-20-118); nothing was changed: make the server with the newest data the primary (on it: STOP REPLICA; RESET"
        " REPLICA ALL; SET GLOBAL read_only = OFF) and run again, db1 then joins it as a replica."
    )


@pytest.mark.parametrize(("emptied", "full"), [("r1", "r2"), ("r2", "r1")])
def test_a1_no_server_with_data_is_started_beside_one_that_runs_empty(emptied: str, full: str) -> None:
    said = error("redis", **{emptied: EMPTY, full: DOWN_WITH_DATA})
    assert said == (
        f"Redis: {full} holds data and does not answer, while {emptied} runs and is empty; nothing was changed: stop Redis on"
        f" {emptied}, start it on {full}, make the server with the newest data the primary (on it: REPLICAOF NO ONE) and run again,"
        f" {emptied} then joins it as a replica."
    )


@pytest.mark.parametrize("in_logs", [True, False, None])
def test_a2_a_replica_is_filled_whatever_the_logs_hold(in_logs: bool | None) -> None:
    """From the logs, or by a copy: the role decides."""
    assert decide(db1=look("primary", data={"empty": False, "in_logs": in_logs}), db2=FRESH).errors == []


def test_a_server_whose_data_are_given_up_is_no_second_primary() -> None:
    looks = {"db1": FULL, "db2": FULL}
    names = ["db1", "db2"]
    assert "MySQL has 2 primaries" in _primary.decide(ENGINES["mysql"], names, looks, ADDRESSES).errors[0]
    decision = _primary.decide(ENGINES["mysql"], names, looks, ADDRESSES, ["db1"])
    assert (decision.primary, decision.errors) == ("db2", [])
    # With both given up nobody knows whose data count.
    assert _primary.decide(ENGINES["mysql"], names, looks, ADDRESSES, names).errors


def test_a1_redis_says_how_many_keys_would_be_lost() -> None:
    info = {"db0": "keys=500,expires=3,avg_ttl=0", "db3": "keys=24,expires=0,avg_ttl=0", "dbsize": "1"}
    said = error("redis", r1=FRESH, r2=replica("r1", raw={"info": info}))
    assert "but r1 is empty, while r2 holds 524 keys; nothing was changed: " in said
    assert "(on it: REPLICAOF NO ONE)" in said


def test_a1_after_the_promotion_the_empty_host_joins() -> None:
    decision = decide(db1=FRESH, db2=FULL)
    assert (decision.primary, decision.errors) == ("db2", [])


@pytest.mark.parametrize("fresh", [FRESH, EMPTY, DOWN_AND_EMPTY])
def test_a1_an_empty_replica_is_filled_again(fresh: dict[str, t.Any]) -> None:
    decision = decide(db1=FULL, db2=fresh)
    assert (decision.primary, decision.errors) == ("db1", [])


def test_a1_an_empty_primary_whose_replica_is_stopped_stays_empty() -> None:
    said = error(db1=FRESH, db2=DOWN_WITH_DATA)
    assert said == (
        "MySQL: no server says who is the primary, and db2 holds data and does not answer; nothing was changed: start MySQL"
        " on db2 and run again, or take a host that is gone for good out of the inventory."
    )
    # A running one that is empty says nothing about the stopped one either.
    assert "db2 holds data and does not answer" in error(db1=EMPTY, db2=DOWN_WITH_DATA)


def test_a1_a_package_that_is_gone_leaves_its_data() -> None:
    assert "db2 holds data and does not answer" in error(db1=FRESH, db2=look(value="not_installed", empty=False))


@pytest.mark.parametrize("first", [DOWN, DOWN_WITH_DATA, UNREACHABLE, {}])
@pytest.mark.parametrize("second", [DOWN, DOWN_WITH_DATA, UNREACHABLE])
def test_a1_two_servers_that_do_not_answer_are_started_first(first: dict[str, t.Any], second: dict[str, t.Any]) -> None:
    said = error(db1=first, db2=second)
    assert "MySQL: no server says who is the primary, and db1 " in said
    assert "nothing was changed: start MySQL on db1, db2 and run again" in said


def test_a1_an_empty_primary_waits_for_a_server_that_could_not_be_asked() -> None:
    said = error(db1=FRESH, db2=UNREACHABLE)
    assert "db2 could not be asked and may hold data (no route)" in said


def test_a1_the_only_server_with_data_is_started_again() -> None:
    for said in (DOWN, DOWN_WITH_DATA):
        decision = decide(db1=said, db2=FRESH, db3=EMPTY)
        assert (decision.primary, decision.errors) == ("db1", [])


def test_a1_a_stopped_primary_is_known_from_its_replica_and_must_have_its_data() -> None:
    decision = decide(db1=DOWN_WITH_DATA, db2=replica("db1"))
    assert (decision.primary, decision.decided_by, decision.errors) == ("db1", "live", [])
    said = error(db1=DOWN, db2=replica("db1"))
    assert "but db1 does not answer and may hold data (said so), while db2 holds data; nothing was changed:" in said
    assert "start MySQL on db1 with its data and run again" in said


def test_a1_a_primary_outside_of_a_limited_run_is_left_alone() -> None:
    for said in (UNREACHABLE, {}):
        decision = decide(db1=said, db2=replica("db1"))
        assert (decision.primary, decision.decided_by, decision.errors) == ("db1", "live", [])


def test_a1_an_empty_primary_of_empty_replicas_is_the_first_day() -> None:
    decision = decide(db1=EMPTY, db2=look("replica", ADDRESSES["db1"], empty=True))
    assert (decision.primary, decision.errors) == ("db1", [])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"db1": replica("db2"), "db2": replica("db1")}, "MySQL on db1 and db2 replicate from each other in a ring;"),
        (
            {"db1": replica("db2"), "db2": replica("db3"), "db3": replica("db1")},
            "MySQL on db1 and db2 and db3 replicate from each other in a ring;",
        ),
        ({"db1": replica("db1"), "db2": replica("db1")}, "MySQL on db1 replicates from itself;"),
        ({"db1": replica("127.0.0.1"), "db2": FRESH}, "MySQL on db1 replicates from itself;"),
        (
            {"db1": look("primary", empty=False), "db2": replica("db3"), "db3": replica("db2")},
            "db2 and db3 replicate from",
        ),
    ],
)
def test_a4_a_ring_is_named(said: t.Any, words: str) -> None:
    assert words in error(**said)
