# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules and routes that Azure has in force at interfaces, and what they make of connections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports import routes
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.audit import Flow, audit, blocked
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.effective import levels
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.judge import (
    INTERNET,
    Effective,
    Endpoint,
    Estate,
    judge,
)
from ansible_collections.siteops.webcluster.tests.loopback_estate import route

Json = dict[str, Any]
WEB = Endpoint("web1", "10.0.0.4", subnet="/v/subnets/web", nic="/NIC/web1")
DB = Endpoint("db1", "10.0.0.20", subnet="/v/subnets/mysql", nic="/NIC/db1")


def rule(name: str, priority: int, access: str, source: str, port: str = "0-65535", **more: Any) -> Json:
    usual = {"protocol": "All", "sourcePortRange": "0-65535", "destinationAddressPrefix": "0.0.0.0/0"}
    named = {"name": f"securityRules/{name}", "priority": priority, "access": access, "direction": "Inbound"}
    return {**usual, **named, "sourceAddressPrefix": source, "destinationPortRange": port, **more}


def at(place: str, *rules: Json) -> Json:
    """The entry of a group that hangs there."""
    return {
        "networkSecurityGroup": {"id": f"/groups/{place}"},
        "association": {place: {"id": "/x"}},
        "effectiveSecurityRules": list(rules),
    }


def estate(*entries: Json, db: list[Json] | None = None, web: list[Json] | None = None) -> Estate:
    """Two machines; the groups are those at the database, and routes are None where Azure was not asked."""
    found = Estate(endpoints={"web1": WEB, "db1": DB}, addresses=[WEB, DB])
    ways = {"/nic/db1": db, "/nic/web1": web}
    found.effective = {
        nic: Effective(levels(entries) if nic == "/nic/db1" else [], None if told is None else routes.read(told))
        for nic, told in ways.items()
    }
    return found


OPEN = at("subnet", rule("mysql", 100, "Allow", "10.0.0.0/28", "3306-3306"), rule("rest", 4000, "Deny", "0.0.0.0/0"))


@pytest.mark.parametrize(
    ("entries", "source", "word", "level"),
    [
        ([OPEN], "web1", "allowed", "inbound, subnet"),
        ([OPEN], "10.0.0.40", "blocked", "inbound, subnet"),
        # What a manager denies or always allows no group can change; what it allows a group can.
        ([OPEN, at("networkManager", rule("m", 1, "Deny", "*"))], "web1", "blocked", "inbound, network manager"),
        ([OPEN, at("networkManager", rule("m", 1, "AlwaysAllow", "*"))], "10.0.0.40", "allowed", "inbound, network manager"),
        ([OPEN, at("networkManager", rule("m", 1, "Allow", "*"))], "10.0.0.40", "blocked", "inbound, subnet"),
        ([OPEN, at("networkManager", rule("m", 1, "Deny", "*", "22-22"))], "web1", "allowed", "inbound, subnet"),
        ([OPEN, at("networkManager", rule("m", 1, "Deny", "Sql"))], "web1", "unknown", "inbound, network manager"),
        ([at("networkInterface", rule("n", 1, "Deny", "*")), OPEN], "web1", "blocked", "inbound, interface"),
        # A tag, and the networks that it stands for there.
        ([at("subnet", rule("t", 1, "Allow", "Sql", expandedSourceAddressPrefix=["10.0.0.0/30", "10.0.0.4/32"]),
             rule("rest", 2, "Deny", "*"))], "web1", "allowed", "inbound, subnet"),
        ([at("subnet", rule("t", 1, "Allow", "Sql", expandedSourceAddressPrefix=["10.0.0.8/29"]),
             rule("rest", 2, "Deny", "*"))], "web1", "blocked", "inbound, subnet"),
        ([at("subnet", rule("t", 1, "Allow", "Internet", expandedSourceAddressPrefix=["1.0.0.0/8"]))], INTERNET, "allowed", "inbound, subnet"),
        ([at("networkManager", rule("m", 1, "Allow", "*"))], INTERNET, "blocked", "no security group"),
        ([], "web1", "allowed", "no security group"),
    ],
)  # fmt: skip
def test_rules_in_force_decide(entries: list[Json], source: str, word: str, level: str) -> None:
    found = estate(*entries)
    who = found.endpoints.get(source) or (Endpoint(source) if source == INTERNET else Endpoint(source, source))
    verdict = judge(found, who, DB, 3306)
    assert (verdict.word, verdict.level) == (word, level)


def test_a_manager_comes_first_on_the_way_out_too() -> None:
    found = estate(OPEN)
    denial = rule("n", 1, "Deny", "*", direction="Outbound")
    for access, word in (("AlwaysAllow", "allowed"), ("Allow", "blocked")):
        manager = rule("m", 1, access, "*", direction="Outbound")
        found.effective["/nic/web1"] = Effective(
            levels([at("networkInterface", denial), at("networkManager", manager)])
        )
        assert judge(found, WEB, DB, 3306).word == word


