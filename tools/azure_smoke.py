# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an estate in a real subscription, build the cluster on it, look, and take all of it away again.

It costs money for as long as it runs, and does nothing unless CONFIRM is the id of the subscription. Everything stands in one
resource group of its own, which must not be there before and is removed at the end, whatever happened. What it found out is
written as a form; please send it to us.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
GROUP = "siteops-smoke"
# Seconds for all steps but the removal, and for that.
MOST, REMOVAL = 5400.0, 3600.0
ROUTE = re.compile(r"The public address is (\S+);")
CHANGED = re.compile(r"^\S+ +: ok=\d+ +changed=(\d+)", re.MULTILINE)
PASSED, FAILED, LEFT_OUT = "passed", "failed", "left out"


@dataclass(frozen=True)
class Done:
    """What a command ended with."""

    code: int
    output: str


Run = Callable[[Sequence[str], float], Done]


class StopError(Exception):
    """One sentence on why the run ends."""


@dataclass
class Step:
    """One line of the form."""

    name: str
    result: str = LEFT_OUT
    seconds: float = 0.0
    detail: str = ""


@dataclass
class Smoke:
    """The whole run; commands and the clock are given, so that a test needs neither Azure nor time."""

    subscription: str
    location: str
    admins: str
    folder: Path
    run: Run
    clock: Callable[[], float]
    variables: Mapping[str, Any] = field(default_factory=dict)
    build: bool = True
    most: float = MOST
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._begin = self.clock()
        self._address = ""

    def _playbook(self, name: str, *words: str, hosts: bool = False, limit: float | None = None) -> Done:
        given = {
            "azure_estate_name": GROUP,
            "azure_estate_subscription_id": self.subscription,
            "azure_estate_location": self.location,
            "azure_estate_admin_cidrs": self.admins,
            **self.variables,
        }
        route = f"-o StrictHostKeyChecking=accept-new -J ops@{self._address}"
        given |= {"ansible_user": "ops", "ansible_ssh_common_args": route} if hosts and self._address else {}
        extra = self.folder / "variables.json"
        extra.write_text(json.dumps(given), encoding="utf-8")
        inventory = str(self.folder / "inventory") if self.build else "localhost,"
        left = self.most - (self.clock() - self._begin) if limit is None else limit
        if left <= 0:
            raise StopError(
                f"{self.most:.0f} s are over; expected the whole run within them: raise --seconds, or look what took so long."
            )
        return self.run(["ansible-playbook", "-i", inventory, "-e", f"@{extra}", *words, name], left)

    def _step(self, name: str, work: Callable[[], str]) -> None:
        """One step with its time; raises the sentence that it failed with."""
        step, begin = Step(name), self.clock()
        self.steps.append(step)
        try:
            step.detail = work()
            step.result = PASSED
        except StopError as stop:
            step.result, step.detail = FAILED, str(stop)
            raise
        finally:
            step.seconds = round(self.clock() - begin, 1)

    def everything(self) -> bool:
        """All steps, and the removal of what they made; True where all of them passed."""
        try:
            self._step("plan, and nobody's group of that name", self._plan)
        except StopError:
            # What was there before us is not ours to remove.
            return False
        try:
            self._step("make", self._make)
            self._step("make again changes nothing", self._make_again)
            if self.build:
                self._step("inventory has the eight machines alone", self._inventory)
                self._step("build", lambda: self._site(again=False))
                self._step("build again changes nothing", lambda: self._site(again=True))
                self._step("status is healthy", self._status)
                self._step("needed ports are open", self._ports)
        except StopError:
            # It stands in the form; what was made goes all the same.
            pass
        finally:
            removed = self._remove()
        return removed and all(step.result == PASSED for step in self.steps)

    def _plan(self) -> str:
        done = _good(self._playbook("playbooks/azure_plan.yml"))
        if f"create    resource group {GROUP}" not in done.output:
            raise StopError(
                f"The resource group {GROUP} is there already; expected none, because it is removed at the end: look what it is, and"
                f" where it is left from a former run take it away with 'make azure-down NAME={GROUP}'."
            )
        return f"{done.output.count('create    ')} resources to make"

    def _make(self) -> str:
        done = _good(self._playbook("playbooks/azure_up.yml"))
        found = ROUTE.search(" ".join(done.output.split()))
        if not found:
            raise StopError("azure_up.yml tells no public address; expected one: read its output above.")
        self._address = found[1]
        return "a public address, and SSH of all machines" if self.build else "a public address"

    def _make_again(self) -> str:
        return _unchanged(_good(self._playbook("playbooks/azure_up.yml")))

    def _inventory(self) -> str:
        done = _good(self.run(["ansible-inventory", "-i", str(self.folder / "inventory"), "--list"], self.most))
        hosts = json.loads(done.output)["_meta"]["hostvars"]
        strangers = [name for name, found in hosts.items() if str(found.get("azure_resource_group")).lower() != GROUP]
        if strangers or len(hosts) != 8:
            raise StopError(
                f"The inventory has {', '.join(sorted(hosts)) or 'no machine'}; expected the eight of {GROUP} alone."
            )
        return "8 machines"

    def _site(self, again: bool) -> str:
        done = _good(self._playbook("site.yml", hosts=True))
        return _unchanged(done) if again else f"{len(CHANGED.findall(done.output))} hosts"

    def _status(self) -> str:
        report = self.folder / "report.json"
        done = self._playbook("playbooks/status.yml", "-e", f"webcluster_report_path={report}", hosts=True)
        told: dict[str, Any] = (
            json.loads(report.read_text(encoding="utf-8"))
            if report.exists()
            else {"reasons": [_said(done)], "healthy": False}
        )
        if not told["healthy"]:
            raise StopError(" ".join(told["reasons"]))
        return "; ".join(told["notes"]) or "no notes"

    def _ports(self) -> str:
        done = _good(self._playbook("playbooks/azure_ports.yml"))
        found = re.search(r"\d+ of \d+ connections are allowed", done.output)
        return found[0] if found else ""

    def _remove(self) -> bool:
        """Once more where it fails: nothing may be left that costs."""
        words = ("-e", f"azure_estate_confirm={GROUP}", "-e", "azure_estate_delete_data=true")

        def work() -> str:
            _good(self._playbook("playbooks/azure_down.yml", *words, limit=REMOVAL))
            done = _good(self._playbook("playbooks/azure_plan.yml", limit=REMOVAL))
            if f"create    resource group {GROUP}" not in done.output:
                raise StopError(
                    f"The resource group {GROUP} is still there; expected none: remove it in the portal, it costs."
                )
            return "the resource group is gone"

        for name in ("remove", "remove again"):
            try:
                self._step(name, work)
            except StopError:
                continue
            return True
        return False


