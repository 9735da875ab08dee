# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the server as one of its users."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import pytest
from testinfra.host import Host

Ask = Callable[..., str]
PASSWORDS = {
    "app": "molecule'\"\\application",
    "replication": "molecule' replication",
    "monitor": "molecule'\"\\monitor",
    "admin": "molecule'\"\\admin",
    "backup": "molecule-backup",
}


@pytest.fixture(scope="module")
def flavor() -> str:
    return "valkey" if os.environ.get("REDIS_FLAVOR") == "valkey" else "redis"


@pytest.fixture(scope="module")
def ask(host: Host, flavor: str) -> Ask:
    """Run one command as a user, or several lines of them; the passwords are those of the scenario's inventory."""

    def run(
        user: str,
        *command: str,
        password: str = "",
        address: str = "127.0.0.1",
        lines: Sequence[str] = (),
    ) -> str:
        secret = password or PASSWORDS[user]
        client = f"REDISCLI_AUTH=%s {flavor}-cli -h %s --no-auth-warning --user %s"
        if lines:
            client = f"printf '%%s\\n' {' '.join(['%s'] * len(lines))} | {client}"
            return str(host.check_output(client, *lines, secret, address, user)).strip()
        words = " ".join(["%s"] * len(command))
        return str(host.check_output(f"{client} {words}", secret, address, user, *command)).strip()

    return run
