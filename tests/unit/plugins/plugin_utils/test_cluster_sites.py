# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the sites for the cluster, and what of them does not fit to it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _certificates, _cluster_sites, _variables
from ansible_collections.siteops.webcluster.tests.certificates import Issued, issue
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, hostvars, topology
from cryptography.x509 import DNSName

OPTIONS = _variables.all_options()
SHOP: dict[str, t.Any] = {
    "name": "shop",
    "domains": ["shop.example", "www.shop.example"],
    "database": {},
    "sessions": "redis",
    "request_time_limit": 40,
    "upload_limit_mb": 15,
    "environment": {"API_KEY": "api-secret", "DB_HOST": "db.elsewhere", "DEBUG": True},
    "ini_settings": {"memory_limit": "256M"},
    "fpm_settings": {"pm.max_requests": 5},
}
BLOG: dict[str, t.Any] = {"name": "blog", "domains": ["blog.example"]}
CERTIFICATE, OTHER = issue("shop", names=[DNSName("shop.example"), DNSName("*.shop.example")]), issue("www.example.org")
PASSWORDS = {"shop": {"mysql": "mysql:s/cret", "redis": "redis&secret"}}
SITES: dict[str, t.Any] = {"webcluster": {"webcluster_sites": [SHOP, BLOG], "webcluster_site_passwords": PASSWORDS}}


def sites(*entries: dict[str, t.Any], **more: t.Any) -> dict[str, dict[str, t.Any]]:
    return {"webcluster": {"webcluster_sites": list(entries), "webcluster_site_passwords": PASSWORDS, **more}}


def argument(option: str, host: str, **more: t.Any) -> list[dict[str, t.Any]]:
    of = groups()
    changed = {"webcluster": {**SITES["webcluster"], **more}}
    found = topology(of, (), **changed)
    assert found["errors"] == []
    value = _cluster_sites.site_arguments(found, option, host, hostvars(of, **changed)[host])
    assert _variables.value_error(option, value, OPTIONS[option]) is None
    return value


def test_load_balancers_know_names_and_limits_and_web_servers_do_not_balance() -> None:
    found = topology(None, (), **SITES)["arguments"]
    assert found["lb"]["haproxy_http_sites"] == [
        {
            "name": "shop",
            "domains": ["shop.example", "www.shop.example"],
            "request_time_limit": 40,
            "upload_limit_mb": 15,
        },
        {"name": "blog", "domains": ["blog.example"], "request_time_limit": 30, "upload_limit_mb": 8},
    ]
    assert found["web1"]["haproxy_http_sites"] == []


def test_a_site_finds_its_data_by_its_environment_and_what_the_user_says_wins() -> None:
    shop, blog = argument("apache_php_sites", "web1", webcluster_mysql_write_port=13306)
    assert shop["environment"] == {
        "DB_HOST": "db.elsewhere",
        "DB_PORT": "13306",
        "DB_READ_PORT": "3307",
        "DB_DATABASE": "shop",
        "DB_USERNAME": "shop",
        "DB_PASSWORD": "mysql:s/cret",
        "DATABASE_URL": "mysql://shop:mysql%3As%2Fcret@127.0.0.1:13306/shop?charset=utf8mb4",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "6379",
        "REDIS_READ_PORT": "6380",
        "REDIS_USERNAME": "shop",
        "REDIS_PREFIX": "shop:",
        "REDIS_PASSWORD": "redis&secret",
        "REDIS_URL": "redis://shop:redis%26secret@127.0.0.1:6379",
        "API_KEY": "api-secret",
        "DEBUG": "true",
    }
    assert blog["environment"] == {}
    assert (shop["request_time_limit"], blog["request_time_limit"]) == (40, 30)
    assert (shop["fpm_settings"], blog["fpm_settings"]) == ({"pm.max_requests": 5}, {})


