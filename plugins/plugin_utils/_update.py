# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Plan a rolling update of web servers and load balancers, and tell whether a server may be taken out now."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import tiers_of, url_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES
from ansible_collections.siteops.webcluster.plugins.plugin_utils._topology import Topology
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, all_options, short_list

# HAProxy's name for the web servers, see haproxy.cfg.j2.
BACKEND = "web"
# Beyond the time limit of a request until its session has ended.
DRAIN_MARGIN = 10
# A former process of HAProxy may finish its connections for as long, see haproxy_hard_stop_after.
LEAST_DRAIN = 60
SHARE = re.compile(r"([1-9][0-9]*)(%?)")

# What haproxy_server_info says of the web servers, by load balancer.
Known = Mapping[str, Mapping[str, Mapping[str, t.Any]]]


class UpdatePlan(t.TypedDict):
    """What a rolling update is going to do, for the tasks that do it and for people."""

    errors: list[str]
    text: list[str]
    # In this order; those first that are out already.
    web: list[str]
    load_balancers: list[str]
    # How many web servers at a time: one at first.
    serial: list[int]
    # Whether a web server is taken out of the load balancers for its update, and how long its sessions may take.
    drain: bool
    drain_timeout: int
    packages: bool
    tiers: dict[str, list[str]]
    urls: dict[str, str]


def known_by(looks: Sequence[Mapping[str, t.Any]]) -> Known:
    """Return what each load balancer knows of the web servers, from a loop over them."""
    return {look["item"]["name"]: (look.get("backends") or {}).get(BACKEND) or {} for look in looks}


def status_of(server: Mapping[str, t.Any]) -> str:
    """What is set, where that is not ready; else what the health check says."""
    return str({"drain": "drained", "maint": "in maintenance"}.get(server["state"], server["status"]))


def is_out(known: Known, name: str) -> bool:
    """Whether some load balancer sends nothing to a web server."""
    return any(name in servers and not servers[name]["up"] for servers in known.values())


