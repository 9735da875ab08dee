# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sets in the natural group reaches every host that needs it, and data is never put at risk."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import LOGIN_FILE
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    FRESH,
    HEALTHY,
    INVENTORY,
    SECRETS,
    answers,
    judged,
    replica,
)

SHOP: dict[str, Any] = {
    "mysql_server_application_user": "shop",
    "mysql_server_application_password": "shop-secret",
    "mysql_server_application_databases": ["shop"],
}
SET: dict[str, dict[str, Any]] = {
    "redis_master": {"redis_server_monitor_user": "watch", "redis_server_tls_port": 6400},
    "redis_replica": {"redis_server_monitor_user": "watch"},
    "mysql_master": {**SHOP, "mysql_server_application_hosts": ["10.9.9.9"]},
    "mysql_replica": SHOP,
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
    assert "server redis2 10.0.0.37:6378" in config
    assert "bind 127.0.0.1:13306" in config


def test_the_demos_own_names_reach_the_web_servers(site: Run) -> None:
    environment = site.file("web1", "demo.env").content
    assert re.findall(r"^(?:DB|REDIS)_USERNAME=(.*)$", environment, re.MULTILINE) == ["'demo'", "'demo'"]


def test_what_the_inventory_adds_is_kept(site: Run) -> None:
    hosts = {account["name"]: account["hosts"] for account in site.one("db1", "mysql_accounts")["accounts"]}
    assert hosts["shop"] == ["10.9.9.9", "10.0.0.4", "10.0.0.5"]
    config = site.file("web2", "apache2.conf").content
    assert re.findall(r"^RemoteIP\w+Proxy (.*)$", config, re.MULTILINE) == ["10.9.9.8 10.0.0.52"]
    assert "bind 10.9.9.7:8404" in site.file("lb", "haproxy.cfg").content


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/status.yml"])
def test_a_demo_that_is_switched_off_is_not_looked_for(playbook: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    off: dict[str, Any] = copy.deepcopy(INVENTORY)
    off["webcluster"]["vars"]["webcluster_sites"] = []
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
    assert sorted(binds) == ["*:443", "*:80", "10.0.0.4:8404", *(f"127.0.0.1:{port}" for port in range(13300, 13304))]
    assert "server web1 10.0.0.4:8080 " in config
    assert "server web1 10.0.0.4:3306\n" in config
    assert "server web1 10.0.0.4:6378 verifyhost web1\n" in config
    judged = [arguments["engine"] for arguments in run.of("web1", "replication_status") if "canary" in arguments]
    assert sorted(judged) == ["mysql", "redis"]


FORMER = [
    Answer("mysql_accounts", {"former": ["app@10.0.0.4"]}, "db1"),
    Answer("redis_settings", {"restart": [], "former": ["monitor"]}, "redis2"),
]
DATA_SERVERS = ("db1", "db2", "redis1", "redis2")


def keeping(run: Run, module: str, host: str) -> list[bool]:
    return [arguments["keep_former"] for arguments in run.of(host, module)]


@pytest.fixture(scope="module")
def rotation(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A running cluster in which two servers still let in by a former password."""
    told = [*FORMER, *answers(HEALTHY, HEALTHY)]
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, told, tmp_path_factory.mktemp("rotation"))
    assert run.code == 0, run.output
    return run


def test_b3_web_servers_get_a_password_when_every_data_server_has_it(rotation: Run) -> None:
    webs = ("web1", "web2")
    order = [
        call.host
        for call in rotation.calls
        if call.module in ("mysql_accounts", "redis_settings") or (call.module == "file_tree" and call.host in webs)
    ]
    first_web = min(order.index(web) for web in webs)
    assert set(DATA_SERVERS) <= set(order[:first_web])
    assert max(at for at, host in enumerate(order) if host == "web1") < order.index("web2")


def test_b3_a_former_password_is_taken_back_where_there_is_one_after_everybody_has_moved(rotation: Run) -> None:
    assert keeping(rotation, "mysql_accounts", "db1") == [True, False]
    assert keeping(rotation, "mysql_accounts", "db2") == [True]
    assert keeping(rotation, "redis_settings", "redis1") == [True]
    assert keeping(rotation, "redis_settings", "redis2") == [True, False]
    taken_back, webs, looks = [], [], []
    for index, call in enumerate(rotation.calls):
        if call.arguments.get("keep_former") is False:
            taken_back.append(index)
        elif call.host in ("web1", "web2") and call.module in ("configured_service", "file_tree"):
            # A firewall is closed at the very end.
            webs += [index] if call.arguments.get("name") != "webcluster-firewall" else []
        elif call.module == "replication_status":
            looks.append(index)
    # The verdict is about what remains.
    assert max(webs) < min(taken_back) <= max(taken_back) < max(looks)


@pytest.mark.parametrize(
    "options", [["--limit", "!web1"], ["--tags", "mysql"], ["--skip-tags", "haproxy"], ["--check"]]
)
def test_b3_a_former_password_stays_where_somebody_may_not_have_moved(
    options: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    small = inventory({})
    for group in ("haproxy", "mysql_replica", "redis_master", "redis_replica"):
        del small["webcluster"]["children"][group]
    del small["webcluster"]["children"]["apache_php"]["hosts"]["web2"]
    told = [*FORMER, *answers(HEALTHY, HEALTHY)]
    run = run_playbook(CHECKOUT / "site.yml", small, told, tmp_path_factory.mktemp("part"), *options)
    assert keeping(run, "mysql_accounts", "db1") == [True], run.output
    said = "db1 still lets app@10.0.0.4 in by former passwords or names" in " ".join(run.output.split())
    assert said is (options != ["--check"])


def test_b3_no_web_server_gets_a_password_that_a_data_server_may_not_know(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    told = [Answer("mysql_accounts", {"failed": True, "msg": "no room"}, "db2"), *answers(HEALTHY, HEALTHY)]
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, told, tmp_path_factory.mktemp("failed"))
    assert run.code != 0
    said = "db2 failed above, nothing was changed on web1, web2: mend the cause and run again."
    assert said in " ".join(run.output.split())
    assert {call.host for call in run.calls if call.module in ("file_tree", "configured_service")} <= {
        *DATA_SERVERS,
        "lb",
    }


def test_b3_a_redis_server_that_does_not_know_the_monitor_yet_is_asked_by_its_own_login(rotation: Run) -> None:
    looks = [arguments for arguments in rotation.of("redis1", "replication_status") if "canary" not in arguments]
    assert {arguments["login_file"] for arguments in looks if "expect_primary" not in arguments} == {LOGIN_FILE}
    # The verdict is strict: HAProxy asks as the monitor too.
    assert "login_file" not in judged(rotation, "redis1")
    assert all("login_file" not in arguments for arguments in rotation.of("db1", "replication_status"))
