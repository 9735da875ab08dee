# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what each host did in each task, and what it cost, to the file that TASK_LOG names; tests/bench/converge.py reads it."""

from __future__ import annotations

import json
import os
import time
from multiprocessing import util
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: task_log
type: notification
short_description: Write what each host did in each task to a file
description:
  - Writes one JSON object per host and task, with its module, status, begin, end and the CPU of its host meanwhile.
  - Writes another one for the CPU of the worker process that ran it on the controller.
  - Loop items count as the one task they belong to.
requirements:
  - The environment variable E(TASK_LOG) names the file.
  - The environment variable E(TASK_LOG_METERS) holds a JSON object, the cpu.stat file of each host whose cgroup is on
    this machine.
author: siteops contributors
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "task_log"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[tuple[str, str], tuple[float, float | None]] = {}
        self._latest = ("", "")
        self._meters = {host: Path(path) for host, path in json.loads(os.environ["TASK_LOG_METERS"]).items()}
        self._log = os.open(os.environ["TASK_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        # Ansible forks a worker for each host and task, right after v2_runner_on_start.
        util.register_after_fork(self, lambda self: util.Finalize(self, self._write_worker, exitpriority=0))

    def _write(self, record: dict[str, Any]) -> None:
        os.write(self._log, json.dumps(record).encode() + b"\n")

    def _write_worker(self) -> None:
        host, task_id = self._latest
        self._write({"host": host, "id": task_id, "controller_cpu": sum(os.times()[:4])})

    def _write_result(self, result: Any, status: str) -> None:
        host, task, now = result.host.get_name(), result.task, time.time()
        begin, cpu_then = self._begun.pop((host, task._uuid), (now, None))
        cpu_now = self._host_cpu(host)
        self._write(
            {
                "host": host,
                "id": task._uuid,
                "task": task.get_name(),
                "module": task.action,
                "status": status,
                "begin": begin,
                "end": now,
                "host_cpu": None if cpu_then is None or cpu_now is None else cpu_now - cpu_then,
            }
        )

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._latest = (host.get_name(), task._uuid)
        self._begun[self._latest] = (time.time(), self._host_cpu(host.get_name()))

    def _host_cpu(self, host: str) -> float | None:
        """CPU seconds of a host until now; None where its cgroup is not on this machine."""
        meter = self._meters.get(host)
        return int(meter.read_text(encoding="utf-8").split()[1]) / 1e6 if meter else None

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write_result(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write_result(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write_result(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write_result(result, "skipped")
