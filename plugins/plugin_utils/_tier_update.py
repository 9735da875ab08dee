# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Plan a rolling update of a data tier: its replicas, a move of the primary where that has to restart, and the former one."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES, Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._primary import server
from ansible_collections.siteops.webcluster.plugins.plugin_utils._topology import Topology, looks_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import (
    Settings,
    all_options,
    said_by,
    short_list,
)

# A line of 'apt-get --simulate install', as the module apt returns it in check mode: the package, what is there, what comes.
NEWER = re.compile(r"(?m)^Inst (\S+) \[([^]]+)\] \((\S+)")
# The upstream version without epoch and revision begins with these numbers, within which servers replicate both ways.
SERIES = re.compile(r"(?:\d+:)?(\d+\.\d+)")
# What configured_service says of a service that has to start to read its files.
RESTARTS = ("restart", "tell")

HostVars = Mapping[str, Mapping[str, t.Any]]
Result = Mapping[str, t.Any]


class TierUpdatePlan(t.TypedDict):
    """What a rolling update of a data tier is going to do, for the tasks that do it and for people."""

    errors: list[str]
    text: list[str]
    primary: str
    # In this order; those first that are out already.
    replicas: list[str]
    # The replica that becomes the primary, empty where that stays.
    to: str
    # Updated after the replicas: the former primary and the new one, or the one that stays.
    last: list[str]
    # Whose server can be asked what an update would change.
    answering: list[str]
    # Who has to be restarted; a replica gets no new reads before, and its sessions have this long.
    restarts: list[str]
    drain_timeout: int
    packages: bool
    # Seconds for which the package lists count as fresh.
    fresh: int


@dataclass(frozen=True)
class Newer:
    """A package of a host that a newer version is offered of."""

    name: str
    present: str
    offered: str

    def __str__(self) -> str:
        return f"{self.name} {self.present} to {self.offered}"

    @property
    def leaves_its_series(self) -> bool:
        found = [SERIES.match(version) for version in (self.present, self.offered)]
        return len({match[1] if match else "" for match in found}) > 1


def newer_packages(engine: Engine, variables: Mapping[str, t.Any]) -> list[Newer]:
    """Return what the role has found to upgrade, when it was only looking."""
    upgraded = variables.get(f"__{engine.role}_upgraded") or {}
    return [Newer(*found) for found in NEWER.findall(str(upgraded.get("stdout") or ""))]


def waiting(engine: Engine, variables: Mapping[str, t.Any]) -> list[str]:
    """Return what a restart of this server would bring, a few words each; empty: none is needed."""
    upgraded = variables.get(f"__{engine.role}_upgraded") or {}
    service = variables.get(f"__{engine.role}_service") or {}
    live = variables.get(f"__{engine.role}_live") or {}
    found = [str(package) for package in newer_packages(engine, variables)]
    if upgraded.get("changed") and not found:
        found.append("newer packages")
    if service.get("action") in RESTARTS:
        found.append(f"files that it reads at its start ({short_list(service.get('written') or ['written before'])})")
    if live.get("restart"):
        found.append(f"settings that it takes at its start ({short_list(live['restart'])})")
    return found


def is_out(name: str, verdict: Result) -> bool:
    """Whether a host can be asked and its server does not run: what an update leaves that has failed there."""
    seen = server(name, verdict)
    return seen.reached and not seen.answers and not seen.refused


def health_errors(
    engine: Engine, names: Sequence[str], verdicts: Mapping[str, Result], out: Sequence[str]
) -> list[str]:
    """Return a sentence for each server that is not well; one that is out already may be, as nobody else is taken out before."""
    errors = []
    for name in names:
        verdict = verdicts.get(name) or {}
        if verdict.get("healthy") or name in out:
            continue
        said = said_by(verdict) or "it could not be asked"
        errors.append(
            f"{engine.title} on {name} is {verdict.get('state') or 'unknown'}: {said}; expected every server of the tier to be"
            " healthy before one of them is taken out. Nothing was changed: mend it first, status.yml tells more."
        )
    return errors


def choice(replicas: Sequence[str], to: str) -> str:
    """Which replica becomes the primary: the one that is asked for, else the first."""
    return to or next(iter(replicas), "")


def plan_errors(
    plan: TierUpdatePlan, names: Sequence[str], run: Sequence[str], pending: Sequence[str], downtime: bool
) -> list[str]:
    """Return what makes the plan impossible, as far as it is known what is to be done."""
    primary, replicas = names[0], list(names[1:])
    absent = [name for name in names if name not in run]
    if primary not in run or not pending:
        return []
    what = ", ".join(pending)
    if not replicas:
        if downtime:
            return []
        return [
            f"{primary} is the only server of the tier and has to be restarted for {what}; nobody reads or writes meanwhile, for about"
            " 10 s. Nothing was changed: add a replica, or accept that with -e webcluster_update_downtime=true."
        ]
    if absent:
        return [
            f"{primary} has to be restarted for {what}, and the primary moves to {plan['to']} before; expected every server of the"
            f" tier in the run, {short_list(absent)} is not. Nothing was changed: leave out --limit, or limit the run to replicas."
        ]
    return []


