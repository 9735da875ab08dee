# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and addresses of the hosts, as an inventory folder tells them."""

from __future__ import annotations

import ipaddress
import pathlib
from dataclasses import dataclass
from typing import Any

import yaml

from .command import LabError

SUBNET_BITS = 28


@dataclass(frozen=True)
class Host:
    """One lab host and its address."""

    name: str
    address: ipaddress.IPv4Address

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(f"{self.address}/{SUBNET_BITS}", strict=False)

    @property
    def prefix(self) -> str:
        """The first three numbers of the address."""
        return str(self.address).rpartition(".")[0]

    @property
    def mac(self) -> str:
        """Follows from the address: a host made anew is where its neighbours' ARP entries say."""
        return "02:57:" + ":".join(f"{number:02x}" for number in self.address.packed)


def inventory_hosts(tree: Any) -> dict[str, dict[str, Any]]:
    """Every host of a YAML inventory with the variables that stand beside its name."""
    found: dict[str, dict[str, Any]] = {}

    def walk(group: Any) -> None:
        for name, variables in ((group or {}).get("hosts") or {}).items():
            found.setdefault(name, {}).update(variables or {})
        for child in ((group or {}).get("children") or {}).values():
            walk(child)

    for top in (tree or {}).values():
        walk(top)
    return found


def host_address(name: str, raw: Any, prefix: str) -> ipaddress.IPv4Address:
    """The address of a host; `{{ lab_prefix }}` stands for the first three numbers."""
    text = str(raw or "").replace("{{ lab_prefix }}", prefix)
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        raise LabError(
            f"Lab host {name} has ansible_host '{text}'; expected an IPv4 address, set it in host_vars/{name}.yml."
        ) from None


def load_hosts(inventory: pathlib.Path, prefix: str) -> list[Host]:
    """Read names from hosts.yml and addresses from beside them or from host_vars."""
    hosts_file = inventory / "hosts.yml"
    if not hosts_file.is_file():
        raise LabError(f"{hosts_file} does not exist; expected the lab's inventory there.")
    hosts: list[Host] = []
    for name, variables in inventory_hosts(yaml.safe_load(hosts_file.read_text())).items():
        host_file = inventory / "host_vars" / f"{name}.yml"
        if host_file.is_file():
            variables = {**variables, **(yaml.safe_load(host_file.read_text()) or {})}
        host = Host(name, host_address(name, variables.get("ansible_host"), prefix))
        twin = next((other.name for other in hosts if other.address == host.address), None)
        if twin:
            raise LabError(f"Lab hosts {twin} and {name} both have the address {host.address}; give each its own.")
        hosts.append(host)
    if not hosts:
        raise LabError(f"{hosts_file} names no host.")
    prefixes = sorted({host.prefix for host in hosts})
    if len(prefixes) > 1:
        raise LabError(f"The hosts of {inventory} begin with {' and '.join(prefixes)}; a lab has one such prefix.")
    return hosts
