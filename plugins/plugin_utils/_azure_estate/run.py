# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""From the options to the estate, and back: look, plan, check, carry out."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate import apply, look, preflight, remove
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import Description, Place
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.plan import (
    Permissions,
    Plan,
    Step,
    kind_of,
    plan,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import (
    data_disk,
    group,
    identity,
    is_ours,
    resources,
)

Json = dict[str, t.Any]


@dataclass(frozen=True)
class Outcome:
    """What was found, planned and done."""

    changed: bool
    lines: Sequence[str]
    steps: Sequence[Step] = ()
    refusals: Sequence[str] = ()
    front_address: str | None = None
    remaining: Sequence[str] = field(default_factory=list)
    name_servers: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True)
class Means:
    """What a run works with."""

    engine: Engine
    operations: Operations
    clock: Callable[[], float]


@dataclass(frozen=True)
class _Seen:
    """An estate as it is, and what is to be done about it."""

    group_exists: bool
    held: Mapping[str, Json]
    region: look.Region
    plan: Plan


def _see(means: Means, wanted: Description, permissions: Permissions) -> _Seen:
    own = group(wanted, wanted.location)
    found, region = look.group_and_region(means.engine, means.operations, own, wanted, wanted.location)
    preflight.check_region(wanted, region)
    held: dict[str, Json] = {}
    every = resources(wanted, region.zones)
    if found is not None:
        held = look.holdings(means.engine, means.operations, wanted)
        held |= look.missing(means.engine, means.operations, look.named(every), held)
        disks = _found_disks(means, wanted, held)
        held |= disks
        every = resources(wanted, region.zones, disks)
        held[own.id.lower()] = found
    made = plan(wanted, own, every, held, region.unregistered, permissions)
    return _Seen(found is not None, held, region, made)


def _found_disks(means: Means, wanted: Description, held: Mapping[str, Json]) -> dict[str, Json]:
    """Data disks of machines that are to be made: what a former machine has left."""
    hosts = [host for host in wanted.hosts if host.data_disk_gb]
    absent = [host for host in hosts if identity(wanted, "machine", host.name).lower() not in held]
    disks = {disk: ("disk", name) for name, disk in (data_disk(wanted, host.name) for host in absent)}
    return look.missing(means.engine, means.operations, disks, held)


def up(means: Means, wanted: Description, permissions: Permissions, check_only: bool) -> Outcome:
    """Plan the estate and, unless it is only to be looked at, make it."""
    seen = _see(means, wanted, permissions)
    made = seen.plan
    refusals = [*made.refusals, *_foreign_disks(wanted, seen.held)]
    front = identity(wanted, "public_ip", f"{wanted.name}-front-ip")
    # What would have to change, but must not, is shown too.
    zone = identity(wanted, "dns_zone", wanted.dns_zone)
    outcome = Outcome(
        made.changed or bool(refusals), made.lines, made.steps, refusals, look.address(seen.held, front),
        name_servers=look.name_servers(seen.held, zone),
    )  # fmt: skip
    if check_only:
        if made.register:
            preflight.check_register(means.engine, means.operations, wanted, made.register)
        elif made.changed and not refusals:
            _preflight(means, wanted, seen)
        return outcome
    _stop_for(refusals)
    if made.register:
        preflight.check_register(means.engine, means.operations, wanted, made.register)
        apply.register(means.engine, means.operations, wanted, made.register, means.clock)
        # Where they tell of the region only now, the plan is another one.
        seen = _see(means, wanted, permissions)
        _stop_for(seen.plan.refusals)
    if seen.plan.changed:
        _preflight(means, wanted, seen)
    apply.apply(means.engine, means.operations, seen.plan, partial(_again, wanted, permissions))
    address = outcome.front_address or look.address(_one(means, "public_ip", front), front)
    servers = outcome.name_servers
    if wanted.dns_zone and not servers:
        servers = look.name_servers(_one(means, "dns_zone", zone), zone)
    return Outcome(made.changed, [*(f"register  provider {one}" for one in made.register), *seen.plan.lines], seen.plan.steps,
                   (), address, name_servers=servers)  # fmt: skip


def _stop_for(refusals: Sequence[str]) -> None:
    if refusals:
        raise SettingsError(" ".join(refusals))


def _preflight(means: Means, wanted: Description, seen: _Seen) -> None:
    preflight.check(means.engine, means.operations, wanted, seen.plan, seen.group_exists)


def _one(means: Means, kind: str, wanted: str) -> dict[str, Json]:
    """A resource as Azure holds it by now."""
    return look.missing(means.engine, means.operations, {wanted: (kind, wanted.rsplit("/", 1)[-1])}, ())


def _again(wanted: Description, permissions: Permissions, step: Step, found: Json) -> Step:
    """The same resource, compared with what Azure holds by now."""
    made = plan(
        wanted, group(wanted, wanted.location), [step.resource], {step.resource.id.lower(): found}, (), permissions
    )
    return made.steps[1]


def _foreign_disks(wanted: Description, held: Mapping[str, Json]) -> list[str]:
    """A disk of our name that nobody marked as ours may hold somebody's data."""
    names = {disk.lower(): name for name, disk in (data_disk(wanted, host.name) for host in wanted.hosts)}
    return [
        f"The disk {names[one]} exists, but it does not carry the tag of this estate; expected none, or one of ours: rename"
        " the machine, or give the disk the tag siteops-estate."
        for one, body in held.items()
        if one in names and not is_ours(body, wanted)
    ]


def down(
    means: Means, place: Place, wanted: Description | None, delete_data: bool, check_only: bool, subnets: Sequence[str]
) -> Outcome:
    """Plan the removal and, unless it is only to be looked at, carry it out."""
    own = group(place, "")
    (found,) = means.engine.all([partial(means.operations.read, own.listing)])
    held: dict[str, Json] = {}
    if found is not None:
        held = look.holdings(means.engine, means.operations, place, remove.wanted_kinds())
        if wanted is not None:
            names = look.named(resources(wanted, ()))
            names |= {disk: ("disk", name) for name, disk in (data_disk(wanted, host.name) for host in wanted.hosts)}
            held |= look.missing(means.engine, means.operations, names, held)
    zones = [body for key, body in held.items() if kind_of(key) == "dns_zone" and is_ours(body, place)]
    records = means.engine.all([partial(means.operations.read_all, remove.records(zone)) for zone in zones])
    held |= {str(one["id"]).lower(): one for each in records for one in each if is_ours(one, place)}
    others = [
        sentence
        for zone, each in zip(zones, records, strict=True)
        for sentence in remove.record_refusals(zone, each, place)
    ]
    removal = remove.plan(place, found, held, delete_data, subnets)
    removal = replace(removal, refusals=[*removal.refusals, *others])
    if check_only:
        return Outcome(removal.changed, removal.lines, refusals=removal.refusals)
    _stop_for(removal.refusals)
    if removal.going:
        preflight.check_removal(means.engine, means.operations, place, removal.going)
    rest = remove.remove(means.engine, means.operations, removal, own) if found is not None else []
    return Outcome(removal.changed, removal.lines, remaining=rest)


def shown(step: Step) -> Json:
    """A step for the result of the task."""
    return {
        "kind": step.resource.kind,
        "name": step.resource.name,
        "id": step.resource.id,
        "action": step.action,
        "differences": [{"path": one.path, "found": one.found, "wanted": one.wanted} for one in step.differences],
        "notes": list(step.notes),
    }
