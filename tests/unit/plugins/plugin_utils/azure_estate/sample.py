# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial's estate, and a subscription that takes it without a network and without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import clouds
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Arm, Call, Reply
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate import run
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import Description, describe
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.login import VERSIONS
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.plan import Permissions
from ansible_collections.siteops.webcluster.tests.loopback_estate import (
    SUBSCRIPTION,
    BrokenConnectionError,
    Clock,
    Ledger,
)

Json = dict[str, Any]
OPTIONS: Json = {
    "name": "webcluster",
    "subscription_id": SUBSCRIPTION,
    "location": "West Europe",
    "admin_cidrs": ["203.0.113.0/24"],
    "ssh_public_key": "ssh-ed25519 " + "A" * 68,
    "admin_user": "ops",
    "front": "auto",
    "jump_host": True,
    "public_ports": [80, 443],
    "outbound": "nat",
    "image": "Debian:debian-13:13-gen2:latest",
    "size": "Standard_D2as_v5",
    "zones": "auto",
    "mysql_data_disk_gb": 64,
    "accelerated_networking": True,
    "visitors": "internet",
    "dns_records": ["@", "www"],
}
SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/webcluster"


def wanted(**options: Any) -> Description:
    """The description of these options, the usual ones for the rest."""
    return describe({**OPTIONS, **options}.get)


def host(name: str, group: str, **more: Any) -> Json:
    return {"name": name, "group": group, **more}


def key(kind: str, name: str) -> str:
    """Where the ledger keeps a resource."""
    return f"{SCOPE}/providers/{kind}/{name}".lower()


class KilledError(Exception):
    """The process is gone."""


@dataclass
class Azure:
    """A subscription, and runs against it."""

    ledger: Ledger = field(default_factory=lambda: Ledger(seconds=1.0))
    clock: Clock = field(default_factory=Clock)
    # The request after which the process is gone: how many of which method.
    kill_after: int | None = None
    kill_method: str = "PUT"
    cloud: str = "public"
    # Where requests went.
    places: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ledger.clock = self.clock

    def send(self, call: Call) -> Reply:
        if self.kill_after is not None and self.ledger.count(self.kill_method) >= self.kill_after:
            raise KilledError
        parts = urlsplit(call.url)
        base = f"{parts.scheme}://{parts.netloc}"
        self.places.add(base)
        try:
            status, headers, body = self.ledger.answer(
                call.method, parts.path, parts.query, call.body, call.headers, base
            )
        except BrokenConnectionError:
            return Reply(0, {}, b"", "the connection broke off")
        return Reply(status, headers, b"" if body is None else json.dumps(body).encode())

    def _run(self, work: Callable[[run.Means], run.Outcome]) -> run.Outcome:
        arm = Arm(self.send, clouds.resolve(self.cloud, more_versions=VERSIONS), lambda _level, _text: None)
        with Engine(8, self.clock, self.clock.sleep) as engine:
            return work(run.Means(engine, Operations(arm, self.clock), self.clock))

    def up(self, check: bool = False, adopt: bool = False, allow_restart: bool = False, **options: Any) -> run.Outcome:
        permissions = Permissions(adopt, allow_restart)
        return self._run(lambda means: run.up(means, wanted(**options), permissions, check))

    def down(self, check: bool = False, delete_data: bool = False, **options: Any) -> run.Outcome:
        description = wanted(**options)
        return self._run(
            lambda means: run.down(means, description, description, delete_data, check, list(description.subnets))
        )

    def actions(self, outcome: run.Outcome) -> dict[str, list[str]]:
        """Names by action, kept ones left out."""
        found: dict[str, list[str]] = {}
        for step in outcome.steps:
            if step.action != "keep":
                found.setdefault(step.action, []).append(step.resource.name)
        return found