def _said(done: Done) -> str:
    """What Ansible says went wrong."""
    found = re.findall(r"^\[ERROR\]: (.*)$", done.output, re.MULTILINE)
    return (found or done.output.strip().splitlines() or ["nothing was said"])[-1].strip()


def _good(done: Done) -> Done:
    if done.code != 0:
        raise StopError(_said(done))
    return done


def _unchanged(done: Done) -> str:
    changed = [number for number in CHANGED.findall(done.output) if number != "0"]
    if changed:
        raise StopError(f"{len(changed)} hosts report changes; expected none in a second run: see its output above.")
    return "changed=0"


def inventory(folder: Path, subscription: str, more: Mapping[str, Any]) -> None:
    """An inventory of the one group: the usual one lists the whole subscription, and would build on other machines."""
    shutil.copytree(CHECKOUT / "inventory/azure/group_vars", folder / "inventory/group_vars")
    usual = yaml.safe_load((CHECKOUT / "inventory/azure/azure_subnet.yml").read_text(encoding="utf-8"))
    mine = {**usual, "subscription_ids": [subscription], "resource_groups": [GROUP], **more}
    (folder / "inventory/azure_subnet.yml").write_text(yaml.safe_dump(mine), encoding="utf-8")


def form(smoke: Smoke, passed: bool, day: datetime) -> Iterator[str]:
    """What to send us: no id, no address, no secret."""
    yield f"# azure-smoke: {PASSED if passed else FAILED}"
    yield ""
    for name, value in (
        ("day", f"{day:%Y-%m-%d}"),
        ("region", smoke.location),
        ("settings", ", ".join(f"{key}={value}" for key, value in smoke.variables.items()) or "the usual ones"),
        ("Python, ansible-core", f"{platform.python_version()}, {version('ansible-core')}"),
        ("azure-mgmt-compute, azure-mgmt-network", f"{version('azure-mgmt-compute')}, {version('azure-mgmt-network')}"),
    ):
        yield f"- {name}: {value}"
    yield "- what you saw in the portal that is not told below:"
    yield ""
    yield "| step | result | seconds | told |"
    yield "|---|---|---|---|"
    for step in smoke.steps:
        yield f"| {step.name} | {step.result} | {step.seconds:g} | {hidden(step.detail, smoke.subscription)} |"


