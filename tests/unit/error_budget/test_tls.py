# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the run that changes certificates takes for a failure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.error_budget.redis_load import Count
from ansible_collections.siteops.webcluster.tests.error_budget.tls import Event, Figures, go_over, judge

GOOD = Figures(1000, 0, Count(500, 0, 0, 0), 300, 0, 0, 0, 0, 0.2, 0)
RENEWED = Event("renewed", go_over)
OLD = {"db1": "a", "r1": "b"}
NEW = {"db1": "c", "r1": "d"}


def test_a_run_in_which_nothing_is_lost_is_good() -> None:
    assert judge(RENEWED, GOOD, 0, OLD, NEW) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"redis": Count(500, 1, 0, 0)}, "1 acknowledged writes lost"),
        ({"rows_lost": 2}, "2 acknowledged writes lost"),
        ({"rows_doubled": 1}, "1 writes there twice"),
        ({"redis": Count(500, 0, 0, 1)}, "1 writes there twice"),
        ({"refused": 3}, "3 writes refused by Redis"),
        ({"failed": 4}, "4 requests failed"),
        ({"restarts": 1}, "1 restarts, expected 0"),
        ({"gap": 3.5}, "a writer had no service for 3.5 s"),
    ],
)
def test_what_is_lost_refused_or_restarted_is_told(change: dict[str, Any], words: str) -> None:
    [told] = judge(RENEWED, replace(GOOD, **change), 0, OLD, NEW)
    assert words in told


def test_a_second_run_that_changes_and_a_certificate_that_stays_are_told() -> None:
    assert judge(RENEWED, GOOD, 2, OLD, NEW) == ["renewed: 2 changes of site.yml afterwards, expected none"]
    assert judge(RENEWED, GOOD, 0, OLD, {**NEW, "r1": "b"}) == ["renewed: r1 show what they showed before"]


def test_a_mariadb_primary_may_wait_and_a_move_may_refuse_requests_but_lose_none() -> None:
    waits = replace(RENEWED, restarts=1)
    assert judge(waits, replace(GOOD, restarts=1), 0, OLD, {**NEW, "db1": "a"}) == []
    moves = replace(RENEWED, restarts=1, moves=True)
    assert judge(moves, replace(GOOD, restarts=1, failed=7), 0, OLD, OLD) == []
    assert len(judge(moves, replace(GOOD, restarts=1, rows_lost=1), 0, OLD, OLD)) == 1
