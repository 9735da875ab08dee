# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts of tools/ that others lean on: packages are installed in turn, and a failed step tells its reason in few lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$CALLS"
[ "$1" != update ] || [ "$(grep -c update "$CALLS")" -gt "$BUSY" ]
"""
SLEEP = '#!/bin/sh\necho "sleep $*" >>"$CALLS"\n'


def install(folder: Path, busy: int) -> tuple[int, list[str]]:
    """Install a package where apt's lists are taken for as many times; the exit code and what was called."""
    calls = folder / "calls"
    for name, text in {"apt-get": APT_GET, "sleep": SLEEP}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls), "BUSY": str(busy)}
    done = subprocess.run([TOOLS / "apt.sh", "socat"], env=environment, check=False)
    return done.returncode, calls.read_text(encoding="utf-8").splitlines()


def test_packages_wait_for_taken_lists(tmp_path: Path) -> None:
    code, calls = install(tmp_path, busy=2)
    assert code == 0
    assert calls[:-1] == ["apt-get update -qq", "sleep 5", "apt-get update -qq", "sleep 20", "apt-get update -qq"]
    assert calls[-1].startswith("apt-get install ")
    assert calls[-1].endswith(" socat")


def test_lists_that_stay_taken_end_it(tmp_path: Path) -> None:
    code, calls = install(tmp_path, busy=9)
    assert code == 1
    assert not [call for call in calls if "install" in call]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "fatal: [web1]: FAILED! => meant\nE       AssertionError: assert 1 == 2\nFAILED tests/test_a.py::test_b\n",
            "E       AssertionError: assert 1 == 2\nFAILED tests/test_a.py::test_b\n",
        ),
        (
            "fatal: [web1]: FAILED! => first\nok\nfatal: [web2]: FAILED! => last\nPLAY RECAP\n",
            "fatal: [web2]: FAILED! => last\nPLAY RECAP\n",
        ),
        ("one\ntwo\n", "one\ntwo\n"),
    ],
)
def test_the_reason_of_a_failed_step(tmp_path: Path, output: str, reason: str) -> None:
    (tmp_path / "log").write_text(output, encoding="utf-8")
    command = f". {TOOLS}/common.sh; why {tmp_path}/log"
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=True)
    assert done.stdout == reason
