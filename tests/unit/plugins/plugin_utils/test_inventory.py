# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.filter import inventory_errors as filters
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _inventory, _variables
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, hostvars
from jinja2 import StrictUndefined

OPTIONS = _variables.all_options()


def errors(of: dict[str, list[str]] | None = None, **changed: t.Any) -> list[str]:
    of = of or groups()
    found: list[str] = filters.inventory_errors(of, hostvars(of, **changed))
    return found


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"redis_master": [], "redis_replica": []},
        {"mysql_replica": []},
        {"haproxy": []},
        {"haproxy": [], "apache_php": [], "redis_master": [], "redis_replica": []},
        {"apache_php": ["web1"], "mysql_replica": [], "redis_replica": []},
        {group: ["all1"] for group in ("haproxy", "apache_php", "mysql_master", "redis_master")}
        | {"mysql_replica": [], "redis_replica": []},
    ],
    ids=["usual", "no Redis", "no replica", "no load balancer", "MySQL alone", "small", "one host"],
)
def test_every_tier_is_optional(changed: dict[str, list[str]]) -> None:
    assert errors(groups(**changed)) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"apache_php": []},
            "Group haproxy has hosts, but group apache_php has none; expected a web server to balance",
        ),
        (
            {"mysql_master": ["db1", "db2"], "mysql_replica": ["db3"]},
            "Group mysql_master names 2 hosts (db1, db2); expected one first-day primary",
        ),
        ({"redis_replica": ["r1"]}, "Host r1 is in redis_master and in redis_replica; expected one of them."),
        ({"redis_master": []}, "Group redis_replica has r2, but group redis_master has no host;"),
        (
            {"mysql_master": [], "mysql_replica": [], "mysql-master": ["db1"]},
            "Group mysql-master is none of ours and group mysql_master has no host; did you mean mysql_master?",
        ),
        (
            {"redis_replica": [], "redis_replicas": ["r2"]},
            "Group redis_replicas is none of ours and group redis_replica has no host; did you mean redis_replica?",
        ),
    ],
)
def test_f_wrong_groups_give_one_sentence(changed: dict[str, list[str]], words: str) -> None:
    found = _inventory.group_errors(groups(**changed))
    assert len(found) == 1
    assert words in found[0]


def test_an_empty_inventory_and_hosts_outside_of_the_cluster_are_told() -> None:
    assert "No host is in any of the groups haproxy, apache_php" in _inventory.group_errors({"all": ["x"]})[0]
    assert _inventory.group_errors({**groups(), "webcluster": ["lb", "web1", "web2", "db1", "db2", "db3", "r1"]}) == [
        "r2: not in group webcluster, which the playbooks run on; expected all tiers below it: make their groups children"
        " of webcluster."
    ]


def test_f_two_hosts_with_one_address_are_told_before_a_host_is_asked() -> None:
    [found] = errors(web2={"ansible_host": "fd00::4"}, db3={"webcluster_address": "FD00:0::4"})
    assert found.startswith("Hosts web2 and db3 have the same address, fd00::4; expected one name for one machine:")
    # What needs facts is left to them.
    assert errors(web2={"webcluster_address": StrictUndefined(hint="no facts yet")}) == []


def test_f_an_empty_cluster_group_is_told_with_the_nearest_name() -> None:
    misspelt = {**groups(), "webcluster": [], "webclusters": ["lb"]}
    assert _inventory.group_errors(misspelt) == [
        "Group webclusters is none of ours and group webcluster has no host; did you mean webcluster?"
    ]


def test_a_group_of_others_is_left_alone() -> None:
    assert _inventory.group_errors({**groups(), "mysql_masters": ["elsewhere"], "apache": ["web1"]}) == []


