# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml and status.yml tell each host, from inventory to module, over hosts that are not there."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import make_authority
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, facts, run_playbook

SECRETS = {
    name: f"{name.replace('_', '-')}-secret"
    for name in (
        "mysql_replication",
        "mysql_monitor",
        "redis_replication",
        "redis_monitor",
        "redis_admin",
    )
}
DEMO_SECRETS = {key: f"demo-{key}-secret" for key in ("mysql", "redis")}
ADDRESSES = {
    "lb": "10.0.0.52",
    "web1": "10.0.0.4",
    "web2": "10.0.0.5",
    "db1": "10.0.0.20",
    "db2": "10.0.0.21",
    "redis1": "10.0.0.36",
    "redis2": "10.0.0.37",
}
GROUPS = {
    "haproxy": ["lb"],
    "apache_php": ["web1", "web2"],
    "mysql_master": ["db1"],
    "mysql_replica": ["db2"],
    "redis_master": ["redis1"],
    "redis_replica": ["redis2"],
}
AUTHORITY = make_authority(datetime.now(UTC))
INVENTORY = {
    "webcluster": {
        "vars": {
            **{name.replace("_", "_server_", 1) + "_password": secret for name, secret in SECRETS.items()},
            "webcluster_site_passwords": {"demo": DEMO_SECRETS},
            **dict(zip(("webcluster_ca_certificate", "webcluster_ca_private_key"), AUTHORITY, strict=True)),
        },
        "children": {
            group: {"hosts": {name: {"ansible_host": ADDRESSES[name]} for name in names}}
            for group, names in GROUPS.items()
        },
    }
}
FRESH = {"state": "not_installed", "role": "unknown", "checks": {"reachable": {"value": "not_installed"}}}
DEMO = {"ok": True, "problem": "", "status": 200, "own": {"release": "d0d0d0d0d0d0"}}
DOOR = {
    "url": "http://10.0.0.52/",
    "servers": {"web1": 3, "web2": 3},
    "reasons": [],
    "item": {"id": 7},
    "sites": {"demo": DEMO},
}
PACKED = {"archives": {"demo": {"release": "d0d0d0d0d0d0", "path": "/cache/demo.tar.gz", "files": 4, "bytes": 1}}}


def primary() -> dict[str, Any]:
    return {"healthy": True, "state": "healthy", "role": "primary", "flavor": "x", "reasons": []}


def replica(source: str) -> dict[str, Any]:
    return {**primary(), "role": "replica", "primary": {"host": ADDRESSES[source]}, "lag": {"seconds": 0}}


HEALTHY = {"db1": primary(), "db2": replica("db1"), "redis1": primary(), "redis2": replica("redis1")}
SWITCHED = {**HEALTHY, "db1": replica("db2"), "db2": primary()}


def answers(looks: dict[str, dict[str, Any]], verdicts: dict[str, dict[str, Any]]) -> list[Answer]:
    """What the hosts say before the change, and after it, when they are asked for a canary too."""
    return [
        Answer("setup", facts()),
        Answer("front_door", DOOR),
        Answer("site_archive", PACKED),
        *(Answer("replication_status", verdict, name, ("canary",)) for name, verdict in verdicts.items()),
        *(Answer("replication_status", look, name) for name, look in looks.items()),
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The first day: no server is there yet."""
    told = answers(dict.fromkeys(HEALTHY, FRESH), HEALTHY)
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, told, tmp_path_factory.mktemp("site"))
    assert run.code == 0, run.output
    return run


@pytest.fixture(scope="module")
def status(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A healthy cluster, whose MySQL has changed its primary since the first day."""
    told = answers(SWITCHED, SWITCHED)
    run = run_playbook(CHECKOUT / "playbooks/status.yml", INVENTORY, told, tmp_path_factory.mktemp("status"))
    assert run.code == 0, run.output
    return run


def test_a_run_of_one_tag_leaves_the_other_roles_alone(tmp_path: Path) -> None:
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, answers(HEALTHY, HEALTHY), tmp_path, "--tags", "mysql")
    assert run.code == 0, run.output
    played = set(re.findall(r"TASK \[siteops\.webcluster\.(\w+) : ", run.output))
    assert played == {"mysql_server", "mysql_master", "mysql_replica"}


