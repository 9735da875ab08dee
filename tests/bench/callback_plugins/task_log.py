# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write one JSON line per host and task to the file that TASK_LOG names; tests/bench/converge.py reads it."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: task_log
type: notification
short_description: Write what each host did in each task to a file
description:
  - Writes one JSON object per host and task, with its status, begin and end.
  - Loop items count as the one task they belong to.
requirements:
  - The environment variable E(TASK_LOG) names the file.
author: siteops contributors
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "task_log"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[tuple[str, str], float] = {}
        self._log = os.open(os.environ["TASK_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _write(self, result: Any, status: str) -> None:
        host, name, now = result.host.get_name(), result.task.get_name(), time.time()
        begin = self._begun.pop((host, name), now)
        record = {"host": host, "task": name, "status": status, "begin": begin, "end": now}
        os.write(self._log, json.dumps(record).encode() + b"\n")

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._begun[(host.get_name(), task.get_name())] = time.time()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write(result, "skipped")