def test_sessions_in_redis_are_two_settings_and_nothing_for_others() -> None:
    shop, blog = argument("apache_php_sites", "web2")
    assert shop["ini_settings"] == {
        "session.save_handler": "redis",
        "session.save_path": "tcp://127.0.0.1:6379?auth[]=shop&auth[]=redis%26secret&prefix=shop%3Asession%3A&timeout=2&read_timeout=2",
        "memory_limit": "256M",
    }
    assert blog["ini_settings"] == {}


def test_the_packed_release_reaches_the_web_servers() -> None:
    release = {"release": "abc", "archive": "/cache/shop-abc.tar.gz", "version": "1.4", "released": {"by": "me"}}
    shop, blog = argument("apache_php_sites", "web1", webcluster_releases={"shop": release})
    assert release.items() <= shop.items()
    assert not release.keys() & blog.keys()


def test_accounts_of_the_sites_stand_beside_the_inventorys() -> None:
    own = {"name": "reports", "password": "r", "databases": ["demo"]}
    assert argument("mysql_server_application_accounts", "db1", mysql_server_application_accounts=[own]) == [
        own,
        {
            "name": "shop",
            "password": "mysql:s/cret",
            "own_databases": [{"name": "shop", "character_set": "utf8mb4"}],
        },
    ]
    mine = {"name": "mine", "password": "m", "rules": "~m:*"}
    assert argument("redis_server_extra_users", "r2", redis_server_extra_users=[mine]) == [
        mine,
        {
            "name": "shop",
            "password": "redis&secret",
            "rules": "~shop:* &shop:* +@all -@dangerous -@scripting -scan -randomkey -client|tracking",
        },
    ]


def test_what_a_site_may_do_besides_is_not_taken_away_before() -> None:
    redis = {"user": "shop", "prefix": "shop:", "commands": ["scan", "@scripting", "config|get"]}
    rules = _cluster_sites.site_user(redis, "secret")["rules"]
    assert rules == "~shop:* &shop:* +@all -@dangerous -randomkey -client|tracking +config|get"


def test_no_secret_of_a_site_is_in_the_topology() -> None:
    text = str(topology(None, (), **SITES))
    assert not [secret for secret in ("api-secret", "s/cret", "s%2Fcret", "redis&secret", "256M") if secret in text]


def certified(issued: Issued, **more: t.Any) -> dict[str, dict[str, t.Any]]:
    return sites({**SHOP, "certificate": {**issued.variables(), **more}}, BLOG)


def test_load_balancers_show_the_certificates_of_the_sites_behind_their_own() -> None:
    own = {"haproxy": {"haproxy_https_certificates": [OTHER.variables()]}}
    found = topology(None, (), **certified(CERTIFICATE), **own)
    assert found["errors"] == []
    assert CERTIFICATE.private_key not in str(found)
    variables = hostvars(groups(), **certified(CERTIFICATE), **own)
    shown = {
        host: _cluster_sites.site_arguments(found, "haproxy_https_certificates", host, variables[host])
        for host in ("lb", "web1")
    }
    assert shown == {"lb": [OTHER.variables(), CERTIFICATE.variables()], "web1": []}
    [door] = found["doors"]
    assert door["url"] == "https://10.0.0.52/"
    names = ["www.example.org", "shop.example", "www.shop.example"]
    assert [one["name"] for one in door["certificates"]] == names


def test_load_balancers_get_the_certificates_that_sites_want_of_an_authority() -> None:
    wanted = sites({**SHOP, "domains": ["shop.example"], "certificate": {"acme": True}}, BLOG)
    own = {"name": "own", "domains": ["own.example"]}
    more: dict[str, t.Any] = {"haproxy_acme_certificates": [own], "haproxy_acme_authorities": "roots"}
    found = topology(None, (), **wanted, haproxy=more)
    assert found["errors"] == []
    assert found["arguments"]["lb"]["haproxy_acme_certificates"] == [own, {"name": "shop", "domains": ["shop.example"]}]
    assert found["arguments"]["web1"]["haproxy_acme_certificates"] == []
    [door] = found["doors"]
    assert door["url"] == "https://10.0.0.52/"
    assert door["certificates"] == [
        _certificates.trusted_name(name, "roots") for name in ("own.example", "shop.example")
    ]


