# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.bench.azure_estate import Run, exceeded, hosts

GOOD = [
    Run("first", 25, 57, 6.1, 2.5),
    Run("second", 0, 11, 0.5, 2.0),
    Run("removal", 0, 60, 5.0, 2.5),
    Run("one", 11, 30, 5.9, 2.2),
    Run("many", 409, 900, 12.0, 9.0),
    Run("again", 0, 11, 1.0, 3.0),
]


def test_good_figures_exceed_nothing() -> None:
    assert exceeded(GOOD) == []


@pytest.mark.parametrize(
    ("number", "change", "sentence"),
    [
        (0, {"puts": 26}, "the first run took 26 PUT; expected 25"),
        (0, {"cpu": 3.1}, "the first run took 3.1 s of CPU"),
        (1, {"gets": 12}, "the second run took 12 GET"),
        (1, {"puts": 1}, "the second runs took 1 and 0 PUT"),
        (3, {"seconds": 4.0}, "8 machines took 6.1 s, one 4.0 s"),
        (4, {"seconds": 26.0}, "200 machines took 26.0 s"),
    ],
)
def test_each_bound_is_told(number: int, change: dict[str, Any], sentence: str) -> None:
    runs = [*GOOD]
    runs[number] = replace(runs[number], **change)
    assert [one.startswith(sentence) for one in exceeded(runs)] == [True]


def test_the_bench_makes_as_many_machines_as_it_says() -> None:
    assert len(hosts(200)) == 200
