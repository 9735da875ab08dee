# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Who must reach which port of which host, as it follows from the topology; for firewalls of whatever kind."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import (
    Arguments,
    Tiers,
    addresses,
    members,
    tiers_of,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES
from ansible_collections.siteops.webcluster.plugins.plugin_utils._exports import NFS_SERVER, PORT
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import ANYWHERE, is_loopback, networks_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings


class Flow(t.TypedDict):
    """One port of a host, and the addresses and networks that may connect to it."""

    protocol: str
    port: int
    sources: list[str]
    purpose: str


class Need(t.NamedTuple):
    """The same as the settings say it: sources may be names and patterns."""

    port: int
    sources: Sequence[str]
    purpose: str


def _balancer_needs(settings: Settings, host: str) -> Iterator[Need]:
    if not is_loopback(settings.value(host, "haproxy_http_bind_address")):
        yield Need(settings.value(host, "haproxy_http_bind_port"), ANYWHERE, "visitors")
        if settings.value(host, "haproxy_https_enabled"):
            yield Need(settings.value(host, "haproxy_https_bind_port"), ANYWHERE, "visitors over TLS")


def _web_needs(settings: Settings, tiers: Tiers, host: str, arguments: Arguments) -> Iterator[Need]:
    # Without a load balancer visitors come here; the trusted proxies hold the cluster's own.
    sources = arguments["apache_php_trusted_proxies"] if tiers["load_balancers"] else ANYWHERE
    yield Need(settings.value(host, "apache_php_listen_port"), sources, "web pages")


def _engine_needs(settings: Settings, tiers: Tiers, host: str, key: str, arguments: Arguments) -> Iterator[Need]:
    engine, state = ENGINES[key], tiers["engines"][key]
    if is_loopback(arguments[engine.option("bind_address")]):
        return
    everybody = members(state)
    # Whoever may log in may come: the settings that the roles get, on top of what every engine needs.
    clients = addresses([*tiers["web"], *everybody])
    for what in ("members", "application_hosts"):
        clients += arguments.get(engine.option(what), [])
    if engine.option("application_accounts") in settings.options:
        accounts = settings.value(host, engine.option("application_accounts"))
        clients += [source for account in accounts for source in account.get("hosts") or []]
    ports = {member["name"]: member["port"] for member in everybody}
    yield Need(ports[host], clients, engine.title)
    if engine.copy_port:
        yield Need(settings.value(host, engine.copy_port), addresses(everybody), f"a copy of {engine.title}'s data")
    if engine.status_switch and settings.value(host, engine.status_switch):
        # The port that the data proxies ask at.
        asked = settings.value(state["primary"]["name"], engine.status_port)
        yield Need(asked, arguments[engine.option("status_hosts")], f"{engine.title}'s status service")


def needs(settings: Settings, tiers: Tiers, host: str, arguments: Arguments) -> Iterator[Need]:
    """What a host is connected to for, tier by tier."""
    wanted = tiers_of(tiers, host)
    if host in [member["name"] for member in tiers["load_balancers"]]:
        yield from _balancer_needs(settings, host)
    if "apache_php" in wanted:
        yield from _web_needs(settings, tiers, host, arguments)
    for key in filter(tiers["engines"].__contains__, wanted):
        yield from _engine_needs(settings, tiers, host, key, arguments)
    if NFS_SERVER in wanted:
        yield Need(PORT, addresses(tiers["web"]), "shared folders")
    if "haproxy" in wanted and not is_loopback(arguments["haproxy_stats_bind_address"]):
        sources = settings.value(host, "webcluster_monitoring_sources")
        yield Need(settings.value(host, "haproxy_stats_port"), sources, "HAProxy's statistics")


def _flow(need: Need, own: str) -> Flow:
    """A host reaches itself without being let in."""
    known = [network for source in need.sources if source != own for network in networks_of(source) or []]
    return {"protocol": "tcp", "port": need.port, "sources": list(dict.fromkeys(known)), "purpose": need.purpose}


def flows(
    settings: Settings, tiers: Tiers, arguments: Mapping[str, Arguments], known: Mapping[str, str]
) -> dict[str, list[Flow]]:
    """The connections that each host of a tier must take, by host; `known` are the hosts' addresses."""
    found = {
        host: [_flow(need, address) for need in needs(settings, tiers, host, arguments[host])]
        for host, address in known.items()
    }
    return {host: [flow for flow in wanted if flow["sources"]] for host, wanted in found.items()}


def flow_errors(settings: Settings, tiers: Tiers, arguments: Mapping[str, Arguments]) -> Iterator[str]:
    """Sources that no firewall can tell by their addresses, where there is going to be one."""
    for host, of_host in arguments.items():
        if not settings.value(host, "firewall_enabled"):
            continue
        for need in needs(settings, tiers, host, of_host):
            for source in need.sources:
                # Without an address it is told elsewhere.
                if source and networks_of(source) is None:
                    yield (
                        f"{source} may come to port {need.port} of {host} ({need.purpose}), but the firewall there knows no names;"
                        " expected an address or a network: write that in its place, for a host of the inventory as"
                        " webcluster_address, or set firewall_enabled to false."
                    )
