# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What recordings of the real service and examples of its specification become; SITEOPS_AZURE_PAYLOADS names their folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import groups, read
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Estate as Found
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import half_built, join
from ansible_collections.siteops.webcluster.tests.loopback_arm import Estate, serving

FOLDER = os.environ.get("SITEOPS_AZURE_PAYLOADS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SITEOPS_AZURE_PAYLOADS names no folder")
Run = Callable[..., Any]


def body(name: str) -> dict[str, Any]:
    """The answer in a recording or in an example."""
    content = json.loads((Path(FOLDER) / f"{name}.json").read_text(encoding="utf-8"))
    answer: dict[str, Any] = (content["response"] if "response" in content else content["responses"]["200"])["body"]
    return answer


def recorded(machines: str = "real-vm-listall-2019-03-01") -> Estate:
    """The recorded lists of one subscription; the states come from the recording of a single machine."""
    found = Estate(body(machines)["value"][0]["id"].split("/")[2].lower())
    found.machines = body(machines)["value"]
    found.states = [body("real-vm-get-expand-instanceView-2020-12-01")]
    found.nics = body("real-nic-listall-2nics-2019-09-01")["value"]
    found.public_ips = body("real-publicip-listall-4-2018-12-01")["value"]
    return found


def test_the_recorded_lists_join_although_their_spellings_differ(run: Run) -> None:
    estate = recorded()
    with serving(estate) as server:
        result = run(server, subscription_ids=[estate.subscription], half_built="keep")
        assert server.counts == {"machines": 1, "states": 1, "nics": 1, "public_ips": 1}
    variables = result.hosts["cctestvm"]
    expected = {
        "ansible_host": "10.0.0.4",
        "azure_public_ip": "23.102.173.223",
        "azure_public_dns_name": "cctestvm.southcentralus.cloudapp.azure.com",
        "azure_subnet_name": "Subnet",
        "azure_vnet_name": "MyVNET",
        "azure_vnet_resource_group": "test_vm",
        "azure_resource_group": "test_vm",
        "azure_mac_address": "00-0D-3A-73-CF-2E",
        "azure_power_state": "running",
        "azure_os_name": "ubuntu",
        "azure_size": "Basic_A0",
    }
    assert {key: variables[key] for key in expected} == expected
    assert result.members("subnet_myvnet_subnet") == ["cctestvm"]
    assert result.warnings == []


def test_recorded_machines_whose_interfaces_are_in_no_list_are_named(run: Run) -> None:
    estate = recorded("real-vm-listall-3vms-2020-12-01")
    with serving(estate) as server:
        result = run(server, subscription_ids=[estate.subscription])
        assert server.counts["nic"] == 2
    assert set(result.hosts) == {"cctestvm"}
    assert len(result.warnings) == 2
    assert all("none of its network interfaces is known" in warning for warning in result.warnings)


def test_an_interface_without_a_machine_is_no_host() -> None:
    nics = [read.nic(entry) for entry in body("real-nic-listall-2nics-2019-09-01")["value"]]
    assert [nic.machine_key is None for nic in nics if nic] == [True, False]
    assert [nic.mac_address is None for nic in nics if nic] == [True, False]


@pytest.mark.parametrize(
    ("name", "without"),
    [("real-publicip-listall-4-2018-12-01", 2), ("spec-PublicIpAddressListAll-2023-05-01", 1)],
)
def test_public_addresses_without_an_address_are_known(name: str, without: int) -> None:
    found = [read.public_ip(entry) for entry in body(name)["value"]]
    assert sum(one.address is None for one in found) == without


def test_two_subnets_of_one_name_are_two_groups() -> None:
    entries = body("spec-NetworkInterfaceListAll-2024-05-01")["value"]
    entries[1]["properties"]["virtualMachine"] = {"id": "/subscriptions/subid/resourceGroups/rgnew/x/y/vm2"}
    found = Found()
    for entry in entries:
        machine = read.machine({"id": entry["properties"]["virtualMachine"]["id"]})
        nic = read.nic(entry)
        assert machine is not None
        assert nic is not None
        found.machines[machine.key] = machine
        found.nics[nic.id.lower()] = nic
    records = join(found, network=True)
    assert [half_built(record) for record in records] == [None, None]
    made = groups.build(
        records, every_subnet=False, short=True, vnet_names="short", safe=lambda name: name.replace("-", "_")
    )
    assert set(made.subnets) == {"subnet_rg1_vnet_default", "subnet_rgnew_vnet2_default"}
    assert groups.merged(made) == []
    assert [name for name, _ids, _hint in groups.merged_short(made)] == ["subnet_default"]


def test_ranges_of_the_example_networks() -> None:
    first, second = body("spec-VirtualNetworkListAll-2024-05-01")["value"]
    assert list(read.prefixes(first).values()) == [["10.0.0.0/24"]]
    assert read.prefixes(second) == {}


def test_the_recorded_scale_set_is_a_uniform_one(run: Run) -> None:
    estate = recorded()
    estate.scale_sets = body("real-vmss-listall-2019-03-01")["value"]
    estate.instances = {"cctestvmss": []}
    estate.instance_nics = {"cctestvmss": []}
    with serving(estate) as server:
        run(server, subscription_ids=[estate.subscription], include_uniform_scale_sets=True)
        assert server.counts["instances"] == server.counts["instance_nics"] == 1
