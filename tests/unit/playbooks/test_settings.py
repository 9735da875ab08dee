# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sets in the natural group reaches every host that needs it, and data is never put at risk."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    FRESH,
    HEALTHY,
    INVENTORY,
    SECRETS,
    answers,
    replica,
)

SET: dict[str, dict[str, Any]] = {
    "redis_master": {"redis_server_monitor_user": "watch", "redis_server_port": 6400},
    "redis_replica": {"redis_server_monitor_user": "watch"},
    "mysql_master": {"mysql_server_application_user": "shop", "mysql_server_application_hosts": ["10.9.9.9"]},
    "mysql_replica": {"mysql_server_application_user": "shop"},
    "apache_php": {"webcluster_mysql_write_port": 13306, "apache_php_trusted_proxies": ["10.9.9.8"]},
    "haproxy": {"haproxy_stats_bind_address": "10.9.9.7"},
}


def inventory(variables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(INVENTORY)
    for group, values in variables.items():
        found["webcluster"]["children"][group]["vars"] = values
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Run:
    told = answers(dict.fromkeys(HEALTHY, FRESH), HEALTHY)
    run = run_playbook(CHECKOUT / "site.yml", inventory(SET), told, tmp_path_factory.mktemp("set"))
    assert run.code == 0, run.output
    return run


def test_the_monitors_name_reaches_haproxy_and_the_look(site: Run) -> None:
    login = ["AUTH", "watch", SECRETS["redis_monitor"]]
    command = f"*{len(login)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in login)
    assert set(re.findall(r"send-binary ([0-9a-f]+)", site.file("web1", "haproxy.cfg").content)) == {
        command.encode().hex()
    }
    assert {
        arguments["login_user"] for arguments in site.of("redis2", "replication_status") if "login_user" in arguments
    } >= {"watch"}


def test_ports_of_servers_and_data_proxies_reach_haproxy(site: Run) -> None:
    config = site.file("web1", "haproxy.cfg").content
    assert "server redis1 10.0.0.36:6400" in config
    assert "server redis2 10.0.0.37:6379" in config
    assert "bind 127.0.0.1:13306" in config


def test_the_applications_name_reaches_the_web_servers(site: Run) -> None:
    [config] = [
        json.loads(files["demo.json"])
        for files in (arguments.get("secret_files") or {} for arguments in site.of("web1", "file_tree"))
        if files
    ]
    assert (config["mysql"]["user"], config["redis"]["user"]) == ("shop", "app")


def test_what_the_inventory_adds_is_kept(site: Run) -> None:
    hosts = {account["name"]: account["hosts"] for account in site.one("db1", "mysql_accounts")["accounts"]}
    assert hosts["shop"] == ["10.9.9.9", "10.0.0.4", "10.0.0.5"]
    config = site.file("web2", "apache2.conf").content
    assert re.findall(r"^RemoteIP\w+Proxy (.*)$", config, re.MULTILINE) == ["10.9.9.8 10.0.0.52"]
    assert "bind 10.9.9.7:8404" in site.file("lb", "haproxy.cfg").content


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/status.yml"])
def test_a_demo_that_is_switched_off_is_not_looked_for(playbook: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    off = inventory({"apache_php": {"apache_php_demo_enabled": False}})
    folder = tmp_path_factory.mktemp("off")
    run = run_playbook(CHECKOUT / playbook, off, answers(HEALTHY, HEALTHY), folder, "--tags", "apache_php")
    assert run.code == 0, run.output
    [call] = [call for call in run.calls if call.module == "front_door"]
    assert call.arguments["item_check"] is False


def test_a_cluster_without_redis_and_with_one_mysql_server_is_healthy(tmp_path_factory: pytest.TempPathFactory) -> None:
    small = inventory({})
    for group in ("mysql_replica", "redis_master", "redis_replica"):
        del small["webcluster"]["children"][group]
    run = run_playbook(CHECKOUT / "site.yml", small, answers(HEALTHY, HEALTHY), tmp_path_factory.mktemp("small"))
    assert run.code == 0, run.output
    text = " ".join(run.output.split())
    assert "MySQL: db1 (no replica)" in text
    assert "Redis: none in this inventory" in text
    [call] = [call for call in run.calls if call.module == "front_door"]
    assert (call.arguments["item_check"], call.arguments["expect_replica"]) == (False, False)
    assert re.findall(r"^(?:listen|frontend) (\w+)", run.file("web1", "haproxy.cfg").content, re.MULTILINE) == [
        "mysql_write",
        "mysql_read",
        "stats",
    ]


def test_a1_nothing_is_changed_where_an_empty_host_would_become_primary(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    looks = {**HEALTHY, "db1": FRESH, "db2": {**replica("db1"), "data": {"empty": False}}}
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, answers(looks, looks), tmp_path_factory.mktemp("replaced"))
    assert run.code != 0
    assert (
        "MySQL: db1 would be the primary, as db2 replicates from it, but db1 is empty, while db2 holds data;"
        in " ".join(run.output.split())
    )
    assert {call.module for call in run.calls} == {"setup", "replication_status"}


def test_everything_on_one_host(tmp_path_factory: pytest.TempPathFactory) -> None:
    one = inventory({})
    children = one["webcluster"]["children"]
    for group in ("mysql_replica", "redis_replica"):
        del children[group]
    names = ("mysql_write", "mysql_read", "redis_write", "redis_read")
    ports = {f"webcluster_{name}_port": number for number, name in enumerate(names, 13300)}
    for group in children.values():
        group["hosts"] = {"web1": {"ansible_host": "10.0.0.4", "apache_php_listen_port": 8080, **ports}}
    told = answers({"web1": FRESH}, {"web1": HEALTHY["db1"]})
    run = run_playbook(CHECKOUT / "site.yml", one, told, tmp_path_factory.mktemp("one"))
    assert run.code == 0, run.output
    config = run.file("web1", "haproxy.cfg").content
    binds = re.findall(r"^ +bind (\S+)", config, re.MULTILINE)
    assert sorted(binds) == ["*:80", "10.0.0.4:8404", *(f"127.0.0.1:{port}" for port in range(13300, 13304))]
    assert "server web1 10.0.0.4:8080 " in config
    assert "server web1 10.0.0.4:3306\n" in config
    assert "server web1 10.0.0.4:6379\n" in config
    judged = [arguments["engine"] for arguments in run.of("web1", "replication_status") if "canary" in arguments]
    assert sorted(judged) == ["mysql", "redis"]
