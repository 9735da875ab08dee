# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import LOGIN_FILE
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _topology
from ansible_collections.siteops.webcluster.plugins.plugin_utils._certificates import shown
from ansible_collections.siteops.webcluster.tests.certificates import issue
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import (
    groups,
    hostvars,
    look,
    looks,
    topology,
)
from jinja2 import StrictUndefined


def test_topology_joins_looks_from_the_run_and_from_outside() -> None:
    variables = hostvars(
        groups(),
        r1={"__webcluster_looks": looks("redis", "r1", look("replica", "10.0.0.37"))},
        r2={"__webcluster_looks": {}},
        web1={"apache_php_listen_port": "8080"},
    )
    result = _topology.topology(groups(), variables, looks("redis", "r2", look("primary"))["results"])
    redis, mysql = result["engines"]["redis"], result["engines"]["mysql"]
    assert redis["primary"] == {"name": "r2", "address": "10.0.0.37", "port": 6378}
    assert redis["replicas"] == [{"name": "r1", "address": "10.0.0.36", "port": 6378}]
    assert redis["decided_by"] == "live"
    assert mysql["decided_by"] == "inventory"
    assert [member["name"] for member in mysql["replicas"]] == ["db2", "db3"]
    assert result["web"][0] == {"name": "web1", "address": "10.0.0.4", "port": 8080}
    assert result["errors"] == []


@pytest.mark.parametrize(
    "looked",
    [
        {"__webcluster_looks": {}},
        {"__webcluster_looks": {"failed": True, "msg": "a crash", "results": []}},
        {"__webcluster_looks": looks("mysql", "db2", {"unreachable": True, "msg": "no answer."})},
        {"__webcluster_looks": looks("mysql", "db2", {"failed": True, "msg": "a crash"})},
    ],
)
def test_a_server_that_could_not_be_asked_stops_a_run_and_not_a_look(looked: dict[str, t.Any]) -> None:
    variables = hostvars(groups(), db2=looked)
    asked = "MySQL on db2 could not be asked who it is: "
    assert not [error for error in _topology.topology(groups(), variables)["errors"] if error.startswith(asked)]
    errors = _topology.topology(groups(), variables, must_answer=["db1", "db2", "db3"])["errors"]
    assert len([error for error in errors if error.startswith(asked)]) == 1


def test_a_host_of_the_cluster_may_be_in_no_tier() -> None:
    of = groups()
    of["webcluster"].append("all1")
    assert [wave["all1"] for wave in topology(of)["waves"]] == [[]] * 4


def test_a_host_without_address_is_an_error() -> None:
    assert "Host web2 has no known address" in topology(web2={"ansible_host": "web2.example.org"})["errors"][0]


def test_a_setting_without_value_is_an_error_that_names_it() -> None:
    errors = topology(web1={"webcluster_mysql_write_port": StrictUndefined(hint="'offset' is undefined")})["errors"]
    assert errors == [
        "Variable webcluster_mysql_write_port (web1) has no value: 'offset' is undefined; correct it in the inventory."
    ]


def test_each_data_server_is_asked_by_its_own_settings() -> None:
    asked = _topology.data_servers(groups(), hostvars(groups(), r2={"redis_server_port": "6400"}))
    over_its_socket = {"login_user": "", "login_port": 0, "login_password": "", "login_file": ""}
    assert asked[0] == {"host": "db1", "engine": "mysql", **over_its_socket}
    assert asked[-1] == {
        "host": "r2",
        "engine": "redis",
        "login_user": "monitor",
        "login_port": 6400,
        "login_password": "redis_server_monitor_password",
        "login_file": LOGIN_FILE,
    }
    assert [server["host"] for server in asked] == ["db1", "db2", "db3", "r1", "r2"]


