# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of the real service and of its specification are read whole; SITEOPS_AZURE_PAYLOADS names their folder."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.judge import read
from ansible_collections.siteops.webcluster.tests.unit.plugins.inventory.test_conformance import FOLDER, body

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
