# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections judged as Azure judges them: tags, ranges, both levels, application groups, and what only Azure knows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.audit import (
    Flow,
    audit,
    from_topology,
    needed,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.judge import (
    INTERNET,
    NETWORK,
    PROBE,
    Endpoint,
    Estate,
    judge,
    read,
)

Json = dict[str, Any]
BASE = "/subscriptions/s/resourceGroups/G/providers/Microsoft.Network"
DEFAULTS = [
    (65000, "Allow", {"sourceAddressPrefix": "VirtualNetwork", "destinationAddressPrefix": "VirtualNetwork"}),
    (65001, "Allow", {"sourceAddressPrefix": "AzureLoadBalancer", "destinationAddressPrefix": "*"}),
    (65500, "Deny", {"sourceAddressPrefix": "*", "destinationAddressPrefix": "*"}),
]


def rule(priority: int, access: str, direction: str = "Inbound", **properties: Any) -> Json:
    usual = {"priority": priority, "access": access, "direction": direction, "protocol": "*", "destinationPortRange": "*",
             "destinationAddressPrefix": "*"}  # fmt: skip
    return {"name": f"rule{priority}", "properties": {**usual, **properties}}


def group(name: str, *rules: Json) -> Json:
    outbound = [
        rule(
            65000, "Allow", "Outbound", sourceAddressPrefix="VirtualNetwork", destinationAddressPrefix="VirtualNetwork"
        ),
        rule(65001, "Allow", "Outbound", sourceAddressPrefix="*", destinationAddressPrefix="Internet"),
        rule(65500, "Deny", "Outbound", sourceAddressPrefix="*"),
    ]
    inbound = [rule(priority, access, **properties) for priority, access, properties in DEFAULTS]
    properties = {"securityRules": list(rules), "defaultSecurityRules": [*inbound, *outbound]}
    return {"id": f"{BASE}/networkSecurityGroups/{name}", "name": name, "properties": properties}


def nic(machine: str, address: str, subnet: str, **more: Any) -> Json:
    configuration = {
        "primary": True,
        "privateIPAddress": address,
        "subnet": {"id": f"{BASE.upper()}/virtualNetworks/v/subnets/{subnet}"},
    }
    configuration |= more.pop("configuration", {})
    return {"properties": {"virtualMachine": {"id": f"/x/virtualMachines/{machine}"},
                           "ipConfigurations": [{"properties": configuration}], **more}}  # fmt: skip


def estate(
    *rules: Json, subnet_group: bool = True, web: Json | None = None, peer: str = "", groups: tuple[Json, ...] = ()
) -> Estate:
    """A web server and a database, each in its subnet; the rules are those of the database's."""
    of_db = {"networkSecurityGroup": {"id": f"{BASE}/networkSecurityGroups/db"}} if subnet_group else {}
    peering = [{"properties": {"remoteAddressSpace": {"addressPrefixes": [peer]}}}] if peer else []
    network = {
        "id": f"{BASE}/virtualNetworks/v",
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/24"]},
            "virtualNetworkPeerings": peering,
            "subnets": [{"id": f"{BASE}/virtualNetworks/v/subnets/web", "properties": {}},
                        {"id": f"{BASE}/virtualNetworks/v/subnets/db", "properties": of_db}],
        },
    }  # fmt: skip
    nics = [web or nic("web1", "10.0.0.4", "web"), nic("db1", "10.0.0.20", "db")]
    return read([group("db", *rules), *groups], [network], nics)


def word(found: Estate, source: str = "web1", port: int = 3306) -> str:
    known = found.endpoints.get(source) or (
        Endpoint(source) if source in (INTERNET, NETWORK) else Endpoint("x", source)
    )
    return judge(found, known, found.endpoints["db1"], port).word


