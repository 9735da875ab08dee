# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import groups


def record(*places: tuple[str, str, str]) -> dict[str, Any]:
    """Each place is resource group, network and subnet; the first is the primary one."""
    return {
        "subnets": [
            {
                "id": f"/subscriptions/S/resourceGroups/{group}/providers/M.N/virtualNetworks/{vnet}/subnets/{subnet}",
                "name": subnet,
                "vnet": vnet,
                "vnet_resource_group": group,
                "primary": index == 0,
            }
            for index, (group, vnet, subnet) in enumerate(places)
        ]
    }


def build(
    *records: dict[str, Any], every: bool = False, short: bool = False, vnet_names: str = "short"
) -> groups.SubnetGroups:
    return groups.build(records, every, short, vnet_names, lambda name: re.sub(r"[^A-Za-z0-9_]", "_", name))


def members(found: dict[str, groups.Group]) -> dict[str, list[int]]:
    return {name: group.members for name, group in found.items()}


def test_subnets_lie_below_their_network_in_lower_case() -> None:
    found = build(record(("rg", "My-VNet", "Web")), record(("rg", "my-vnet", "web")), record(("rg", "my-vnet", "db")))
    assert members(found.subnets) == {"subnet_my_vnet_web": [0, 1], "subnet_my_vnet_db": [2]}
    assert {name: list(children) for name, children in found.networks.items()} == {
        "vnet_my_vnet": ["subnet_my_vnet_web", "subnet_my_vnet_db"]
    }
    assert groups.merged(found) == []


def test_other_interfaces_count_by_option() -> None:
    machine = record(("rg", "v", "web"), ("rg", "v", "management"))
    assert members(build(machine).subnets) == {"subnet_v_web": [0]}
    assert members(build(machine, every=True).subnets) == {"subnet_v_web": [0], "subnet_v_management": [0]}


def test_short_groups_are_made_by_option_and_merging_ones_are_told() -> None:
    machines = (record(("rg", "a", "web")), record(("rg", "b", "web")), record(("rg", "b", "db")))
    assert build(*machines).short == {}
    found = build(*machines, short=True)
    assert members(found.short) == {"subnet_web": [0, 1], "subnet_db": [2]}
    assert groups.merged(found) == []
    ((name, ids, hint),) = groups.merged_short(found)
    assert name == "subnet_web"
    assert [one.rsplit("/", 3)[1] for one in ids] == ["a", "b"]
    assert hint == "Use the groups with the name of the network, or set short_subnet_groups: false."


def test_networks_of_the_same_name_are_told_and_can_be_told_apart() -> None:
    machines = (record(("one", "v", "web")), record(("two", "v", "web")))
    ((name, ids, hint),) = groups.merged(build(*machines))
    assert name == "vnet_v"
    assert len(ids) == 2
    assert hint == "Set vnet_names: qualified to tell them apart."
    found = build(*machines, vnet_names="qualified")
    assert sorted(found.subnets) == ["subnet_one_v_web", "subnet_two_v_web"]
    assert groups.merged(found) == []


def test_names_that_only_differ_in_replaced_characters_are_told() -> None:
    ((name, ids, _hint),) = groups.merged(build(record(("rg", "v", "a-b")), record(("rg", "v", "a_b"))))
    assert name == "subnet_v_a_b"
    assert len(ids) == 2


def test_a_short_name_that_is_another_long_one_is_told() -> None:
    found = build(record(("rg", "v", "web")), record(("rg", "x", "v_web")), short=True)
    assert [name for name, _ids, _hint in groups.merged_short(found)] == ["subnet_v_web"]


def test_a_machine_is_once_in_a_group() -> None:
    assert members(build(record(("rg", "v", "a"), ("rg", "v", "A")), every=True).subnets) == {"subnet_v_a": [0]}
