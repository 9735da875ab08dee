# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a scenario's converge playbook with other variables, from a test, and leave files as a run does that ended too early."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testinfra.host import Host

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
    # Molecule asks for colours, whose codes stand within the words that the tests look for.
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, check=False, capture_output=True, text=True, timeout=300
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


def leave_unread(host: Host, scenario: str, variables: Mapping[str, Any], paths: Sequence[str], *options: str) -> None:
    """Leave files as a run does that wrote them for these variables and ended before their services could read them."""
    for wanted in (variables, None):
        code, output = converge(scenario, wanted, *options)
        assert code == 0, output
        if wanted:
            kept = {path: host.check_output("base64 --wrap=0 %s", path) for path in paths}
    for path, text in kept.items():
        host.check_output("printf %%s %s | base64 --decode | tee %s >/dev/null", text, path)


def read_by_the_next_run(scenario: str, variables: Mapping[str, Any], services: int, *options: str) -> None:
    """The run that ended too early, once more: it has nothing to write, and tells each service; then there is nothing to do."""
    code, output = converge(scenario, variables, *options)
    assert code == 0, output
    assert changes(output) == services
    assert changes(converge(scenario, variables, *options)[1]) == 0
