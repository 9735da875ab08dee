# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure-smoke by itself, without its build, against a loopback subscription: made, found unchanged, removed, told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, LoopbackArm
from ansible_collections.siteops.webcluster.tests.loopback_estate import Ledger

CHECKOUT = Path(__file__).resolve().parents[3]


def test_it_leaves_nothing_behind_and_tells_what_it_found(tmp_path: Path) -> None:
    ledger = Ledger(retry_after=0.01)
    path = tmp_path / "form.md"
    with LoopbackArm(ledger=ledger) as arm:
        settings = (f"endpoint={arm.url}", "ssh_public_key=ssh-ed25519 " + "A" * 68)
        words = [word for one in settings for word in ("--variable", f"azure_estate_{one}")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ANSIBLE_"))}
        environment |= {"AZURE_ACCESS_TOKEN": TOKEN, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
        done = subprocess.run(
            [sys.executable, "tools/azure_smoke.py", "--confirm", SUBSCRIPTION, "--location", "westeurope", "--admins",
             "203.0.113.7/32", "--without-build", "--form", str(path), *words],
            cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# azure-smoke: passed\n")
    assert [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| ")][1:] == [
        ["| plan, and nobody's group of that name", "passed"],
        ["| make", "passed"],
        ["| make again changes nothing", "passed"],
        ["| remove", "passed"],
    ]
    assert (ledger.held, ledger.count("PUT")) == ({}, 25)
