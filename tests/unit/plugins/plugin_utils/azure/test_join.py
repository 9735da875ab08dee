# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import read
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Estate
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import (
    NETWORK_FACTS,
    Record,
    Spelling,
    address,
    half_built,
    join,
)
from ansible_collections.siteops.webcluster.tests import loopback_arm as azure

SUB = azure.SUBSCRIPTION
GROUP = f"/subscriptions/{SUB}/resourceGroups"


def build(source: azure.Estate) -> Estate:
    machines = [read.machine(entry) for entry in source.machines]
    nics = [read.nic(entry) for entry in source.nics]
    found = Estate(
        {machine.key: machine for machine in machines if machine},
        {nic.id.lower(): nic for nic in nics if nic},
        {entry["id"].lower(): read.public_ip(entry) for entry in source.public_ips},
    )
    for network in source.networks.values():
        found.prefixes.update(read.prefixes(network))
    for entry in source.states:
        found.machines[entry["id"].lower()].state = read.state(entry)
    return found


def records(source: azure.Estate) -> dict[str, Record]:
    return {record["name"]: record for record in join(build(source), network=True)}


def one(source: azure.Estate) -> Record:
    (record,) = join(build(source), network=True)
    return record


def test_a_machine_gets_its_network_although_the_spellings_differ() -> None:
    record = records(azure.tutorial())["centoshaproxy"]
    expected: dict[str, Any] = {
        "name": "centoshaproxy",
        "resource_group": "webcluster",
        "location": "westeurope",
        "size": "Standard_B2s",
        "private_ip": "10.0.0.52",
        "private_ips": ["10.0.0.52"],
        "public_ip": "192.0.2.52",
        "public_ips": ["192.0.2.52"],
        "public_dns_name": "centoshaproxy-ip.westeurope.cloudapp.azure.com",
        "private_dns_name": "centoshaproxy.loopback.ax.internal.cloudapp.net",
        "subnet_name": "lb",
        "subnet_address_prefix": "10.0.0.48/28",
        "subnet_address_prefixes": ["10.0.0.48/28"],
        "vnet_name": "webcluster-vnet",
        "vnet_resource_group": "webcluster",
        "mac_address": "00-0D-3A-00-00-01",
        "os_type": "Linux",
        "computer_name": "centoshaproxy",
        "admin_username": "ops",
        "tags": {},
        "zones": [],
        "scale_set": None,
    }
    assert {key: record[key] for key in expected} == expected
    assert "WEBCLUSTER" in record["id"]
    assert record["network_interfaces"][0]["ip_configurations"][0]["subnet_name"] == "lb"
    assert half_built(record) is None


def test_a_record_is_what_json_can_hold() -> None:
    every = list(records(azure.tutorial()).values())
    assert json.loads(json.dumps(every)) == every


def test_all_records_have_the_same_keys() -> None:
    source = azure.tutorial()
    source.machines[0]["properties"] = None
    keys = {tuple(sorted(record)) for record in records(source).values()}
    assert len(keys) == 1
    assert set(NETWORK_FACTS) <= set(keys.pop())


@pytest.mark.parametrize(
    ("marks", "nic_marks", "primary"),
    [
        ([None, None], [None, None], "a"),
        ([False, True], [True, False], "b"),
        ([None, None], [False, True], "b"),
        ([True, False], [False, True], "a"),
    ],
)
def test_the_primary_interface_is_found(marks: list[bool | None], nic_marks: list[bool | None], primary: str) -> None:
    source = azure.Estate()
    machine = source.add("m", "web", "10.0.0.4")
    source.nics.clear()
    references = []
    for name, mark, nic_mark in zip("ab", marks, nic_marks, strict=True):
        nic_id = f"{GROUP}/rg/providers/Microsoft.Network/networkInterfaces/{name}"
        subnet = f"{GROUP}/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/{name}"
        nic = azure.interface(nic_id, machine["id"], [azure.ip_configuration(nic_id, f"10.0.0.{ord(name)}", subnet)])
        nic["properties"]["primary"] = nic_mark
        source.nics.append(nic)
        references.append({"id": nic_id.upper(), "properties": {} if mark is None else {"primary": mark}})
    machine["properties"]["networkProfile"]["networkInterfaces"] = references
    record = one(source)
    assert record["subnet_name"] == primary
    assert record["private_ip"] == f"10.0.0.{ord(primary)}"
    assert [nic["primary"] for nic in record["network_interfaces"]] == [True, False]
    assert (record["subnets"][0]["name"], record["subnets"][0]["primary"]) == (primary, True)
    assert len(record["subnets"]) == len(record["private_ips"]) == 2


