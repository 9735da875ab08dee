# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real playbooks and roles over hosts that are not there.

Everything happens as in a true run, up to the moment a module would start on a host: there its arguments (and the file that
goes with it) are written down, and an answer from a table is given back. So a test sees what a host would have been told,
whatever file of the collection said it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
PROGRAM = Path(__file__).with_name("pretended_playbook.py")
# Plays a role of its own on each host; what ends it is handed to a module, so that it is written down as well.
ROLE_PLAY = """
- name: Play the role of each host
  hosts: all
  gather_facts: false
  tasks:
    - name: Play the role
      block:
        - name: Play the role
          ansible.builtin.include_role:
            name: "siteops.webcluster.{{ pretended_role }}"
      rescue:
        - name: Keep what ended the role
          ansible.builtin.ping:
            data: "{{ ansible_failed_result.msg }}"
"""

Variables = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What hosts reply to a module: all of them, or one; always, or only when it is given these arguments."""

    module: str
    result: dict[str, Any]
    host: str = ""
    arguments: tuple[str, ...] = ()


# What our own modules say when there is nothing to do, where a role asks.
USUAL = [
    Answer("preflight", {"missing_packages": [], "findings": [], "adopts": False, "configured": [], "present": []}),
    Answer("apache_modules", {"files": []}),
    Answer("configured_service", {"action": "nothing"}),
    Answer(
        "firewall_info",
        {
            "nftables": True,
            "loaded": True,
            "openings": None,
            "ssh_ports": [22],
            "connection": {"address": "192.0.2.7", "port": 22},
            "listening": [{"port": 22, "program": "sshd"}],
        },
    ),
    Answer("stat", {"stat": {"exists": False}}),
    Answer("redis_settings", {"restart": []}),
    Answer("mysql_certificate", {"waits": False}),
    Answer("host_certificate", {"certificate": "", "authority": ""}),
    Answer("outdated_services", {"outdated": [], "waiting": []}),
    Answer("redis_source", {"in_place": True, "reachable": True, "append_only": True}),
    Answer("mysql_source", {"in_place": True, "server_id": 3120, "unlogged": False}),
]


# What configured_service takes for granted of a file.
FILE_USUAL = {"owner": "root", "group": "root", "mode": "0644"}


@dataclass(frozen=True)
class Call:
    """One module with what it was given."""

    host: str
    module: str
    arguments: dict[str, Any]
    # The file that goes along with a copy.
    content: str


@dataclass(frozen=True)
class Run:
    """What a run told its hosts, and what it printed."""

    code: int
    output: str
    calls: list[Call]

    def of(self, host: str, module: str) -> list[dict[str, Any]]:
        return [call.arguments for call in self.calls if (call.host, call.module) == (host, module)]

    def one(self, host: str, module: str) -> dict[str, Any]:
        """The arguments of a module that runs once."""
        found = self.of(host, module)
        assert len(found) == 1, f"{len(found)} calls of {module} on {host}\n{self.output}"
        return found[0]

    def file(self, host: str, name: str) -> Call:
        """What is written into the file with this name, or end of its path, and how."""
        found = [
            Call(host, "configured_service", {**FILE_USUAL, **file}, file.get("content") or file["secret_content"])
            for arguments in self.of(host, "configured_service")
            for file in arguments["files"]
            if file["path"].endswith(f"/{name}")
        ]
        assert len(found) == 1, f"{len(found)} calls write {name} on {host}\n{self.output}"
        return found[0]

    def refusal(self, host: str) -> str:
        """What ended a host's role; empty where nothing did."""
        return " ".join(str(arguments["data"]) for arguments in self.of(host, "ping"))


@dataclass(frozen=True)
class Case:
    """A host that plays one role: its variables, its facts, and what it replies to its modules."""

    variables: Variables = field(default_factory=dict)
    release: str = "13"
    facts: Variables = field(default_factory=dict)
    answers: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def facts(release: str = "13", more: Variables | None = None) -> dict[str, Any]:
    """What setup finds on a Debian host: 12, 13 or sid."""
    number = release if release.isdigit() else "n/a"
    found = {
        "default_ipv4": {},
        "distribution": "Debian",
        "distribution_major_version": number,
        "distribution_release": {"12": "bookworm", "13": "trixie"}.get(release, release),
        "distribution_version": number,
        "hostname": "pretended",
        "memtotal_mb": 2048,
        "os_family": "Debian",
        "processor_vcpus": 2,
        **(more or {}),
    }
    return {"ansible_facts": {f"ansible_{name}": value for name, value in found.items()}}


def run_playbook(playbook: Path, inventory: Variables, answers: Sequence[Answer], folder: Path, *options: str) -> Run:
    """Run a playbook over an inventory, in an empty folder; the first answer that fits is given."""
    source, table, calls = folder / "hosts.yml", folder / "answers.json", folder / "calls.jsonl"
    source.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    table.write_text(json.dumps([vars(answer) for answer in [*answers, *USUAL]]), encoding="utf-8")
    calls.touch()
    done = subprocess.run(
        [sys.executable, PROGRAM, "--inventory", source, "--connection", "local", *options, playbook],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "PRETENDED_ANSWERS": str(table),
            "PRETENDED_CALLS": str(calls),
            "ANSIBLE_DEPRECATION_WARNINGS": "true",
            "ANSIBLE_LOCAL_TEMP": str(folder),
            "ANSIBLE_NOCOLOR": "true",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    lines = calls.read_text(encoding="utf-8").splitlines()
    output = done.stdout + done.stderr
    assert "DEPRECATION" not in output, output
    return Run(done.returncode, output, [Call(**json.loads(line)) for line in lines])


def play_role(role: str, cases: Mapping[str, Case], folder: Path) -> Run:
    """Play a role on a host for each case, all at once."""
    playbook = folder / "play.yml"
    playbook.write_text(ROLE_PLAY, encoding="utf-8")
    hosts = {name: {"pretended_role": role, **case.variables} for name, case in cases.items()}
    answers = []
    for name, case in cases.items():
        answers.append(Answer("setup", facts(case.release, case.facts), name))
        answers += [Answer(module, result, name) for module, result in case.answers.items()]
    run = run_playbook(playbook, {"all": {"hosts": hosts}}, answers, folder)
    assert run.code == 0, run.output
    return run
