# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What the sites mean for the cluster: the arguments that each role gets of them, and how the verdict asks for them."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ansible.module_utils.common.validation import check_type_dict
from ansible_collections.siteops.webcluster.plugins.plugin_utils._exports import FolderHosts, source
from ansible_collections.siteops.webcluster.plugins.plugin_utils._external import password_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._mounts import (
    mounted_folders,
    place_of,
    unit_of,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_certificates import OPTION as CERTIFICATES
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_certificates import site_certificates
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import (
    Git,
    Site,
    as_text,
    asked_as,
    checkout_of,
    home_of,
    read_site,
    user_of,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import (
    COLLECTION,
    PLAYBOOKS,
    Settings,
    read_options,
    resolve,
)

OPTION = "webcluster_sites"
PASSWORDS = "webcluster_site_passwords"
# The word for the source of the collection's own demo application, and where that lies.
DEMO = "demo"
DEMO_CODE = str(COLLECTION / "sites" / DEMO)
# The relay of sites that have none of their own.
MAIL = "webcluster_mail"
# What may hold secrets, so that it stays where the inventory keeps it until a role needs it.
SECRET_VALUES = ("environment", "ini_settings", "fpm_settings")
PLAIN_MOUNT = ("folder", "src", "fstype", "opts")
MOUNT_LOGIN = ("user", "password")
# What a web server's role takes over as it is.
WEB_VALUES = (
    "name",
    "domains",
    "public",
    "front_controller",
    "htaccess",
    "php_extensions",
    "processes",
    "shared_folders",
    "restricted_paths",
    "static_cache_seconds",
    "health_path",
    "health_status",
    "health_text",
)
DATA_HOST = "127.0.0.1"
# Beside what no application may do: what tells the names of other sites' keys, which hold the ids of their sessions.
DENIED_COMMANDS = ("@dangerous", "@scripting", "scan", "randomkey", "client|tracking")

# Where web servers can agree who runs a cron job, and what the account for that may do.
LEASE_ENGINES = ("mysql", "redis")
LEASE_PRIVILEGES = ["CREATE", "INSERT", "SELECT", "UPDATE"]
LEASE_COMMANDS = ("eval", "hmget", "hset", "info", "time")

Values = dict[str, t.Any]


class Repository(t.TypedDict):
    """What git reads a site's code from, and the folder on the controller in which it checks it out."""

    url: str
    key_file: str
    folder: str


class Code(t.TypedDict):
    """Where the code of a site comes from; source is empty where it comes by other ways, and may have a place for a version."""

    source: str
    git: Repository | None
    version: str
    exclude: list[str]
    build: str
    migrate: str


class PlannedSite(t.TypedDict):
    """What the playbooks know of a site; no secret is here."""

    name: str
    domains: list[str]
    # What site_archive has to pack, and what is done before and after it.
    code: Code
    # How site_release_info asks for its releases.
    place: dict[str, str]
    # How front_door asks for it.
    check: dict[str, t.Any]
    request_time_limit: int
    upload_limit_mb: int
    database: dict[str, str] | None
    redis: dict[str, t.Any] | None
    sessions: str
    # How front_door looks whether its folders are mounted.
    mounts: list[dict[str, str]]
    # The engine that its web servers agree by who runs a cron job; empty where it has none, or nothing to agree by.
    lease: str


@dataclass(frozen=True)
class Way:
    """Where a program of a web server connects to."""

    host: str
    port: int


@dataclass(frozen=True)
class Ways:
    """How the sites of a web server reach MySQL and Redis, and who they are where all are the same."""

    mysql_write: Way
    mysql_read: Way
    redis_write: Way
    redis_read: Way
    # The file with the authorities that sign for MySQL, where programs speak TLS with it themselves.
    mysql_authorities: str = ""
    # An endpoint has one user for everybody.
    redis_user: str = ""


def cluster_sites(settings: Settings, host: str, demo_is_possible: bool) -> list[Site]:
    """The sites, as one host of the cluster has them; all have the same. Without a list it is the demo, where that can be."""
    if not settings.given(host, OPTION) and not demo_is_possible:
        return []
    limits = settings.value(host, "webcluster_request_time_limit"), settings.value(host, "webcluster_upload_limit_mb")
    return [read_site(_found(values), *limits) for values in settings.value(host, OPTION) or []]


def _found(values: Values) -> Values:
    return {**values, "source": DEMO_CODE} if values.get("source") == DEMO else values


def demo_of(sites: Sequence[Site]) -> Site | None:
    """The site that runs the demo, through which an item is written and read back."""
    return next((site for site in sites if site.source == DEMO_CODE), None)


def repository(name: str, git: Git) -> Repository:
    return {"url": git.url, "key_file": git.key_file, "folder": checkout_of(name, git.url)}


def lease_of(site: Site, engines: Container[str]) -> str:
    """Where the web servers agree who runs a cron job of a site; MySQL forgets nothing in a crash, so it comes first."""
    return next((key for key in LEASE_ENGINES if key in engines), "") if site.has_cron else ""


def lease_name(site: str) -> str:
    """The account, database and user that hold a site's leases; no site can be called so."""
    return f"{site}-cron"


def planned(site: Site, engines: Container[str]) -> PlannedSite:
    return {
        "name": site.name,
        "domains": list(site.domains),
        "code": {
            "source": site.source,
            "git": repository(site.name, site.git) if site.git else None,
            "version": site.version,
            "exclude": list(site.exclude),
            "build": site.build,
            "migrate": site.migrate,
        },
        "place": {"name": site.name, "home": home_of(site.name)},
        "check": {"name": site.name, "host": asked_as(site.domains), **vars(site.health)},
        "request_time_limit": site.request_time_limit,
        "upload_limit_mb": site.upload_limit_mb,
        "database": vars(site.database).copy() if site.database else None,
        "redis": {**vars(site.redis), "commands": list(site.redis.commands)} if site.redis else None,
        "sessions": site.sessions,
        "mounts": [
            {
                "site": site.name,
                "folder": folder,
                "path": (path := place_of(home_of(site.name), folder)),
                "user": user_of(site.name),
                "unit": unit_of(path),
            }
            for folder in mounted_folders(site.values)
        ],
        "lease": lease_of(site, engines),
    }


def proxy_sites(sites: Sequence[Site]) -> list[Values]:
    """What the load balancers have to know: names and limits."""
    return [
        {
            "name": site.name,
            "domains": list(site.domains),
            "request_time_limit": site.request_time_limit,
            "upload_limit_mb": site.upload_limit_mb,
        }
        for site in sites
    ]


def web_sites(
    sites: Sequence[Site], ways: Ways, engines: Container[str], is_first: bool, hosts: FolderHosts, host: str
) -> list[Values]:
    """What a web server has to know, but for secrets; with nothing to agree by, the first one runs the cron jobs."""
    return [
        {
            **{name: site.values[name] for name in WEB_VALUES},
            "request_time_limit": site.request_time_limit,
            "upload_limit_mb": site.upload_limit_mb,
            "environment": plain_environment(site, ways),
            "mounts": plain_mounts(site, hosts, host),
            "cron": site.values["cron"] if is_first or lease_of(site, engines) else [],
            **({"lease": plain_lease(site, ways, engines)} if lease_of(site, engines) else {}),
        }
        for site in sites
    ]


def plain_mounts(site: Site, hosts: FolderHosts, host: str) -> list[Values]:
    """What holds the site's folders for all web servers, but for logins; a word that is no host is told elsewhere."""
    found = []
    for mount in site.values["mounts"]:
        plain = {key: mount[key] for key in PLAIN_MOUNT if mount.get(key) is not None}
        held_by = hosts.get(mount.get("host") or "")
        found.append({**plain, **(source(site.name, mount["folder"], held_by, host) if held_by else {})})
    return found


def plain_lease(site: Site, ways: Ways, engines: Container[str]) -> Values:
    """How a web server reaches the leases of a site, at the primary."""
    engine = lease_of(site, engines)
    way = {"mysql": ways.mysql_write, "redis": ways.redis_write}[engine]
    found = {"engine": engine, "port": way.port, "name": lease_name(site.name)}
    if engine == "redis" and ways.redis_user:
        found["user"] = ways.redis_user
    if engine == "mysql" and ways.mysql_authorities:
        found |= {"host": way.host, "ca_file": ways.mysql_authorities}
    return found


def plain_environment(site: Site, ways: Ways) -> dict[str, str]:
    """How a site finds its data; the names are those of Laravel's and Symfony's settings."""
    found: dict[str, str] = {}
    if site.database:
        found |= {
            "DB_HOST": ways.mysql_write.host,
            "DB_PORT": str(ways.mysql_write.port),
            "DB_READ_HOST": ways.mysql_read.host,
            "DB_READ_PORT": str(ways.mysql_read.port),
            "DB_DATABASE": site.database.name,
            "DB_USERNAME": site.database.user,
        }
        if ways.mysql_authorities:
            found["MYSQL_ATTR_SSL_CA"] = ways.mysql_authorities
    if site.redis:
        found |= {
            "REDIS_HOST": ways.redis_write.host,
            "REDIS_PORT": str(ways.redis_write.port),
            "REDIS_READ_PORT": str(ways.redis_read.port),
            "REDIS_USERNAME": ways.redis_user or site.redis.user,
            "REDIS_PREFIX": site.redis.prefix,
        }
    return found


def secret_environment(plain: Mapping[str, str], passwords: Mapping[str, str], character_set: str) -> dict[str, str]:
    """The passwords, and the addresses that hold them."""
    found = {}
    if "DB_USERNAME" in plain:
        found["DB_PASSWORD"] = passwords["mysql"]
        login = f"{quote(plain['DB_USERNAME'], safe='')}:{quote(passwords['mysql'], safe='')}"
        place = f"{plain['DB_HOST']}:{plain['DB_PORT']}/{plain['DB_DATABASE']}"
        found["DATABASE_URL"] = f"mysql://{login}@{place}?charset={character_set}"
    if "REDIS_USERNAME" in plain:
        found["REDIS_PASSWORD"] = passwords["redis"]
        login = f"{quote(plain['REDIS_USERNAME'], safe='')}:{quote(passwords['redis'], safe='')}"
        found["REDIS_URL"] = f"redis://{login}@{plain['REDIS_HOST']}:{plain['REDIS_PORT']}"
    return found


def session_settings(plain: Mapping[str, str], passwords: Mapping[str, str]) -> dict[str, str]:
    """Where PHP keeps its sessions: with every web server, at the Redis primary."""
    login = f"auth[]={quote(plain['REDIS_USERNAME'], safe='')}&auth[]={quote(passwords['redis'], safe='')}"
    prefix = quote(f"{plain['REDIS_PREFIX']}session:", safe="")
    return {
        "session.save_handler": "redis",
        "session.save_path": f"tcp://{plain['REDIS_HOST']}:{plain['REDIS_PORT']}?{login}&prefix={prefix}&timeout=2&read_timeout=2",
    }


def site_user(redis: Mapping[str, t.Any], password: str) -> Values:
    """A Redis user with all that an application needs, on its own keys."""
    # What is taken away and given back leaves no trace in the server's own list, so neither stands here.
    denied = [f"-{command}" for command in DENIED_COMMANDS if command not in redis["commands"]]
    allowed = [f"+{command}" for command in redis["commands"] if command not in DENIED_COMMANDS]
    prefix = redis["prefix"]
    rules = " ".join([f"~{prefix}*", f"&{prefix}*", "+@all", *denied, *allowed])
    return {"name": redis["user"], "password": password, "rules": rules}


def site_account(database: Mapping[str, str], password: str) -> Values:
    """A MySQL account for a database of its own."""
    own = {"name": database["name"], "character_set": database["character_set"]}
    if database["collation"]:
        own["collation"] = database["collation"]
    return {"name": database["user"], "password": password, "own_databases": [own]}


def passwords_of(variables: Mapping[str, t.Any]) -> dict[str, dict[str, str]]:
    """The sites' passwords; a credential of AWX hands them over as text."""
    found: dict[str, dict[str, str]] = check_type_dict(resolve(variables, PASSWORDS)) if PASSWORDS in variables else {}
    return found


def lease_user(site: str, password: str) -> Values:
    """A Redis user for leases and nothing else."""
    rules = " ".join([f"~{lease_name(site)}:*", *(f"+{command}" for command in LEASE_COMMANDS)])
    return {"name": lease_name(site), "password": password, "rules": rules}


def lease_account(site: str, password: str) -> Values:
    """A MySQL account for a table of leases and nothing else."""
    own = {"name": lease_name(site), "character_set": "utf8mb4"}
    return {"name": lease_name(site), "password": password, "own_databases": [own], "privileges": LEASE_PRIVILEGES}


def _own(variables: Mapping[str, t.Any], option: str) -> list[t.Any]:
    return resolve(variables, option) if option in variables else []


@functools.cache
def _usual() -> list[Values]:
    """The list of an inventory that has none."""
    found: list[Values] = read_options(PLAYBOOKS)[OPTION]["default"]
    return found


def with_logins(plain: Sequence[Values], said: Sequence[Values]) -> list[Values]:
    """The mounts of a site, whole."""
    logins = {mount["folder"]: {key: mount[key] for key in MOUNT_LOGIN if mount.get(key)} for mount in said}
    return [{**mount, **logins[mount["folder"]]} for mount in plain]


def with_password(lease: Values, passwords: Mapping[str, str]) -> Values:
    """A lease has an account of its own, but at an endpoint that has one user for everybody."""
    return {**lease, "password": passwords["redis" if "user" in lease else "cron"]}


def web_arguments(plan: Sequence[PlannedSite], ours: Sequence[Values], variables: Mapping[str, t.Any]) -> list[Values]:
    """The web server's sites, whole."""
    endpoint = password_of(variables, "redis")
    passwords = passwords_of(variables)
    if endpoint:
        passwords = {site["name"]: {**passwords.get(site["name"], {}), "redis": endpoint} for site in plan}
    said = {values["name"]: values for values in (_own(variables, OPTION) if OPTION in variables else _usual())}
    releases = variables.get("webcluster_releases") or {}
    whole = []
    for site, values in zip(plan, ours, strict=True):
        name, plain = site["name"], values["environment"]
        own = {key: said[name].get(key) or {} for key in SECRET_VALUES}
        database = site["database"] or {}
        secret = secret_environment(plain, passwords.get(name, {}), database.get("character_set", ""))
        mail = said[name].get("mail") or (resolve(variables, MAIL) if MAIL in variables else None)
        sessions = session_settings(plain, passwords[name]) if site["sessions"] == "redis" else {}
        whole.append(
            {
                **values,
                "environment": {
                    **plain,
                    **secret,
                    **{key: as_text(value) for key, value in own["environment"].items()},
                },
                "ini_settings": {**sessions, **own["ini_settings"]},
                "fpm_settings": own["fpm_settings"],
                **({"mail": mail} if mail else {}),
                "mounts": with_logins(values["mounts"], said[name].get("mounts") or []),
                **({"lease": with_password(values["lease"], passwords[name])} if "lease" in values else {}),
                **(releases.get(name) or {}),
            }
        )
    return whole


def mysql_accounts(plan: Sequence[PlannedSite], _ours: object, variables: Mapping[str, t.Any]) -> list[Values]:
    return [*_own(variables, "mysql_server_application_accounts"), *sites_accounts(plan, variables)]


def sites_accounts(plan: Sequence[PlannedSite], variables: Mapping[str, t.Any]) -> list[Values]:
    """The MySQL accounts of the sites, each with its database."""
    passwords = passwords_of(variables)
    return [
        *(site_account(site["database"], passwords[site["name"]]["mysql"]) for site in plan if site["database"]),
        *(lease_account(site["name"], passwords[site["name"]]["cron"]) for site in plan if site["lease"] == "mysql"),
    ]


def endpoint_databases(plan: Sequence[PlannedSite], _ours: object, variables: Mapping[str, t.Any]) -> list[Values]:
    return [database for account in sites_accounts(plan, variables) for database in account["own_databases"]]


def endpoint_accounts(
    plan: Sequence[PlannedSite], ours: Mapping[str, t.Any], variables: Mapping[str, t.Any]
) -> list[Values]:
    """The same accounts for mysql_accounts, at a server that takes them over TLS only."""
    return [
        {
            "name": account["name"],
            "password": account["password"],
            "hosts": ours["hosts"],
            "tls": "required",
            "grants": [
                {
                    "databases": [database["name"] for database in account["own_databases"]],
                    "privileges": account.get("privileges", ours["privileges"]),
                }
            ],
        }
        for account in sites_accounts(plan, variables)
    ]


def redis_users(plan: Sequence[PlannedSite], _ours: object, variables: Mapping[str, t.Any]) -> list[Values]:
    passwords = passwords_of(variables)
    return [
        *_own(variables, "redis_server_extra_users"),
        *(site_user(site["redis"], passwords[site["name"]]["redis"]) for site in plan if site["redis"]),
        *(lease_user(site["name"], passwords[site["name"]]["cron"]) for site in plan if site["lease"] == "redis"),
    ]


def certificates(_plan: object, shown: Sequence[str], variables: Mapping[str, t.Any]) -> list[Values]:
    """The load balancer's own certificates, and those of the sites that are named."""
    sites = [values for values in _own(variables, OPTION) if values["name"] in shown]
    return [*_own(variables, CERTIFICATES), *site_certificates(sites)]


ARGUMENTS: dict[str, Callable[[Sequence[PlannedSite], t.Any, Mapping[str, t.Any]], list[Values]]] = {
    "apache_php_sites": web_arguments,
    "mysql_endpoint_accounts": endpoint_accounts,
    "mysql_endpoint_databases": endpoint_databases,
    "mysql_server_application_accounts": mysql_accounts,
    "redis_server_extra_users": redis_users,
    CERTIFICATES: certificates,
}


def site_arguments(
    topology: Mapping[str, t.Any], option: str, host: str, variables: Mapping[str, t.Any]
) -> list[Values]:
    """An argument of a host's role that holds secrets of the sites: the inventory's own part of it, and ours."""
    return ARGUMENTS[option](topology["sites"], topology["arguments"][host].get(option, []), variables)
