# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a web server is told of the sites' cron jobs, and what systemd says of their units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import PHP, check, installed_php, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

LEASE = {"engine": "mysql", "port": 3306, "name": "shop-cron", "password": "lease-secret"}
SHOP: dict[str, Any] = {
    "name": "shop",
    "domains": ["*.shop.example"],
    "health_path": "/up",
    "health_text": "fine",
    "lease": LEASE,
    "cron": [
        {"name": "bill", "schedule": "*/5 * * * *", "command": "php bill.php 'to all'", "time_limit": 60},
        {"name": "report", "schedule": "0 3 1 * mon", "command": "true", "timezone": "Europe/Berlin"},
    ],
}
BLOG: dict[str, Any] = {"name": "blog", "domains": ["blog.example"]}
USUAL: dict[str, Any] = {"apache_php_memory_mb": 1024, "apache_php_listen_port": 8080}
CASES = {
    "jobs": Case({**USUAL, "apache_php_sites": [SHOP, BLOG]}),
    "none": Case({**USUAL, "apache_php_sites": [BLOG]}),
    "alone": Case({**USUAL, "apache_php_sites": [{key: SHOP[key] for key in ("name", "domains", "cron")}]}),
    "bad": Case(
        {**USUAL, "apache_php_sites": [{**BLOG, "cron": [{"name": "x", "schedule": "@often", "command": "x"}]}]}
    ),
}
UNITS = [f"webcluster-cron-shop-{name}.{kind}" for name in ("bill", "report") for kind in ("service", "timer")]
# Times ten, as the option of systemd-analyze wants it.
MOST_EXPOSED = "20"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play_role("apache_php", CASES, tmp_path_factory.mktemp("cron"))


def here(text: str) -> str:
    """A unit of another release of PHP is shown to the one that is here, whose site's user is not there."""
    return PHP.sub(f"php{installed_php()}", text).replace("User=site-shop", "User=daemon")


def test_each_job_has_a_service_and_a_timer_and_all_hang_on_one_target(run: Run) -> None:
    schedule = run.of("jobs", "configured_service")[-1]
    assert (schedule["name"], schedule["on_change"]) == ("webcluster-cron.target", "restart")
    folder = "/etc/systemd/system/"
    assert [file["path"].removeprefix(folder) for file in schedule["files"]] == ["webcluster-cron.target", *UNITS]
    assert schedule["owns"] == [f"{folder}webcluster-cron*"]
    target = run.file("jobs", "webcluster-cron.target").content
    assert [line for line in target.splitlines() if line.startswith("Wants=")] == [
        "Wants=webcluster-cron-shop-bill.timer",
        "Wants=webcluster-cron-shop-report.timer",
    ]
    timer = run.file("jobs", "webcluster-cron-shop-report.timer").content.splitlines()
    assert [line for line in timer if line.startswith("OnCalendar=")] == [
        "OnCalendar=*-*-01 03:00:00 Europe/Berlin",
        "OnCalendar=Mon *-*-* 03:00:00 Europe/Berlin",
    ]
    assert "PartOf=webcluster-cron.target" in timer


def test_a_job_is_run_as_the_site_in_its_live_code_with_its_environment(run: Run) -> None:
    service = run.file("jobs", "webcluster-cron-shop-bill.service").content.splitlines()
    for line in (
        "User=site-shop",
        "WorkingDirectory=/srv/webcluster/shop/current",
        "EnvironmentFile=/etc/webcluster-sites/shop.env",
        "TimeoutStartSec=60s",
        "ExecStart=/usr/bin/php8.4 -d disable_functions= -d display_errors=stderr /var/www/webcluster/system/cron.php"
        " /etc/webcluster-sites/shop.cron.json bill",
    ):
        assert line in service
    assert "lease-secret" not in "".join(service)


def test_what_the_program_is_told_is_for_the_site_alone(run: Run) -> None:
    file = run.file("jobs", "shop.cron.json")
    assert (file.arguments["group"], file.arguments["mode"]) == ("site-shop", "0640")
    assert "content" not in file.arguments
    told = json.loads(file.content)
    assert told["lease"] == LEASE
    assert told["health"] == {"host": "www.shop.example", "port": 8080, "path": "/up", "status": 200, "text": "fine"}
    assert told["jobs"]["bill"] == {
        "command": ["php", "bill.php", "to all"],
        "timezone": "UTC",
        "schedule": {
            "minute": list(range(0, 60, 5)),
            "hour": [],
            "day": [],
            "month": [],
            "weekday": [],
            "either": False,
        },
    }
    assert json.loads(run.file("alone", "shop.cron.json").content)["lease"] == {"engine": "none"}


def test_a_server_without_jobs_has_nothing_of_them(run: Run) -> None:
    calls = run.of("none", "configured_service")
    assert [call["name"] for call in calls] == ["php8.4-fpm", "apache2"]
    assert "/etc/systemd/system/webcluster-cron*" in calls[0]["owns"]
    assert not [file for call in calls for file in call["files"] if "cron" in file["path"]]
    assert "/etc/systemd/system/webcluster-cron*" not in run.of("jobs", "configured_service")[0]["owns"]


def test_a_job_that_cannot_be_ends_the_role_before_it_changes_anything(run: Run) -> None:
    assert "Site blog: cron job x: schedule holds @often (it has 1 field)" in run.refusal("bad")
    assert not run.of("bad", "configured_service")


def test_systemd_understands_every_line(run: Run, tmp_path: Path) -> None:
    need("systemd-analyze")
    need("php-fpm")
    names = ["webcluster-cron.target", *UNITS]
    for name in names:
        (tmp_path / name).write_text(here(run.file("jobs", name).content), encoding="utf-8")
    for name in names:
        asked = check("systemd-analyze verify --man=no %s", (tmp_path / name).read_text("utf-8"), tmp_path, name)
        said = [line for line in (asked.stdout + asked.stderr).splitlines() if "webcluster-cron" in line]
        assert (asked.returncode, said) == (0, []), asked.stderr


def test_a_job_is_exposed_by_two_or_less(run: Run, tmp_path: Path) -> None:
    need("systemd-analyze")
    command = f"systemd-analyze security --offline=yes --no-pager --threshold={MOST_EXPOSED} %s"
    name = UNITS[0]
    asked = check(command, run.file("jobs", name).content, tmp_path, name)
    assert asked.returncode == 0, asked.stdout
