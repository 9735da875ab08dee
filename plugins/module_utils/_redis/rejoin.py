# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an old primary a replica of the present one, unless it has writes of its own that nobody gave up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import Client, RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import (
    ALIVE,
    Member,
    State,
    follow,
    keep_role,
    named,
    try_look,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.own_keys import OwnKey, export, own_keys, told
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import (
    Primary,
    Resolver,
    resolve,
    same_primary,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import wait_until_in_step

# While keys are compared, nobody may add one. The server itself ends the pause, whatever becomes of us.
PAUSE_MS = 600_000


class Host(Protocol):
    """The host of the old primary."""

    def is_active(self) -> bool:
        """Whether the service runs."""

    def at_rest(self) -> Any:
        """A context manager that gives a client of a server over the data of the stopped service, which nobody else reaches."""

    def start_as_replica(self, primary: Primary) -> None:
        """Let the stopped service start as a replica."""


@dataclass(frozen=True)
class Plan:
    """What a rejoin has to do. running: whether the service runs, as the primary or as another one's replica."""

    name: str
    primary: Primary
    primary_name: str
    running: bool
    own: Sequence[OwnKey]
    done: bool = False

    @property
    def text(self) -> list[str]:
        if self.done:
            return [f"{self.name} is a replica of {self.primary_name} already."]
        lost = (
            f"Its own keys are exported to a file on it and then gone: {told(self.own)}."
            if self.own
            else "It has no keys of its own."
        )
        return [
            f"{self.name} becomes a replica of {self.primary_name} and takes over its data. {lost}",
            "Expected downtime: none.",
        ]


def find_primary(members: Sequence[Member], name: str) -> tuple[Member, State]:
    """Return the one primary beside this server; raises RefusedError where there is none, or more than one."""
    looks = [(member, try_look(member)) for member in members if member.name != name]
    found = [(member, state) for member, state in looks if isinstance(state, State) and state.is_primary]
    primaries = [member.name for member, _state in found]
    if len(found) != 1:
        said = (
            f"{' and '.join(primaries)} are primaries"
            if primaries
            else f"no server but {name} says that it is the primary"
        )
        raise RefusedError(
            f"{said}; expected exactly one that {name} can follow. Nothing was changed: promote.yml gives a tier its primary."
        )
    return found[0]


def has_all_of(primary: State, old: State) -> bool:
    """Whether the primary went on from where the old one was, so that it has all of it."""
    return bool(old.stream) and old.stream == primary.former_stream and old.offset + 1 <= primary.former_end


@contextmanager
def no_writes(client: Client) -> Iterator[None]:
    """Let nobody write there meanwhile."""
    client.command("CLIENT", "PAUSE", str(PAUSE_MS), "WRITE")
    try:
        yield
    finally:
        client.command("CLIENT", "UNPAUSE")


def rejoin(
    members: Sequence[Member],
    name: str,
    host: Host,
    allow_reseed: Sequence[str],
    keep: Callable[[list[dict[str, Any]]], Path],
    check_mode: bool,
    wait: float,
    clock: Clock | None = None,
    resolver: Resolver = resolve,
) -> tuple[Plan, list[str]]:
    """Do it, and return the plan and what was done. keep: writes exported keys down."""
    primary, present = find_primary(members, name)
    member = named(members, name)
    found = try_look(member) if host.is_active() else None
    steps: list[str] = []
    if isinstance(found, RedisError):
        raise RefusedError(
            f"The server on {name} runs but does not let itself be asked: {found.message}; expected one that answers, or a stopped one."
            + (" Wait until it has loaded." if found.kind in ALIVE else " Stop its service there.")
            + " Nothing was changed."
        )
    if isinstance(found, State):
        if found.source is not None and same_primary(found.source, primary.place, resolver):
            return Plan(name, primary.place, primary.name, True, (), done=True), steps
        with no_writes(member.client):
            own = _own(member.client, found, primary, present)
            plan = Plan(name, primary.place, primary.name, True, own)
            _keep_or_refuse(plan, member.client, allow_reseed, keep, check_mode, steps)
            if not check_mode:
                follow(member, primary.place)
    else:
        with host.at_rest() as client:
            own = own_keys(client, primary.client)
            plan = Plan(name, primary.place, primary.name, False, own)
            _keep_or_refuse(plan, client, allow_reseed, keep, check_mode, steps)
        if not check_mode:
            host.start_as_replica(primary.place)
    if not check_mode:
        wait_until_in_step([primary, member], primary.name, wait, clock or Clock())
        keep_role(member)
        steps.append(f"{name} is a replica of {primary.name} and in step with it.")
    return plan, steps


def _own(client: Client, found: State, primary: Member, present: State) -> list[OwnKey]:
    return [] if has_all_of(present, found) else own_keys(client, primary.client)


def _keep_or_refuse(
    plan: Plan,
    client: Client,
    allow_reseed: Sequence[str],
    keep: Callable[[list[dict[str, Any]]], Path],
    check_mode: bool,
    steps: list[str],
) -> None:
    if not plan.own:
        return
    path = None if check_mode else keep(export(client, plan.own))
    if plan.name not in allow_reseed:
        where = f" They are exported to {path} there." if path else ""
        raise RefusedError(
            f"{plan.name} has keys of its own: {told(plan.own)}. As a replica of {plan.primary_name} it would lose them;"
            f" expected a server without. Nothing was changed.{where} Give -e allow_reseed={plan.name} to let them go."
        )
    steps.append(f"The keys that only {plan.name} had are kept in {path} on it: {told(plan.own)}.")


def as_replica(text: str, primary: Primary) -> str:
    """Return the server's own configuration file with another role."""
    kept = [line for line in text.splitlines() if not re.match(r"\s*(replicaof|slaveof)\s", line, re.IGNORECASE)]
    return "\n".join([*kept, f"replicaof {primary.host} {primary.port}", ""])
