# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.filter import inventory_errors as filters
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _cluster_sites, _external
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, hostvars, topology

ENDPOINT: dict[str, t.Any] = {"write": {"host": "shop.redis.example", "port": 10000}, "password": "key"}
OTHER = {"host": "shop-r1.redis.example", "port": 10000}
WITHOUT_REDIS: dict[str, list[str]] = {"redis_master": [], "redis_replica": []}


def of(**changed: list[str]) -> dict[str, list[str]]:
    return groups(**{**WITHOUT_REDIS, **changed})


def errors(endpoint: t.Any, given: dict[str, list[str]] | None = None, **changed: t.Any) -> list[str]:
    found = given or of()
    values = hostvars(found, **{"webcluster": {"webcluster_redis_external": endpoint}, **changed})
    return filters.inventory_errors(found, values)


def test_an_endpoint_in_place_of_hosts_is_no_error() -> None:
    assert errors({**ENDPOINT, "read": [OTHER]}) == []


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ({"write": {"host": "10.0.0.9", "port": 1}}, "write.host is '10.0.0.9'; expected the service's name"),
        ({"write": {"host": "a b", "port": 1}}, "write.host is 'a b'; expected the service's name"),
        ({"read": [{"host": "-x", "port": 1}]}, "read[0].host is '-x'; expected the service's name"),
        ({"write": {"host": "a.example", "port": 70000}}, "write.port is 70000; expected 1 to 65535"),
        ({"read": [ENDPOINT["write"]]}, "names shop.redis.example:10000 twice; expected each endpoint once"),
        ({"ca_file": "own.pem"}, "ca_file is 'own.pem'; expected the absolute path"),
        ({"password": ""}, "password is empty; expected the one that the service gave you"),
        ({"user": ""}, "user is empty; expected the one that the service gave you"),
    ],
)
def test_f_an_endpoint_that_cannot_be_gives_one_sentence(endpoint: dict[str, t.Any], words: str) -> None:
    [error] = errors({**ENDPOINT, **endpoint})
    assert error.startswith("Variable webcluster_redis_external ")
    assert words in error


def test_f_a_value_of_a_wrong_form_is_told_once_and_without_the_password() -> None:
    [error] = errors({"write": {"host": "a.example"}, "password": "secret-key"})
    assert "Variable webcluster_redis_external" in error
    assert "port" in error
    assert "secret-key" not in error


def test_f_a_tier_is_hosts_or_an_endpoint() -> None:
    [error] = errors(ENDPOINT, groups())
    assert error == (
        "Variable webcluster_redis_external is set, but r1, r2 are in redis_master and redis_replica; expected hosts or an"
        " endpoint for Redis, never both: remove the variable, or take the hosts out."
    )


def test_f_an_endpoint_needs_somebody_who_uses_it() -> None:
    [error] = errors(ENDPOINT, of(haproxy=[], apache_php=[]))
    assert "group apache_php has no host; expected a web server that uses the endpoint" in error


def test_f_all_hosts_mean_the_same_endpoint() -> None:
    [error] = errors(ENDPOINT, web2={"webcluster_redis_external": {**ENDPOINT, "password": "another"}})
    assert error.startswith("Variable webcluster_redis_external differs between lb and web2; expected the same")
    assert "another" not in error


def test_the_tier_has_no_server_of_ours_and_the_demo_is_possible() -> None:
    found = topology(of(), webcluster={"webcluster_redis_external": ENDPOINT})
    assert found["errors"] == []
    assert list(found["engines"]) == ["mysql"]
    assert [site["name"] for site in found["sites"]] == ["demo"]
    [judged] = [server for server in found["servers"] if server["engine"] == "redis"]
    assert (judged["asked_on"], judged["host"]) == ("web1", "shop.redis.example:10000")
    # Without a place for reads they go where writes go.
    services = {each["name"]: each["servers"] for each in found["arguments"]["web1"]["haproxy_data_services"]}
    assert services["redis_read"] == services["redis_write"]
    assert found["arguments"]["lb"]["haproxy_redis_monitor_user"] == ""


