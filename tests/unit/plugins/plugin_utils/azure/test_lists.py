# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests an estate takes, whatever its size; the answers come from memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import clouds, lists
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Arm, Call, Reply
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Report, Wanted
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import half_built, join
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.parallel import Runner

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
HOME = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"


class Azure:
    """N machines, each with one interface, every tenth with a public address."""

    def __init__(self, count: int, pages: Mapping[str, int]) -> None:
        self.pages = pages
        self.asked: Counter[str] = Counter()
        self.held: dict[str, list[dict[str, Any]]] = {
            "virtualMachines": [self.machine(number) for number in range(count)],
            "states": [self.state(number) for number in range(count)],
            "networkInterfaces": [self.nic(number) for number in range(count)],
            "publicIPAddresses": [
                {
                    "id": f"{HOME}/Microsoft.Network/publicIPAddresses/ip{number}",
                    "properties": {"ipAddress": "192.0.2.1"},
                }
                for number in range(0, count, 10)
            ],
        }

    @staticmethod
    def machine(number: int) -> dict[str, Any]:
        reference = {"id": f"{HOME}/Microsoft.Network/networkInterfaces/NIC{number}"}
        return {
            "id": f"{HOME}/Microsoft.Compute/virtualMachines/vm{number}",
            "properties": {"networkProfile": {"networkInterfaces": [reference]}},
        }

    @staticmethod
    def state(number: int) -> dict[str, Any]:
        view = {"statuses": [{"code": "PowerState/running"}]}
        return {
            "id": f"{HOME.upper()}/MICROSOFT.COMPUTE/VIRTUALMACHINES/VM{number}",
            "properties": {"instanceView": view},
        }

    @staticmethod
    def nic(number: int) -> dict[str, Any]:
        subnet = {"id": f"{HOME}/Microsoft.Network/virtualNetworks/v/subnets/web"}
        address: dict[str, Any] = {"privateIPAddress": f"10.0.{number >> 8}.{number & 255}", "subnet": subnet}
        if number % 10 == 0:
            address["publicIPAddress"] = {"id": f"{HOME}/Microsoft.Network/publicIPAddresses/IP{number}"}
        return {
            "id": f"{HOME}/Microsoft.Network/networkInterfaces/nic{number}",
            "properties": {"ipConfigurations": [{"properties": address}]},
        }

    def send(self, call: Call) -> Reply:
        parts = urlsplit(call.url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        kind = "states" if "statusOnly" in query else parts.path.rsplit("/", 1)[-1]
        assert call.network is (kind in ("networkInterfaces", "publicIPAddresses"))
        self.asked[kind] += 1
        begin, size = int(query.get("skip", "0")), self.pages["network" if call.network else "compute"]
        answer: dict[str, Any] = {"value": self.held[kind][begin : begin + size]}
        if begin + size < len(self.held[kind]):
            base = call.url.split("&skip=")[0]
            answer["nextLink"] = f"{base}&skip={begin + size}"
        return Reply(200, {}, json.dumps(answer).encode())


def collect(azure: Azure, **wanted: Any) -> tuple[int, list[dict[str, Any]]]:
    arm = Arm(azure.send, clouds.resolve("public"), lambda _level, _text: None)
    report = Report(lambda _level, _text: None, pytest.fail)
    estate = lists.collect(arm, Runner(8, 60), [SUBSCRIPTION], Wanted(**wanted), report)
    return arm.requests, join(estate, network=True)


@pytest.mark.parametrize(
    ("count", "pages", "requests", "wanted"),
    [
        (8, {"compute": 250, "network": 1000}, 4, {}),
        (8, {"compute": 250, "network": 1000}, 3, {"public_ips": False}),
        (10_000, {"compute": 250, "network": 1000}, 91, {}),
        (10_000, {"compute": 250, "network": 1000}, 90, {"public_ips": False}),
        (10_000, {"compute": 250, "network": 1000}, 51, {"power_states": False}),
        (10_000, {"compute": 200, "network": 1000}, 111, {}),
        (10_000, {"compute": 50, "network": 50}, 620, {}),
    ],
)
def test_golden_counts(count: int, pages: dict[str, int], requests: int, wanted: dict[str, Any]) -> None:
    azure = Azure(count, pages)
    asked, records = collect(azure, **wanted)
    assert asked == requests == sum(azure.asked.values())
    assert len(records) == count
    assert all(half_built(record) is None for record in records)
    assert len({record["private_ip"] for record in records}) == count
    if wanted.get("public_ips", True):
        assert sum(record["public_ip"] is not None for record in records) == -(-count // 10)
    assert {record["power_state"] for record in records} == (
        {"running"} if wanted.get("power_states", True) else {None}
    )


def test_a_machine_on_two_pages_is_one() -> None:
    azure = Azure(3, {"compute": 2, "network": 1000})
    azure.held["virtualMachines"].insert(1, azure.machine(0))
    assert [record["name"] for record in collect(azure)[1]] == ["vm0", "vm1", "vm2"]


@pytest.mark.parametrize(
    "odd", ["//example.org/x", "/subscriptions/s/x?y=1", "https://example.org/", "@example.org/x", ""]
)
def test_an_id_that_is_no_path_is_never_put_into_a_url(odd: str) -> None:
    azure = Azure(1, {"compute": 250, "network": 1000})
    azure.held["virtualMachines"][0]["properties"]["networkProfile"]["networkInterfaces"][0]["id"] = odd
    requests, (record,) = collect(azure)
    assert requests == 4
    assert half_built(record) == "none of its network interfaces is known"
