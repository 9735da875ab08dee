# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of apache_php with sites: what the real programs say of them, and what keeps one site from another."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

SHOP: dict[str, Any] = {
    "name": "shop",
    "domains": ["shop.example", "www.shop.example", "*.shop.example"],
    "public": "public",
    "release": "0123456789ab",
    "archive": "/cache/shop-0123456789ab.tar.gz",
    "php_extensions": ["gd", "intl", "dom", "json"],
    "ini_settings": {
        "memory_limit": "256M",
        "error_reporting": "E_ALL & ~E_DEPRECATED",
        "session.save_handler": "redis",
        "session.save_path": "tcp://127.0.0.1:6379?auth[]=shop&auth[]=session%26secret&prefix=shop%3A",
    },
    "fpm_settings": {"pm.max_requests": 77},
    "processes": 3,
    "request_time_limit": 40,
    "upload_limit_mb": 15,
    "environment": {"APP_KEY": 'it\'s "key" \\ ;#$x', "EMPTY": "", "DEBUG": False, "DB_PASSWORD": "db-${secret}"},
    "shared_folders": ["public/uploads", "storage"],
    "restricted_paths": [{"path": "/admin/", "from": ["10.0.0.0/24", "fd00::1"]}],
    "static_cache_seconds": 3600,
}
BLOG: dict[str, Any] = {"name": "blog", "domains": ["blog.shop.example"], "htaccess": True}
USUAL: dict[str, Any] = {
    "apache_php_memory_mb": 1024,
    "apache_php_trusted_proxies": ["10.0.0.52"],
    "apache_php_sites": [SHOP, BLOG],
}
# Each option of a site once in its smallest and once in a full form, beside others.
CASES = {
    "two": Case(USUAL),
    "two12": Case(USUAL, release="12"),
    "one": Case({**USUAL, "apache_php_sites": [{"name": "one", "domains": ["one.example"]}]}),
    "any": Case({**USUAL, "apache_php_sites": [{**SHOP, "domains": ["*"]}, BLOG], "apache_php_trusted_proxies": []}),
    "bare": Case(
        {
            **USUAL,
            "apache_php_sites": [
                {"name": "bare", "domains": ["*"], "front_controller": "", "restricted_paths": SHOP["restricted_paths"]}
            ],
        }
    ),
}
PROGRAMS = {"apache2.conf": "apache2ctl", "php-fpm.conf": "php-fpm", "90-webcluster.ini": "php"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    played = play_role("apache_php", CASES, tmp_path_factory.mktemp("sites"))
    assert {name: played.refusal(name) for name in CASES} == dict.fromkeys(CASES, "")
    return played


def pools(run: Run, name: str) -> dict[str, str]:
    """The pools of PHP-FPM by name."""
    parts = re.split(r"(?m)^\[(.+)\]$", run.file(name, "php-fpm.conf").content)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def hosts(run: Run, name: str) -> dict[str, str]:
    """The virtual hosts of Apache, in their order, by their names."""
    found = re.findall(r"(?s)<VirtualHost \*:80>\n(.*?)</VirtualHost>", run.file(name, "apache2.conf").content)
    return {" ".join(re.findall(r"Server(?:Name|Alias) (.*)", host)): host for host in found}


def value(pool: str, name: str) -> str:
    found = re.findall(rf"(?m)^{re.escape(name)} = (.*)$", pool)
    assert len(found) == 1, f"{len(found)} lines of {name} in\n{pool}"
    return str(found[0])


@pytest.mark.parametrize("file", PROGRAMS)
@pytest.mark.parametrize("name", CASES)
def test_the_program_accepts_the_file(run: Run, name: str, file: str, tmp_path: Path) -> None:
    need(PROGRAMS[file])
    written = run.file(name, file)
    # The pages are on hosts only.
    content = re.sub(r"(?m)^( *)DocumentRoot .*", rf"\1DocumentRoot {tmp_path}", written.content)
    asked = check(written.arguments["validate"], content, tmp_path)
    assert asked.returncode == 0, asked.stdout + asked.stderr


def test_a_broken_pool_is_refused_although_its_user_is_not_there_yet(run: Run, tmp_path: Path) -> None:
    need("php-fpm")
    written = run.file("two", "php-fpm.conf")
    asked = check(written.arguments["validate"], f"{written.content}\nno_such_directive = on\n", tmp_path)
    assert asked.returncode != 0
    assert "no_such_directive" in asked.stderr
    assert str(tmp_path / "checked") in asked.stderr


def test_each_site_has_a_user_and_a_pool_of_its_own_that_only_apache_speaks_to(run: Run) -> None:
    found = pools(run, "two")
    assert list(found) == ["global", "site-shop", "site-blog", "health"]
    for site in ("shop", "blog"):
        pool = found[f"site-{site}"]
        assert value(pool, "user") == value(pool, "group") == f"site-{site}"
        assert value(pool, "listen") == f"/run/php/php8.4-fpm-site-{site}.sock"
        assert (value(pool, "listen.owner"), value(pool, "listen.mode")) == ("www-data", "0660")


def test_a_site_reaches_its_own_folders_only(run: Run) -> None:
    for name in ("two", "two12"):
        for site, other in (("shop", "blog"), ("blog", "shop")):
            pool = pools(run, name)[f"site-{site}"]
            reach = value(pool, "php_admin_value[open_basedir]")
            assert reach == f"/srv/webcluster/{site}/:/etc/webcluster-sites/{site}.env:/var/www/webcluster/system/site/"
            for setting in ("upload_tmp_dir", "sys_temp_dir"):
                assert value(pool, f"php_admin_value[{setting}]") == f'"/srv/webcluster/{site}/tmp"'
            assert other not in pool
    sessions = value(pools(run, "two")["site-blog"], "php_value[session.save_path]")
    assert sessions == '"/srv/webcluster/blog/sessions"'


def test_apache_reads_the_code_of_a_site_and_neither_its_secrets_nor_its_sessions(run: Run) -> None:
    texts = {file["path"]: file for file in run.of("two", "configured_service")[0]["files"] if "shop" in file["path"]}
    assert list(texts) == [
        "/etc/sysusers.d/webcluster-site-shop.conf",
        "/etc/tmpfiles.d/webcluster-site-shop.conf",
        "/etc/webcluster-sites/shop.env",
        "/etc/webcluster-mail/shop/mail.ini",
    ]
    sysusers = texts["/etc/sysusers.d/webcluster-site-shop.conf"]["content"].splitlines()
    members = [line.split()[1:] for line in sysusers if line.startswith("m ")]
    assert members == [["site-shop", "web-shop"], ["www-data", "web-shop"]]
    folders = texts["/etc/tmpfiles.d/webcluster-site-shop.conf"]["content"].splitlines()
    found = {line.split()[1]: line.split()[2:5] for line in folders if line.startswith("d ")}
    home = "/srv/webcluster/shop"
    assert found[home] == found[f"{home}/releases"] == ["0750", "root", "web-shop"]
    assert found[f"{home}/sessions"] == found[f"{home}/tmp"] == ["0700", "site-shop", "site-shop"]
    assert found[f"{home}/shared/storage"] == ["2750", "site-shop", "web-shop"]
    secret = texts["/etc/webcluster-sites/shop.env"]
    assert (secret["group"], secret["mode"], "content" in secret) == ("site-shop", "0640", False)


def test_what_a_site_no_longer_has_is_removed_from_the_hosts_configuration(run: Run) -> None:
    assert run.of("two", "configured_service")[0]["owns"] == [
        "/etc/sysusers.d/webcluster-site-*.conf",
        "/etc/tmpfiles.d/webcluster-site-*.conf",
        "/etc/webcluster-sites/*",
        "/etc/webcluster-mail/*/*",
        "/etc/systemd/system/srv-webcluster-*-shared-*.automount",
        "/etc/systemd/system/srv-webcluster-*-shared-*.mount",
        "/etc/systemd/system/webcluster-mount-point@.service",
        "/etc/webcluster-mounts/*",
        # Without a job nothing of them is left.
        "/etc/systemd/system/webcluster-cron*",
    ]


def test_a_secret_is_in_files_for_root_and_the_site_only(run: Run) -> None:
    assert run.file("two", "php-fpm.conf").arguments["mode"] == "0640"
    assert "content" not in run.file("two", "php-fpm.conf").arguments
    shown = [
        file["content"] for call in run.of("two", "configured_service") for file in call["files"] if "content" in file
    ]
    assert not [text for text in shown if "26secret" in text or "{secret}" in text or "it's" in text]


def test_the_environment_reaches_php_and_programs_as_it_was_said(run: Run, tmp_path: Path) -> None:
    need("php-fpm")
    written = run.file("two", "php-fpm.conf")
    # The same command, telling what the program has read.
    command = written.arguments["validate"].replace(" -t ", " -tt ").replace("&& exit 0", '&& echo "$said" && exit 0')
    asked = check(command, written.content, tmp_path)
    [shop] = re.findall(r"(?s)\[site-shop\](.*?)\[site-blog\]", asked.stdout)
    told = dict(re.findall(r"env\[(\w+)\] = (.*)", shop))
    assert told["APP_KEY"] == SHOP["environment"]["APP_KEY"]
    assert told["DB_PASSWORD"] == "db-${secret}"
    assert (told["DEBUG"], told["SITE_NAME"]) == ("false", "shop")
    text = run.file("two", "shop.env").content
    (tmp_path / "env").write_text(text)
    words = ["sh", "-c", f'. {tmp_path}/env; printf %s "$APP_KEY"']
    shell = subprocess.run(words, capture_output=True, text=True, check=True)
    assert shell.stdout == SHOP["environment"]["APP_KEY"]
    assert "\nEMPTY=''\n" in text


def test_one_setting_is_the_limit_everywhere(run: Run) -> None:
    shop, blog = hosts(run, "two")["shop.example www.shop.example"], hosts(run, "two")["blog.shop.example"]
    for host, seconds, size in ((shop, 40, 15), (blog, 30, 8)):
        assert f"ProxyTimeout {seconds}\n" in host
        assert f"LimitRequestBody {size * 1024 * 1024}\n" in host
        assert f"<If \"req_novary('Content-Length') -gt {size * 1024 * 1024}\">" in host
    pool = pools(run, "two")["site-shop"]
    assert value(pool, "request_terminate_timeout") == "41s"
    assert value(pool, "php_admin_value[max_execution_time]") == "40"
    assert value(pool, "php_admin_value[post_max_size]") == "15M"
    assert value(pools(run, "two")["global"], "process_control_timeout") == "41s"
    # No limit of the whole server cuts a site's.
    config = run.file("two", "apache2.conf").content
    assert "\nProxyTimeout" not in config
    assert "\n<If \"req_novary('Content-Length')" not in config


def test_settings_of_the_site_win_and_are_said_once(run: Run) -> None:
    pool = pools(run, "two")["site-shop"]
    assert value(pool, "php_admin_value[memory_limit]") == "256M"
    assert value(pool, "php_admin_value[error_reporting]") == "E_ALL & ~E_DEPRECATED"
    assert "session%26secret" in value(pool, "php_value[session.save_path]")
    assert re.findall(r"(?m)^pm.max_requests = (.*)$", pool)[-1] == "77"


def test_exact_names_come_before_wide_ones_and_others_go_to_the_pages_beside(run: Run) -> None:
    assert list(hosts(run, "two")) == [
        "pretended",
        "shop.example www.shop.example",
        "blog.shop.example",
        "www.shop.example *.shop.example",
    ]
    assert "/healthz$" in hosts(run, "two")["pretended"]
    assert all("/healthz$" not in host for names, host in hosts(run, "two").items() if names != "pretended")
    assert "DocumentRoot /var/www/webcluster/system/public" in hosts(run, "two")["pretended"]


def test_a_site_of_every_name_comes_first_and_answers_health_checks(run: Run) -> None:
    first, *others = hosts(run, "any").items()
    assert first[0] == "pretended"
    assert "DocumentRoot /srv/webcluster/shop/current/public" in first[1]
    assert "/healthz$" in first[1]
    assert [names for names, _host in others] == ["blog.shop.example"]


def test_processes_are_shared_and_never_more_than_memory_holds(run: Run) -> None:
    # 1024 MiB: eight, of which the shop has three.
    assert [value(pools(run, "two")[f"site-{site}"], "pm.max_children") for site in ("shop", "blog")] == ["3", "5"]
    assert "www" not in pools(run, "two")


def test_health_knows_every_pool_with_its_limit(run: Run) -> None:
    assert value(pools(run, "two")["health"], "env[WEBCLUSTER_POOLS]") == (
        '"/run/php/php8.4-fpm-site-shop-status.sock=20 /run/php/php8.4-fpm-site-blog-status.sock=15"'
    )


def test_extensions_are_words(run: Run) -> None:
    for name, version in (("two", "8.4"), ("two12", "8.2")):
        packages = run.one(name, "preflight")["packages"]
        assert {f"php{version}-gd", f"php{version}-intl", f"php{version}-xml"} <= set(packages)
        assert not [package for package in packages if "json" in package]
        assert len(packages) == len(set(packages))


def test_code_comes_after_the_users_and_before_apache(run: Run) -> None:
    told = [
        (call.module, call.arguments.get("name"))
        for call in run.calls
        if call.host == "two" and call.module in ("configured_service", "site_release")
    ]
    assert told == [("configured_service", "php8.4-fpm"), ("site_release", None), ("configured_service", "apache2")]
    released = run.one("two", "site_release")
    # Who runs the tests.
    released.pop("by")
    assert released == {
        "sites": [
            {
                "name": "shop",
                "home": "/srv/webcluster/shop",
                "user": "site-shop",
                "readers": "web-shop",
                "release": "0123456789ab",
                "version": "",
                "released": {},
                "shared_folders": ["public/uploads", "storage"],
                "mounted_folders": [],
            }
        ],
        "keep": 5,
        "service": "php8.4-fpm",
    }


def test_htaccess_and_front_controller_exclude_each_other(run: Run) -> None:
    config = run.file("two", "apache2.conf").content
    [shop] = re.findall(r"(?ms)^<Directory /srv/webcluster/shop/current/public/>\n(.*?)^</Directory>", config)
    [blog] = re.findall(r"(?ms)^<Directory /srv/webcluster/blog/current/>\n(.*?)^</Directory>", config)
    assert "AllowOverride None" in shop
    assert "FallbackResource /index.php" in shop
    assert "AllowOverride AuthConfig FileInfo Indexes Limit" in blog
    assert "FallbackResource" not in blog
    assert "LoadModule rewrite_module" in config
    assert "LoadModule rewrite_module" not in run.file("one", "apache2.conf").content


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"apache_php_sites": [SHOP, {**BLOG, "domains": ["shop.example"]}]},
            "Domain shop.example is in the sites shop and",
        ),
        (
            {"apache_php_sites": [{**BLOG, "php_extensions": ["nosuch"]}]},
            "Site blog: Debian 13 has no PHP extension nosuch",
        ),
        (
            {"apache_php_document_root": "/srv/own"},
            "is '/srv/own' beside apache_php_sites, but its PHP would run as Apache's",
        ),
        ({"apache_php_memory_mb": 384}, "but the sites of apache_php_sites need 5, two each at least: give the host"),
        ({"apache_php_sites": [{"name": "a"}]}, "missing required arguments: domains"),
    ],
)
def test_bad_input_is_named_before_anything_is_changed(variables: dict[str, Any], words: str, tmp_path: Path) -> None:
    run = play_role("apache_php", {"bad": Case({**USUAL, **variables})}, tmp_path)
    assert words in run.refusal("bad")
    assert run.of("bad", "configured_service") + run.of("bad", "apt") == []
