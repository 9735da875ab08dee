# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action against a loopback server: the real clients, a login, plans, and the inventory that reads the same server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible_collections.siteops.webcluster.plugins.action import azure_estate
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.login import ENVIRONMENT
from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, LoopbackArm
from ansible_collections.siteops.webcluster.tests.loopback_estate import Ledger

CHECKOUT = Path(__file__).resolve().parents[4]
Json = dict[str, Any]
KEY = "ssh-ed25519 " + "A" * 68
# The groups of the playbooks, and those of the subnets.
GROUPS = (
    "haproxy",
    "apache_php",
    "mysql_master",
    "mysql_replica",
    "redis_master",
    "redis_replica",
    "mysql",
    "redis",
    "webcluster",
)


@pytest.fixture(autouse=True)
def _no_azure_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in ENVIRONMENT.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def arm() -> Iterator[LoopbackArm]:
    with LoopbackArm(ledger=Ledger(retry_after=0.01)) as server:
        yield server


Play = Callable[..., Json]


@pytest.fixture
def play(arm: LoopbackArm) -> Play:
    """Run the action with these options beside the usual ones; None takes a usual one away."""

    def run(check: bool = False, **options: Any) -> Json:
        usual = {"name": "webcluster", "location": "westeurope", "admin_cidrs": ["203.0.113.0/24"], "ssh_public_key": KEY,
                 "subscription_id": SUBSCRIPTION, "endpoint": arm.url, "access_token": TOKEN}  # fmt: skip
        given = {name: value for name, value in {**usual, **options}.items() if value is not None}
        action = object.__new__(azure_estate.ActionModule)
        task = SimpleNamespace(args=given, check_mode=check, diff=True, async_val=0, delegate_to=None)
        action._task, action._connection = task, SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
        return action.run(task_vars={})

    return run


def inventory_of(arm: LoopbackArm, tmp_path: Path, **more: Any) -> InventoryData:
    """What inventory/azure makes of the server."""
    options = yaml.safe_load((CHECKOUT / "inventory/azure/azure_subnet.yml").read_text(encoding="utf-8"))
    options |= {"access_token": TOKEN, "subscription_ids": [SUBSCRIPTION], "endpoint": arm.url, **more}
    path = tmp_path / "azure_subnet.yml"
    path.write_text(yaml.safe_dump(options), encoding="utf-8")
    data = InventoryData()
    data.current_source = str(path)
    inventory_loader.get("siteops.webcluster.azure_subnet").parse(data, DataLoader(), str(path), cache=False)
    data.reconcile_inventory()
    return data


def inventory_groups(arm: LoopbackArm, tmp_path: Path, **more: Any) -> dict[str, list[str]]:
    found = inventory_of(arm, tmp_path, **more).get_groups_dict()
    return {name: sorted(members) for name, members in found.items()}


def lab_groups() -> dict[str, list[str]]:
    data = InventoryData()
    path = str(CHECKOUT / "inventory/lab/hosts.yml")
    inventory_loader.get("ansible.builtin.yaml").parse(data, DataLoader(), path, cache=False)
    data.reconcile_inventory()
    return {name: sorted(members) for name, members in data.get_groups_dict().items()}


def test_the_estate_is_what_the_inventory_of_the_lab_has(arm: LoopbackArm, play: Play, tmp_path: Path) -> None:
    made = play()
    assert not made.get("failed"), made
    assert made["changed"]
    found, lab = inventory_groups(arm, tmp_path), lab_groups()
    assert {name: found[name] for name in GROUPS} == {name: lab[name] for name in GROUPS}
    # Read as one group it is the same, with machines that run.
    assert (
        inventory_groups(
            arm, tmp_path, resource_groups=["webcluster"], include_filters=["azure_power_state == 'running'"]
        )
        == found
    )
    for name, address in made["addresses"].items():
        host = yaml.safe_load((CHECKOUT / f"inventory/lab/host_vars/{name}.yml").read_text(encoding="utf-8"))
        assert host["ansible_host"].rsplit(".", 1)[-1] == address.rsplit(".", 1)[-1]


