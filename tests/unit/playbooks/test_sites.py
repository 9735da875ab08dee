# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One list entry reaches every tier, and a list that cannot be is refused before a host is told anything."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.certificates import issue
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    FRESH,
    HEALTHY,
    INVENTORY,
    answers,
)

PACKED = {"archives": {"shop": {"release": "0123456789ab", "path": "/cache/shop.tar.gz", "files": 1, "bytes": 1}}}
PASSWORDS = {
    "shop": {"mysql": "shop-mysql-secret", "redis": "shop-redis-secret", "cron": "shop-cron-secret"},
}
CERTIFICATE = issue("shop.example")
SHARE = {"src": "//nas.example/shop", "fstype": "cifs", "user": "shop", "password": "share-secret"}
BLOG = {"name": "blog", "domains": ["blog.example"]}
SEEN = {"ok": True, "problem": "", "status": 200, "own": {"release": "0123456789ab"}}


def shop(source: Path) -> dict[str, Any]:
    return {
        "name": "shop",
        "domains": ["shop.example"],
        "source": str(source),
        "database": {},
        "sessions": "redis",
        "request_time_limit": 40,
        "upload_limit_mb": 15,
        "environment": {"API_KEY": "api-secret"},
        "certificate": CERTIFICATE.variables(),
        "cron": [{"name": "bill", "schedule": "@hourly", "command": "php bill.php"}],
        "shared_folders": ["files"],
        "mounts": [{**SHARE, "folder": "files"}],
    }


