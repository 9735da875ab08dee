# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Do many things that mostly wait: a thread is busy only while Azure answers, and every one comes to its end."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Generator, Sequence
from multiprocessing.pool import ThreadPool

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError

Result = t.TypeVar("Result")
# A piece of work: it yields the seconds that it has to wait, and returns what it was for.
Work = Generator[float, None, Result]


class Engine:
    """Carries out pieces of work side by side; the clock is given, so that a test does not wait."""

    def __init__(self, workers: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        # Its threads are kept for the whole run: each has its own connections.
        self._pool = ThreadPool(workers)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._pool.terminate()

    def run(self, works: Sequence[Work[Result]]) -> list[Result | InventoryError]:
        """What each one returned, or the sentence that it failed with; none ends because another failed."""
        ends: dict[int, Result | InventoryError] = {}
        due = dict.fromkeys(range(len(works)), self._clock())

        def advance(number: int) -> tuple[int, float | None]:
            """One step of a piece of work, and when the next one is due."""
            try:
                return number, next(works[number]) + self._clock()
            except StopIteration as end:
                ends[number] = end.value
            except InventoryError as failure:
                ends[number] = failure
            return number, None

        while due:
            now = self._clock()
            ready = [number for number, when in due.items() if when <= now]
            if not ready:
                self._sleep(min(due.values()) - now)
            for number, when in self._pool.map(advance, ready, chunksize=1) if ready else ():
                if when is None:
                    del due[number]
                else:
                    due[number] = when
        return [ends[number] for number in range(len(works))]

    def all(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """The results of calls that wait for nothing; raises the first failure."""
        results: list[Result] = []
        for end in self.run([_once(call) for call in calls]):
            if isinstance(end, InventoryError):
                raise end
            results.append(end)
        return results


def _once(call: Callable[[], Result]) -> Work[Result]:
    yield from ()
    return call()
