# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a primary has to let a replica in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._primary_login import Problem, wait_for_primary

SILENT = Problem("cannot be reached", True)
WRONG = Problem("refuses the password", False)


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def until(moment: float, problem: Problem, time: Time) -> Callable[[], Problem | None]:
    return lambda: problem if time.now < 100 + moment else None


@pytest.mark.parametrize(
    ("problem", "connected", "heals_after", "seconds"),
    [
        (SILENT, False, 40, 40),
        (WRONG, False, 10, 10),
        (WRONG, True, 40, 40),
    ],
)
def test_a_primary_that_comes_in_time_is_waited_for(
    problem: Problem, connected: bool, heals_after: float, seconds: float
) -> None:
    time = Time()
    assert wait_for_primary(until(heals_after, problem, time), 60, connected, time.clock, time.sleep) is None
    assert time.now - 100 == seconds


@pytest.mark.parametrize(
    ("problem", "connected", "timeout", "seconds"),
    [(SILENT, False, 60, 60), (WRONG, False, 60, 15), (WRONG, False, 5, 5), (WRONG, True, 60, 60)],
)
def test_waiting_ends_with_the_problem(problem: Problem, connected: bool, timeout: float, seconds: float) -> None:
    time = Time()
    assert wait_for_primary(lambda: problem, timeout, connected, time.clock, time.sleep) is problem
    assert time.now - 100 == seconds
