# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs over the data tiers share: a move that is killed, and a host that nobody reaches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .cluster import ClusterError, Lab
from .rotate_secrets import begun

# Seconds that a killed run's modules may go on for.
SETTLE = 5.0


def killed_and_again(lab: Lab, step: str, tier: str, to: str, done: str) -> None:
    """Kill switchover.yml as a step begins; run again, it finishes, or says that this was done."""
    begun(lab, step, "playbooks/switchover.yml", "-e", f"tier={tier}", "-e", f"to={to}")
    time.sleep(SETTLE)
    code, output = lab.playbook("playbooks/switchover.yml", variables={"tier": tier, "to": to})
    if code != 0 and done not in " ".join(output.split()):
        raise ClusterError(f"Killed at '{step}' and run again, switchover.yml failed:\n{output}")


@contextmanager
def out_of_reach(host: str) -> Iterator[tuple[str, str]]:
    """The options of a run that reaches every host but this one."""
    with TemporaryDirectory() as folder:
        inventory = Path(folder) / "hosts.yml"
        inventory.write_text(f"all: {{hosts: {{{host}: {{ansible_port: 1}}}}}}\n", encoding="utf-8")
        yield "-i", str(inventory)
