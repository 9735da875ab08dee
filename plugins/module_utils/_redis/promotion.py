# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a replica the primary because the primary is dead, and refuse it where that would lose what need not be lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import (
    ALIVE,
    Member,
    State,
    follow,
    how_many,
    keep_role,
    member_at,
    named,
    try_look,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import Resolver, resolve, same_primary
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import wait_until_in_step

# Kept in the data, so that every replica knows of it, for as long as a second promotion has to be acknowledged.
MARK = "ansible:promotion"
MARK_SECONDS = 3600
# The primary is asked again and again for so long before it counts as dead.
PATIENCE = 5.0
PAUSE = 1.0


@dataclass(frozen=True)
class Seen:
    """The tier with a primary that is silent: every server that answers, at the end of a while and at its begin."""

    members: Sequence[Member]
    # Empty where the promotion was made already.
    dead: str
    silence: str
    states: Mapping[str, State]
    before: Mapping[str, State]
    seconds: float
    # What the last promotion of the hour left: the name of the new primary.
    promoted: str = ""

    def heard(self, name: str) -> bool:
        """Whether a replica has got something from its primary while we waited."""
        now, then = self.states[name], self.before.get(name)
        # Whole seconds are told, rounded down.
        fresh = now.link_up and 0 <= now.heard + 1 < self.seconds
        return fresh or (then is not None and now.received > then.received)


@dataclass(frozen=True)
class Plan:
    """What a promotion has to do; without dead the new primary is there already, and only others have to follow it."""

    to: str
    dead: str
    others: tuple[str, ...]
    loss: str

    @property
    def done(self) -> bool:
        return not self.dead and not self.others

    @property
    def text(self) -> list[str]:
        pointed = (
            f"{' and '.join(self.others)} is pointed to {self.to}." if self.others else "No other replica follows."
        )
        if not self.dead:
            return [f"{self.to} is the primary already. {pointed}", "Expected downtime: none."]
        return [
            f"{self.dead} is dead, {self.to} becomes the primary.",
            f"What is lost: {self.loss}",
            f"1. {self.dead} is kept from coming back as a primary where its host can be reached: its service is stopped and masked.",
            f"2. {self.to} writes down how far everybody was, ends its replication (REPLICAOF NO ONE) and keeps its new role.",
            f"3. {pointed}",
            "Expected downtime: none that is not there already; writes go on when the data proxies have seen the new primary.",
            f"{self.dead} joins again by rejoin.yml; its own writes, if it has any, are named and exported there.",
        ]


def watch(members: Sequence[Member], to: str, clock: Clock | None = None, resolver: Resolver = resolve) -> Seen:
    """Ask every server, and the primary that one follows again and again; raises RefusedError where it lives."""
    clock = clock or Clock()
    begin = clock.now()
    before = _answers(members)
    if to not in before:
        raise RefusedError(
            f"{to} does not answer; expected a replica that does: start it, or name another one. Nothing was changed."
        )
    promoted = _promoted(named(members, to))
    if before[to].is_primary:
        return Seen(members, "", "", before, before, 0.0, promoted)
    dead = member_at(members, before[to].source, resolver)
    if dead not in [member.name for member in members]:
        raise RefusedError(
            f"{to} replicates from {dead}, which is not in this inventory; expected a primary of this tier: nothing was changed."
        )
    silence = ""
    while True:
        found = try_look(named(members, dead))
        if isinstance(found, State) or found.kind in ALIVE:
            raise RefusedError(_alive(dead, to, found, members, resolver))
        silence = found.message
        if clock.now() - begin >= PATIENCE:
            break
        clock.sleep(PAUSE)
    return Seen(members, dead, silence, _answers(members), before, clock.now() - begin, promoted)


def _alive(dead: str, to: str, found: State | RedisError, members: Sequence[Member], resolver: Resolver) -> str:
    if isinstance(found, State) and not found.is_primary:
        source = member_at(members, found.source, resolver)
        return (
            f"{dead}, the primary of {to}, lives and replicates from {source}; expected a dead primary. Nothing was changed: promote"
            f" what the chain begins with, or mend {dead}."
        )
    said = "answers" if isinstance(found, State) else f"answers ({found.message})"
    return (
        f"{dead} is the primary and alive, it {said}; expected a dead one: nothing was changed. switchover.yml moves the primary"
        " without losing a write."
    )


def _answers(members: Sequence[Member]) -> dict[str, State]:
    looks = ((member.name, try_look(member)) for member in members)
    return {name: found for name, found in looks if isinstance(found, State)}


def _promoted(member: Member) -> str:
    """Return whom a promotion of the last hour has made the primary."""
    try:
        text = member.client.command("GET", MARK)
        return str(json.loads(text)["to"]) if isinstance(text, str) else ""
    except (RedisError, ValueError, KeyError, TypeError):
        return ""


