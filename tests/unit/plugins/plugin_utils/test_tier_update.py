# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a rolling update of a data tier, and when its servers may be taken out."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _tier_update
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import (
    ADDRESSES,
    Groups,
    groups,
    hostvars,
    look,
    looks,
    topology,
)

WELL: dict[str, t.Any] = {"healthy": True, "state": "healthy", "role": "replica", "msg": "well"}
LAGGING = {**WELL, "healthy": False, "state": "lagging", "msg": "It is 90 s behind"}
STOPPED = {"healthy": False, "state": "unreachable", "role": "unknown", "msg": "Connection refused", "checks": {}}
BARRED = {"failed": True, "msg": "sudo: a password is required"}
PACKAGE = "mariadb-server 1:11.8.3-0+deb13u1 to 1:11.8.6-0+deb13u1"
INST = "Inst mariadb-server [1:11.8.3-0+deb13u1] (1:11.8.6-0+deb13u1 Debian:13/stable [amd64])\nConf mariadb-server\n"
NEWER = {"__mysql_server_upgraded": {"changed": True, "stdout": INST}}
FILES = {"__mysql_server_service": {"action": "tell", "written": ["/etc/mysql/webcluster.cnf"]}}
SINGLE = groups(mysql_replica=[])


def plan(
    of: Groups | None = None,
    verdicts: dict[str, dict[str, t.Any]] | None = None,
    run: t.Sequence[str] | None = None,
    tier: str = "mysql",
    to: str = "",
    elsewhere: t.Sequence[dict[str, t.Any]] = (),
    settings: dict[str, t.Any] | None = None,
    found: dict[str, dict[str, t.Any]] | None = None,
    **of_host: dict[str, t.Any],
) -> _tier_update.TierUpdatePlan:
    """The plan for servers that are well, or as these verdicts say; found, and by their names: what the role of a host has registered."""
    of = of or groups()
    hosts = hostvars(of, webcluster=settings or {})
    taking_part = of["webcluster"] if run is None else run
    for name in of[f"{tier}_master"] + of[f"{tier}_replica"]:
        if name in taking_part:
            hosts[name]["__webcluster_verdicts"] = looks(tier, name, (verdicts or {}).get(name, WELL))
        hosts[name].update({**(found or {}), **of_host}.get(name, {}))
    return _tier_update.tier_update_plan(topology(of), hosts, tier, taking_part, elsewhere, to)


def test_replicas_come_first_then_the_primary_moves_and_is_the_last() -> None:
    found = plan(db1=NEWER, db2=NEWER)
    assert found["errors"] == []
    assert (found["primary"], found["replicas"], found["to"], found["last"]) == (
        "db1",
        ["db2", "db3"],
        "db2",
        ["db1", "db2"],
    )
    assert (found["answering"], found["packages"], found["fresh"]) == (["db1", "db2", "db3"], True, 3600)
    assert (found["restarts"], found["drain_timeout"]) == (["db1", "db2"], 30)
    assert found["text"][:4] == [
        "Order: db2, then db3, then the primary moves from db1 to db2, then db1.",
        f"db2: {PACKAGE}.",
        "db3: nothing that needs a restart.",
        f"db1: {PACKAGE}.",
    ]
    assert any(
        "about 1 s for writers and at most 3 s" in line and "db1 stays a replica" in line for line in found["text"]
    )


@pytest.mark.parametrize(
    ("tier", "found", "why"),
    [
        ("mysql", NEWER, PACKAGE),
        ("mysql", {"__mysql_server_upgraded": {"changed": True}}, "newer packages"),
        ("mysql", FILES, "files that it reads at its start (/etc/mysql/webcluster.cnf)"),
        (
            "mysql",
            {"__mysql_server_service": {"action": "restart", "written": []}},
            "files that it reads at its start (written before)",
        ),
        (
            "redis",
            {"__redis_server_live": {"restart": ["databases"]}},
            "settings that it takes at its start (databases)",
        ),
    ],
)
def test_the_primary_moves_where_something_needs_its_restart(tier: str, found: dict[str, t.Any], why: str) -> None:
    primary, replica = {"mysql": ("db1", "db2"), "redis": ("r1", "r2")}[tier]
    made = plan(tier=tier, found={primary: found})
    assert (made["to"], made["last"]) == (replica, [primary, replica])
    assert f"{primary}: {why}." in made["text"]


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"__mysql_server_service": {"action": "nothing", "written": []}},
        {"__mysql_server_upgraded": {"changed": False, "skipped": True}},
    ],
)
def test_the_primary_stays_where_nothing_does(found: dict[str, t.Any]) -> None:
    made = plan(db1=found, db2=NEWER)
    assert (made["to"], made["last"], made["errors"]) == ("", ["db1"], [])
    assert made["text"][0] == "Order: db2, then db3, then db1."
    assert (
        "Expected downtime: none, but connections that are kept to a replica that restarts are cut; db1 stays the primary."
        in made["text"]
    )


def test_a_replica_that_does_not_run_comes_first_and_is_not_asked_what_it_lacks() -> None:
    found = plan(verdicts={"db3": STOPPED}, db1=NEWER)
    assert found["errors"] == []
    assert (found["replicas"], found["to"], found["answering"]) == (["db3", "db2"], "db2", ["db1", "db2"])
    assert found["restarts"] == ["db1", "db3"]
    assert found["text"][1] == "First because it does not run: db3."
    assert not any(line.startswith("db3:") for line in found["text"])


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ({"db2": LAGGING}, ["MySQL on db2 is lagging: It is 90 s behind"]),
        ({"db1": STOPPED}, ["MySQL on db1 is unreachable: Connection refused"]),
        ({"db2": BARRED}, ["MySQL on db2 is unknown: sudo: a password is required"]),
        (
            {"db2": {**STOPPED, "state": "auth_failed"}},
            ["MySQL on db2 is auth_failed: Connection refused"],
        ),
        ({"db1": LAGGING, "db3": LAGGING}, ["MySQL on db1 is lagging", "MySQL on db3 is lagging"]),
    ],
)
def test_a_tier_that_is_not_well_is_left_alone(verdicts: dict[str, dict[str, t.Any]], said: list[str]) -> None:
    found = plan(verdicts=verdicts, db1=NEWER)
    assert [error.startswith(begin) for error, begin in zip(found["errors"], said, strict=True)] == [True] * len(said)
    assert all("Nothing was changed: mend it first" in error for error in found["errors"])
    assert found["text"] == []


