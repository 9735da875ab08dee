# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What a GET can tell before anything is made: rights, sizes, zones, quota and the image."""

from __future__ import annotations

import fnmatch
import typing as t
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Listing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError, listed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import Description
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.look import Region, squeezed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.plan import CREATE, Plan, Step
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import KINDS

Json = dict[str, t.Any]


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
    subscription = f"/subscriptions/{wanted.subscription}"
    scope = wanted.scope if group_exists else subscription
    rights = Listing("rights", "permissions", f"{scope}/providers/Microsoft.Authorization/permissions", scope)
    if plan.changes:
        refuse_rights(engine.all([partial(operations.read_all, rights)])[0], plan.changes, scope)
    if not machines:
        return
    compute = f"{subscription}/providers/Microsoft.Compute"
    sizes = Listing(
        "sizes", "skus", f"{compute}/skus", wanted.location, {"$filter": f"location eq '{wanted.location}'"}
    )
    usages = Listing("usages", "compute", f"{compute}/locations/{wanted.location}/usages", wanted.location)
    offered, used = engine.all([partial(operations.read_all, one) for one in (sizes, usages)])
    refuse_sizes(wanted, machines, offered, used)
    refuse_image(engine, operations, wanted, compute)


def refuse_rights(permissions: Sequence[Json], changes: Sequence[Step], scope: str) -> None:
    """What this identity may not do; an empty list says nothing."""
    if not permissions:
        return
    actions = {
        f"{KINDS[step.resource.kind].path}/write" if KINDS[step.resource.kind].path
        else "Microsoft.Resources/subscriptions/resourceGroups/write"
        for step in changes
    }  # fmt: skip
    lacking = sorted(action for action in actions if not any(_grants(one, action) for one in permissions))
    if lacking:
        raise SettingsError(
            f"This identity may not do {listed(lacking, 3)} in {scope}; expected the role Contributor there, or the rights that"
            " docs/azure-estate.md lists: have it assigned."
        )


def _grants(permission: Json, action: str) -> bool:
    def matches(patterns: t.Any) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), str(one).lower()) for one in patterns or [])

    return matches(permission.get("actions")) and not matches(permission.get("notActions"))


def refuse_sizes(wanted: Description, machines: Sequence[Step], offered: Sequence[Json], used: Sequence[Json]) -> None:
    """Sizes that are not sold here, in this zone, or beyond the quota."""
    sizes = {
        squeezed(one.get("name")): one for one in offered if squeezed(one.get("resourceType")) == "virtualmachines"
    }
    if not sizes:
        return
    cores: Counter[str] = Counter()
    for step in machines:
        size = str(step.resource.body["properties"]["hardwareProfile"]["vmSize"])
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
        capabilities = {str(one.get("name")): str(one.get("value")) for one in sold.get("capabilities") or []}
        for name in (str(sold.get("family") or ""), "cores"):
            cores[name.lower()] += int(capabilities.get("vCPUs") or 0)
    for one in used:
        name = str((one.get("name") or {}).get("value") or "").lower()
        left = int(one.get("limit") or 0) - int(one.get("currentValue") or 0)
        if name in cores and cores[name] > left:
            raise SettingsError(
                f"The quota of {name} in {wanted.location} leaves {left} cores, and the machines to be made need {cores[name]};"
                " expected enough of them: ask for a higher quota in the portal, or choose smaller machines."
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
