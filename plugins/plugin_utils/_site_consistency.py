# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Whether the sites fit to the rest of the cluster: tiers, accounts, databases, keys, systems and files."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Iterator, Sequence

from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import Tiers, has_own_page, offered
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import (
    MAIL,
    OPTION,
    PASSWORDS,
    lease_name,
    lease_of,
    passwords_of,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES, Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._external import option_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._hosts import system_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._mail import mail_findings
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_certificates import site_certificate_errors
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import (
    VERSION_PLACE,
    Site,
    source_of,
    unknown_extensions,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import (
    ROLES,
    Settings,
    short_list,
)

# Schemas of the servers themselves, and the canary's.
SYSTEM_SCHEMAS = ("mysql", "sys", "information_schema", "performance_schema", "ansible_canary")
# Users that MySQL, MariaDB and Redis have themselves.
SYSTEM_USERS = (
    "root",
    "mysql",
    "mariadb",
    "mariadb.sys",
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
    "default",
    "webcluster-status",
)
# What an application besides the sites has; without it there is none.
DATABASES, KEYS = "mysql_server_application_databases", "redis_server_application_keys"

Exists = Callable[[str], bool]


def agreement_errors(settings: Settings, hosts: Sequence[str]) -> Iterator[str]:
    """A site is on all web servers, and known to all others."""
    for option in (OPTION, "webcluster_sites_remove"):
        first = settings.value(hosts[0], option)
        others = [host for host in hosts[1:] if settings.value(host, option) != first]
        if not others:
            continue
        yield (
            f"Variable {option} differs between {hosts[0]} and {short_list(others)}; expected the same list for the whole"
            " cluster: set it in group webcluster."
        )


def source_errors(sites: Sequence[Site], exists: Exists = os.path.exists) -> Iterator[str]:
    for site in sites:
        source = source_of(site.source, site.version or VERSION_PLACE)
        key_file = site.git.key_file if site.git else ""
        if source and site.git:
            yield f"Site {site.name} has both source and git; expected one place for its code: remove the other one."
        elif site.git and not site.version:
            yield f"Site {site.name}: git is set without version; expected a tag, branch or commit: set version beside it."
        elif key_file and not (os.path.isabs(key_file) and exists(key_file)):
            yield (
                f"Site {site.name}: git.key_file is {key_file}, which is no absolute path of something on the controller; expected"
                " the private SSH key for the repository: put it there, or correct the path."
            )
        elif VERSION_PLACE in source:
            yield (
                f"Site {site.name}: source is {source}, but there is no version to put into it; expected one: set version beside"
                " it, for the first release."
            )
        elif source and not os.path.isabs(source):
            yield (
                f"Site {site.name}: source is {source}, expected an absolute path on the controller, for example"
                " {{ inventory_dir }}/shop: correct it."
            )
        elif source and not exists(source):
            yield (
                f"Site {site.name}: source is {source}, which is not there on the controller; expected a directory or an"
                " archive: put it there, or correct the path."
            )
        elif site.build and source and not os.path.isdir(source):
            yield (
                f"Site {site.name}: build is set, and source is {source}, which is no folder; expected one to build in:"
                " correct source, or remove build."
            )


def engine_errors(sites: Sequence[Site], tiers: Tiers) -> Iterator[str]:
    """A site that needs a tier which the inventory does not have."""
    for key, wanted, what in (
        ("mysql", [site.name for site in sites if site.database], "database"),
        ("redis", [site.name for site in sites if site.redis], "redis or sessions in it"),
    ):
        if wanted and key not in offered(tiers):
            yield (
                f"Sites {', '.join(wanted)} want {what}, but this inventory has no {ENGINES[key].title}: add its hosts, or"
                " remove it from the sites."
            )


def password_errors(settings: Settings, tiers: Tiers, sites: Sequence[Site], host: str) -> Iterator[str]:
    """Passwords that the sites need and the inventory does not give."""
    given = passwords_of(settings.variables(host))
    # An endpoint of Redis has one user for everybody, whose password is its own.
    needs_own = "redis" not in tiers["external"]
    for site in sites:
        lease = lease_of(site, offered(tiers))
        for key, wanted in (
            ("mysql", site.database),
            ("redis", site.redis and needs_own),
            ("cron", lease and (lease != "redis" or needs_own)),
        ):
            value = (given.get(site.name) or {}).get(key)
            if wanted and not (isinstance(value, str) and value):
                yield (
                    f"Variable {PASSWORDS} has no {key} password for site {site.name}; expected a text in quotes below"
                    f" {site.name}: copy group_vars/webcluster/secrets.yml of inventory/lab into your inventory, or set it from a"
                    " vault."
                )


def shared_user_errors(tiers: Tiers, sites: Sequence[Site]) -> Iterator[str]:
    """Users that nobody can make, as an endpoint of Redis has one for everybody."""
    if "redis" not in tiers["external"]:
        return
    for site in sites:
        if site.redis and site.redis.user != site.name:
            yield (
                f"Site {site.name}: redis.user is {site.redis.user}, but Redis is the endpoint webcluster_redis_external, at which all"
                " sites are its one user; expected none: remove it."
            )


def _values(settings: Settings, host: str, options: Sequence[str]) -> dict[str, str]:
    return {str(settings.value(host, option)): option for option in options}


def _taken_users(settings: Settings, engine: Engine, host: str) -> dict[str, str]:
    """The users that a server of ours has besides those of the sites, and who has them."""
    has_application = settings.value(host, DATABASES if engine.role == "mysql_server" else KEYS)
    options = [
        option
        for who in (*(["application"] if has_application else []), "monitor", "replication", "admin")
        if (option := engine.option(f"{who}_user")) in settings.options
    ]
    taken = _values(settings, host, options)
    for option in ("mysql_server_application_accounts", "redis_server_extra_users"):
        if option.startswith(engine.role):
            taken |= {account["name"]: option for account in settings.value(host, option) or []}
    return taken


def account_errors(settings: Settings, tiers: Tiers, sites: Sequence[Site]) -> Iterator[str]:
    """Names that another site, the cluster or the server itself has already."""
    for key, pairs in (
        ("mysql", [(site.name, site.database.user) for site in sites if site.database]),
        ("redis", [(site.name, site.redis.user) for site in sites if site.redis]),
    ):
        leases = [(site.name, lease_name(site.name)) for site in sites if lease_of(site, offered(tiers)) == key]
        engine = ENGINES[key]
        if key in tiers["engines"]:
            taken = _taken_users(settings, engine, tiers["engines"][key]["primary"]["name"])
        elif key in tiers["external"] and engine.endpoint_login:
            taken = {tiers["external"][key]["user"]: f"{option_of(key)}.{engine.endpoint_login}"}
        else:
            continue
        taken = dict.fromkeys(SYSTEM_USERS, "the server itself") | taken
        # Theirs are no options, so these come first and the other one is told.
        for site, user in [*leases, *pairs]:
            if user in taken:
                yield (
                    f"Site {site}: its {engine.title} user would be {user}, which belongs to {taken[user]}; expected another"
                    f" name: set {'database' if key == 'mysql' else 'redis'}.user, or rename the site."
                )
            taken[user] = f"site {site}"


def _names(databases: Sequence[t.Any]) -> list[str]:
    return [entry if isinstance(entry, str) else str(entry.get("name")) for entry in databases]


def _leased(tiers: Tiers, sites: Sequence[Site], engine: str) -> dict[str, str]:
    """Where an engine holds the leases of cron jobs, and whose they are."""
    return {
        lease_name(site.name): f"the cron jobs of site {site.name}"
        for site in sites
        if lease_of(site, offered(tiers)) == engine
    }


def lease_databases(tiers: Tiers, sites: Sequence[Site]) -> dict[str, str]:
    return _leased(tiers, sites, "mysql")


def lease_prefixes(tiers: Tiers, sites: Sequence[Site]) -> list[tuple[str, str]]:
    return [(f"{name}:", whose) for name, whose in _leased(tiers, sites, "redis").items()]


def taken_databases(settings: Settings, tiers: Tiers, sites: Sequence[Site]) -> dict[str, str]:
    """The databases that somebody has, and who."""
    found = dict.fromkeys(SYSTEM_SCHEMAS, "the server itself")
    if "mysql" in tiers["engines"]:
        values = settings.value(tiers["engines"]["mysql"]["primary"]["name"], DATABASES)
        found |= dict.fromkeys(_names(values), DATABASES)
    found |= {site.database.name: f"site {site.name}" for site in sites if site.database}
    return found | lease_databases(tiers, sites)


def taken_prefixes(settings: Settings, tiers: Tiers, sites: Sequence[Site]) -> list[tuple[str, str]]:
    """What the keys begin with that somebody has, and who."""
    found = []
    if "redis" in tiers["engines"]:
        values = settings.value(tiers["engines"]["redis"]["primary"]["name"], KEYS) or []
        found = [(pattern.split("*")[0], KEYS) for pattern in values]
    found += [(site.redis.prefix, f"site {site.name}") for site in sites if site.redis]
    return found + lease_prefixes(tiers, sites)


def database_errors(settings: Settings, tiers: Tiers, sites: Sequence[Site]) -> Iterator[str]:
    if "mysql" not in offered(tiers):
        return
    taken = taken_databases(settings, tiers, ()) | lease_databases(tiers, sites)
    for site in sites:
        if site.database and site.database.name in taken:
            yield (
                f"Site {site.name}: its database would be {site.database.name}, which belongs to {taken[site.database.name]};"
                " expected a database of its own: set database.name, or rename the site."
            )
        if site.database:
            taken[site.database.name] = f"site {site.name}"


def prefix_errors(settings: Settings, tiers: Tiers, sites: Sequence[Site]) -> Iterator[str]:
    """Keys that two of them could reach."""
    if "redis" not in offered(tiers):
        return
    found = taken_prefixes(settings, tiers, ()) + lease_prefixes(tiers, sites)
    for site in sites:
        if site.redis is None:
            continue
        prefix = site.redis.prefix
        for other, whose in found:
            if prefix.startswith(other) or other.startswith(prefix):
                yield (
                    f"Site {site.name}: its Redis keys begin with {prefix}, those of {whose} with {other}; expected keys of its"
                    " own: set redis.prefix, or rename the site."
                )
        found.append((prefix, f"site {site.name}"))


def own_page_errors(settings: Settings, tiers: Tiers) -> Iterator[str]:
    """A directory of one's own would be at every name that no site has."""
    if has_own_page(settings, tiers):
        own = [m["name"] for m in tiers["web"] if settings.value(m["name"], "apache_php_document_root")]
        yield (
            f"Variable apache_php_document_root ({short_list(own)}) is set beside {OPTION}; its PHP would run as Apache's own"
            " user, who reads all sites; expected a site for it: move it to the list, and remove the variable."
        )


def extension_errors(settings: Settings, tiers: Tiers, sites: Sequence[Site]) -> Iterator[str]:
    """PHP extensions that the system of a web server does not have."""
    systems = dict.fromkeys(
        system_of(settings.variables(host["name"]).get("ansible_facts") or {}) for host in tiers["web"]
    )
    for system in systems:
        path = ROLES / "apache_php" / "vars" / f"{system}.yml"
        if system and path.is_file():
            known = yaml_load(path.read_text(encoding="utf-8"))["__apache_php_extensions"]
            yield from unknown_extensions([site.values for site in sites], known, system.replace("_", " "))


def mail_errors(settings: Settings, host: str) -> Iterator[str]:
    """What is wrong with the relay of sites that have none of their own; those of sites are looked at with them."""
    mail = settings.value(host, MAIL)
    yield from mail_findings(mail, MAIL) if mail else ()


def cron_notes(sites: Sequence[Site], tiers: Tiers) -> Iterator[str]:
    """Jobs that one web server has alone, although there are more."""
    names = [site.name for site in sites if site.has_cron and not lease_of(site, offered(tiers))]
    if names and len(tiers["web"]) > 1:
        yield (
            f"The cron jobs of {', '.join(names)} run on {tiers['web'][0]['name']} only, a single point: this inventory has neither MySQL"
            " nor Redis, by which the web servers could agree who runs them."
        )


def site_consistency_errors(settings: Settings, tiers: Tiers, hosts: Sequence[str], sites: Sequence[Site]) -> list[str]:
    """All of it, where there are sites."""
    found = list(agreement_errors(settings, hosts)) if hosts else []
    if found or not sites:
        return found
    return [
        *source_errors(sites),
        *engine_errors(sites, tiers),
        *password_errors(settings, tiers, sites, hosts[0]),
        *account_errors(settings, tiers, sites),
        *shared_user_errors(tiers, sites),
        *database_errors(settings, tiers, sites),
        *prefix_errors(settings, tiers, sites),
        *own_page_errors(settings, tiers),
        *extension_errors(settings, tiers, sites),
        *site_certificate_errors([site.values for site in sites], tiers["load_balancers"]),
        *mail_errors(settings, hosts[0]),
    ]
