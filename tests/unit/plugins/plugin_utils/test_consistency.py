# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, topology

ONE_HOST = {group: ["all1"] for group in ("haproxy", "apache_php", "mysql_master", "redis_master")}


def errors(of: dict[str, list[str]] | None = None, **changed: t.Any) -> list[str]:
    return topology(of, **changed)["errors"]


def test_a_status_service_that_is_off_is_refused_where_data_proxies_ask_it() -> None:
    off: dict[str, t.Any] = {
        "mysql_master": {"mysql_server_status_enabled": False},
        "mysql_replica": {"mysql_server_status_enabled": "no"},
    }
    assert errors(**off) == [
        "Variable mysql_server_status_enabled is false for db1, db2, db3, but the data proxies of web1, web2 ask that service"
        " who takes writes and reads; expected true where there are web servers: remove it."
    ]
    assert errors(groups(haproxy=[], apache_php=[]), **off) == []


def test_p4_no_host_of_the_cluster_has_to_speak_the_proxy_protocol() -> None:
    assert errors(lb={"haproxy_http_proxy_sources": ["10.0.9.0/24", "192.0.2.7"]}) == []
    assert errors(lb={"haproxy_http_proxy_sources": ["10.0.9.0/24", "10.0.0.0/28"]}) == [
        "Variable haproxy_http_proxy_sources holds 10.0.0.0/28 for lb, which is web1, web2 too, and those ask it plainly;"
        " expected the addresses of your proxies alone: name these."
    ]
    assert (
        "haproxy_http_proxy_sources holds lb.example, expected addresses"
        in errors(lb={"haproxy_http_proxy_sources": ["lb.example"]})[0]
    )


@pytest.mark.parametrize(
    "option", ["mysql_server_application_user", "mysql_server_monitor_user", "mysql_server_replication_user"]
)
def test_an_account_has_one_name_in_the_whole_tier(option: str) -> None:
    assert errors(mysql_replica={option: "other"})[0].startswith(f"Variable {option} is ")
    both = {option: "other"}
    assert errors(mysql_master=both, mysql_replica=both) == []


def test_the_status_port_is_one_in_the_whole_tier() -> None:
    assert errors(db2={"mysql_server_status_port": 9300}) == [
        "Variable mysql_server_status_port is 9200 for db1, 9300 for db2, 9200 for db3; expected the same for the whole tier:"
        " set it in a group of all MySQL hosts."
    ]


def test_b7_a_limit_is_one_on_the_whole_way() -> None:
    assert errors(lb={"webcluster_request_time_limit": 60}) == [
        "Variable webcluster_request_time_limit is 60 for lb, 30 for web1, web2; expected the same for all of them: set it in"
        " group webcluster."
    ]
    everywhere: dict[str, t.Any] = {"webcluster_upload_limit_mb": 0}
    assert errors(haproxy=everywhere, apache_php=everywhere) == [
        "Variable webcluster_upload_limit_mb is 0 for lb, web1, web2; expected at least 1: correct it."
    ]


def test_a_data_server_listens_where_the_others_look_for_it() -> None:
    elsewhere: dict[str, t.Any] = {"db1": {"mysql_server_bind_address": "127.0.0.1"}}
    assert errors(**elsewhere) == [
        "Variable mysql_server_bind_address is 127.0.0.1 for db1, but the other hosts reach it at 10.0.0.20; expected the"
        " same address: correct one of them, webcluster_address is the other."
    ]
    assert errors(db1={"mysql_server_bind_address": "10.0.0.20"}) == []
    assert errors(groups(haproxy=[], apache_php=[], mysql_replica=[]), **elsewhere) == []


def test_the_demo_needs_both_engines() -> None:
    of = groups(redis_master=[], redis_replica=[])
    result = topology(of)
    assert result["errors"] == []
    assert result["notes"] == [
        "The demo application needs Redis, which this inventory does not have; web1, web2 show a plain page."
    ]
    assert topology(of, apache_php={"apache_php_document_root": "/srv/www"})["notes"] == []
    assert topology(of, webcluster={"webcluster_sites": []})["notes"] == []


def test_web_servers_with_one_name_cannot_be_told_apart() -> None:
    assert errors(apache_php={"apache_php_server_name": "www"}) == [
        "Variable apache_php_server_name is www for web1, web2; expected another name for each web server: set it for the"
        " hosts, or remove it."
    ]
    assert len(errors(web1={"apache_php_server_name": "web2"})) == 1


def test_two_services_of_a_host_at_one_port_are_named() -> None:
    of = groups(**ONE_HOST, mysql_replica=[], redis_replica=[])
    found = errors(of)
    assert [error.split(";")[0] for error in found] == [
        "Host all1: mysql_server_port and webcluster_mysql_write_port are both 3306",
        "Host all1: redis_server_port and webcluster_redis_write_port are both 6379",
        "Host all1: apache_php_listen_port and haproxy_http_bind_port are both 80",
    ]
    # Statistics are at the host's address, the data proxy at 127.0.0.1.
    assert errors(web1={"haproxy_stats_port": 3306}) == []
    assert errors(db1={"mysql_server_port": 9200})[0].startswith(
        "Host db1: mysql_server_port and mysql_server_status_port are both 9200;"
    )
    assert errors(lb={"haproxy_http_bind_port": 8404, "haproxy_http_bind_address": "::"})[0].startswith(
        "Host lb: haproxy_stats_port and haproxy_http_bind_port are both 8404;"
    )


def test_servers_that_speak_tls_need_an_authority() -> None:
    lacking: dict[str, t.Any] = {"webcluster": {"webcluster_ca_certificate": ""}}
    assert errors(**lacking) == [
        "Variable webcluster_ca_certificate has no value for db1, db2 and 5 more hosts; expected the authority of the cluster, as the"
        " data servers speak TLS: add the two lines of inventory/lab/group_vars/webcluster/secrets.yml, or set webcluster_tls to []."
    ]
    lacking["webcluster"]["webcluster_tls"] = []
    assert errors(**lacking) == []


def test_the_authority_is_one_and_has_its_own_key() -> None:
    assert errors(web1={"webcluster_ca_certificate": "another"}) == [
        "Variable webcluster_ca_certificate differs between hosts; expected one authority: set it in group webcluster."
    ]
    keyless: dict[str, t.Any] = {"webcluster": {"webcluster_ca_private_key": ""}}
    [error] = errors(**keyless)
    assert error.startswith(
        "webcluster_ca_private_key holds no PEM private key without a passphrase; expected the key of 'CN=webcluster "
    )


def test_all_data_servers_speak_tls_or_none() -> None:
    assert errors(r2={"webcluster_tls": []}) == [
        "Variable webcluster_tls differs between the hosts of the data tiers; expected the same list: set it in group webcluster."
    ]


def test_the_port_of_tls_is_one_of_its_own() -> None:
    assert "Host r1: redis_server_port and redis_server_tls_port are both 6379; expected a port for each" in " ".join(
        errors(r1={"redis_server_tls_port": 6379})
    )
