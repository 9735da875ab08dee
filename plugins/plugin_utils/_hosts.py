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

from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import (
    BACKUP_STORES,
    ENGINES,
    LOAD_BALANCERS,
    WEB_SERVERS,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import ROLES, said_by, short_list

# The roles that must know the system of a group's hosts; a web server has a data proxy.
SYSTEM_ROLES = {group: [engine.role] for engine in ENGINES.values() for group in engine.groups} | {
    LOAD_BALANCERS: ["haproxy"],
    WEB_SERVERS: ["apache_php", "haproxy"],
    BACKUP_STORES: ["backup_store"],
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


def shared_errors(addresses: Mapping[str, str | None]) -> list[str]:
    """Hosts that share an address, in whatever spelling."""
    by_address: dict[str, list[str]] = {}
    for name, address in addresses.items():
        if address is not None:
            plain = str(ipaddress.ip_address(address)) if is_address(address) else address
            by_address.setdefault(plain, []).append(name)
    return [
        f"Hosts {' and '.join(names)} have the same address, {address}; expected one name for one machine: correct"
        " ansible_host or webcluster_address, or put one name into all groups of that machine."
        for address, names in by_address.items()
        if len(names) > 1
    ]


def address_errors(addresses: Mapping[str, str | None]) -> list[str]:
    """Hosts without an address, and hosts that share one."""
    lacking = [
        f"Host {name} has no known address; expected an IP address: set webcluster_address for it."
        for name, address in addresses.items()
        if address is None
    ]
    return lacking + shared_errors(addresses)


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
    unmet: dict[str, list[str]] = {}
    for name in hosts:
        variables = hostvars[name]
        met = variables.get("__webcluster_met") or {}
        said = said_by(met)
        if met.get("unreachable"):
            address = variables.get("ansible_host") or name
            errors.append(
                f"Host {name} cannot be reached over SSH at {address}; expected a running host that accepts our key:"
                f" start it, or leave it out with --limit. {said and f'{said}.'}".rstrip()
            )
            continue
        if met.get("failed") or not met:
            unmet.setdefault(said or "there is no answer", []).append(name)
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
    for said, names in unmet.items():
        expected = "a user that may use sudo without being asked"
        remedy = "allow that, or give the password with --ask-become-pass"
        if "sudo" not in said:
            expected, remedy = f"Python 3 and {expected}", "mend that"
        errors.append(
            f"{short_list(names)} could not be looked at: {said}; expected {expected}: {remedy}, or leave them out with --limit."
        )
    return errors
