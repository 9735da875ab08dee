# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove every key that begins with a prefix, in all databases of a server."""

from __future__ import annotations

import re

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import Client, RedisError, parse_info

# How many keys are looked at, and removed, before others have their turn.
BATCH = "500"


def pattern(prefix: str) -> str:
    """Return what MATCH takes for a prefix that is meant as it is."""
    return re.sub(r"([\\*?\[\]^-])", r"\\\1", prefix) + "*"


def databases(client: Client) -> list[str]:
    """Return the databases that hold a key."""
    return [name[2:] for name in parse_info(str(client.command("INFO", "keyspace"))) if re.fullmatch(r"db\d+", name)]


def remove_keys(client: Client, prefix: str, check_mode: bool) -> int:
    """Remove them, without holding up the server; return how many they are."""
    found = 0
    for database in databases(client):
        client.command("SELECT", database)
        cursor = "0"
        while True:
            reply = client.command("SCAN", cursor, "MATCH", pattern(prefix), "COUNT", BATCH)
            if not isinstance(reply, list) or len(reply) != 2:
                raise RedisError("protocol", "SCAN did not answer with a cursor and keys")
            cursor, names = str(reply[0]), [str(name) for name in reply[1]]
            found += len(names)
            if names and not check_mode:
                client.command("UNLINK", *names)
            if cursor == "0":
                break
    client.command("SELECT", "0")
    return found
