# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""An address that several load balancers share: what is wrong with it, and what each of them is told of the others."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import Tiers, statistics_url
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.names import azure_id
from ansible_collections.siteops.webcluster.plugins.plugin_utils._consistency import is_everywhere
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import network
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, short_list

OPTION = "keepalived_address"
# VRRP sends no more of it.
PASSWORD = re.compile(r"[A-Za-z0-9]{1,8}")
URL = re.compile(r"https?://[A-Za-z0-9._~:/?&=%\[\]-]+")
# Who is first in the inventory gets the address first; 255 is for a host whose own it is.
HIGHEST_PRIORITY = 200
# What all of them must have alike.
SHARED = (OPTION, "keepalived_router_id", "keepalived_password")


class Plan(t.TypedDict):
    """What a host's facts and settings come to."""

    errors: list[str]
    interface: str


def shared_address(text: str) -> ipaddress.IPv4Interface | None:
    """The address with its network; nothing where it is none, or lacks the length of the prefix."""
    try:
        return ipaddress.IPv4Interface(text) if re.search(r"/\d+$", text) else None
    except ValueError:
        return None


def address_errors(text: str, hosts: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a shared address; `hosts` are the own addresses of those that share it, by what they are called."""
    found = shared_address(text)
    if found is None:
        yield (
            f"{OPTION} is {text}, expected an IPv4 address with the length of its network's prefix such as 10.0.0.60/28:"
            " correct it."
        )
        return
    if found.ip in (found.network.network_address, found.network.broadcast_address) and found.network.prefixlen < 31:
        yield f"{OPTION} is {text}, which no host of that network may have; expected a free address: choose another one."
    for name, own in hosts.items():
        known = network(own)
        if known is None or known.prefixlen != known.max_prefixlen or known[0] not in found.network:
            yield (
                f"{OPTION} is {text}, but {name} has the address {own or 'unknown'}; expected all that share it in the network"
                f" {found.network}: correct the address or the length of its prefix."
            )
        elif known[0] == found.ip:
            yield f"{OPTION} is {text}, which is the own address of {name}; expected a free one: choose another one."


def setting_errors(values: Mapping[str, t.Any]) -> Iterator[str]:
    """What the settings themselves tell."""
    for option, most in (("keepalived_router_id", 255), ("keepalived_priority", 254)):
        if not 1 <= int(values[option]) <= most:
            yield f"{option} is {values[option]}, expected 1 to {most}: correct it."
    if not PASSWORD.fullmatch(values["keepalived_password"]):
        yield "keepalived_password is none of 1 to 8 letters and digits, which is what VRRP can send: set it."
    if not URL.fullmatch(values["keepalived_check_url"]):
        yield (
            f"keepalived_check_url is {values['keepalived_check_url']}, expected an address such as"
            " http://127.0.0.1:8404/livez: correct it."
        )


def interface_of(facts: Mapping[str, t.Any], address: str) -> str:
    """The network interface that has an address; empty where none has."""
    for interface in facts.values():
        if isinstance(interface, Mapping) and "device" in interface:
            known = [interface.get("ipv4") or {}, *(interface.get("ipv4_secondaries") or [])]
            if address in [each.get("address") for each in known]:
                return str(interface["device"])
    return ""


def plan(values: Mapping[str, t.Any], facts: Mapping[str, t.Any]) -> Plan:
    """What a host needs to share an address, and what keeps it from that."""
    own, peers = values["keepalived_host_address"], values["keepalived_peers"]
    errors = [*setting_errors(values)]
    errors += address_errors(values[OPTION], {"this host": own, **{peer: peer for peer in peers}})
    if not peers:
        errors.append(
            "keepalived_peers is empty, expected the addresses of the other load balancers: name one at least."
        )
    if own in peers:
        errors.append(
            f"keepalived_peers holds {own}, which is this host's own address; expected the others: remove it."
        )
    interface = interface_of(facts, own)
    if not interface:
        errors.append(
            f"keepalived_host_address is {own or 'empty'}, which no network interface of this host has; expected its own address:"
            " correct it."
        )
    return {"errors": errors, "interface": interface}


def is_in_azure(variables: Mapping[str, t.Any]) -> bool:
    """Whether an inventory of Azure has made the host; no other variable is computed for it."""
    return azure_id({name: variables[name] for name in variables if name.endswith("id")}) is not None


def given_address(settings: Settings, tiers: Tiers) -> str:
    """The address that the load balancers share; empty where they share none."""
    return next((str(settings.value(each["name"], OPTION)) for each in tiers["load_balancers"]), "")


def arguments(settings: Settings, tiers: Tiers, host: str) -> dict[str, t.Any]:
    """What a load balancer is told of the others."""
    balancers = tiers["load_balancers"]
    own = next(each["address"] for each in balancers if each["name"] == host)
    peers = [each["address"] for each in balancers if each["name"] != host]
    place = [each["name"] for each in balancers].index(host)
    return {
        "keepalived_host_address": own,
        "keepalived_peers": peers if given_address(settings, tiers) else [],
        "keepalived_priority": max(1, HIGHEST_PRIORITY - place),
        "keepalived_check_url": f"{statistics_url(settings, host, own)}livez",
    }


def _shared_errors(settings: Settings, names: Sequence[str]) -> Iterator[str]:
    for option in SHARED:
        values = {name: settings.value(name, option) for name in names}
        if len(set(values.values())) > 1:
            secret = option == "keepalived_password"
            said = (
                "not the same"
                if secret
                else ", ".join(f"{value or 'empty'} for {name}" for name, value in values.items())
            )
            yield f"Variable {option} is {said} on the load balancers; expected the same for all: set it in their group."


def cluster_errors(settings: Settings, tiers: Tiers, known: Mapping[str, str]) -> list[str]:
    """Why the load balancers cannot share an address; `known` are the addresses of all hosts."""
    names = [each["name"] for each in tiers["load_balancers"]]
    if not any(settings.value(name, OPTION) for name in names):
        return []
    unequal = list(_shared_errors(settings, names))
    if unequal:
        return unequal
    first, text = names[0], given_address(settings, tiers)
    azure = [name for name in names if is_in_azure(settings.variables(name))]
    if azure:
        return [
            f"Variable {OPTION} is {text}, but {short_list(azure)} is in Azure, whose network gives no host another one's address;"
            " expected none: remove it, Azure's own load balancer stands before several of ours (docs/load-balancers.md)."
        ]
    if len(names) == 1:
        return [
            f"Variable {OPTION} is {text}, but {first} is the only load balancer; expected two that share it: add one, or remove it."
        ]
    errors = list(address_errors(text, {name: known.get(name, "") for name in names}))
    shared = shared_address(text)
    for name, own in known.items():
        if name not in names and shared and own == str(shared.ip):
            errors.append(
                f"Variable {OPTION} is {text}, which is the own address of {name}; expected a free one: choose another one."
            )
    for name in names:
        bound = settings.value(name, "haproxy_http_bind_address")
        if not is_everywhere(bound):
            errors.append(
                f"Variable haproxy_http_bind_address is {bound} for {name}, so that HAProxy does not answer at {OPTION} ({text});"
                " expected every address: remove it."
            )
        values = {
            option: settings.value(name, option) for option in ("keepalived_router_id", "keepalived_password")
        } | arguments(settings, tiers, name)
        errors += [error for error in setting_errors(values) if error not in errors]
    return errors
