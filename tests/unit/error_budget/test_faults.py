# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.error_budget.faults import Event, judge, nothing
from ansible_collections.siteops.webcluster.tests.error_budget.load import Answer, Load


def answers(*statuses: tuple[str, int]) -> Load:
    """A load that is over; the n-th request began at second n."""
    load = Load("door")
    load.answers = [
        Answer(kind, float(at), 0.1, status, "" if status < 400 else "said", f"item {at}" if kind == "write" else "")
        for at, (kind, status) in enumerate(statuses)
    ]
    return load


DONE = answers(("read", 200), ("write", 201), ("read", 503), ("write", 503), ("read", 200), ("write", 201))
KEPT = Counter(["item 1", "item 5", "of another load", "of another load"])


def test_an_event_within_its_budget_passes() -> None:
    line, wrong = judge(Event("x", nothing, nothing, reads=1, writes=1), DONE, KEPT)
    assert line == ["x", 6, 1, 1, 2, 0, "4.0 s", "1 reads, 1 writes"]
    assert wrong == []


@pytest.mark.parametrize(
    ("budget", "kept", "said"),
    [
        ({"writes": 1}, KEPT, "x: 1 reads failed, allowed are 0: 1 x 503 said"),
        ({"reads": 1}, KEPT, "x: 1 writes failed, allowed are 0: 1 x 503 said"),
        ({"reads": 1, "writes": 1}, Counter(["item 1"]), "x: 1 acknowledged writes are lost, the first is item 5"),
        ({"reads": 1, "writes": 1}, KEPT + Counter(["item 5"]), "x: 1 writes were done twice, the first is item 5"),
        # What was answered with an error may have been done, but once.
        ({"reads": 1, "writes": 1}, KEPT + Counter(["item 3"] * 2), "x: 1 writes were done twice, the first is item 3"),
        (
            {"reads": 1, "writes": 1, "p99": 0.09},
            KEPT,
            "x: all but a hundredth took up to 0.1 s, allowed are 0.1 s",
        ),
    ],
)
def test_what_exceeds_a_budget_is_told(budget: dict[str, Any], kept: Counter[str], said: str) -> None:
    line, wrong = judge(Event("x", nothing, nothing, **budget), DONE, kept)
    assert wrong == [said]
    assert line[-1] == "exceeded"
