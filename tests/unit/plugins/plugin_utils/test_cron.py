# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a schedule says, in systemd's words, and every sentence about a job that cannot be."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _cron
from ansible_collections.siteops.webcluster.tests.checkers import need

CALENDAR = {
    "* * * * *": ["*-*-* *:*:00 UTC"],
    "*/20 3 * * *": ["*-*-* 03:00,20,40:00 UTC"],
    "5/20 * * * *": ["*-*-* *:05,25,45:00 UTC"],
    "0 8-18/5 * * mon-fri": ["Mon,Tue,Wed,Thu,Fri *-*-* 08,13,18:00:00 UTC"],
    "30 4 1,15 * *": ["*-*-01,15 04:30:00 UTC"],
    # Cron's own rule: a day or a weekday, where both are named.
    "30 4 1,15 * 5": ["*-*-01,15 04:30:00 UTC", "Fri *-*-* 04:30:00 UTC"],
    "0 0 */2 * 0": ["Sun *-*-01,03,05,07,09,11,13,15,17,19,21,23,25,27,29,31 00:00:00 UTC"],
    "0 0 29 feb *": ["*-02-29 00:00:00 UTC"],
    "0 0 * * 7": ["Sun *-*-* 00:00:00 UTC"],
    "0 0 * * 5-7": ["Sun,Fri,Sat *-*-* 00:00:00 UTC"],
    "@hourly": ["*-*-* *:00:00 UTC"],
    "@Weekly": ["Sun *-*-* 00:00:00 UTC"],
    "@yearly": ["*-01-01 00:00:00 UTC"],
}


@pytest.mark.parametrize("schedule", CALENDAR)
def test_a_schedule_is_the_same_in_systemds_words(schedule: str) -> None:
    assert _cron.on_calendar(_cron.parse(schedule), "UTC") == CALENDAR[schedule]


def test_systemd_reads_all_of_them() -> None:
    """What it writes back is the same times."""
    need("systemd-analyze")
    events = [event for found in CALENDAR.values() for event in found]
    for event in [*events, "*-*-* 03:00:00 Europe/Berlin"]:
        command = ["systemd-analyze", "calendar", event]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Next elapse: never" not in done.stdout, event


def job(**more: t.Any) -> dict[str, t.Any]:
    return {"name": "bill", "schedule": "0 3 * * *", "command": "php bill.php", "timezone": "UTC", **more}


def test_what_a_web_server_is_told_of_a_job() -> None:
    assert _cron.planned_job("shop", job(command="php bill.php --to 'a b'", time_limit=60)) == {
        "name": "bill",
        "unit": "webcluster-cron-shop-bill",
        "on_calendar": ["*-*-* 03:00:00 UTC"],
        "time_limit": 60,
        "run": {
            "command": ["php", "bill.php", "--to", "a b"],
            "timezone": "UTC",
            "schedule": {"minute": (0,), "hour": (3,), "day": (), "month": (), "weekday": (), "either": False},
        },
    }


BAD = {
    "* * * *": "it has 4 fields",
    "hourly": "it has 1 field",
    "60 * * * *": "'60' is no minute, which goes from 0 to 59",
    "0 24 * * *": "'24' is no hour, which goes from 0 to 23",
    "0 0 0 * *": "'0' is no day, which goes from 1 to 31",
    "0 0 * foo *": "'foo' is no month, which goes from 1 to 12",
    "0 0 * * 8": "'8' is no weekday, which goes from 0 to 7",
    "*/0 * * * *": "'*/0' is no minute",
    "*/x * * * *": "'*/x' is no minute",
    "5- * * * *": "'5-' is no minute",
    "1,,2 * * * *": "'' is no minute",
    "10-5 * * * *": "'10-5' goes backwards",
    "0 0 31 4,6 *": "no month has that day",
    "0 0 30 2 *": "no month has that day",
}


@pytest.mark.parametrize("schedule", BAD)
def test_a_schedule_that_is_none_is_one_sentence(schedule: str) -> None:
    [found] = _cron.cron_findings([job(schedule=schedule)])
    assert found == (
        f"cron job bill: schedule holds {schedule} ({BAD[schedule]}), expected the five fields of a crontab such as '*/5 * * * *',"
        " or one of @hourly, @daily, @weekly, @monthly, @yearly: correct it."
    )


def test_a_day_that_no_month_has_is_no_matter_where_a_weekday_will_do() -> None:
    assert not list(_cron.cron_findings([job(schedule="0 0 31 2 mon")]))


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ([job(), job()], "cron has two jobs bill; expected a name for each"),
        ([job(name="Bill")], "a cron job is called 'Bill'; expected 1 to 32 small letters"),
        ([job(name="a/b")], "a cron job is called 'a/b'; expected"),
        ([job(command=" ")], "cron job bill: command cannot be run (it is empty)"),
        ([job(command="php 'x")], "cron job bill: command cannot be run (no closing quotation)"),
        ([job(command="php x\nrm y")], "cron job bill: command cannot be run (it holds a line break"),
        ([job(timezone="Berlin")], "cron job bill: timezone holds Berlin, expected UTC or one such as Europe/Berlin"),
        ([job(timezone="UTC\n")], "cron job bill: timezone holds UTC\n, expected UTC"),
        ([job(time_limit=-1)], "cron job bill: time_limit holds -1, expected a number from 1 to 604800"),
    ],
)
def test_a_job_that_cannot_be_is_one_sentence(jobs: list[dict[str, t.Any]], words: str) -> None:
    [found] = _cron.cron_findings(jobs)
    assert found.startswith(words)
    assert found.endswith(".")
