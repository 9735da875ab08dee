# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subnets, routes and rules of the labs, and whose an address is."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Container, Iterable
from typing import Any

from .cluster import NAME, Cluster
from .command import LabError, run
from .podman import Podman

ROUTE_METRIC = 4278198272
# Networks of a lab from before labs had an identity.
EARLIER = "webcluster-lab"


def subnets_of(network: dict[str, Any]) -> list[ipaddress.IPv4Network]:
    return [ipaddress.IPv4Network(subnet["subnet"]) for subnet in network["subnets"]]


def overlapping_route(
    subnets: Iterable[ipaddress.IPv4Network], routes: Iterable[dict[str, Any]], own: Container[str]
) -> str | None:
    """The first route of the machine that overlaps a lab subnet and is not the lab's."""
    subnets = list(subnets)
    for route in routes:
        destination, device = str(route.get("dst", "")), str(route.get("dev", ""))
        if destination == "default" or device in own or route.get("type") == "unreachable":
            continue
        try:
            network = ipaddress.ip_network(destination, strict=False)
        except ValueError:
            continue
        if isinstance(network, ipaddress.IPv4Network) and any(network.overlaps(subnet) for subnet in subnets):
            return f"{destination} dev {device}" if device else destination
    return None


def other_owner(cluster: Cluster, networks: Iterable[dict[str, Any]]) -> str | None:
    """Say which other lab has an address of this one, and how to get it."""
    for network in networks:
        labels = network.get("labels") or {}
        if labels.get(NAME) == cluster.name:
            continue
        taken = [own for own in cluster.subnets if any(own.overlaps(other) for other in subnets_of(network))]
        if not taken:
            continue
        if NAME not in labels:
            return (
                f"{taken[0]} belongs to the lab '{labels.get(EARLIER)}' of an earlier version: "
                "take it down with that version, or set LAB_PREFIX to three other numbers."
            )
        return (
            f"{taken[0]} belongs to the lab of the checkout {labels[f'{NAME}-checkout']} "
            f"(inventory {labels[f'{NAME}-inventory']}): set LAB_PREFIX to three other numbers, or run lab-down there."
        )
    return None


def check_addresses(cluster: Cluster, podman: Podman) -> None:
    """Stop before anything is made when an address is another lab's or the machine's."""
    owner = other_owner(cluster, [*podman.networks(), *podman.networks(EARLIER)])
    if owner:
        raise LabError(owner)
    own = {row["network_interface"] for row in podman.networks(f"{NAME}={cluster.name}")}
    clash = overlapping_route(cluster.subnets, json.loads(run(["ip", "-j", "-4", "route"]).stdout or "[]"), own)
    if clash:
        raise LabError(
            f"The route {clash} of this machine overlaps the lab's subnets: set LAB_PREFIX to three free numbers."
        )


def make_networks(cluster: Cluster, podman: Podman) -> None:
    present = {row["name"] for row in podman.networks(f"{NAME}={cluster.name}")}
    labels = [word for name, value in cluster.labels.items() for word in ("--label", f"{name}={value}")]
    for subnet in cluster.subnets:
        name = cluster.network(subnet)
        if name not in present:
            podman("network", "create", "--disable-dns", "--subnet", str(subnet), *labels, name)
    set_routes(cluster.subnets)


def nat_rule(action: str, subnet: ipaddress.IPv4Network, other: ipaddress.IPv4Network) -> list[str]:
    """Lab hosts see each other's real address: no masquerading between the subnets."""
    position = ["1"] if action == "-I" else []
    where = ["iptables", "-w", "-t", "nat", action, "POSTROUTING", *position, "-s", str(subnet), "-d", str(other)]
    return [*where, "-m", "comment", "--comment", NAME, "-j", "ACCEPT"]


def set_routes(subnets: Iterable[ipaddress.IPv4Network]) -> None:
    """Traffic to a host that is down ends here instead of leaving the machine."""
    subnets = list(subnets)
    for subnet in subnets:
        run(["ip", "route", "replace", "unreachable", str(subnet), "metric", str(ROUTE_METRIC)])
        for other in subnets:
            if other != subnet and run(nat_rule("-C", subnet, other), check=False).returncode != 0:
                run(nat_rule("-I", subnet, other))


def drop_routes(subnets: Iterable[ipaddress.IPv4Network]) -> None:
    subnets = list(subnets)
    for subnet in subnets:
        run(["ip", "route", "del", "unreachable", str(subnet), "metric", str(ROUTE_METRIC)], check=False)
        for other in subnets:
            while other != subnet and run(nat_rule("-D", subnet, other), check=False).returncode == 0:
                pass
