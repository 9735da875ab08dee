# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure_ports over an estate that azure_estate has made on the same server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.action import azure_estate, azure_ports
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.login import ENVIRONMENT
from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, LoopbackArm
from ansible_collections.siteops.webcluster.tests.loopback_estate import Ledger

Json = dict[str, Any]
GROUPS = {
    "haproxy": ["centoshaproxy"], "apache_php": ["centosweb1", "centosweb2", "centosweb3"],
    "mysql_master": ["centosmysql1"], "mysql_replica": ["centosmysql2"],
    "redis_master": ["centosredis1"], "redis_replica": ["centosredis2"],
}  # fmt: skip
DENIAL = {"name": "by-hand", "properties": {
    "priority": 101, "direction": "Inbound", "access": "Deny", "protocol": "*", "sourceAddressPrefix": "*",
    "destinationAddressPrefix": "*", "destinationPortRange": "6379"}}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_azure_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in ENVIRONMENT.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


def play(module: Any, arm: LoopbackArm, task_vars: Json, **options: Any) -> Json:
    given = {"subscription_id": SUBSCRIPTION, "endpoint": arm.url, "access_token": TOKEN, **options}
    action = object.__new__(module.ActionModule)
    action._task = SimpleNamespace(args=given, check_mode=False, diff=False, async_val=0, delegate_to=None)
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    result: Json = action.run(task_vars=task_vars)
    return result


def test_an_estate_of_ours_has_what_it_needs_and_no_more() -> None:
    ledger = Ledger()
    with LoopbackArm(ledger=ledger) as arm:
        made = play(azure_estate, arm, {}, name="webcluster", location="westeurope", admin_cidrs=["203.0.113.0/24"],
                    ssh_public_key="ssh-ed25519 " + "A" * 68, public_ports=[80, 443])  # fmt: skip
        assert not made.get("failed"), made
        asked = len(arm.seen)
        found = play(azure_ports, arm, {"groups": GROUPS}, public_ports=[80, 443])
        assert {row["verdict"] for row in found["flows"]} == {"allowed"}
        assert (len(found["flows"]), found["excess"]) == (37, [])
        assert [one.method for one in arm.seen[asked:]] == ["GET"] * 3

        # Names of the inventory may be others than those in Azure.
        named = {"groups": {"haproxy": ["front"]}, "hostvars": {"front": {"azure_name": "centoshaproxy"}}}
        assert [row["target"] for row in play(azure_ports, arm, named)["flows"]] == ["centoshaproxy"]

        held = next(one for key, one in ledger.held.items() if key.endswith("webcluster-redis-nsg"))
        rules = held["properties"]["securityRules"]
        rules[0]["properties"]["priority"] = 105
        rules.insert(0, DENIAL)
        blocked = play(azure_ports, arm, {"groups": GROUPS})
        assert blocked["failed"]
        assert blocked["msg"].startswith(
            "Port 6379 of centosredis1 (redis) is closed to centosweb1 by the rule by-hand of webcluster-redis-nsg. Add"
        )
        assert "public_ports" not in blocked["msg"]


def test_without_machines_there_is_nothing_to_judge() -> None:
    with LoopbackArm(ledger=Ledger()) as arm:
        assert play(azure_ports, arm, {"groups": {}})["msg"].startswith("The inventory has no machine in the groups")
        assert play(azure_ports, arm, {"groups": GROUPS}, subscription_id="")["msg"].startswith(
            "subscription_id is empty"
        )
        assert arm.seen == []
