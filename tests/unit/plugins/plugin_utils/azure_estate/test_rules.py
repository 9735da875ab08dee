# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security groups let through what the cluster needs and nothing else, judged as Azure judges."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import resources
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.sample import host, wanted

NETWORK = ipaddress.ip_network("10.0.0.0/26")
PROBE = "168.63.129.16"
VISITOR, ADMIN = "198.51.100.9", "203.0.113.7"
# Azure's own rules, which follow ours.
DEFAULTS = [
    {"priority": 65000, "access": "Allow", "sourceAddressPrefix": "VirtualNetwork", "destinationPortRange": "*", "protocol": "*"},
    {"priority": 65001, "access": "Allow", "sourceAddressPrefix": "AzureLoadBalancer", "destinationPortRange": "*", "protocol": "*"},
    {"priority": 65500, "access": "Deny", "sourceAddressPrefix": "*", "destinationPortRange": "*", "protocol": "*"},
]  # fmt: skip


def is_from(source: str, tag: str) -> bool:
    """The tag of the network has the address of the probe in it: azure-docs #38326 and #20619."""
    address = ipaddress.ip_address(source)
    own = address in NETWORK or source == PROBE
    tags = {"*": True, "VirtualNetwork": own, "AzureLoadBalancer": source == PROBE, "Internet": not own}
    return tags[tag] if tag in tags else address in ipaddress.ip_network(tag)


def allowed(subnet: str, port: int, source: str, **options: Any) -> bool:
    """The rule with the lowest number that fits decides."""
    every = {one.name: one.body for one in resources(wanted(**options), ["1", "2", "3"])}
    ours = [one["properties"] for one in every[f"webcluster-{subnet}-nsg"]["properties"]["securityRules"]]
    for rule in sorted([*ours, *DEFAULTS], key=lambda one: one["priority"]):
        sources = rule.get("sourceAddressPrefixes") or [rule["sourceAddressPrefix"]]
        fits = rule["destinationPortRange"] in ("*", str(port)) and any(is_from(source, tag) for tag in sources)
        if fits:
            return bool(rule["access"] == "Allow")
    raise AssertionError("Azure's last rule fits everything")


HOSTS: Mapping[str, str] = {one.name: one.address for one in wanted().hosts}
WEB, LB, MYSQL, REDIS = HOSTS["centosweb2"], HOSTS["centoshaproxy"], HOSTS["centosmysql2"], HOSTS["centosredis2"]
NEEDED = [
    ("lb", 80, VISITOR), ("lb", 443, VISITOR), ("lb", 80, WEB), ("lb", 80, PROBE), ("web", 80, LB),
    ("mysql", 3306, WEB), ("mysql", 3306, MYSQL), ("mysql", 4444, MYSQL), ("mysql", 9200, WEB),
    ("redis", 6379, WEB), ("redis", 6379, REDIS), ("redis", 6378, WEB), ("redis", 6378, REDIS),
    ("lb", 22, ADMIN), ("web", 22, ADMIN), ("mysql", 22, LB), ("redis", 22, LB), ("web", 80, PROBE),
]  # fmt: skip
FORBIDDEN = [
    ("web", 80, VISITOR), ("mysql", 3306, VISITOR), ("mysql", 3306, LB), ("mysql", 4444, WEB), ("mysql", 9200, LB), ("redis", 6379, LB),
    ("redis", 6379, MYSQL), ("mysql", 22, VISITOR), ("lb", 22, VISITOR), ("web", 22, MYSQL), ("lb", 8404, WEB),
    ("web", 8404, ADMIN), ("redis", 3306, WEB), ("lb", 8404, VISITOR), ("mysql", 33060, WEB),
]  # fmt: skip


@pytest.mark.parametrize(("subnet", "port", "source"), NEEDED)
def test_what_the_cluster_needs_is_let_through(subnet: str, port: int, source: str) -> None:
    assert allowed(subnet, port, source)


@pytest.mark.parametrize(("subnet", "port", "source"), FORBIDDEN)
def test_what_nobody_needs_is_not(subnet: str, port: int, source: str) -> None:
    assert not allowed(subnet, port, source)


def test_statistics_are_for_those_who_monitor() -> None:
    assert allowed("lb", 8404, "198.51.100.77", monitoring_cidrs=["198.51.100.64/26"])
    assert not allowed("lb", 8404, "198.51.100.7", monitoring_cidrs=["198.51.100.64/26"])
    assert allowed("mysql", 9200, "198.51.100.77", monitoring_cidrs=["198.51.100.64/26"])
    assert not allowed("mysql", 9200, "198.51.100.77")


def test_behind_azures_load_balancer_no_machine_is_the_way_in() -> None:
    hosts = [host("lb1", "haproxy"), host("lb2", "haproxy"), host("db1", "mysql_master")]
    assert not allowed("mysql", 22, "10.0.0.52", hosts=hosts)
    assert allowed("lb", 80, VISITOR, hosts=hosts)
