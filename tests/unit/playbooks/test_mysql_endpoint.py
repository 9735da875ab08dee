# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks tell each host where MySQL is an endpoint that somebody else runs, over hosts that are not there."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    DEMO_SECRETS,
    FRESH,
    HEALTHY,
    INVENTORY,
    answers,
    primary,
    traces,
)
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_rolling_update import UP

ADMIN = "administrators-secret"
WRITER = "shop.mysql.example"
READERS = ("shop-r1.mysql.example", "shop-r2.mysql.example")
ENDPOINT = {
    "write": {"host": WRITER},
    "read": [{"host": name, "port": 3307} for name in READERS],
    "admin": {"user": "ops", "password": ADMIN},
    "ca_file": "/etc/ssl/service.pem",
}
HOSTS = {name: HEALTHY[name] for name in ("redis1", "redis2")}
LOGIN = {"login_host": WRITER, "login_user": "ops", "login_password": ADMIN, "ca_cert": "/etc/ssl/service.pem"}


def inventory(**changed: Any) -> dict[str, Any]:
    """The usual cluster, whose MySQL is an endpoint, and which has no secret of a MySQL server."""
    found: dict[str, Any] = copy.deepcopy(INVENTORY)
    cluster = found["webcluster"]
    for group in ("mysql_master", "mysql_replica"):
        del cluster["children"][group]
    for name in [name for name in cluster["vars"] if name.startswith("mysql_server")]:
        del cluster["vars"][name]
    cluster["vars"] |= {"webcluster_mysql_external": ENDPOINT, **changed}
    return found


def play(playbook: str, folder: Path, *options: str, told: tuple[Answer, ...] = (), **changed: Any) -> Run:
    asked = Answer("replication_status", primary(), "web1", ("login_host",))
    looks = answers(dict.fromkeys(HOSTS, FRESH), HOSTS)
    return run_playbook(CHECKOUT / playbook, inventory(**changed), [*told, asked, *looks], folder, *options)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = play("site.yml", tmp_path_factory.mktemp("site"))
    assert run.code == 0, run.output
    return run


@pytest.mark.parametrize(("web", "reader"), [("web1", READERS[0]), ("web2", READERS[1])])
def test_sites_speak_tls_with_it_themselves(site: Run, web: str, reader: str) -> None:
    env = site.file(web, "demo.env").content
    for line in (
        f"DB_HOST='{WRITER}'",
        "DB_PORT='3306'",
        f"DB_READ_HOST='{reader}'",
        "DB_READ_PORT='3307'",
        "DB_USERNAME='demo'",
        f"DB_PASSWORD='{DEMO_SECRETS['mysql']}'",
        "MYSQL_ATTR_SSL_CA='/etc/ssl/service.pem'",
    ):
        assert f"\n{line}\n" in env
    # The proxy cannot speak it for them.
    assert "mysql" not in site.file(web, "haproxy.cfg").content


def test_databases_and_accounts_are_made_by_one_web_server_before_any_uses_them(site: Run) -> None:
    made = site.one("web1", "mysql_accounts")
    assert LOGIN.items() <= made.items()
    assert (made["login_port"], made["binary_log"], made["take_over"]) == (3306, True, False)
    assert [database["name"] for database in made["databases"]] == ["demo"]
    [account] = made["accounts"]
    assert (account["name"], account["hosts"], account["tls"]) == ("demo", ["%"], "required")
    assert account["grants"][0]["databases"] == ["demo"]
    assert "SELECT" in account["grants"][0]["privileges"]
    order = [(call.host, call.module) for call in site.calls]
    for web in ("web1", "web2"):
        assert order.index(("web1", "mysql_accounts")) < order.index((web, "configured_service"))


def test_only_one_web_server_gets_the_administrators_password(site: Run) -> None:
    told_of = [call for call in site.calls if call.module != "front_door"]
    knowing = {call.host for call in told_of if any(one in json.dumps(vars(call)) for one in traces(ADMIN))}
    assert knowing == {"web1"}
    assert not [call for call in told_of if ADMIN in call.content]


def test_the_verdict_asks_it_over_tls_and_by_a_canary(site: Run) -> None:
    asked = [call for call in site.of("web1", "replication_status") if "login_host" in call]
    assert [(call["login_host"], call["expect_role"], call["canary"]) for call in asked] == [
        (WRITER, "primary", "both"),
        (READERS[0], "replica", "both"),
        (READERS[1], "replica", "both"),
    ]
    for call in asked:
        assert (call["engine"], call["tls"], call["ca_cert"]) == ("mysql", "required", "/etc/ssl/service.pem")
        assert (call["login_user"], call["login_password"]) == ("ops", ADMIN)
    assert asked[1]["primary"]["login_host"] == WRITER
    assert asked[1]["primary"]["login_password"] == ADMIN
    assert f"MySQL: {WRITER}:3306 (not run by us)" in site.output
    assert "VERDICT healthy" in site.output


def test_former_passwords_go_when_everybody_has_moved(tmp_path: Path) -> None:
    left = Answer("mysql_accounts", {"changed": True, "former": ["demo@%"]}, "web1")
    run = play("site.yml", tmp_path, told=(left,))
    assert run.code == 0, run.output
    assert [call["keep_former"] for call in run.of("web1", "mysql_accounts")] == [True, False]


def test_databases_of_removed_sites_go_there_too(tmp_path: Path) -> None:
    run = play("site.yml", tmp_path, webcluster_sites_remove=["old"])
    assert run.code == 0, run.output
    made, removed = run.of("web1", "mysql_accounts")
    assert LOGIN.items() <= removed.items()
    assert (removed["absent_databases"], removed["binary_log"]) == (["old", "old-cron"], True)
    assert "absent_databases" not in made


@pytest.mark.parametrize("playbook", ["switchover", "promote", "rejoin"])
def test_a_primary_that_somebody_else_runs_is_not_moved(playbook: str, tmp_path: Path) -> None:
    run = play(f"playbooks/{playbook}.yml", tmp_path, "-e", "tier=mysql", "-e", "to=db2")
    assert run.code != 0
    said = " ".join(run.output.split())
    assert (
        "mysql is an endpoint (webcluster_mysql_external), whose provider promotes, moves and brings back its" in said
    )
    assert run.calls == []


def test_a_rolling_update_makes_no_accounts(tmp_path: Path) -> None:
    servers = {"web1": UP, "web2": UP}
    run = play(
        "playbooks/rolling_update.yml", tmp_path, told=(Answer("haproxy_server_info", {"backends": {"web": servers}}),)
    )
    assert run.code == 0, run.output
    assert {"web1", "web2"} <= {call.host for call in run.calls if call.module == "configured_service"}
    assert not [call for call in run.calls if call.module == "mysql_accounts"]
