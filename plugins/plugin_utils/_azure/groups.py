# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Groups by subnet and virtual network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import Record
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.read import segment


@dataclass
class Group:
    """Members by the index of their record; `origins` are the ids behind the name."""

    members: list[int] = field(default_factory=list)
    origins: dict[str, None] = field(default_factory=dict)


@dataclass
class SubnetGroups:
    """`subnet_<vnet>_<subnet>` below `vnet_<vnet>`, and `subnet_<subnet>` where it is wanted."""

    vnet_names: str
    safe: Callable[[str], str]
    subnets: dict[str, Group] = field(default_factory=dict)
    networks: dict[str, dict[str, None]] = field(default_factory=dict)
    short: dict[str, Group] = field(default_factory=dict)
    network_origins: dict[str, dict[str, None]] = field(default_factory=dict)


# How many parts of its id name a network: its name, its resource group before it, its subscription before both.
LEVELS = {"short": 1, "qualified": 2, "subscription": 3}


def network_label(network_id: str, parts: int) -> str:
    """The network's name with as many of resource group and subscription before it as are wanted."""
    names = [segment(network_id, kind) or "" for kind in ("subscriptions", "resourceGroups", "virtualNetworks")]
    return "_".join(names[-parts:])


def build(
    records: Sequence[Record], every_subnet: bool, short: bool, vnet_names: str, safe: Callable[[str], str]
) -> SubnetGroups:
    """Names are in lower case: Azure does not tell cases apart, Ansible does."""
    result = SubnetGroups(vnet_names, safe)
    labels: dict[str, str] = {}
    for index, record in enumerate(records):
        for place in record["subnets"]:
            if not every_subnet and not place["primary"]:
                continue
            origin = place["id"].lower()
            home = origin.rsplit("/subnets/", 1)[0]
            if home not in labels:
                labels[home] = network_label(home, LEVELS[vnet_names])
            network = safe(f"vnet_{labels[home]}")
            name = safe(f"subnet_{labels[home]}_{place['name']}".lower())
            _add(result.subnets, name, index, origin)
            result.networks.setdefault(network, {})[name] = None
            result.network_origins.setdefault(network, {})[home] = None
            if short:
                _add(result.short, safe(f"subnet_{place['name']}".lower()), index, origin)
    return result


def _add(groups: dict[str, Group], name: str, index: int, origin: str) -> None:
    group = groups.setdefault(name, Group())
    if not group.members or group.members[-1] != index:
        group.members.append(index)
    group.origins[origin] = None


def merged(groups: SubnetGroups) -> list[tuple[str, list[str], str]]:
    """Groups whose name stands for several networks or subnets by accident: name, their ids, and what to do."""
    networks = [name for name, origins in groups.network_origins.items() if len(origins) > 1]
    covered = {subnet for name in networks for subnet in groups.networks[name]}
    found = [(name, sorted(groups.network_origins[name]), _telling_apart(groups, name)) for name in networks]
    found += [
        (name, sorted(group.origins), _telling_apart(groups, name))
        for name, group in groups.subnets.items()
        if len(group.origins) > 1 and name not in covered
    ]
    return found


def merged_short(groups: SubnetGroups) -> list[tuple[str, list[str], str]]:
    """Groups of short_subnet_groups that put several subnets together, which is what their names are for."""
    found = []
    for name, group in groups.short.items():
        origins = {*group.origins, *(groups.subnets[name].origins if name in groups.subnets else ())}
        if len(origins) > 1:
            hint = "Use the groups with the name of the network, or set short_subnet_groups: false."
            found.append((name, sorted(origins), hint))
    return found


def _telling_apart(groups: SubnetGroups, name: str) -> str:
    """The least change of vnet_names that gives each of them a group of its own."""
    origins = groups.network_origins.get(name) or groups.subnets[name].origins
    for level, parts in LEVELS.items():
        if parts <= LEVELS[groups.vnet_names]:
            continue
        names = {groups.safe(f"{network_label(one, parts)}_{segment(one, 'subnets') or ''}".lower()) for one in origins}
        if len(names) == len(origins):
            return f"Set vnet_names: {level} to tell them apart."
    return "Their names differ in nothing that the name of a group can hold: rename one of them, or use keyed_groups."
