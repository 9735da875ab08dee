# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a scenario's converge playbook with other variables, from a test."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


def changes(output: str) -> int:
    """Return how many tasks changed something, on all hosts together."""
    found = re.findall(r"\bchanged=(\d+)", output)
    assert found, f"no recap in\n{output}"
    return sum(map(int, found))


def converge(scenario: str, variables: Mapping[str, Any] | None = None, *options: str) -> tuple[int, str]:
    """Return the exit code and the output, its lines joined as the message was before it was wrapped."""
    folder = CHECKOUT / "molecule" / scenario
    command = ["ansible-playbook", "--inventory", str(folder / "inventory"), str(folder / "converge.yml"), *options]
    if variables:
        command += ["--extra-vars", json.dumps(variables)]
    done = subprocess.run(command, cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=300)
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)
