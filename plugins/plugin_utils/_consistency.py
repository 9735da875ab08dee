# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Whether the settings of all hosts fit together: one name for one account, one service for one port."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime

from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import (
    Tiers,
    has_own_page,
    members,
    served_as,
    tiers_of,
    uses_tls,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._certificates import CertificateError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import missing_error, read_authority
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import OPTION
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import DEMO_ENGINES, ENGINES, LIMITS
from ansible_collections.siteops.webcluster.plugins.plugin_utils._hosts import is_address
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import network, proxy_errors
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_certificates import account_errors
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, short_list

PROXIES = "haproxy_http_proxy_sources"


def is_everywhere(address: str) -> bool:
    """Whether a listener at this address takes every address of its host."""
    return not is_address(address) or ipaddress.ip_address(address).is_unspecified


def agreement_errors(settings: Settings, tiers: Tiers) -> Iterator[str]:
    """What all servers of a tier must have alike, because others know it from one of them."""
    for key, state in tiers["engines"].items():
        engine = ENGINES[key]
        names = [member["name"] for member in members(state)]
        users = [engine.option(f"{who}_user") for who in ("application", "monitor", "replication")]
        for option in [*users, *filter(None, [engine.status_port])]:
            values = {name: settings.value(name, option) for name in names}
            if len(set(values.values())) > 1:
                said = ", ".join(f"{value} for {name}" for name, value in values.items())
                yield (
                    f"Variable {option} is {said}; expected the same for the whole tier: set it in a group of all"
                    f" {engine.title} hosts."
                )


def limit_errors(settings: Settings, tiers: Tiers) -> Iterator[str]:
    """A limit that differs on the way of a request lets one server give up while the next one still works."""
    hosts = dict.fromkeys(member["name"] for tier in (tiers["load_balancers"], tiers["web"]) for member in tier)
    for limit in LIMITS:
        option = f"webcluster_{limit}"
        found: dict[int, list[str]] = {}
        for host in hosts:
            found.setdefault(settings.value(host, option), []).append(host)
        if len(found) > 1:
            said = ", ".join(f"{value} for {short_list(names)}" for value, names in found.items())
            yield f"Variable {option} is {said}; expected the same for all of them: set it in group webcluster."
        yield from (
            f"Variable {option} is {value} for {short_list(names)}; expected at least 1: correct it."
            for value, names in found.items()
            if value < 1
        )


def status_service_errors(settings: Settings, tiers: Tiers) -> Iterator[str]:
    """A data proxy that cannot ask who takes writes would have to guess."""
    web = [member["name"] for member in tiers["web"]]
    for key, state in tiers["engines"].items():
        switch = ENGINES[key].status_switch
        off = [member["name"] for member in members(state) if switch and not settings.value(member["name"], switch)]
        if off and web:
            yield (
                f"Variable {switch} is false for {short_list(off)}, but the data proxies of {short_list(web)} ask that"
                " service who takes writes and reads; expected true where there are web servers: remove it."
            )


def reach_errors(settings: Settings, tiers: Tiers) -> Iterator[str]:
    """A data server that listens where the others do not look for it."""
    for key, state in tiers["engines"].items():
        option = ENGINES[key].option("bind_address")
        alone = not tiers["web"] and not state["replicas"]
        for member in members(state):
            given = settings.value(member["name"], option) if settings.given(member["name"], option) else ""
            if given and not alone and not is_everywhere(given) and given != member["address"]:
                yield (
                    f"Variable {option} is {given} for {member['name']}, but the other hosts reach it at {member['address']};"
                    " expected the same address: correct one of them, webcluster_address is the other."
                )


def asking_errors(settings: Settings, tiers: Tiers) -> Iterator[str]:
    """A host of the cluster asks a load balancer without the PROXY protocol, such as an application its own site."""
    hosts = [
        *tiers["load_balancers"],
        *tiers["web"],
        *(each for of in tiers["engines"].values() for each in members(of)),
    ]
    for balancer in tiers["load_balancers"]:
        sources = settings.value(balancer["name"], PROXIES)
        yield from proxy_errors(sources, PROXIES)
        for source, believed in ((source, network(source)) for source in sources):
            ours = [
                each["name"]
                for each in hosts
                if believed and (known := network(each["address"])) and known[0] in believed
            ]
            if ours:
                yield (
                    f"Variable {PROXIES} holds {source} for {balancer['name']}, which is {short_list(list(dict.fromkeys(ours)))} too,"
                    " and those ask it plainly; expected the addresses of your proxies alone: name these."
                )


def name_errors(settings: Settings, tiers: Tiers) -> Iterator[str]:
    """The front door knows the web servers by the names that they give themselves."""
    known: dict[str, list[str]] = {}
    for member in tiers["web"]:
        known.setdefault(served_as(settings, member["name"]), []).append(member["name"])
    for name, hosts in known.items():
        if len(hosts) > 1:
            yield (
                f"Variable apache_php_server_name is {name} for {short_list(hosts)}; expected another name for each web"
                " server: set it for the hosts, or remove it."
            )


def ports_of(settings: Settings, tiers: Tiers, host: str) -> Iterator[tuple[str, int, set[str]]]:
    """Each option that takes a port of the host, with the port and where: at 127.0.0.1, at its address, or both."""
    everywhere = {"loopback", "address"}

    def taken(option: str, where: set[str]) -> tuple[str, int, set[str]]:
        return option, settings.value(host, option), where

    for tier in tiers_of(tiers, host):
        if tier in ENGINES:
            engine = ENGINES[tier]
            yield taken(engine.option("port"), everywhere)
            if engine.tls_port and tiers["engines"][tier]["tls"]:
                yield taken(engine.tls_port, everywhere)
            if engine.status_switch and settings.value(host, engine.status_switch):
                yield taken(engine.status_port, {"address"})
        elif tier == "apache_php":
            yield taken("apache_php_listen_port", everywhere)
        elif tier == "haproxy":
            yield taken("haproxy_stats_port", {"address"})
            if "apache_php" in tiers_of(tiers, host):
                for key in tiers["engines"]:
                    yield taken(f"webcluster_{key}_write_port", {"loopback"})
                    yield taken(f"webcluster_{key}_read_port", {"loopback"})
            if host in [member["name"] for member in tiers["load_balancers"]]:
                public = is_everywhere(settings.value(host, "haproxy_http_bind_address"))
                yield taken("haproxy_http_bind_port", everywhere if public else {"address"})
                if settings.value(host, "haproxy_https_enabled"):
                    yield taken("haproxy_https_bind_port", everywhere if public else {"address"})


def port_errors(settings: Settings, tiers: Tiers) -> Iterator[str]:
    """Two services of one host at one port."""
    hosts = [member["name"] for tier in (tiers["load_balancers"], tiers["web"]) for member in tier]
    hosts += [member["name"] for state in tiers["engines"].values() for member in members(state)]
    for host in dict.fromkeys(hosts):
        found = list(ports_of(settings, tiers, host))
        for index, (option, port, where) in enumerate(found):
            for other, same, there in found[:index]:
                if port == same and where & there:
                    yield (
                        f"Host {host}: {other} and {option} are both {port}; expected a port for each service of a host:"
                        " set one of them to another port."
                    )


def authority_errors(settings: Settings, tiers: Tiers, now: datetime) -> Iterator[str]:
    """What keeps the servers from getting certificates, or their clients from believing them."""
    hosts = list(dict.fromkeys(member["name"] for state in tiers["engines"].values() for member in members(state)))
    for key in ENGINES:
        if len({uses_tls(settings, key, host) for host in hosts}) > 1:
            yield "Variable webcluster_tls differs between the hosts of the data tiers; expected the same list: set it in group webcluster."
            return
    speaking = [host for host in hosts if any(state["tls"] for state in tiers["engines"].values())]
    if not speaking:
        return
    if missing_error():
        yield missing_error()
        return
    everybody = [*speaking, *(member["name"] for member in tiers["web"])]
    lacking = [host for host in dict.fromkeys(everybody) if not settings.value(host, "webcluster_ca_certificate")]
    if lacking:
        yield (
            f"Variable webcluster_ca_certificate has no value for {short_list(lacking)}; expected the authority of the cluster, as the"
            " data servers speak TLS: add the two lines of inventory/lab/group_vars/webcluster/secrets.yml, or set webcluster_tls to []."
        )
        return
    if len({settings.value(host, "webcluster_ca_certificate") for host in everybody}) > 1:
        yield "Variable webcluster_ca_certificate differs between hosts; expected one authority: set it in group webcluster."
        return
    try:
        read_authority(
            settings.value(speaking[0], "webcluster_ca_certificate"),
            settings.value(speaking[0], "webcluster_ca_private_key") or "",
            now,
        )
    except CertificateError as error:
        yield str(error)


def consistency_errors(settings: Settings, tiers: Tiers) -> list[str]:
    return [
        *agreement_errors(settings, tiers),
        *limit_errors(settings, tiers),
        *status_service_errors(settings, tiers),
        *reach_errors(settings, tiers),
        *asking_errors(settings, tiers),
        *name_errors(settings, tiers),
        *port_errors(settings, tiers),
        *account_errors(settings, [member["name"] for member in tiers["load_balancers"]]),
        *authority_errors(settings, tiers, datetime.now(UTC)),
    ]


def consistency_notes(settings: Settings, tiers: Tiers) -> list[str]:
    """What is different from the usual cluster, and follows from the inventory."""
    lacking = [ENGINES[key].title for key in DEMO_ENGINES if key not in tiers["engines"]]
    plain = [member["name"] for member in tiers["web"] if not settings.given(member["name"], OPTION)]
    if lacking and plain and not has_own_page(settings, tiers):
        return [
            f"The demo application needs {' and '.join(lacking)}, which this inventory does not have; {short_list(plain)} show"
            " a plain page."
        ]
    return []
