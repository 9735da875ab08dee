# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Wait until a primary lets its replicas in; both may be set up at the same moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

# Seconds after which a password that a new replica was given counts as wrong.
PASSWORD_PATIENCE = 15


@dataclass(frozen=True)
class Problem:
    """Why a primary does not let a replica in; may_heal is false when waiting seldom helps."""

    text: str
    may_heal: bool


def wait_for_primary(
    ask: Callable[[], Problem | None],
    timeout: float,
    connected: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Problem | None:
    """Ask until the primary lets us in; return what it objects to in the end. connected: it does so at present."""
    # A primary whose password is changed at the same time knows it a little later.
    patience = timeout if connected else min(timeout, PASSWORD_PATIENCE)
    start = clock()
    while True:
        problem = ask()
        passed = clock() - start
        if not problem or passed >= (timeout if problem.may_heal else patience):
            return problem
        sleep(1)