def with_configurations(*configurations: dict[str, Any]) -> Record:
    source = azure.Estate()
    source.add("m", "web", "10.0.0.4")
    source.nics[0]["properties"]["ipConfigurations"] = list(configurations)
    return one(source)


def test_the_primary_configuration_comes_first_and_ipv4_before_ipv6() -> None:
    subnet = f"{GROUP}/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/web"
    record = with_configurations(
        azure.ip_configuration("/nic", "10.0.0.9", subnet, primary=False, name="second"),
        azure.ip_configuration("/nic", "fd00::4", subnet, primary=True, name="first"),
    )
    assert record["private_ip"] == "10.0.0.9"
    assert record["private_ips"] == ["fd00::4", "10.0.0.9"]
    names = [row["name"] for row in record["network_interfaces"][0]["ip_configurations"]]
    assert names == ["first", "second"]
    assert [row["version"] for row in record["network_interfaces"][0]["ip_configurations"]] == ["IPv6", "IPv4"]
    assert len(record["subnets"]) == 1


def test_a_network_without_ipv4_gives_ipv6() -> None:
    subnet = f"{GROUP}/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/web"
    assert with_configurations(azure.ip_configuration("/nic", "fd00::4", subnet))["private_ip"] == "fd00::4"


def test_the_interface_may_name_its_machine_first() -> None:
    source = azure.tutorial()
    del source.machines[0]["properties"]["networkProfile"]
    assert records(source)["centoshaproxy"]["private_ip"] == "10.0.0.52"


def no_network_profile(source: azure.Estate) -> None:
    del source.machines[0]["properties"]["networkProfile"]
    del source.nics[0]


def null_properties(source: azure.Estate) -> None:
    source.machines[0]["properties"] = None
    del source.nics[0]


def nic_without_properties(source: azure.Estate) -> None:
    source.nics[0] = {"id": source.nics[0]["id"], "name": "m-nic"}


def nic_with_null_properties(source: azure.Estate) -> None:
    source.nics[0]["properties"] = None


def nic_with_strange_configurations(source: azure.Estate) -> None:
    source.nics[0]["properties"]["ipConfigurations"] = [None, "x", {"name": "c"}, {"name": "d", "properties": None}]


def nic_without_subnet(source: azure.Estate) -> None:
    del source.nics[0]["properties"]["ipConfigurations"][0]["properties"]["subnet"]


def nic_without_address(source: azure.Estate) -> None:
    del source.nics[0]["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]


def nic_unknown(source: azure.Estate) -> None:
    del source.nics[0]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_network_profile, "none of its network interfaces is known"),
        (null_properties, "none of its network interfaces is known"),
        (nic_unknown, "none of its network interfaces is known"),
        (nic_without_properties, "its network interface m-nic is in no subnet yet"),
        (nic_with_null_properties, "its network interface m-nic is in no subnet yet"),
        (nic_with_strange_configurations, "its network interface m-nic is in no subnet yet"),
        (nic_without_subnet, "its network interface m-nic is in no subnet yet"),
        (nic_without_address, "its network interface m-nic has no address yet"),
    ],
)
def test_a_half_built_machine_breaks_nothing_and_says_what_it_lacks(spoil: Any, reason: str) -> None:
    source = azure.Estate()
    source.add("m", "web", "10.0.0.4")
    source.add("whole", "web", "10.0.0.5")
    spoil(source)
    found = records(source)
    assert half_built(found["m"]) == reason
    assert half_built(found["whole"]) is None
    assert found["m"]["name"] == "m"


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"name": "x"},
        {"id": ""},
        {"id": None, "name": "x", "properties": {}},
        {"location": "westeurope"},
    ],
)
def test_an_entry_without_an_id_is_no_machine(entry: dict[str, Any]) -> None:
    assert read.machine(entry) is None


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "/x/y/virtualMachines/m"},
        {"id": "/x/y/virtualMachines/m", "name": None, "tags": None, "zones": None, "properties": {}},
        {"id": "/x/y/virtualMachines/m", "tags": [], "zones": "1", "properties": "half"},
        {
            "id": "/x/y/virtualMachines/m",
            "properties": {
                "networkProfile": {"networkInterfaces": [{}, None, {"id": None}]},
                "storageProfile": {"dataDisks": [None, {}], "osDisk": None, "imageReference": {}},
                "osProfile": None,
                "hardwareProfile": [],
            },
        },
    ],
)
def test_the_least_entry_is_a_machine_with_a_name(entry: dict[str, Any]) -> None:
    machine = read.machine(entry)
    assert machine is not None
    assert machine.name == "m"
    assert machine.nics == []
    assert machine.facts["tags"] == {}
    assert machine.facts["zones"] == []