def test_redis_alone_brings_a_data_proxy() -> None:
    found = topology(
        of(mysql_master=[], mysql_replica=[]),
        webcluster={"webcluster_redis_external": ENDPOINT, "webcluster_sites": []},
    )
    assert found["errors"] == []
    assert [wave["web1"] for wave in found["waves"]] == [[], [], ["apache_php", "haproxy"], []]
    assert found["arguments"]["web1"]["apache_php_health_urls"] == ["http://10.0.0.4:8404/livez"]


def test_f_a_user_of_its_own_cannot_be_made_there() -> None:
    shop = {"name": "shop", "domains": ["*"], "redis": {"user": "cart"}}
    found = topology(of(), webcluster={"webcluster_redis_external": ENDPOINT, "webcluster_sites": [shop]})
    [error] = found["errors"]
    assert error.startswith("Site shop: redis.user is cart, but Redis is the endpoint webcluster_redis_external")


def test_f_sites_have_keys_of_their_own_there_too() -> None:
    sites = [
        {"name": "shop", "domains": ["a.example"], "redis": {"prefix": "x:"}},
        {"name": "blog", "domains": ["b.example"], "redis": {"prefix": "x:y:"}},
    ]
    [error] = topology(of(), webcluster={"webcluster_redis_external": ENDPOINT, "webcluster_sites": sites})["errors"]
    assert "its Redis keys begin with x:y:, those of site shop with x:" in error


def test_cron_jobs_are_agreed_upon_at_the_endpoint_as_its_user() -> None:
    shop = {
        "name": "shop",
        "domains": ["*"],
        "sessions": "redis",
        "cron": [{"name": "bill", "schedule": "@hourly", "command": "php bill.php"}],
    }
    variables = {"webcluster_redis_external": {**ENDPOINT, "user": "ops"}, "webcluster_sites": [shop]}
    found = topology(of(mysql_master=[], mysql_replica=[]), webcluster=variables)
    assert found["errors"] == []
    [site] = _cluster_sites.site_arguments(found, "apache_php_sites", "web1", variables)
    assert site["lease"] == {"engine": "redis", "port": 6379, "name": "shop-cron", "user": "ops", "password": "key"}
    assert "auth[]=ops&auth[]=key&prefix=shop%3Asession%3A" in site["ini_settings"]["session.save_path"]


def test_what_the_playbooks_do_for_hosts_only_is_told() -> None:
    found = topology(
        of(backup_store=["store1"]),
        webcluster={"webcluster_redis_external": ENDPOINT, "webcluster_sites_remove": ["old"]},
    )
    assert found["notes"] == [
        "Redis is the endpoint shop.redis.example:10000: its provider makes the copies of its data, store1 has none.",
        "Redis is the endpoint shop.redis.example:10000: what old left there stays; remove it there.",
    ]


def test_a_tier_of_hosts_has_no_endpoints_password() -> None:
    assert _external.password_of({}, "redis") is None


MYSQL: dict[str, t.Any] = {
    "write": {"host": "shop.mysql.example"},
    "admin": {"user": "ops", "password": "secret-word"},
}
WITHOUT_MYSQL: dict[str, list[str]] = {"mysql_master": [], "mysql_replica": []}


def mysql_errors(endpoint: t.Any, **changed: t.Any) -> list[str]:
    found = groups(**WITHOUT_MYSQL)
    return filters.inventory_errors(
        found, hostvars(found, **{"webcluster": {"webcluster_mysql_external": endpoint}, **changed})
    )


def with_mysql(**more: t.Any) -> t.Any:
    return topology(groups(**WITHOUT_MYSQL), webcluster={"webcluster_mysql_external": MYSQL, **more})


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ({"admin": {"user": "ops", "password": ""}}, "admin.password is empty; expected the one that the service gave"),
        ({"admin": {"user": "", "password": "x"}}, "admin.user is empty; expected the one that the service gave"),
        ({"account_hosts": []}, "account_hosts is empty; expected addresses or patterns such as '%'"),
        ({"read": [{"host": "shop.mysql.example"}]}, "names shop.mysql.example:3306 twice"),
    ],
)
def test_f_an_endpoint_of_mysql_that_cannot_be_gives_one_sentence(endpoint: dict[str, t.Any], words: str) -> None:
    [error] = mysql_errors({**MYSQL, **endpoint})
    assert error.startswith("Variable webcluster_mysql_external ")
    assert words in error
    assert "secret-word" not in error


