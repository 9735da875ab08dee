# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.retry import (
    ExhaustedError,
    Limits,
    TransientError,
    persist,
    told_wait,
)

Answer = tuple[int, Mapping[str, str]]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def run(clock: Clock, limits: Limits, *answers: Answer | TransientError) -> Answer:
    ahead: Iterator[Answer | TransientError] = iter(answers)

    def once() -> Answer:
        answer = next(ahead)
        if isinstance(answer, TransientError):
            raise answer
        return answer

    return persist(once, lambda answer: answer, limits, lambda: clock.now, clock.sleep, lambda: 1.0)


def test_the_first_good_answer_is_taken() -> None:
    clock = Clock()
    assert run(clock, Limits(), (200, {})) == (200, {})
    assert clock.slept == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 412, 501])
def test_what_will_not_get_better_is_not_asked_again(status: int) -> None:
    clock = Clock()
    assert run(clock, Limits(), (status, {"Retry-After": "1"}))[0] == status
    assert clock.slept == []


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_waits_grow_between_tries(status: int) -> None:
    clock = Clock()
    assert run(clock, Limits(), (status, {}), (status, {}), (status, {}), (200, {}))[0] == 200
    assert clock.slept == [0.5, 1.0, 2.0]


def test_the_wait_that_azure_asks_for_is_kept() -> None:
    clock = Clock()
    run(clock, Limits(), (429, {"Retry-After": "17"}), (429, {"retry-after": "3"}), (200, {}))
    assert clock.slept == [17, 3]


def test_a_broken_answer_is_asked_for_again() -> None:
    clock = Clock()
    assert run(clock, Limits(), TransientError("broke off"), (200, {}))[0] == 200
    assert clock.slept == [0.5]


def test_tries_are_bounded() -> None:
    with pytest.raises(ExhaustedError) as end:
        run(Clock(), Limits(tries=3), *[(502, {})] * 3)
    assert end.value.tries == 3
    assert end.value.last == (502, {})


def test_time_is_bounded() -> None:
    clock = Clock()
    with pytest.raises(ExhaustedError) as end:
        run(clock, Limits(tries=99, seconds=50), *[(429, {"Retry-After": "20"})] * 9)
    assert clock.slept == [20, 20]
    assert end.value.asked_wait == 20


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    clock = Clock()
    with pytest.raises(ExhaustedError) as end:
        run(clock, Limits(seconds=120), (429, {"Retry-After": "3600"}))
    assert clock.slept == []
    assert (end.value.tries, end.value.asked_wait) == (1, 3600)


def test_what_cannot_heal_ends_at_once() -> None:
    with pytest.raises(ExhaustedError) as end:
        run(Clock(), Limits(), TransientError("certificate", again=False))
    assert end.value.tries == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "12"}, 12),
        ({"Retry-After": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"x-ms-retry-after-ms": "2000", "Retry-After": "9"}, 2),
        ({"Retry-After": "Mon, 05 Jan 2026 10:00:30 GMT"}, 30),
        ({"Retry-After": "Mon, 05 Jan 2026 09:00:00 GMT"}, 0),
        ({"x-ms-user-quota-resets-after": "00:00:05"}, 5),
        ({"Retry-After": "soon"}, None),
        ({"x-ms-user-quota-resets-after": "soon"}, None),
    ],
)
def test_every_form_of_the_wish_is_read(headers: dict[str, Any], seconds: float | None) -> None:
    assert told_wait(headers, datetime(2026, 1, 5, 10, 0, 0, tzinfo=UTC)) == seconds