def section(config: str, header: str) -> str:
    match = re.search(rf"^{header}\b.*?(?=^\S|\Z)", config, re.MULTILINE | re.DOTALL)
    assert match, f"no section {header!r} in\n{config}"
    return match[0]


def traces(secret: str) -> list[str]:
    """A secret as it may stand in a file: itself, in hexadecimal digits, or as the hash that Redis keeps."""
    return [secret, secret.encode().hex(), hashlib.sha256(secret.encode()).hexdigest()]


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("lb", set()),
        ("web1", {"demo_mysql", "demo_redis", "redis_monitor"}),
        ("db1", {"demo_mysql", "mysql_replication", "mysql_monitor"}),
        ("db2", {"demo_mysql", "mysql_replication", "mysql_monitor"}),
        ("redis1", {"demo_redis", "redis_replication", "redis_monitor", "redis_admin"}),
        ("redis2", {"demo_redis", "redis_replication", "redis_monitor", "redis_admin"}),
    ],
)
def test_each_host_gets_the_secrets_it_needs_and_no_other(site: Run, host: str, wanted: set[str]) -> None:
    # The front door is looked at from the controller, for whichever host is first.
    told = [call for call in site.calls if call.host == host and call.module != "front_door"]
    text = json.dumps([(call.arguments, call.content) for call in told])
    secrets = {**SECRETS, **{f"demo_{key}": secret for key, secret in DEMO_SECRETS.items()}}
    assert {name for name, secret in secrets.items() if any(trace in text for trace in traces(secret))} == wanted


def test_haproxy_asks_redis_as_the_monitor(site: Run) -> None:
    login = ["AUTH", "monitor", SECRETS["redis_monitor"]]
    command = f"*{len(login)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in login)
    proxy = site.file("web1", "haproxy.cfg").content
    assert set(re.findall(r"send-binary ([0-9a-f]+)", proxy)) == {command.encode().hex()}


@pytest.mark.parametrize(
    ("header", "check"),
    [
        ("listen mysql_write", "/primary"),
        ("backend mysql_read", "/replica"),
        ("backend mysql_read_primary", "/primary"),
        ("listen redis_write", "role:master"),
        ("backend redis_read", "role:slave"),
        ("backend redis_read_primary", "role:master"),
    ],
)
def test_each_data_service_looks_for_its_own_role(site: Run, header: str, check: str) -> None:
    lines = section(site.file("web2", "haproxy.cfg").content, header)
    assert set(re.findall(r"/primary|/replica|role:master|role:slave", lines)) == {check}
    servers = ["db1", "db2"] if "mysql" in header else ["redis1", "redis2"]
    wanted = ["{name} {address}:3306" if "mysql" in header else "{name} {address}:6378 verifyhost {name}"] * 2
    assert re.findall(r"^ +server (.+)$", lines, re.MULTILINE) == [
        each.format(name=name, address=ADDRESSES[name]) for each, name in zip(wanted, servers, strict=True)
    ]
    assert ("ssl verify required ca-file" in lines) == ("redis" in header)


def test_reads_go_to_the_replica_where_there_is_one(site: Run) -> None:
    front = section(site.file("web1", "haproxy.cfg").content, "frontend mysql_read")
    assert "use_backend mysql_read if { nbsrv(mysql_read) gt 0 }" in front
    assert "default_backend mysql_read_primary" in front
    assert "bind 127.0.0.1:3307" in front


