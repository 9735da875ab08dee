# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure-smoke: nothing without a confirmation, everything in order, and whatever happens the removal; commands are pretended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.tools import azure_smoke as smoke

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
PLAN = "create    resource group siteops-smoke\ncreate    virtual machine x\n"
UP = "The public address is 192.0.2.52;\n"
RECAP = "localhost : ok=3 changed=0 unreachable=0\n"
HOSTS = {f"host{number}": {"azure_resource_group": "siteops-smoke"} for number in range(8)}


@dataclass
class Azure:
    """Answers each command by its last word, in turn where there are several."""

    folder: Path
    answers: dict[str, list[Any]] = field(default_factory=dict)
    commands: list[Sequence[str]] = field(default_factory=list)
    now: float = 0.0
    variables: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=lambda: {"healthy": True, "reasons": [], "notes": []})

    def __post_init__(self) -> None:
        usual = {
            "azure_plan": [(0, PLAN), (0, PLAN)], "azure_up": [(0, UP + RECAP.replace("=0 un", "=1 un")), (0, UP + RECAP)],
            "site": [(0, RECAP), (0, RECAP)], "status": [(0, "")], "azure_ports": [(0, "17 of 17 connections are allowed")],
            "azure_down": [(0, ""), (0, "")], "--list": [(0, json.dumps({"_meta": {"hostvars": HOSTS}}))],
        }  # fmt: skip
        self.answers = {**usual, **self.answers}

    def run(self, command: Sequence[str], seconds: float) -> Any:
        assert seconds > 0
        self.commands.append(command)
        self.now += 100
        name = Path(command[-1]).stem
        if command[0] == "ansible-playbook":
            self.variables.append(json.loads((self.folder / "variables.json").read_text()))
        if name == "status":
            (self.folder / "report.json").write_text(json.dumps(self.report))
        told = self.answers[name]
        answer = told.pop(0) if len(told) > 1 else told[0]
        if isinstance(answer, BaseException):
            raise answer
        return smoke.Done(*answer)

    def smoke(self, **options: Any) -> Any:
        return smoke.Smoke(
            SUBSCRIPTION, "westeurope", "203.0.113.7/32", self.folder, self.run, lambda: self.now, **options
        )

    @property
    def asked(self) -> list[str]:
        return [Path(command[-1]).stem for command in self.commands]


def test_everything_in_order(tmp_path: Path) -> None:
    azure = Azure(tmp_path)
    run = azure.smoke()
    assert run.everything()
    assert azure.asked == [
        "azure_plan", "azure_up", "azure_up", "--list", "site", "site", "status", "azure_ports", "azure_down", "azure_plan",
    ]  # fmt: skip
    assert {step.result for step in run.steps} == {"passed"}
    # The playbooks that meet machines come by the address that was told, the others ask Azure only.
    assert [one.get("ansible_ssh_common_args", "")[-17:] for one in azure.variables] == [
        "", "", "", "-J ops@192.0.2.52", "-J ops@192.0.2.52", "-J ops@192.0.2.52", "", "", "",
    ]  # fmt: skip


BROKEN: list[tuple[dict[str, list[Any]], str, str]] = [
    ({"azure_up": [(2, "[ERROR]: Task failed: no quota\nmore")]}, "make", "Task failed: no quota"),
    ({"azure_up": [(0, "nothing")]}, "make", "azure_up.yml tells no public address"),
    ({"azure_up": [(0, UP), (0, UP + "localhost : ok=3 changed=1 x\n")]}, "make again changes nothing", "1 hosts report changes"),
    ({"--list": [(0, json.dumps({"_meta": {"hostvars": {**HOSTS, "x": {"azure_resource_group": "prod"}}}}))]},
     "inventory has the eight machines alone", "; expected the eight of siteops-smoke alone."),
    ({"site": [(2, "[ERROR]: broken")]}, "build", "broken"),
    ({"site": [(0, RECAP), (0, "web1 : ok=1 changed=2 x\n")]}, "build again changes nothing", "1 hosts report changes"),
    ({"azure_ports": [(2, "[ERROR]: closed")]}, "needed ports are open", "closed"),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "step", "told"), BROKEN, ids=[f"{one[1]}-{one[2][:12]}" for one in BROKEN])
def test_whatever_fails_is_told_and_all_is_removed(
    tmp_path: Path, answers: dict[str, list[Any]], step: str, told: str
) -> None:
    azure = Azure(tmp_path, answers)
    run = azure.smoke()
    assert not run.everything()
    assert [(one.name, told in one.detail) for one in run.steps if one.result == "failed"] == [(step, True)]
    assert azure.asked[-2:] == ["azure_down", "azure_plan"]
    words = azure.commands[-2]
    assert {"azure_estate_confirm=siteops-smoke", "azure_estate_delete_data=true"} <= set(words)


