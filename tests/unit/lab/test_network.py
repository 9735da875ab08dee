# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.lab import network
from ansible_collections.siteops.webcluster.lab.cluster import Cluster

from .conftest import Make

SUBNETS = [ipaddress.IPv4Network("10.0.0.0/28"), ipaddress.IPv4Network("10.0.0.16/28")]


def networks_of(lab: Cluster) -> list[dict[str, Any]]:
    return [{"labels": lab.labels, "subnets": [{"subnet": str(subnet)}]} for subnet in lab.subnets]


def test_a_second_checkout_with_the_same_prefix_is_told_who_has_it(make: Make, tmp_path: Any) -> None:
    first, second = make(), make(checkout=tmp_path / "second", folder=tmp_path / "second/inventory/lab")
    told = network.other_owner(second, networks_of(first))
    assert told is not None
    assert f"10.90.1.0/28 belongs to the lab of the checkout {first.checkout} (inventory {first.inventory})" in told
    assert "LAB_PREFIX" in told
    assert network.other_owner(first, networks_of(first)) is None
    assert network.other_owner(make(prefix="10.90.2"), networks_of(first)) is None


def test_a_lab_of_an_earlier_version_keeps_its_addresses(make: Make) -> None:
    earlier = [{"labels": {"webcluster-lab": "lab"}, "subnets": [{"subnet": "10.90.1.16/28"}]}]
    assert "10.90.1.16/28 belongs to the lab 'lab' of an earlier version" in str(network.other_owner(make(), earlier))


@pytest.mark.parametrize(
    ("route", "clash"),
    [
        ({"dst": "default", "dev": "eth0"}, None),
        ({"dst": "192.0.2.0/24", "dev": "eth0"}, None),
        ({"dst": "10.0.0.0/8", "dev": "tun0"}, "10.0.0.0/8 dev tun0"),
        ({"dst": "10.0.0.17", "dev": "eth1"}, "10.0.0.17 dev eth1"),
        ({"dst": "10.0.0.0/28", "dev": "podman1"}, None),
        ({"dst": "10.0.0.0/28", "type": "unreachable"}, None),
    ],
)
def test_overlapping_routes_are_named(route: dict[str, str], clash: str | None) -> None:
    assert network.overlapping_route(SUBNETS, [route], {"podman1"}) == clash


def test_lab_hosts_see_each_others_real_address() -> None:
    rule = network.nat_rule("-I", *SUBNETS)
    assert rule[-1] == "ACCEPT"
    assert "10.0.0.0/28" in rule
    assert "10.0.0.16/28" in rule
