# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Addresses and networks in the spellings that settings have for them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ANYWHERE = ["0.0.0.0/0", "::/0"]
# What the servers call themselves.
LOCAL_NAMES = ("localhost",)
# MySQL's networks of whole octets, such as 10.0.%.
OCTETS = re.compile(r"((?:\d{1,3}\.){1,3})%")


def network(text: str) -> Network | None:
    """Return the network, or the one of a single address; nothing where the text is neither."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def is_loopback(text: str) -> bool:
    found = network(text)
    return text in LOCAL_NAMES or bool(found and found.is_loopback)


def networks_of(text: str) -> list[str] | None:
    """Return the networks that a server's list of clients means, empty for the host itself; nothing where it is a name."""
    if is_loopback(text):
        return []
    if text == "%":
        return ANYWHERE
    octets = OCTETS.fullmatch(text)
    if octets:
        given = octets[1].count(".")
        text = f"{octets[1]}{'.'.join('0' * (4 - given))}/{8 * given}"
    found = network(text)
    return None if found is None else [plain(found)]


def proxy_errors(sources: Iterable[str], option: str) -> list[str]:
    """Proxies that no program could know by their address, or who would be everybody."""
    found = {source: network(str(source)) for source in sources}
    wrong = [str(source) for source, known in found.items() if known is None]
    everybody = [str(source) for source, known in found.items() if known is not None and known.prefixlen == 0]
    unknown = f"{option} holds {', '.join(wrong)}, expected addresses and networks such as 10.0.0.4 or 10.0.0.0/28: correct it."
    believed = f"{option} holds {', '.join(everybody)}, so that everybody could say to be somebody else: name the proxies alone."
    return [*([unknown] if wrong else []), *([believed] if everybody else [])]


def plain(found: Network) -> str:
    """Write a network of one address as that address."""
    return str(found.network_address) if found.prefixlen == found.max_prefixlen else str(found)
