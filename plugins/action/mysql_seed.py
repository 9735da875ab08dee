# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints how far the copy is that a replica receives, while a play waits for it."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

MODULE = "siteops.webcluster.mysql_seed"
# Seconds between two looks: at first often, since small data are there soon.
PAUSES = (1.0, 2.0, 2.0, 5.0, 5.0, 10.0)
# Looks until a process that has not begun is given up.
PATIENCE = 8


class ActionModule(ActionBase):
    """The part of the module mysql_seed that runs on the controller."""

    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        if self._task.args.get("state") != "awaited":
            return self._ask(task_vars, bool(self._task.async_val))
        display, host = Display(), (task_vars or {}).get("inventory_hostname", "")
        said, looks = "", 0
        while True:
            result = self._ask(task_vars)
            if result.get("said", said) != said:
                said = result["said"]
                display.display(f"{host}: {said}")
            if result.get("failed") or result.get("finished"):
                return result
            looks += 1
            if looks > PATIENCE and result["progress"]["step"] == "waiting":
                sentence = "MySQL: no copy was begun on this host; look at the asynchronous task, and run again"
                return {**result, "failed": True, "msg": sentence}
            time.sleep(PAUSES[min(looks, len(PAUSES)) - 1])

    def _ask(self, task_vars: dict[str, t.Any] | None, wrap_async: bool = False) -> dict[str, t.Any]:
        found: dict[str, t.Any] = self._execute_module(
            module_name=MODULE, module_args=dict(self._task.args), task_vars=task_vars, wrap_async=wrap_async
        )
        return found
