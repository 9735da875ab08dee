# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service does without."""

from __future__ import annotations

import re

from testinfra.host import Host

# What systemd-analyze may find of a service that a role configures.
MOST_EXPOSED = 5.0


def exposure(host: Host, unit: str) -> float:
    """From 0 to 10, by the unit's files."""
    said = host.check_output("systemd-analyze security --no-pager %s", unit)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found, said
    return float(found[1])


def of_process(host: Host, unit: str, key: str) -> str:
    """A line of the main process's status in /proc: what it was started with, whatever the files say."""
    pid = host.check_output("systemctl show --property MainPID --value %s", unit)
    return str(host.check_output("sed --quiet %s /proc/%s/status", f"s/^{key}:\\s*//p", pid)).strip()