def test_load_balancers_that_answer_for_each_other_have_one_account() -> None:
    wanted = sites({**BLOG, "certificate": {"acme": True}})
    hosts = groups(haproxy=["lb", "all1"])
    keys: dict[str, t.Any] = {host: {"haproxy_acme_account_key": f"{host}-secret"} for host in ("lb", "all1")}
    [found] = topology(hosts, (), **wanted, **keys)["errors"]
    assert found.startswith(
        "Variable haproxy_acme_account_key differs between lb and all1; expected the same key for all"
    )
    assert "secret" not in found
    keys["all1"] = keys["lb"]
    assert topology(hosts, (), **wanted, **keys)["errors"] == []


def test_a_certificate_needs_a_load_balancer_and_no_certificate_needs_nothing() -> None:
    [found] = topology(groups(haproxy=[]), (), **certified(CERTIFICATE))["errors"]
    assert found.startswith("Site shop: certificate is given, but this inventory has no load balancer to show it: add")
    assert topology(None, (), **SITES)["doors"][0]["url"] == "http://10.0.0.52/"


def test_a_certificate_needs_a_package_on_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_certificates, "MISSING", ImportError("No module named 'cryptography'"))
    [found] = topology(None, (), **certified(CERTIFICATE))["errors"]
    assert found.startswith("Site shop: certificate needs the Python package cryptography on the controller (No module")


def test_what_the_verdict_knows_of_a_site() -> None:
    shop, blog = topology(None, (), **SITES)["sites"]
    assert shop["check"] == {"name": "shop", "host": "shop.example", "path": "/", "status": 200, "text": ""}
    assert shop["code"] == {"source": "", "version": "", "exclude": [".git", ".svn", ".hg"], "build": "", "migrate": ""}
    assert shop["place"] == {"name": "shop", "home": "/srv/webcluster/shop"}
    assert blog["database"] is None


NO_REDIS = groups(redis_master=[], redis_replica=[])
BAD: dict[str, tuple[dict[str, dict[str, t.Any]], str]] = {
    "other list on a host": (
        {**sites(BLOG), "web2": {"webcluster_sites": []}},
        "Variable webcluster_sites differs between lb and web2; expected the same list for the whole cluster",
    ),
    "relative source": (
        sites({**BLOG, "source": "blog"}),
        "Site blog: source is blog, expected an absolute path on the controller",
    ),
    "no source": (
        sites({**BLOG, "source": "/no/such/folder"}),
        "Site blog: source is /no/such/folder, which is not there on the controller",
    ),
    "no version": (
        sites({**BLOG, "source": "/builds/blog-{version}.zip"}),
        "Site blog: source is /builds/blog-{version}.zip, but there is no version to put into it; expected one",
    ),
    "no folder to build in": (
        sites({**BLOG, "source": __file__, "build": "make"}),
        f"Site blog: build is set, and source is {__file__}, which is no folder; expected one to build in",
    ),
    "no password": (
        sites({**BLOG, "database": {}}),
        "Variable webcluster_site_passwords has no mysql password for site blog; expected a text in quotes below blog",
    ),
    "number as password": (
        sites(SHOP, webcluster_site_passwords={"shop": {"mysql": 12, "redis": "x"}}),
        "has no mysql password for site shop",
    ),
    "application's name": (
        sites({**SHOP, "database": {"user": "app"}}),
        "Site shop: its MySQL user would be app, which belongs to mysql_server_application_user",
    ),
    "server's name": (
        sites({**SHOP, "redis": {"user": "default"}}),
        "Site shop: its Redis user would be default, which belongs to the server itself",
    ),
    "inventory's account": (
        sites(SHOP, mysql_server_application_accounts=[{"name": "shop", "password": "x", "databases": []}]),
        "Site shop: its MySQL user would be shop, which belongs to mysql_server_application_accounts",
    ),
    "system schema": (
        sites({**SHOP, "database": {"name": "sys"}}),
        "Site shop: its database would be sys, which belongs to the server itself",
    ),
    "demo's schema": (
        sites({**SHOP, "database": {"name": "demo"}}),
        "Site shop: its database would be demo, which belongs to mysql_server_application_databases",
    ),
    "keys of the demo": (
        sites({**SHOP, "redis": {"prefix": "demo:"}}),
        "Site shop: its Redis keys begin with demo:, those of redis_server_application_keys with demo:",
    ),
    "keys within keys": (
        sites(
            SHOP,
            {**BLOG, "redis": {"prefix": "shop:blog:"}},
            webcluster_site_passwords={**PASSWORDS, "blog": {"redis": "x"}},
        ),
        "Site blog: its Redis keys begin with shop:blog:, those of site shop with shop:",
    ),
    "any name beside the demo": (
        sites({**BLOG, "domains": ["*"]}),
        "Site blog has the domain *, but the demo application is there",
    ),
    "called demo": (sites({**BLOG, "name": "demo"}), "Site demo is called demo, but the demo application is there"),
    "own directory": (
        {**sites(BLOG), "apache_php": {"apache_php_document_root": "/srv/x"}},
        "Variable apache_php_document_root (web1, web2) is set beside webcluster_sites",
    ),
    "extension": (
        {
            **sites({**BLOG, "php_extensions": ["gd", "nosuch"]}),
            "web2": {"ansible_facts": {"distribution": "Debian", "distribution_major_version": "12"}},
        },
        "Site blog: Debian 12 has no PHP extension nosuch",
    ),
}

