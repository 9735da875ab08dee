# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab: whose it is, what its parts are called, and where its keys lie."""

from __future__ import annotations

import hashlib
import ipaddress
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .command import LabError
from .inventory import Host, load_hosts

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
NAME = "wclab"
DEFAULT_PREFIX = "10.0.0"
# Beside the inventory, so that its variables can name the files; Ansible reads no hidden folder as inventory.
STATE = ".lab"
CURRENT = "current"


@dataclass(frozen=True)
class Cluster:
    """The hosts of one inventory. A lab is its checkout, its inventory and its prefix; another of these, another lab."""

    checkout: pathlib.Path
    inventory: pathlib.Path
    hosts: tuple[Host, ...]

    @property
    def prefix(self) -> str:
        return self.hosts[0].prefix

    @property
    def name(self) -> str:
        """For the reader the folder's name, then what keeps it apart from all other labs of the machine."""
        folder = self.inventory.parent if self.inventory.name == "inventory" else self.inventory
        identity = "\0".join((str(self.checkout), str(self.inventory), self.prefix))
        return f"{folder.name.replace('_', '-')}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

    @property
    def state(self) -> pathlib.Path:
        return self.inventory / STATE / self.prefix

    @property
    def ssh_config(self) -> pathlib.Path:
        return self.state / "ssh_config"

    @property
    def subnets(self) -> list[ipaddress.IPv4Network]:
        return sorted({host.subnet for host in self.hosts})

    @property
    def labels(self) -> dict[str, str]:
        """What containers and networks tell about whose they are."""
        return {
            NAME: self.name,
            f"{NAME}-checkout": str(self.checkout),
            f"{NAME}-inventory": str(self.inventory),
            f"{NAME}-prefix": self.prefix,
        }

    def container(self, host: Host) -> str:
        return f"{NAME}-{self.name}-{host.name}"

    def network(self, subnet: ipaddress.IPv4Network) -> str:
        return f"{NAME}-{self.name}-{str(subnet.network_address).replace('.', '-')}"

    def set_current(self) -> None:
        """Make this the lab that is meant when nobody names a prefix."""
        link = self.inventory / STATE / CURRENT
        link.unlink(missing_ok=True)
        link.symlink_to(self.prefix)


def chosen_prefix(inventory: pathlib.Path, environ: Mapping[str, str]) -> str:
    """LAB_PREFIX, else the one that the inventory's lab was brought up with."""
    current = inventory / STATE / CURRENT
    prefix = environ.get("LAB_PREFIX") or (current.resolve().name if current.exists() else DEFAULT_PREFIX)
    if not re.fullmatch(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})", prefix) or any(int(n) > 255 for n in prefix.split(".")):
        raise LabError(f"LAB_PREFIX is '{prefix}'; expected the first three numbers of an address, such as 10.90.1.")
    return prefix


def find_cluster(inventory: pathlib.Path, environ: Mapping[str, str]) -> Cluster:
    """The lab of an inventory folder; one with written-out addresses is not moved by LAB_PREFIX."""
    hosts = load_hosts(inventory, chosen_prefix(inventory, environ))
    return Cluster(CHECKOUT, inventory, tuple(hosts))