def test_load_balancer_knows_the_web_servers_and_nothing_of_the_data(site: Run) -> None:
    config = site.file("lb", "haproxy.cfg").content
    assert re.findall(r"^ +server (\S+ \S+)", config, re.MULTILINE) == ["web1 10.0.0.4:80", "web2 10.0.0.5:80"]
    assert "bind 10.0.0.52:8404" in section(config, "frontend stats")
    assert "defaults data" not in config
    assert "frontend www" not in site.file("web1", "haproxy.cfg").content


def test_web_servers_believe_the_load_balancer_and_nobody_else(site: Run) -> None:
    for web in ("web1", "web2"):
        config = site.file(web, "apache2.conf").content
        assert re.findall(r"^RemoteIP\w+Proxy (.*)$", config, re.MULTILINE) == [ADDRESSES["lb"]]


def test_without_a_list_of_sites_there_is_the_demo_with_accounts_of_its_own(site: Run) -> None:
    [packed] = site.one("localhost", "site_archive")["sites"]
    assert (packed["name"], packed["source"]) == ("demo", str(CHECKOUT.resolve() / "sites/demo"))
    found = dict(re.findall(r"(?m)^(\w+)='(.*)'$", site.file("web1", "demo.env").content))
    for kind, engine, ports in (("DB", "mysql", ("3306", "3307")), ("REDIS", "redis", ("6379", "6380"))):
        assert (found[f"{kind}_USERNAME"], found[f"{kind}_PASSWORD"]) == ("demo", DEMO_SECRETS[engine])
        assert (found[f"{kind}_HOST"], found[f"{kind}_PORT"], found[f"{kind}_READ_PORT"]) == ("127.0.0.1", *ports)
    pool = site.file("web1", "php-fpm.conf").content
    assert "php_admin_value[mysqlnd.net_read_timeout] = 1\n" in pool
    # It has all names, so that nobody is served anything else.
    assert "DocumentRoot /srv/webcluster/demo/current/public" in site.file("web1", "apache2.conf").content
    for host in ("redis1", "redis2"):
        [rules] = re.findall(r"(?m)^user demo .*$", site.file(host, "webcluster.acl").content)
        assert rules.endswith(" ~demo:* &demo:* +@all -@dangerous -@scripting -scan -randomkey -client|tracking +role")


def test_mysql_accounts_are_open_to_those_who_use_them(site: Run) -> None:
    for host, other in {"db1": "db2", "db2": "db1"}.items():
        hosts = {account["name"]: account["hosts"] for account in site.one(host, "mysql_accounts")["accounts"]}
        webs = [ADDRESSES["web1"], ADDRESSES["web2"]]
        assert hosts["replication"] == hosts["monitor"] == [ADDRESSES[other]]
        assert hosts["demo"] == webs
        assert "app" not in hosts
        config = json.loads(
            next(a["files"]["config.json"] for a in site.of(host, "file_tree") if "config.json" in a["files"])
        )
        assert config["allow"] == webs


def test_every_data_server_gets_a_certificate_for_its_name_and_address(site: Run) -> None:
    folders = {"db": "/etc/mysql/webcluster-tls", "redis": "/etc/webcluster-redis-tls"}
    for host in ("db1", "db2", "redis1", "redis2"):
        asked = site.one(host, "host_certificate")
        assert asked["path"] == folders[host.rstrip("12")]
        assert {host, ADDRESSES[host], "localhost", "127.0.0.1"} == set(asked["names"])
        [brought] = [one for one in site.of(host, "file_tree") if one["path"] == asked["path"]]
        assert brought["files"] == {"ca.pem": AUTHORITY[0]}
        assert brought["secret_files"]["server.pem"].startswith("-----BEGIN PRIVATE KEY-----")
    assert AUTHORITY[1] not in "".join(json.dumps([call.arguments, call.content]) for call in site.calls)
    assert AUTHORITY[1].splitlines()[1] not in "".join(call.content for call in site.calls)


