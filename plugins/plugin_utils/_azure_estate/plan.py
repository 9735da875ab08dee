# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What there is to do, from what is wanted and what Azure holds; nothing here asks or changes anything."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import listed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate import compare
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import Difference, member
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import Description
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import (
    CLOUD_INIT_TAG,
    GLOBAL,
    KINDS,
    Resource,
    is_ours,
    owner,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.rules import OURS

Json = dict[str, t.Any]
CREATE, UPDATE, KEEP, FOREIGN, ANEW, SURPLUS = "create", "update", "keep", "foreign", "make anew", "surplus"
# What Azure changes at no resource that exists.
FIXED = {
    "public_ip": r"sku|properties\.publicIP",
    "nat": r"sku",
    "load_balancer": r"sku",
    "availability_set": r"sku|properties",
    # Machines stand in it.
    "network": r"properties\.subnets\[[^]]*\]\.properties\.addressPrefix",
    "nic": r"properties\.enableAcceleratedNetworking"
    r"|properties\.ipConfigurations\[[^]]*\]\.properties\.(?:privateIP|subnet|primary)",
    "machine": r"identity|properties\.(?:osProfile|securityProfile|networkProfile|availabilitySet)"
    r"|properties\.storageProfile\.(?:imageReference|osDisk)"
    r"|properties\.storageProfile\.dataDisks\[[^]]*\]\.",
}
FIXED_EVERYWHERE = r"location|zones"
# Only of interest on the day it is made.
OF_THE_FIRST_DAY = re.compile(
    r"properties\.storageProfile\.(?:osDisk|dataDisks\[[^]]*\])\.createOption|properties\.osProfile\.customData"
)
# Told, and no more: the machine itself has the say by now.
OF_THE_MACHINE = re.compile(rf"properties\.osProfile\.linuxConfiguration\.ssh|tags\.{CLOUD_INIT_TAG}")
RESTARTING = "properties.hardwareProfile.vmSize"
FAILED = ("failed", "canceled")


@dataclass(frozen=True)
class Step:
    """What is to be done with a resource."""

    resource: Resource
    action: str
    differences: Sequence[Difference] = ()
    notes: Sequence[str] = ()
    found: Json | None = field(default=None, repr=False)
    # What is sent.
    body: Json | None = field(default=None, repr=False)
    restart: bool = False
    # Azure is still at it.
    unfinished: bool = False

    @property
    def line(self) -> str:
        """For the operator."""
        told = "; ".join([*map(str, self.differences), *self.notes])
        return f"{self.action:9} {self.resource.title}{f': {told}' if told else ''}"


@dataclass(frozen=True)
class Plan:
    """All steps, the providers to register, and why it must not be carried out."""

    steps: Sequence[Step]
    register: Sequence[str] = ()
    refusals: Sequence[str] = ()

    @property
    def changes(self) -> list[Step]:
        return [step for step in self.steps if step.action in (CREATE, UPDATE)]

    @property
    def changed(self) -> bool:
        return bool(self.changes or self.register)

    @property
    def lines(self) -> list[str]:
        return [*(f"register  provider {one}" for one in self.register), *(step.line for step in self.steps)]


@dataclass(frozen=True)
class Permissions:
    """What the operator lets us do beyond the ordinary."""

    adopt: bool = False
    restart: bool = False


def plan(
    wanted: Description,
    group: Resource,
    resources: Sequence[Resource],
    held: Mapping[str, Json],
    register: Sequence[str] = (),
    permissions: Permissions | None = None,
) -> Plan:
    """The plan; `held` is what Azure holds, by id in lower case."""
    allowed = permissions or Permissions()
    steps = [_group_step(wanted, group, held.get(group.id.lower()))]
    steps += [_step(wanted, one, held.get(one.id.lower()), allowed) for one in resources]
    known = {one.id.lower() for one in (group, *resources)}
    steps += [
        Step(Resource(kind, str(member(body, "name")), identity, {}), SURPLUS, notes=["ours, but no longer wanted"])
        for identity, body in sorted(held.items())
        if identity not in known and is_ours(body, wanted) and (kind := kind_of(identity)) and kind != "disk"
    ]
    return Plan(steps, register, list(_refusals(wanted, steps, held, allowed)))


def kind_of(identity: str) -> str | None:
    """The kind of a resource by its id."""
    namespace, *rest = identity.lower().rpartition("/providers/")[2].split("/")
    path = "/".join([namespace, *rest[::2]])
    return next((kind for kind, one in KINDS.items() if one.path.lower() == path), None)


def _group_step(wanted: Description, group: Resource, found: Json | None) -> Step:
    """A group that somebody else made serves as well, and outlives the estate."""
    if found is None:
        return Step(group, CREATE, body=group.body)
    notes = [] if is_ours(found, wanted) else ["not ours, and stays when the estate is removed"]
    return Step(group, KEEP, notes=notes, found=found)


def _step(wanted: Description, resource: Resource, found: Json | None, allowed: Permissions) -> Step:
    if found is None:
        return Step(resource, CREATE, body=resource.body)
    if not is_ours(found, wanted) and not (allowed.adopt and owner(found) is None):
        whose = f"it belongs to the estate {owner(found)}" if owner(found) else "it does not carry our tag"
        return Step(resource, FOREIGN, notes=[whose], found=found)
    every = [one for one in compare.differences(resource.body, found) if not OF_THE_FIRST_DAY.match(one.path)]
    told = [one for one in every if OF_THE_MACHINE.match(one.path)]
    notes = [f"{one.path.rsplit('.', 1)[-1]} differs from the day it was made" for one in told]
    changes = [one for one in every if one not in told]
    body = compare.merged(resource.body, _kept(resource.kind, found))
    notes += _strangers(resource, found)
    stale = _stale_rules(resource, found)
    if stale:
        changes += [Difference(f"properties.securityRules[{name}]", name, None) for name in stale]
        body["properties"]["securityRules"] = [
            one for one in body["properties"]["securityRules"] if str(member(one, "name")) not in stale
        ]
    state = str(member(member(found, "properties") or {}, "provisioningState") or "Succeeded").lower()
    fixed = [one for one in changes if _is_fixed(resource.kind, one)]
    if fixed:
        return Step(resource, ANEW, changes, notes, found)
    if state in FAILED:
        changes.append(Difference("properties.provisioningState", state, "succeeded"))
        # What failed on its first day is made with all that belongs to it.
        body = resource.body if resource.kind == "machine" else body
    elif resource.kind == "machine":
        body = _patch(body, changes)
    unfinished = state not in ("succeeded", *FAILED)
    if not changes:
        return Step(resource, KEEP, (), notes, found, unfinished=unfinished)
    restart = any(one.path == RESTARTING for one in changes)
    return Step(resource, UPDATE, changes, notes, found, body, restart, unfinished)


def _kept(kind: str, found: Json) -> Json:
    """What of others stays in a request; a zone tells of much that it does not take, and a record is one or the other thing."""
    return {name: found[name] for name in ("tags",) if name in found} if kind.startswith("dns_") else found


def _is_fixed(kind: str, difference: Difference) -> bool:
    return bool(re.match(f"(?:{FIXED_EVERYWHERE}|{FIXED.get(kind, '$.')})", difference.path))


def _patch(body: Json, changes: Sequence[Difference]) -> Json:
    """Only the parts of a machine that differ: Azure refuses much of what it shows of one."""
    made: Json = {}
    for change in changes:
        parts = re.split(r"[.\[]", change.path)
        if parts[0] != "properties":
            made[parts[0]] = body[parts[0]]
        elif parts[1] == "storageProfile":
            # The rest of it is fixed.
            made.setdefault("properties", {})["storageProfile"] = {
                "dataDisks": body["properties"]["storageProfile"]["dataDisks"]
            }
        else:
            made.setdefault("properties", {})[parts[1]] = body["properties"][parts[1]]
    return made


def _elements(kind: str, body: Json) -> list[Json]:
    """What others may have added to a resource."""
    name = {"security_group": "securityRules", "network": "subnets"}.get(kind)
    found = member(member(body, "properties") or {}, name) if name else None
    return found if isinstance(found, list) else []


def _strangers(resource: Resource, found: Json) -> list[str]:
    others = compare.extras(_elements(resource.kind, resource.body), _elements(resource.kind, found))
    others = [name for name in others if not (resource.kind == "security_group" and name.startswith(OURS))]
    what = "rules" if resource.kind == "security_group" else "subnets"
    return [f"{what} of others stay: {listed(others)}"] if others else []


def _stale_rules(resource: Resource, found: Json) -> list[str]:
    """Our own rules that nobody needs any more would stay open."""
    if resource.kind != "security_group":
        return []
    wanted = _elements(resource.kind, resource.body)
    return [name for name in compare.extras(wanted, _elements(resource.kind, found)) if name.startswith(OURS)]


def _refusals(
    wanted: Description, steps: Sequence[Step], held: Mapping[str, Json], allowed: Permissions
) -> Iterator[str]:
    """Why nothing may be changed; each a sentence with what to do."""
    elsewhere = sorted(
        {
            region
            for body in held.values()
            if is_ours(body, wanted) and (region := str(member(body, "location") or "").replace(" ", "").lower())
        }
        - {wanted.location, GLOBAL}
    )
    if elsewhere:
        yield (
            f"The estate {wanted.name} stands in {listed(elsewhere)} already; expected {wanted.location}: correct location, remove"
            " it there first, or choose another name."
        )
        return
    # Eight machines of the same fault are one sentence.
    alike: dict[tuple[str, str, str], list[str]] = {}
    for step in steps:
        for before, after in _refusal(step, allowed):
            alike.setdefault((KINDS[step.resource.kind].title, before, after), []).append(step.resource.name)
        if step.resource.kind == "security_group" and step.found:
            yield from _same_priority(step)
    for (title, before, after), names in alike.items():
        yield f"The {title} {listed(names)} {before}; {after}."


def _refusal(step: Step, allowed: Permissions) -> Iterator[tuple[str, str]]:
    """What is wrong with one resource, and what to do."""
    if step.action == FOREIGN:
        remedy = "choose another name" if "belongs to" in step.notes[0] else "set adopt to true, or choose another name"
        yield f"exists, but {step.notes[0]}", f"expected none, or one of ours: {remedy}"
    if step.action == ANEW:
        fixed = listed(str(one) for one in step.differences if _is_fixed(step.resource.kind, one))
        yield (
            f"must be made anew, because Azure does not change {fixed}",
            "expected what is there: write that in the description, or remove it in Azure and run this again",
        )
    if step.restart and not allowed.restart:
        told = listed(map(str, step.differences))
        yield f"must be restarted for {told}", "that takes it out for a while: set allow_restart to true"


def _same_priority(step: Step) -> Iterator[str]:
    """Azure takes no two rules of one priority."""
    wanted = _elements("security_group", step.resource.body)
    ours = {int(one["properties"]["priority"]): one["name"] for one in wanted}
    for one in _elements("security_group", step.found or {}):
        name, properties = str(member(one, "name")), member(one, "properties") or {}
        priority = int(member(properties, "priority") or 0)
        inbound = str(member(properties, "direction")).lower() == "inbound"
        if inbound and priority in ours and not name.startswith(OURS):
            yield (
                f"The {step.resource.title} has the rule {name} of somebody else at priority {priority}, where {ours[priority]}"
                " belongs; expected none there: move it to another priority."
            )
