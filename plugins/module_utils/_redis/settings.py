# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a running Redis server with its configuration and ACL files and bring it to them."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._pem import first_certificate
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisError,
    RedisLogin,
    Session,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError, config_get

SECRETS = frozenset({"masterauth", "requirepass", "tls-key-file-pass", "tls-client-key-file-pass"})

# Read at the start only, and CONFIG GET does not know them.
START_ONLY = frozenset({"include", "loadmodule", "loadmodule-ex", "rename-command", "user"})

# Read by the server when they are set, though their names be the same.
CERTIFICATE_FILES = ("tls-ca-cert-file", "tls-cert-file", "tls-key-file")

NO_SETTING = "webcluster-no-setting"

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
class Plan:
    """What a running server needs to be as its files say. restart names what it cannot take while it runs.

    settings: name -> value to set. users: name -> rules to give. stale: users to remove. There is an entry in before and
    after for each of them. former: users that are let in by a former password, or under a name that has to go.
    """

    live_settings: dict[str, str] = field(default_factory=dict)
    live_users: dict[str, list[str]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)
    former: dict[str, list[str]] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    def forget(self, key: str) -> None:
        del self.before[key], self.after[key]


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
    if name == "notify-keyspace-events":  # letters in any order
        return _events(live) != _events(wanted)
    if name == "dir":
        return os.path.normpath(live) != os.path.normpath(wanted)
    return now != then


def _events(letters: str) -> frozenset[str]:
    return frozenset(letters.replace("A", "g$lshzxetd"))


def only_at_start(client: Session, name: str) -> bool:
    """Ask whether a setting can be set at all, by a command that fails as a whole: no server knows its second setting."""
    try:
        client.command("CONFIG", "SET", name, "0", NO_SETTING, "0")
    except RedisError as error:
        if error.kind != "other":
            raise
        return "immutable" in error.message or "protected" in error.message
    return False


def plan_settings(client: Session, wanted: Mapping[str, str], plan: Plan) -> None:
    for name, value in wanted.items():
        if name in START_ONLY:
            continue
        live = config_get(client, name)
        if live is None or not differs(name, live, value):
            continue
        if only_at_start(client, name):
            plan.restart.append(name)
            continue
        hidden = name in SECRETS
        plan.live_settings[name], plan.settings[name] = live, value
        plan.before[name] = "(hidden)" if hidden else live
        plan.after[name] = "(hidden, new)" if hidden else value


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


def live_users(client: Session) -> dict[str, list[str]]:
    reply = client.command("ACL", "LIST")
    return parse_users("\n".join(str(line) for line in reply) if isinstance(reply, list) else "")


def refuse_own_users(client: Session, acl_file: str, names: Sequence[str]) -> None:
    """Raise where a server that has not got our file yet knows users that the file will not have."""
    if config_get(client, "aclfile") == acl_file:
        return
    own = [name for name in live_users(client) if name not in (*names, "default")]
    if own:
        raise RefusedError(
            f"The server has ACL users of its own, {', '.join(own)}, which {acl_file} would not have. Nothing was changed: name"
            " them in redis_server_extra_users, or remove them from the server."
        )


def _hashes(rules: list[str]) -> set[str]:
    return {rule for rule in rules if rule.startswith("#")}


def _public(rules: list[str] | None) -> str:
    """Return rules without the hashes of passwords."""
    return "absent" if rules is None else " ".join("#..." if rule[:1] in "#>" else rule for rule in rules)


def refuse_open_door(users: Mapping[str, list[str]], acl_file: str) -> None:
    """Raise where a restart would let everybody in."""
    if "default" not in users:
        raise RefusedError(
            f"{acl_file} has no line for the user default: after a restart the server would let everybody in without a"
            " password. Add 'user default off', or what that user may do. Nothing was changed."
        )


def former_users(
    live: Mapping[str, list[str]], wanted: Mapping[str, list[str]], known: Collection[str]
) -> dict[str, list[str]]:
    """Return users with what lets them in beside the wanted: a password that was another, or a known name that goes."""
    found: dict[str, list[str]] = {}
    for name, rules in live.items():
        then = wanted.get(name)
        if then is None and name in known and "on" in rules:
            found[name] = rules
        elif then is not None and "on" in then and (former := _hashes(rules) - _hashes(then)):
            found[name] = [*then, *sorted(former)]
    return found


