# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What is known of a host once it was met: its address, its system, and whether it can be worked on."""

from __future__ import annotations

import ipaddress
import pathlib
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES, LOAD_BALANCERS, WEB_SERVERS
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import ROLES, one_line

# The roles that must know the system of a group's hosts; a web server has a data proxy.
SYSTEM_ROLES = {group: [engine.role] for engine in ENGINES.values() for group in engine.groups} | {
    LOAD_BALANCERS: ["haproxy"],
    WEB_SERVERS: ["apache_php", "haproxy"],
}


def is_address(value: object) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


def host_address(name: str, variables: Mapping[str, t.Any]) -> str | None:
    """The address that the other hosts reach this one at."""
    given = variables.get("webcluster_address")
    if given:
        return str(given)
    if is_address(variables.get("ansible_host")):
        return str(variables["ansible_host"])
    if is_address(name):
        return name
    facts = variables.get("ansible_facts") or {}
    return (facts.get("default_ipv4") or {}).get("address")


def address_errors(addresses: Mapping[str, str | None]) -> list[str]:
    """Hosts without an address, and hosts that share one."""
    errors = [
        f"Host {name} has no known address; expected an IP address: set webcluster_address for it."
        for name, address in addresses.items()
        if address is None
    ]
    by_address: dict[str, list[str]] = {}
    for name, address in addresses.items():
        if address is not None:
            by_address.setdefault(address, []).append(name)
    errors += [
        f"Hosts {' and '.join(names)} have the same address, {address}; expected one name for one machine: correct"
        " ansible_host or webcluster_address, or put one name into all groups of that machine."
        for address, names in by_address.items()
        if len(names) > 1
    ]
    return errors


def supported_systems(role: str, folder: pathlib.Path = ROLES) -> set[str]:
    """The systems that a role has variables for, as `<Distribution>_<release>`."""
    return {path.stem for path in (folder / role / "vars").glob("*_*.yml")}


def system_of(facts: Mapping[str, t.Any]) -> str:
    """The name of a host's system, as the roles' files of variables have it; empty where it is unknown."""
    release = facts.get("distribution_release")
    release = release if release == "sid" else facts.get("distribution_major_version")
    return f"{facts['distribution']}_{release}" if facts.get("distribution") else ""


def host_errors(
    hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, t.Any]], folder: pathlib.Path = ROLES
) -> list[str]:
    """What keeps a host from being worked on, one sentence each."""
    errors = []
    for name in hosts:
        variables = hostvars[name]
        met = variables.get("__webcluster_met") or {}
        said = one_line(met.get("msg") or "").removeprefix("Task failed: ")
        if met.get("unreachable"):
            address = variables.get("ansible_host") or name
            errors.append(
                f"Host {name} cannot be reached over SSH at {address}; expected a running host that accepts our key:"
                f" start it, or leave it out with --limit. {said and f'{said}.'}".rstrip()
            )
            continue
        if met.get("failed") or not met:
            errors.append(
                f"Host {name} could not be looked at: {said or 'it gave no answer'}; expected Python 3 and a user that may"
                " use sudo without being asked: mend that, or leave it out with --limit."
            )
            continue
        system = system_of(variables.get("ansible_facts") or {})
        roles = {role for group in variables["group_names"] for role in SYSTEM_ROLES.get(group, [])}
        wanted = set[str]().union(*(supported_systems(role, folder) for role in roles))
        wanted = wanted.intersection(*(supported_systems(role, folder) for role in roles))
        if roles and system not in wanted:
            errors.append(
                f"Host {name} runs {system.replace('_', ' ') or 'an unknown system'}; expected one of"
                f" {', '.join(sorted(wanted)).replace('_', ' ')}: reinstall it with one of these."
            )
    return errors