def test_without_an_answer_the_lists_serve() -> None:
    found = estate(at("subnet", rule("rest", 1, "Deny", "*")))
    found.effective["/nic/db1"] = replace(found.effective["/nic/db1"], levels=None)
    assert judge(found, WEB, DB, 3306).word == "allowed"


NETWORK = route("10.0.0.0/26", "VnetLocal")
APPLIANCE = route("10.0.0.0/28", "VirtualAppliance", "User", "10.0.0.60")
OUT = route("0.0.0.0/0", "Internet")


@pytest.mark.parametrize(
    ("source", "web", "db", "word", "rule"),
    [
        ("web1", [NETWORK, OUT], [NETWORK, OUT], "allowed", "mysql"),
        ("web1", [NETWORK, route("10.0.0.16/28", "None", "User")], [NETWORK], "blocked", "10.0.0.16/28 to None"),
        # The answer takes the narrowest way, and an owner's of equals.
        ("web1", [NETWORK], [APPLIANCE, NETWORK], "unknown", "10.0.0.0/28 to VirtualAppliance 10.0.0.60"),
        ("web1", [NETWORK], [NETWORK, {**APPLIANCE, "state": "Invalid"}], "allowed", "mysql"),
        ("web1", [NETWORK], [NETWORK, {**APPLIANCE, "addressPrefix": ["10.0.0.0/26"]}], "unknown", "10.0.0.0/26 to VirtualAppliance 10.0.0.60"),
        ("web1", [route("Sql", "None"), NETWORK], [route("10.0.0.8/29", "None"), NETWORK], "allowed", "mysql"),
        ("web1", [NETWORK], [route("10.0.0.0/26", "VirtualNetworkGateway", "VirtualNetworkGateway")], "unknown",
         "10.0.0.0/26 to VirtualNetworkGateway"),
        # A gateway is where other sites are.
        ("10.0.0.9", None, [route("10.0.0.0/8", "VirtualNetworkGateway", "VirtualNetworkGateway")], "allowed", "mysql"),
        ("10.0.0.9", None, [route("10.0.0.0/8", "None")], "blocked", "10.0.0.0/8 to None"),
        ("10.0.0.0/29", None, [route("10.0.0.0/30", "None"), OUT], "allowed", "mysql"),
        ("10.0.0.0/29", None, [route("10.0.0.0/28", "None"), OUT], "blocked", "10.0.0.0/28 to None"),
    ],
)  # fmt: skip
def test_there_must_be_a_way_there_and_back(
    source: str, web: list[Json] | None, db: list[Json], word: str, rule: str
) -> None:
    (row,), _excess = audit(estate(OPEN, db=db, web=web), [Flow(source, "db1", 3306, "mysql")])
    assert (row["verdict"], row["rule"]) == (word, rule)


@pytest.mark.parametrize(
    ("ways", "word"),
    [
        ([OUT], "allowed"),
        ([route("0.0.0.0/0", "None", "User"), OUT], "blocked"),
        ([route("0.0.0.0/0", "VirtualAppliance", "User", "10.0.0.60"), OUT], "unknown"),
        # On-premises takes all that goes out: the answer to a visitor gets lost there.
        ([route("0.0.0.0/0", "VirtualNetworkGateway", "VirtualNetworkGateway"), OUT], "unknown"),
        ([route("10.0.0.0/8", "None")], "allowed"),
    ],
)
def test_visitors_get_their_answer_by_the_way_out(ways: list[Json], word: str) -> None:
    found = estate(at("subnet", rule("web", 100, "Allow", "Internet", "80-80")), db=ways)
    assert judge(found, Endpoint(INTERNET), DB, 80).word == word


def test_a_route_is_told_with_what_to_do() -> None:
    found = estate(OPEN, db=[APPLIANCE], web=[route("10.0.0.16/28", "None", "User")])
    rows, _excess = audit(found, [Flow("web1", "db1", 3306, "mysql")])
    assert blocked(rows) == [
        "Port 3306 of db1 (mysql) is closed to web1 by the route 10.0.0.16/28 to None of web1. Correct the routes of web1."
    ]
    assert rows[0]["advice"] == "The route 10.0.0.16/28 to None of web1 leads nowhere: correct its routes."
    rows, _excess = audit(estate(OPEN, db=[APPLIANCE]), [Flow("web1", "db1", 3306, "mysql")])
    assert rows[0]["advice"] == (
        "The route 10.0.0.0/28 to VirtualAppliance 10.0.0.60 of db1 leads elsewhere first: look there whether it lets this through."
    )
