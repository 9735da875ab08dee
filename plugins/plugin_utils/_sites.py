# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What a list of sites says, and what is wrong with it; nothing else of the cluster is known here."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.plugin_utils._cron import cron_findings, planned_job
from ansible_collections.siteops.webcluster.plugins.plugin_utils._mail import mail_findings
from ansible_collections.siteops.webcluster.plugins.plugin_utils._mounts import (
    has_numbers,
    mount_findings,
    mounted_folders,
    number_findings,
    numbers_of,
    planned_mount,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import nearest

# The domain of the site that gets whatever no other site has.
ANY = "*"
# A site's name is that of a system user (behind a prefix), of a database, of accounts and of folders.
NAME = re.compile(r"[a-z][a-z0-9_]{0,23}\Z")
LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(\*\.)?({LABEL}\.)*{LABEL}\Z")
# A relative path that stays where it is.
FOLDER = re.compile(r"(?!.*(^|/)\.{1,2}(/|\Z))[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")
URL_PATH = re.compile(r"/[A-Za-z0-9._~%!$&()*+,;=:@/?-]*\Z")
PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~/-]*\Z")
EXTENSION = re.compile(r"[a-z0-9_]+\Z")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
ACCOUNT = re.compile(r"[A-Za-z0-9_.-]{1,32}\Z")
SCHEMA = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
WORD = re.compile(r"[A-Za-z0-9_]+\Z")
COMMAND = re.compile(r"@?[a-z0-9|._-]+\Z")
PREFIX = re.compile(r"[A-Za-z0-9_:.{}-]+\Z")
# What takes the place of a version in the path of a source, and what may take it.
VERSION_PLACE = "{version}"
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z")
VERSION_FORM = "letters, digits and any of ._+-, such as 1.4"
# A tag, a branch or a commit.
GIT_VERSION = re.compile(r"(?!.*(//|\.\.))[A-Za-z0-9]([A-Za-z0-9._+@/-]{0,126}[A-Za-z0-9_+@-])?\Z")
GIT_VERSION_FORM = "a tag, branch or commit such as v1.4"
# Where git may read; a login in it would stand in argument lists, and a helper's word is a program.
GIT_HOST = r"[A-Za-z0-9.-]+|\[[0-9a-f:.]+\]"
GIT_PATH = r"[^\s?#@\\]+"
GIT_URL = re.compile(
    rf"(https?|git)://({GIT_HOST})(:\d+)?/{GIT_PATH}\Z"
    rf"|ssh://([A-Za-z0-9._-]+@)?({GIT_HOST})(:\d+)?/{GIT_PATH}\Z"
    rf"|[A-Za-z0-9._-]+@({GIT_HOST}):{GIT_PATH}\Z"
    rf"|(file://)?/{GIT_PATH}\Z"
)
# Of a checkout, this is no part of the code.
GIT_OWN = ".git"
CHECKOUTS = "~/.cache/siteops.webcluster/git"
# What separates the sites from each other, and what the health check reads.
OWN_POOL_SETTINGS = ("user", "group", "listen", "chroot", "prefix", "pm.status_path", "pm.status_listen")

# Nobody to agree with about who runs a cron job.
NO_LEASE: Mapping[str, t.Any] = {"engine": "none"}

SiteValues = Mapping[str, t.Any]


@dataclass(frozen=True)
class Database:
    """A site's schema on MySQL and the account for it."""

    name: str
    user: str
    character_set: str
    collation: str


@dataclass(frozen=True)
class Redis:
    """A site's user on Redis, bound to the keys that begin with its prefix."""

    user: str
    prefix: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Health:
    """How one sees that a site works."""

    path: str
    status: int
    text: str


@dataclass(frozen=True)
class Git:
    """The repository that holds a site's code, and the key that opens it; empty where git finds its own."""

    url: str
    key_file: str


