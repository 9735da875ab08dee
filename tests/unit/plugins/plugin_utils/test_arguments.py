# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _engines, _variables
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import (
    SECRETS,
    groups,
    look,
    looks,
    topology,
)

OPTIONS = _variables.all_options()
MYSQL = ("mysql_master", "mysql_replica")


def tier(name: str, variables: dict[str, t.Any]) -> dict[str, t.Any]:
    """Variables in the group of a whole engine."""
    return {f"{name}_master": variables, f"{name}_replica": variables}


def arguments(host: str, of: dict[str, list[str]] | None = None, **changed: t.Any) -> dict[str, t.Any]:
    result = topology(of, **changed)
    assert result["errors"] == []
    return result["arguments"][host]


def service(host: str, name: str, **changed: t.Any) -> dict[str, t.Any]:
    found: dict[str, t.Any] = next(
        entry for entry in arguments(host, **changed)["haproxy_data_services"] if entry["name"] == name
    )
    return found


def tiers_of(result: t.Any) -> dict[str, list[str]]:
    """What each host is converged to, whenever that is."""
    return {host: [tier for wave in result["waves"] for tier in wave[host]] for host in result["waves"][0]}


def waves(*limit: str) -> list[dict[str, list[str]]]:
    """Who is converged when, in a cluster that runs."""
    live = {"db1": {"__webcluster_looks": looks("mysql", "db1", look("primary"))}}
    return [{host: tiers for host, tiers in wave.items() if tiers} for wave in topology(None, limit, **live)["waves"]]


def test_b2_and_e3_a_running_cluster_is_converged_in_waves() -> None:
    assert waves() == [
        {"lb": ["haproxy"], "db1": ["mysql"], "r1": ["redis"]},
        {"db2": ["mysql"], "db3": ["mysql"], "r2": ["redis"]},
        {"web1": ["apache_php", "haproxy"]},
        {"web2": ["apache_php", "haproxy"]},
    ]


def test_e3_the_first_web_server_of_a_limited_run_goes_ahead() -> None:
    assert waves("web2")[2] == {"web2": ["apache_php", "haproxy"]}


def test_on_the_first_day_everything_is_converged_at_once() -> None:
    first, *later = topology()["waves"]
    assert all(first.values())
    assert not any(tiers for wave in later for tiers in wave.values())


def test_the_usual_cluster() -> None:
    result = topology()
    assert tiers_of(result) == {
        "lb": ["haproxy"],
        "web1": ["apache_php", "haproxy"],
        "web2": ["apache_php", "haproxy"],
        **{host: ["mysql"] for host in ("db1", "db2", "db3")},
        **{host: ["redis"] for host in ("r1", "r2")},
    }
    assert result["arguments"]["db2"] == {
        "mysql_server_bind_address": "10.0.0.21",
        "mysql_server_members": ["10.0.0.20", "10.0.0.22"],
        "mysql_server_application_hosts": ["10.0.0.4", "10.0.0.5"],
        "mysql_server_status_hosts": ["10.0.0.4", "10.0.0.5"],
        "mysql_server_certificate_names": ["db2", "10.0.0.21"],
        "mysql_replica_source_host": "10.0.0.20",
        "mysql_replica_source_port": 3306,
        "mysql_replica_source_name": "db1",
    }
    assert result["arguments"]["r1"] == {
        "redis_server_bind_address": "10.0.0.36",
        "redis_server_certificate_names": ["r1", "10.0.0.36"],
    }
    assert result["arguments"]["lb"] == {
        "haproxy_http_backends": [
            {"name": "web1", "address": "10.0.0.4", "port": 80},
            {"name": "web2", "address": "10.0.0.5", "port": 80},
        ],
        "haproxy_http_sites": [{"name": "demo", "domains": ["*"], "request_time_limit": 30, "upload_limit_mb": 8}],
        "haproxy_https_certificates": [],
        "haproxy_acme_certificates": [],
        "haproxy_data_services": [],
        "haproxy_stats_bind_address": "10.0.0.52",
        "haproxy_http_request_time_limit": 30,
        "haproxy_http_upload_limit_mb": 8,
        "haproxy_redis_monitor_user": "",
        "keepalived_host_address": "10.0.0.52",
        "keepalived_peers": [],
        "keepalived_priority": 200,
        "keepalived_check_url": "http://10.0.0.52:8404/livez",
    }
    assert result["arguments"]["web1"]["haproxy_http_backends"] == []


