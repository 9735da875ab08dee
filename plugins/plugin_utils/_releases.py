# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Which release a site gets: what an operator has put in place stays, else what its source holds; and the way to another one."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import Code, PlannedSite
from ansible_collections.siteops.webcluster.plugins.plugin_utils._hosts import system_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_removal import left_notes
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import (
    GIT_OWN,
    VERSION_PLACE,
    placed,
    source_of,
    version_form,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._topology import Topology
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import (
    ROLES,
    Settings,
    read_options,
    short_list,
)

Values = dict[str, t.Any]
# What site_release_info said of a site, by web server; of one that could not be asked, nothing.
Known = Mapping[str, Mapping[str, t.Any]]
Hosts = Mapping[str, Mapping[str, t.Any]]
Looks = Sequence[Mapping[str, t.Any]]
Exists = Callable[[str], bool]

# What the web servers need until all are ready to switch, in seconds: for one turn, and for each of them.
LEAD, LEAD_EACH = 4.0, 0.2


def looks_of(topology: Topology, hostvars: Hosts, elsewhere: Looks) -> dict[str, Values]:
    """What each web server said; `elsewhere` holds those outside of a limited run."""
    looks = {
        member["name"]: hostvars[member["name"]].get("__webcluster_known_releases") or {} for member in topology["web"]
    }
    return looks | {str(look["item"]): dict(look) for look in elsewhere if "sites" in look}


def known_by_site(topology: Topology, hostvars: Hosts, elsewhere: Looks) -> dict[str, dict[str, Values]]:
    """What each web server said of each site."""
    looks = looks_of(topology, hostvars, elsewhere)
    return {
        site["name"]: {
            host: look["sites"][site["name"]]
            for host, look in looks.items()
            if site["name"] in (look.get("sites") or {})
        }
        for site in topology["sites"]
    }


def held(known: Known) -> Values:
    """What an operator has put in place last, as one of the web servers has it; empty where the inventory decides."""
    found = [dict(look) for look in known.values() if look["released"]]
    return max(found, key=lambda look: float(look["released"].get("at", 0)), default={})


class Packing(t.TypedDict):
    """What is packed, what is built in it before, and what git checks out before that."""

    pack: list[Values]
    build: list[Values]
    checkout: list[Values]


def add_code(packing: Packing, name: str, code: Code, version: str, source: str = "", **more: str) -> None:
    """Add the code of a site to what is packed; a source that is given goes before that of its entry."""
    git = None if source else code["git"]
    folder = git["folder"] if git else source or source_of(code["source"], version)
    exclude = list(dict.fromkeys([*code["exclude"], *([GIT_OWN] if git else [])]))
    packing["pack"].append({"name": name, "source": folder, "exclude": exclude, **more})
    # A checkout holds nothing that was built in it before.
    if code["build"] and (git or not more):
        packing["build"].append({"name": name, "command": code["build"], "folder": folder})
    if git:
        packing["checkout"].append({"name": name, "version": version, **git})


class Sources(Packing):
    """What is packed for a run of the whole cluster, and what is told of the rest."""

    notes: list[str]


def site_sources(topology: Topology, hostvars: Hosts, elsewhere: Looks, run: Sequence[str]) -> Sources:
    """Say what has to be packed so that each web server of a run gets its release."""
    found: Sources = {"pack": [], "build": [], "checkout": [], "notes": []}
    known = known_by_site(topology, hostvars, elsewhere)
    hosts = [member["name"] for member in topology["web"] if member["name"] in run]
    for site in topology["sites"]:
        name, code = site["name"], site["code"]
        kept = held(known[name])
        version = kept.get("version") or code["version"]
        if kept:
            found["notes"].append(held_note(name, kept))
            lacking = [host for host in hosts if kept["noted"] not in known[name].get(host, {}).get("releases", [])]
            if lacking:
                add_code(found, name, code, version, release=kept["noted"])
        elif code["source"] or code["git"]:
            add_code(found, name, code, version)
    others = {host: look.get("others") or [] for host, look in looks_of(topology, hostvars, elsewhere).items()}
    found["notes"] += left_notes(others, [gone["name"] for gone in topology["removed"]])
    return found


def held_note(name: str, kept: Mapping[str, t.Any]) -> str:
    released = kept["released"]
    called = f" ({kept['version']})" if kept["version"] else ""
    return (
        f"Site {name} stays at release {kept['noted']}{called}, where {released['by']} has put it by {released['action']} on"
        f" {day(released['at'])}; release.yml and rollback.yml change it."
    )


def day(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")


def site_releases(
    topology: Topology, hostvars: Hosts, elsewhere: Looks, archives: Mapping[str, Mapping[str, t.Any]]
) -> dict[str, Values]:
    """The release of each site, and its archive where one is needed."""
    known = known_by_site(topology, hostvars, elsewhere)
    found = {}
    for site in topology["sites"]:
        name = site["name"]
        kept, archive = held(known[name]), archives.get(name) or {}
        found[name] = {
            "release": kept.get("noted") or archive.get("release", ""),
            "archive": archive.get("path", ""),
            "version": kept.get("version") or (site["code"]["version"] if archive else ""),
            "released": kept.get("released") or {},
        }
    return found


class Request(Packing):
    """A release that is asked for, before its code is packed."""

    errors: list[str]
    site: str
    version: str


def release_request(
    topology: Topology, site: str, version: str = "", source: str = "", exists: Exists = os.path.exists
) -> Request:
    """Find the code of a release, or say why there is none."""
    found: Request = {"errors": [], "site": site, "version": version, "pack": [], "build": [], "checkout": []}
    planned = _planned(topology, site)
    if planned is None:
        found["errors"].append(unknown_site(topology, site))
        return found
    code = planned["code"]
    version = found["version"] = version or ("" if source else code["version"])
    path = source or source_of(code["source"], version or VERSION_PLACE)
    form, expected = version_form(code["git"] and not source)
    if version and not form.match(version):
        found["errors"].append(f"version is {version!r}, expected {expected}: correct it.")
    elif code["git"] and not source:
        add_code(found, site, code, version)
    elif not path:
        found["errors"].append(
            f"Site {site} has no source; expected one: give -e source=PATH, or set source or git in its entry of webcluster_sites."
        )
    elif VERSION_PLACE in path:
        found["errors"].append(
            f"Site {site}: source is {code['source']}, and no version was given; expected one: add -e version=..., or set"
            " version in its entry."
        )
    elif not os.path.isabs(path) or not exists(path):
        found["errors"].append(
            f"Site {site}: source is {path}, which is no absolute path of something on the controller; expected a folder or an"
            " archive: put it there, or correct the path or the version."
        )
    elif code["build"] and not os.path.isdir(path):
        found["errors"].append(
            f"Site {site}: build is set, and source is {path}, which is no folder; expected one to build in: give a folder, or"
            " remove build."
        )
    else:
        add_code(found, site, code, version, path)
    return found


def _planned(topology: Topology, site: str) -> PlannedSite | None:
    return next((one for one in topology["sites"] if one["name"] == site), None)


def unknown_site(topology: Topology, site: str) -> str:
    names = ", ".join(one["name"] for one in topology["sites"])
    known = f"it has {names}" if names else "it is empty"
    what = f"Site {site!r} is not in webcluster_sites" if site else "No site was named"
    return f"{what}; expected one of that list, and {known}: give -e site=NAME."


class ReleasePlan(t.TypedDict):
    """What is going to happen to a site, for the tasks that do it and for people."""

    errors: list[str]
    text: list[str]
    site: str
    release: str
    # Nothing to switch: it is only looked at.
    is_live: bool
    # No host in check mode, and where there is nothing to do.
    web: list[str]
    # How long the web servers need until all are ready to switch; 0 where they cannot be at once.
    lead: float
    # What the log calls it.
    action: str
    keep: int
    # The release that all go back to; empty where there is none.
    former: str
    migrate: str
    check: Values
    # By web server: what site_release gets, and what it reloads; where PHP is asked beside the live release.
    code: dict[str, Values]
    former_code: dict[str, Values]
    services: dict[str, str]
    previews: dict[str, Values]
    command: Values


def plan_errors(topology: Topology, site: str, known: Known, run: Sequence[str]) -> list[str]:
    """What makes any release impossible."""
    web = [member["name"] for member in topology["web"]]
    if left_out := [name for name in web if name not in run]:
        return [
            f"{short_list(left_out)}: not in this run; expected all web servers, so that all serve the same release: correct"
            " --limit, or take a host that is away out of the inventory."
        ]
    if lacking := [name for name in web if not known.get(name, {}).get("there")]:
        return [
            f"Site {site} is not set up on {short_list(lacking)}; expected its user and folders on all web servers: run site.yml"
            " first."
        ]
    return []


def former_of(known: Known, release: str) -> str:
    """What is live on the web servers but for that release; where an interrupted run has left none, what was live before it."""
    there = [
        *(look["live"] for look in known.values() if look["live"] not in ("", release)),
        *(one["release"] for look in known.values() for one in look["before"] if one["release"] != release),
    ]
    return next((name for name in there if all(name in look["releases"] for look in known.values())), "")


def rollback_target(site: str, known: Known, to: str) -> tuple[str, str]:
    """The release to go back to, or a sentence that says why there is none."""
    on_all = [
        name
        for name in next(iter(known.values()))["releases"]
        if all(name in look["releases"] for look in known.values())
    ]
    live = sorted({look["live"] or "none" for look in known.values()})
    choice = f"on all web servers are {', '.join(on_all)}" if on_all else "no release is on all web servers"
    if not to:
        if len(live) > 1:
            return "", (
                f"Site {site} runs {' and '.join(live)} on different web servers, so there is no one release before it; expected"
                f" the one to go to: give -e to=RELEASE; {choice}."
            )
        before = [one["release"] for look in known.values() for one in look["before"]]
        to = next((name for name in before if name in on_all and name not in live), "")
        if not to:
            return (
                "",
                f"Site {site} has no release before {live[0]} on all web servers; {choice}: name one by -e to=RELEASE.",
            )
    elif to not in on_all:
        return "", (
            f"Release {to} of site {site} is not on all web servers; expected one that is, and {choice}: correct to, or bring it by"
            " release.yml."
        )
    return to, ""


def release_plan(
    topology: Topology,
    hostvars: Hosts,
    elsewhere: Looks,
    site: str,
    run: Sequence[str],
    forks: int,
    check_mode: bool,
    packed: Mapping[str, t.Any],
    version: str = "",
    to: str = "",
) -> ReleasePlan:
    """Plan the way to a packed release, or without one back to a former one."""
    web = [member["name"] for member in topology["web"]]
    settings = Settings({name: hostvars[name] for name in web}, read_options(ROLES / "apache_php"))
    keep = settings.value(web[0], "apache_php_releases_kept") if web else 1
    plan: ReleasePlan = {
        "errors": [],
        "text": [],
        "site": site,
        "release": str(packed.get("release", "")),
        "is_live": False,
        "web": [],
        "lead": LEAD + LEAD_EACH * len(web) if forks >= len(web) else 0.0,
        "action": "release" if packed else "rollback",
        "keep": keep,
        "former": "",
        "migrate": "",
        "check": {},
        "code": {},
        "former_code": {},
        "services": {},
        "previews": {},
        "command": {},
    }
    planned = _planned(topology, site)
    if planned is None:
        plan["errors"] = [unknown_site(topology, site)]
        return plan
    looks = known_by_site(topology, hostvars, elsewhere)[site]
    plan["errors"] = [*settings.errors, *plan_errors(topology, site, looks, run)]
    if keep < 1:
        plan["errors"].append(f"apache_php_releases_kept is {keep}, expected 1 at least: raise it.")
    if not plan["errors"] and not packed:
        plan["release"], problem = rollback_target(site, looks, to)
        plan["errors"] = [problem] if problem else []
    if plan["errors"]:
        return plan
    release = plan["release"]
    plan["is_live"] = all(look["live"] == look["noted"] == release for look in looks.values())
    plan["former"] = former_of(looks, release)
    plan["migrate"] = planned["code"]["migrate"] if packed else ""
    plan["check"] = {**planned["check"], "release": release}
    for host in web:
        values = placed(next(one for one in topology["arguments"][host]["apache_php_sites"] if one["name"] == site))
        service = fpm_service(hostvars[host], settings.value(host, "apache_php_version"))
        base = {key: values[key] for key in ("name", "home", "user", "readers", "shared_folders", "mounted_folders")}
        archive = str(packed.get("path", ""))
        plan["code"][host] = {**base, "release": release, "archive": archive, "version": version}
        noted = looks[host]
        called = noted["version"] if noted["noted"] == plan["former"] else ""
        plan["former_code"][host] = {**base, "release": plan["former"], "version": called}
        plan["services"][host] = service
        folder = f"{values['home']}/releases/{release}"
        plan["previews"][host] = {
            **planned["check"],
            "root": "/".join(filter(None, [folder, values["public"]])),
            "socket": f"/run/php/{service}-{values['user']}.sock",
            "front_controller": values["front_controller"],
            "timeout": planned["request_time_limit"],
        }
        plan["command"] = {
            "name": site,
            "command": plan["migrate"],
            "folder": folder,
            **{key: values[key] for key in ("home", "user", "environment_file")},
        }
    plan["web"] = [] if check_mode else web
    plan["text"] = written(plan, topology, looks, forks, version)
    return plan


def fpm_service(variables: Mapping[str, t.Any], version: str) -> str:
    """The name of PHP-FPM's service on a web server; the role has the same source for it where no version is named."""
    if version:
        return f"php{version}-fpm"
    system = system_of(variables.get("ansible_facts") or {})
    loaded = yaml_load((ROLES / "apache_php" / "vars" / f"{system}.yml").read_text(encoding="utf-8"))
    return f"php{loaded['__apache_php_versions']['php']}-fpm"


def written(plan: ReleasePlan, topology: Topology, known: Known, forks: int, version: str) -> list[str]:
    """Return the plan for people: what goes where, in which order, and what ends it."""
    web, release = [member["name"] for member in topology["web"]], plan["release"]
    runs: dict[str, list[str]] = {}
    for host in web:
        runs.setdefault(known[host]["live"] or "none", []).append(host)
    now = ", ".join(f"release {name} on {short_list(hosts)}" for name, hosts in runs.items())
    called = f" ({version})" if version else ""
    lines = [f"Site {plan['site']} runs {now}; it gets release {release}{called} by {plan['action']}."]
    if plan["is_live"]:
        return [*lines, "All web servers serve it already: it is looked at, and nothing is changed."]
    lacking = [host for host in web if release not in known[host]["releases"]]
    doors = ", ".join(door["name"] for door in topology["doors"])
    check = plan["check"]
    text = f" with the text {check['text']!r}" if check["text"] else ""
    if lacking:
        lines.append(f"It is unpacked on {short_list(lacking)} beside the live one.")
    if plan["migrate"]:
        lines.append(f"On {web[0]} the site's user runs '{plan['migrate']}' in it, once.")
    lines.append(
        f"On each web server PHP is asked for {check['path']} of it, expected is {check['status']}{text}. Until then nothing that"
        " is served has changed, and whatever fails ends the run."
    )
    if plan["lead"]:
        lines.append(
            "All web servers switch to it within a second, and PHP-FPM is reloaded, which lets running requests end."
        )
    else:
        lines.append(
            f"The web servers switch to it some seconds apart, since Ansible works at {forks} of {len(web)} at a time; run with"
            f" --forks {len(web)} to switch all within a second. PHP-FPM is reloaded, which lets running requests end."
        )
    back = (
        f"all go back to release {plan['former']}"
        if plan["former"]
        else "it stays, as there is no release to go back to"
    )
    lines.append(f"It is asked on each web server itself and through {doors}; where that fails, {back}.")
    lines.append(f"Expected downtime: none. The live release and {plan['keep']} former ones are kept.")
    return lines
