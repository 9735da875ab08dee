# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Who must reach which port of which subnet of the tutorial's network: the rules of its security groups."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Sequence

Json = dict[str, t.Any]
# Which subnet the machines of a group stand in.
SUBNET_OF = {
    "haproxy": "lb",
    "apache_php": "web",
    "mysql_master": "mysql",
    "mysql_replica": "mysql",
    "redis_master": "redis",
    "redis_replica": "redis",
}
INTERNET = "Internet"
# The addresses from which Azure Front Door comes to what it publishes.
FRONT_DOOR = "AzureFrontDoor.Backend"
NETWORK = "VirtualNetwork"
# A rule of another name is somebody else's.
OURS = "siteops-"
# Azure's own probes and agents; a denial of the whole network would cut them off.
PLATFORM = "AzureLoadBalancer"
FIRST, STEP, OF_THE_PLATFORM, DENIAL = 100, 10, 3900, 4000


class Need(t.NamedTuple):
    """A port of a subnet and who comes there: names of subnets, or sources as Azure writes them."""

    subnet: str
    port: int
    sources: Sequence[str]
    purpose: str


# What the roles set up; the ports that visitors come to are an option.
NEEDS = (
    Need("web", 80, ("lb",), "pages"),
    Need("mysql", 3306, ("web", "mysql"), "mysql"),
    Need("mysql", 4444, ("mysql",), "mysql-copy"),
    Need("mysql", 9200, ("web",), "mysql-status"),
    Need("redis", 6379, ("web", "redis"), "redis"),
    Need("redis", 6378, ("web", "redis"), "redis-tls"),
)
# What monitoring asks: the statistics of HAProxy, and the status service.
STATISTICS = (("lb", 8404), ("web", 8404), ("mysql", 9200))


def rules(
    subnet: str,
    subnets: t.Mapping[str, str],
    public_ports: Sequence[int],
    admins: Sequence[str],
    monitors: Sequence[str],
    visitors: str = INTERNET,
) -> list[Json]:
    """The rules of a subnet's security group: what is needed, the platform, and nothing else of the network."""
    needs = list(_needs(subnet, public_ports, monitors, visitors))
    made: list[Json] = []
    for need in needs:
        sources = [subnets.get(source, source) for source in need.sources]
        made.append(_rule(f"allow-{need.purpose}", FIRST + STEP * len(made), sources, str(need.port)))
    made.append(_rule("allow-ssh", FIRST + STEP * len(made), admins, "22"))
    made.append(_rule("allow-platform", OF_THE_PLATFORM, [PLATFORM], "*", protocol="*"))
    made.append(_rule("deny-network", DENIAL, [NETWORK], "*", access="Deny", protocol="*"))
    return made


def _needs(subnet: str, public_ports: Sequence[int], monitors: Sequence[str], visitors: str) -> Iterator[Need]:
    if subnet == "lb":
        for port in public_ports:
            # The tag of the Internet leaves the network's own machines out.
            yield Need("lb", port, (visitors,), f"visitors-{port}")
            yield Need("lb", port, (NETWORK,), f"own-visitors-{port}")
    yield from (need for need in NEEDS if need.subnet == subnet)
    for where, port in STATISTICS:
        if where == subnet and monitors:
            yield Need(subnet, port, monitors, "statistics")


def _rule(
    name: str, priority: int, sources: Sequence[str], port: str, access: str = "Allow", protocol: str = "Tcp"
) -> Json:
    # Azure has one field for a tag and another for networks, and takes no rule that fills both.
    tag = sources[0][:1].isalpha()
    source: Json = {"sourceAddressPrefix": sources[0]} if tag else {"sourceAddressPrefixes": [*sources]}
    return {
        "name": f"{OURS}{name}",
        "properties": {
            "priority": priority,
            "direction": "Inbound",
            "access": access,
            "protocol": protocol,
            **source,
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": port,
        },
    }