@dataclass(frozen=True)
class Site:
    """One application of the cluster: what each tier has to know of it."""

    name: str
    domains: tuple[str, ...]
    # Where its code lies on the controller; VERSION_PLACE in it stands for a version.
    source: str
    # Or in which repository; the version is a tag, a branch or a commit of it.
    git: Git | None
    version: str
    exclude: tuple[str, ...]
    # Commands: one in the source before it is packed, one in a new release before it is live.
    build: str
    migrate: str
    request_time_limit: int
    upload_limit_mb: int
    database: Database | None
    redis: Redis | None
    sessions: str
    has_cron: bool
    health: Health
    # All that was said, by option, defaults included.
    values: SiteValues


def read_site(values: SiteValues, request_time_limit: int, upload_limit_mb: int) -> Site:
    """Read an entry whose values were validated; the limits are those of sites that have none of their own."""
    name = values["name"]
    database, redis, git = values.get("database"), values.get("redis"), values.get("git")
    if redis is None and values["sessions"] == "redis":
        redis = {}
    return Site(
        name=name,
        domains=tuple(values["domains"]),
        source=values.get("source") or "",
        git=None if git is None else Git(url=git["url"], key_file=git.get("key_file") or ""),
        version=values.get("version") or "",
        exclude=tuple(values["exclude"]),
        build=values.get("build") or "",
        migrate=values.get("migrate") or "",
        request_time_limit=values.get("request_time_limit") or request_time_limit,
        upload_limit_mb=values.get("upload_limit_mb") or upload_limit_mb,
        database=None
        if database is None
        else Database(
            name=database.get("name") or name,
            user=database.get("user") or name,
            character_set=database.get("character_set") or "utf8mb4",
            collation=database.get("collation") or "",
        ),
        redis=None
        if redis is None
        else Redis(
            user=redis.get("user") or name,
            prefix=redis.get("prefix") or f"{name}:",
            commands=tuple(redis.get("commands") or ()),
        ),
        sessions=values["sessions"],
        has_cron=bool(values["cron"]),
        health=Health(values["health_path"], values["health_status"], values["health_text"]),
        values=values,
    )


def asked_as(domains: Sequence[str]) -> str:
    """The name by which the verdict asks for a site; empty where any name will do."""
    plain = [domain for domain in domains if "*" not in domain]
    wide = [domain.replace("*", "www", 1) for domain in domains if domain.startswith("*.")]
    return next(iter([*plain, *wide]), "")


def source_of(source: str, version: str) -> str:
    """Where the code of a version lies; a source without a place for it has one version at a time."""
    return source.replace(VERSION_PLACE, version)


def version_form(git: object) -> tuple[re.Pattern[str], str]:
    """What a version of a site may be, and how that is said."""
    return (GIT_VERSION, GIT_VERSION_FORM) if git else (VERSION, VERSION_FORM)


def checkout_of(name: str, url: str) -> str:
    """The folder on the controller in which a site's repository is checked out."""
    return f"{CHECKOUTS}/{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def home_of(name: str) -> str:
    """The folder of a site on the web servers."""
    return f"/srv/webcluster/{name}"


def user_of(name: str) -> str:
    """The system user of a site."""
    return f"site-{name}"


def faces(sites: Sequence[SiteValues]) -> list[dict[str, t.Any]]:
    """Which names lead to which site, the most exact ones first, as servers want them that take the first that fits."""
    exact = [(site, [domain for domain in site["domains"] if "*" not in domain]) for site in sites]
    wide = [(site, [domain]) for site in sites for domain in site["domains"] if domain.startswith("*.")]
    wide.sort(key=lambda face: -len(face[1][0]))
    return [{"site": site, "domains": domains} for site, domains in (*exact, *wide) if domains]


def default_site(sites: Iterable[SiteValues]) -> SiteValues | None:
    """The site that gets every name which no site has."""
    return next((site for site in sites if ANY in site["domains"]), None)


