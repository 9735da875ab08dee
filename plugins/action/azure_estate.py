# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes and removes an estate in Azure: on the controller, where the login and the packages are."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.siteops.webcluster.plugins.modules.azure_estate import DOCUMENTATION
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import (
    InventoryError,
    SettingsError,
    scrub,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.parallel import Runner
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.session import Login, session
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate import look
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import (
    SUBNETS,
    Description,
    describe,
    place,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.documented import documented
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.login import login, with_environment
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import Operations, Patience
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.plan import Permissions
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import group, resources
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.run import (
    Means,
    Outcome,
    down,
    shown,
    up,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.template import template

Json = dict[str, t.Any]
# Seconds for the token alone.
TOKEN_TIME = 120.0
display = Display()


class ActionModule(ActionBase):
    """The whole of azure_estate."""

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
            if arguments["state"] == "present":
                return result | self._up(get, where, describe(get), secrets)
            return result | self._down(get, where, secrets)
        except InventoryError as failure:
            return result | {"failed": True, "changed": False, "msg": scrub(str(failure), secrets)}

    def _up(self, get: t.Any, where: Login, wanted: Description, secrets: list[str | None]) -> Json:
        addresses = {host.name: host.address for host in wanted.hosts}
        if get("template"):
            return self._template(get, where, wanted, secrets)
        permissions = Permissions(bool(get("adopt")), bool(get("allow_restart")))
        result, outcome = self._ask(
            get, where, secrets, lambda means: up(means, wanted, permissions, self._task.check_mode)
        )
        told = {"front_address": outcome.front_address, "name_servers": list(outcome.name_servers)}
        return result | {"addresses": addresses, **told}

    def _down(self, get: t.Any, where: Login, secrets: list[str | None]) -> Json:
        here = place(get)
        if not self._task.check_mode and get("confirm") != here.name:
            raise SettingsError(
                f"confirm is '{get('confirm') or ''}', and the estate to be removed is {here.name}; expected the same name: set it to"
                " take the estate away."
            )
        # With the names of its machines it finds also what the lists of Azure do not show yet.
        wanted = describe(get) if get("location") and get("ssh_public_key") and get("admin_cidrs") else None
        subnets = list((get("network") or {}).get("subnets") or SUBNETS)
        result, outcome = self._ask(
            get,
            where,
            secrets,
            lambda means: down(means, here, wanted, bool(get("delete_data")), self._task.check_mode, subnets),
        )
        return result | {"remaining": list(outcome.remaining)}

    def _ask(
        self, get: t.Any, where: Login, secrets: list[str | None], work: t.Callable[[Means], Outcome]
    ) -> tuple[Json, Outcome]:
        """Log in, do it, and tell what it was."""
        begin = time.monotonic()
        runner = Runner(1, TOKEN_TIME)
        with (
            session(where, runner, secrets.append) as send,
            Engine(int(get("workers")), time.monotonic, time.sleep) as engine,
        ):
            arm = Arm(send, where.cloud, self._note)
            patience = Patience(operation=float(get("operation_time")))
            outcome = work(Means(engine, Operations(arm, time.monotonic, patience), time.monotonic))
        result: Json = {
            "changed": outcome.changed,
            "plan": [shown(step) for step in outcome.steps],
            "lines": list(outcome.lines),
            "refused": list(outcome.refusals),
            "requests": arm.requests,
            "seconds": round(time.monotonic() - begin, 2),
        }
        for sentence in outcome.refusals:
            display.warning(f"azure_estate: {sentence}")
        if self._task.diff:
            result["diff"] = {"prepared": "".join(f"{line}\n" for line in outcome.lines)}
        return result, outcome

    def _template(self, get: t.Any, where: Login, wanted: Description, secrets: list[str | None]) -> Json:
        """The file alone; of Azure only the region's zones are asked."""
        with (
            session(where, Runner(1, TOKEN_TIME), secrets.append) as send,
            Engine(2, time.monotonic, time.sleep) as engine,
        ):
            operations = Operations(Arm(send, where.cloud, self._note), time.monotonic)
            own = group(wanted, wanted.location)
            _found, region = look.group_and_region(engine, operations, own, wanted, wanted.location)
        made = template(resources(wanted, region.zones), where.cloud.api_versions)
        text = f"{json.dumps(made, indent=2)}\n"
        path = str(get("template"))
        before = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as handle:
                before = handle.read()
        if text != before and not self._task.check_mode:
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
        return {"changed": text != before, "template": path}

    @staticmethod
    def _note(level: int, text: str) -> None:
        display.verbose(f"azure_estate: {text}", caplevel=level - 1)