def test_replicas_follow_the_primary(site: Run) -> None:
    sources = [arguments for arguments in site.of("db2", "mysql_source") if "password" in arguments]
    assert [(source["host"], source["user"], source["password"]) for source in sources] == [
        (ADDRESSES["db1"], "replication", SECRETS["mysql_replication"])
    ]
    assert {arguments["state"] for arguments in site.of("db1", "mysql_source")} == {"primary"}
    assert {arguments["state"] for arguments in site.of("redis1", "redis_source")} == {"primary"}
    for source in site.of("redis2", "redis_source"):
        assert (source["state"], source["source_host"]) == ("replica", ADDRESSES["redis1"])
        assert (source["replication_user"], source["replication_password"]) == (
            "replication",
            SECRETS["redis_replication"],
        )


SEED = {"needed": "it is empty", "lost": "", "certificate": "of the replica", "finished": True}
SOURCE = {"source": {"flavor": "mariadb"}, "certificate": "of the primary"}
LOGS_DO, COPY_DOES = ["described", "planned"], ["prepared", "keyed", "received", "sent", "awaited"]


@pytest.mark.parametrize(("needed", "states"), [("", LOGS_DO), ("it is empty", LOGS_DO + COPY_DOES)])
def test_a_replica_is_filled_with_a_copy_where_the_logs_are_not_enough(
    tmp_path: Path, needed: str, states: list[str]
) -> None:
    told = [
        Answer("mysql_source", {"in_place": False, "server_id": 3121, "unlogged": False}, "db2"),
        Answer("mysql_seed", {**SEED, "needed": needed}, "db2"),
        Answer("mysql_seed_source", SOURCE, "db1"),
        *answers(HEALTHY, HEALTHY),
    ]
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, told, tmp_path, "--tags", "mysql")
    assert run.code == 0, run.output
    calls = [call for call in run.calls if call.module in ("mysql_seed", "mysql_seed_source")]
    # A state that is not given is the first one of the module.
    first = {"mysql_seed": "planned", "mysql_seed_source": "described"}
    assert [call.arguments.get("state", first[call.module]) for call in calls] == states
    hosts = {"mysql_seed": "db2", "mysql_seed_source": "db1"}
    assert [call.host for call in calls] == [hosts[call.module] for call in calls]
    for call in calls:
        side = {"received": "of the primary", "sent": "of the replica"}
        wanted = side.get(str(call.arguments.get("state")))
        assert call.arguments.get("certificate") == wanted
    order = [(call.host, call.module) for call in run.calls if call.host == "db2"]
    assert order.index(("db2", "configured_service")) < len(order) - order[::-1].index(("db2", "mysql_source"))


def test_the_live_primary_stays_primary(tmp_path_factory: pytest.TempPathFactory) -> None:
    told = answers(SWITCHED, SWITCHED)
    folder = tmp_path_factory.mktemp("switched")
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, told, folder, "--tags", "mysql")
    assert run.code == 0, run.output
    assert "MySQL: db2 is the live primary and stays it; the inventory says db1." in run.output
    assert {arguments["state"] for arguments in run.of("db2", "mysql_source")} == {"primary"}
    assert {arguments["host"] for arguments in run.of("db1", "mysql_source")} == {ADDRESSES["db2"]}
    assert "read_only = ON" not in run.file("db2", "60-webcluster.cnf").content
    assert {call.host for call in run.calls if call.module == "configured_service"} == {"db1", "db2"}


def test_e3_and_b2_a_bad_host_stops_the_run_before_the_others(tmp_path: Path) -> None:
    refused = Answer("configured_service", {"failed": True, "msg": "The new configuration does not run."}, "web1")
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, [refused, *answers(HEALTHY, HEALTHY)], tmp_path)
    assert run.code != 0
    assert "web1 failed above, nothing was changed on web2: mend the cause and run again." in " ".join(
        run.output.split()
    )
    hosts = [call.host for call in run.calls if call.module == "configured_service"]
    assert set(hosts) == {"lb", "web1", "db1", "db2", "redis1", "redis2"}
    for primary, follower in (("db1", "db2"), ("redis1", "redis2"), ("db2", "web1"), ("redis2", "web1")):
        assert max(at for at, host in enumerate(hosts) if host == primary) < hosts.index(follower)