def plan_users(client: Session, wanted: Mapping[str, list[str]], plan: Plan, known: Collection[str] | None) -> None:
    plan.live_users = live = live_users(client)
    if known is not None:
        plan.former = former_users(live, wanted, known)
        wanted = {**wanted, **plan.former}
    plan.stale = [name for name in live if name not in wanted]
    plan.users = {
        name: rules for name, rules in wanted.items() if name not in live or rule_set(live[name]) != rule_set(rules)
    }
    for name in (*plan.users, *plan.stale):
        before, after = live.get(name), plan.users.get(name)
        plan.before[f"user {name}"] = _public(before)
        plan.after[f"user {name}"] = _public(after)
        if before is not None and after is not None and _hashes(before) != _hashes(after):
            plan.after[f"user {name}"] += " (new password)"


def plan_certificate(wanted: Mapping[str, str], plan: Plan, shown: str | None) -> None:
    """Let a server that speaks TLS read its files again: CONFIG GET tells their names, not what they held.

    shown: the certificate that the server shows at present, in DER as hexadecimal; None where it speaks no TLS yet.
    """
    if shown is None:
        return
    for name in CERTIFICATE_FILES:
        if name in wanted:
            plan.settings[name] = wanted[name]
    ours = first_certificate(Path(wanted["tls-cert-file"]).read_text(encoding="utf-8"))
    if shown != ours:
        plan.before["certificate"], plan.after["certificate"] = _fingerprint(shown), _fingerprint(ours)


def _fingerprint(certificate: str) -> str:
    return f"SHA-256 {hashlib.sha256(bytes.fromhex(certificate)).hexdigest()}"


def make_plan(
    client: Session,
    settings: Mapping[str, str],
    users: Mapping[str, list[str]] | None,
    known: Collection[str] | None = None,
) -> Plan:
    """Compare; nothing is changed. Without users those of the server are left alone.

    known: names of users that were given before, where what is former has to stay.
    """
    plan = Plan()
    plan_settings(client, settings, plan)
    if users is not None:
        plan_users(client, users, plan, known)
    return plan


def password_rule(password: str) -> str:
    """Return the rule by which a user has this password."""
    return f"#{hashlib.sha256(password.encode('utf-8')).hexdigest()}"


def keep_former_users(path: str, former: Mapping[str, list[str]]) -> None:
    """Write into an ACL file, in one step and with its rights, what a restart must not take away yet."""
    file, temporary = Path(path), Path(f"{path}.new")
    users = {**parse_users(file.read_text(encoding="utf-8")), **former}
    rights = file.stat()
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as text:
        text.writelines(f"user {name} {' '.join(rules)}\n" for name, rules in users.items())
    os.chown(temporary, rights.st_uid, rights.st_gid)
    temporary.chmod(rights.st_mode & 0o777)
    temporary.replace(file)


def carry_out(client: Session, plan: Plan, login: RedisLogin) -> None:
    """Change all or nothing; what turns out to be another spelling of what was there is no change."""
    given: list[str] = []
    try:
        # First of all the user of the given login: the one that let us in may lose its rights, or go.
        for name in sorted(plan.users, key=lambda each: each != login.username):
            # One command for each user; unlike ACL LOAD that closes no connection.
            client.command("ACL", "SETUSER", name, "reset", *plan.users[name])
            given.append(name)
            if name == login.username and password_rule(login.password or "") in plan.users[name]:
                client.log_in_as(login)
        if plan.stale:
            given += plan.stale
            client.command("ACL", "DELUSER", *plan.stale)
        if plan.settings:
            # The server takes all of them or none.
            client.command("CONFIG", "SET", *(word for item in plan.settings.items() for word in item))
    except RedisError as error:
        if error.kind != "other":
            raise
        _give_back(client, given, plan.live_users)
        raise RefusedError(
            f"The running server refuses what its files say: {error.message}. Nothing was changed."
        ) from None
    now = live_users(client)
    for name in (*plan.users, *plan.stale):
        if name in plan.live_users and name in now and rule_set(now[name]) == rule_set(plan.live_users[name]):
            plan.forget(f"user {name}")
    for name, live in plan.live_settings.items():
        if config_get(client, name) == live:
            plan.forget(name)


def _give_back(client: Session, names: Sequence[str], users: Mapping[str, list[str]]) -> None:
    # The user that lets us in at last.
    for name in reversed(names):
        if name in users:
            client.command("ACL", "SETUSER", name, "reset", *users[name])
        else:
            client.command("ACL", "DELUSER", name)


def wait_for_aof(client: Session, timeout: float, sleep: Callable[[float], None] = time.sleep) -> None:
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
