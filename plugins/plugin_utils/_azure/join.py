# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""One record of variables for each machine, joined from its entry, its network interfaces and their public addresses."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Callable, Iterable

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Estate
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.read import (
    Address,
    Machine,
    Nic,
    last,
    segment,
)

# A record holds what JSON can hold, so that every cache plugin can keep it; the plugin's documentation lists its keys.
Record = dict[str, t.Any]
NETWORK_FACTS: Record = {
    "private_ip": None,
    "private_ips": [],
    "public_ip": None,
    "public_ips": [],
    "public_dns_name": None,
    "private_dns_name": None,
    "mac_address": None,
    "security_group": None,
    "subnet_id": None,
    "subnet_name": None,
    "subnet_address_prefix": None,
    "subnet_address_prefixes": [],
    "vnet_name": None,
    "vnet_resource_group": None,
    "subnets": [],
    "network_interfaces": [],
}


class Spelling:
    """One spelling for each name: Azure repeats the case that a client once wrote, so that one subnet has several."""

    def __init__(self) -> None:
        self._seen: dict[str, Counter[str]] = {}
        self._best: dict[str, str] = {}

    def see(self, value: str | None) -> None:
        if value:
            self._seen.setdefault(value.lower(), Counter())[value] += 1

    def of(self, value: str) -> str:
        """The most frequent spelling; one in capitals only where there is no other, because the compute lists shout."""
        key = value.lower()
        if key not in self._best:
            ranked = sorted(self._seen[key].items(), key=lambda item: (item[0].isupper(), -item[1], item[0]))
            self._best[key] = ranked[0][0]
        return self._best[key]


def join(estate: Estate, network: bool) -> list[Record]:
    """The records, in the order of resource group and name."""
    by_machine: dict[str, list[Nic]] = {}
    for nic in estate.nics.values():
        if nic.machine_key:
            by_machine.setdefault(nic.machine_key, []).append(nic)
    attached = {machine.key: _interfaces(machine, estate, by_machine) for machine in estate.machines.values()}
    subnets, groups = Spelling(), Spelling()
    for machine in estate.machines.values():
        groups.see(machine.facts["resource_group"])
    for nics in attached.values():
        for nic, _primary in nics:
            groups.see(segment(nic.id, "resourceGroups"))
            for address in nic.addresses:
                subnets.see(address.subnet_id)
                groups.see(segment(address.subnet_id, "resourceGroups"))
    records = []
    for machine in estate.machines.values():
        record = {**machine.facts, **NETWORK_FACTS}
        if record["resource_group"]:
            record["resource_group"] = groups.of(record["resource_group"])
        if network:
            record.update(_network(machine, attached[machine.key], estate, subnets, groups))
        records.append(record)
    return sorted(records, key=lambda record: (record["resource_group"] or "", record["name"], record["id"]))


def _interfaces(machine: Machine, estate: Estate, by_machine: dict[str, list[Nic]]) -> list[tuple[Nic, bool]]:
    """The machine's interfaces, the primary one first and marked."""
    found = [(estate.nics[key.lower()], primary) for key, primary in machine.nics if key.lower() in estate.nics]
    if not machine.nics:
        # The interface may name the machine before the machine names its interface.
        found = [(nic, None) for nic in by_machine.get(machine.key, [])]
    if not found:
        return []
    chosen = next((nic for nic, primary in found if primary), None)
    chosen = chosen or next((nic for nic, primary in found if nic.primary and primary is None), None) or found[0][0]
    return [(chosen, True), *((nic, False) for nic, _primary in found if nic is not chosen)]


def _ordered(nic: Nic) -> list[Address]:
    return sorted(nic.addresses, key=lambda address: not address.primary)