def hidden(text: str, subscription: str) -> str:
    """Without the subscription and public addresses, and on one line."""
    plain = " ".join(text.replace("|", "/").split()).replace(subscription, "(subscription)")
    return re.sub(r"\b(?!10\.)(?:\d{1,3}\.){3}\d{1,3}\b", "(address)", plain)


def refusal(confirm: str, subscription: str, location: str, admins: str) -> str:
    """Why nothing may begin; empty where it may."""
    if not subscription:
        return "AZURE_SUBSCRIPTION_ID is empty; expected the id of the subscription that pays for the run: set it."
    if not location or not admins:
        return "LOCATION or FROM is empty; expected a region and the network that you come from: LOCATION=westeurope FROM=203.0.113.7/32."
    if confirm != subscription:
        return (
            f"CONFIRM is '{confirm}'; expected {subscription}, the subscription in which eight machines are made, used for about an"
            f" hour and removed, which costs money: set CONFIRM to it. Nothing was done."
        )
    return ""


def play(command: Sequence[str], seconds: float) -> Done:
    """Run a command of this environment and show what it says, within its time."""
    program = Path(sys.executable).with_name(command[0])
    words = [str(program), *command[1:]]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    try:
        done = subprocess.run(
            words, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=None if command[0] == "ansible-inventory" else subprocess.STDOUT, text=True, check=False, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Done(124, f"{command[-1]} was not done after {seconds:.0f} s")
    if command[0] != "ansible-inventory":
        print(done.stdout, flush=True)
    return Done(done.returncode, done.stdout)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--confirm", default="", help="the id of the subscription once more")
    parser.add_argument("--location", default="", help="region, such as westeurope")
    parser.add_argument("--admins", default="", help="network that you come from by SSH, such as 203.0.113.7/32")
    parser.add_argument(
        "--variable", action="append", default=[], metavar="NAME=VALUE", help="azure_estate_size and so on"
    )
    parser.add_argument(
        "--seconds", type=float, default=MOST, help="for all steps but the removal (default: %(default)s)"
    )
    parser.add_argument(
        "--form", type=Path, default=Path("azure-smoke.md"), help="where the form goes (default: %(default)s)"
    )
    parser.add_argument("--without-build", action="store_true", help="make and remove only; no machine has to answer")
    options = parser.parse_args(argv)
    subscription = os.environ.get("AZURE_SUBSCRIPTION_ID", "")
    why_not = refusal(options.confirm, subscription, options.location, options.admins)
    if why_not:
        print(f"azure-smoke: {why_not}", file=sys.stderr)
        return 2
    variables = dict(one.split("=", 1) for one in options.variable)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shared = {
            key: variables[f"azure_estate_{key}"] for key in ("cloud", "endpoint") if f"azure_estate_{key}" in variables
        }
        inventory(folder, subscription, shared)
        smoke = Smoke(
            subscription, options.location, options.admins, folder, play, time.monotonic, variables,
            not options.without_build, options.seconds,
        )  # fmt: skip
        passed = smoke.everything()
    text = "\n".join(form(smoke, passed, datetime.now(UTC)))
    options.form.write_text(f"{text}\n", encoding="utf-8")
    print(f"{text}\n\nThe form stands in {options.form}.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
