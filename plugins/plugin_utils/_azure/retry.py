# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Ask again when the answer may be better next time: bounded in tries and in time, and never sooner than told."""

from __future__ import annotations

import random
import typing as t
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# 409: another operation on the resource is going on.
RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
# Of a conflict about a change the code says whether it passes; whoever changes looks at that.
RETRIED_CHANGES = RETRIED - {409}
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0

Answer = t.TypeVar("Answer")


@dataclass(frozen=True)
class Limits:
    """How patient we are with one request: seconds of one answer, tries, and seconds of all tries together."""

    timeout: float = 30.0
    tries: int = 5
    seconds: float = 120.0


class TransientError(Exception):
    """No answer, or only a part of one; the text says what happened."""

    def __init__(self, text: str, again: bool = True) -> None:
        super().__init__(text)
        self.again = again


class ExhaustedError(Exception):
    """Told how often and how long a request was tried; `last` is what it ended with."""

    def __init__(self, last: t.Any, tries: int, seconds: float, asked_wait: float | None) -> None:
        super().__init__(str(last))
        self.last = last
        self.tries = tries
        self.seconds = seconds
        self.asked_wait = asked_wait


def told_wait(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the answer asks us to wait, from any of the headers that Azure's services use."""
    fields = {name.lower(): value for name, value in headers.items()}
    try:
        for name in ("retry-after-ms", "x-ms-retry-after-ms"):
            if name in fields:
                return max(0.0, float(fields[name]) / 1000)
        if "retry-after" in fields:
            value = fields["retry-after"].strip()
            if value.replace(".", "", 1).isdigit():
                return float(value)
            return max(0.0, (parsedate_to_datetime(value) - (now or datetime.now(UTC))).total_seconds())
        if "x-ms-user-quota-resets-after" in fields:
            hours, minutes, seconds = fields["x-ms-user-quota-resets-after"].split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except (TypeError, ValueError):
        # An unreadable wish counts as none.
        return None
    return None


def wait_before(next_try: int, told: float | None, jitter: float) -> float:
    """Seconds to wait before try number 2, 3, ...; the jitter between 0 and 1 keeps parallel lists apart."""
    if told is not None:
        return told
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (next_try - 2)) * (0.5 + jitter / 2))


def persist(
    once: Callable[[], Answer],
    look: Callable[[Answer], tuple[int, Mapping[str, str]]],
    limits: Limits,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    jitter: Callable[[], float] = random.random,
    retried: Collection[int] = RETRIED,
) -> Answer:
    """Return the first answer that is not worth another try.

    `look` gives status and headers of an answer. Raises ExhaustedError when the bounds are reached first.
    """
    begin = clock()
    tries = 0
    while True:
        tries += 1
        told = None
        last: t.Any
        try:
            answer = once()
            status, headers = look(answer)
            if status not in retried:
                return answer
            last, told = answer, told_wait(headers)
            again = True
        except TransientError as failure:
            last, again = failure, failure.again
        wait = wait_before(tries + 1, told, jitter())
        spent = clock() - begin
        if not again or tries >= limits.tries or spent + wait > limits.seconds:
            raise ExhaustedError(last, tries, spent, told)
        sleep(wait)
