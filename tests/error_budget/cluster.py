# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of the lab as the runs of this folder see it: hosts, playbooks, and what its data servers hold."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
# The databases that belong to the server, or are written by every look.
OWN_DATABASES = ("mysql", "sys", "information_schema", "performance_schema", "ansible_canary")
# Runs on a MySQL host: every row of every table of the applications.
ROWS = """
own = {own}
def ask(query):
    shown = subprocess.run(["mysql", "-NBe", query], capture_output=True, text=True, check=True).stdout
    return shown.splitlines()
names = ", ".join(f"'{{name}}'" for name in own)
tables = ask("SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables"
             f" WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ({{names}})")
print(json.dumps({{table: sorted(ask(f"SELECT * FROM {{table}}")) for table in tables}}))
"""
# Runs on a Redis host: every key that stays, with its serialized value; the canary and what the demo caches have a time to live.
KEYS = """
def ask(*words):
    return subprocess.run(["redis-cli", "--user", user, "--no-auth-warning", *words], capture_output=True,
                          env={**os.environ, "REDISCLI_AUTH": password}, check=True).stdout
names = [name for name in ask("--scan").decode("utf-8", "surrogateescape").splitlines() if ask("TTL", name).strip() == b"-1"]
print(json.dumps({name: ask("DUMP", name).hex() for name in sorted(names)}))
"""

KEEP = """
CREATE OR REPLACE TABLE kept (id BIGINT UNSIGNED PRIMARY KEY, text VARCHAR(255) NOT NULL);
CREATE OR REPLACE TRIGGER keep AFTER INSERT ON items FOR EACH ROW INSERT INTO kept VALUES (NEW.id, NEW.text);
"""

# Takes the values that a program on a host is given, so that no secret stands in a command.
PROGRAM_HEAD = "import json, os, subprocess, sys\nglobals().update(json.loads(sys.stdin.readline()))\n"


def usual_sites() -> list[dict[str, Any]]:
    """What webcluster_sites is where nobody gives it: the demo."""
    specs = yaml.safe_load((CHECKOUT / "playbooks/meta/argument_specs.yml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = specs["argument_specs"]["main"]["options"]["webcluster_sites"]["default"]
    return found


class ClusterError(Exception):
    """A sentence that says what failed."""


@dataclass(frozen=True)
class Lab:
    """The lab of an inventory folder, up and converged or not."""

    inventory: Path = CHECKOUT / "inventory/lab"
    # What every playbook is told beside the inventory.
    settings: Mapping[str, Any] = field(default_factory=dict)

    def command(self, *words: str, stdin: str | None = None, seconds: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command of the checkout; its exit code is for the caller to judge."""
        # Ansible must not wrap or colour what is looked for in its output.
        environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "NO_COLOR": "1", "LAB_PYTHON": sys.executable}
        return subprocess.run(
            words,
            cwd=CHECKOUT,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def playbook(self, name: str, *options: str, variables: Mapping[str, Any] | None = None) -> tuple[int, str]:
        """Return the exit code and the output of a playbook."""
        done = self.command(*self.playbook_words(name, *options, variables=variables), seconds=1200)
        return done.returncode, done.stdout + done.stderr

    def playbook_words(self, name: str, *options: str, variables: Mapping[str, Any] | None = None) -> list[str]:
        """The command that runs a playbook."""
        told = {**self.settings, **(variables or {})}
        words = ["ansible-playbook", "-i", str(self.inventory), name, *options]
        return [*words, *(["-e", json.dumps(told)] if told else [])]

    def expect(
        self,
        name: str,
        said: Sequence[str],
        *options: str,
        fails: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        """Run a playbook, which must end well or fail, and say this."""
        code, output = self.playbook(name, *options, variables=variables)
        words = " ".join(output.split())
        lacking = [text for text in said if text not in words]
        if (code != 0) != fails or lacking:
            raise ClusterError(f"{name} ended with {code}, and did not say {lacking}:\n{output}")

    def converge(self, *options: str, variables: Mapping[str, Any] | None = None) -> str:
        """Run site.yml, which must succeed."""
        code, output = self.playbook("site.yml", *options, variables=variables)
        if code != 0:
            raise ClusterError(f"site.yml failed:\n{output}")
        return output

    def verdict(self) -> dict[str, Any]:
        """The report of status, as data."""
        done = self.command(sys.executable, "tools/status.py", "--inventory", str(self.inventory), "--format", "json")
        if not done.stdout.strip():
            raise ClusterError(f"status gave no report: {done.stderr}")
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def lab(self, action: str, *words: str, stdin: str | None = None) -> str:
        done = self.command("lab/lab", action, "--inventory", str(self.inventory), *words, stdin=stdin)
        if done.returncode != 0:
            raise ClusterError(f"'lab {action} {' '.join(words)}' failed: {done.stdout}{done.stderr}")
        return done.stdout

    def on(self, host: str, *words: str, stdin: str | None = None) -> str:
        """What a command says that runs as root on a host, and must succeed."""
        return self.lab("ssh", host, shlex.join(["sudo", *words]), stdin=stdin)

    def run_python(self, host: str, program: str, **values: Any) -> Any:
        """What a program prints as JSON that runs as root on a host; its values, secrets too, go through standard input."""
        return json.loads(self.on(host, "python3", "-c", PROGRAM_HEAD + program, stdin=f"{json.dumps(values)}\n"))

    def addresses(self) -> dict[str, str]:
        """The address of each host."""
        return dict(line.split() for line in self.lab("list").splitlines())

    def groups(self) -> dict[str, list[str]]:
        """The hosts of each role, as the inventory names them on the first day."""
        loaded = yaml.safe_load((self.inventory / "hosts.yml").read_text(encoding="utf-8"))
        found: dict[str, list[str]] = {}

        def walk(name: str, group: Mapping[str, Any] | None) -> list[str]:
            hosts = list((group or {}).get("hosts") or {})
            for child, inner in ((group or {}).get("children") or {}).items():
                hosts += walk(child, inner)
            found[name] = hosts
            return hosts

        for name, group in loaded.items():
            walk(name, group)
        return found

    def secret(self, name: str) -> str:
        """A password that the first run made on the controller."""
        return (self.inventory / ".secrets" / name).read_text(encoding="utf-8").strip()

    def rows(self, host: str) -> dict[str, list[str]]:
        """Every row of the applications' tables on a MySQL host, by table."""
        found: dict[str, list[str]] = self.run_python(host, ROWS.format(own=OWN_DATABASES))
        return found

    def keys(self, host: str, user: str = "admin", password: str | None = None) -> dict[str, str]:
        """Every key with its value on a Redis host."""
        secret = self.secret("redis_admin") if password is None else password
        found: dict[str, str] = self.run_python(host, KEYS, user=user, password=secret)
        return found

    def keep_items(self, primary: str) -> None:
        """Let the database keep what the demo writes: the demo itself only keeps its newest items."""
        self.on(primary, "mysql", "demo", "-e", KEEP)


def table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """Columns as wide as what stands in them."""
    texts = [[str(cell) for cell in line] for line in (head, *lines)]
    widths = [max(len(line[index]) for line in texts) for index in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in texts
    )