@pytest.mark.parametrize(
    ("view", "power"),
    [
        ({"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/deallocated"}]}, "deallocated"),
        ({"statuses": [{"code": "PowerState/Running"}, {"code": "HibernationState/None"}]}, "running"),
        ({"statuses": [{"level": "Info"}]}, None),
        ({"powerState": {"code": "PowerState/running"}}, "running"),
    ],
)
def test_the_state_is_read_from_lists_and_graph(view: dict[str, Any], power: str | None) -> None:
    for properties in ({"instanceView": view}, {"extended": {"instanceView": view}}):
        state = read.state({"properties": properties})
        assert state is not None
        assert state.power == power


def test_no_view_is_no_state() -> None:
    assert read.state({"properties": {}}) is None
    assert read.state({}) is None


def test_a_public_address_may_be_half_made() -> None:
    assert read.public_ip({"properties": {}}) == read.PublicIp(None, None)
    assert read.public_ip({}) == read.PublicIp(None, None)


def test_ranges_of_subnets_are_read_in_both_forms() -> None:
    network = {
        "properties": {
            "subnets": [
                {"id": "/V/subnets/A", "properties": {"addressPrefix": "10.0.0.0/28"}},
                {"id": "/V/subnets/B", "properties": {"addressPrefixes": ["10.1.0.0/24", "fd00::/64"]}},
                {"id": "/V/subnets/C", "properties": {}},
                {"name": "no id"},
            ]
        }
    }
    assert read.prefixes(network) == {"/v/subnets/a": ["10.0.0.0/28"], "/v/subnets/b": ["10.1.0.0/24", "fd00::/64"]}
    assert read.prefixes({}) == {}


def test_one_subnet_has_one_spelling() -> None:
    spelling = Spelling()
    for value in ("WEB", "WEB", "Web", "web", "web", None):
        spelling.see(value)
    assert spelling.of("wEb") == "web"


def test_capitals_are_taken_where_there_is_nothing_else() -> None:
    spelling = Spelling()
    spelling.see("PROD")
    assert spelling.of("prod") == "PROD"


def test_hosts_of_one_subnet_see_the_same_names() -> None:
    source = azure.tutorial()
    subnet = source.nics[2]["properties"]["ipConfigurations"][0]["properties"]["subnet"]
    subnet["id"] = (
        subnet["id"].replace("/web", "/Web").replace("resourceGroups/webcluster", "resourceGroups/WebCluster")
    )
    found = records(source)
    assert {found[f"centosweb{number}"]["subnet_id"] for number in (1, 2, 3)} == {found["centosweb1"]["subnet_id"]}
    assert {record["vnet_resource_group"] for record in found.values()} == {"webcluster"}


def test_without_network_the_record_has_the_machine_only() -> None:
    machine = read.machine({"id": "/subscriptions/s/resourceGroups/G/x/m"})
    assert machine is not None
    (record,) = join(Estate({"k": machine}), network=False)
    assert record["name"] == "m"
    assert record["resource_group"] == "G"
    assert {key: record[key] for key in NETWORK_FACTS} == NETWORK_FACTS


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("private_ip", "10.0.0.52"),
        ("public_ip", "192.0.2.52"),
        ("private_dns", "centoshaproxy.loopback.ax.internal.cloudapp.net"),
        ("name", "centoshaproxy"),
    ],
)
def test_ways_to_connect(way: str, value: str) -> None:
    assert address(records(azure.tutorial())["centoshaproxy"], [way]) == value


DUAL: Record = {
    "name": "m",
    "private_ip": "10.0.0.4",
    "private_ips": ["fd00::4", "10.0.0.4"],
    "public_ip": None,
    "public_ips": ["2001:db8::4"],
    "public_dns_name": "m.example.org",
    "private_dns_name": None,
}


@pytest.mark.parametrize(
    ("ways", "value"),
    [
        (["public_ip", "private_ip"], "10.0.0.4"),
        (["private_dns", "public_dns", "name"], "m.example.org"),
        (["private_dns", "name"], "m"),
        (["private_ipv6"], "fd00::4"),
        (["private_ipv4"], "10.0.0.4"),
        (["public_ipv4", "public_ipv6", "private_ip"], "2001:db8::4"),
        (["public_ipv4"], None),
    ],
)
def test_d5_the_first_way_that_a_machine_has_is_taken(ways: list[str], value: str | None) -> None:
    assert address(DUAL, ways) == value


def test_no_address_is_none() -> None:
    assert address(records(azure.tutorial())["centosweb1"], ["public_ip"]) is None
