# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Take from Azure's raw entries what the inventory needs, whatever is missing or half-built in them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Json = dict[str, t.Any]


@dataclass(frozen=True, slots=True)
class State:
    """What only the running machine can tell."""

    power: str | None
    computer_name: str | None = None
    os_name: str | None = None
    os_version: str | None = None


@dataclass(slots=True)
class Machine:
    """One virtual machine; `facts` are the variables that its own entry gives."""

    key: str
    name: str
    facts: Json
    # Id and whether it is the primary one, where the entry says so.
    nics: list[tuple[str, bool | None]] = field(default_factory=list)
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a network interface."""

    name: str | None
    primary: bool
    private_ip: str | None
    version: str
    subnet_id: str | None
    public_ip_id: str | None


@dataclass(frozen=True, slots=True)
class Nic:
    """A network interface."""

    id: str
    machine_key: str | None
    primary: bool | None
    mac_address: str | None
    security_group_id: str | None
    dns_name: str | None
    dns_suffix: str | None
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class PublicIp:
    """A public address; either part can be missing."""

    address: str | None
    dns_name: str | None


def part(entry: t.Any, *names: str) -> Json:
    """A nested object, or an empty one where any step of the way is missing."""
    for name in names:
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry if isinstance(entry, dict) else {}


def rows(entry: Json, name: str) -> list[Json]:
    """A list of objects, or an empty one."""
    found = entry.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def text(entry: Json, name: str) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) and value else None


def segment(resource_id: str | None, before: str) -> str | None:
    """The part of an id that follows the given one: `virtualNetworks` gives the name of the network."""
    if not resource_id:
        return None
    parts = resource_id.split("/")
    wanted = before.lower()
    for index in range(len(parts) - 1):
        if parts[index].lower() == wanted:
            return parts[index + 1] or None
    return None


def last(resource_id: str | None) -> str | None:
    return resource_id.rsplit("/", 1)[-1] or None if resource_id else None


def machine(entry: Json) -> Machine | None:
    """A machine of the list; None where the entry has no id, which nothing could be joined to."""
    identity = text(entry, "id")
    name = text(entry, "name") or last(identity)
    if not identity or not name:
        return None
    own = part(entry, "properties")
    os_profile = part(own, "osProfile")
    storage = part(own, "storageProfile")
    disk = part(storage, "osDisk")
    tags = entry.get("tags")
    zones = entry.get("zones")
    facts: Json = {
        "id": identity,
        "vm_id": text(own, "vmId"),
        "name": name,
        "subscription_id": segment(identity, "subscriptions"),
        "resource_group": segment(identity, "resourceGroups"),
        "location": text(entry, "location"),
        "zones": [str(zone) for zone in zones] if isinstance(zones, list) else [],
        "tags": {str(tag): value for tag, value in tags.items()} if isinstance(tags, dict) else {},
        "size": text(part(own, "hardwareProfile"), "vmSize") or text(part(entry, "sku"), "name"),
        "priority": text(own, "priority") or "Regular",
        "computer_name": text(os_profile, "computerName"),
        "admin_username": text(os_profile, "adminUsername"),
        "os_type": text(disk, "osType"),
        "os_name": None,
        "os_version": None,
        "image": _image(part(storage, "imageReference")),
        "os_disk": _disk(disk) if disk else None,
        "data_disks": [{"lun": row.get("lun"), **_disk(row)} for row in rows(storage, "dataDisks")],
        "availability_set": last(text(part(own, "availabilitySet"), "id")),
        "scale_set": last(text(part(own, "virtualMachineScaleSet"), "id"))
        or segment(identity, "virtualMachineScaleSets"),
        "created": text(own, "timeCreated"),
        "provisioning_state": text(own, "provisioningState"),
        "power_state": None,
    }
    nics = []
    for row in rows(part(own, "networkProfile"), "networkInterfaces"):
        nic_id = text(row, "id")
        if nic_id:
            primary = part(row, "properties").get("primary", row.get("primary"))
            nics.append((nic_id, primary if isinstance(primary, bool) else None))
    return Machine(identity.lower(), name, facts, nics, state(entry))


def _image(reference: Json) -> Json | None:
    kept = {key: text(reference, key) for key in ("publisher", "offer", "sku", "version", "id")}
    return kept if any(kept.values()) else None


def _disk(row: Json) -> Json:
    managed = part(row, "managedDisk")
    return {
        "name": text(row, "name"),
        "id": text(managed, "id"),
        "size_gb": row.get("diskSizeGB"),
        "storage_type": text(managed, "storageAccountType"),
    }


def state(entry: Json) -> State | None:
    """The run-time state in an entry, in the form of the lists or in that of the graph; None where there is none."""
    own = part(entry, "properties")
    view = part(own, "instanceView") or part(own, "extended", "instanceView")
    if not view:
        return None
    codes = [str(row.get("code")) for row in [*rows(view, "statuses"), part(view, "powerState")] if row.get("code")]
    power = next((code.split("/", 1)[1].lower() for code in codes if code.lower().startswith("powerstate/")), None)
    return State(power, text(view, "computerName"), text(view, "osName"), text(view, "osVersion"))


def nic(entry: Json) -> Nic | None:
    identity = text(entry, "id")
    if not identity:
        return None
    own = part(entry, "properties")
    dns = part(own, "dnsSettings")
    owner = text(part(own, "virtualMachine"), "id")
    primary = own.get("primary")
    return Nic(
        id=identity,
        machine_key=owner.lower() if owner else None,
        primary=primary if isinstance(primary, bool) else None,
        mac_address=text(own, "macAddress"),
        security_group_id=text(part(own, "networkSecurityGroup"), "id"),
        dns_name=text(dns, "internalFqdn"),
        dns_suffix=text(dns, "internalDomainNameSuffix"),
        addresses=tuple(_address(row) for row in rows(own, "ipConfigurations")),
    )


def _address(row: Json) -> Address:
    own = part(row, "properties")
    private_ip = text(own, "privateIPAddress")
    version = text(own, "privateIPAddressVersion") or ("IPv6" if private_ip and ":" in private_ip else "IPv4")
    return Address(
        name=text(row, "name"),
        primary=own.get("primary") is True,
        private_ip=private_ip,
        version=version,
        subnet_id=text(part(own, "subnet"), "id"),
        public_ip_id=text(part(own, "publicIPAddress"), "id"),
    )


def public_ip(entry: Json) -> PublicIp:
    own = part(entry, "properties")
    return PublicIp(text(own, "ipAddress"), text(part(own, "dnsSettings"), "fqdn"))


def prefixes(network: Json) -> dict[str, list[str]]:
    """Address ranges of each subnet of a virtual network, by the subnet's id in lower case."""
    found = {}
    for subnet in rows(part(network, "properties"), "subnets"):
        identity = text(subnet, "id")
        own = part(subnet, "properties")
        several = own.get("addressPrefixes")
        one = text(own, "addressPrefix")
        ranges = [str(value) for value in several] if isinstance(several, list) and several else [one] if one else []
        if identity and ranges:
            found[identity.lower()] = ranges
    return found
