# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure_plan.yml, azure_up.yml, azure_ports.yml and azure_down.yml against a loopback subscription, as an operator runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, LoopbackArm
from ansible_collections.siteops.webcluster.tests.loopback_estate import Ledger

CHECKOUT = Path(__file__).resolve().parents[3]
ESTATE = {
    "azure_estate_name": "webcluster",
    "azure_estate_location": "westeurope",
    "azure_estate_admin_cidrs": "203.0.113.0/24",
    "azure_estate_ssh_public_key": "'ssh-ed25519 " + "A" * 68 + "'",
}


@pytest.fixture
def arm() -> Iterator[LoopbackArm]:
    with LoopbackArm(ledger=Ledger(retry_after=0.01)) as server:
        yield server


def play(arm: LoopbackArm, playbook: str, *words: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Without machines in the inventory there is nobody to wait for."""
    given = {**ESTATE, "azure_estate_endpoint": arm.url, **variables}
    extra = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
    program = Path(sys.executable).with_name("ansible-playbook")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ANSIBLE_"))}
    environment |= {"AZURE_ACCESS_TOKEN": TOKEN, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
    command = [str(program), "-i", "localhost,", f"playbooks/{playbook}.yml", *extra, *words]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The output without YAML's folds and doubled quotes."""
    return " ".join(done.stdout.replace("''", "'").split())


def test_plan_up_again_and_down(arm: LoopbackArm) -> None:
    planned = play(arm, "azure_plan")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "create    virtual machine centosweb1" in planned.stdout
    assert {one.method for one in arm.seen} == {"GET"}

    made = play(arm, "azure_up")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "changed=1" in made.stdout
    assert "The public address is 192.0.2." in made.stdout
    again = play(arm, "azure_up")
    assert (again.returncode, "changed=0" in again.stdout) == (0, True), again.stdout + again.stderr

    ports = play(arm, "azure_ports")
    assert ports.returncode == 2
    assert "The inventory has no machine in the groups of the cluster" in said(ports)

    asked = len(arm.seen)
    for words, sentence in (
        (
            {"azure_estate_confirm": "webclusters"},
            "confirm is 'webclusters', and the estate to be removed is webcluster",
        ),
        (
            {"azure_estate_confirm": "webcluster", "webcluster_confirm": "keep"},
            "webcluster_confirm is 'keep'; expected",
        ),
    ):
        refused = play(arm, "azure_down", **words)
        assert refused.returncode == 2
        assert sentence in said(refused)
    assert {one.method for one in arm.seen[asked:]} <= {"GET"}

    gone = play(arm, "azure_down", azure_estate_confirm="webcluster")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert "it still has: webcluster-centosmysql" in gone.stdout


def test_a_plan_that_cannot_be_carried_out_fails_with_the_reason(arm: LoopbackArm) -> None:
    assert play(arm, "azure_up").returncode == 0
    planned = play(arm, "azure_plan", azure_estate_image="Debian:debian-12:12-gen2:latest")
    assert planned.returncode == 2
    assert "must be made anew, because Azure does not change" in said(planned)
    assert "make anew virtual machine centosweb1" in planned.stdout, planned.stdout
