# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _topology
from jinja2 import StrictUndefined

GROUPS: dict[str, list[str]] = {
    "haproxy": ["lb"],
    "apache_php": ["web1", "web2"],
    "mysql_master": ["db1"],
    "mysql_replica": ["db2", "db3"],
    "redis_master": ["r1"],
    "redis_replica": ["r2"],
}
ADDRESSES = {"lb": "10.0.0.52", "web1": "10.0.0.4", "web2": "10.0.0.5", "db1": "10.0.0.20", "db2": "10.0.0.21"}
ADDRESSES |= {"db3": "10.0.0.22", "r1": "10.0.0.36", "r2": "10.0.0.37"}


def status(
    role: str = "", source: str = "", empty: bool | None = None, value: str = "", state: str = ""
) -> dict[str, t.Any]:
    return {
        "role": role,
        "state": state or ("healthy" if role else "unreachable"),
        "msg": "said so",
        "primary": {"host": source},
        "data": {"empty": empty},
        "checks": {"reachable": {"value": value}},
    }


FRESH = status(value="not_installed")
DOWN = status(value="no_socket")


def decide(**looks: dict[str, t.Any]) -> tuple[str, str, list[str], list[str]]:
    return _topology.decide("mysql", ["db1", "db2", "db3"], "db1", looks, ADDRESSES)


def test_on_the_first_day_the_inventory_decides() -> None:
    assert decide(db1=FRESH, db2=FRESH, db3=FRESH) == ("db1", "inventory", [], [])


def test_a_half_built_cluster_of_empty_servers_goes_on_with_the_inventory() -> None:
    empty = status("standalone", empty=True)
    assert decide(db1=empty, db2=empty, db3=FRESH) == ("db1", "inventory", [], [])


def test_the_live_primary_stays_whatever_the_inventory_says() -> None:
    primary, by, errors, notes = decide(
        db1=status("replica", "10.0.0.21"), db2=status("primary"), db3=status("replica", "db2")
    )
    assert (primary, by, errors) == ("db2", "live", [])
    assert notes == ["MySQL: db2 is the live primary and stays it; the inventory says db1."]


def test_a_primary_that_is_down_is_known_from_its_replica() -> None:
    assert decide(db1=FRESH, db2=DOWN, db3=status("replica", "10.0.0.21"))[:3] == ("db2", "live", [])


def test_a_primary_with_data_and_without_replicas_is_a_primary() -> None:
    assert decide(db1=FRESH, db2=status("standalone", empty=False), db3=FRESH)[:2] == ("db2", "live")


def test_two_primaries_are_named_and_stop_everything() -> None:
    errors = decide(db1=status("primary"), db2=status("standalone", empty=False), db3=FRESH)[2]
    assert len(errors) == 1
    assert "MySQL has 2 primaries, db1 and db2; expected one: nothing was changed." in errors[0]


def test_a_replica_of_a_replica_does_not_make_a_second_primary() -> None:
    looks = {
        "db1": status("primary"),
        "db2": status("intermediate", "10.0.0.20"),
        "db3": status("replica", "10.0.0.21"),
    }
    assert decide(**looks)[:3] == ("db1", "live", [])


def test_a_replica_of_a_stranger_is_an_error_that_names_it() -> None:
    errors = decide(db1=status("primary"), db2=status("replica", "192.0.2.9"), db3=FRESH)[2]
    assert "MySQL on db2 replicates from 192.0.2.9, which is not in this inventory" in errors[0]


def test_a_refused_login_is_an_error_and_not_an_empty_server() -> None:
    assert decide(db1=status(state="auth_failed"), db2=FRESH, db3=FRESH)[2] == [
        "MySQL on db1 refuses our login: said so"
    ]


def test_silent_servers_are_told_when_nobody_knows_the_primary() -> None:
    assert "MySQL on db2 is installed but does not answer" in decide(db1=FRESH, db2=DOWN, db3=FRESH)[3][0]


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({**GROUPS, "apache_php": []}, "Group apache_php has no host"),
        (
            {**GROUPS, "mysql_master": ["db1", "db2"]},
            "Group mysql_master names 2 hosts (db1, db2); expected one first-day primary",
        ),
        ({**GROUPS, "redis_replica": ["r1"]}, "Host r1 is in redis_master and in redis_replica"),
    ],
)
def test_wrong_groups_give_one_sentence(groups: dict[str, list[str]], words: str) -> None:
    assert any(words in error for error in _topology.inventory_errors(groups))


def test_the_right_groups_give_none() -> None:
    assert _topology.inventory_errors(GROUPS) == []


