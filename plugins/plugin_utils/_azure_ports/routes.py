# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Which way an interface sends what it answers: Azure's effective routes, chosen as it chooses."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import member

Json = dict[str, t.Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ANYWHERE = "0.0.0.0/0"
# Of routes to the same network those of an owner come first, and those that Azure has by itself last.
ORDER = {"user": 0, "virtualnetworkgateway": 1}
NOWHERE, MACHINE, GATEWAY = "none", "virtualappliance", "virtualnetworkgateway"


@dataclass(frozen=True)
class Route:
    """Where an interface sends what is for a network."""

    network: Network
    source: str
    hop: str
    addresses: Sequence[str] = ()

    def __str__(self) -> str:
        """As an operator finds it in Azure."""
        return f"{self.network} to {' '.join([self.hop, *self.addresses])}"

    @property
    def is_nowhere(self) -> bool:
        return self.hop.lower() == NOWHERE

    @property
    def is_through_a_machine(self) -> bool:
        return self.hop.lower() == MACHINE

    @property
    def is_through_a_gateway(self) -> bool:
        return self.hop.lower() == GATEWAY


def read(answer: Iterable[Json]) -> list[Route]:
    """The routes that count, of the answer for one interface."""
    return [route for one in answer if str(member(one, "state")).lower() == "active" for route in _routes(one)]


def _routes(one: Json) -> Iterator[Route]:
    for prefix in member(one, "addressPrefix") or []:
        try:
            network = ipaddress.ip_network(prefix, strict=False)
        except ValueError:
            # A service of Azure by its tag: none of our connections.
            continue
        addresses = [str(address) for address in member(one, "nextHopIpAddress") or []]
        yield Route(network, str(member(one, "source")), str(member(one, "nextHopType")), addresses)


def taken(routes: Sequence[Route], place: str) -> Route | None:
    """The route for an address or for a network as a whole: the narrowest, then whose it is; None where there is none."""
    where = ipaddress.ip_network(place)
    fitting = [
        one
        for one in routes
        if one.network.version == where.version and where[0] in one.network and where[-1] in one.network
    ]
    return min(
        fitting, key=lambda one: (-one.network.prefixlen, ORDER.get(one.source.lower(), len(ORDER))), default=None
    )
