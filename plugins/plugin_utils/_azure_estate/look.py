# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What Azure holds of an estate: found by its lists and, where those lack it, by its id."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Listing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import member
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import Place
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import Resource, every, one

Json = dict[str, t.Any]
PROVIDERS = ("Microsoft.Compute", "Microsoft.Network")
REGISTERED = "registered"
# The lists of one look.
LISTED = (
    "security_group", "public_ip", "availability_set", "nat", "load_balancer", "network", "nic", "machine",
)  # fmt: skip


@dataclass(frozen=True)
class Region:
    """What the providers say of themselves, and of machines in the region."""

    unregistered: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    # Empty where the provider does not tell.
    locations: frozenset[str] = field(default_factory=frozenset)


def provider(place: Place, name: str) -> Listing:
    return Listing(
        "the provider", "resources", f"/subscriptions/{place.subscription}/providers/{name}", name, single=True
    )


def squeezed(location: t.Any) -> str:
    """A region by its name, however it is written."""
    return re.sub(r"\s", "", str(location or "")).lower()


def group_and_region(
    engine: Engine, operations: Operations, group: Resource, place: Place, location: str
) -> tuple[Json | None, Region]:
    """The resource group, None where there is none, and the providers."""
    wanted = [group.listing, *(provider(place, name) for name in PROVIDERS)]
    found, *providers = engine.all([partial(operations.read, listing) for listing in wanted])
    unregistered = tuple(
        name
        for name, body in zip(PROVIDERS, providers, strict=True)
        if str((body or {}).get("registrationState") or "").lower() != REGISTERED
    )
    return found, _region(providers[0] or {}, unregistered, location)


def _region(compute: Json, unregistered: tuple[str, ...], location: str) -> Region:
    machines: Json = next(
        (one for one in compute.get("resourceTypes") or [] if squeezed(one.get("resourceType")) == "virtualmachines"),
        {},
    )
    zones = [
        str(zone)
        for mapping in machines.get("zoneMappings") or []
        if squeezed(mapping.get("location")) == location
        for zone in mapping.get("zones") or []
    ]
    return Region(unregistered, tuple(sorted(zones)), frozenset(map(squeezed, machines.get("locations") or [])))


def holdings(engine: Engine, operations: Operations, place: Place, kinds: Iterable[str] = LISTED) -> dict[str, Json]:
    """What the lists of the group hold, by id in lower case."""
    lists = engine.all([partial(operations.read_all, every(kind, place)) for kind in kinds])
    return {str(entry["id"]).lower(): entry for entries in lists for entry in entries if entry.get("id")}


def missing(
    engine: Engine, operations: Operations, wanted: Mapping[str, tuple[str, str]], held: Collection[str]
) -> dict[str, Json]:
    """What the lists did not have, asked for one by one: they can lag behind. `wanted` are kind and name by id."""
    lacking = {identity: what for identity, what in wanted.items() if identity.lower() not in held}
    found = engine.all(
        [partial(operations.read, one(kind, identity, name)) for identity, (kind, name) in lacking.items()]
    )
    return {identity.lower(): body for identity, body in zip(lacking, found, strict=True) if body}


def named(resources: Iterable[Resource]) -> dict[str, tuple[str, str]]:
    return {resource.id: (resource.kind, resource.name) for resource in resources}


def name_servers(held: Mapping[str, Json], identity: str) -> list[str]:
    """Who answers for a zone."""
    found = member(member(held.get(identity.lower()) or {}, "properties") or {}, "nameServers")
    return [str(one) for one in found or []]


def address(held: Mapping[str, Json], identity: str) -> str | None:
    """The address of a public IP."""
    found = member(member(held.get(identity.lower()) or {}, "properties") or {}, "ipAddress")
    return str(found) if found else None