def test_a_missing_secret_is_named_with_its_hosts() -> None:
    hostvars = {name: {secret: "x" for names in _topology.SECRETS.values() for secret in names} for name in ADDRESSES}
    assert _topology.secret_errors(GROUPS, hostvars) == []
    del hostvars["db2"]["mysql_server_replication_password"]
    assert (
        "Variable mysql_server_replication_password is not set for db2;" in _topology.secret_errors(GROUPS, hostvars)[0]
    )


def test_hosts_that_cannot_be_worked_on_are_all_named() -> None:
    debian = {"distribution": "Debian", "distribution_major_version": "13", "distribution_release": "trixie"}
    hostvars: dict[str, dict[str, t.Any]] = {
        "good": {"ansible_facts": debian},
        "sid": {"ansible_facts": {**debian, "distribution_release": "sid"}},
        "gone": {"ansible_host": "10.0.0.9", "__webcluster_met": {"unreachable": True, "msg": "ssh:\n no route"}},
        "old": {"ansible_facts": {**debian, "distribution_major_version": "11"}},
        "odd": {},
    }
    assert _topology.host_errors(list(hostvars), hostvars) == [
        "Host gone cannot be reached over SSH at 10.0.0.9; expected a running host that accepts our key: start it, or"
        " leave it out with --limit. ssh: no route",
        "Host old runs Debian 11; expected one of Debian 12, Debian 13, Debian sid: reinstall it with one of these.",
        "Host odd runs an unknown system; expected one of Debian 12, Debian 13, Debian sid: reinstall it with one of these.",
    ]


def test_a_secret_without_a_value_is_named_with_the_reason() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {
        name: {secret: "x" for names in _topology.SECRETS.values() for secret in names} for name in ADDRESSES
    }
    for name in ("db1", "db2"):
        hostvars[name]["mysql_server_application_password"] = StrictUndefined(hint="attach a credential")
    assert _topology.secret_errors(GROUPS, hostvars) == [
        "No value for mysql_server_application_password: attach a credential."
    ]


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"webcluster_address": "10.0.0.9", "ansible_host": "192.0.2.1"}, "10.0.0.9"),
        ({"ansible_host": "10.0.0.8"}, "10.0.0.8"),
        ({"ansible_host": "db1.example.org", "ansible_facts": {"default_ipv4": {"address": "10.0.0.7"}}}, "10.0.0.7"),
        ({"ansible_host": "db1.example.org"}, None),
    ],
)
def test_address_of_a_host(variables: dict[str, t.Any], address: str | None) -> None:
    assert _topology.host_address("db1", variables) == address


def test_topology_joins_looks_from_the_run_and_from_outside() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {name: {"ansible_host": address} for name, address in ADDRESSES.items()}
    hostvars["r1"]["__webcluster_redis_look"] = status("replica", "10.0.0.37")
    hostvars["db1"]["__webcluster_mysql_look"] = {"skipped": True}
    hostvars["web1"]["apache_php_listen_port"] = 8080
    result = _topology.topology(GROUPS, hostvars, [{"item": "r2", **status("primary")}])
    assert result["redis"]["primary"] == {"name": "r2", "address": "10.0.0.37", "port": 6379}
    assert result["redis"]["replicas"] == [{"name": "r1", "address": "10.0.0.36", "port": 6379}]
    assert result["redis"]["decided_by"] == "live"
    assert result["mysql"]["decided_by"] == "inventory"
    assert [member["name"] for member in result["mysql"]["replicas"]] == ["db2", "db3"]
    assert result["web"][0] == {"name": "web1", "address": "10.0.0.4", "port": 8080}
    assert result["errors"] == []


@pytest.mark.parametrize("look", [None, {"unreachable": True, "msg": "no answer."}, {"failed": True, "msg": "a crash"}])
def test_a_server_that_could_not_be_asked_stops_a_run_and_not_a_look(look: dict[str, t.Any] | None) -> None:
    hostvars: dict[str, dict[str, t.Any]] = {name: {"ansible_host": address} for name, address in ADDRESSES.items()}
    for name in ("db1", "db2", "db3"):
        hostvars[name]["__webcluster_mysql_look"] = FRESH
    hostvars["db2"]["__webcluster_mysql_look"] = look
    assert _topology.topology(GROUPS, hostvars)["errors"] == []
    errors = _topology.topology(GROUPS, hostvars, must_answer=["db1", "db2", "db3"])["errors"]
    assert len(errors) == 1
    assert errors[0].startswith("MySQL on db2 could not be asked who it is: ")


def test_a_host_without_address_is_an_error() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {name: {"ansible_host": address} for name, address in ADDRESSES.items()}
    hostvars["web2"] = {}
    assert "Host web2 has no known address" in _topology.topology(GROUPS, hostvars)["errors"][0]