BAD |= {
    "certificate of another name": (
        certified(OTHER),
        "Site shop: certificate: it is for www.example.org, and not for the site's shop.example, www.shop.example; expected",
    ),
    "key of another certificate": (
        certified(CERTIFICATE, private_key=OTHER.private_key),
        "Site shop: certificate: private_key is not the key of 'CN=shop': give the one",
    ),
    "certificate without key": (
        sites({**BLOG, "certificate": {"certificate": OTHER.certificate}}),
        "Site blog: certificate: expected certificate and private_key in it, both PEM texts",
    ),
    "certificate of its own and of an authority": (
        sites({**BLOG, "certificate": {**OTHER.variables(), "acme": True}}),
        "Site blog: certificate: expected certificate and private_key in it, both PEM texts, or acme alone: give one",
    ),
    "wildcard of an authority": (
        sites({**BLOG, "domains": ["blog.example", "*.blog.example"], "certificate": {"acme": True}}),
        "Site blog: certificate: acme is set, but HTTP-01 gives no certificate for *.blog.example; expected host names",
    ),
    "no name for an authority": (
        {
            **sites({**BLOG, "domains": ["*"], "certificate": {"acme": True}}),
            "apache_php": {"apache_php_demo_enabled": False},
        },
        "Site blog: certificate: acme is set, but the site has no domain but *; expected host names",
    ),
    "wildcard one level too high": (
        sites({**BLOG, "domains": ["a.b.shop.example", "b.shop.example"], "certificate": CERTIFICATE.variables()}),
        "and not for the site's a.b.shop.example; expected one for all its domains",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_site_that_does_not_fit_is_one_sentence(name: str) -> None:
    changed, words = BAD[name]
    found = topology(None, (), **changed)["errors"]
    assert [sentence for sentence in found if words in sentence], found
    assert len(found) == 1


def test_sites_need_the_tiers_that_they_use() -> None:
    [found] = topology(NO_REDIS, (), **sites(SHOP))["errors"]
    assert found.startswith("Sites shop want redis or sessions in it, but this inventory has no Redis: add its hosts")


def test_a_source_that_is_there_is_accepted(tmp_path: Path) -> None:
    assert topology(None, (), **sites({**BLOG, "source": str(tmp_path)}))["errors"] == []