def test_every_argument_is_one_that_its_role_accepts() -> None:
    for of in topology()["arguments"].values():
        for name, value in of.items():
            assert _variables.value_error(name, value, OPTIONS[name]) is None


def test_no_secret_is_in_the_topology() -> None:
    assert not [secret for secret in SECRETS.values() if secret in str(topology())]


@pytest.mark.parametrize(
    ("host", "option", "value", "joined"),
    [
        ("db1", "mysql_server_application_hosts", ["10.9.9.9"], ["10.9.9.9", "10.0.0.4", "10.0.0.5"]),
        ("db1", "mysql_server_status_hosts", ["10.9.9.0/24", "10.0.0.4"], ["10.9.9.0/24", "10.0.0.4", "10.0.0.5"]),
        ("db1", "mysql_server_members", ["10.9.9.9"], ["10.9.9.9", "10.0.0.21", "10.0.0.22"]),
        ("web1", "apache_php_trusted_proxies", ["10.9.9.9"], ["10.9.9.9", "10.0.0.52"]),
    ],
)
def test_what_the_inventory_adds_is_joined(host: str, option: str, value: list[str], joined: list[str]) -> None:
    changed: dict[str, t.Any] = {host: {option: value}}
    assert arguments(host, **changed)[option] == joined


@pytest.mark.parametrize(
    ("host", "option", "value"),
    [
        ("db1", "mysql_server_bind_address", "*"),
        ("r2", "redis_server_bind_address", "::"),
        ("lb", "haproxy_stats_bind_address", "10.9.9.9"),
        ("web1", "haproxy_stats_bind_address", "10.9.9.9"),
    ],
)
def test_an_address_to_listen_at_stays_the_inventorys(host: str, option: str, value: str) -> None:
    changed: dict[str, t.Any] = {host: {option: value}}
    assert arguments(host, **changed)[option] == value


def test_names_and_ports_are_read_from_the_host_that_owns_them() -> None:
    mysql = tier("mysql", {"mysql_server_status_port": 9300})
    redis = tier("redis", {"redis_server_monitor_user": "watch"})
    web = arguments("web1", **(mysql | redis))
    assert web["haproxy_redis_monitor_user"] == "watch"
    assert service("web1", "mysql_read", **mysql)["check_port"] == 9300
    assert arguments("web1")["haproxy_redis_monitor_user"] == "monitor"
    assert service("web1", "mysql_write")["check_port"] == 9200
    ports = service("web1", "redis_write", **tier("redis", {"redis_server_tls_port": "6400"}))["servers"]
    assert [server["port"] for server in ports] == [6400, 6400]
    plain: dict[str, t.Any] = {"webcluster": {"webcluster_tls": []}, **tier("redis", {"redis_server_port": "6401"})}
    ports = service("web1", "redis_write", **plain)["servers"]
    assert [server["port"] for server in ports] == [6401, 6401]


def test_the_data_proxies_ports_are_settings() -> None:
    changed: dict[str, t.Any] = {"web1": {"webcluster_mysql_write_port": 13306, "webcluster_redis_read_port": "16380"}}
    assert service("web1", "mysql_write", **changed)["bind_port"] == 13306
    assert service("web2", "mysql_write", **changed)["bind_port"] == 3306
    assert service("web1", "redis_read", **changed)["bind_port"] == 16380
    [demo] = arguments("web1", **changed)["apache_php_sites"]
    ports = [demo["environment"][f"{kind}_PORT"] for kind in ("DB", "DB_READ", "REDIS", "REDIS_READ")]
    assert ports == ["13306", "3307", "6379", "16380"]


