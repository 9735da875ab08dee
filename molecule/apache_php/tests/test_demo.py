# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo application as a site of the first web server, which has a database, a cache, and has been fed mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def item(ask: Ask) -> dict[str, object]:
    """Return an item that was just written."""
    answer = ask("/api/items", form={"text": "héllo <b>&\"' world"})
    assert answer.status == 201
    return dict(json.loads(answer.text))


def test_mistakes_did_not_replace_the_good_configuration(host: Host, ask: Ask) -> None:
    found = host.run("grep -rl -e NoSuchDirective -e nonsense -e 'memory.limit = 1$' /etc/apache2 /etc/php")
    assert found.stdout == ""
    host.check_output("apache2ctl -t")
    assert ask("/").status == 200


def test_status_names_every_server(ask: Ask) -> None:
    answer = ask("/api/status")
    assert answer.status == 200
    status = json.loads(answer.text)
    assert (status["ok"], status["server"]) == (True, "moleculeweb1")
    assert status["mysql_write"]["host"] == "moleculeweb1"
    assert status["redis_write"]["role"] == "primary"
    assert status["redis_read"]["role"] == "replica"


def test_item_goes_to_mysql_and_comes_back_from_everywhere(ask: Ask, item: dict[str, object]) -> None:
    assert (item["server"], item["written_to"]) == ("moleculeweb1", "moleculeweb1")
    path = f"/api/items/{item['id']}"

    def comes_from_redis(place: str) -> bool:
        return json.loads(ask(f"{path}?from={place}").text).get("source") == "redis"

    assert ask(f"{path}?from=cache").status == 404
    for place, source in (
        ("replica", "mysql"),
        ("primary", "mysql"),
        ("auto", "mysql"),
        ("auto", "redis"),
        ("cache", "redis"),
    ):
        if source == "redis":
            # The second Redis is a replica and may be some milliseconds behind.
            assert until(partial(comes_from_redis, place))
        answer = ask(f"{path}?from={place}")
        assert answer.status == 200, (place, answer.text)
        found = json.loads(answer.text)
        assert (found["text"], found["source"], found["served_by"]) == (item["text"], source, "moleculeweb1"), place


@pytest.mark.usefixtures("item")
def test_page_escapes_what_was_written(ask: Ask) -> None:
    page = ask("/").text
    assert "héllo &lt;b&gt;&amp;&quot;&apos; world" in page
    assert "<b>&" not in page
    page = ask("/?written=%22%3E%3Cscript%3E&by=%3Cscript%3E").text
    assert "<script" not in page