def test_f_mysql_is_hosts_or_an_endpoint() -> None:
    found = groups()
    [error] = filters.inventory_errors(found, hostvars(found, webcluster={"webcluster_mysql_external": MYSQL}))
    assert "expected hosts or an endpoint for MySQL, never both" in error


def test_one_web_server_makes_the_accounts_before_anybody_uses_them() -> None:
    found = with_mysql()
    assert found["errors"] == []
    assert list(found["engines"]) == ["redis"]
    assert [[wave["web1"], wave["web2"]] for wave in found["waves"]] == [
        [["mysql_endpoint", "apache_php", "haproxy"], ["apache_php", "haproxy"]],
        *([[[], []]] * 3),
    ]
    services = [service["name"] for service in found["arguments"]["web1"]["haproxy_data_services"]]
    assert services == ["redis_write", "redis_read"]


def test_mysql_alone_needs_no_data_proxy_and_its_accounts_come_first() -> None:
    found = topology(
        groups(**WITHOUT_MYSQL, **WITHOUT_REDIS),
        webcluster={"webcluster_mysql_external": MYSQL, "webcluster_sites": []},
    )
    assert found["errors"] == []
    assert [wave["web1"] for wave in found["waves"]] == [["mysql_endpoint"], [], ["apache_php"], []]
    assert found["arguments"]["web1"]["apache_php_health_urls"] == []


def test_f_no_site_is_the_endpoints_administrator() -> None:
    shop = {"name": "shop", "domains": ["*"], "database": {"user": "ops"}}
    [error] = with_mysql(webcluster_sites=[shop], webcluster_site_passwords={"shop": {"mysql": "x"}})["errors"]
    assert "its MySQL user would be ops, which belongs to webcluster_mysql_external.admin" in error


def test_f_no_site_has_the_canarys_database_there() -> None:
    shop = {"name": "shop", "domains": ["*"], "database": {"name": "ansible_canary"}}
    [error] = with_mysql(webcluster_sites=[shop], webcluster_site_passwords={"shop": {"mysql": "x"}})["errors"]
    assert "its database would be ansible_canary, which belongs to the server itself" in error


def test_cron_jobs_are_agreed_upon_at_the_endpoint_over_tls() -> None:
    shop = {
        "name": "shop",
        "domains": ["*"],
        "cron": [{"name": "bill", "schedule": "@hourly", "command": "php bill.php"}],
    }
    variables = {"webcluster_mysql_external": MYSQL, "webcluster_sites": [shop]}
    found = with_mysql(webcluster_sites=[shop], webcluster_site_passwords={"shop": {"cron": "lease"}})
    assert found["errors"] == []
    given = {**variables, "webcluster_site_passwords": {"shop": {"cron": "lease"}}}
    [site] = _cluster_sites.site_arguments(found, "apache_php_sites", "web1", given)
    assert site["lease"] == {
        "engine": "mysql",
        "port": 3306,
        "name": "shop-cron",
        "host": "shop.mysql.example",
        "ca_file": "/etc/ssl/certs/ca-certificates.crt",
        "password": "lease",
    }
    [account] = _cluster_sites.site_arguments(found, "mysql_endpoint_accounts", "web1", given)
    assert (account["name"], account["hosts"], account["tls"]) == ("shop-cron", ["%"], "required")
    assert account["grants"] == [{"databases": ["shop-cron"], "privileges": ["CREATE", "INSERT", "SELECT", "UPDATE"]}]
    assert _cluster_sites.site_arguments(found, "mysql_endpoint_databases", "web1", given) == [
        {"name": "shop-cron", "character_set": "utf8mb4"}
    ]


def test_databases_of_removed_sites_are_no_matter_of_the_provider() -> None:
    assert with_mysql(webcluster_sites_remove=["old"])["notes"] == []
