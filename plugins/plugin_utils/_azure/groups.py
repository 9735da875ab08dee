# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Groups by subnet and virtual network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import Record


@dataclass
class Group:
    """Members by the index of their record; `origins` are the ids behind the name."""

    members: list[int] = field(default_factory=list)
    origins: dict[str, None] = field(default_factory=dict)


@dataclass
class SubnetGroups:
    """`subnet_<vnet>_<subnet>` below `vnet_<vnet>`, and `subnet_<subnet>` where it is wanted."""

    subnets: dict[str, Group] = field(default_factory=dict)
    networks: dict[str, dict[str, None]] = field(default_factory=dict)
    short: dict[str, Group] = field(default_factory=dict)
    network_origins: dict[str, dict[str, None]] = field(default_factory=dict)


def build(
    records: Sequence[Record], every_subnet: bool, short: bool, qualified: bool, safe: Callable[[str], str]
) -> SubnetGroups:
    """Names are in lower case: Azure does not tell cases apart, Ansible does."""
    result = SubnetGroups()
    for index, record in enumerate(records):
        for place in record["subnets"]:
            if not every_subnet and not place["primary"]:
                continue
            vnet = f"{place['vnet_resource_group']}_{place['vnet']}" if qualified else place["vnet"]
            network = safe(f"vnet_{vnet}".lower())
            name = safe(f"subnet_{vnet}_{place['name']}".lower())
            origin = place["id"].lower()
            _add(result.subnets, name, index, origin)
            result.networks.setdefault(network, {})[name] = None
            result.network_origins.setdefault(network, {})[origin.rsplit("/subnets/", 1)[0]] = None
            if short:
                _add(result.short, safe(f"subnet_{place['name']}".lower()), index, origin)
    return result


def _add(groups: dict[str, Group], name: str, index: int, origin: str) -> None:
    group = groups.setdefault(name, Group())
    if not group.members or group.members[-1] != index:
        group.members.append(index)
    group.origins[origin] = None


def merged(groups: SubnetGroups) -> list[tuple[str, list[str], str]]:
    """Groups whose name stands for several things: name, their ids, and what to do."""
    networks = [name for name, origins in groups.network_origins.items() if len(origins) > 1]
    covered = {subnet for name in networks for subnet in groups.networks[name]}
    found = [
        (name, sorted(groups.network_origins[name]), "Set vnet_names: qualified to tell them apart.")
        for name in networks
    ]
    found += [
        (name, sorted(group.origins), "Rename one of them, or use keyed_groups.")
        for name, group in groups.subnets.items()
        if len(group.origins) > 1 and name not in covered
    ]
    for name, group in groups.short.items():
        origins = {*group.origins, *(groups.subnets[name].origins if name in groups.subnets else ())}
        if len(origins) > 1:
            hint = "Use the groups with the name of the network, or set short_subnet_groups: false."
            found.append((name, sorted(origins), hint))
    return found
