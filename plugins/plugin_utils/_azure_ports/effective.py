# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What Azure itself says of an interface: the rules and routes that are in force there, tags resolved to their networks."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Listing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import member
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import one
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports import routes
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.judge import (
    INTERFACE,
    MANAGER,
    SUBNET,
    Effective,
    Endpoint,
    Level,
    rule,
)

Json = dict[str, t.Any]
# What is asked of an interface; each takes the right to its action.
RULES, ROUTES = "/effectiveNetworkSecurityGroups", "/effectiveRouteTable"
# Of what a group hangs at, in the order in which a connection that comes in passes it.
PLACES = (("networkManager", MANAGER), ("subnet", SUBNET), ("networkInterface", INTERFACE))


def levels(answer: Iterable[Json]) -> list[Level]:
    """The groups in force at an interface, in the order of a connection that comes in."""
    found = []
    for entry in answer:
        hangs_at = member(entry, "association") or {}
        number, place = next(
            (number, place)
            for number, (key, place) in enumerate((*PLACES, ("", INTERFACE)))
            if not key or member(hangs_at, key)
        )
        group = str(member(member(entry, "networkSecurityGroup") or {}, "id") or "").lower()
        rules = [
            # The name says also where it comes from: securityRules/name.
            rule({"name": str(member(body, "name")).rsplit("/", 1)[-1], "properties": body})
            for body in member(entry, "effectiveSecurityRules") or []
        ]
        found.append((number, Level(place, group, sorted(rules, key=lambda each: each.priority))))
    return [level for _number, level in sorted(found, key=lambda each: each[0])]


def ask(
    engine: Engine, operations: Operations, endpoints: Sequence[Endpoint]
) -> tuple[dict[str, Effective], list[str]]:
    """What Azure says of the interfaces of these machines, and why it did not of others, by id in lower case."""
    nics = {endpoint.nic.lower(): _listing(endpoint.nic) for endpoint in endpoints if endpoint.nic}
    questions = [(nic, action) for nic in nics for action in (RULES, ROUTES)]
    answers = dict(
        zip(questions, engine.run([operations.ask(nics[nic], action) for nic, action in questions]), strict=True)
    )
    refused = [str(answer) for answer in answers.values() if isinstance(answer, InventoryError)]
    found = {}
    for nic in nics:
        rules, ways = (_entries(answers[nic, action]) for action in (RULES, ROUTES))
        found[nic] = Effective(None if rules is None else levels(rules), None if ways is None else routes.read(ways))
    return found, list(dict.fromkeys(refused))


def _listing(nic: str) -> Listing:
    return one("nic", nic, nic.rsplit("/", 1)[-1])


def _entries(answer: Json | InventoryError) -> list[Json] | None:
    """The entries of an answer; None where there is none."""
    found = None if isinstance(answer, InventoryError) else member(answer, "value")
    return found if isinstance(found, list) else None