def test_a_replica_is_judged_beside_its_primary() -> None:
    watch = {"mysql_server_monitor_user": "watch", "mysql_server_port": 3310}
    servers = {server["host"]: server for server in topology(mysql_master=watch, mysql_replica=watch)["servers"]}
    assert (servers["db1"]["expect_role"], servers["db1"]["primary"]) == ("primary", None)
    assert servers["db3"]["expect_role"] == "replica"
    assert servers["db3"]["primary"] == {"login_host": "10.0.0.20", "login_port": 3310, "login_user": "watch"}
    assert (servers["db3"]["primary_name"], servers["db3"]["primary_password"]) == (
        "db1",
        "mysql_server_monitor_password",
    )


def test_a_redis_server_is_judged_over_tls_as_others_see_it() -> None:
    tls = {"tls": "required", "ca_cert": "/etc/webcluster-redis-tls/ca.pem"}
    servers = {server["host"]: server for server in topology()["servers"]}
    assert servers["r2"]["primary"] == {"login_host": "10.0.0.36", "login_port": 6378, "login_user": "monitor", **tls}
    assert (servers["r2"]["login_port"], servers["r2"]["tls"], servers["r2"]["ca_cert"]) == (6378, *tls.values())
    plain: dict[str, t.Any] = {"webcluster": {"webcluster_tls": []}}
    servers = {server["host"]: server for server in topology(**plain)["servers"]}
    assert servers["r2"]["primary"] == {"login_host": "10.0.0.36", "login_port": 6379, "login_user": "monitor"}
    assert (servers["r2"]["login_port"], "tls" in servers["r2"]) == (6379, False)


def test_a3_nobody_is_told_whom_to_follow_where_the_tier_disagrees() -> None:
    two: dict[str, t.Any] = {
        name: {"__webcluster_looks": looks("redis", name, look("standalone", empty=False))} for name in ("r1", "r2")
    }
    result = topology(**two)
    assert len(result["errors"]) == 1
    assert result["engines"]["redis"]["disputed"]
    assert not result["engines"]["mysql"]["disputed"]
    judged = [server for server in result["servers"] if server["engine"] == "redis"]
    assert [(server["expect_role"], server["primary"], server["canary"]) for server in judged] == [
        ("", None, "none")
    ] * 2


def test_visitors_come_in_through_the_load_balancers() -> None:
    assert topology()["doors"] == [
        {
            "name": "lb",
            "url": "http://10.0.0.52/",
            "expect_servers": ["web1", "web2"],
            "item_check": True,
            "item_host": "",
            "expect_replica": True,
            "validate_certs": False,
            "certificates": [],
            "https_port": 443,
        }
    ]
    moved = topology(lb={"haproxy_http_bind_port": 8080}, web1={"apache_php_server_name": "blue"})["doors"][0]
    assert (moved["url"], moved["expect_servers"]) == ("http://10.0.0.52:8080/", ["blue", "web2"])
    given = topology(lb={"webcluster_url": "https://www.example.org/"})["doors"][0]
    assert (given["url"], given["validate_certs"]) == ("https://www.example.org/", True)


def test_visitors_come_in_over_tls_where_they_are_sent_there() -> None:
    own: dict[str, t.Any] = {"haproxy_https_certificates": [{"certificate": "text", "private_key": "text"}]}

    def url(**more: t.Any) -> str:
        return str(topology(lb={**own, **more})["doors"][0]["url"])

    assert url() == "https://10.0.0.52/"
    assert url(haproxy_https_bind_port=8443) == "https://10.0.0.52:8443/"
    assert url(haproxy_https_redirect=False) == "http://10.0.0.52/"
    assert url(haproxy_https_enabled=False) == "http://10.0.0.52/"