def test_b7_e4_one_setting_is_the_limit_of_every_role_on_the_way() -> None:
    limits: dict[str, t.Any] = {"webcluster_request_time_limit": "90", "webcluster_upload_limit_mb": 64}
    for host in ("lb", "web1"):
        found = arguments(host, lb=limits, apache_php=limits)
        assert found["haproxy_http_request_time_limit"] == 90
        assert found["haproxy_http_upload_limit_mb"] == 64
    assert (found["apache_php_request_time_limit"], found["apache_php_upload_limit_mb"]) == (90, 64)


def test_limits_are_alike_in_roles_and_playbooks() -> None:
    for limit, names in _engines.LIMITS.items():
        assert {OPTIONS[name]["default"] for name in (f"webcluster_{limit}", *names)} == {
            OPTIONS[f"webcluster_{limit}"]["default"]
        }


def test_a_web_server_names_itself_as_the_inventory_does() -> None:
    assert arguments("web1")["apache_php_server_name"] == "web1"
    assert arguments("web1", web1={"apache_php_server_name": "blue"})["apache_php_server_name"] == "blue"


def test_without_redis_there_is_no_demo_and_no_redis_service() -> None:
    of = groups(redis_master=[], redis_replica=[])
    web = arguments("web1", of)
    assert web["apache_php_sites"] == []
    assert [entry["name"] for entry in web["haproxy_data_services"]] == ["mysql_write", "mysql_read"]
    assert web["haproxy_redis_monitor_user"] == ""


def test_without_data_servers_a_web_server_has_no_data_proxy() -> None:
    of = groups(mysql_master=[], mysql_replica=[], redis_master=[], redis_replica=[])
    assert tiers_of(topology(of)) == {"lb": ["haproxy"], "web1": ["apache_php"], "web2": ["apache_php"]}


def test_a_single_mysql_server_takes_reads_and_writes() -> None:
    of = groups(mysql_replica=[])
    assert arguments("db1", of)["mysql_server_members"] == []
    servers = [entry["servers"] for entry in arguments("web1", of)["haproxy_data_services"] if "mysql" in entry["name"]]
    assert servers == [[{"name": "db1", "address": "10.0.0.20", "port": 3306}]] * 2


def test_one_host_may_be_everything() -> None:
    names = {group: ["all1"] for group in ("haproxy", "apache_php", "mysql_master", "redis_master")}
    of = groups(**names, mysql_replica=[], redis_replica=[])
    moved = {f"webcluster_{key}_{what}_port": port for key, what, port in (
        ("mysql", "write", 13306), ("mysql", "read", 13307), ("redis", "write", 16379), ("redis", "read", 16380)
    )}  # fmt: skip
    result = topology(of, all1={**moved, "apache_php_listen_port": 8080})
    assert result["errors"] == []
    assert tiers_of(result) == {"all1": ["mysql", "redis", "apache_php", "haproxy"]}
    found = result["arguments"]["all1"]
    assert found["haproxy_http_backends"] == [{"name": "all1", "address": "10.0.0.99", "port": 8080}]
    assert found["haproxy_data_services"][0]["bind_port"] == 13306
    assert found["mysql_server_application_hosts"] == ["10.0.0.99"]


def test_b2_a_web_server_is_healthy_only_while_its_data_proxy_works() -> None:
    assert arguments("web1")["apache_php_health_urls"] == ["http://10.0.0.4:8404/livez"]
    moved = {"haproxy_stats_bind_address": "127.0.0.1", "haproxy_stats_port": 8405}
    assert arguments("web1", web1=moved)["apache_php_health_urls"] == ["http://127.0.0.1:8405/livez"]
    own = {"apache_php_health_urls": ["http://127.0.0.1:9000/"]}
    assert arguments("web1", web1=own)["apache_php_health_urls"][0] == "http://127.0.0.1:9000/"
    of = groups(mysql_master=[], mysql_replica=[], redis_master=[], redis_replica=[])
    assert arguments("web1", of)["apache_php_health_urls"] == []