def inventory(*sites: dict[str, Any], **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(INVENTORY)
    found["webcluster"]["vars"] |= {
        "webcluster_sites": list(sites),
        "webcluster_site_passwords": PASSWORDS,
        "apache_php_memory_mb": 1024,
        **variables,
    }
    return found


def told(more: dict[str, Any] | None = None) -> list[Answer]:
    looks = {"sites": {"shop": SEEN, "blog": SEEN}, "certificates": {"shop.example": ""}, **(more or {})}
    return [
        Answer("site_archive", PACKED),
        Answer("front_door", {"reasons": [], "servers": {"web1": 1, "web2": 1}, "url": "http://10.0.0.52/", **looks}),
        *answers(dict.fromkeys(HEALTHY, FRESH), HEALTHY),
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("sites")
    run = run_playbook(CHECKOUT / "site.yml", inventory(shop(folder), BLOG), told(), folder)
    assert run.code == 0, run.output
    return run


def test_the_code_is_packed_once_on_the_controller_before_anything_is_changed(site: Run) -> None:
    [call] = [call for call in site.calls if call.module == "site_archive"]
    assert call.host == "localhost"
    assert [(entry["name"], entry["exclude"]) for entry in call.arguments["sites"]] == [
        ("shop", [".git", ".svn", ".hg"])
    ]
    modules = [call.module for call in site.calls]
    assert modules.index("site_archive") < min(modules.index(name) for name in ("configured_service", "mysql_accounts"))


def test_the_database_and_the_account_are_for_the_site_alone(site: Run) -> None:
    accounts = site.one("db1", "mysql_accounts")
    assert {"name": "shop", "character_set": "utf8mb4"} in accounts["databases"]
    assert {"name": "shop-cron", "character_set": "utf8mb4"} in accounts["databases"]
    [lease] = [entry for entry in accounts["accounts"] if entry["name"] == "shop-cron"]
    assert lease["grants"] == [
        {"databases": ["shop-cron"], "privileges": ["CREATE", "INSERT", "SELECT", "UPDATE"]},
    ]
    [account] = [entry for entry in accounts["accounts"] if entry["name"] == "shop"]
    assert (account["password"], account["hosts"]) == ("shop-mysql-secret", ["10.0.0.4", "10.0.0.5"])
    assert [grant["databases"] for grant in account["grants"]] == [["shop"]]
    # A list of one's own has no demo.
    assert not [entry for entry in accounts["accounts"] if entry["name"] in ("app", "demo")]
    assert "demo" not in str(accounts["databases"])


def test_the_redis_user_has_its_own_keys_only(site: Run) -> None:
    for host in ("redis1", "redis2"):
        [line] = re.findall(r"(?m)^user shop .*$", site.file(host, "webcluster.acl").content)
        assert line.endswith(" ~shop:* &shop:* +@all -@dangerous -@scripting -scan -randomkey -client|tracking")


def test_web_servers_get_the_site_whole(site: Run) -> None:
    for web in ("web1", "web2"):
        env = site.file(web, "shop.env").content
        assert "\nDB_PASSWORD='shop-mysql-secret'\n" in env
        assert "\nAPI_KEY='api-secret'\n" in env
        [code] = site.one(web, "site_release")["sites"]
        assert (code["name"], code["release"]) == ("shop", "0123456789ab")
        assert "ServerName shop.example\n" in site.file(web, "apache2.conf").content
        assert "OnCalendar=*-*-* *:00:00 UTC\n" in site.file(web, "webcluster-cron-shop-bill.timer").content
        lease = json.loads(site.file(web, "shop.cron.json").content)["lease"]
        assert (lease["engine"], lease["name"], lease["password"]) == ("mysql", "shop-cron", "shop-cron-secret")


def test_load_balancers_get_names_and_limits(site: Run) -> None:
    config = site.file("lb", "haproxy.cfg").content
    assert "-m str shop.example }" in config
    assert "set-timeout server 45s if { var(txn.site) -m str shop }" in config


def test_a_sites_secrets_are_where_they_are_needed_only(site: Run) -> None:
    def hosts(secret: str) -> set[str]:
        return {call.host for call in site.calls if secret in json.dumps([call.arguments, call.content])}

    assert hosts("shop-mysql-secret") == {"web1", "web2", "db1", "db2"}
    assert hosts("shop-redis-secret") == {"web1", "web2"}
    assert hosts("shop-cron-secret") == {"web1", "web2", "db1", "db2"}
    assert hosts("api-secret") == {"web1", "web2"}
    assert hosts("share-secret") == {"web1", "web2"}
    key = CERTIFICATE.private_key.splitlines()[1]
    assert hosts(key) == {"lb"}
    for secret in ("shop-mysql-secret", "shop-redis-secret", "shop-cron-secret", "api-secret", "share-secret", key):
        assert secret not in site.output


def test_the_verdict_asks_for_each_site_at_the_front_door_and_on_each_web_server(site: Run) -> None:
    calls = [call for call in site.calls if call.module == "front_door"]
    assert {(call.host, call.arguments["url"]) for call in calls} == {
        ("web1", "http://127.0.0.1/"),
        ("web2", "http://127.0.0.1/"),
        ("localhost", "https://10.0.0.52/"),
    }
    for call in calls:
        assert [(entry["name"], entry["host"]) for entry in call.arguments["sites"]] == [
            ("shop", "shop.example"),
            ("blog", "blog.example"),
        ]
        # Only the host itself sees them.
        mounts = [folder["path"] for folder in call.arguments["mounts"]] if "mounts" in call.arguments else []
        assert mounts == ([] if call.host == "localhost" else ["/srv/webcluster/shop/shared/files"])
    assert re.search(r"shop +site +- +serving .*release 0123456789ab on web1, web2", site.output)


def test_a_site_that_answers_404_is_not_healthy(tmp_path: Path) -> None:
    broken = {"sites": {"shop": SEEN, "blog": {"ok": False, "problem": "/ answers 404, expected 200", "own": {}}}}
    told_broken = [*told(broken)[:2], *answers(HEALTHY, HEALTHY)]
    run = run_playbook(CHECKOUT / "playbooks/status.yml", inventory(shop(tmp_path), BLOG), told_broken, tmp_path)
    assert run.code != 0
    text = " ".join(run.output.split())
    assert "blog: not serving, / answers 404, expected 200 (through lb, on web1, on web2)." in text


LEFT = {
    "sites": {
        "blog": {"live": "", "noted": "", "version": "", "before": [], "releases": [], "released": {}, "there": True}
    }
}


def removing(folder: Path, *options: str) -> Run:
    """The demo has left the list and may go, the shop has left it only."""
    told_left = [
        Answer("site_release_info", {**LEFT, "others": ["demo", "shop"]}),
        *told()[1:2],
        *answers(HEALTHY, HEALTHY),
    ]
    given = inventory(BLOG, webcluster_sites_remove=["demo"])
    run = run_playbook(CHECKOUT / "site.yml", given, told_left, folder, *options)
    assert run.code == 0, run.output
    return run


def test_what_a_site_left_goes_at_the_end_and_only_after_asking(tmp_path: Path) -> None:
    run = removing(tmp_path)
    gone = [(call.host, call.module, call.arguments) for call in run.calls]
    first = min(number for number, (_host, module, _arguments) in enumerate(gone) if module == "redis_keys")
    served = [number for number, (_host, _module, arguments) in enumerate(gone) if arguments.get("name") == "apache2"]
    assert first > max(served)
    assert [
        host for host, _module, arguments in gone if arguments.get("absent_databases") == ["demo", "demo-cron"]
    ] == ["db1"]
    [(host, keys)] = [(host, arguments) for host, module, arguments in gone if module == "redis_keys"]
    assert (host, keys["absent"], keys["login_user"]) == ("redis1", ["demo:", "demo-cron:"], "admin")
    for module, name, value in (
        ("file", "path", "/srv/webcluster/demo"),
        ("user", "name", "site-demo"),
        ("group", "name", "web-demo"),
    ):
        found = [
            host
            for host, called, arguments in gone
            if called == module and (arguments.get(name), arguments.get("state")) == (value, "absent")
        ]
        assert sorted(found) == ["web1", "web2"]
    text = " ".join(run.output.split())
    assert "Site shop is not in webcluster_sites. What cannot be made again stays: /srv/webcluster/shop" in text
    assert "Site demo is not" not in text


def test_what_a_site_left_stays_in_a_run_that_leaves_out_a_host(tmp_path: Path) -> None:
    run = removing(tmp_path, "--limit", "db1,web1")
    assert not [call for call in run.calls if call.module in ("redis_keys", "user", "group")]
    assert not [call for call in run.calls if call.arguments.get("absent_databases")]
    assert "What demo left stays, as this run left out hosts or tags: a run of all removes it." in " ".join(
        run.output.split()
    )


@pytest.mark.parametrize(
    ("sites", "more", "words"),
    [
        (
            [BLOG, {**BLOG, "name": "shop"}],
            {},
            "Domain blog.example is in the sites blog and shop; expected one site for it",
        ),
        ([{**BLOG, "source": "/no/such"}], {}, "Site blog: source is /no/such, which is not there on the controller"),
        ([{**BLOG, "php_extensions": ["nosuch"]}], {}, "Site blog: Debian 13 has no PHP extension nosuch"),
        ([{**BLOG, "nam": "x"}], {}, "Variable webcluster_sites (lb, web1 and 5 more hosts) has a wrong value"),
        ([], {"apache_php_sites": [BLOG]}, "Variable apache_php_sites"),
    ],
)
def test_a_list_that_cannot_be_is_refused_before_anything_is_changed(
    sites: list[dict[str, Any]], more: dict[str, Any], words: str, tmp_path: Path
) -> None:
    run = run_playbook(CHECKOUT / "site.yml", inventory(*sites, **more), told(), tmp_path)
    assert run.code != 0
    assert words in " ".join(run.output.split())
    assert not {call.module for call in run.calls} & {"configured_service", "mysql_accounts", "site_archive", "apt"}
