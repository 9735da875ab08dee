# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What a host's firewall lets in: openings from several hands as one list, and what is wrong with them."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import ANYWHERE, Network, network, plain

Entry = Mapping[str, t.Any]
PROTOCOLS = ("tcp", "udp")


class Opening(t.TypedDict):
    """One port, the addresses and networks that may connect to it, and what for."""

    protocol: str
    port: int
    sources: list[str]
    purpose: str


class Connection(t.TypedDict):
    """Where the run comes from, and the port of the host that it comes to."""

    address: str
    port: int


def sources_of(entry: Entry) -> list[str]:
    """An entry that names nobody means everybody."""
    return list(ANYWHERE if entry.get("sources") is None else entry["sources"])


def _collapsed(found: Sequence[Network]) -> list[str]:
    """The networks, none within another one, IPv4 first."""
    four = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv6Network))
    return [*map(plain, four), *map(plain, six)]


def openings(*lists: Sequence[Entry]) -> list[Opening]:
    """Join lists to one entry for each port, in their order, whatever the order of the lists; the first purpose is kept."""
    purposes: dict[tuple[str, int], str] = {}
    found: dict[tuple[str, int], list[Network]] = {}
    for entry in (each for one in lists for each in one):
        key = (str(entry.get("protocol") or PROTOCOLS[0]), int(entry["port"]))
        purposes[key] = purposes.get(key) or str(entry.get("purpose") or "")
        found.setdefault(key, []).extend(filter(None, map(network, sources_of(entry))))
    return [
        {"protocol": protocol, "port": port, "sources": _collapsed(of_port), "purpose": purposes[protocol, port]}
        for (protocol, port), of_port in sorted(found.items())
    ]


def lets_in(opening: Opening, connection: Connection) -> bool:
    """Whether the run could come again as it came."""
    address = ipaddress.ip_address(connection["address"])
    at_its_port = (opening["protocol"], opening["port"]) == ("tcp", connection["port"])
    return at_its_port and any(address in ipaddress.ip_network(source) for source in opening["sources"])


def entry_errors(variable: str, entries: Iterable[Entry]) -> Iterator[str]:
    """Entries of a variable that no firewall could follow."""
    for entry in entries:
        port, sources = entry["port"], sources_of(entry)
        if not 1 <= int(port) <= 65535:
            yield f"{variable} holds port {port}, expected 1 to 65535: correct it."
        if not sources:
            yield f"{variable} lets nobody in to port {port}, expected at least one source: name it, or remove the entry."
        wrong = [source for source in sources if network(source) is None]
        if wrong:
            yield (
                f"{variable} lets {', '.join(wrong)} in to port {port}, expected addresses and networks such as 10.0.0.4 or"
                " 10.0.0.0/28: correct it."
            )


def lock_out_errors(found: Sequence[Opening], connection: Connection | None) -> Iterator[str]:
    """Openings that the run itself could not come through again."""
    if connection and not any(lets_in(opening, connection) for opening in found):
        yield (
            f"The firewall would leave out {connection['address']}, from where this run comes to port {connection['port']}, and"
            " nobody could log in from there again: add it to firewall_ssh_sources."
        )