def series_errors(engine: Engine, name: str, variables: Mapping[str, t.Any]) -> list[str]:
    """Refuse what is no minor version: the former primary could not replicate from the new one, and there is no way back."""
    prefixes = (engine.title.lower(), "mariadb", "valkey")
    return [
        f"{name} would get {package}, another series; expected a minor version. Nothing was changed: pin the package, or take the way"
        " of its release notes."
        for package in newer_packages(engine, variables)
        if package.name.startswith(prefixes) and package.leaves_its_series
    ]


def written(plan: TierUpdatePlan, out: Sequence[str], pending: Mapping[str, Sequence[str]], alone: bool) -> list[str]:
    """Return the plan for people: order, what for, downtime, and what ends it."""
    primary, to = plan["primary"], plan["to"]
    move = [f"the primary moves from {primary} to {to}"] if to else []
    order = [*plan["replicas"], *move, *plan["last"][: 1 if to else None]]
    lines = [f"Order: {', then '.join(order)}."]
    if out:
        lines.append(f"First because it does not run: {short_list(out)}.")
    for name in [*plan["replicas"], *plan["last"][:1]]:
        if name not in out:
            lines.append(f"{name}: {', '.join(pending[name]) or 'nothing that needs a restart'}.")
    if plan["replicas"]:
        lines.append(
            f"Each replica: {'packages and configuration' if plan['packages'] else 'configuration'}; where these restart it, the data proxies"
            f" send it no new reads before, and up to {plan['drain_timeout']} s are left to those under way; the next one's turn comes when it"
            " is healthy, in step with its primary, and shows a canary from there."
        )
    if alone:
        lines.append(
            f"Expected downtime: about 10 s for writers and readers, while {primary} restarts."
            if pending.get(primary)
            else "Expected downtime: none."
        )
    elif to:
        lines.append(
            f"Expected downtime: about 1 s for writers and at most 3 s, while the primary moves; none for readers, but connections"
            f" that are kept to a server that restarts are cut. {primary} stays a replica afterwards."
        )
    else:
        stays = f"; {primary} stays the primary" if primary in plan["last"] else ""
        lines.append(
            f"Expected downtime: none, but connections that are kept to a replica that restarts are cut{stays}."
        )
    lines.append(
        f"It ends at the first server that fails; {'nobody serves then' if alone else 'the primary and the others serve on'}. Run it again"
        " when the cause is mended: it begins with what does not run, and finds nothing to do where it was done."
    )
    return lines


def tier_update_plan(
    topology: Topology,
    hostvars: HostVars,
    tier: str,
    run: Sequence[str],
    elsewhere: Sequence[Result] = (),
    to: str = "",
) -> TierUpdatePlan:
    """Plan the update of the servers of a run; elsewhere: what servers said that are outside of it.

    It is asked twice: before and after the roles have looked what they would change.
    """
    engine, state = ENGINES[tier], topology["engines"][tier]
    primary, replicas = state["primary"]["name"], [member["name"] for member in state["replicas"]]
    names = [primary, *replicas]
    settings = Settings({name: hostvars[name] for name in names}, all_options())
    found = looks_of({name: hostvars[name] for name in names}, ("__webcluster_verdicts",), elsewhere)
    verdicts = {name: found.get((tier, name), {}) for name in names}
    chosen = [name for name in replicas if name in run]
    out = [name for name in chosen if is_out(name, verdicts[name])]
    pending = {name: waiting(engine, hostvars[name]) for name in names}
    moves = bool(primary in run and replicas and pending[primary])
    plan: TierUpdatePlan = {
        "errors": settings.errors,
        "text": [],
        "primary": primary,
        "replicas": [*out, *(name for name in chosen if name not in out)],
        "to": choice(replicas, to) if moves else "",
        "last": [],
        "answering": [name for name in names if name in run and name not in out],
        "restarts": [name for name in names if name in out or pending[name]],
        "drain_timeout": settings.value(primary, "webcluster_request_time_limit"),
        "packages": settings.value(primary, "webcluster_update_packages"),
        "fresh": settings.value(primary, engine.option("apt_cache_valid_time")),
    }
    if primary in run:
        plan["last"] = [primary, plan["to"]] if moves else [primary]
    errors = health_errors(engine, names, verdicts, out)
    if not any(name in run for name in names):
        errors = [f"No server of the tier is in this run; expected one of {short_list(names)}: correct --limit."]
    elif to and to not in replicas:
        errors.append(
            f"{to} cannot become the primary; expected one of its replicas, {short_list(replicas) or 'of which there is none'}."
            " Nothing was changed."
        )
    elif not errors:
        downtime = settings.value(primary, "webcluster_update_downtime")
        errors = plan_errors(plan, names, run, pending[primary], downtime)
        errors += [each for name in plan["answering"] for each in series_errors(engine, name, hostvars[name])]
    plan["errors"] = [*plan["errors"], *errors]
    if not plan["errors"]:
        plan["text"] = written(plan, out, pending, alone=not replicas)
    return plan