def placed(site: SiteValues) -> dict[str, t.Any]:
    """A site of a web server with the names of what is its own there."""
    name = site["name"]
    jobs = [planned_job(name, job) for job in site["cron"]]
    number, readers_number = numbers_of(name) if has_numbers(site) else (None, None)
    return {
        **site,
        "user": user_of(name),
        "readers": f"web-{name}",
        "home": home_of(name),
        # Nothing where they are what the host has free.
        "number": number,
        "readers_number": readers_number,
        "mounts": [planned_mount(home_of(name), name, mount) for mount in site["mounts"]],
        "mounted_folders": mounted_folders(site),
        "environment_file": f"/etc/webcluster-sites/{name}.env",
        "mail_folder": f"/etc/webcluster-mail/{name}",
        "cron": jobs,
        "cron_file": f"/etc/webcluster-sites/{name}.cron.json",
        # What the program that runs the jobs is told, but for what is the server's own.
        "cron_config": {
            "jobs": {job["name"]: job["run"] for job in jobs},
            "lease": {key: value for key, value in (site.get("lease") or NO_LEASE).items() if value is not None},
            "health": {
                "host": asked_as(site["domains"]) or "localhost",
                "path": site["health_path"],
                "status": site["health_status"],
                "text": site["health_text"],
            },
        },
        "environment": {"SITE_NAME": name, **{key: as_text(value) for key, value in site["environment"].items()}},
    }


