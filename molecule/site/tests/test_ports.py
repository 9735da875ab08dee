# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only needed ports are open, from outside and between the tiers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
INVENTORY = CHECKOUT / "molecule/site/inventory"
SSH = ["ssh", "-F", str(INVENTORY / ".lab/current/ssh_config")]


def knock() -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.error_budget.open_ports", "--inventory", str(INVENTORY)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_only_needed_ports_are_open() -> None:
    code, output = knock()
    assert code == 0, output
    assert "8404" in output, "nothing listens that could be open"


def test_a_host_without_its_table_is_noticed() -> None:
    subprocess.run([*SSH, "siteredis1", "sudo", "systemctl", "stop", "webcluster-firewall"], check=True)
    try:
        code, output = knock()
    finally:
        subprocess.run([*SSH, "siteredis1", "sudo", "systemctl", "start", "webcluster-firewall"], check=True)
    assert code == 1
    for knocking in ("outside", "sitelb", "sitemysql1"):
        assert f"WRONG: {knocking} reaches port 6378 of siteredis1, and has no need to." in output
    assert "siteredis2" not in output.partition("WRONG")[2]
