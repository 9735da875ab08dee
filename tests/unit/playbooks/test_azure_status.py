# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""status.yml over an inventory of Azure: what the security groups let through is part of the verdict."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.action import azure_estate
from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, LoopbackArm
from ansible_collections.siteops.webcluster.tests.loopback_estate import Ledger
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    ADDRESSES,
    DOOR,
    GROUPS,
    HEALTHY,
    INVENTORY,
    answers,
)
from ansible_collections.siteops.webcluster.tests.unit.plugins.action.test_azure_ports import DENIAL, play


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(scope="module")
def arm(ledger: Ledger) -> Iterator[LoopbackArm]:
    """A subscription with the machines of the pretended inventory."""
    hosts = [
        {"name": f"vm-{name}", "group": group, "address": ADDRESSES[name]}
        for group, names in GROUPS.items()
        for name in names
    ]
    with LoopbackArm(ledger=ledger) as server:
        made = play(azure_estate, server, {}, name="webcluster", location="westeurope", hosts=hosts,
                    admin_cidrs=["203.0.113.0/24"], ssh_public_key="ssh-ed25519 " + "A" * 68)  # fmt: skip
        assert not made.get("failed"), made
        yield server


def status(arm: LoopbackArm, folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: Any) -> Run:
    inventory: dict[str, Any] = copy.deepcopy(INVENTORY)
    inventory["webcluster"]["vars"] |= {"azure_estate_endpoint": arm.url, **variables}
    for group in inventory["webcluster"]["children"].values():
        for name, of_host in group["hosts"].items():
            of_host |= {"azure_id": f"/x/{name}", "azure_name": f"vm-{name}", "azure_subscription_id": SUBSCRIPTION}
    monkeypatch.setenv("AZURE_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "of-somebody-else")
    told = [Answer("front_door", DOOR), *answers(HEALTHY, HEALTHY)]
    return run_playbook(CHECKOUT / "playbooks/status.yml", inventory, told, folder)


def said(run: Run) -> str:
    return " ".join(run.output.split())


def test_open_ports_are_a_row_of_the_report(arm: LoopbackArm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = len(arm.seen)
    run = status(arm, tmp_path, monkeypatch)
    assert run.code == 0, run.output
    assert "azure ports - open - - - 22 of 22 connections are allowed" in said(run)
    # Three lists, once for all hosts.
    assert [one.method for one in arm.seen[asked:]] == ["GET"] * 3


def test_a_blocked_port_fails_with_what_to_add(
    arm: LoopbackArm, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = next(one for key, one in ledger.held.items() if key.endswith("webcluster-redis-nsg"))
    rules = held["properties"]["securityRules"]
    first = copy.deepcopy(rules[0])
    rules[0]["properties"]["priority"] = 105
    denial = {**DENIAL, "properties": {**DENIAL["properties"], "destinationPortRange": "6378"}}
    rules.insert(0, denial)
    run = status(arm, tmp_path, monkeypatch)
    rules[:2] = [first]
    assert run.code != 0
    assert (
        "- azure: blocked, Port 6378 of vm-redis1 (Redis) is closed to vm-web1, vm-web2, vm-redis2 by the rule"
        in said(run)
    )
    assert "Add to webcluster-redis-nsg a rule that lets them in with a priority below 101." in said(run)


def test_whoever_cannot_ask_azure_still_gets_the_verdict(
    arm: LoopbackArm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = status(arm, tmp_path, monkeypatch, azure_estate_endpoint="http://azure.example")
    assert "VERDICT healthy" in run.output
    assert "azure ports - not seen - - - could not be looked at: endpoint 'http://azure.example' is plain http" in said(
        run
    )
