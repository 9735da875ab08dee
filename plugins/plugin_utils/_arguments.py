# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The arguments that each host's roles get: what the inventory says, joined with what only the whole cluster can tell."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import Ports, proxy_sites, web_sites
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import DEMO_ENGINES, ENGINES, LIMITS
from ansible_collections.siteops.webcluster.plugins.plugin_utils._exports import NFS_SERVER, FolderHosts, exports
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_certificates import (
    balancer_certificates,
    balancer_orders,
    has_own,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import Site
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings

# How many steps site.yml converges in; see wave_of.
WAVES = 4

USUAL_PORTS = {"http": 80, "https": 443}

Arguments = dict[str, t.Any]


class Member(t.TypedDict):
    """A host as the roles' arguments want it."""

    name: str
    address: str
    port: int


class EngineState(t.TypedDict):
    """Who is primary and who replicates, and who said so."""

    title: str
    primary: Member
    replicas: list[Member]
    decided_by: str
    # Whether the servers disagree about it, so that nobody may be told to follow it.
    disputed: bool
    # Whether its hosts, and those that use it, speak TLS with each other.
    tls: bool


class Tiers(t.TypedDict):
    """The whole cluster, tier by tier; a tier that the inventory does not have is empty."""

    load_balancers: list[Member]
    web: list[Member]
    engines: dict[str, EngineState]
    # What holds folders of sites for all web servers.
    folder_hosts: FolderHosts


def uses_tls(settings: Settings, key: str, host: str) -> bool:
    return key in settings.value(host, "webcluster_tls")


def reached_at(settings: Settings, key: str, host: str) -> int:
    """The port at which other hosts reach a data server."""
    engine = ENGINES[key]
    option = engine.tls_port if engine.tls_port and uses_tls(settings, key, host) else engine.option("port")
    return int(settings.value(host, option))


def members(engine: EngineState) -> list[Member]:
    return sorted([engine["primary"], *engine["replicas"]], key=lambda member: member["name"])


def addresses(of: Iterable[Member]) -> list[str]:
    return [member["address"] for member in of]


def joined(settings: Settings, host: str, option: str, known: Sequence[str]) -> list[str]:
    """The inventory's values and ours, each once."""
    return list(dict.fromkeys([*(settings.value(host, option) or []), *known]))


def own_or(settings: Settings, host: str, option: str, ours: t.Any) -> t.Any:
    """The inventory's value where there is one."""
    return settings.value(host, option) if settings.given(host, option) else ours


def has_own_page(settings: Settings, tiers: Tiers) -> bool:
    """Whether a web server shows a directory of the user's."""
    return any(settings.value(member["name"], "apache_php_document_root") for member in tiers["web"])


def demo_is_possible(settings: Settings, tiers: Tiers) -> bool:
    """Whether the cluster can show the demo where its inventory lists no sites."""
    has_all = bool(tiers["web"]) and all(key in tiers["engines"] for key in DEMO_ENGINES)
    return has_all and not has_own_page(settings, tiers)


def served_as(settings: Settings, host: str) -> str:
    """The name that a web server gives itself in X-Served-By."""
    return str(settings.value(host, "apache_php_server_name") or host)


def limits(settings: Settings, host: str, role: str) -> Arguments:
    """What a role gets of the limits that the whole way of a request shares."""
    return {
        option: settings.value(host, f"webcluster_{limit}")
        for limit, options in LIMITS.items()
        for option in options
        if option.startswith(role)
    }


def data_services(settings: Settings, tiers: Tiers, host: str) -> list[dict[str, t.Any]]:
    """What the data proxy of a web server offers at its loopback ports."""
    services = []
    for key, state in tiers["engines"].items():
        for what, role in (("write", "primary"), ("read", "replica")):
            service: dict[str, t.Any] = {
                "name": f"{key}_{what}",
                "bind_port": settings.value(host, f"webcluster_{key}_{what}_port"),
                "check": f"{key}_{role}",
                "servers": members(state),
            }
            if ENGINES[key].tls_port:
                service["tls"] = state["tls"]
            if ENGINES[key].status_port:
                service["check_port"] = settings.value(state["primary"]["name"], ENGINES[key].status_port)
            services.append(service)
    return services


def engine_arguments(settings: Settings, tiers: Tiers, key: str, host: str, address: str) -> Arguments:
    engine, state = ENGINES[key], tiers["engines"][key]
    web = addresses(tiers["web"])
    askers = [*web, *settings.value(host, "webcluster_monitoring_sources")]
    others = addresses(member for member in members(state) if member["name"] != host)
    arguments: Arguments = {
        engine.option("bind_address"): own_or(settings, host, engine.option("bind_address"), address),
    }
    for what, known in (
        ("members", others),
        ("application_hosts", web),
        ("status_hosts", askers),
        ("certificate_names", [host, address]),
    ):
        # Redis tells its clients apart by name only.
        if engine.option(what) in settings.options:
            arguments[engine.option(what)] = joined(settings, host, engine.option(what), known)
    if host != state["primary"]["name"]:
        arguments[f"{engine.replica_group}_source_host"] = state["primary"]["address"]
        arguments[f"{engine.replica_group}_source_port"] = state["primary"]["port"]
        if f"{engine.replica_group}_source_name" in settings.options:
            arguments[f"{engine.replica_group}_source_name"] = state["primary"]["name"]
    return arguments


def url_of(address: str, port: int, scheme: str = "http") -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{scheme}://{host}{'' if port == USUAL_PORTS[scheme] else f':{port}'}/"


def site_url(settings: Settings, balancer: Member) -> str:
    """Where a load balancer serves the site: over TLS once it sends its visitors there."""
    name = balancer["name"]
    switches = ("haproxy_https_enabled", "haproxy_https_redirect")
    shown = balancer_certificates(settings, name) or balancer_orders(settings, name)
    if shown and all(settings.value(name, switch) for switch in switches):
        return url_of(balancer["address"], settings.value(name, "haproxy_https_bind_port"), "https")
    return url_of(balancer["address"], balancer["port"])


def statistics_url(settings: Settings, host: str, address: str) -> str:
    """Where a host's HAProxy tells of itself."""
    bound = own_or(settings, host, "haproxy_stats_bind_address", address)
    return url_of(bound, settings.value(host, "haproxy_stats_port"))


def data_ports(settings: Settings, host: str) -> Ports:
    return Ports(
        **{
            f"{key}_{what}": int(settings.value(host, f"webcluster_{key}_{what}_port"))
            for key in ENGINES
            for what in ("write", "read")
        }
    )


def web_arguments(settings: Settings, tiers: Tiers, sites: Sequence[Site], host: str, address: str) -> Arguments:
    # The process of the data proxy, whatever becomes of the databases behind it.
    proxies = [f"{statistics_url(settings, host, address)}livez"] if tiers["engines"] else []
    return {
        "apache_php_health_urls": joined(settings, host, "apache_php_health_urls", proxies),
        "apache_php_server_name": served_as(settings, host),
        "apache_php_trusted_proxies": joined(
            settings, host, "apache_php_trusted_proxies", addresses(tiers["load_balancers"])
        ),
        "apache_php_sites": web_sites(
            sites,
            data_ports(settings, host),
            tiers["engines"],
            host == tiers["web"][0]["name"],
            tiers["folder_hosts"],
            host,
        ),
        **limits(settings, host, "apache_php"),
    }


def proxy_arguments(
    settings: Settings, tiers: Tiers, sites: Sequence[Site], host: str, address: str, is_lb: bool, is_web: bool
) -> Arguments:
    arguments: Arguments = {
        "haproxy_http_backends": tiers["web"] if is_lb else [],
        "haproxy_http_sites": proxy_sites(sites) if is_lb else [],
        # The sites whose certificates it shows; these themselves are secret.
        "haproxy_https_certificates": [site.name for site in sites if has_own(site.values)] if is_lb else [],
        "haproxy_acme_certificates": balancer_orders(settings, host) if is_lb else [],
        "haproxy_data_services": data_services(settings, tiers, host) if is_web else [],
        "haproxy_stats_bind_address": own_or(settings, host, "haproxy_stats_bind_address", address),
        **limits(settings, host, "haproxy"),
    }
    for key, engine in ENGINES.items():
        # Servers with a status service are asked without a login.
        if f"haproxy_{key}_monitor_user" in settings.options:
            state = tiers["engines"].get(key) if is_web else None
            monitor = settings.value(state["primary"]["name"], engine.option("monitor_user")) if state else ""
            arguments[f"haproxy_{key}_monitor_user"] = monitor
    return arguments


def tiers_of(tiers: Tiers, host: str) -> list[str]:
    """What a host is converged to, in that order; data comes before what uses it."""
    found = [key for key, state in tiers["engines"].items() if host in [member["name"] for member in members(state)]]
    if host in [each["name"] for each in tiers["folder_hosts"].values()]:
        found.append(NFS_SERVER)
    is_web = host in [member["name"] for member in tiers["web"]]
    is_lb = host in [member["name"] for member in tiers["load_balancers"]]
    if is_web:
        found.append("apache_php")
    if is_lb or (is_web and tiers["engines"]):
        found.append("haproxy")
    return found


def wave_of(tiers: Tiers, host: str, tier: str, first_web: str) -> int:
    """When a tier of a host is converged: 0 primaries and load balancers, 1 replicas, 2 one web server, 3 the others.

    So a primary has its new accounts before somebody uses them, never restarts together with its replicas, and what is wrong
    ends the run while most of the cluster is as it was. On the first day nobody is served yet: all at once.
    """
    engines = tiers["engines"]
    if engines and all(state["decided_by"] != "live" for state in engines.values()):
        return 0
    if tier in ENGINES:
        return 0 if host == engines[tier]["primary"]["name"] else 1
    if tier == NFS_SERVER:
        return 0
    if host in [member["name"] for member in tiers["web"]]:
        return 2 if host == first_web else 3
    return 0


def host_arguments(settings: Settings, tiers: Tiers, sites: Sequence[Site], host: str, address: str) -> Arguments:
    """Every argument of a host's roles but the secrets, which stay where they are."""
    arguments: Arguments = {}
    wanted = tiers_of(tiers, host)
    for tier in wanted:
        if tier in ENGINES:
            arguments |= engine_arguments(settings, tiers, tier, host, address)
    if NFS_SERVER in wanted:
        web = {member["name"]: member["address"] for member in tiers["web"]}
        arguments["nfs_server_exports"] = exports(sites, tiers["folder_hosts"], host, web)
    is_web = "apache_php" in wanted
    is_lb = host in [member["name"] for member in tiers["load_balancers"]]
    if is_web:
        arguments |= web_arguments(settings, tiers, sites, host, address)
    if "haproxy" in wanted:
        arguments |= proxy_arguments(settings, tiers, sites, host, address, is_lb, is_web)
    return arguments


def role_arguments(
    settings: Settings, tiers: Tiers, sites: Sequence[Site], known: Mapping[str, str]
) -> dict[str, Arguments]:
    return {host: host_arguments(settings, tiers, sites, host, address) for host, address in known.items()}
