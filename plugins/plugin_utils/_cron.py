# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Cron jobs: what a schedule says, when systemd starts it, and what is wrong with it."""

from __future__ import annotations

import re
import shlex
import typing as t
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# A part of the names of units.
JOB = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")
ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*\Z")
UTC = "UTC"
LONGEST = 7 * 86_400
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
PART = re.compile(r"(?P<all>\*)|(?P<first>[a-z0-9]+)(-(?P<last>[a-z0-9]+))?\Z")
WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


class ScheduleError(ValueError):
    """A schedule that is none; the text continues a sentence."""


@dataclass(frozen=True)
class Field:
    """A field of a schedule: its range, and words for numbers."""

    name: str
    least: int
    most: int
    words: Mapping[str, int]


FIELDS = (
    Field("minute", 0, 59, {}),
    Field("hour", 0, 23, {}),
    Field("day", 1, 31, {}),
    Field("month", 1, 12, {word: number for number, word in enumerate(MONTHS, 1)}),
    Field("weekday", 0, 7, {word: number for number, word in enumerate(DAYS)}),
)


@dataclass(frozen=True)
class Schedule:
    """The numbers that each field allows, none where it allows all."""

    minute: tuple[int, ...]
    hour: tuple[int, ...]
    day: tuple[int, ...]
    month: tuple[int, ...]
    weekday: tuple[int, ...]
    # Cron's rule: a day and a weekday that are both named are two days, otherwise both have to fit.
    either: bool


def _number(text: str, field: Field) -> int:
    value = field.words.get(text, int(text) if text.isdecimal() else -1)
    if not field.least <= value <= field.most:
        raise ScheduleError(f"{text!r} is no {field.name}, which goes from {field.least} to {field.most}")
    return value


def _numbers(text: str, field: Field) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        span, _slash, step = part.partition("/")
        match = PART.fullmatch(span)
        if match is None or (_slash and not (step.isdecimal() and 0 < int(step) <= field.most)):
            raise ScheduleError(f"{part!r} is no {field.name}")
        if match["all"]:
            # Sunday has two numbers.
            first, last = field.least, 6 if field.name == "weekday" else field.most
        else:
            first = _number(match["first"], field)
            last = _number(match["last"], field) if match["last"] else field.most if step else first
        if first > last:
            raise ScheduleError(f"{part!r} goes backwards")
        found |= set(range(first, last + 1, int(step or 1)))
    if field.name == "weekday":
        found = {number % 7 for number in found}
    return () if text == "*" else tuple(sorted(found))


def parse(text: str) -> Schedule:
    """Read the five fields of a crontab, or one of its words; raise ScheduleError."""
    words = WORDS.get(text.strip().lower(), text).lower().split()
    if len(words) != len(FIELDS):
        raise ScheduleError(f"it has {len(words)} field{'s'[: len(words) != 1]}")
    numbers = {field.name: _numbers(word, field) for field, word in zip(FIELDS, words, strict=True)}
    either = not (words[2].startswith("*") or words[4].startswith("*"))
    months = numbers["month"] or range(1, 13)
    if numbers["day"] and not either and min(numbers["day"]) > max(LONGEST_MONTHS[month - 1] for month in months):
        raise ScheduleError("no month has that day")
    return Schedule(**numbers, either=either)


def on_calendar(schedule: Schedule, zone: str) -> list[str]:
    """The same as systemd's calendar events; one of them is enough."""

    def listed(numbers: Sequence[int]) -> str:
        return ",".join(f"{number:02}" for number in numbers) or "*"

    def event(day: Sequence[int], weekday: Sequence[int]) -> str:
        days = ",".join(DAYS[number].capitalize() for number in weekday)
        date = f"*-{listed(schedule.month)}-{listed(day)}"
        return " ".join(filter(None, [days, date, f"{listed(schedule.hour)}:{listed(schedule.minute)}:00", zone]))

    if schedule.either:
        return [event(schedule.day, ()), event((), schedule.weekday)]
    return [event(schedule.day, schedule.weekday)]


def planned_job(site: str, job: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A job as a web server's role wants it: its unit, and what the program that runs it is told."""
    schedule = parse(job["schedule"])
    return {
        "name": job["name"],
        "unit": f"webcluster-cron-{site}-{job['name']}",
        "on_calendar": on_calendar(schedule, job["timezone"]),
        "time_limit": job["time_limit"],
        "run": {"command": shlex.split(job["command"]), "timezone": job["timezone"], "schedule": vars(schedule)},
    }


def _zone_is_unknown(name: str) -> bool:
    """Whether nobody knows it; a controller without zones knows nothing of any."""
    known = zoneinfo.available_timezones()
    return not ZONE.match(name) or (bool(known) and name not in known)


def _command_problem(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError as error:
        return str(error).lower()
    if re.search(r"[\x00-\x1f\x7f]", command):
        return "it holds a line break or another control character"
    return "" if words else "it is empty"


def cron_findings(jobs: Sequence[Mapping[str, t.Any]]) -> Iterator[str]:
    """What is wrong with the jobs of a site, a sentence each."""
    names = [str(job["name"]) for job in jobs]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"cron has two jobs {name}; expected a name for each: rename or remove one."
    for job in jobs:
        name = job["name"]
        if not JOB.match(name):
            yield (
                f"a cron job is called {name!r}; expected 1 to 32 small letters, digits, '_' and '-', a letter first: rename it."
            )
        try:
            parse(job["schedule"])
        except ScheduleError as error:
            yield (
                f"cron job {name}: schedule holds {job['schedule']} ({error}), expected the five fields of a crontab such as"
                f" '*/5 * * * *', or one of {', '.join(WORDS)}: correct it."
            )
        if problem := _command_problem(job["command"]):
            yield f"cron job {name}: command cannot be run ({problem}), expected a program and its arguments: correct it."
        zone = job.get("timezone") or UTC
        if _zone_is_unknown(zone):
            yield f"cron job {name}: timezone holds {zone}, expected UTC or one such as Europe/Berlin: correct it."
        if not 1 <= int(job.get("time_limit") or 1) <= LONGEST:
            yield f"cron job {name}: time_limit holds {job['time_limit']}, expected a number from 1 to {LONGEST}: correct it."
