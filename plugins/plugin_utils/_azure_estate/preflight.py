# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What a GET can tell before anything is made: rights, namesakes, sizes, zones, quota and the image."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Listing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError, listed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import Description, Place
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.look import Region, squeezed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.plan import CREATE, Plan, Step
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import (
    ESTATE_TAG,
    KINDS,
    Resource,
)

Json = dict[str, t.Any]
# Whom a resource refers to, by its kind; Azure asks for the right to.
JOINED = {
    "nat": "Microsoft.Network/publicIPAddresses",
    "load_balancer": "Microsoft.Network/publicIPAddresses",
    "network": "Microsoft.Network/networkSecurityGroups",
    "nic": "Microsoft.Network/virtualNetworks/subnets",
    "dns_record": "Microsoft.Network/publicIPAddresses",
    "machine": "Microsoft.Network/networkInterfaces",
}
# The names of the quotas that a resource counts for, besides the cores of a machine.
QUOTAS = {
    "machine": ("virtualmachines",),
    "public_ip": ("publicipaddresses", "staticpublicipaddresses", "standardskupublicipaddresses"),
    "nic": ("networkinterfaces",),
    "network": ("virtualnetworks",),
    "security_group": ("networksecuritygroups",),
    "load_balancer": ("loadbalancers", "standardskuloadbalancers"),
    "nat": ("natgateways",),
}


def check_region(wanted: Description, region: Region) -> None:
    """The region and the zones that are asked for by name."""
    if region.locations and wanted.location not in region.locations:
        raise SettingsError(
            f"location is {wanted.location}, and Azure has no virtual machines there; expected one of"
            f" {listed(sorted(region.locations))}: correct it."
        )
    for host in wanted.hosts:
        if host.zone and host.zone not in region.zones and not region.unregistered:
            has = f"has the zones {', '.join(region.zones)}" if region.zones else "has no zones"
            raise SettingsError(
                f"{host.name} asks for zone {host.zone}, and {wanted.location} {has}; expected one of those: correct or remove"
                " it."
            )


def check(engine: Engine, operations: Operations, wanted: Description, plan: Plan, group_exists: bool) -> None:
    """Raises one sentence for what would fail later."""
    machines = [step for step in plan.steps if step.resource.kind == "machine" and step.action == CREATE]
    if plan.changes:
        scope = wanted.scope if group_exists else f"/subscriptions/{wanted.subscription}"
        refuse_rights(engine, operations, scope, _actions(plan.changes))
    if not group_exists:
        refuse_namesake(operations, wanted)
    if not machines:
        return
    compute, network = (
        f"/subscriptions/{wanted.subscription}/providers/Microsoft.{one}" for one in ("Compute", "Network")
    )
    listings = [
        Listing("sizes", "skus", f"{compute}/skus", wanted.location, {"$filter": f"location eq '{wanted.location}'"}),
        Listing("usages", "compute", f"{compute}/locations/{wanted.location}/usages", wanted.location),
        Listing("usages", "network", f"{network}/locations/{wanted.location}/usages", wanted.location),
    ]
    offered, *used = engine.all([partial(operations.read_all, one) for one in listings])
    refuse_sizes(wanted, machines, offered)
    refuse_quota(wanted, plan.changes, offered, [one for usages in used for one in usages])
    refuse_image(engine, operations, wanted, compute)


def check_register(engine: Engine, operations: Operations, wanted: Description, names: Sequence[str]) -> None:
    """The right to register providers, which stands at the subscription."""
    refuse_rights(
        engine, operations, f"/subscriptions/{wanted.subscription}", [f"{name}/register/action" for name in names]
    )


def check_removal(engine: Engine, operations: Operations, place: Place, going: Sequence[Resource]) -> None:
    """The right to remove."""
    refuse_rights(engine, operations, place.scope, [f"{_type(one)}/delete" for one in going])


def _type(resource: Resource) -> str:
    return KINDS[resource.kind].path or "Microsoft.Resources/subscriptions/resourceGroups"


def _actions(changes: Sequence[Step]) -> list[str]:
    """What changes need; to refer to a resource is a right of its own at that resource."""
    actions = [f"{_type(step.resource)}/write" for step in changes]
    for step in changes:
        if step.restart:
            actions += [f"{_type(step.resource)}/{word}/action" for word in ("deallocate", "start")]
        if step.resource.kind in JOINED:
            actions.append(f"{JOINED[step.resource.kind]}/join/action")
    return actions


def refuse_rights(engine: Engine, operations: Operations, scope: str, actions: Sequence[str]) -> None:
    """What this identity may not do in a scope; an empty list of its rights says nothing."""
    rights = Listing("rights", "permissions", f"{scope}/providers/Microsoft.Authorization/permissions", scope)
    permissions = engine.all([partial(operations.read_all, rights)])[0]
    lacking = sorted({action for action in actions if not any(_grants(one, action) for one in permissions)})
    if permissions and lacking:
        raise SettingsError(
            f"This identity may not do {listed(lacking, 3)} in {scope}; expected the role Contributor there, or the rights that"
            " docs/azure-estate.md lists: have it assigned."
        )


