# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who must reach which port: what a firewall has to leave open, and nothing else."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import ANYWHERE
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, topology

Flows = dict[int, list[str]]
WEB = ["10.0.0.4", "10.0.0.5"]
MYSQL = ["10.0.0.20", "10.0.0.21", "10.0.0.22"]


def flows(host: str, of: dict[str, list[str]] | None = None, **more: t.Any) -> Flows:
    """The sources of each port of a host."""
    found = topology(of, **more)["flows"][host]
    assert {flow["protocol"] for flow in found} <= {"tcp"}
    return {flow["port"]: sorted(flow["sources"]) for flow in found}


def test_each_tier_is_open_to_the_tier_before_it_and_to_its_members() -> None:
    assert flows("lb") == {80: ANYWHERE, 443: ANYWHERE}
    assert flows("web1") == {80: ["10.0.0.52"]}
    for host, own in zip(("db1", "db2", "db3"), MYSQL, strict=True):
        others = [address for address in MYSQL if address != own]
        assert flows(host) == {3306: sorted([*others, *WEB]), 4444: sorted(others), 9200: WEB}
    assert flows("r1") == {6378: sorted(["10.0.0.37", *WEB])}
    # Without TLS its usual port.
    plain: dict[str, t.Any] = {"webcluster": {"webcluster_tls": []}}
    assert flows("r1", **plain) == {6379: sorted(["10.0.0.37", *WEB])}


def test_each_flow_says_what_for() -> None:
    said = {flow["port"]: flow["purpose"] for flow in topology()["flows"]["db1"]}
    assert said == {3306: "MySQL", 4444: "a copy of MySQL's data", 9200: "MySQL's status service"}


def test_without_a_load_balancer_visitors_come_to_the_web_servers() -> None:
    assert flows("web1", groups(haproxy=[])) == {80: ANYWHERE}


def test_statistics_and_status_are_for_the_monitoring() -> None:
    monitoring = {"webcluster_monitoring_sources": ["10.9.0.0/24"]}
    everywhere: dict[str, t.Any] = dict.fromkeys(("haproxy", "apache_php", "mysql_master", "redis_master"), monitoring)
    assert flows("lb", **everywhere) == {80: ANYWHERE, 443: ANYWHERE, 8404: ["10.9.0.0/24"]}
    assert flows("web2", **everywhere)[8404] == ["10.9.0.0/24"]
    assert flows("db1", **everywhere)[9200] == sorted(["10.9.0.0/24", *WEB])
    # The service itself answers those only whom it was told of.
    assert "10.9.0.0/24" in topology(**everywhere)["arguments"]["db1"]["mysql_server_status_hosts"]
    assert set(flows("r1", **everywhere)) == {6378}


def test_ports_are_those_of_the_settings() -> None:
    own = {"haproxy_http_bind_port": 8000, "haproxy_https_bind_port": 8443}
    assert flows("lb", lb=own) == {8000: ANYWHERE, 8443: ANYWHERE}
    assert flows("lb", lb={"haproxy_https_enabled": False}) == {80: ANYWHERE}
    assert flows("web1", web1={"apache_php_listen_port": "8080"}) == {8080: ["10.0.0.52"]}
    both = {"mysql_server_port": 3310, "mysql_server_status_port": 9300, "mysql_replica_seed_port": 4445}
    assert set(flows("db2", mysql_master=both, mysql_replica=both)) == {3310, 4445, 9300}


def test_whoever_may_log_in_may_come() -> None:
    accounts = [{"name": "reports", "password": "r", "databases": [], "hosts": ["10.7.%"]}]
    more: dict[str, t.Any] = {
        "mysql_server_application_hosts": ["10.5.0.0/255.255.255.0"],
        "mysql_server_application_accounts": accounts,
    }
    assert {"10.5.0.0/24", "10.7.0.0/16"} <= set(flows("db1", db1=more)[3306])
    assert "10.6.0.1" in flows("web1", web1={"apache_php_trusted_proxies": ["10.6.0.1"]})[80]


def test_what_listens_for_its_own_host_only_is_closed() -> None:
    of = groups(haproxy=[], apache_php=[], mysql_replica=[], redis_master=[], redis_replica=[])
    assert flows("db1", of, db1={"mysql_server_bind_address": "127.0.0.1", "mysql_server_status_enabled": False}) == {}
    assert flows("lb", lb={"haproxy_http_bind_address": "127.0.0.1"}) == {}


def test_everything_on_one_host_is_open_to_visitors_only() -> None:
    of = {name: ["all1"] for name in ("haproxy", "apache_php", "mysql_master", "redis_master")}
    alone = groups(**{**of, "mysql_replica": [], "redis_replica": []})
    ports = {"apache_php_listen_port": 8080, "webcluster_mysql_write_port": 13306, "webcluster_mysql_read_port": 13307}
    assert flows("all1", alone, all1=ports) == {80: ANYWHERE, 443: ANYWHERE}


def test_a_host_in_no_tier_is_none_of_ours() -> None:
    of = groups()
    of["webcluster"].append("all1")
    assert "all1" not in topology(of)["flows"]


def test_a_host_whose_address_nobody_knows_is_left_out() -> None:
    found = topology(web2={"ansible_host": "web2.example.org"})
    assert found["flows"]["db1"][0]["sources"] == ["10.0.0.4", "10.0.0.21", "10.0.0.22"]
    assert not [error for error in found["errors"] if "firewall" in error]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"web2": {"webcluster_address": "web2.example.org"}},
            "web2.example.org may come to port 3306 of db1 (MySQL), but the firewall there knows no names;",
        ),
        (
            {"db1": {"mysql_server_application_hosts": ["app.example.org"]}},
            "app.example.org may come to port 3306 of db1 (MySQL), but",
        ),
        (
            {"lb": {"webcluster_monitoring_sources": ["prometheus"]}},
            "prometheus may come to port 8404 of lb (HAProxy's statistics), but",
        ),
    ],
)
def test_a_name_is_refused_where_there_is_a_firewall(more: dict[str, t.Any], words: str) -> None:
    errors = topology(**more)["errors"]
    assert any(words in error for error in errors), errors
    off = {"firewall_enabled": False}
    without: dict[str, t.Any] = {
        name: {**off, **more.get(name, {})} for name in ("lb", "web1", "web2", "db1", "db2", "db3", "r1", "r2")
    }
    assert topology(**without)["errors"] == []
