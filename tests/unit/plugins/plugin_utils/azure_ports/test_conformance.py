# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of the real service and of its specification are read whole; SITEOPS_AZURE_PAYLOADS names their folder."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports import effective, routes
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.judge import (
    Effective,
    Endpoint,
    Estate,
    judge,
    read,
)
from ansible_collections.siteops.webcluster.tests.unit.plugins.inventory.test_conformance import FOLDER, body
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.test_conformance import stored

pytestmark = pytest.mark.skipif(not FOLDER, reason="SITEOPS_AZURE_PAYLOADS names no folder")


def payload(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(name)["value"]
    return found


@pytest.mark.parametrize("name", ["real-nic-listall-2nics-2019-09-01", "spec-NetworkInterfaceListAll-2024-05-01"])
def test_each_interface_of_a_machine_is_an_end_of_connections(name: str) -> None:
    nics = payload(name)
    machines = {
        one["properties"]["virtualMachine"]["id"].rsplit("/", 1)[-1].lower()
        for one in nics
        if one["properties"].get("virtualMachine")
    }
    estate = read([], [], nics)
    assert set(estate.endpoints) == machines
    assert machines
    assert all(one.address and one.subnet for one in estate.endpoints.values())


def test_each_subnet_of_a_network_has_its_ranges() -> None:
    networks = payload("spec-VirtualNetworkListAll-2024-05-01")
    subnets = [one["id"].lower() for network in networks for one in network["properties"].get("subnets", [])]
    assert sorted(read([], networks, []).spaces) == sorted(subnets)
    assert subnets


def test_the_examples_of_what_is_in_force_are_judged() -> None:
    rules, ways = (
        stored(f"NetworkInterfaceEffective{name}")["responses"]["200"]["body"]["value"]
        for name in ("NSGList-2023-11-01", "RouteTableList-2024-03-01")
    )
    here = Endpoint("vm1", "172.20.2.4", subnet="/subnets/default", nic="/nic1")
    estate = Estate(endpoints={"vm1": here}, addresses=[here])
    estate.effective["/nic1"] = Effective(effective.levels(rules), routes.read(ways))
    (level,) = estate.effective["/nic1"].levels or ()
    assert [one.name for one in level.rules] == ["rule1", "default-allow-rdp", "AllowInternetOutBound"]

    def word(source: str, port: int) -> tuple[str, str]:
        verdict = judge(estate, Endpoint(source, source), here, port)
        return verdict.word, verdict.rule

    # The example's one group hangs at a network manager as well, whose silence lets through.
    assert word("1.1.1.1", 3389) == ("allowed", "default-allow-rdp")
    assert word("10.1.1.1", 3389) == ("blocked", "10.0.0.0/8 to None")
