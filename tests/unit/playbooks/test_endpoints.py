# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks tell each host where Redis is an endpoint that somebody else runs, over hosts that are not there."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_move_mysql import PRIMARY, REPLICA, steps
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_move_mysql import told as told_mysql
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    DEMO_SECRETS,
    FRESH,
    HEALTHY,
    INVENTORY,
    answers,
    primary,
    section,
    traces,
)

KEY = "endpoint-access-key"
ENDPOINT = {
    "write": {"host": "shop.redis.example", "port": 10000},
    "read": [{"host": "shop-r1.redis.example", "port": 10000}],
    "user": "ops",
    "password": KEY,
}
HOSTS = {name: HEALTHY[name] for name in ("db1", "db2")}


def inventory(**changed: Any) -> dict[str, Any]:
    """The usual cluster, whose Redis is an endpoint, and which has no secret of a Redis server."""
    found: dict[str, Any] = copy.deepcopy(INVENTORY)
    cluster = found["webcluster"]
    for group in ("redis_master", "redis_replica"):
        del cluster["children"][group]
    for name in [name for name in cluster["vars"] if name.startswith("redis_server")]:
        del cluster["vars"][name]
    cluster["vars"] |= {
        "webcluster_redis_external": ENDPOINT,
        "webcluster_site_passwords": {"demo": {"mysql": DEMO_SECRETS["mysql"]}},
        **changed,
    }
    return found


def told(verdict: dict[str, Any] | None = None) -> list[Answer]:
    """The hosts as usual; a web server asks the endpoints."""
    asked = Answer("replication_status", {**primary(), **(verdict or {})}, "web1", ("login_host",))
    return [asked, *answers(dict.fromkeys(HOSTS, FRESH), HOSTS)]


def play(playbook: str, folder: Path, *options: str, verdict: dict[str, Any] | None = None) -> Run:
    return run_playbook(CHECKOUT / playbook, inventory(), told(verdict), folder, *options)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = play("site.yml", tmp_path_factory.mktemp("site"))
    assert run.code == 0, run.output
    return run


def test_data_proxies_speak_tls_with_the_endpoint(site: Run) -> None:
    for web in ("web1", "web2"):
        config = site.file(web, "haproxy.cfg").content
        write, read = section(config, "listen redis_write"), section(config, "listen redis_read")
        assert "bind 127.0.0.1:6379\n" in write
        assert "server shop.redis.example_10000 shop.redis.example:10000 sni str(shop.redis.example)" in write
        assert "shop-r1" not in write
        assert "server shop-r1.redis.example_10000 shop-r1.redis.example:10000 sni" in read
        assert "server shop.redis.example_10000 shop.redis.example:10000 backup sni" in read
        # AUTH as its user, and PING.
        login = f"*3\r\n$4\r\nAUTH\r\n$3\r\nops\r\n${len(KEY)}\r\n{KEY}\r\n"
        assert login.encode().hex() in write


def test_sites_are_the_endpoints_one_user_with_a_prefix_each(site: Run) -> None:
    env = site.file("web1", "demo.env").content
    for line in (
        "REDIS_HOST='127.0.0.1'",
        "REDIS_PORT='6379'",
        "REDIS_USERNAME='ops'",
        f"REDIS_PASSWORD='{KEY}'",
        "REDIS_PREFIX='demo:'",
        f"DB_PASSWORD='{DEMO_SECRETS['mysql']}'",
    ):
        assert f"\n{line}\n" in env


def test_only_web_servers_get_the_endpoints_password(site: Run) -> None:
    told_of = [call for call in site.calls if call.module != "front_door"]
    knowing = {call.host for call in told_of if any(one in json.dumps(vars(call)) for one in traces(KEY))}
    assert knowing == {"web1", "web2"}


def test_the_verdict_asks_the_endpoints_from_a_web_server_over_tls(site: Run) -> None:
    writer, reader = [asked for asked in site.of("web1", "replication_status") if "login_host" in asked]
    login = {
        "engine": "redis",
        "login_host": "shop.redis.example",
        "login_port": 10000,
        "login_user": "ops",
        "login_password": KEY,
        "tls": "required",
        "ca_cert": "/etc/ssl/certs/ca-certificates.crt",
    }
    assert login.items() <= writer.items()
    assert (writer["expect_role"], writer["canary"], "primary" in writer) == ("primary", "both", False)
    assert (reader["login_host"], reader["expect_role"]) == ("shop-r1.redis.example", "replica")
    assert reader["primary"] == {name: value for name, value in login.items() if name != "engine"}
    assert not [asked for asked in site.of("web2", "replication_status") if "login_host" in asked]
    assert "Redis: shop.redis.example:10000 (not run by us)" in site.output
    assert "VERDICT healthy" in site.output


def test_status_names_the_endpoint_and_why_it_is_not_well(tmp_path: Path) -> None:
    reason = {"severity": "error", "check": "reachable", "message": "the server's certificate is not trusted"}
    run = play(
        "playbooks/status.yml",
        tmp_path,
        verdict={"healthy": False, "state": "unreachable", "role": None, "reasons": [reason]},
    )
    assert run.code != 0
    said = " ".join(run.output.split())
    assert "shop.redis.example:10000: unreachable, the server's certificate is not trusted." in said


@pytest.mark.parametrize("playbook", ["switchover", "promote", "rejoin"])
def test_a_primary_that_somebody_else_runs_is_not_moved(playbook: str, tmp_path: Path) -> None:
    run = play(f"playbooks/{playbook}.yml", tmp_path, "-e", "tier=redis", "-e", "to=redis2")
    assert run.code != 0
    said = " ".join(run.output.split())
    assert "redis is an endpoint (webcluster_redis_external), whose provider promotes, moves and brings back" in said
    assert "use the service's own failover" in said
    assert run.calls == []


def test_the_primary_of_a_tier_with_hosts_moves_beside_it(tmp_path: Path) -> None:
    moving = [told_mysql("db1", PRIMARY, seconds=0.4), told_mysql("db2", REPLICA)]
    run = run_playbook(
        CHECKOUT / "playbooks/switchover.yml",
        inventory(),
        [*moving, *told(), *answers(HOSTS, HOSTS)],
        tmp_path,
        "-e",
        "tier=mysql",
        "-e",
        "to=db2",
    )
    assert run.code == 0, run.output
    assert steps(run) == ["db1: hand_over", "db2: take_over"]


@pytest.mark.parametrize("playbook", ["backup", "backups", "restore"])
def test_copies_of_an_endpoint_are_its_providers(playbook: str, tmp_path: Path) -> None:
    run = play(f"playbooks/{playbook}.yml", tmp_path, "-e", "tier=redis", "-e", "into=scratch")
    assert run.code != 0
    assert "redis is an endpoint (webcluster_redis_external), whose provider makes and restores its copies" in " ".join(
        run.output.split()
    )
