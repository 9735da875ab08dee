# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import roles
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError

TUTORIAL = {
    "haproxy": "lb",
    "apache_php": "web",
    "mysql_master": {"subnet": "mysql", "name": "*mysql1"},
    "mysql_replica": {"subnet": "mysql", "otherwise": True},
}


def record(name: str, *subnets: str, tags: dict[str, str] | None = None, vnet: str = "Net") -> dict[str, Any]:
    places = [
        {
            "name": subnet,
            "vnet": vnet,
            "vnet_resource_group": "Group",
            "id": f"/subscriptions/S/resourceGroups/Group/providers/Microsoft.Network/virtualNetworks/{vnet}/subnets/{subnet}",
            "primary": index == 0,
        }
        for index, subnet in enumerate(subnets)
    ]
    return {"name": name, "tags": tags or {}, "subnets": places, "vnet_name": vnet, "vnet_resource_group": "Group"}


def assign(given: Any, *records: dict[str, Any], every_subnet: bool = False) -> roles.Assignment:
    return roles.assign(records, roles.rules(given), every_subnet)


def test_the_tutorial_is_told_apart_by_subnet_and_name() -> None:
    machines = [
        record("lb1", "lb"),
        record("web1", "web"),
        record("web2", "Web"),
        record("centosmysql1", "mysql"),
        record("centosmysql2", "mysql"),
        record("centosmysql10", "mysql"),
        record("bastion", "management"),
    ]
    found = assign(TUTORIAL, *machines)
    assert found.members == {"haproxy": [0], "apache_php": [1, 2], "mysql_master": [3], "mysql_replica": [4, 5]}
    assert found.without == [6]
    assert found.doubles == []


def test_tags_tell_primary_from_replica() -> None:
    given = {
        "mysql_master": {"subnet": "mysql", "tags": {"role": "primary"}},
        "mysql_replica": {"subnet": "mysql", "tags": {"role": ["replica", "standby"]}},
    }
    first, second = record("a", "mysql", tags={"Role": "primary"}), record("b", "mysql", tags={"role": "standby"})
    assert assign(given, first, second).members == {"mysql_master": [0], "mysql_replica": [1]}


def test_a_machine_of_two_roles_has_none_and_is_named() -> None:
    found = assign({"haproxy": "web", "apache_php": {"name": "web*"}}, record("web1", "web"))
    assert found.doubles == [(0, ["haproxy", "apache_php"])]
    assert found.members == {"haproxy": [], "apache_php": []}


def test_two_that_take_the_rest_are_two_roles() -> None:
    given = {"a": {"subnet": "web", "otherwise": True}, "b": {"subnet": "*", "otherwise": True}}
    assert assign(given, record("web1", "web")).doubles == [(0, ["a", "b"])]


def test_one_of_several_rules_is_enough() -> None:
    given = {"apache_php": [{"subnet": "web"}, {"subnet": "dmz", "name": ["php?", "www*"]}]}
    found = assign(given, record("a", "web"), record("php1", "dmz"), record("WWW9", "dmz"), record("x", "dmz"))
    assert found.members == {"apache_php": [0, 1, 2]}
    assert found.without == [3]


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("web", True),
        ("WEB", True),
        ("w*", True),
        ("net/web", True),
        ("*/web", True),
        ("group/net/web", True),
        ("/subscriptions/s/resourcegroups/group/providers/microsoft.network/virtualnetworks/net/subnets/web", True),
        ("we", False),
        ("other/web", False),
        ("net/other/web", False),
        ("/subscriptions/s/resourcegroups/group/providers/microsoft.network/virtualnetworks/other/subnets/web", False),
    ],
)
def test_a_subnet_is_written_in_four_ways(pattern: str, holds: bool) -> None:
    assert bool(assign({"role": pattern}, record("m", "Web")).members["role"]) is holds


def test_the_other_interfaces_count_by_option() -> None:
    machine = record("m", "management", "web")
    assert assign({"apache_php": "web"}, machine).without == [0]
    assert assign({"apache_php": "web"}, machine, every_subnet=True).members == {"apache_php": [0]}


def test_a_machine_without_network_can_be_chosen_by_name() -> None:
    assert assign({"role": {"name": "m*"}}, record("m1")).members == {"role": [0]}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["haproxy"], "role_groups is ['haproxy']; expected a dictionary from group names to rules."),
        (
            {"my-role": "web"},
            "role_groups has the group 'my-role'; expected letters, digits and _ only: rename it.",
        ),
        ({"role": []}, "role_groups.role has no rule; expected at least one: add it, or remove the group."),
        (
            {"role": 7},
            "role_groups.role is 7; expected a subnet, or a dictionary with subnet, name, tags, otherwise.",
        ),
        (
            {"role": {"subnets": "web"}},
            "role_groups.role has 'subnets'; expected only subnet, name, tags, otherwise: correct or remove it.",
        ),
        (
            {"role": ["web", {"otherwise": True}]},
            "role_groups.role[1] would match every machine; expected a subnet, a name or tags: add one.",
        ),
        ({"role": {"subnet": [""]}}, "role_groups.role.subnet is ['']; expected a name or a list of names"),
        (
            {"role": {"subnet": "web", "name": 3}},
            "role_groups.role.name is 3; expected a name or a list of names, * and ? allowed.",
        ),
        ({"role": {"subnet": "web", "otherwise": "no"}}, "role_groups.role.otherwise is 'no'; expected true or false."),
        ({"role": {"subnet": "web", "tags": "x"}}, "role_groups.role.tags is not a dictionary;"),
    ],
)
def test_wrong_rules_are_named(given: Any, sentence: str) -> None:
    with pytest.raises(SettingsError) as failure:
        roles.rules(given)
    assert str(failure.value).startswith(sentence)


def test_parents_are_made_for_what_is_there() -> None:
    assert roles.parents(roles.PARENTS, ["haproxy", "mysql_master"]) == {
        "mysql": ["mysql_master"],
        "webcluster": ["haproxy", "mysql"],
    }
    assert roles.parents(roles.PARENTS, []) == {}
    assert roles.parents({"top": ["middle"], "middle": ["a"]}, ["a"]) == {"top": ["middle"], "middle": ["a"]}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "role_parents is []; expected a dictionary from group names to lists of groups."),
        ({"a": "b"}, "role_parents.a is 'b'; expected a list of group names."),
        ({"a-b": ["c"]}, "role_parents.a-b is ['c']; expected a list of group names."),
        ({"a": ["a"]}, "role_parents puts the group a below itself; expected no circle: remove one step."),
        (
            {"a": ["b"], "b": ["c"], "c": ["a"]},
            "role_parents puts the group a below itself; expected no circle: remove one step.",
        ),
    ],
)
def test_wrong_parents_are_named(given: Any, sentence: str) -> None:
    with pytest.raises(SettingsError) as failure:
        roles.parents(given, ["c"])
    assert str(failure.value) == sentence


def test_a_bare_subnet_name_in_two_networks_is_noticed() -> None:
    machines = [record("a", "web", vnet="production"), record("b", "web", vnet="staging")]
    for given, noticed in (({"apache_php": "web"}, True), ({"apache_php": ["production/web", "staging/web"]}, False)):
        parsed = roles.rules(given)
        found = roles.mixed(machines, parsed, roles.assign(machines, parsed, False), False)
        assert bool(found) is noticed
