# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure_ports over an estate that azure_estate has made on the same server."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.siteops.webcluster.plugins.action import azure_estate, azure_ports
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.login import ENVIRONMENT
from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, LoopbackArm
from ansible_collections.siteops.webcluster.tests.loopback_estate import Ledger, route

Json = dict[str, Any]
GROUPS = {
    "haproxy": ["centoshaproxy"], "apache_php": ["centosweb1", "centosweb2", "centosweb3"],
    "mysql_master": ["centosmysql1"], "mysql_replica": ["centosmysql2"],
    "redis_master": ["centosredis1"], "redis_replica": ["centosredis2"],
}  # fmt: skip
DENIAL: Json = {"name": "by-hand", "properties": {
    "priority": 101, "direction": "Inbound", "access": "Deny", "protocol": "*", "sourceAddressPrefix": "*",
    "destinationAddressPrefix": "*", "destinationPortRange": "6379"}}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_azure_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in ENVIRONMENT.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


def play(module: Any, arm: LoopbackArm, task_vars: Json, **options: Any) -> Json:
    usual = {"subscription_id": SUBSCRIPTION, "endpoint": arm.url, "access_token": TOKEN, **options}
    given = {name: value for name, value in usual.items() if value is not None}
    action = object.__new__(module.ActionModule)
    action._loader = DataLoader()
    action._task = SimpleNamespace(args=given, check_mode=False, diff=False, async_val=0, delegate_to=None)
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    result: Json = action.run(task_vars=task_vars)
    return result


def test_an_estate_of_ours_has_what_it_needs_and_no_more() -> None:
    ledger = Ledger()
    with LoopbackArm(ledger=ledger) as arm:
        made = play(azure_estate, arm, {}, name="webcluster", location="westeurope", admin_cidrs=["203.0.113.0/24"],
                    ssh_public_key="ssh-ed25519 " + "A" * 68)  # fmt: skip
        assert not made.get("failed"), made
        asked = len(arm.seen)
        found = play(azure_ports, arm, {"groups": GROUPS})
        assert {row["verdict"] for row in found["flows"]} == {"allowed"}
        assert (len(found["flows"]), found["excess"]) == (37, [])
        assert [one.method for one in arm.seen[asked:]] == ["GET"] * 3

        # Names of the inventory may be others than those in Azure.
        named = {"groups": {"haproxy": ["front"]}, "hostvars": {"front": {"azure_name": "centoshaproxy"}}}
        assert {row["target"] for row in play(azure_ports, arm, named)["flows"]} == {"centoshaproxy"}

        held = next(one for key, one in ledger.held.items() if key.endswith("webcluster-redis-nsg"))
        rules = held["properties"]["securityRules"]
        rules[0]["properties"]["priority"] = 105
        rules.insert(0, DENIAL)
        blocked = play(azure_ports, arm, {"groups": GROUPS})
        assert blocked["failed"]
        assert blocked["msg"].startswith(
            "Port 6379 of centosredis1 (redis) is closed to centosweb1, centosweb2, centosweb3, centosredis2 by the rule by-hand"
            " of webcluster-redis-nsg. Add to webcluster-redis-nsg a rule that lets them in with a priority below 101."
        )
        assert len(blocked["blocked"]) == 2
        told = play(azure_ports, arm, {"groups": GROUPS}, fail=False)
        assert (told.get("failed", False), told["blocked"]) == (False, blocked["blocked"])


def test_without_machines_there_is_nothing_to_judge() -> None:
    with LoopbackArm(ledger=Ledger()) as arm:
        assert play(azure_ports, arm, {"groups": {}})["msg"].startswith("The inventory has no machine in the groups")
        assert play(azure_ports, arm, {"groups": GROUPS}, subscription_id="")["msg"].startswith(
            "subscription_id is empty"
        )
        told = play(azure_ports, arm, {"groups": GROUPS}, subscription_id="", fail=False)
        assert (told.get("failed", False), told["problem"][:24]) == (False, "subscription_id is empty")
        assert arm.seen == []


# What the topology says of a host: addresses, networks, and everybody.
NEEDS = {
    "front": [{"protocol": "tcp", "port": 80, "sources": ["0.0.0.0/0", "::/0"], "purpose": "visitors"}],
    "db": [
        {"protocol": "tcp", "port": 3306, "sources": ["10.0.0.4", "10.0.0.5"], "purpose": "MySQL"},
        {"protocol": "tcp", "port": 9104, "sources": ["198.51.100.0/24"], "purpose": "mysqld_exporter"},
    ],
}
NAMES = {"front": {"azure_name": "centoshaproxy"}, "db": {"azure_name": "centosmysql1"}}


