# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges Azure's security groups by the connections that the cluster needs: on the controller, offline once three lists are read."""

from __future__ import annotations

import os
import time
import typing as t
from functools import partial
from itertools import chain

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import inventory_loader
from ansible.utils.display import Display
from ansible_collections.siteops.webcluster.plugins.doc_fragments.azure_login import ModuleDocFragment
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
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.rules import FRONT_DOOR, SUBNET_OF
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports import effective
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.audit import (
    Flow,
    audit,
    blocked,
    from_topology,
    machines,
    needed,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports.judge import (
    INTERNET,
    UNKNOWN,
    Estate,
    read,
)

Json = dict[str, t.Any]
LISTED = ("security_group", "network", "nic")
INVENTORY = "siteops.webcluster.azure_subnet"
# What an inventory's file says as well.
LOGIN = frozenset(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"])
NOT_GIVEN: tuple[object, ...] = (None, "", {})
# Seconds for the token alone.
TOKEN_TIME = 120.0
# Interfaces that are asked about at once.
WORKERS = 8
display = Display()


class ActionModule(ActionBase):
    """The whole of azure_ports."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Json:
        result: Json = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=documented(DOCUMENTATION))
        secrets: list[str | None] = []
        try:
            get = with_environment(self._with_inventory(arguments), os.environ)
            where = login(get)
            secrets += where.auth.secrets
            flows = _flows(arguments, task_vars or {})
            if not flows:
                raise SettingsError(
                    "The inventory has no machine in the groups of the cluster; expected some, or flows: use the inventory of"
                    " azure_subnet, or set flows."
                )
            subscriptions = _subscriptions(arguments["subscription_id"], get, task_vars or {})
            asked = flows if arguments["method"] == "effective" else []
            estate, refused = self._read(subscriptions, get("resource_group"), where, secrets, asked)
            rows, excess = audit(estate, flows)
        except InventoryError as failure:
            said = scrub(str(failure), secrets)
            told = {"failed": True, "msg": said} if arguments["fail"] else {"problem": said}
            return result | {"changed": False, **told}
        doubts = [row["advice"] for row in rows if row["verdict"] == UNKNOWN]
        for sentence in dict.fromkeys([*refused, *doubts, *excess]):
            display.warning(f"azure_ports: {sentence}")
        closed = blocked(rows)
        result |= {"changed": False, "flows": rows, "excess": excess, "blocked": closed, "not_asked": refused}
        if closed and arguments["fail"]:
            result |= {"failed": True, "msg": " ".join(closed)}
        return result

    def _with_inventory(self, arguments: Json) -> t.Callable[[str], t.Any]:
        """The options, and those of the inventory's file where one is not given."""
        path = arguments.get("inventory")
        if not path:
            return arguments.get
        if not path.endswith(("azure_subnet.yml", "azure_subnet.yaml")):
            # Hosts may come from elsewhere too.
            return arguments.get
        try:
            read = inventory_loader.get(INVENTORY).options_of(self._loader, path)
        except AnsibleError as failure:
            raise SettingsError(
                f"inventory is {path}, which cannot be read ({failure}); expected its file: correct it."
            ) from None
        return lambda option: (
            read(option) if arguments.get(option) in NOT_GIVEN and option in LOGIN else arguments.get(option)
        )

    @staticmethod
    def _read(
        subscriptions: list[str], group: str | None, where: Login, secrets: list[str | None], asked: list[Flow]
    ) -> tuple[Estate, list[str]]:
        """What the lists hold; with what Azure says of the ends of `asked`, and why it does not of some."""
        with (
            session(where, Runner(1, TOKEN_TIME), secrets.append) as send,
            Engine(WORKERS if asked else len(LISTED), time.monotonic, time.sleep) as engine,
        ):
            operations = Operations(Arm(send, where.cloud, _note), time.monotonic)
            lists = engine.all(
                [partial(operations.read_all, _listing(kind, one, group)) for kind in LISTED for one in subscriptions]
            )
            count = len(subscriptions)
            estate = read(*(chain.from_iterable(lists[at : at + count]) for at in range(0, len(lists), count)))
            estate.effective, refused = effective.ask(engine, operations, machines(estate, asked))
        return estate, [scrub(f"{sentence} Its lists serve instead.", secrets) for sentence in refused]


def _listing(kind: str, subscription: str, group: str | None) -> Listing:
    path = f"{scope_path(subscription, group)}/providers/{KINDS[kind].path}"
    return Listing(f"{KINDS[kind].title}s", KINDS[kind].service, path, scope_title(subscription, group))


def _subscriptions(given: str | None, get: t.Callable[[str], t.Any], task_vars: Json) -> list[str]:
    """The one that is given, else those of the inventory's machines, else that of the environment."""
    hostvars = task_vars.get("hostvars") or {}
    hosts = (task_vars.get("groups") or {}).get("webcluster") or []
    found = [str(hostvars[host].get("azure_subscription_id") or "") for host in hosts if host in hostvars]
    every = [given] if given else [one for one in dict.fromkeys(found) if one] or [str(get("subscription_id") or "")]
    if every == [""]:
        raise SettingsError(
            "subscription_id is empty; expected its id: set it, or the environment variable AZURE_SUBSCRIPTION_ID."
        )
    return list(checked_subscriptions(every))


def _flows(arguments: Json, task_vars: Json) -> list[Flow]:
    """Those that are given, else those of the topology, else those of the groups."""
    if arguments.get("flows"):
        return [Flow(**one) for one in arguments["flows"]]
    visitors = {"internet": INTERNET, "front_door": FRONT_DOOR}[arguments["visitors"]]
    if arguments.get("needs"):
        return from_topology(arguments["needs"], _names(task_vars, list(arguments["needs"])), visitors)
    groups = task_vars.get("groups") or {}
    names = _names(task_vars, [host for group in SUBNET_OF for host in groups.get(group) or []])
    return needed(
        {group: [names[host] for host in groups.get(group) or []] for group in SUBNET_OF},
        arguments["public_ports"],
        visitors,
    )


def _names(task_vars: Json, hosts: list[str]) -> dict[str, str]:
    """The names that hosts of the inventory have in Azure."""
    hostvars = task_vars.get("hostvars") or {}
    known = {host: hostvars[host] for host in hosts if host in hostvars}
    return {host: str(known[host].get("azure_name") or host) if host in known else host for host in hosts}


def _note(level: int, text: str) -> None:
    display.verbose(f"azure_ports: {text}", caplevel=level - 1)
