# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Decide who is who: from the live servers where one answers, from inventory on the first day."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import resolve

GROUPS = ("haproxy", "apache_php", "mysql_master", "mysql_replica", "redis_master", "redis_replica")
SUPPORTED = ("Debian 12", "Debian 13", "Debian sid")
ENGINES = {"mysql": "MySQL", "redis": "Redis"}
# The variable that moves a service away from its usual port.
PORTS = {
    "web": ("apache_php_listen_port", 80),
    "lb": ("haproxy_http_bind_port", 80),
    "mysql": ("mysql_server_port", 3306),
    "redis": ("redis_server_port", 6379),
}
# A host that is not installed yet has nothing to say; every other silence is a server that should speak.
FRESH = ("not_installed",)
SECRETS = {
    "mysql": (
        "mysql_server_replication_password",
        "mysql_server_application_password",
        "mysql_server_monitor_password",
    ),
    "redis": (
        "redis_server_replication_password",
        "redis_server_application_password",
        "redis_server_monitor_password",
        "redis_server_admin_password",
    ),
}


class Member(t.TypedDict):
    """A host as the roles' arguments want it."""

    name: str
    address: str
    port: int


class Engine(t.TypedDict):
    """Who is primary and who replicates, and who said so."""

    primary: Member | None
    replicas: list[Member]
    decided_by: str


class Topology(t.TypedDict):
    """What site.yml and status.yml know about the whole cluster."""

    errors: list[str]
    notes: list[str]
    addresses: dict[str, str]
    load_balancers: list[Member]
    web: list[Member]
    mysql: Engine
    redis: Engine


def is_address(value: object) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