def test_a_missing_secret_is_named_with_its_hosts() -> None:
    name = "mysql_server_replication_password"
    variables = hostvars(groups())
    del variables["db2"][name]
    assert (
        f"Variable {name} is not set for db2; expected a password" in _inventory.secret_errors(groups(), variables)[0]
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "Variable redis_server_admin_password is empty; expected a password"),
        (None, "has a wrong value: it is empty, expected a value"),
        (12345, "has a wrong value: expected a text in quotes"),
        (["a"], "has a wrong value: expected a text in quotes"),
    ],
)
def test_f_a_secret_that_is_none_is_named_and_not_shown(value: object, words: str) -> None:
    found = errors(r1={"redis_server_admin_password": value})
    assert len(found) == 1
    assert words in found[0]
    assert "12345" not in found[0]


def test_a_tier_has_one_password() -> None:
    assert errors(r2={"redis_server_monitor_password": "another"}) == [
        "Variable redis_server_monitor_password is not the same on r1, r2; expected one password for the whole tier."
    ]
    # Only its own host uses it.
    assert errors(r2={"redis_server_admin_password": "another"}) == []


def test_a_tier_that_is_not_there_needs_no_secrets() -> None:
    of = groups(redis_master=[], redis_replica=[])
    variables = hostvars(of)
    for host in variables.values():
        for name in [name for name in host if name.startswith("redis_server_")]:
            del host[name]
    assert filters.inventory_errors(of, variables) == []


def test_a_secret_without_a_value_is_named_with_the_reason() -> None:
    broken = {"mysql_server_monitor_password": StrictUndefined(hint="attach a credential")}
    assert _inventory.secret_errors(groups(), hostvars(groups(), mysql_master=broken, mysql_replica=broken)) == [
        "No value for mysql_server_monitor_password: attach a credential: set it."
    ]


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("haproxy_http_backends", [], "the web servers are the hosts of group apache_php"),
        ("haproxy_data_services", [], "the data servers are the hosts of their groups"),
        ("haproxy_data_ca_certificate", "x", "set webcluster_ca_certificate"),
        ("redis_server_ca_private_key", "x", "set webcluster_ca_private_key"),
        ("haproxy_upgrade", True, "playbooks/rolling_update.yml upgrades"),
        ("apache_php_upgrade", True, "playbooks/rolling_update.yml upgrades"),
        ("haproxy_redis_monitor_user", "watch", "set redis_server_monitor_user"),
        ("haproxy_redis_monitor_password", "x", "set redis_server_monitor_password"),
        ("mysql_replica_source_host", "10.0.0.20", "the primary is the live one"),
        ("mysql_replica_source_port", 3306, "the primary is the live one"),
        ("mysql_replica_source_name", "db1", "the primary is the live one"),
        ("mysql_server_source_allow_reseed", ["db2"], "set mysql_replica_allow_reseed"),
        ("redis_replica_source_host", "10.0.0.36", "the primary is the live one"),
        ("redis_server_source_host", "10.0.0.36", "the primary is the live one"),
        ("redis_server_source_timeout", 9, "set redis_replica_timeout"),
        ("mysql_server_source_host", "10.0.0.20", "the primary is the live one"),
        ("mysql_server_keep_former", True, "until everybody has moved"),
        ("redis_server_keep_former", False, "until everybody has moved"),
    ],
)
def test_what_only_the_whole_cluster_can_tell_is_refused(name: str, value: object, instead: str) -> None:
    found = errors(web1={name: value}, r1={name: value})
    assert len(found) == 1
    assert found[0].startswith(f"Variable {name} (web1, r1) is set, but follows from the whole cluster;")
    assert instead in found[0]


def test_what_the_demo_was_set_up_by_is_refused() -> None:
    assert errors(web1={"apache_php_demo_enabled": False}) == [
        "Variable apache_php_demo_enabled (web1) is set, but the demo is an entry of webcluster_sites now; expected none: remove it,"
        " and where you want no demo set webcluster_sites to your own list, or to []."
    ]


def test_each_refused_option_is_one_of_a_role() -> None:
    assert set(_inventory.derived_options(OPTIONS)) <= set(OPTIONS)
    assert "haproxy_stats_bind_address" not in _inventory.derived_options(OPTIONS)
