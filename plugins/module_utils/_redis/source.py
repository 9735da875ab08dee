# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what makes a Redis server a primary or the replica of a given one, and refuse what would delete keys."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.siteops.webcluster.plugins.module_utils._primary_login import Problem
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisError,
    RedisLogin,
    Session,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError, config_get

Resolver = Callable[[str], set[str]]


@dataclass(frozen=True)
class Primary:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Wanted:
    """The server as it has to be; with None for primary it is to be one itself."""

    primary: Primary | None
    user: str | None = None
    password: str | None = None
    allow_promote: bool = False
    allow_repoint: bool = False
    # None: as it is.
    tls: bool | None = None
    ca_cert: str | None = None
    # Where the same primary is reached as well, without TLS or with it; 0: nowhere.
    other_port: int = 0


@dataclass(frozen=True)
class Found:
    """What the server is now. written is the one that its configuration file would give it after a restart."""

    primary: Primary | None
    link_up: bool
    keys: int
    replicas: int
    user: str
    password: str
    written: Primary | None
    config_file: str
    append_only: bool = True
    tls: bool = False


@dataclass(frozen=True)
class Plan:
    commands: tuple[tuple[str, ...], ...]
    rewrite: bool

    @property
    def changed(self) -> bool:
        return bool(self.commands) or self.rewrite


def resolve(name: str) -> set[str]:
    """Return the addresses of a host name, nothing when it has none."""
    try:
        return {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except OSError:
        return set()


def same_primary(one: Primary | None, other: Primary | None, resolver: Resolver = resolve) -> bool:
    if one is None or other is None:
        return one is other
    if one.port != other.port:
        return False
    return one.host == other.host or bool(resolver(one.host) & resolver(other.host))


def count_keys(keyspace: Mapping[str, str]) -> int:
    """Add up the keys of INFO keyspace."""
    return sum(int(found.group(1)) for value in keyspace.values() if (found := re.search(r"keys=(\d+)", value)))


def written_primary(text: str) -> Primary | None:
    """Return what the last replicaof line of a configuration file says."""
    primary = None
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[0].lower() in ("replicaof", "slaveof"):
            host, port = shlex.split(words[1])[0], shlex.split(words[2])[0]
            primary = None if host.lower() == "no" else Primary(host, int(port))
    return primary


def look(client: Session, read_file: Callable[[str], str]) -> Found:
    """Read the present state from the server and its configuration file."""
    replication = client.info("replication")
    primary = None
    if replication.get("role") == "slave":
        primary = Primary(replication.get("master_host", ""), int(replication.get("master_port", "0")))
    config_file = client.info("server").get("config_file", "")
    return Found(
        primary=primary,
        link_up=replication.get("master_link_status") == "up",
        keys=count_keys(client.info("keyspace")),
        replicas=int(replication.get("connected_slaves", "0")),
        user=config_get(client, "masteruser") or "",
        password=config_get(client, "masterauth") or "",
        written=written_primary(read_file(config_file)) if config_file else primary,
        config_file=config_file,
        append_only=config_get(client, "appendonly") == "yes",
        tls=config_get(client, "tls-replication") == "yes",
    )


def decide(found: Found, wanted: Wanted, server: str, resolver: Resolver = resolve) -> Plan:
    """Return the commands that lead from found to wanted; raise RefusedError when keys or a role would be lost."""
    commands: list[tuple[str, ...]] = []
    for name, now, then in (
        ("masteruser", found.user, wanted.user),
        ("masterauth", found.password, wanted.password),
    ):
        if then is not None and then != now:
            commands.append(("CONFIG", "SET", name, then))
    if wanted.tls not in (None, found.tls):
        # For the next connection only; the present one goes on until REPLICAOF.
        commands.append(("CONFIG", "SET", "tls-replication", "yes" if wanted.tls else "no"))
    if not same_primary(found.primary, wanted.primary, resolver):
        if wanted.primary is None:
            if not wanted.allow_promote:
                raise RefusedError(
                    f"The server at {server} is a replica of {found.primary}, not a primary, and is left as it is."
                    " Promote it first, or name it as replica."
                )
            commands.append(("REPLICAOF", "NO", "ONE"))
        else:
            _refuse_lost_role(found, wanted, server, resolver)
            commands.append(("REPLICAOF", wanted.primary.host, str(wanted.primary.port)))
    stale = not same_primary(found.written, wanted.primary, resolver)
    return Plan(tuple(commands), bool(found.config_file) and (bool(commands) or stale))


def _is_its_other_port(primary: Primary, wanted: Wanted, resolver: Resolver) -> bool:
    """Whether the same server is followed already, over its port without TLS or with it."""
    at_other = replace(wanted.primary, port=wanted.other_port) if wanted.primary else None
    return bool(wanted.other_port) and same_primary(primary, at_other, resolver)


def _refuse_lost_role(found: Found, wanted: Wanted, server: str, resolver: Resolver) -> None:
    if found.primary is not None:
        if not wanted.allow_repoint and not _is_its_other_port(found.primary, wanted, resolver):
            raise RefusedError(
                f"The server at {server} replicates from {found.primary} and is not re-pointed to {wanted.primary}:"
                " after a failover that would undo it. Name the live primary, or set allow_repoint."
            )
        return
    if found.replicas:
        raise RefusedError(
            f"The server at {server} is the primary of {found.replicas} replica(s) and is not made a replica of"
            f" {wanted.primary}: after a failover that would undo it. Name the live primary, or switch over first."
        )
    if found.keys:
        raise RefusedError(
            f"The server at {server} holds {found.keys} key(s) of its own and is not made a replica of"
            f" {wanted.primary}: the first synchronisation would delete them. Save and remove them by hand,"
            " or make this server the primary."
        )


def carry_out(client: Session, plan: Plan) -> None:
    """Send the commands and let the server write its own configuration file."""
    for command in plan.commands:
        client.command(*command)
    if plan.rewrite:
        client.command("CONFIG", "REWRITE")


def login_at_primary(login: RedisLogin, primary: Primary, found: Found, wanted: Wanted) -> RedisLogin:
    """Return the login with which this server will ask its primary."""
    return replace(
        login,
        host=primary.host,
        port=primary.port,
        unix_socket=None,
        username=found.user or None if wanted.user is None else wanted.user,
        password=found.password or None if wanted.password is None else wanted.password,
        tls=bool(wanted.tls),
        ca_cert=wanted.ca_cert,
    )


def primary_problem(client: Session) -> Problem | None:
    """Log in at the primary as the replication does."""
    login = client.login
    name = f"The primary {login.host}:{login.port}"
    try:
        client.command("PING")
    except RedisError as error:
        if error.kind == "auth":
            return Problem(
                f"{name} refuses the user {login.username!r}: wrong replication password or no such user", False
            )
        if error.kind == "noperm":
            return Problem(f"{name} does not allow the user {login.username!r} to replicate: {error.message}", False)
        if error.kind == "unreachable":
            return Problem(f"{name} cannot be reached: {error.message}", True)
        return Problem(f"{name} answers: {error.message}", error.kind == "loading")
    return None
