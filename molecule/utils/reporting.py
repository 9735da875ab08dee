# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run what an operator runs on a scenario's inventory, from a test: the report of status.yml, and other playbooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # molecule's own settings would hide the checkout's ansible.cfg.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


def inventory(scenario: str) -> str:
    return str(CHECKOUT / "molecule" / scenario / "inventory")


def report(scenario: str) -> dict[str, Any]:
    """The report of status.yml."""
    done = _run([sys.executable, "tools/status.py", "--inventory", inventory(scenario), "--format", "json"])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(found: dict[str, Any], tier: str) -> dict[str, dict[str, str]]:
    """The rows of a tier in a report, by server."""
    return {row["server"]: row for row in found["servers"] if row["tier"] == tier}


def play(scenario: str, playbook: str, *options: str) -> tuple[int, str]:
    """Return the exit code of a playbook and its output, whose lines are joined as the messages were before they were wrapped."""
    done = _run(["ansible-playbook", "--inventory", inventory(scenario), f"playbooks/{playbook}.yml", *options])
    return done.returncode, " ".join((done.stdout + done.stderr).split())