def test_a_status_that_is_not_healthy_is_told_with_its_reasons(tmp_path: Path) -> None:
    azure = Azure(tmp_path, report={"healthy": False, "reasons": ["azure: blocked, Port 80."], "notes": []})
    run = azure.smoke()
    assert not run.everything()
    assert [one.detail for one in run.steps if one.result == "failed"] == ["azure: blocked, Port 80."]
    assert azure.asked[-2:] == ["azure_down", "azure_plan"]


def test_an_interrupted_run_is_removed_too(tmp_path: Path) -> None:
    azure = Azure(tmp_path, {"site": [KeyboardInterrupt()]})
    with pytest.raises(KeyboardInterrupt):
        azure.smoke().everything()
    assert azure.asked[-2:] == ["azure_down", "azure_plan"]


def test_a_group_that_was_there_before_is_neither_used_nor_removed(tmp_path: Path) -> None:
    azure = Azure(tmp_path, {"azure_plan": [(0, "keep      resource group siteops-smoke\n")]})
    run = azure.smoke()
    assert not run.everything()
    assert azure.asked == ["azure_plan"]
    assert run.steps[0].detail.startswith("The resource group siteops-smoke is there already; expected none")


def test_a_removal_that_fails_is_tried_once_more_and_then_told(tmp_path: Path) -> None:
    azure = Azure(tmp_path, {"azure_down": [(2, "[ERROR]: in use"), (0, "")]})
    run = azure.smoke()
    assert not run.everything()
    assert [(one.name, one.result) for one in run.steps][-2:] == [("remove", "failed"), ("remove again", "passed")]
    kept = Azure(tmp_path, {"azure_plan": [(0, PLAN), (0, "keep      resource group siteops-smoke\n")]})
    run = kept.smoke()
    assert not run.everything()
    assert run.steps[-1].detail == (
        "The resource group siteops-smoke is still there; expected none: remove it in the portal, it costs."
    )


def test_the_time_of_all_steps_is_bounded_and_the_removal_has_its_own(tmp_path: Path) -> None:
    azure = Azure(tmp_path)
    run = azure.smoke(most=250.0)
    assert not run.everything()
    assert azure.asked == ["azure_plan", "azure_up", "azure_up", "--list", "azure_down", "azure_plan"]
    assert next(one for one in run.steps if one.result == "failed").detail.startswith("250 s are over; expected")


def test_nothing_begins_without_the_subscription_as_confirmation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(smoke, "play", lambda *_asked: pytest.fail("a command was run"))
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    place = ["--location", "westeurope", "--admins", "203.0.113.7/32"]
    for words, sentence in (
        (place, f"CONFIRM is ''; expected {SUBSCRIPTION}"),
        ([*place, "--confirm", "yes"], "CONFIRM is 'yes'; expected"),
        (["--confirm", SUBSCRIPTION], "LOCATION or FROM is empty; expected"),
    ):
        assert smoke.main(words) == 2
        assert f"azure-smoke: {sentence}" in capsys.readouterr().err
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    assert smoke.main([*place, "--confirm", SUBSCRIPTION]) == 2
    assert "AZURE_SUBSCRIPTION_ID is empty; expected" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_inventory_is_that_of_the_one_group(tmp_path: Path) -> None:
    smoke.inventory(tmp_path, SUBSCRIPTION, {"endpoint": "http://127.0.0.1:1"})
    made = yaml.safe_load((tmp_path / "inventory/azure_subnet.yml").read_text())
    assert (made["subscription_ids"], made["resource_groups"]) == ([SUBSCRIPTION], ["siteops-smoke"])
    assert made["endpoint"] == "http://127.0.0.1:1"
    assert made["role_groups"]["haproxy"] == "lb"
    assert (tmp_path / "inventory/group_vars/webcluster/secrets.yml").exists()


def test_the_form_tells_neither_the_subscription_nor_addresses(tmp_path: Path) -> None:
    azure = Azure(tmp_path, {"azure_up": [(2, f"[ERROR]: {SUBSCRIPTION} | 192.0.2.52 and 10.0.0.4")]})
    run = azure.smoke(variables={"azure_estate_size": "Standard_D2as_v5"})
    passed = run.everything()
    text = "\n".join(smoke.form(run, passed, datetime(2026, 11, 27, tzinfo=UTC)))
    assert text.startswith("# azure-smoke: failed\n\n- day: 2026-11-27\n- region: westeurope\n")
    assert "| make | failed | 100 | (subscription) / (address) and 10.0.0.4 |" in text
    assert SUBSCRIPTION not in text