def test_a_replica_outside_of_the_run_has_to_be_well_too() -> None:
    others = [("db1", WELL), ("db3", STOPPED)]
    elsewhere = [{"item": {"engine": "mysql", "host": name}, **verdict} for name, verdict in others]
    found = plan(run=["db2"], elsewhere=elsewhere)
    assert found["errors"] == [
        "MySQL on db3 is unreachable: Connection refused; expected every server of the tier to be healthy before one of them is"
        " taken out. Nothing was changed: mend it first, status.yml tells more."
    ]


def test_a_limited_run_updates_its_replicas_and_leaves_the_primary() -> None:
    elsewhere = [{"item": {"engine": "mysql", "host": name}, **WELL} for name in ("db1", "db2")]
    found = plan(run=["db3"], elsewhere=elsewhere, db1=NEWER, db3=NEWER)
    assert (found["errors"], found["replicas"], found["to"], found["last"]) == ([], ["db3"], "", [])
    assert found["answering"] == ["db3"]
    assert found["text"][0] == "Order: db3."
    assert "Expected downtime: none, but connections that are kept to a replica that restarts are cut." in found["text"]


def test_a_limited_run_does_not_move_the_primary() -> None:
    found = plan(run=["db1", "db2"], elsewhere=[{"item": {"engine": "mysql", "host": "db3"}, **WELL}], db1=NEWER)
    assert found["errors"] == [
        f"db1 has to be restarted for {PACKAGE}, and the primary moves to db2 before; expected every server of the tier in the run,"
        " db3 is not. Nothing was changed: leave out --limit, or limit the run to replicas."
    ]


def test_a_run_without_a_server_of_the_tier_is_a_mistake() -> None:
    assert plan(run=["web1"])["errors"] == [
        "No server of the tier is in this run; expected one of db1, db2, db3: correct --limit."
    ]


def test_a_single_server_costs_downtime_that_has_to_be_accepted() -> None:
    assert plan(SINGLE, db1=NEWER)["errors"] == [
        f"db1 is the only server of the tier and has to be restarted for {PACKAGE}; nobody reads or writes meanwhile, for about 10 s."
        " Nothing was changed: add a replica, or accept that with -e webcluster_update_downtime=true."
    ]
    found = plan(SINGLE, settings={"webcluster_update_downtime": True}, db1=NEWER)
    assert (found["errors"], found["to"], found["last"]) == ([], "", ["db1"])
    assert "Expected downtime: about 10 s for writers and readers, while db1 restarts." in found["text"]
    assert any(line.startswith("It ends at the first server that fails; nobody serves then.") for line in found["text"])


def test_a_single_server_with_nothing_to_do_is_fine() -> None:
    found = plan(SINGLE)
    assert (found["errors"], found["last"]) == ([], ["db1"])
    assert "Expected downtime: none." in found["text"]


def test_the_new_primary_may_be_chosen() -> None:
    assert plan(to="db3", db1=NEWER)["to"] == "db3"
    assert plan(to="db1", db1=NEWER)["errors"] == [
        "db1 cannot become the primary; expected one of its replicas, db2, db3. Nothing was changed."
    ]


@pytest.mark.parametrize(
    ("line", "leaves"),
    [
        ("Inst mariadb-server [1:11.8.3-0] (1:12.1.2-1 Other:1 [amd64])", True),
        ("Inst mariadb-server [1:11.8.3-0] (1:11.9.0-1 Other:1 [amd64])", True),
        ("Inst mariadb-server [1:11.8.3-0] (1:11.8.9-1 Other:1 [amd64])", False),
        # Not the server: its number says nothing of data and replication.
        ("Inst openssl [3.5.1-1] (3.6.0-1 Other:1 [amd64])", False),
    ],
)
def test_what_is_no_minor_version_is_refused(line: str, leaves: bool) -> None:
    found = plan(db2={"__mysql_server_upgraded": {"changed": True, "stdout": line}})
    assert bool(found["errors"]) == leaves
    assert not leaves or found["errors"][0].startswith("db2 would get mariadb-server 1:11.8.3-0 to 1:1")


def test_the_live_primary_counts() -> None:
    of = groups(mysql_replica=["db2"])
    follows = {"__webcluster_looks": looks("mysql", "db1", look("replica", ADDRESSES["db2"], False))}
    leads = {"__webcluster_looks": looks("mysql", "db2", look("primary", "", False))}
    told = {name: {"__webcluster_verdicts": looks("mysql", name, WELL)} for name in ("db1", "db2")}
    hosts = hostvars(of, **told)
    found = _tier_update.tier_update_plan(topology(of, db1=follows, db2=leads), hosts, "mysql", of["webcluster"])
    assert (found["errors"], found["primary"], found["replicas"], found["last"]) == ([], "db2", ["db1"], ["db2"])


def test_a_setting_without_a_value_is_told() -> None:
    found = plan(settings={"webcluster_update_packages": "perhaps"})
    assert len(found["errors"]) == 1
    assert "webcluster_update_packages" in found["errors"][0]