def share_of(text: str, servers: int) -> int | None:
    """Return how many of the servers a share such as 2 or 50% is, at least one; None where it is no share."""
    found = SHARE.fullmatch(text.strip())
    if not found:
        return None
    number = int(found[1])
    return max(1, servers * number // 100) if found[2] else number


def update_errors(
    topology: Topology, looks: Sequence[Mapping[str, t.Any]], batch: Sequence[str], run: Sequence[str]
) -> list[str]:
    """Return why these web servers may not be taken out now, a sentence each.

    `run` names every host of the run: one that is drained and still has its turn is what an interrupted run left.
    """
    web = [member["name"] for member in topology["web"]]
    errors = []
    for balancer, servers in known_by(looks).items():
        lacking = [name for name in web if name not in servers]
        if lacking:
            errors.append(
                f"HAProxy on {balancer} has no server {short_list(lacking)}; expected every web server of the inventory:"
                " run site.yml first."
            )
        others = {name: servers[name] for name in web if name in servers and name not in batch}
        serving = [name for name, server in others.items() if server["up"]]
        waiting = [name for name, server in others.items() if server["state"] == "drain" and name in run]
        bad = {name: status_of(server) for name, server in others.items() if name not in (*serving, *waiting)}
        if bad:
            said = ", ".join(f"{name} is {status}" for name, status in bad.items())
            errors.append(
                f"On {balancer} {said}; expected every web server but {short_list(batch)} to serve before that is taken"
                " out: mend it, or give it back with siteops.webcluster.haproxy_server."
            )
        elif not serving and not lacking:
            errors.append(
                f"On {balancer} nobody serves but {short_list(batch)}; expected another web server that does: mend one first."
            )
    return errors


def plan_errors(
    topology: Topology, web: Sequence[str], share: int | None, text: str, downtime: bool, chosen: bool
) -> list[str]:
    """Return what makes the whole plan impossible."""
    number = len(topology["web"])
    if not chosen:
        return [
            "No web server or load balancer is in this run; expected one of those: correct --limit, data servers are"
            " updated with -e tier=mysql or -e tier=redis."
        ]
    if not web:
        return []
    if share is None:
        return [f"Variable webcluster_update_share is {text!r}; expected a number such as 2, or a share such as 30%."]
    if number > 1 and topology["load_balancers"] and share >= number:
        return [
            f"Variable webcluster_update_share is {text}, which is {share} of {number} web servers; expected fewer than all:"
            " lower it."
        ]
    if downtime:
        return []
    if number == 1:
        return [
            f"{web[0]} is the only web server; expected another one that serves meanwhile: add one, or accept seconds of"
            " downtime with -e webcluster_update_downtime=true."
        ]
    if not topology["load_balancers"]:
        return [
            "There is no load balancer that a web server could be taken out of; expected one: add it, or accept seconds of"
            " downtime of each web server with -e webcluster_update_downtime=true."
        ]
    return []


def batches(names: Sequence[str], serial: Sequence[int]) -> list[list[str]]:
    """Return the names as Ansible's serial takes them: the last number goes on."""
    found: list[list[str]] = []
    at = 0
    while at < len(names):
        size = serial[min(len(found), len(serial) - 1)]
        found.append(list(names[at : at + size]))
        at += size
    return found


def written(plan: UpdatePlan, topology: Topology, known: Known) -> list[str]:
    """Return the plan for people: order, steps, downtime, and what ends it."""
    order = [" and ".join(batch) for batch in batches(plan["web"], plan["serial"])]
    balancers = ", ".join(member["name"] for member in topology["load_balancers"])
    out = [name for name in plan["web"] if is_out(known, name)]
    what = "packages and configuration" if plan["packages"] else "configuration"
    lines = [f"Order: {', then '.join([*order, *plan['load_balancers']])}."]
    if out:
        lines.append(f"First because it is out already: {short_list(out)}.")
    if plan["web"]:
        lines += web_lines(plan, topology, balancers, what)
    if plan["load_balancers"]:
        lines += balancer_lines(topology, what)
    lines.append(
        "It ends at the first step that fails; the others serve on. Run it again when the cause is mended: it begins with"
        " what is out, and finds nothing to do where it was done."
    )
    return lines


def web_lines(plan: UpdatePlan, topology: Topology, balancers: str, what: str) -> list[str]:
    number, most = len(topology["web"]), min(max(plan["serial"]), len(plan["web"]))
    if not plan["drain"]:
        return [
            f"Each web server: {what}, restarted where the packages say so; then it is asked itself.",
            "Expected downtime: some seconds of each web server, while its services restart.",
        ]
    return [
        f"Each web server: the others must serve on {balancers}; it is drained there, up to {plan['drain_timeout']} s for its"
        f" sessions; {what}; it is asked itself, given back, and looked for through {balancers}.",
        f"Expected downtime of the web servers: none, {number - most} of {number} serve meanwhile.",
        "It ends where another web server does not serve, where sessions do not end, where a package or a configuration is"
        " refused, or where the server does not answer afterwards. That server stays drained.",
    ]


def balancer_lines(topology: Topology, what: str) -> list[str]:
    single = len(topology["load_balancers"]) == 1
    others = "" if single else "the others must answer; "
    alone = " It is the only one: were it to end, the site would be down until it is mended." if single else ""
    return [
        f"Each load balancer: {others}{what}; a reload, never a restart; it is asked itself, and from here.",
        "Expected downtime of the load balancers: none, a reload hands over to the new process; connections that take longer"
        f" than haproxy_hard_stop_after are cut.{alone}",
    ]


def update_plan(
    topology: Topology,
    hostvars: Mapping[str, Mapping[str, t.Any]],
    looks: Sequence[Mapping[str, t.Any]],
    run: Sequence[str],
) -> UpdatePlan:
    """Plan the update of the hosts of a run; looks: what haproxy_server_info said on each load balancer."""
    members = {member["name"]: member for member in [*topology["load_balancers"], *topology["web"]]}
    names = list(members)
    settings = Settings({name: hostvars[name] for name in names}, all_options())
    known = known_by(looks)
    web = [member["name"] for member in topology["web"] if member["name"] in run]
    # A host that is both is updated as a web server.
    balancers = [name for name in names if name in run and name not in [member["name"] for member in topology["web"]]]

    def value(option: str) -> t.Any:
        return settings.value(names[0], option)

    share = share_of(value("webcluster_update_share"), len(topology["web"])) if names else 1
    plan: UpdatePlan = {
        "errors": [],
        "text": [],
        "web": sorted(web, key=lambda name: not is_out(known, name)),
        "load_balancers": balancers,
        "serial": [1, share or 1],
        "drain": len(topology["web"]) > 1 and bool(topology["load_balancers"]),
        "drain_timeout": 0,
        "packages": False,
        "tiers": {name: [tier for tier in tiers_of(topology, name) if tier not in ENGINES] for name in names},
        "urls": {name: url_of(member["address"], member["port"]) for name, member in members.items()},
    }
    if names:
        plan["drain_timeout"] = max(LEAST_DRAIN, value("webcluster_request_time_limit") + DRAIN_MARGIN)
        plan["packages"] = value("webcluster_update_packages")
    downtime = bool(names and value("webcluster_update_downtime"))
    text = value("webcluster_update_share") if names else ""
    plan["errors"] = [
        *plan_errors(topology, web, share, text, downtime, bool(web or balancers)),
        *settings.errors,
    ]
    if not plan["errors"]:
        plan["text"] = written(plan, topology, known)
    return plan
