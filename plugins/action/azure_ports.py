# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges Azure's security groups by the connections that the cluster needs: on the controller, offline once three lists are read."""

from __future__ import annotations

import os
import time
import typing as t
from functools import partial

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.siteops.webcluster.plugins.modules.azure_ports import DOCUMENTATION
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import (
    Arm,
    Listing,
    scope_path,
    scope_title,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import (
    InventoryError,
    SettingsError,
    scrub,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.parallel import Runner
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.select import checked_subscriptions
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.session import Login, session
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.documented import documented
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.login import login, with_environment
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import KINDS
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.audit import Flow, audit, needed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.judge import (
    BLOCKED,
    UNKNOWN,
    Estate,
    read,
)

Json = dict[str, t.Any]
LISTED = ("security_group", "network", "nic")
# Seconds for the token alone.
TOKEN_TIME = 120.0
display = Display()


class ActionModule(ActionBase):
    """The whole of azure_ports."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Json:
        result: Json = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=documented(DOCUMENTATION))
        get = with_environment(arguments.get, os.environ)
        secrets: list[str | None] = []
        try:
            where = login(get)
            secrets += where.auth.secrets
            flows = [Flow(**one) for one in get("flows") or []] or needed(_groups(task_vars or {}), get("public_ports"))
            if not flows:
                raise SettingsError(
                    "The inventory has no machine in the groups of the cluster; expected some, or flows: use the inventory of"
                    " azure_subnet, or set flows."
                )
            rows, excess = audit(self._read(get, where, secrets), flows)
        except InventoryError as failure:
            return result | {"failed": True, "changed": False, "msg": scrub(str(failure), secrets)}
        for sentence in dict.fromkeys([*(row["advice"] for row in rows if row["verdict"] == UNKNOWN), *excess]):
            display.warning(f"azure_ports: {sentence}")
        result |= {"changed": False, "flows": rows, "excess": excess}
        blocked = [row for row in rows if row["verdict"] == BLOCKED]
        if blocked:
            result |= {"failed": True, "msg": " ".join(map(_sentence, blocked))}
        return result

    @staticmethod
    def _read(get: t.Any, where: Login, secrets: list[str | None]) -> Estate:
        given = get("subscription_id")
        if not given:
            raise SettingsError(
                "subscription_id is empty; expected its id: set it, or the environment variable AZURE_SUBSCRIPTION_ID."
            )
        subscription, group = checked_subscriptions([str(given)])[0], get("resource_group")
        title = scope_title(subscription, group)
        with (
            session(where, Runner(1, TOKEN_TIME), secrets.append) as send,
            Engine(3, time.monotonic, time.sleep) as engine,
        ):
            operations = Operations(Arm(send, where.cloud, _note), time.monotonic)
            listings = [
                Listing(
                    f"{KINDS[kind].title}s",
                    KINDS[kind].service,
                    f"{scope_path(subscription, group)}/providers/{KINDS[kind].path}",
                    title,
                )
                for kind in LISTED
            ]
            return read(*engine.all([partial(operations.read_all, listing) for listing in listings]))


def _groups(task_vars: Json) -> dict[str, list[str]]:
    """The groups of the inventory, with the names that the machines have in Azure."""
    hostvars = task_vars.get("hostvars") or {}

    def name(host: str) -> str:
        return str(hostvars[host].get("azure_name") or host) if host in hostvars else host

    return {group: [name(host) for host in hosts] for group, hosts in (task_vars.get("groups") or {}).items()}


def _sentence(row: Json) -> str:
    decided = f"the rule {row['rule']} of {row['group']}" if row["rule"] else "the lack of a rule that lets it through"
    return f"Port {row['port']} of {row['target']} ({row['purpose']}) is closed to {row['source']} by {decided}. {row['advice']}"


def _note(level: int, text: str) -> None:
    display.verbose(f"azure_ports: {text}", caplevel=level - 1)
