# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Azure, the topology's flows and the table in the docs name the same ports and the same who."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import yaml
from ansible_collections.siteops.webcluster.plugins.modules import azure_estate, azure_ports
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.rules import NEEDS
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import ANYWHERE
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import ADDRESSES, topology

CHECKOUT = Path(__file__).resolve().parents[5]
TIERS = {"lb": "load balancers", "web": "web servers", "db": "MySQL", "r": "Redis"}
SUBNETS = {"lb": "load balancers", "web": "web servers", "mysql": "MySQL", "redis": "Redis"}
Rows = set[tuple[str, int, tuple[str, ...]]]


def tier(host: str) -> str:
    return TIERS[host.rstrip("0123456789")]


def of_the_topology(**changed: t.Any) -> Rows:
    names = {address: tier(host) for host, address in ADDRESSES.items() if host.rstrip("0123456789") in TIERS}
    found: dict[tuple[str, int], set[str]] = {}
    for host, flows in topology(**changed)["flows"].items():
        for flow in flows:
            sources = ["everybody" if one in ANYWHERE else names[one] for one in flow["sources"]]
            found.setdefault((tier(host), flow["port"]), set()).update(sources)
    return {(where, port, tuple(sorted(who))) for (where, port), who in found.items()}


def of_every_cluster() -> Rows:
    """With TLS, and without it, as before."""
    return of_the_topology() | of_the_topology(webcluster={"webcluster_tls": []})


def visitors() -> Rows:
    given = [
        yaml.safe_load(one.DOCUMENTATION)["options"]["public_ports"]["default"] for one in (azure_estate, azure_ports)
    ]
    assert given[0] == given[1]
    return {("load balancers", port, ("everybody",)) for port in given[0]}


def of_the_docs() -> Rows:
    text = (CHECKOUT / "docs/azure-estate.md").read_text(encoding="utf-8")
    table = text.split("### Who may reach what")[1].split("###")[0]
    rows = re.findall(r"^\| ([\w ]+) \| (\d+(?:, \d+)*)[^|]*\| ([\w ,]+) \|$", table, re.MULTILINE)
    return {
        (where, int(port), tuple(sorted(who.split(", "))))
        for where, ports, who in rows
        for port in ports.split(", ")
        if where in TIERS.values()
    }


def test_azures_rules_are_those_that_the_topology_needs() -> None:
    needs = {(SUBNETS[one.subnet], one.port, tuple(sorted(SUBNETS[who] for who in one.sources))) for one in NEEDS}
    assert needs | visitors() == of_every_cluster()


def test_the_table_in_the_docs_is_the_same() -> None:
    assert of_the_docs() == of_every_cluster()
