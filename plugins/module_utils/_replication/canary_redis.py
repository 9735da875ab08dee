# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a key from the primary to the replicas of Redis and Valkey: the one proof that no status can give."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import integer
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import Client, RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import CanaryReply, Refusal

# The token follows after a colon: a key for each check, so that two at the same time do not hide each other's.
KEY = "ansible:canary"
TTL_SECONDS = 120
ACKNOWLEDGE_MS = 1000

Clock = Callable[[], float]


def write(client: Client, canary: Canary, user: str | None, replicas: int, clock: Clock = time.time) -> CanaryReply:
    """Write the canary and wait until the replicas that are in sync have acknowledged it."""
    begin = clock()
    value = f"{begin:.6f}"
    try:
        client.command("SET", f"{KEY}:{canary.token}", value, "EX", str(TTL_SECONDS))
    except RedisError as error:
        return CanaryReply(refusal=refusal(error, canary, user))
    acknowledged = None
    if replicas:
        try:
            acknowledged = integer(client.command("WAIT", str(replicas), str(ACKNOWLEDGE_MS)))
        except RedisError as error:
            if error.kind in ("unreachable", "protocol"):
                return CanaryReply(refusal=refusal(error, canary, user))
    took = round((clock() - begin) * 1000) if acknowledged == replicas else None
    return CanaryReply(seen=True, written_at=_moment(begin), age_ms=0, took_ms=took)


def read(client: Client, canary: Canary, user: str | None, clock: Clock = time.time) -> CanaryReply:
    """Look for the canary."""
    try:
        value = client.command("GET", f"{KEY}:{canary.token}")
    except RedisError as error:
        return CanaryReply(refusal=refusal(error, canary, user))
    if value is None:
        return CanaryReply(seen=False)
    try:
        written = float(str(value))
        return CanaryReply(seen=True, written_at=_moment(written), age_ms=round((clock() - written) * 1000))
    except (ValueError, OverflowError, OSError):
        return CanaryReply(seen=True)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def refusal(error: RedisError, canary: Canary, user: str | None) -> Refusal:
    """Say what a refused canary means."""
    said = f" ({error.message})"
    if error.kind == "noperm":
        rights = "+set +get +wait" if canary.mode == "write" else "+get"
        hint = f"ACL SETUSER {user or 'default'} {rights} ~{KEY}:*"
        return Refusal("auth_failed", f"the login may not use the canary's key{said}", hint)
    known = {
        "READONLY": ("broken", "this server is a replica and refuses writes", "Write the canary on the primary."),
        "NOREPLICAS": (
            "no_replicas",
            "this primary refuses writes because too few replicas are in sync",
            "Bring the replicas back; CONFIG SET min-replicas-to-write 0 accepts writes without them.",
        ),
        "OOM": (
            "broken",
            "the primary's memory is full and nothing may be removed",
            "CONFIG SET maxmemory <more>, or another maxmemory-policy than noeviction.",
        ),
        "MISCONF": (
            "broken",
            "the primary refuses writes because it cannot save to disk",
            "Free space in its directory (CONFIG GET dir) and see its log; BGSAVE then shows whether it works again.",
        ),
        "MASTERDOWN": (
            "connecting",
            "this replica answers no reads while the link to its primary is down",
            "Bring the link back; CONFIG SET replica-serve-stale-data yes lets it answer with old data.",
        ),
        "LOADING": ("syncing", "the server is reading its data from disk", "Wait."),
    }
    code = error.code or error.message.split(" ", 1)[0]
    if code in known:
        state, message, hint = known[code]
        return Refusal(state, message + said, hint)
    verb = "written" if canary.mode == "write" else "read"
    return Refusal("broken", f"the canary could not be {verb}{said}")
