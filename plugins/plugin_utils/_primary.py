# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Which server of a tier is its primary: what the live servers say, and never one that is empty while another holds data."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import one_line, said_by

Look = Mapping[str, t.Any]
# A host that is not installed yet; every other silence is a server that should speak.
NOT_INSTALLED = "not_installed"


@dataclass(frozen=True)
class Server:
    """What one member said of itself; holds_data is None where nobody can tell."""

    name: str
    role: str = ""
    source: str = ""
    holds_data: bool | None = None
    reached: bool = False
    # Its host lets nobody ask, though it is there: no sudo, no Python.
    barred: bool = False
    refused: bool = False
    said: str = ""
    content: str = ""

    @property
    def answers(self) -> bool:
        return bool(self.role)

    @property
    def follows(self) -> bool:
        return self.role in ("replica", "intermediate")

    def holding(self) -> str:
        """What it holds, as far as anybody can tell, in a few words."""
        if self.holds_data:
            return f"{self.name} holds {self.content}" + ("" if self.answers else " and does not answer")
        if self.holds_data is False:
            return f"{self.name} is empty"
        if self.answers:
            return f"{self.name} may hold data that our login does not see"
        silence = "does not answer" if self.reached else "could not be asked"
        return f"{self.name} {silence} and may hold data" + (f" ({self.said})" if self.said else "")


@dataclass
class Decision:
    """The primary of a tier and who said so; with errors nothing may be changed."""

    primary: str
    decided_by: str = "inventory"
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _content(look: Look) -> str:
    """How much a server holds: keys, or how far its transactions go."""
    info = (look.get("raw") or {}).get("info") or {}
    databases = (
        [str(value) for name, value in info.items() if re.match(r"db\d+\Z", name)] if isinstance(info, Mapping) else []
    )
    keys = sum(int(found[1]) for found in (re.match(r"keys=(\d+)", value) for value in databases) if found)
    if keys:
        return f"{keys} keys"
    position = (look.get("position") or {}).get("value")
    executed = (look.get("gtid") or {}).get("executed")
    transactions = position if isinstance(position, str) else executed
    return f"data (transactions {one_line(transactions)})" if transactions else "data"


def server(name: str, look: Look | None) -> Server:
    """Translate what replication_status said of a member."""
    if not look:
        return Server(name)
    role = str(look.get("role") or "")
    role = role if role in ("primary", "replica", "intermediate", "standalone") else ""
    value = ((look.get("checks") or {}).get("reachable") or {}).get("value")
    empty = (look.get("data") or {}).get("empty")
    holds_data = None if empty is None else not empty
    if holds_data is None and value == NOT_INSTALLED:
        holds_data = False
    source = look.get("primary") or {}
    return Server(
        name=name,
        role=role,
        source=str(source.get("host") or "") if role in ("replica", "intermediate") else "",
        holds_data=holds_data,
        reached="state" in look and not look.get("unreachable"),
        barred="state" not in look and bool(look.get("failed")),
        refused=look.get("state") == "auth_failed" and not role,
        said="" if role else said_by(look),
        content=_content(look),
    )


def _is_itself(name: str, source: str, address: str) -> bool:
    if source in (name, address, "localhost"):
        return True
    try:
        return ipaddress.ip_address(source).is_loopback
    except ValueError:
        return False


def _ring(votes: Mapping[str, str]) -> list[str]:
    """Servers that follow each other; empty where every way leads to a primary."""
    for start in votes:
        way = [start]
        while way[-1] in votes:
            following = votes[way[-1]]
            if following in way:
                return way[way.index(following) :]
            way.append(following)
    return []


def _votes(
    engine: Engine, servers: Sequence[Server], addresses: Mapping[str, str], decision: Decision
) -> dict[str, str]:
    """Whom each replica follows."""
    names = [member.name for member in servers]
    by_address = {addresses[name]: name for name in names if name in addresses}
    votes = {}
    for member in servers:
        if not member.follows:
            continue
        voted = by_address.get(member.source) or (member.source if member.source in names else None)
        if _is_itself(member.name, member.source, addresses.get(member.name, "")):
            voted = member.name
        if voted is None:
            decision.errors.append(
                f"{engine.title} on {member.name} replicates from {member.source or 'an unknown server'}, which is not in this"
                f" inventory; expected one of {', '.join(names)}: add that host, or stop the replication on {member.name}."
            )
        else:
            votes[member.name] = voted
    return votes


def _ring_error(engine: Engine, ring: Sequence[str]) -> str:
    if len(ring) == 1:
        return (
            f"{engine.title} on {ring[0]} replicates from itself; expected a primary: nothing was changed. Make it the"
            f" primary ({engine.promote}), or the replica of another server."
        )
    return (
        f"{engine.title} on {' and '.join(ring)} replicate from each other in a ring; expected one primary: nothing was"
        f" changed. Find out which one has the writes that you want to keep, and make that one the primary ({engine.promote})."
    )


def _wake(engine: Engine, silent: Sequence[Server]) -> str:
    """What lets servers speak that do not."""
    stopped = [member.name for member in silent if not member.barred]
    barred = [member.name for member in silent if member.barred]
    steps = [f"start {engine.title} on {', '.join(stopped)}"] if stopped else []
    steps += [f"mend why {', '.join(barred)} could not be asked"] if barred else []
    return " and ".join(steps)