DENY = rule(4000, "Deny", sourceAddressPrefix="VirtualNetwork")
CASES: list[tuple[str, Estate, str, int, str]] = [
    ("the network's own default", estate(), "web1", 3306, "allowed"),
    ("a denial of the network", estate(DENY), "web1", 3306, "blocked"),
    ("a denial of the network cuts the probe too", estate(DENY), PROBE, 3306, "blocked"),
    ("the platform let in before it", estate(DENY, rule(3900, "Allow", sourceAddressPrefix="AzureLoadBalancer")), PROBE, 80, "allowed"),
    ("plural sources", estate(DENY, rule(100, "Allow", sourceAddressPrefixes=["10.0.0.0/28"])), "web1", 3306, "allowed"),
    ("plural ports and ranges", estate(DENY, rule(100, "Allow", sourceAddressPrefix="*", destinationPortRange=None,
                                                  destinationPortRanges=["80", "3300-3310"])), "web1", 3306, "allowed"),
    ("another port", estate(DENY, rule(100, "Allow", sourceAddressPrefix="*", destinationPortRange="3307")), "web1", 3306, "blocked"),
    ("another protocol", estate(DENY, rule(100, "Allow", sourceAddressPrefix="*", protocol="UDP")), "web1", 3306, "blocked"),
    ("the protocol in any case", estate(DENY, rule(100, "Allow", sourceAddressPrefix="*", protocol="TCP")), "web1", 3306, "allowed"),
    ("the lowest number wins", estate(rule(200, "Allow", sourceAddressPrefix="*"), rule(100, "Deny", sourceAddressPrefix="*")), "web1", 1, "blocked"),
    ("the Internet by default", estate(), INTERNET, 3306, "blocked"),
    ("the Internet let in", estate(rule(100, "Allow", sourceAddressPrefix="Internet")), INTERNET, 3306, "allowed"),
    ("a part of the Internet", estate(rule(100, "Allow", sourceAddressPrefix="8.8.8.0/24")), INTERNET, 3306, "unknown"),
    ("a private range is no Internet", estate(rule(100, "Allow", sourceAddressPrefix="10.9.0.0/24")), INTERNET, 3306, "blocked"),
    ("a tag that only Azure knows", estate(DENY, rule(100, "Allow", sourceAddressPrefix="Storage.WestEurope")), "web1", 3306, "unknown"),
    ("such a tag that changes nothing", estate(rule(100, "Allow", sourceAddressPrefix="Storage.WestEurope")), "web1", 3306, "allowed"),
    ("the whole network", estate(rule(100, "Allow", sourceAddressPrefix="10.0.0.0/16"), DENY), NETWORK, 3306, "allowed"),
    ("a part of it", estate(rule(100, "Allow", sourceAddressPrefix="10.0.0.0/28"), DENY), NETWORK, 3306, "blocked"),
    ("a peer", estate(peer="10.7.0.0/16"), "10.7.0.4", 3306, "allowed"),
    ("no peer", estate(), "10.7.0.4", 3306, "blocked"),
    ("no group inside of the network", estate(subnet_group=False), "web1", 3306, "allowed"),
    ("no group from outside", estate(subnet_group=False), INTERNET, 3306, "blocked"),
    ("the group of the source's interface", estate(
        web=nic("web1", "10.0.0.4", "web", networkSecurityGroup={"id": f"{BASE}/NetworkSecurityGroups/Out"}),
        groups=(group("out", rule(100, "Deny", "Outbound", sourceAddressPrefix="*", destinationPortRange="3306")),)), "web1", 3306, "blocked"),
    ("an application group", estate(
        DENY, rule(100, "Allow", sourceApplicationSecurityGroups=[{"id": "/ASG/Web"}]),
        web=nic("web1", "10.0.0.4", "web", configuration={"applicationSecurityGroups": [{"id": "/asg/web"}]})), "web1", 3306, "allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "found", "source", "port", "expected"), CASES, ids=[case[0] for case in CASES])
def test_azure_judges_like_this(title: str, found: Estate, source: str, port: int, expected: str) -> None:
    assert word(found, source, port) == expected, title


def test_the_deciding_rule_is_named() -> None:
    found = estate(DENY)
    verdict = judge(found, found.endpoints["web1"], found.endpoints["db1"], 3306)
    assert (verdict.group, verdict.rule, verdict.priority, verdict.level) == ("db", "rule4000", 4000, "inbound, subnet")


def test_what_is_blocked_is_told_with_what_to_add_and_what_is_open_with_who_opened_it() -> None:
    found = estate(DENY, rule(100, "Allow", sourceAddressPrefix="*", destinationPortRange="22"))
    rows, excess = audit(found, [Flow("web1", "db1", 3306, "mysql"), Flow("web9", "db1", 3306, "mysql")])
    assert [row["verdict"] for row in rows] == ["blocked", "unknown"]
    assert rows[0]["advice"] == "Add to db a rule that lets web1 to port 3306 of db1 with a priority below 4000."
    assert rows[1]["advice"] == "No interface of web9 is in the lists: check subscription_id and resource_group."
    assert "Port 22 of db1 is open to the Internet by the rule rule100 of db, and nobody needs it: close it." in excess
    assert (
        "Port 22 of web1 is open to the whole network by the lack of a security group, and nobody needs it: close it."
        in excess
    )


def test_the_connections_follow_from_the_groups() -> None:
    groups = {"haproxy": ["lb1"], "apache_php": ["web1", "web2"], "mysql_master": ["db1"], "mysql_replica": ["db2"]}
    flows = needed(groups, [80])
    assert Flow(INTERNET, "lb1", 80, "visitors") in flows
    assert {flow.source for flow in flows if flow.target == "db2" and flow.port == 3306} == {"web1", "web2", "db1"}
    assert {flow.source for flow in flows if flow.port == 9200} == {"web1", "web2"}
    assert {flow.target for flow in needed({"apache_php": ["web1"]}, [80])} == {"web1"}


@pytest.mark.parametrize(
    ("source", "word", "verdict"),
    [
        ("10.9.0.0/24", "10.9.0.0/16", "allowed"),
        ("10.9.0.0/24", "10.9.0.0/24", "allowed"),
        # Only a part of it is let in.
        ("10.9.0.0/24", "10.9.0.0/25", "unknown"),
        ("10.9.0.0/24", "10.8.0.0/16", "blocked"),
        ("198.18.0.0/15", "Internet", "blocked"),
        ("52.0.0.0/16", "Internet", "allowed"),
        ("52.0.0.0/16", "Storage", "unknown"),
        ("52.0.0.0/16", "AzureLoadBalancer", "blocked"),
        ("10.0.0.0/28", "VirtualNetwork", "allowed"),
        ("10.0.0.0/8", "VirtualNetwork", "unknown"),
        ("52.0.0.0/16", "VirtualNetwork", "blocked"),
        ("52.0.0.0/16", "*", "allowed"),
        ("AzureFrontDoor.Backend", "AzureFrontDoor.Backend", "allowed"),
        ("AzureFrontDoor.Backend", "Internet", "allowed"),
        ("AzureFrontDoor.Backend", "AzureFrontDoor.Frontend", "unknown"),
        ("AzureFrontDoor.Backend", "VirtualNetwork", "blocked"),
        ("AzureFrontDoor.Backend", "10.9.0.0/24", "blocked"),
        ("AzureFrontDoor.Backend", "52.0.0.0/16", "unknown"),
        ("Internet", "AzureFrontDoor.Backend", "unknown"),
    ],
)
def test_a_source_that_is_a_network_or_a_service(source: str, word: str, verdict: str) -> None:
    letting = [rule(100, "Allow", sourceAddressPrefix=word), rule(200, "Deny", sourceAddressPrefix="*")]
    (row,), _excess = audit(estate(*letting), [Flow(source, "db1", 3306, "MySQL")])
    assert row["verdict"] == verdict


def test_an_address_is_the_machine_of_the_same_network() -> None:
    found = estate()
    # Named first, and in another network.
    stranger = Endpoint("stranger", "10.0.0.4", subnet="/other/virtualnetworks/o/subnets/web")
    found.endpoints = {"stranger": stranger, **found.endpoints}
    rows, _excess = audit(found, [Flow("10.0.0.4", "db1", 3306, ""), Flow("10.0.0.9", "db1", 3306, "")])
    assert [row["source"] for row in rows] == ["web1", "10.0.0.9"]


def test_the_flows_of_the_topology_become_connections() -> None:
    needs = {
        "one": [{"protocol": "tcp", "port": 80, "sources": ["0.0.0.0/0", "::/0"], "purpose": "visitors"}],
        "two": [{"protocol": "tcp", "port": 3306, "sources": ["10.0.0.4", "10.9.0.0/24"], "purpose": "MySQL"}],
    }
    assert from_topology(needs, {"one": "vm1"}, "Internet") == [
        Flow("Internet", "vm1", 80, "visitors"),
        Flow("10.0.0.4", "two", 3306, "MySQL"),
        Flow("10.9.0.0/24", "two", 3306, "MySQL"),
    ]


NET = f"{BASE}/virtualNetworks/v"
LETTING = group(
    "db", rule(100, "Allow", sourceAddressPrefix="VirtualNetwork"), rule(200, "Deny", sourceAddressPrefix="*")
)


@pytest.mark.parametrize(
    ("subnets", "peering", "source", "verdict"),
    [
        ([], {}, "10.7.0.4", "blocked"),
        # Behind a gateway, of ours or of a peer, may be any private address; nobody else's.
        ([{"name": "GatewaySubnet"}], {}, "10.7.0.4", "unknown"),
        ([{"name": "GatewaySubnet"}], {}, "10.7.0.0/24", "unknown"),
        ([{"name": "GatewaySubnet"}], {}, "52.0.0.4", "blocked"),
        ([{"name": "GatewaySubnet"}], {}, "52.0.0.0/24", "blocked"),
        ([{"name": "GatewaySubnet"}], {}, "10.0.0.9", "allowed"),
        ([], {"useRemoteGateways": True}, "10.7.0.4", "unknown"),
        ([], {"useRemoteGateways": False}, "10.7.0.4", "blocked"),
        ([{"routeTable": {"id": "/x/routeTables/r"}}], {}, "10.7.0.4", "unknown"),
    ],
)
def test_the_network_may_reach_beyond_its_ranges(subnets: list[Json], peering: Json, source: str, verdict: str) -> None:
    table = {key: one[key] for one in subnets for key in one if key == "routeTable"}
    more = [{"id": f"{NET}/subnets/{one['name']}", **one} for one in subnets if "name" in one]
    own = {"networkSecurityGroup": {"id": f"{BASE}/networkSecurityGroups/db"}, **table}
    network = {"id": NET, "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/24"]}, "virtualNetworkPeerings": [{"properties": peering}],
        "subnets": [{"id": f"{NET}/subnets/mysql", "properties": own}, *more]}}  # fmt: skip
    found = read([LETTING], [network], [nic("db1", "10.0.0.20", "mysql")])
    (row,), _excess = audit(found, [Flow(source, "db1", 3306, "MySQL")])
    assert row["verdict"] == verdict


def test_each_address_of_a_machine_is_looked_at() -> None:
    network = {"id": NET, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/24"]}, "subnets": [
        {"id": f"{NET}/subnets/{name}", "properties": {"networkSecurityGroup": {"id": f"{BASE}/networkSecurityGroups/{name}"}}}
        for name in ("db", "open")]}}  # fmt: skip
    groups = [group("db", DENY), group("open", DENY, rule(100, "Allow", sourceAddressPrefix="Internet"))]
    found = read(groups, [network], [nic("db1", "10.0.0.20", "db"), nic("db1", "10.0.0.40", "open")])
    _rows, excess = audit(found, [])
    assert (
        "Port 22 of db1 is open to the Internet by the rule rule100 of open, and nobody needs it: close it." in excess
    )
    rows, _excess = audit(found, [Flow("10.0.0.40", "db1", 3306, "")])
    assert rows[0]["source"] == "db1"
