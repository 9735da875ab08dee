# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move the primary of a Redis or Valkey tier without losing a write: the server's own FAILOVER, and everything around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import (
    Member,
    State,
    follow,
    how_many,
    keep_role,
    look,
    member_at,
    named,
    role_of,
    told_of,
    try_look,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import Resolver, resolve, same_primary

# A replica acknowledges once a second; one that is further behind would keep the writers waiting.
MOST_LAG = 2
MOST_BYTES = 8_000_000
POLL = 0.02
# Beyond the server's own time limit, which it may notice a little late.
MARGIN = 2.0


@dataclass(frozen=True)
class Tier:
    """The servers and what each says of itself."""

    members: Sequence[Member]
    states: Mapping[str, State]
    resolver: Resolver = resolve

    def follows(self, name: str, other: str) -> bool:
        """Whether a server replicates from another one."""
        return same_primary(self.states[name].source, named(self.members, other).place, self.resolver)

    def source(self, name: str) -> str:
        return member_at(self.members, self.states[name].source, self.resolver)


@dataclass(frozen=True)
class Plan:
    """What a switchover has to do; without old the primary is there already, and only others have to follow it."""

    to: str
    old: str
    others: tuple[str, ...]
    timeout: float

    @property
    def done(self) -> bool:
        return not self.old and not self.others

    @property
    def text(self) -> list[str]:
        if not self.old:
            return [
                f"{self.to} is the primary already; {' and '.join(self.others) or 'nobody'} has to be pointed to it.",
                "Expected downtime: none.",
            ]
        return [
            f"{self.old} is the primary, {self.to} becomes it.",
            f"1. {self.old} holds back all writes and lets {self.to} come level, for {self.timeout:g} s at most; then {self.to} takes"
            f" over and {self.old} replicates from it (FAILOVER).",
            f"2. Both write their role into their own configuration file (CONFIG REWRITE), {self.to} first.",
            "3. "
            + (f"{' and '.join(self.others)} is pointed to {self.to}." if self.others else "No other replica follows."),
            f"4. Every replica has to be in step with {self.to}.",
            "Expected downtime: writers up to 3 s, until the data proxies have seen the new primary; readers none. A write that was"
            " acknowledged is not lost; one that is under way is held back, and refused if it does not fit in.",
            f"What would stop it: {self.to} not coming level within {self.timeout:g} s; then {self.old} goes on as the primary and"
            " takes writes again. Killed at any point, run it again.",
        ]


def look_at_all(members: Sequence[Member], resolver: Resolver = resolve) -> Tier:
    """Ask every server; a switchover is refused where one is silent, as nobody knows what it holds."""
    states = {}
    for member in members:
        found = try_look(member)
        if isinstance(found, RedisError):
            raise RefusedError(
                f"{member.name} does not answer: {found.message}; expected every server of the tier. Nothing was changed: mend it,"
                " or use promote.yml where it is the primary and dead."
            )
        states[member.name] = found
    return Tier(members, states, resolver)


def decide(tier: Tier, to: str, timeout: float) -> Plan:
    """Return what has to be done; raises RefusedError, a sentence for each reason, where that cannot be."""
    primaries = [name for name, state in tier.states.items() if state.is_primary]
    if len(primaries) != 1:
        raise RefusedError(
            f"{' and '.join(primaries) or 'No server'} claim{'s' if len(primaries) == 1 else ''} to be the primary; expected one."
            " Nothing was changed: rejoin.yml makes the one that is not wanted a replica, promote.yml gives a tier its primary."
        )
    primary = primaries[0]
    if primary == to:
        # One that was moved there, before somebody killed the run that did it.
        others = tuple(name for name in tier.states if name != to and not tier.follows(name, to))
        return Plan(to, "", others, timeout)
    reasons = [*_objections(tier, primary, to)]
    if reasons:
        raise RefusedError(f"{' '.join(reasons)} Nothing was changed.")
    others = tuple(name for name in tier.states if name not in (to, primary))
    return Plan(to, primary, others, timeout)


def _objections(tier: Tier, primary: str, to: str) -> Iterator[str]:
    """What speaks against this replica."""
    old, new = tier.states[primary], tier.states[to]
    if not tier.follows(to, primary):
        yield f"{to} replicates from {tier.source(to)}; expected a replica of the primary {primary}."
        return
    told = told_of(old, named(tier.members, to), tier.resolver)
    if new.syncing:
        yield f"{to} is still getting its first copy of {primary}; expected a replica in step: wait for it."
    elif not new.link_up or told is None or not told.online:
        yield f"The replication from {primary} to {to} is down; expected a replica in step: mend it, status says why it is down."
    else:
        behind = old.offset - new.offset
        if told.lag > MOST_LAG or behind > MOST_BYTES:
            yield (
                f"{to} is {how_many(max(behind, 0))} behind {primary} and acknowledged {told.lag} s ago; expected at most"
                f" {how_many(MOST_BYTES)} and {MOST_LAG} s: wait until it has caught up."
            )
    if new.flavor != old.flavor or new.version[:2] < old.version[:2]:
        said = [f"{state.flavor} {'.'.join(map(str, state.version))}" for state in (new, old)]
        yield f"{to} runs {said[0]} and {primary} {said[1]}; expected the same server and no older one: upgrade {to} first."
    if not new.read_only:
        yield f"{to} takes writes of its own (replica-read-only no); expected a copy of {primary}: set it to yes and sync {to} anew."
    if new.priority == 0:
        yield f"{to} must never be the primary (replica-priority 0); expected another replica, or another priority."
    if new.memory_limit and old.used_memory > new.memory_limit:
        yield (
            f"{primary} holds {how_many(old.used_memory)} and {to} may hold {how_many(new.memory_limit)} (maxmemory); expected room"
            " for all of it: raise it."
        )
    if new.write_problem:
        yield f"{to} would refuse writes: {new.write_problem}; expected a server that takes them: mend that first."
    if new.least_replicas > len(tier.states) - 1:
        yield (
            f"{to} takes writes with {new.least_replicas} replicas only (min-replicas-to-write); expected {len(tier.states) - 1} or"
            " fewer: lower it."
        )
    if not old.password:
        yield f"{primary} has no login for a primary (masterauth); expected one, as it becomes a replica of {to}: run site.yml."


