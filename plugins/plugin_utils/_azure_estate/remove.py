# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Take an estate away: only what carries its tag, in the order of what needs what, and data only when asked."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Listing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import listed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.apply import together
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import member
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import Place
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.plan import kind_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import (
    ESTATE_TAG,
    KINDS,
    Resource,
    is_ours,
)

Json = dict[str, t.Any]
REMOVE, KEEP_DATA, LEAVE = "remove", "keep data", "leave"
# Interfaces go with their machines; those that are left, and what they hold on to, follow.
WAVES = (
    ("dns_record", "machine"),
    ("dns_zone", "nic", "load_balancer"),
    ("network", "availability_set"),
    ("nat",),
    ("public_ip", "security_group", "disk"),
)


@dataclass(frozen=True)
class Removal:
    """What goes, what stays, and why nothing must go."""

    place: Place
    going: Sequence[Resource]
    # Data disks that stay, and those that have yet to be marked as ours before their machine goes.
    data: Sequence[Resource]
    unmarked: Sequence[Resource]
    left: Sequence[str]
    group_is_ours: bool
    refusals: Sequence[str]

    @property
    def changed(self) -> bool:
        return bool(self.going or (self.group_is_ours and not self.left and not self.data))

    @property
    def lines(self) -> list[str]:
        return [
            *(f"{REMOVE:9} {one.title}" for one in self.going),
            *(f"{KEEP_DATA:9} {one.title}" for one in self.data),
            *(f"{LEAVE:9} {one}: not ours" for one in self.left),
        ]


def plan(
    place: Place, group: Json | None, held: Mapping[str, Json], delete_data: bool, subnets: Sequence[str]
) -> Removal:
    """What is to go; `held` is what the group holds, by id in lower case, `subnets` the names of ours."""
    if group is None:
        return Removal(place, [], [], [], [], False, [])
    attached = {
        identity: body for body in held.values() if is_ours(body, place) for identity, body in _disks_of(body, held)
    }
    system = {identity for body in held.values() for identity in _system_disks(body)}
    going, data, left = [], [], []
    for identity, body in sorted(held.items()):
        resource = Resource(kind_of(identity) or "", str(member(body, "name")), str(body["id"]), body)
        if identity in system:
            continue
        if not is_ours(body, place) and identity not in attached:
            left.append(resource.title)
        elif resource.kind == "disk" and not resource.name.endswith("-os") and not delete_data:
            data.append(resource)
        else:
            going.append(resource)
    unmarked = [
        Resource("disk", str(member(body, "name")), str(body["id"]), body)
        for body in attached.values()
        if not is_ours(body, place)
    ]
    refusals = [one for resource in going for one in _refusals(resource, going, subnets)]
    return Removal(place, going, data, unmarked, left, is_ours(group, place), refusals)


def _disks_of(machine: Json, held: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """The data disks of a machine, which Azure does not tag like it."""
    storage = member(member(machine, "properties") or {}, "storageProfile") or {}
    for disk in member(storage, "dataDisks") or []:
        identity = str(member(member(disk, "managedDisk") or {}, "id") or "").lower()
        if identity in held:
            yield identity, held[identity]


def _system_disks(machine: Json) -> Iterator[str]:
    """They go with their machine."""
    storage = member(member(machine, "properties") or {}, "storageProfile") or {}
    identity = member(member(member(storage, "osDisk") or {}, "managedDisk") or {}, "id")
    if identity:
        yield str(identity).lower()


def _refusals(resource: Resource, going: Sequence[Resource], subnets: Sequence[str]) -> Iterator[str]:
    """What of others would go along."""
    if resource.kind != "network":
        return
    ours = {one.id.lower() for one in going}
    for subnet in member(member(resource.body, "properties") or {}, "subnets") or []:
        name, properties = str(member(subnet, "name")), member(subnet, "properties") or {}
        if name.lower() not in [one.lower() for one in subnets]:
            yield f"The {resource.title} has the subnet {name} of somebody else, which would go with it: move that first."
        users = {
            str(member(one, "id") or "").lower().partition("/ipconfigurations/")[0]
            for one in member(properties, "ipConfigurations") or []
        }
        others = sorted(one.rsplit("/", 1)[-1] for one in users - ours)
        if others:
            yield (
                f"The subnet {name} of the {resource.title} is used by {listed(others, 3)}, which is not ours: move"
                " that first."
            )


def record_refusals(zone: Json, records: Sequence[Json], place: Place) -> Iterator[str]:
    """Records of others would go with their zone; its own two are part of it."""
    for record in records:
        name, kind = str(member(record, "name")), str(member(record, "type") or "").rpartition("/")[2].upper()
        if not is_ours(record, place) and not (name == "@" and kind in ("NS", "SOA")):
            yield (
                f"The DNS zone {member(zone, 'name')} has the record {name} ({kind}) of somebody else, which would go with it: move"
                " that first."
            )


def records(zone: Json) -> Listing:
    """All records of a zone."""
    return Listing("records", "dns", f"{zone['id']}/recordsets", f"DNS zone {member(zone, 'name')}")


def remove(engine: Engine, operations: Operations, removal: Removal, group: Resource) -> list[str]:
    """Take it away, and tell what keeps the group there."""
    # A machine that is gone cannot say any more whose disk it was.
    together(
        engine,
        [
            operations.change(
                one.listing, "PATCH", {"tags": {**(one.body.get("tags") or {}), ESTATE_TAG: removal.place.name}}
            )
            for one in removal.unmarked
        ],
    )
    for kinds in WAVES:
        together(engine, [operations.remove(one.listing) for one in removal.going if one.kind in kinds])
    if not removal.group_is_ours:
        return []
    content = Listing("resources", "resources", f"{group.id}/resources", f"resource group {group.name}")
    rest = [str(member(one, "name")) for one in operations.read_all(content)]
    rest = rest or [one.name for one in removal.data] or list(removal.left)
    if not rest:
        together(engine, [operations.remove(group.listing)])
    return rest


def wanted_kinds() -> list[str]:
    """Everything that may be ours and that a group lists."""
    return [kind for kind in KINDS if kind not in ("group", "dns_record")]