def _network(
    machine: Machine, nics: list[tuple[Nic, bool]], estate: Estate, subnets: Spelling, groups: Spelling
) -> Record:
    """The variables that its interfaces give a machine."""
    interfaces: list[Record] = []
    entries: list[Record] = []
    places: dict[str, Record] = {}
    for nic, primary in nics:
        addresses = []
        for index, address in enumerate(_ordered(nic)):
            public = estate.public_ips.get((address.public_ip_id or "").lower())
            place = _place(address.subnet_id, subnets, groups)
            if place:
                places.setdefault(place["id"], {**place, "primary": primary and index == 0})
            entry = {
                "name": address.name,
                "primary": index == 0,
                "private_ip": address.private_ip,
                "version": address.version,
                "public_ip": public.address if public else None,
                "public_dns_name": public.dns_name if public else None,
                "subnet_id": place["id"] if place else None,
                "subnet_name": place["name"] if place else None,
                "vnet_name": place["vnet"] if place else None,
            }
            addresses.append(entry)
            entries.append(entry)
        interfaces.append(
            {
                "id": nic.id,
                "name": last(nic.id),
                "primary": primary,
                "mac_address": nic.mac_address,
                "security_group": last(nic.security_group_id),
                "ip_configurations": addresses,
            }
        )
    found = list(places.values())
    home = next((place for place in found if place["primary"]), None)
    ranges = estate.prefixes.get(home["id"].lower(), []) if home else []
    return {
        "private_ip": _first(entries, "private_ip"),
        "private_ips": _all(entries, "private_ip"),
        "public_ip": _first(entries, "public_ip"),
        "public_ips": _all(entries, "public_ip"),
        "public_dns_name": next(iter(_all(entries, "public_dns_name")), None),
        "private_dns_name": _private_dns_name(machine, nics[0][0]) if nics else None,
        "mac_address": nics[0][0].mac_address if nics else None,
        "security_group": last(nics[0][0].security_group_id) if nics else None,
        "subnet_id": home["id"] if home else None,
        "subnet_name": home["name"] if home else None,
        "subnet_address_prefix": next(iter(ranges), None),
        "subnet_address_prefixes": ranges,
        "vnet_name": home["vnet"] if home else None,
        "vnet_resource_group": home["vnet_resource_group"] if home else None,
        "subnets": found,
        "network_interfaces": interfaces,
    }


def _place(subnet_id: str | None, subnets: Spelling, groups: Spelling) -> Record | None:
    """Subnet, network and its resource group, all from the id: no further request."""
    if not subnet_id:
        return None
    identity = subnets.of(subnet_id)
    name, vnet, group = (segment(identity, kind) for kind in ("subnets", "virtualNetworks", "resourceGroups"))
    if not name or not vnet:
        return None
    return {"id": identity, "name": name, "vnet": vnet, "vnet_resource_group": groups.of(group) if group else None}


def _first(entries: Iterable[Record], key: str) -> str | None:
    """The first address, preferring IPv4: that is what every network of Azure has."""
    found = [entry for entry in entries if entry[key]]
    chosen = next((entry for entry in found if ":" not in entry[key]), None) or next(iter(found), None)
    return chosen[key] if chosen else None


def _all(entries: Iterable[Record], key: str) -> list[str]:
    return [entry[key] for entry in entries if entry[key]]


def _private_dns_name(machine: Machine, nic: Nic) -> str | None:
    """The name that Azure's own DNS gives it inside of its network."""
    name = machine.facts["computer_name"]
    return nic.dns_name or (f"{name}.{nic.dns_suffix}".lower() if name and nic.dns_suffix else None)


def half_built(record: Record) -> str | None:
    """Why nothing can be done with this machine yet."""
    if not record["network_interfaces"]:
        return "none of its network interfaces is known"
    if not record["subnets"]:
        return f"its network interface {record['network_interfaces'][0]['name']} is in no subnet yet"
    if not record["private_ip"]:
        return f"its network interface {record['network_interfaces'][0]['name']} has no address yet"
    return None


def _of_version(addresses: Iterable[str], six: bool) -> str | None:
    return next((one for one in addresses if (":" in one) is six), None)


# What a machine can be reached by; each takes the place of the one before it where that gives nothing.
WAYS: dict[str, Callable[[Record], str | None]] = {
    "private_ip": lambda record: record["private_ip"],
    "private_ipv4": lambda record: _of_version(record["private_ips"], six=False),
    "private_ipv6": lambda record: _of_version(record["private_ips"], six=True),
    "public_ip": lambda record: record["public_ip"],
    "public_ipv4": lambda record: _of_version(record["public_ips"], six=False),
    "public_ipv6": lambda record: _of_version(record["public_ips"], six=True),
    "private_dns": lambda record: record["private_dns_name"],
    "public_dns": lambda record: record["public_dns_name"],
    "name": lambda record: record["name"],
}


def address(record: Record, ways: Iterable[str]) -> str | None:
    """What Ansible shall connect to: the first of the ways that this machine has."""
    return next((str(value) for value in (WAYS[way](record) for way in ways) if value), None)
