# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the sites for the cluster, and what of them does not fit to it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _certificates, _cluster_sites, _variables
from ansible_collections.siteops.webcluster.tests.certificates import Issued, issue
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import (
    DEMO_PASSWORDS,
    groups,
    hostvars,
    topology,
)
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


def test_a_mounts_login_reaches_the_web_servers_only_when_they_need_it() -> None:
    share = {"folder": "files", "src": "//nas.example/x", "fstype": "cifs", "user": "u", "password": "share-secret"}
    shop = {**SHOP, "shared_folders": ["files"], "mounts": [share]}
    found = topology(None, (), **sites(shop))
    assert found["errors"] == []
    assert "share-secret" not in json.dumps(found)
    whole = argument("apache_php_sites", "web1", webcluster_sites=[shop])
    assert whole[0]["mounts"] == [{**share, "opts": ""}]
    assert found["sites"][0]["mounts"] == [
        {
            "site": "shop",
            "folder": "files",
            "path": "/srv/webcluster/shop/shared/files",
            "user": "site-shop",
            "unit": "srv-webcluster-shop-shared-files",
        }
    ]


def test_a_site_finds_its_data_by_its_environment_and_what_the_user_says_wins() -> None:
    shop, blog = argument("apache_php_sites", "web1", webcluster_mysql_write_port=13306)
    assert shop["environment"] == {
        "DB_HOST": "db.elsewhere",
        "DB_PORT": "13306",
        "DB_READ_HOST": "127.0.0.1",
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


RELAY = {"host": "mail.example", "from": "all@shop.example", "user": "all", "password": "relay&secret"}


def test_sites_send_by_the_clusters_relay_unless_they_have_one() -> None:
    own = {"host": "own.example", "from": "shop@shop.example"}
    changed = sites({**SHOP, "mail": own}, BLOG, webcluster_mail=RELAY)
    found = topology(None, (), **changed)
    assert (found["errors"], "relay&secret" in str(found)) == ([], False)
    value = _cluster_sites.site_arguments(found, "apache_php_sites", "web1", hostvars(groups(), **changed)["web1"])
    assert [site["mail"] for site in value] == [own, RELAY]
    assert _variables.value_error("apache_php_sites", value, OPTIONS["apache_php_sites"]) is None
    assert "mail" not in argument("apache_php_sites", "web1")[0]


JOB = {"name": "bill", "schedule": "@daily", "command": "php bill.php"}
BILLED: dict[str, t.Any] = {**BLOG, "cron": [JOB]}
LEASED = {"webcluster_site_passwords": {**PASSWORDS, "blog": {"cron": "cron&secret"}}}
NO_MYSQL = groups(mysql_master=[], mysql_replica=[])
NO_DATA = groups(mysql_master=[], mysql_replica=[], redis_master=[], redis_replica=[])


def leased(of: t.Any, option: str, host: str) -> tuple[dict[str, t.Any], list[str]]:
    """The last entry of an argument in a cluster with a job, and what is told of the cluster."""
    changed = sites(BILLED, **LEASED)
    found = topology(of, (), **changed)
    assert found["errors"] == []
    value = _cluster_sites.site_arguments(found, option, host, hostvars(of, **changed)[host])
    assert _variables.value_error(option, value, OPTIONS[option]) is None
    return value[-1], [note for note in found["notes"] if "cron" in note]


def test_web_servers_agree_by_mysql_who_runs_a_job() -> None:
    for host in ("web1", "web2"):
        site, notes = leased(groups(), "apache_php_sites", host)
        assert site["lease"] == {"engine": "mysql", "port": 3306, "name": "blog-cron", "password": "cron&secret"}
        assert ([job["name"] for job in site["cron"]], notes) == (["bill"], [])
    assert leased(groups(), "mysql_server_application_accounts", "db1")[0] == {
        "name": "blog-cron",
        "password": "cron&secret",
        "own_databases": [{"name": "blog-cron", "character_set": "utf8mb4"}],
        "privileges": ["CREATE", "INSERT", "SELECT", "UPDATE"],
    }
    assert argument("redis_server_extra_users", "r1")[-1]["name"] == "shop"


def test_without_mysql_they_agree_by_redis() -> None:
    site, notes = leased(NO_MYSQL, "apache_php_sites", "web2")
    assert site["lease"] == {"engine": "redis", "port": 6379, "name": "blog-cron", "password": "cron&secret"}
    assert notes == []
    assert leased(NO_MYSQL, "redis_server_extra_users", "r1")[0] == {
        "name": "blog-cron",
        "password": "cron&secret",
        "rules": "~blog-cron:* +eval +hmget +hset +info +time",
    }


def test_with_neither_the_first_web_server_has_the_jobs_alone_and_that_is_told() -> None:
    first, notes = leased(NO_DATA, "apache_php_sites", "web1")
    assert ([job["name"] for job in first["cron"]], "lease" in first) == (["bill"], False)
    assert notes == [
        "The cron jobs of blog run on web1 only, a single point: this inventory has neither MySQL nor Redis, by which the web servers"
        " could agree who runs them."
    ]
    assert leased(NO_DATA, "apache_php_sites", "web2")[0]["cron"] == []


def test_no_secret_of_a_site_is_in_the_topology() -> None:
    text = str(topology(None, (), **sites(SHOP, BILLED, **LEASED)))
    assert "cron&secret" not in text
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
    assert shop["code"] == {
        "source": "",
        "git": None,
        "version": "",
        "exclude": [".git", ".svn", ".hg"],
        "build": "",
        "migrate": "",
    }
    assert shop["place"] == {"name": "shop", "home": "/srv/webcluster/shop"}
    assert blog["database"] is None


def test_keys_of_the_leases_are_nobody_elses() -> None:
    entries = sites(BILLED, {**SHOP, "database": None, "redis": {"prefix": "blog"}}, **LEASED)
    entries["webcluster"]["webcluster_site_passwords"] = {"shop": {"redis": "x"}, "blog": {"cron": "x"}}
    entries["webcluster"]["webcluster_sites"][1].pop("database")
    [found] = topology(NO_MYSQL, (), **entries)["errors"]
    assert found.startswith(
        "Site shop: its Redis keys begin with blog, those of the cron jobs of site blog with blog-cron:;"
    )


NO_REDIS = groups(redis_master=[], redis_replica=[])


def test_passwords_may_come_as_text_as_a_credential_of_awx_hands_them_over() -> None:
    option = "mysql_server_application_accounts"
    assert argument(option, "db1", webcluster_site_passwords=json.dumps(PASSWORDS)) == argument(option, "db1")


def test_without_a_list_the_demo_is_handed_over_whole() -> None:
    found = topology()
    [demo] = _cluster_sites.site_arguments(found, "apache_php_sites", "web1", hostvars(groups())["web1"])
    assert (demo["name"], demo["domains"], demo["public"]) == ("demo", ["*"], "public")
    assert demo["ini_settings"] == {"mysqlnd.net_read_timeout": 1}
    assert demo["environment"]["DB_PASSWORD"] == DEMO_PASSWORDS["mysql"]
    [user] = _cluster_sites.site_arguments(found, "redis_server_extra_users", "r1", hostvars(groups())["r1"])
    assert user["rules"].startswith("~demo:* &demo:* +@all ")
    assert user["rules"].endswith(" +role")


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
    "source and git": (
        sites({**BLOG, "source": "/", "git": {"url": "https://code.example/blog.git"}, "version": "v1"}),
        "Site blog has both source and git; expected one place for its code: remove the other one.",
    ),
    "git without version": (
        sites({**BLOG, "git": {"url": "https://code.example/blog.git"}}),
        "Site blog: git is set without version; expected a tag, branch or commit: set version beside it.",
    ),
    "no key file": (
        sites({**BLOG, "git": {"url": "git@code.example:blog.git", "key_file": "/no/such/key"}, "version": "v1"}),
        "Site blog: git.key_file is /no/such/key, which is no absolute path of something on the controller",
    ),
    "relay of all": (
        sites(BLOG, webcluster_mail={**RELAY, "tls": "none"}),
        "webcluster_mail would tell mail.example a password that all on the way can read",
    ),
    "no password for leases": (
        sites({**BLOG, "cron": [{"name": "x", "schedule": "@daily", "command": "x"}]}),
        "Variable webcluster_site_passwords has no cron password for site blog",
    ),
    "account of the leases": (
        sites(
            {**BLOG, "cron": [{"name": "x", "schedule": "@daily", "command": "x"}]},
            {**SHOP, "database": {"user": "blog-cron"}},
            webcluster_site_passwords={**PASSWORDS, "blog": {"cron": "x"}},
        ),
        "Site shop: its MySQL user would be blog-cron, which belongs to site blog; expected another name",
    ),
    "database of the leases": (
        sites(
            {**BLOG, "cron": [{"name": "x", "schedule": "@daily", "command": "x"}]},
            {**SHOP, "database": {"name": "blog-cron"}},
            webcluster_site_passwords={**PASSWORDS, "blog": {"cron": "x"}},
        ),
        "Site shop: its database would be blog-cron, which belongs to the cron jobs of site blog",
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
        sites({**SHOP, "database": {"user": "app"}}, mysql_server_application_databases=["own"]),
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
    "inventory's schema": (
        sites({**SHOP, "database": {"name": "own"}}, mysql_server_application_databases=["own"]),
        "Site shop: its database would be own, which belongs to mysql_server_application_databases",
    ),
    "inventory's keys": (
        sites({**SHOP, "redis": {"prefix": "own:"}}, redis_server_application_keys=["own:*"]),
        "Site shop: its Redis keys begin with own:, those of redis_server_application_keys with own:",
    ),
    "keys within keys": (
        sites(
            SHOP,
            {**BLOG, "redis": {"prefix": "shop:blog:"}},
            webcluster_site_passwords={**PASSWORDS, "blog": {"redis": "x"}},
        ),
        "Site blog: its Redis keys begin with shop:blog:, those of site shop with shop:",
    ),
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