def _refuse_to_start_beside_an_emptied_one(engine: Engine, servers: Sequence[Server]) -> str | None:
    """Say that one runs empty while those with data are stopped: a replica that is started beside it takes over its emptiness."""
    emptied = [member.name for member in servers if member.answers and member.holds_data is False]
    stopped = [member for member in servers if member.holds_data and not member.answers]
    if not engine.copies_emptiness or not emptied or not stopped:
        return None
    names = ", ".join(emptied)
    return (
        f"{engine.title}: {', '.join(member.holding() for member in stopped)}, while {names} runs and is empty; nothing was changed:"
        f" stop {engine.title} on {names}, start it on {', '.join(member.name for member in stopped)}, make the server with the newest"
        f" data the primary ({engine.promote}) and run again, {names} then joins it as a replica."
    )


def _refuse_an_empty_primary(engine: Engine, chosen: Server, others: Sequence[Server], why: str) -> str | None:
    """Say that a server would be primary although it is empty, or nobody knows that it is not, and another holds data."""
    if chosen.holds_data or (chosen.answers and chosen.holds_data is None):
        return None
    holding = [other for other in others if other.holds_data]
    unknown = [other for other in others if other.holds_data is None]
    if chosen.holds_data is False and not holding and not unknown:
        return None
    if chosen.holds_data is None and not chosen.reached:
        # Its host is not part of this run, so nothing is done to it.
        return None
    if not holding and chosen.holds_data is None:
        return None
    said = ", ".join(other.holding() for other in [*holding, *unknown])
    wrong = f"{engine.title}: {chosen.name} would be the primary, as {why}, but {chosen.holding()}, while {said}"
    if chosen.holds_data is None:
        return (
            f"{wrong}; nothing was changed: start {engine.title} on {chosen.name} with its data and run again, or make the"
            f" server with the newest data the primary ({engine.promote})."
        )
    if holding or any(other.answers for other in unknown):
        return (
            f"{wrong}; nothing was changed: make the server with the newest data the primary ({engine.promote}) and run"
            f" again, {chosen.name} then joins it as a replica."
        )
    return (
        f"{wrong}; nothing was changed: {_wake(engine, unknown)} and run again, or take a host that is gone for good out of the"
        " inventory."
    )


def _two_primaries(engine: Engine, live: Sequence[Server]) -> str:
    return (
        f"{engine.title} has {len(live)} primaries, {' and '.join(member.name for member in live)}; expected one: nothing was"
        f" changed. {', '.join(member.holding() for member in live)}. Find out which one has the writes that you want to keep,"
        f" then make the other one its replica: rejoin.yml with -e tier={engine.title.lower()} -e to= the other one."
    )


def _nobody_says(engine: Engine, servers: Sequence[Server]) -> str | None:
    """Say that no server is there to name the primary; one server alone, or the first one with data, is started again."""
    silent = [
        member for member in servers if member.holds_data is not False and not member.answers and not member.refused
    ]
    if len(servers) == 1 or not silent or silent == [servers[0]]:
        return None
    return (
        f"{engine.title}: no server says who is the primary, and {', '.join(member.holding() for member in silent)}; nothing was"
        f" changed: {_wake(engine, silent)} and run again, or take a host that is gone for good out of the inventory."
    )


def decide(
    engine: Engine,
    members: Sequence[str],
    looks: Mapping[str, Look],
    addresses: Mapping[str, str],
    given_up: Sequence[str] = (),
) -> Decision:
    """Decide for one tier; the first member is the inventory's primary of the first day. given_up: whose data may be replaced."""
    servers = [server(name, looks.get(name)) for name in members]
    decision = Decision(primary=members[0])
    decision.errors += [
        f"{engine.title} on {member.name} refuses our login: {member.said}" for member in servers if member.refused
    ]
    votes = _votes(engine, servers, addresses, decision)
    ring = _ring(votes)
    if ring:
        decision.errors.append(_ring_error(engine, ring))
        return decision
    # A server that follows another one is not a primary, even where a third one follows it.
    tops = {voted for voted in votes.values() if voted not in votes}
    live = [
        member
        for member in servers
        if member.role == "primary" or (member.role == "standalone" and member.holds_data) or member.name in tops
    ]
    # One whose data the operator gives up is no primary beside another one.
    live = [member for member in live if member.name not in given_up] or live
    if len(live) > 1:
        decision.primary, decision.decided_by = live[0].name, "live"
        decision.errors.append(_two_primaries(engine, live))
        return decision
    chosen, why = servers[0], "the inventory says so"
    if live:
        chosen = live[0]
        followers = [name for name, voted in votes.items() if voted == chosen.name]
        verb = "replicates" if len(followers) == 1 else "replicate"
        why = f"{' and '.join(followers)} {verb} from it" if followers else "it says so itself"
        decision.primary, decision.decided_by = chosen.name, "live"
        if chosen is not servers[0]:
            decision.notes.append(
                f"{engine.title}: {chosen.name} is the live primary and stays it; the inventory says {members[0]}."
            )
    others = [member for member in servers if member is not chosen]
    silence = None if live else _refuse_to_start_beside_an_emptied_one(engine, servers) or _nobody_says(engine, servers)
    refusal = silence or _refuse_an_empty_primary(engine, chosen, others, why)
    decision.errors += [refusal] if refusal else []
    return decision