@dataclass
class Moved:
    """What was done: sentences, and for how long the servers took no writes."""

    steps: list[str] = field(default_factory=list)
    paused_ms: int = 0


class StoppedError(Exception):
    """A step failed; the text says which one, and how things stand."""


def carry_out(tier: Tier, plan: Plan, wait: float, clock: Clock | None = None) -> Moved:
    """Do what is planned, and wait for every replica to be in step."""
    clock = clock or Clock()
    moved = Moved()
    to = named(tier.members, plan.to)
    if plan.old:
        old = named(tier.members, plan.old)
        moved.paused_ms = _fail_over(old, to, tier, plan, clock)
        moved.steps.append(f"{plan.to} took over from {plan.old}; the servers took no writes for {moved.paused_ms} ms.")
        keep_role(to)
        keep_role(old)
        moved.steps.append("Both keep their role.")
    else:
        keep_role(to)
    for name in plan.others:
        follow(named(tier.members, name), to.place)
        moved.steps.append(f"{name} replicates from {plan.to}.")
    wait_until_in_step(tier.members, plan.to, wait, clock)
    moved.steps.append(f"Every replica is in step with {plan.to}.")
    return moved


def _fail_over(old: Member, to: Member, tier: Tier, plan: Plan, clock: Clock) -> int:
    """Let the old primary hand over; return for how many milliseconds neither took writes."""
    told = told_of(tier.states[plan.old], to, tier.resolver)
    place = told.place if told else to.place
    begin = clock.now()
    if tier.states[plan.old].failover == "no-failover":
        limit = str(int(plan.timeout * 1000))
        old.client.command("FAILOVER", "TO", place.host, str(place.port), "TIMEOUT", limit)
    last = ""
    while clock.now() - begin < plan.timeout + MARGIN:
        last = role_of(to) or last
        if last == "primary":
            return round((clock.now() - begin) * 1000)
        if _goes_on(old):
            break
        clock.sleep(POLL)
    # Whoever has not taken over by now must not do so later, while the other one takes writes again.
    return _roll_back(old, to, plan, begin, clock)


def _goes_on(old: Member) -> bool:
    """Whether the old primary has given up by itself, and takes writes again."""
    found = try_look(old)
    return isinstance(found, State) and found.is_primary and found.failover == "no-failover"


def _roll_back(old: Member, to: Member, plan: Plan, begin: float, clock: Clock) -> int:
    """End a failover that does not end; the other one may have taken over at the last moment."""
    if role_of(to) == "primary":
        return round((clock.now() - begin) * 1000)
    if not _goes_on(old):
        try:
            old.client.command("FAILOVER", "ABORT")
        except RedisError as error:
            raise StoppedError(
                f"{plan.to} did not take over, and {plan.old} could not be told to go on: {error.message}. {plan.old} holds back"
                f" writes: send it FAILOVER ABORT, then run again."
            ) from None
    seconds = clock.now() - begin
    raise StoppedError(
        f"{plan.to} did not come level with {plan.old} within {plan.timeout:g} s. Rolled back: {plan.old} is the primary and takes"
        f" writes again, after {seconds:.1f} s; {plan.to} is its replica. Nothing is lost: run again when there are fewer writes."
    )


def wait_until_in_step(members: Sequence[Member], primary: str, wait: float, clock: Clock) -> None:
    """Wait until every other server replicates and has what the primary has had by now."""
    wanted = look(named(members, primary)).offset
    end = clock.now() + wait
    lacking = [member for member in members if member.name != primary]
    while True:
        lacking = [member for member in lacking if not _in_step(member, wanted)]
        if not lacking:
            return
        if clock.now() >= end:
            names = " and ".join(member.name for member in lacking)
            raise StoppedError(
                f"{primary} is the primary and takes writes, but {names} is not in step with it after {wait:g} s. Nothing is lost:"
                " status says what is wrong there; run again when it is mended."
            )
        clock.sleep(0.2)


def _in_step(member: Member, wanted: int) -> bool:
    found = try_look(member)
    return isinstance(found, State) and found.link_up and not found.syncing and found.offset >= wanted