def test_once_made_there_is_nothing_to_do_and_then_it_goes(arm: LoopbackArm, play: Play) -> None:
    first = play()
    assert (first["changed"], first["front_address"] is not None) == (True, True)
    assert sum(one.method == "PUT" for one in arm.seen) == 25
    asked = len(arm.seen)
    second = play()
    assert (second["changed"], second["requests"]) == (False, 11)
    assert {one.method for one in arm.seen[asked:]} == {"GET"}
    refused = play(state="absent")
    assert refused["msg"].startswith(
        "confirm is '', and the estate to be removed is webcluster; expected the same name"
    )
    assert play(state="absent", confirm="webcluster", delete_data=True)["changed"]
    assert not play(state="absent", confirm="webcluster")["changed"]


def test_a_check_run_shows_the_plan(arm: LoopbackArm, play: Play) -> None:
    planned = play(check=True)
    assert planned["changed"]
    assert planned["diff"]["prepared"].splitlines()[0] == "create    resource group webcluster"
    assert {one["action"] for one in planned["plan"]} == {"create"}
    assert {one.method for one in arm.seen} == {"GET"}
    play()
    planned = play(check=True, image="Debian:debian-12:12-gen2:latest")
    assert len(planned["refused"]) == 1
    assert {one["action"] for one in planned["plan"] if one["kind"] == "machine"} == {"make anew"}
    assert play(image="Debian:debian-12:12-gen2:latest")["failed"]


def test_the_template_is_written_and_nothing_is_made(arm: LoopbackArm, play: Play, tmp_path: Path) -> None:
    path = tmp_path / "estate.json"
    assert play(template=str(path), check=True)["changed"]
    assert not path.exists()
    assert play(template=str(path))["changed"]
    assert not play(template=str(path))["changed"]
    made = json.loads(path.read_text(encoding="utf-8"))
    assert len(made["resources"]) == 24
    assert {one.method for one in arm.seen} == {"GET"}
    names = {one["type"] for one in made["resources"] if one["dependsOn"] == []}
    assert names == {"Microsoft.Network/networkSecurityGroups", "Microsoft.Network/publicIPAddresses"}


def test_a_token_is_shown_in_no_error(play: Play) -> None:
    answer = play(access_token="a-token-that-nobody-may-see")
    assert answer["failed"]
    assert "InvalidAuthenticationToken" in answer["msg"]
    assert "a-token" not in json.dumps(answer)


def test_the_environment_says_where_when_the_options_do_not(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "subscription_id is empty" in play(subscription_id=None)["msg"]
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    monkeypatch.setenv("AZURE_ACCESS_TOKEN", TOKEN)
    assert play(subscription_id=None, access_token=None, check=True)["changed"]


def test_an_older_interface_is_refused(play: Play) -> None:
    assert "api_versions.network is 2023-05-01" in play(api_versions={"network": "2023-05-01"})["msg"]
    assert play(cloud="china", check=True)["changed"]


def test_another_server_is_never_sent_our_token(arm: LoopbackArm, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = arm.ledger
    assert isinstance(ledger, Ledger)
    ledger.seconds = 0.01
    answer, headers = ledger.answer, {"Azure-AsyncOperation": "https://elsewhere.example.org/operations/1"}

    def elsewhere(*asked: Any) -> Any:
        status, _headers, body = answer(*asked)
        return status, headers, body

    monkeypatch.setattr(ledger, "answer", elsewhere)
    assert "we send our token to no other host" in play()["msg"]


def test_the_inventory_tells_of_the_data_disks_also_of_machines_made_anew(
    arm: LoopbackArm, play: Play, tmp_path: Path
) -> None:
    play()
    for _anew in range(2):
        hosts = inventory_of(arm, tmp_path).hosts
        with_disk = {
            name: host.vars["azure_data_disks"] for name, host in hosts.items() if host.vars["azure_data_disks"]
        }
        assert {name: [(one["lun"], one["name"]) for one in disks] for name, disks in with_disk.items()} == {
            name: [(0, f"webcluster-{name}-data")] for name in ("centosmysql1", "centosmysql2")
        }
        assert all(hosts[name].vars["azure_tags"]["siteops-estate"] == "webcluster" for name in with_disk)
        assert play(state="absent", confirm="webcluster")["remaining"]
        assert play()["changed"]