def decide(seen: Seen, to: str, accept_data_loss: bool, resolver: Resolver = resolve) -> Plan:
    """Return what has to be done; raises RefusedError, a sentence for each reason, where that must not be."""
    place = named(seen.members, to).place
    others = tuple(
        name
        for name, state in seen.states.items()
        if name not in (to, seen.dead) and not state.is_primary and not same_primary(state.source, place, resolver)
    )
    rivals = [name for name, state in seen.states.items() if state.is_primary and name != to]
    if rivals:
        raise RefusedError(
            f"{' and '.join(rivals)} {'is' if len(rivals) == 1 else 'are'} a primary that answers; expected none: nothing was changed."
            " switchover.yml moves a primary that lives, rejoin.yml makes one that is not wanted a replica."
        )
    if not seen.dead:
        return Plan(to, "", others, "nothing, the promotion is done")
    reasons = [*_objections(seen, to, accept_data_loss)]
    if reasons:
        raise RefusedError(f"{' '.join(reasons)} Nothing was changed.")
    return Plan(to, seen.dead, others, _loss(seen, to))


def _known_loss(seen: Seen, to: str) -> tuple[str, int]:
    """Return which other replica is ahead of this one, and by how many bytes."""
    new = seen.states[to]
    ahead = {
        name: max(state.received, state.offset) - new.offset
        for name, state in seen.states.items()
        if name != to and state.stream == new.stream
    }
    best = max(ahead, key=lambda name: ahead[name], default="")
    return best, ahead.get(best, 0)


def _objections(seen: Seen, to: str, accept_data_loss: bool) -> Iterator[str]:
    new = seen.states[to]
    hearing = [name for name in seen.states if not seen.states[name].is_primary and seen.heard(name)]
    if hearing:
        yield (
            f"{seen.dead} lives: {' and '.join(hearing)} got data from it within the last {seen.seconds:.0f} s, only {to} cannot ask"
            " it; expected a dead primary: mend the network, or stop the server there."
        )
    if new.syncing or (new.heard < 0 and not new.keys):
        yield f"{to} has never had a whole copy of {seen.dead}; expected one: choose another replica, or bring {seen.dead} back."
    elif not new.keys and not accept_data_loss:
        yield f"{to} is empty; expected a copy of {seen.dead}. Where that was empty as well, give -e accept_data_loss=true."
    if new.priority == 0:
        yield f"{to} must never be the primary (replica-priority 0); expected another replica, or another priority."
    if new.write_problem:
        yield f"{to} would refuse writes: {new.write_problem}; expected a server that takes them: mend that first."
    best, ahead = _known_loss(seen, to)
    if ahead > 0 and not accept_data_loss:
        yield (
            f"{best} has {how_many(ahead)} more of {seen.dead} than {to}, which would be lost; expected the replica that has most:"
            f" promote {best}, or give -e accept_data_loss=true."
        )
    if seen.promoted and not accept_data_loss:
        yield (
            f"{seen.promoted} was promoted within the last hour; expected a tier that stays where it is: find out why primaries die,"
            " then give -e accept_data_loss=true."
        )


def _loss(seen: Seen, to: str) -> str:
    """Say how much cannot be on the new primary."""
    new = seen.states[to]
    best, ahead = _known_loss(seen, to)
    known = f"{how_many(ahead)} that {best} has; and " if ahead > 0 else ""
    if new.heard < 0:
        return f"{known}what {seen.dead} acknowledged after {to} lost it; {to} does not know how long ago that was."
    rate = new.sent_to_it / new.uptime if new.uptime else 0.0
    return (
        f"{known}what {seen.dead} acknowledged after {to} heard it last, {new.heard} s ago, at byte {new.offset}: nothing where it died"
        f" then, up to about {how_many(round(rate * new.heard))} at its usual rate where it went on."
    )


def coordinates(seen: Seen, plan: Plan, when: str) -> dict[str, Any]:
    """What is kept of the moment before: how far everybody was."""
    hidden = {name: asdict(replace(state, password="")) for name, state in seen.states.items()}
    return {
        "when": when,
        "to": plan.to,
        "dead": plan.dead,
        "silence": seen.silence,
        "loss": plan.loss,
        "servers": hidden,
    }


def carry_out(
    seen: Seen, plan: Plan, wait: float, keep: Callable[[dict[str, Any]], None], when: str, clock: Clock | None = None
) -> list[str]:
    """Do what is planned; return what was done. keep: writes the coordinates down."""
    clock = clock or Clock()
    steps: list[str] = []
    to = named(seen.members, plan.to)
    if plan.dead:
        keep(coordinates(seen, plan, when))
        to.client.command("REPLICAOF", "NO", "ONE")
        keep_role(to)
        mark = json.dumps({"to": plan.to, "dead": plan.dead, "when": when})
        to.client.command("SET", MARK, mark, "EX", str(MARK_SECONDS))
        steps.append(f"{plan.to} is the primary.")
    else:
        keep_role(to)
    for name in plan.others:
        follow(named(seen.members, name), to.place)
        steps.append(f"{name} replicates from {plan.to}.")
    following = [member for member in seen.members if member.name in seen.states and member.name != plan.dead]
    wait_until_in_step(following, plan.to, wait, clock)
    return steps
