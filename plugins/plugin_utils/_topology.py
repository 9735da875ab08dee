# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Decide who is who: from the live servers where one answers, from inventory on the first day."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import (
    WAVES,
    Arguments,
    Member,
    Tiers,
    demo_is_possible,
    reached_at,
    role_arguments,
    served_as,
    site_url,
    statistics_url,
    tiers_of,
    url_of,
    uses_tls,
    wave_of,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._backups import (
    Backup,
    backup_errors,
    backups,
    copied_hosts,
    store_flows,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._certificates import MISSING as NO_CRYPTOGRAPHY
from ansible_collections.siteops.webcluster.plugins.plugin_utils._certificates import (
    NameOfCertificate,
    shown,
    trusted_name,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import (
    PlannedSite,
    cluster_sites,
    demo_of,
    planned,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._consistency import (
    consistency_errors,
    consistency_notes,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import (
    BACKUP_STORES,
    ENGINES,
    LOAD_BALANCERS,
    WEB_SERVERS,
    Engine,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._exports import (
    export_errors,
    export_notes,
    folder_hosts,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._flows import Flow, flow_errors, flows
from ansible_collections.siteops.webcluster.plugins.plugin_utils._hosts import address_errors, host_address
from ansible_collections.siteops.webcluster.plugins.plugin_utils._inventory import CLUSTER, Groups, cluster_hosts
from ansible_collections.siteops.webcluster.plugins.plugin_utils._primary import decide
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_certificates import (
    balancer_certificates,
    balancer_orders,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_consistency import (
    cron_notes,
    site_consistency_errors,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_removal import (
    Removal,
    removal_errors,
    removals,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import Site, asked_as
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, all_options, said_by
from ansible_collections.siteops.webcluster.plugins.plugin_utils._virtual_address import arguments as shared_arguments
from ansible_collections.siteops.webcluster.plugins.plugin_utils._virtual_address import (
    cluster_errors,
    given_address,
    shared_address,
)


class DataServer(t.TypedDict):
    """How the module replication_status asks a data server; passwords are named, not told."""

    host: str
    engine: str
    login_user: str
    login_port: int
    login_password: str
    login_file: str
    # Only where the tier speaks TLS.
    tls: t.NotRequired[str]
    ca_cert: t.NotRequired[str]


class PrimaryLogin(t.TypedDict):
    """How a replica's host asks the primary."""

    login_host: str
    login_port: int
    login_user: str
    # Only where the tier speaks TLS.
    tls: t.NotRequired[str]
    ca_cert: t.NotRequired[str]


class JudgedServer(DataServer):
    """A data server with what is expected of it, and nothing where its tier disagrees; the primary has no `primary`."""

    expect_role: str
    canary: str
    primary: PrimaryLogin | None
    primary_name: str
    primary_password: str


class Door(t.TypedDict):
    """One way in for visitors, and the web servers that must answer there by the names they give themselves."""

    name: str
    url: str
    # Empty where a visitor sticks to one of them.
    expect_servers: list[str]
    item_check: bool
    # The name by which the demo is asked for.
    item_host: str
    expect_replica: bool
    # A certificate is for a name, so not where it is the address that is asked.
    validate_certs: bool
    # What it shows over HTTPS, where it has certificates, and on which port.
    certificates: list[NameOfCertificate]
    https_port: int


class Topology(Tiers):
    """What the playbooks know about the whole cluster."""

    errors: list[str]
    notes: list[str]
    # Tiers of each host in the order in which they are converged, by wave: where one fails, those after it are left alone.
    waves: list[dict[str, list[str]]]
    arguments: dict[str, Arguments]
    sites: list[PlannedSite]
    # What may go of sites that were taken out of the list.
    removed: list[Removal]
    flows: dict[str, list[Flow]]
    servers: list[JudgedServer]
    doors: list[Door]
    # Where each web server is asked by programs on the same host.
    own_doors: dict[str, str]
    served_as: dict[str, str]
    # What each host does with copies of the data, and of which host of a tier one is made at once.
    backups: dict[str, Backup]
    copied: dict[str, str]
    # Each load balancer's page, and who gets there.
    statistics: list[str]


def engine_members(groups: Groups, key: str) -> list[str]:
    """Every host of an engine, the first-day primary first."""
    return [name for group in ENGINES[key].groups for name in groups.get(group, [])]


def _data_servers(groups: Groups, settings: Settings) -> Iterator[DataServer]:
    for key, engine in ENGINES.items():
        for host in engine_members(groups, key):
            login = engine.login
            yield {
                "host": host,
                "engine": key,
                "login_user": str(settings.value(host, login["login_user"])) if login else "",
                "login_port": int(settings.value(host, login["login_port"])) if login else 0,
                "login_password": login.get("login_password", ""),
                "login_file": engine.login_file,
            }


def data_servers(groups: Groups, hostvars: Mapping[str, Mapping[str, t.Any]]) -> list[DataServer]:
    """Every data server, with what its own host needs to ask it."""
    hosts = {name: hostvars[name] for name in cluster_hosts(groups)}
    return list(_data_servers(groups, Settings(hosts, all_options())))


def looks_of(
    hosts: Mapping[str, Mapping[str, t.Any]], registered: Sequence[str], elsewhere: Sequence[Mapping[str, t.Any]]
) -> dict[tuple[str, str], Mapping[str, t.Any]]:
    """Return what each data server said last, by engine and host; `registered` are the variables of the hosts of the run."""
    results = list(elsewhere)
    for variables in hosts.values():
        for name in registered:
            results += (variables.get(name) or {}).get("results") or []
    return {(result["item"]["engine"], result["item"]["host"]): result for result in results if "item" in result}


def silence(title: str, name: str, look: Mapping[str, t.Any] | None) -> str:
    said = said_by(look or {}) or "there is no answer"
    return (
        f"{title} on {name} could not be asked who it is: {said}; nothing was changed: mend the host, or leave it out"
        " with --limit."
    )


def given_up(settings: Settings, engine: Engine, names: Sequence[str]) -> list[str]:
    """Members whose data the operator lets a copy of the primary's replace."""
    option = f"{engine.replica_group}_allow_reseed"
    return [name for name in names if option in settings.options and name in settings.value(name, option)]


def judged(servers: Sequence[DataServer], tiers: Tiers, settings: Settings) -> Iterator[JudgedServer]:
    """Every data server with the role that it must have."""
    for server in servers:
        engine, state = ENGINES[server["engine"]], tiers["engines"][server["engine"]]
        primary = state["primary"]
        is_primary = server["host"] == primary["name"]
        login: PrimaryLogin = {
            "login_host": primary["address"],
            "login_port": primary["port"],
            "login_user": str(settings.value(primary["name"], engine.option("monitor_user"))),
        }
        own: DataServer = {**server}
        if state["tls"] and engine.tls_port:
            # As others see it.
            own["login_port"] = reached_at(settings, server["engine"], server["host"])
            own["tls"] = login["tls"] = "required"
            own["ca_cert"] = login["ca_cert"] = engine.authority_file
        yield {
            **own,
            "expect_role": "" if state["disputed"] else "primary" if is_primary else "replica",
            "canary": "none" if state["disputed"] else "both",
            "primary": None if is_primary or state["disputed"] else login,
            "primary_name": primary["name"],
            "primary_password": engine.option("monitor_password"),
        }


def shown_certificates(settings: Settings, balancer: str) -> list[NameOfCertificate]:
    """What the balancer shows its visitors; unknown where they come in elsewhere, which may have a certificate of its own."""
    elsewhere = settings.value(balancer, "webcluster_url")
    if NO_CRYPTOGRAPHY or elsewhere or not settings.value(balancer, "haproxy_https_enabled"):
        return []
    ordered = [name for order in balancer_orders(settings, balancer) for name in order["domains"]]
    authorities = str(settings.value(balancer, "haproxy_acme_authorities"))
    return [
        *shown(balancer_certificates(settings, balancer)),
        *(trusted_name(name, authorities) for name in dict.fromkeys(ordered)),
    ]


def doors(settings: Settings, tiers: Tiers, sites: Sequence[Site]) -> list[Door]:
    """The load balancers; without one the web servers themselves, or the one address that the inventory gives."""
    web = [member["name"] for member in tiers["web"]]
    mysql = tiers["engines"].get("mysql")
    demo = demo_of(sites)

    def door(name: str, given: str, url: str, behind: Sequence[str], sticky: bool = False) -> Door:
        return {
            "name": name,
            "url": given or url,
            "expect_servers": [] if sticky else [served_as(settings, host) for host in behind],
            "item_check": demo is not None,
            "item_host": asked_as(demo.domains) if demo else "",
            "expect_replica": bool(mysql and mysql["replicas"]),
            "validate_certs": bool(given),
            "certificates": [],
            "https_port": 0,
        }

    if tiers["load_balancers"]:
        ways = [(member["name"], member) for member in tiers["load_balancers"]]
        shared = shared_address(given_address(settings, tiers))
        if shared:
            # Whoever has it now; visitors come there, so it is the first.
            way: Member = {**tiers["load_balancers"][0], "address": str(shared.ip)}
            ways.insert(0, (way["address"], way))
        return [
            {
                **door(
                    name,
                    settings.value(member["name"], "webcluster_url") or "",
                    site_url(settings, member),
                    web,
                    sticky=settings.value(member["name"], "haproxy_http_balance") == "source",
                ),
                "certificates": shown_certificates(settings, member["name"]),
                "https_port": settings.value(member["name"], "haproxy_https_bind_port"),
            }
            for name, member in ways
        ]
    given = settings.value(web[0], "webcluster_url") if web else None
    if given:
        return [door("front", given, "", web)]
    return [
        door(member["name"], "", url_of(member["address"], member["port"]), [member["name"]]) for member in tiers["web"]
    ]


def statistics_page(settings: Settings, balancer: Member) -> str:
    """Where a load balancer tells of itself, and to whom."""
    name = balancer["name"]
    page = f"{statistics_url(settings, name, balancer['address'])}stats"
    if not settings.value(name, "firewall_enabled"):
        return f"{page} (private address)"
    sources = settings.value(name, "webcluster_monitoring_sources")
    return f"{page} ({'for ' + ', '.join(sources) if sources else 'closed; webcluster_monitoring_sources opens it'})"


def topology(
    groups: Groups,
    hostvars: Mapping[str, Mapping[str, t.Any]],
    elsewhere: Sequence[Mapping[str, t.Any]] = (),
    must_answer: Sequence[str] = (),
) -> Topology:
    """Join the inventory's groups with what each server said of itself.

    `elsewhere` holds the looks at members outside of a limited run, `must_answer` the hosts that could be asked.
    """
    hosts = {name: hostvars[name] for name in cluster_hosts(groups)}
    settings = Settings(hosts, all_options())
    found = {name: host_address(name, variables) for name, variables in hosts.items()}
    addresses = {name: address or "" for name, address in found.items()}
    looks = looks_of(hosts, ("__webcluster_looks", "__webcluster_looks_again"), elsewhere)
    errors: list[str] = []
    notes: list[str] = []

    def member(name: str, option: str) -> Member:
        return {"name": name, "address": addresses[name], "port": settings.value(name, option)}

    def data_server(key: str, name: str) -> Member:
        return {"name": name, "address": addresses[name], "port": reached_at(settings, key, name)}

    tiers: Tiers = {
        "load_balancers": [member(name, "haproxy_http_bind_port") for name in groups.get(LOAD_BALANCERS, [])],
        "web": [member(name, "apache_php_listen_port") for name in groups.get(WEB_SERVERS, [])],
        "engines": {},
        "folder_hosts": {},
    }
    for key, engine in ENGINES.items():
        names = engine_members(groups, key)
        if not names:
            continue
        statuses = {name: looks[key, name] for name in names if (key, name) in looks}
        errors += [
            silence(engine.title, name, statuses.get(name) or hosts[name].get("__webcluster_looks"))
            for name in names
            if name in must_answer and "state" not in statuses.get(name, {})
        ]
        decision = decide(engine, names, statuses, addresses, given_up(settings, engine, names))
        errors += decision.errors
        notes += decision.notes
        tiers["engines"][key] = {
            "title": engine.title,
            "primary": data_server(key, decision.primary),
            "replicas": [data_server(key, name) for name in names if name != decision.primary],
            "decided_by": decision.decided_by,
            "disputed": bool(decision.errors),
            "tls": uses_tls(settings, key, decision.primary),
        }
    sites = cluster_sites(settings, next(iter(hosts)), demo_is_possible(settings, tiers)) if hosts else []
    tiers["folder_hosts"] = folder_hosts(sites, groups, addresses)
    errors += export_errors(sites, groups, addresses)
    errors += consistency_errors(settings, tiers)
    errors += site_consistency_errors(settings, tiers, list(hosts), sites)
    errors += removal_errors(settings, tiers, sites, next(iter(hosts))) if hosts else []
    arguments = role_arguments(settings, tiers, sites, addresses)
    for balancer in tiers["load_balancers"]:
        arguments[balancer["name"]] |= shared_arguments(settings, tiers, balancer["name"])
    errors += cluster_errors(settings, tiers, addresses)
    errors += flow_errors(settings, tiers, arguments)
    stores = list(groups.get(BACKUP_STORES, []))
    errors += backup_errors(settings, tiers, stores)
    kept = backups(settings, tiers, stores, addresses)
    notes += [
        *consistency_notes(settings, tiers),
        *cron_notes(sites, tiers),
        *export_notes(sites, tiers["folder_hosts"]),
    ]
    web = [server["name"] for server in tiers["web"]]
    first_web = next((name for name in web if not must_answer or name in must_answer), "")
    # A host of the cluster that is in no tier has none.
    wanted = {name: tiers_of(tiers, name) for name in [*hosts, *groups.get(CLUSTER, [])]}

    def wave(number: int) -> dict[str, list[str]]:
        return {
            name: [tier for tier in found if wave_of(tiers, name, tier, first_web) == number]
            for name, found in wanted.items()
        }

    result: Topology = {
        **tiers,
        "errors": errors,
        "notes": notes,
        "waves": [wave(number) for number in range(WAVES)],
        "arguments": arguments,
        "sites": [planned(site, tiers["engines"]) for site in sites],
        "removed": removals(settings, next(iter(hosts))) if hosts else [],
        "flows": store_flows(settings, tiers, stores, flows(settings, tiers, arguments, addresses)),
        "backups": kept,
        "copied": copied_hosts(tiers, kept, looks),
        "servers": list(judged(list(_data_servers(groups, settings)), tiers, settings)),
        "doors": doors(settings, tiers, sites),
        "own_doors": {server["name"]: url_of("127.0.0.1", server["port"]) for server in tiers["web"]},
        "served_as": {name: served_as(settings, name) for name in web},
        "statistics": [statistics_page(settings, member) for member in tiers["load_balancers"]],
    }
    # What two names for one machine seem to disagree about is nothing to tell.
    result["errors"] = [*settings.errors, *(address_errors(found) or errors)]
    return result
