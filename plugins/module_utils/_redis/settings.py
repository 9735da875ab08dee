# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a running Redis server with its configuration and ACL files and bring it to them."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisClient, RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError, config_get

SECRETS = frozenset({"masterauth", "requirepass", "tls-key-file-pass", "tls-client-key-file-pass"})

# Read at the start only, and CONFIG GET does not know them.
START_ONLY = frozenset({"include", "loadmodule", "loadmodule-ex", "rename-command", "user"})

_UNITS = {
    "b": 1,
    "k": 1000,
    "kb": 1024,
    "m": 1000**2,
    "mb": 1024**2,
    "g": 1000**3,
    "gb": 1024**3,
}

_ALIASES = {
    "allkeys": "~*",
    "allchannels": "&*",
    "allcommands": "+@all",
    "nocommands": "-@all",
}

# What a user has without being told.
_IMPLIED = frozenset({"sanitize-payload", "resetchannels", "resetkeys", "resetpass", "-@all", "reset"})


@dataclass
class Outcome:
    """before and after hold what was changed; restart names what a running server cannot take."""

    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    restart: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return self.before != self.after


def parse_config(text: str) -> dict[str, str]:
    """Return the settings of a configuration file as CONFIG SET takes them; of a repeated one the last line counts."""
    settings: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, *values = shlex.split(line)
        name = name.lower()
        value = " ".join(values)
        if name in ("save", "client-output-buffer-limit") and value and settings.get(name):
            value = f"{settings[name]} {value}"
        settings[name] = value
    return settings


def _word(word: str) -> str:
    found = re.fullmatch(r"(\d+)([kmg]?b?)", word.lower())
    if found and found.group(2):
        return str(int(found.group(1)) * _UNITS[found.group(2)])
    return {"slave": "replica"}.get(word, word)


def canonical(value: str) -> list[str]:
    """Spell a value the way values can be compared: memory in bytes, one space."""
    return [_word(word) for word in value.split()]


def differs(name: str, live: str, wanted: str) -> bool:
    now, then = canonical(live), canonical(wanted)
    if name == "client-output-buffer-limit":  # CONFIG GET gives all classes, the file only ours
        classes = {tuple(now[start : start + 4]) for start in range(0, len(now), 4)}
        return not all(tuple(then[start : start + 4]) in classes for start in range(0, len(then), 4))
    return now != then


def apply_settings(client: RedisClient, wanted: Mapping[str, str], outcome: Outcome, check_mode: bool) -> None:
    """Set what differs; note what only a restart can change."""
    for name, value in wanted.items():
        if name in START_ONLY:
            continue
        live = config_get(client, name)
        if live is None or not differs(name, live, value):
            continue
        after = value
        if not check_mode:
            try:
                client.command("CONFIG", "SET", name, value)
            except RedisError as error:
                if "immutable" not in error.message and "protected" not in error.message:
                    raise RefusedError(f"The running server refuses {name}: {error.message}") from None
                outcome.restart.append(name)
                continue
            after = config_get(client, name) or ""
        if after != live:
            hidden = name in SECRETS
            outcome.before[name] = "(hidden)" if hidden else live
            outcome.after[name] = "(hidden, new)" if hidden else after


def parse_users(text: str) -> dict[str, list[str]]:
    """Return the rules of each user of an ACL file or of ACL LIST."""
    users: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "user":
            users[words[1]] = words[2:]
    return users


def rule_set(rules: list[str]) -> frozenset[str]:
    """Return rules in a form that does not depend on their order or spelling."""
    return frozenset(_ALIASES.get(rule, rule) for rule in rules) - _IMPLIED


def live_users(client: RedisClient) -> dict[str, list[str]]:
    reply = client.command("ACL", "LIST")
    return parse_users("\n".join(str(line) for line in reply) if isinstance(reply, list) else "")


def _hashes(rules: list[str]) -> set[str]:
    return {rule for rule in rules if rule.startswith("#")}


def _public(rules: list[str] | None) -> str:
    """Return rules without the hashes of passwords."""
    return "absent" if rules is None else " ".join("#..." if rule[:1] in "#>" else rule for rule in rules)


def apply_users(client: RedisClient, wanted: Mapping[str, list[str]], outcome: Outcome, check_mode: bool) -> None:
    """Give each user its rules in one command; unlike ACL LOAD that closes no connection."""
    before = live_users(client)
    stale = [name for name in before if name not in wanted]
    new = [name for name, rules in wanted.items() if name not in before or rule_set(before[name]) != rule_set(rules)]
    if check_mode:
        after: dict[str, list[str]] = {name: list(wanted[name]) for name in new}
    else:
        for name in new:
            client.command("ACL", "SETUSER", name, "reset", *wanted[name])
        if stale:
            client.command("ACL", "DELUSER", *stale)
        after = live_users(client) if new or stale else before
    for name in (*new, *stale):
        if name not in before or name not in after or rule_set(before[name]) != rule_set(after[name]):
            outcome.before[f"user {name}"] = _public(before.get(name))
            outcome.after[f"user {name}"] = _public(after.get(name))
            if name in before and _hashes(before[name]) != _hashes(after.get(name, [])):
                outcome.after[f"user {name}"] += " (new password)"


def wait_for_aof(client: RedisClient, timeout: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until the append-only file that was just turned on holds all keys; before that a restart would lose them."""
    deadline = time.monotonic() + timeout
    while True:
        state = client.info("persistence")
        busy = state.get("aof_rewrite_in_progress") == "1" or state.get("aof_rewrite_scheduled") == "1"
        if not busy and state.get("aof_last_bgrewrite_status") == "ok":
            return
        if time.monotonic() >= deadline:
            raise RefusedError(
                f"The append-only file was not complete after {timeout:g} seconds; the server is not restarted."
            )
        sleep(0.2)