def test_page_allows_no_foreign_content(ask: Ask) -> None:
    headers = ask("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["x-served-by"] == "moleculeweb1"


def test_form_leads_back_to_the_page(ask: Ask) -> None:
    answer = ask("/", form={"text": "by form"}, headers={"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"})
    assert answer.status == 303
    assert answer.headers["location"].startswith("/?written=")


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_form_of_another_site_is_refused(ask: Ask, headers: dict[str, str]) -> None:
    assert ask("/", form={"text": "x"}, headers=headers).status == 403
    assert ask("/api/items", form={"text": "x"}, headers=headers).status == 403


@pytest.mark.parametrize(
    ("form", "word"), [({"text": " \t "}, "empty"), ({"text": "x" * 201}, "longer"), ({}, "missing")]
)
def test_bad_text_is_refused_with_a_sentence(ask: Ask, form: dict[str, str], word: str) -> None:
    answer = ask("/api/items", form=form)
    assert answer.status == 400
    assert word in json.loads(answer.text)["error"]


def test_bad_questions_are_refused(ask: Ask) -> None:
    assert ask("/api/items/1?from=elsewhere").status == 400
    assert ask("/api/items/1?from[]=cache").status == 400
    assert ask("/api/items/x").status == 404
    assert ask("/api/nothing").status == 404
    assert ask("/nothing").status == 404
    assert ask("/", method="DELETE").status == 405


def test_table_keeps_its_newest_items_only(host: Host, ask: Ask) -> None:
    host.check_output("mariadb demo -e %s", "INSERT INTO items (text, server) SELECT 'old', 'x' FROM seq_1_to_150")
    assert ask("/api/items", form={"text": "newest"}).status == 201
    assert int(host.check_output("mariadb -BN demo -e 'SELECT COUNT(*) FROM items'")) <= 100


def test_real_address_comes_from_the_trusted_proxy_only(host: Host, ask: Ask) -> None:
    log = "/var/log/apache2/access.log"
    forged = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    ask("/?self", headers=forged, address="10.95.1.4")
    assert host.check_output(f"tail -1 {log}").startswith("10.95.1.4 ")
    proxy = host.get_host("ssh://moleculeweb2", ssh_config=host.backend.ssh_config, sudo=True)
    fetch = f"import urllib.request as u; u.urlopen(u.Request('http://10.95.1.4/?proxy', headers={forged}), timeout=9).read()"
    proxy.check_output("python3 -c %s", fetch)
    line = host.check_output(f"tail -1 {log}")
    assert line.startswith("198.51.100.7 ")
    assert "peer=10.95.1.5" in line


def test_password_is_for_php_only_and_out_of_the_web(host: Host) -> None:
    config = host.file("/etc/webcluster-sites/demo.env")
    assert (config.user, config.group, config.mode) == ("root", "site-demo", 0o640)
    assert "redis-demo-secret" in config.content_string
    version = "8.2" if host.system_info.release.startswith("12") else "8.4"
    pools = f"/etc/php/{version}/fpm/php-fpm.conf"
    assert host.file(pools).mode == 0o640
    # In brackets, because sudo writes this very command into the journal.
    found = host.run("grep -rl redis-demo-secre[t] /var/www /srv /etc/apache2 /etc/php /var/log /run")
    assert found.stdout.split() == [pools]
    assert host.run("su -s /bin/sh www-data -c 'cat /etc/webcluster-sites/demo.env'").failed


def test_php_cannot_read_other_files_or_start_programs(host: Host, ask: Ask) -> None:
    # A page of an attacker, for a moment.
    page = "/srv/webcluster/demo/current/public/probe.php"
    program = "<?php var_dump(@file_get_contents('/etc/passwd'), function_exists('exec'), function_exists('phpinfo'));"
    host.check_output("printf %%s %s > %s", program, page)
    try:
        assert ask("/probe.php").text == "bool(false)\n" * 3
    finally:
        host.check_output("rm %s", page)


def test_page_stays_clear_when_the_database_is_gone(host: Host, ask: Ask) -> None:
    host.check_output("systemctl stop mariadb")
    try:
        answer = ask("/")
        assert answer.status == 503
        assert "No item can be read at the moment." in answer.text
        assert "MySQL (read) does not answer." in answer.text
        assert "SQLSTATE" not in answer.text
        assert ask("/api/items", form={"text": "x"}).status == 503
        assert ask("/healthz").status == 200
    finally:
        host.check_output("systemctl start mariadb")
    assert ask("/").status == 200


def test_page_works_without_the_cache_and_answers_in_time_when_a_server_hangs(host: Host, ask: Ask) -> None:
    for program in ("redis-server", "mariadbd"):
        host.check_output("pkill -STOP -x %s", program)
    try:
        answer = ask("/?hanging")
        # The page's own, and not one of somebody who gave up on it.
        assert (answer.status, "MySQL (read) does not answer." in answer.text) == (503, True)
        host.check_output("pkill -CONT -x mariadbd")
        answer = ask("/")
        assert answer.status == 200
        assert "Redis (read) does not answer." in answer.text
    finally:
        for program in ("redis-server", "mariadbd"):
            host.check_output("pkill -CONT -x %s", program)


def test_wrong_password_is_named_and_not_shown(host: Host, ask: Ask) -> None:
    host.check_output("mariadb -e %s", "ALTER USER app@localhost IDENTIFIED BY 'changed'")
    try:
        answer = ask("/api/items/1?from=replica")
        assert answer.status == 503
        assert json.loads(answer.text)["error"] == "MySQL (read) refused the application's account."
    finally:
        program = '. /etc/webcluster-sites/demo.env && printf %s "$DB_PASSWORD"'
        literal = host.check_output("sh -c %s", program).replace("\\", "\\\\").replace("'", "''")
        host.check_output("mariadb -e %s", f"ALTER USER app@localhost IDENTIFIED BY '{literal}'")
    assert ask("/api/status").status == 200
