# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another PHP version than the distribution's: everything follows it, and the former one goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

SHOP: dict[str, Any] = {
    "name": "shop",
    "domains": ["shop.example"],
    "php_extensions": ["gd", "redis"],
    "release": "0123456789ab",
    "archive": "/cache/shop-0123456789ab.tar.gz",
    "cron": [{"name": "bill", "schedule": "@hourly", "command": "true"}],
}
USUAL: dict[str, Any] = {"apache_php_memory_mb": 1024, "apache_php_sites": [SHOP]}


def told(*services: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {
        "preflight": {
            "missing_packages": [],
            "findings": [],
            "adopts": False,
            "present": [],
            "told_by": list(services),
            **more,
        }
    }


CASES = {
    "own": Case(USUAL, answers=told("php8.4-fpm")),
    "named": Case({**USUAL, "apache_php_version": "8.4"}),
    "other": Case({**USUAL, "apache_php_version": "8.3"}, answers=told("php8.3-fpm", "php8.4-fpm")),
    "back": Case(USUAL, answers=told("php8.3-fpm", "php8.4-fpm")),
    "lacking": Case(
        {**USUAL, "apache_php_version": "7.0"}, answers=told(findings=["The sources offer no php7.0-fpm."])
    ),
    "wrong": Case({**USUAL, "apache_php_version": "php8"}),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play_role("apache_php", CASES, tmp_path_factory.mktemp("php"))


def names(run: Run, name: str) -> list[str]:
    return [call["name"] for call in run.of(name, "configured_service")]


def test_packages_service_paths_and_sockets_follow_the_version(run: Run) -> None:
    assert names(run, "other") == ["php8.3-fpm", "apache2", "webcluster-cron.target"]
    packages = run.one("other", "preflight")["packages"]
    assert {"php8.3-fpm", "php8.3-mysql", "php8.3-redis", "php8.3-gd"} <= set(packages)
    texts = ""
    for call in run.of("other", "configured_service"):
        for file in call["files"]:
            texts += f"{file['path']}\n{file.get('content')}\n{file.get('secret_content')}\n"
    assert "/run/php/php8.3-fpm-site-shop.sock" in texts
    assert "ExecStart=/usr/bin/php8.3 " in texts
    assert run.one("other", "site_release")["service"] == "php8.3-fpm"
    assert "8.4" not in "".join(packages) + texts


def test_the_distributions_own_is_what_it_was(run: Run) -> None:
    for name in ("own", "named"):
        assert names(run, name)[0] == "php8.4-fpm"
        asked = run.one(name, "preflight")
        assert "php-redis" in asked["packages"]
        assert "offered" not in asked
        assert not run.of(name, "retired_service")


def test_the_package_sources_are_asked_for_another_version(run: Run) -> None:
    assert run.one("other", "preflight")["offered"] == {
        "packages": ["php8.3-fpm", "php8.3-mysql", "php8.3-redis", "php8.3-gd"],
        "like": "php[0-9]*-fpm",
        "option": "apache_php_version",
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lacking", "The sources offer no php7.0-fpm."),
        ("wrong", "apache_php_version is 'php8', expected a PHP version such as 8.3, or nothing: correct it."),
    ],
)
def test_a_version_that_cannot_be_ends_the_role_before_it_changes_anything(run: Run, name: str, words: str) -> None:
    assert words in run.refusal(name)
    assert not run.of(name, "configured_service")
    assert not run.of(name, "apt")


@pytest.mark.parametrize(("name", "former"), [("other", "8.4"), ("back", "8.3")])
def test_a_former_version_goes_when_apache_has_left_it(run: Run, name: str, former: str) -> None:
    retired = run.one(name, "retired_service")
    drop_ins = f"/etc/systemd/system/php{former}-fpm.service.d"
    assert retired == {
        "name": f"php{former}-fpm",
        "signal": "QUIT",
        "wait": 35,
        "files": [
            f"/etc/php/{former}/fpm/php-fpm.conf",
            f"/etc/php/{former}/fpm/conf.d/90-webcluster.ini",
            f"{drop_ins}/hardening.conf",
            f"{drop_ins}/sockets.conf",
            f"/etc/systemd/system/webcluster-php{former}-fpm@.socket",
            # The last one: by it the next run would know of what this one could not end.
            f"{drop_ins}/webcluster.conf",
        ],
    }
    order = [call.module for call in run.calls if call.host == name]
    assert order.index("retired_service") > [i for i, module in enumerate(order) if module == "configured_service"][1]


def test_php_fpm_accepts_the_pools_of_another_version(run: Run, tmp_path: Path) -> None:
    need("php-fpm")
    written = run.file("other", "php-fpm.conf")
    asked = check(written.arguments["validate"], written.content, tmp_path)
    assert asked.returncode == 0, asked.stdout + asked.stderr