def test_p7_visitors_are_shown_the_certificates_of_the_inventory() -> None:
    issued = issue("www.example.org")
    own: dict[str, t.Any] = {"haproxy_https_certificates": [issued.variables()], "haproxy_https_bind_port": 8443}
    door = topology(lb=own)["doors"][0]
    assert (door["certificates"], door["https_port"]) == (shown([issued.variables()]), 8443)
    assert door["certificates"][0]["name"] == "www.example.org"
    for otherwise in ({"haproxy_https_enabled": False}, {"webcluster_url": "https://cdn.example.org/"}):
        assert topology(lb={**own, **otherwise})["doors"][0]["certificates"] == []


def test_http_and_https_have_a_port_each() -> None:
    errors = topology(lb={"haproxy_https_bind_port": 80})["errors"]
    assert any("haproxy_http_bind_port and haproxy_https_bind_port are both 80" in error for error in errors)
    assert topology(lb={"haproxy_https_bind_port": 80, "haproxy_https_enabled": False})["errors"] == []


def test_a_visitor_who_sticks_to_one_server_meets_no_other() -> None:
    assert topology(lb={"haproxy_http_balance": "source"})["doors"][0]["expect_servers"] == []


def test_without_load_balancer_each_web_server_is_a_front_door() -> None:
    doors = topology(groups(haproxy=[]), web2={"apache_php_listen_port": 8080})["doors"]
    assert [(door["name"], door["url"], door["expect_servers"]) for door in doors] == [
        ("web1", "http://10.0.0.4/", ["web1"]),
        ("web2", "http://10.0.0.5:8080/", ["web2"]),
    ]
    given = topology(groups(haproxy=[]), apache_php={"webcluster_url": "http://www.example.org/"})["doors"]
    assert [(door["name"], door["expect_servers"]) for door in given] == [("front", ["web1", "web2"])]
    assert topology(groups(haproxy=[], apache_php=[]))["doors"] == []


@pytest.mark.parametrize(
    ("changed", "of"),
    [
        ({"webcluster": {"webcluster_sites": []}}, {}),
        ({"web2": {"apache_php_document_root": "/srv/www"}}, {}),
        ({}, {"redis_master": [], "redis_replica": []}),
        ({}, {"mysql_master": [], "mysql_replica": []}),
    ],
)
def test_no_item_is_written_where_the_demo_is_not(changed: dict[str, t.Any], of: dict[str, list[str]]) -> None:
    assert topology(groups(**of), **changed)["doors"][0]["item_check"] is False


def test_the_demo_is_found_by_its_own_name_where_the_list_has_it() -> None:
    demo = {"name": "show", "domains": ["demo.example"], "source": "demo", "database": {}, "redis": {}}
    passwords = {"show": {"mysql": "x", "redis": "y"}}
    result = topology(webcluster={"webcluster_sites": [demo], "webcluster_site_passwords": passwords})
    assert result["errors"] == []
    assert (result["doors"][0]["item_check"], result["doors"][0]["item_host"]) == (True, "demo.example")
    assert Path(result["sites"][0]["code"]["source"], "public", "index.php").is_file()


def test_an_item_needs_no_replica_where_there_is_none() -> None:
    door = topology(groups(mysql_replica=[]))["doors"][0]
    assert (door["item_check"], door["expect_replica"]) == (True, False)


def test_statistics_are_where_the_inventory_put_them() -> None:
    closed = "closed; webcluster_monitoring_sources opens it"
    assert topology()["statistics"] == [f"http://10.0.0.52:8404/stats ({closed})"]
    moved = topology(lb={"haproxy_stats_bind_address": "10.9.9.9", "haproxy_stats_port": 8500})
    assert moved["statistics"] == [f"http://10.9.9.9:8500/stats ({closed})"]


def test_whoever_gets_to_the_statistics_is_told() -> None:
    page = "http://10.0.0.52:8404/stats"
    watched = topology(lb={"webcluster_monitoring_sources": ["10.9.0.0/24", "10.9.1.7"]})
    assert watched["statistics"] == [f"{page} (for 10.9.0.0/24, 10.9.1.7)"]
    assert topology(lb={"firewall_enabled": False})["statistics"] == [f"{page} (private address)"]