def test_the_topology_says_what_is_needed_and_the_inventory_who_asks(tmp_path: Path) -> None:
    with LoopbackArm(ledger=Ledger()) as arm:
        made = play(azure_estate, arm, {}, name="webcluster", location="westeurope", admin_cidrs=["203.0.113.0/24"],
                    ssh_public_key="ssh-ed25519 " + "A" * 68)  # fmt: skip
        assert not made.get("failed"), made
        path = tmp_path / "azure_subnet.yml"
        said = {"plugin": "siteops.webcluster.azure_subnet", "endpoint": arm.url, "access_token": TOKEN}
        path.write_text(yaml.safe_dump(said), encoding="utf-8")
        hostvars = {host: {**found, "azure_subscription_id": SUBSCRIPTION} for host, found in NAMES.items()}
        task_vars = {"groups": {"webcluster": list(NAMES)}, "hostvars": hostvars}
        silent = {"subscription_id": None, "endpoint": None, "access_token": None, "inventory": str(path)}
        found = play(azure_ports, arm, task_vars, needs=NEEDS, fail=False, **silent)
        assert [(row["source"], row["target"], row["port"], row["verdict"]) for row in found["flows"]] == [
            ("Internet", "centoshaproxy", 80, "allowed"),
            ("centosweb1", "centosmysql1", 3306, "allowed"),
            ("centosweb2", "centosmysql1", 3306, "allowed"),
            ("198.51.100.0/24", "centosmysql1", 9104, "blocked"),
        ]
        assert found["blocked"] == [
            "Port 9104 of centosmysql1 (mysqld_exporter) is closed to 198.51.100.0/24 by the rule DenyAllInBound of"
            " webcluster-mysql-nsg. Add to webcluster-mysql-nsg a rule that lets them in with a priority below 65500."
        ]
        # A file of somebody else's inventory says nothing, and one that is gone is told.
        other = {**silent, "inventory": str(tmp_path / "hosts.yml"), "auth": "access_token"}
        assert play(azure_ports, arm, task_vars, needs=NEEDS, **other)["failed"]
        gone = {**silent, "inventory": str(tmp_path / "gone.azure_subnet.yml")}
        assert play(azure_ports, arm, task_vars, needs=NEEDS, **gone)["msg"].startswith(f"inventory is {tmp_path}/gone")


def test_behind_front_door_the_internet_is_too_much() -> None:
    with LoopbackArm(ledger=Ledger()) as arm:
        made = play(azure_estate, arm, {}, name="webcluster", location="westeurope", admin_cidrs=["203.0.113.0/24"],
                    ssh_public_key="ssh-ed25519 " + "A" * 68)  # fmt: skip
        assert not made.get("failed"), made
        found = play(azure_ports, arm, {"groups": GROUPS}, visitors="front_door")
        assert {row["verdict"] for row in found["flows"]} == {"allowed"}
        assert found["excess"] == [
            f"Port {port} of centoshaproxy is open to the Internet by the rule siteops-allow-visitors-{port} of webcluster-lb-nsg,"
            " and nobody needs it: close it."
            for port in (80, 443)
        ]


ASKED = 8 * 2
MANAGER_DENIAL = {
    "name": "no-redis", "protocol": "Tcp", "sourcePortRange": "0-65535", "destinationPortRange": "6379-6379", "priority": 5,
    "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "access": "Deny", "direction": "Inbound",
}  # fmt: skip


def asked_of(arm: LoopbackArm, begin: int) -> list[str]:
    """What was POSTed since, by the action's name."""
    return [one.path.rsplit("/", 1)[-1] for one in arm.seen[begin:] if one.method == "POST"]


@pytest.mark.parametrize("two_links", [False, True])
def test_azure_itself_is_asked_for_what_is_in_force(two_links: bool) -> None:
    ledger = Ledger(retry_after=0.01)
    with LoopbackArm(ledger=ledger) as arm:
        made = play(azure_estate, arm, {}, name="webcluster", location="westeurope", admin_cidrs=["203.0.113.0/24"],
                    ssh_public_key="ssh-ed25519 " + "A" * 68)  # fmt: skip
        assert not made.get("failed"), made
        ledger.two_links = two_links
        asked = len(arm.seen)
        found = play(azure_ports, arm, {"groups": GROUPS}, method="effective")
        assert (found.get("msg"), found["excess"], found["not_asked"]) == (None, [], [])
        assert {row["verdict"] for row in found["flows"]} == {"allowed"}
        # Two questions for each of the eight interfaces, once, whatever the number of flows.
        actions = asked_of(arm, asked)
        assert (len(actions), sorted(set(actions))) == (
            ASKED,
            ["effectiveNetworkSecurityGroups", "effectiveRouteTable"],
        )

        # What no list shows.
        ledger.manager_rules = [MANAGER_DENIAL]
        ledger.routes = {"centosweb1-nic": [route("10.0.0.16/28", "None", "User")]}
        by_lists = play(azure_ports, arm, {"groups": GROUPS}, fail=False)
        assert by_lists["blocked"] == []
        blocked = play(azure_ports, arm, {"groups": GROUPS}, fail=False, method="effective")["blocked"]
        assert any("by the rule no-redis of headquarters. Add to headquarters a rule" in one for one in blocked)
        assert any(
            one.startswith(
                "Port 3306 of centosmysql1 (mysql) is closed to centosweb1 by the route 10.0.0.16/28 to None"
            )
            for one in blocked
        )


def test_where_azure_does_not_tell_the_lists_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(azure_ports.display, "warning", warned.append)
    ledger = Ledger(retry_after=0.01)
    with LoopbackArm(ledger=ledger) as arm:
        made = play(azure_estate, arm, {}, name="webcluster", location="westeurope", admin_cidrs=["203.0.113.0/24"],
                    ssh_public_key="ssh-ed25519 " + "A" * 68)  # fmt: skip
        assert not made.get("failed"), made
        ledger.refusals = [("POST", "centosweb1-nic/effectiveRouteTable", 99, 403, "AuthorizationFailed"),
                           ("POST", "centosweb2-nic/effectiveNetworkSecurityGroups", 99, 400, "VMNotRunning")]  # fmt: skip
        found = play(azure_ports, arm, {"groups": GROUPS}, method="effective")
        assert {row["verdict"] for row in found["flows"]} == {"allowed"}
        first, second = found["not_asked"]
        assert first.startswith("Cannot read the network interface centosweb1-nic: Azure answered AuthorizationFailed")
        assert second.startswith("Cannot read the network interface centosweb2-nic: Azure answered VMNotRunning")
        assert all(one.endswith("Its lists serve instead.") for one in found["not_asked"])
        assert [one for one in warned if "lists serve" in one] == [f"azure_ports: {one}" for one in (first, second)]