def refuse_namesake(operations: Operations, wanted: Description) -> None:
    """An estate of the same name in another group: the inventory could not tell them apart."""
    mark = {"$filter": f"tagName eq '{ESTATE_TAG}' and tagValue eq '{wanted.name}'"}
    scope = f"/subscriptions/{wanted.subscription}"
    for one in operations.read_all(Listing("resources", "resources", f"{scope}/resources", scope, mark)):
        found = re.search(r"/resourceGroups/([^/]+)", str(one.get("id") or ""), re.IGNORECASE)
        # A group that is on its way out is still listed.
        if found and found[1].lower() != wanted.resource_group.lower():
            raise SettingsError(
                f"An estate {wanted.name} stands in the resource group {found[1]} in {squeezed(one.get('location'))} already;"
                f" expected none but that of {wanted.resource_group}: choose another name, or set resource_group."
            )


def _grants(permission: Json, action: str) -> bool:
    def matches(patterns: t.Any) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), str(one).lower()) for one in patterns or [])

    return matches(permission.get("actions")) and not matches(permission.get("notActions"))


def refuse_sizes(wanted: Description, machines: Sequence[Step], offered: Sequence[Json]) -> None:
    """Sizes that are not sold here or in this zone, or cannot do what the machines need."""
    sizes = _sizes(offered)
    if not sizes:
        return
    for step in machines:
        size = _size_of(step)
        zone = next(iter(step.resource.body.get("zones") or []), None)
        sold = sizes.get(squeezed(size))
        if sold is None:
            raise SettingsError(
                f"The size {size} of {step.resource.name} is not offered in {wanted.location}; expected one of"
                f" {listed(sorted(str(one.get('name')) for one in sizes.values()), 5)}: change size."
            )
        for reason in _restricted(sold, zone):
            raise SettingsError(
                f"The size {size} of {step.resource.name} is not to be had in {wanted.location}{reason}; expected a size that is:"
                " change size, zone or location, or ask Azure's support to open it."
            )
        for lack, remedy in _lacking(_capabilities(sold), wanted.accelerated):
            raise SettingsError(
                f"The size {size} of {step.resource.name} {lack}; expected one that can, such as Standard_D2as_v5: {remedy}."
            )


def _sizes(offered: Sequence[Json]) -> dict[str, Json]:
    return {squeezed(one.get("name")): one for one in offered if squeezed(one.get("resourceType")) == "virtualmachines"}


def _size_of(step: Step) -> str:
    return str(step.resource.body["properties"]["hardwareProfile"]["vmSize"])


def _capabilities(sold: Json) -> dict[str, str]:
    return {str(one.get("name")): str(one.get("value")) for one in sold.get("capabilities") or []}


def _lacking(able: Mapping[str, str], accelerated: bool) -> Iterator[tuple[str, str]]:
    """What a size says that it cannot do, and what helps; one that does not tell can."""
    if "V2" not in able.get("HyperVGenerations", "V2"):
        yield "boots no image of the second generation, which trusted launch needs", "change size"
    if able.get("TrustedLaunchDisabled", "False") == "True":
        yield "knows no trusted launch", "change size"
    if able.get("PremiumIO", "True") == "False":
        yield "takes no premium disks", "change size"
    if accelerated and able.get("AcceleratedNetworkingEnabled", "True") == "False":
        yield "has no accelerated networking", "change size, or set accelerated_networking to false"


def refuse_quota(wanted: Description, changes: Sequence[Step], offered: Sequence[Json], used: Sequence[Json]) -> None:
    """What is to be made beyond what Azure lets this subscription have."""
    needed: Counter[str] = Counter()
    sizes = _sizes(offered)
    for step in changes:
        if step.action == CREATE:
            needed.update(QUOTAS.get(step.resource.kind, ()))
        if step.action == CREATE and step.resource.kind == "machine":
            sold = sizes.get(squeezed(_size_of(step)), {})
            for name in (str(sold.get("family") or ""), "cores"):
                needed[name.lower()] += int(_capabilities(sold).get("vCPUs") or 0)
    for one in used:
        name = str((one.get("name") or {}).get("value") or "")
        left = int(one.get("limit") or 0) - int(one.get("currentValue") or 0)
        if needed[name.lower()] > left:
            raise SettingsError(
                f"The quota of {name} in {wanted.location} leaves {left}, and what is to be made needs {needed[name.lower()]};"
                " expected enough of them: ask for a higher quota in the portal, or choose fewer or smaller machines."
            )


def _restricted(sold: Json, zone: str | None) -> Iterator[str]:
    """Why a size is not sold to this subscription."""
    zones = [str(name) for one in sold.get("locationInfo") or [] for name in one.get("zones") or []]
    if zone and zones and zone not in zones:
        yield f" in zone {zone}, but in {', '.join(sorted(zones))}"
    for one in sold.get("restrictions") or []:
        where = [str(name) for name in (one.get("restrictionInfo") or {}).get("zones") or []]
        if one.get("type") == "Location" or zone in where:
            yield f"{f' in zone {zone}' if where else ''} ({one.get('reasonCode')})"


def refuse_image(engine: Engine, operations: Operations, wanted: Description, compute: str) -> None:
    image = wanted.image
    parts = f"publishers/{image['publisher']}/artifacttypes/vmimage/offers/{image['offer']}/skus/{image['sku']}"
    path = f"{compute}/locations/{wanted.location}/{parts}/versions"
    urn = ":".join(image.values())
    version = {"$top": "1"} if image["version"] == "latest" else {}
    listing = Listing("the image", "compute", path, urn, version, single=True)
    (answer,) = engine.all([partial(operations.read_any, listing)])
    names = [str(one.get("name")) for one in answer or []]
    if not names or (not version and image["version"] not in names):
        raise SettingsError(
            f"The image {urn} does not exist in {wanted.location}; expected one that does, such as Debian:debian-12:12-gen2:latest"
            " where debian-13 is missing: change image."
        )