def as_text(value: t.Any) -> str:
    """An environment variable's value; YAML's true is true in every other language too."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def unknown_extensions(sites: Iterable[SiteValues], known: Iterable[str], system: str) -> Iterator[str]:
    """PHP extensions for which the system has no package."""
    known = list(known)
    for site in sites:
        for word in site.get("php_extensions") or []:
            if word.lower() not in known:
                near = nearest(word, known)
                meant = f"; did you mean {near}?" if near else ": correct it, or remove it."
                yield f"Site {site['name']}: {system} has no PHP extension {word}{meant}"


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _wrong(values: Iterable[t.Any], form: re.Pattern[str]) -> list[str]:
    return [str(value) for value in values if not form.match(str(value))]


def _form_findings(site: SiteValues) -> Iterator[tuple[str, str, str]]:
    """Options whose texts have a wrong form: the option, what is wrong in it, and what was expected."""
    single = {
        "public": (FOLDER, "a folder of the code such as public, or nothing"),
        "front_controller": (FOLDER, "a file of the public folder such as index.php, or nothing"),
        "health_path": (URL_PATH, "a path such as /up"),
        "version": version_form(site.get("git")),
    }
    several = {
        "domains": (
            re.compile(rf"\*\Z|{DOMAIN.pattern}"),
            "host names in small letters such as shop.example, *.shop.example or *",
        ),
        "php_extensions": (EXTENSION, "names such as gd"),
        "shared_folders": (FOLDER, "folders of the code such as wp-content/uploads"),
        "environment": (VARIABLE, "names of letters, digits and '_'"),
    }
    for option, (form, expected) in single.items():
        if site.get(option) and not form.match(site[option]):
            yield option, str(site[option]), expected
    for option, (form, expected) in several.items():
        if wrong := _wrong(site.get(option) or [], form):
            yield option, ", ".join(wrong), expected
    folders = site.get("shared_folders") or []
    if within := [folder for folder in folders for other in folders if folder.startswith(f"{other}/")]:
        yield "shared_folders", ", ".join(within), "none within another one"
    for part in site.get("restricted_paths") or []:
        if not PLAIN_PATH.match(part["path"]):
            yield "restricted_paths", part["path"], "paths such as /admin"
        if wrong := [text for text in part["from"] if not _is_network(text)]:
            yield "restricted_paths", ", ".join(wrong), "addresses such as 10.0.0.9, or networks such as 10.0.0.0/24"
    if own := [
        name for name in site.get("fpm_settings") or {} if name in OWN_POOL_SETTINGS or name.startswith("listen.")
    ]:
        yield "fpm_settings", ", ".join(own), "none of those that keep the sites apart"


def _number_findings(site: SiteValues) -> Iterator[tuple[str, str, str]]:
    for option, least, most in (
        ("processes", 0, 10_000),
        ("request_time_limit", 1, 86_400),
        ("upload_limit_mb", 1, 1_000_000),
        ("static_cache_seconds", 0, 315_360_000),
        ("health_status", 100, 599),
    ):
        value = site.get(option)
        if value is not None and not least <= int(value) <= most:
            yield option, str(value), f"a number from {least} to {most}"


def _account_findings(site: SiteValues) -> Iterator[tuple[str, str, str]]:
    database, redis = site.get("database") or {}, site.get("redis") or {}
    for option, value, form, expected in (
        ("database.name", database.get("name"), SCHEMA, "1 to 64 letters, digits, '_' and '-'"),
        ("database.user", database.get("user"), ACCOUNT, "1 to 32 letters, digits, '_', '-' and '.'"),
        ("database.character_set", database.get("character_set"), WORD, "one word"),
        ("database.collation", database.get("collation"), WORD, "one word"),
        ("redis.user", redis.get("user"), ACCOUNT, "1 to 32 letters, digits, '_', '-' and '.'"),
        ("redis.prefix", redis.get("prefix"), PREFIX, "letters, digits and any of _:.{}-"),
    ):
        if value and not form.match(value):
            yield option, value, expected
    if wrong := _wrong(redis.get("commands") or [], COMMAND):
        yield "redis.commands", ", ".join(wrong), "commands such as eval, or categories such as @scripting"


def _git_findings(site: SiteValues) -> Iterator[str]:
    """An address that git cannot read, or that tells a login; then it is not told."""
    url = (site.get("git") or {}).get("url")
    if url is None or GIT_URL.match(url):
        return
    if re.match(r"(https?|git)://[^/]*@|ssh://[^/@]*:[^/]*@|[^?]*\?", url):
        yield (
            "git.url holds a login or what may be one (not shown), and would be seen in argument lists; expected an address without:"
            " give the login to git on the controller (a credential helper, ~/.netrc or an SSH key), and remove it from the address."
        )
    else:
        yield (
            f"git.url holds {url}, expected a repository such as https://code.example/shop.git, git@code.example:shop.git or an"
            " absolute path: correct it."
        )


def _environment_findings(site: SiteValues) -> Iterator[str]:
    """Values that no file of settings can hold; they are not told, since they may be secrets."""
    for name, value in (site.get("environment") or {}).items():
        text = as_text(value)
        if isinstance(value, (list, Mapping)) or value is None:
            yield f"environment.{name} is no text, expected one, or a number: give it in quotes."
        elif re.search(r"[\x00-\x1f\x7f]", text) or text.startswith("$") or ("'" in text and "${" in text):
            yield (
                f"environment.{name} holds a line break or another control character, begins with $, or holds both ' and ${{, which"
                " PHP-FPM cannot hand on; expected one line without: encode it, for example in base64."
            )


def _sentences(site: SiteValues) -> Iterator[str]:
    yield from _git_findings(site)
    yield from _environment_findings(site)
    yield from cron_findings(site.get("cron") or [])
    yield from mail_findings(site["mail"]) if site.get("mail") else ()
    yield from mount_findings(site)


def _between_sites(sites: Sequence[SiteValues]) -> Iterator[str]:
    owners: dict[str, list[str]] = {}
    for site in sites:
        for domain in site["domains"]:
            owners.setdefault(domain.lower(), []).append(site["name"])
    for domain, names in owners.items():
        if len(set(names)) > 1:
            yield f"Domain {domain} is in the sites {' and '.join(dict.fromkeys(names))}; expected one site for it: remove it from the others."
        elif len(names) > 1:
            yield f"Site {names[0]} names its domain {domain} twice; expected it once: remove one."
    names = [site["name"] for site in sites]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"Site {name} is in the list twice; expected a name for each site: rename or remove one."
    yield from number_findings(sites)


def site_errors(sites: Sequence[SiteValues]) -> list[str]:
    """What is wrong with a list of sites, one sentence each."""
    errors = list(_between_sites(sites))
    for site in sites:
        if not NAME.match(site["name"]):
            errors.append(
                f"A site is called {site['name']!r}; expected 1 to 24 small letters, digits and '_', a letter first, which users,"
                " databases and folders can be called: rename it."
            )
        if not site["domains"]:
            errors.append(f"Site {site['name']} has no domain; expected one at least: add it, or remove the site.")
        for option, found, expected in (*_form_findings(site), *_number_findings(site), *_account_findings(site)):
            errors.append(f"Site {site['name']}: {option} holds {found}, expected {expected}: correct it.")
        errors += [f"Site {site['name']}: {finding}" for finding in _sentences(site)]
    return errors
