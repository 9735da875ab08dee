# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The tutorial's last warning as a check: is every needed port open, and no other one."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import listed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.rules import FRONT_DOOR, NEEDS, SUBNET_OF
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.judge import (
    ALLOWED,
    BLOCKED,
    INTERNET,
    NETWORK,
    ROUTE,
    UNKNOWN,
    Endpoint,
    Estate,
    Verdict,
    judge,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import ANYWHERE

Json = dict[str, t.Any]
# Ports of the cluster that somebody may have opened by hand.
SENSITIVE = (22, 80, 443, 3306, 6378, 6379, 8404, 9200)


class Flow(t.NamedTuple):
    """A connection that the cluster needs: from a machine or the Internet, to a port of a machine."""

    source: str
    target: str
    port: int
    purpose: str


def needed(groups: Mapping[str, Sequence[str]], public_ports: Sequence[int], visitors: str = INTERNET) -> list[Flow]:
    """The connections of the tiers, by the groups of the inventory; visitors come from the Internet or a tag in it."""
    tiers: dict[str, list[str]] = {}
    for group, tier in SUBNET_OF.items():
        tiers.setdefault(tier, []).extend(groups.get(group) or [])
    # Without a load balancer visitors come to the web servers themselves.
    front = "lb" if tiers["lb"] else "web"
    flows = [Flow(visitors, host, port, "visitors") for host in tiers[front] for port in public_ports]
    for need in NEEDS:
        sources = [host for source in need.sources for host in tiers[source]]
        flows += [
            Flow(source, target, need.port, need.purpose)
            for target in tiers[need.subnet]
            for source in dict.fromkeys(sources)
            if source != target
        ]
    return flows


def from_topology(needs: Mapping[str, Sequence[Json]], names: Mapping[str, str], visitors: str) -> list[Flow]:
    """The same from the topology's flows; `names` are those of the hosts in Azure, and everybody comes as `visitors`."""
    flows = []
    for host, wanted in needs.items():
        for need in wanted:
            # Azure has the Internet of both families in one tag.
            sources = [visitors if one in ANYWHERE else str(one) for one in need["sources"]]
            flows += [
                Flow(source, names.get(host, host), int(need["port"]), str(need["purpose"]))
                for source in dict.fromkeys(sources)
            ]
    return flows


def audit(estate: Estate, flows: Sequence[Flow]) -> tuple[list[Json], list[str]]:
    """Each flow with its verdict, and sentences on what is open though nobody needs it."""
    rows = []
    for flow in flows:
        target = _endpoint(estate, flow.target)
        source = _endpoint(estate, flow.source, target)
        verdict = judge(estate, source, target, flow.port) if source and target else None
        unseen = [flow.source] if source is None else [flow.target]
        rows.append(_row(flow._replace(source=source.name if source else flow.source), verdict, unseen))
    return rows, list(_excess(estate, flows))


def machines(estate: Estate, flows: Sequence[Flow]) -> list[Endpoint]:
    """The ends of the flows that are machines of the estate."""
    found: dict[str, Endpoint] = {}
    for flow in flows:
        target = _endpoint(estate, flow.target)
        ends = (target, _endpoint(estate, flow.source, target))
        found |= {one.nic.lower(): one for one in ends if one and one.nic}
    return list(found.values())


def blocked(rows: Sequence[Json]) -> list[str]:
    """A sentence for each port that is closed to somebody who needs it: whose rule decides, and what to add."""
    found: dict[tuple[t.Any, ...], list[str]] = {}
    for row in rows:
        if row["verdict"] == BLOCKED:
            what = ROUTE if row["level"] == ROUTE else "rule"
            decided = (
                f"the {what} {row['rule']} of {row['group']}"
                if row["rule"]
                else "the lack of a rule that lets it through"
            )
            key = (row["port"], row["target"], row["purpose"], decided, row["group"], row["priority"], what)
            found.setdefault(key, []).append(row["source"])
    sentences = []
    for (port, target, purpose, decided, group, priority, what), sources in found.items():
        before = f" with a priority below {priority}" if priority else ""
        where = (
            f"Add to {group} a rule that lets" if group else f"Give the subnet of {target} a security group that lets"
        )
        remedy = f"Correct the routes of {group}" if what == ROUTE else f"{where} them in{before}"
        sentences.append(f"Port {port} of {target} ({purpose}) is closed to {listed(sources)} by {decided}. {remedy}.")
    return sentences


def _endpoint(estate: Estate, name: str, near: Endpoint | None = None) -> Endpoint | None:
    """A machine by its name or address; else the source as it is written."""
    if name in (INTERNET, NETWORK, FRONT_DOOR):
        return Endpoint(name)
    try:
        found = ipaddress.ip_network(name)
    except ValueError:
        return estate.endpoints.get(name.lower())
    if found.num_addresses > 1:
        return Endpoint(name, network=str(found))
    address = str(found.network_address)
    network = near.subnet.partition("/subnets/")[0] if near else ""
    # Other networks may have the same addresses.
    own = [one for one in estate.addresses if one.address == address and one.subnet.startswith(f"{network}/")]
    return own[0] if own else Endpoint(name, address)


def _row(flow: Flow, verdict: Verdict | None, unseen: Sequence[str]) -> Json:
    if verdict is None:
        word, group, rule, priority, level = UNKNOWN, "", "", None, ""
        advice = f"No interface of {listed(unseen)} is in the lists: check subscription_id and resource_group."
    else:
        word, group, rule, priority, level = verdict.word, verdict.group, verdict.rule, verdict.priority, verdict.level
        advice = "" if word == ALLOWED else _advice(flow, verdict)
    return {
        **flow._asdict(),
        "verdict": word,
        "group": group,
        "rule": rule,
        "priority": priority,
        "level": level,
        "advice": advice,
    }


def _advice(flow: Flow, verdict: Verdict) -> str:
    if verdict.level == ROUTE:
        if verdict.word == BLOCKED:
            return f"The route {verdict.rule} of {verdict.group} leads nowhere: correct its routes."
        return f"The route {verdict.rule} of {verdict.group} leads elsewhere first: look there whether it lets this through."
    if not verdict.group:
        return f"Give the subnet of {flow.target} a security group that lets {flow.source} to port {flow.port}."
    before = f" with a priority below {verdict.priority}" if verdict.priority else ""
    if verdict.word == BLOCKED:
        return f"Add to {verdict.group} a rule that lets {flow.source} to port {flow.port} of {flow.target}{before}."
    return (
        f"The rule {verdict.rule} of {verdict.group} has a source that only Azure can judge: look at the effective rules of"
        f" {flow.target} there."
    )


def _excess(estate: Estate, flows: Sequence[Flow]) -> Iterator[str]:
    """What the Internet or the whole network may do without need."""
    # An address whose machine has several is of interest as well. Whom visitors may reach, our own machines may too.
    came_as = {INTERNET: (INTERNET,), NETWORK: (INTERNET, FRONT_DOOR)}
    for source, title in ((INTERNET, "the Internet"), (NETWORK, "the whole network")):
        wanted = {(flow.target.lower(), flow.port) for flow in flows if flow.source in came_as[source]}
        for port in SENSITIVE:
            found: dict[str, list[str]] = {}
            for endpoint in estate.addresses:
                if (endpoint.name.lower(), port) in wanted:
                    continue
                verdict = judge(estate, Endpoint(source), endpoint, port)
                if verdict.word == ALLOWED:
                    decided = (
                        f"the rule {verdict.rule} of {verdict.group}"
                        if verdict.group
                        else "the lack of a security group"
                    )
                    found.setdefault(decided, []).append(endpoint.name)
            for decided, names in found.items():
                yield f"Port {port} of {listed(dict.fromkeys(names))} is open to {title} by {decided}, and nobody needs it: close it."