def inventory_errors(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the groups, one sentence each; nothing has been asked from a host yet."""
    errors = []
    for group in GROUPS:
        if not groups.get(group):
            errors.append(f"Group {group} has no host; expected at least one: add it to the inventory.")
    for engine in ENGINES:
        primaries, replicas = list(groups.get(f"{engine}_master", [])), groups.get(f"{engine}_replica", [])
        if len(primaries) > 1:
            errors.append(
                f"Group {engine}_master names {len(primaries)} hosts ({', '.join(primaries)}); expected one first-day"
                f" primary: move the others to {engine}_replica."
            )
        for name in sorted(set(primaries) & set(replicas)):
            errors.append(f"Host {name} is in {engine}_master and in {engine}_replica; expected one of them.")
    return errors


def secret_errors(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """Secrets that the roles require and the inventory does not give, or cannot give."""
    errors = []
    broken: dict[str, list[str]] = {}
    for engine, names in SECRETS.items():
        members = [*groups.get(f"{engine}_master", []), *groups.get(f"{engine}_replica", [])]
        for name in names:
            lacking = []
            for host in members:
                if name not in hostvars[host]:
                    lacking.append(host)
                    continue
                try:
                    resolve(hostvars[host], name)
                except AnsibleError as error:
                    broken.setdefault(" ".join(str(error).split()), []).append(name)
            if lacking:
                errors.append(
                    f"Variable {name} is not set for {', '.join(lacking)}; expected a password: copy"
                    " group_vars/webcluster/secrets.yml of inventory/lab into your inventory, or set it from a vault."
                )
    for reason, unset in broken.items():
        errors.append(f"No value for {', '.join(dict.fromkeys(unset))}: {reason}.")
    return errors


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


def host_errors(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """What keeps a host from being worked on, one sentence each."""
    errors = []
    for name in hosts:
        variables = hostvars[name]
        met = variables.get("__webcluster_met") or {}
        if met.get("unreachable"):
            address = variables.get("ansible_host") or name
            said = " ".join(str(met.get("msg") or "").removeprefix("Task failed: ").split())
            errors.append(
                f"Host {name} cannot be reached over SSH at {address}; expected a running host that accepts our key:"
                f" start it, or leave it out with --limit. {said}".rstrip()
            )
            continue
        facts = variables.get("ansible_facts") or {}
        sid = facts.get("distribution_release") == "sid"
        release = (
            f"{facts.get('distribution', '')} {'sid' if sid else facts.get('distribution_major_version', '')}".strip()
        )
        if release not in SUPPORTED:
            errors.append(
                f"Host {name} runs {release or 'an unknown system'}; expected one of {', '.join(SUPPORTED)}:"
                " reinstall it with one of these."
            )
    return errors


def _value(status: Mapping[str, t.Any] | None) -> str:
    checks = (status or {}).get("checks") or {}
    return str((checks.get("reachable") or {}).get("value") or "")


def answers(status: Mapping[str, t.Any] | None) -> bool:
    return bool(status) and (status or {}).get("role") in ("primary", "replica", "intermediate", "standalone")


def decide(
    engine: str,
    members: Sequence[str],
    hint: str,
    statuses: Mapping[str, Mapping[str, t.Any]],
    addresses: Mapping[str, str],
) -> tuple[str, str, list[str], list[str]]:
    """Return the primary, who decided, errors and notes for one engine."""
    title = ENGINES[engine]
    by_address = {address: name for name, address in addresses.items() if name in members}
    claims, votes, errors, notes = [], {}, [], []
    for name in members:
        status = statuses.get(name)
        if status is not None and status.get("state") == "auth_failed" and not answers(status):
            errors.append(f"{title} on {name} refuses our login: {status.get('msg')}")
        if status is None or not answers(status):
            continue
        if status["role"] in ("replica", "intermediate"):
            source = str((status.get("primary") or {}).get("host") or "")
            voted = by_address.get(source) or (source if source in members else None)
            if voted is None:
                errors.append(
                    f"{title} on {name} replicates from {source or 'an unknown server'}, which is not in this inventory;"
                    f" expected one of {', '.join(members)}: add that host, or stop the replication on {name}."
                )
            else:
                votes[name] = voted
        elif status["role"] == "primary" or (status.get("data") or {}).get("empty") is False:
            claims.append(name)
    # A server that follows another one is not a primary, even where a third one follows it.
    tops = {voted for voted in votes.values() if voted not in votes}
    live = sorted({*claims, *tops}, key=list(members).index)
    if len(live) > 1:
        errors.append(
            f"{title} has {len(live)} primaries, {' and '.join(live)}; expected one: nothing was changed. Find out which"
            " one has the writes that you want to keep, then make the other one its replica."
        )
    if live:
        if live[0] != hint:
            notes.append(f"{title}: {live[0]} is the live primary and stays it; the inventory says {hint}.")
        return live[0], "live", errors, notes
    silent = [
        name
        for name in members
        if name in statuses and not answers(statuses[name]) and _value(statuses[name]) not in FRESH
    ]
    if silent:
        notes.append(f"{title} on {', '.join(silent)} is installed but does not answer; no server says who is primary.")
    return hint, "inventory", errors, notes


def topology(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, t.Any]],
    elsewhere: Sequence[Mapping[str, t.Any]] = (),
    must_answer: Sequence[str] = (),
) -> Topology:
    """Join the inventory's groups with what each server said of itself.

    `elsewhere` holds the looks at members outside of a limited run, `must_answer` the hosts that could be asked.
    """
    errors: list[str] = []
    notes: list[str] = []
    addresses: dict[str, str] = {}
    names = [name for group in GROUPS for name in groups.get(group, [])]
    for name in dict.fromkeys(names):
        address = host_address(name, hostvars[name])
        if address is None:
            errors.append(f"Host {name} has no known address; expected an IP address: set webcluster_address for it.")
        else:
            addresses[name] = address
    outside = {str(look["item"]): look for look in elsewhere if "item" in look}

    def member(name: str, service: str) -> Member:
        variable, usual = PORTS[service]
        return {"name": name, "address": addresses.get(name, ""), "port": int(hostvars[name].get(variable, usual))}

    def engine(key: str) -> Engine:
        first, replicas = groups.get(f"{key}_master", []), groups.get(f"{key}_replica", [])
        members = [*first, *replicas]
        looks = {name: hostvars[name].get(f"__webcluster_{key}_look") or outside.get(name) for name in members}
        statuses = {name: look for name, look in looks.items() if look and not look.get("skipped")}
        for name in members:
            look = looks[name] or {"msg": "there is no answer"}
            if name in must_answer and "state" not in look and not look.get("skipped"):
                errors.append(
                    f"{ENGINES[key]} on {name} could not be asked who it is: {str(look.get('msg')).rstrip('.')};"
                    " nothing was changed: mend the host, or leave it out with --limit."
                )
        if not members:
            return {"primary": None, "replicas": [], "decided_by": "inventory"}
        primary, by, wrong, remarks = decide(key, members, members[0], statuses, addresses)
        errors.extend(wrong)
        notes.extend(remarks)
        return {
            "primary": member(primary, key),
            "replicas": [member(name, key) for name in members if name != primary],
            "decided_by": by,
        }

    mysql, redis = engine("mysql"), engine("redis")
    return {
        "errors": errors,
        "notes": notes,
        "addresses": addresses,
        "load_balancers": [member(name, "lb") for name in groups.get("haproxy", [])],
        "web": [member(name, "web") for name in groups.get("apache_php", [])],
        "mysql": mysql,
        "redis": redis,
    }