SPEECHLESS: dict[str, Any] = {
    "state": "unsupported",
    "role": None,
    "checks": {"reachable": {"value": "no_client"}},
    "data": {"empty": None},
}


def test_b4_a_running_server_without_the_client_is_asked_before_anything_is_decided(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    looks = {**dict.fromkeys(HEALTHY, FRESH), "db1": SPEECHLESS}
    told = [Answer("apt", {"changed": True}, "db1"), *answers(looks, HEALTHY)]
    run = run_playbook(CHECKOUT / "site.yml", INVENTORY, told, tmp_path_factory.mktemp("speechless"), "--tags", "never")
    before = [(call.module, call.arguments.get("name")) for call in run.calls if call.host == "db1"]
    asked = ("replication_status", None)
    assert before[before.index(asked) :][:3] == [asked, ("apt", "python3-pymysql"), asked]
    assert [call.host for call in run.calls if call.module == "apt"] == ["db1"]


def test_b4_status_installs_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    told = answers({**HEALTHY, "db1": SPEECHLESS}, HEALTHY)
    run = run_playbook(CHECKOUT / "playbooks/status.yml", INVENTORY, told, tmp_path_factory.mktemp("looked"))
    assert [call for call in run.calls if call.module == "apt"] == []


def judged(run: Run, host: str) -> dict[str, Any]:
    """What a host was asked for its verdict."""
    [arguments] = [arguments for arguments in run.of(host, "replication_status") if "canary" in arguments]
    return arguments


def test_status_expects_of_each_server_what_the_live_servers_say(status: Run) -> None:
    roles = {host: judged(status, host)["expect_role"] for host in HEALTHY}
    assert roles == {"db1": "replica", "db2": "primary", "redis1": "primary", "redis2": "replica"}


@pytest.mark.parametrize(("host", "source", "engine"), [("db1", "db2", "mysql"), ("redis2", "redis1", "redis")])
def test_status_compares_a_replica_with_its_primary_as_the_monitor(
    status: Run, host: str, source: str, engine: str
) -> None:
    login = judged(status, host)["primary"]
    assert (login["login_host"], login["login_user"]) == (ADDRESSES[source], "monitor")
    assert login["login_password"] == SECRETS[f"{engine}_monitor"]
    assert "primary" not in judged(status, source)


def test_status_asks_redis_as_the_monitor(status: Run) -> None:
    for host in ("redis1", "redis2"):
        for arguments in status.of(host, "replication_status"):
            assert (arguments["login_user"], arguments["login_password"]) == ("monitor", SECRETS["redis_monitor"])


def test_status_looks_through_the_front_door(status: Run) -> None:
    [call] = [call for call in status.calls if call.module == "front_door" and call.host == "localhost"]
    assert call.arguments["url"] == "http://10.0.0.52/"
    assert call.arguments["expect_servers"] == ["web1", "web2"]
    assert call.arguments["item_check"] is True


def test_status_changes_nothing(status: Run) -> None:
    assert {call.module for call in status.calls} <= {
        "setup",
        "replication_status",
        "front_door",
        "outdated_services",
    }


def test_status_fails_and_names_the_server_that_is_not_healthy(tmp_path_factory: pytest.TempPathFactory) -> None:
    broken = {**replica("db1"), "healthy": False, "state": "stopped", "msg": "The SQL thread is stopped."}
    told = answers(HEALTHY, {**HEALTHY, "db2": broken})
    folder = tmp_path_factory.mktemp("broken")
    run = run_playbook(CHECKOUT / "playbooks/status.yml", INVENTORY, told, folder)
    assert run.code != 0
    assert "db2: stopped, The SQL thread is stopped." in " ".join(run.output.split())
