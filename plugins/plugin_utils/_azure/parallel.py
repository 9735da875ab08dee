# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Run lists side by side; the first failure and the deadline end all of them at once."""

from __future__ import annotations

import multiprocessing
import threading
import time
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import ListError, StoppedError

Result = t.TypeVar("Result")


@dataclass(frozen=True)
class Task(t.Generic[Result]):
    """Something to do, and what to call it when it is not done in time."""

    title: str
    work: Callable[[], Result]


class Runner:
    """A pool whose threads die with the process: one that hangs in a read must not keep Ansible from ending."""

    def __init__(self, workers: int, deadline: float) -> None:
        self.workers = workers
        self.deadline = deadline
        self.ends = time.monotonic() + deadline
        self.stop = threading.Event()

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the others work."""
        if self.stop.wait(seconds):
            raise StoppedError("Given up, because another part has failed.")

    def run(self, tasks: Sequence[Task[Result]]) -> list[Result]:
        """The results in the order of the tasks; raises the first failure."""
        if not tasks:
            return []
        results: dict[int, Result] = {}
        pool = ThreadPool(min(self.workers, len(tasks)))
        try:
            answers = pool.imap_unordered(lambda index: (index, tasks[index].work()), range(len(tasks)))
            while len(results) < len(tasks):
                index, result = answers.next(timeout=max(0.0, self.ends - time.monotonic()))
                results[index] = result
        except multiprocessing.TimeoutError:
            late = [task.title for index, task in enumerate(tasks) if index not in results]
            raise ListError(
                f"Azure did not finish within the {self.deadline:g} s of deadline; still missing: {late[0]}"
                f"{f' and {len(late) - 1} more' if len(late) > 1 else ''}. Ask for fewer subscriptions, or raise deadline."
            ) from None
        finally:
            if len(results) < len(tasks):
                self.stop.set()
            pool.terminate()
        return [results[index] for index in range(len(tasks))]
