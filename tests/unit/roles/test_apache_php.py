# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of apache_php on each release, with a neutral page and with an application of one's own, and the programs' word on them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._apache_modules import AVAILABLE, files_of
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Call, Case, Run, play_role

PHP = {"debian12": "8.2", "debian13": "8.4"}
USUAL = {"apache_php_memory_mb": 1024}
OWN_INI: dict[str, str | bool] = {
    "memory_limit": "64M",
    "date.timezone": "Europe/Madrid",
    "display_errors": True,
    "error_reporting": "E_ALL & ~(E_DEPRECATED | E_NOTICE)",
    "user_agent": 'Müller; "shop" \\ (a=b) & {c}',
    "error_append_string": "A & b",
}
# Each variable that brings an application of one's own.
OWN: dict[str, Any] = {
    "apache_php_memory_mb": 1024,
    "apache_php_server_name": "shop-1",
    "apache_php_document_root": "/srv/shop/public",
    "apache_php_extra_packages": ["php-intl", "imagemagick"],
    "apache_php_extra_modules": ["rewrite", "expires"],
    "apache_php_ini_settings": OWN_INI,
    "apache_php_fpm_settings": {"pm.max_requests": 77, "request_terminate_timeout": "20s", "clear_env": False},
    "apache_php_extra_config": 'RewriteEngine On\nRewriteRule "^/old$" "/new" [R=301]\n',
    "apache_php_trusted_proxies": ["10.0.0.52", "fd00::/64"],
    "apache_php_health_urls": ["http://127.0.0.1:8404/livez"],
}
MODULE_FILES = [f"{AVAILABLE}/{module}.load" for module in OWN["apache_php_extra_modules"]]
# A host that a former release has given the demo.
LEFT = {
    "missing_packages": [],
    "findings": [],
    "adopts": False,
    "told_by": [],
    "present": ["/var/www/webcluster/demo", "/etc/webcluster"],
}
CASES = {
    "debian12": Case(USUAL, release="12"),
    "debian13": Case(USUAL, answers={"preflight": LEFT}),
    "own12": Case(OWN, release="12", answers={"apache_modules": {"files": MODULE_FILES}}),
    "own": Case(OWN, answers={"apache_modules": {"files": MODULE_FILES}, "preflight": LEFT}),
    "limits": Case({**USUAL, "apache_php_request_time_limit": 120, "apache_php_upload_limit_mb": 64}),
    # As -e name=value gives them.
    "texts": Case({**USUAL, "apache_php_request_time_limit": "120", "apache_php_upload_limit_mb": "64"}),
    "large": Case({**USUAL, "apache_php_memory_mb": 0}, facts={"memtotal_mb": 16384, "processor_vcpus": 8}),
}
# The file, and the program that the role lets look at it.
FILES = {"apache2.conf": "apache2ctl", "php-fpm.conf": "php-fpm", "90-webcluster.ini": "php"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    played = play_role("apache_php", CASES, tmp_path_factory.mktemp("apache_php"))
    assert {name: played.refusal(name) for name in CASES} == dict.fromkeys(CASES, "")
    return played


def setting(call: Call, name: str) -> str:
    """The value that counts: the last one."""
    found = re.findall(rf"^\s*{re.escape(name)}\s*=?\s*(.*?)\s*$", call.content, re.MULTILINE)
    assert found, f"no {name} in\n{call.content}"
    return str(found[-1])


def part(call: Call, header: str) -> list[str]:
    """The lines of a container of apache2.conf."""
    name = header.split()[0]
    match = re.search(rf"^<{re.escape(header)}>\n(.*?)^</{name}>", call.content, re.MULTILINE | re.DOTALL)
    assert match, f"no <{header}> in\n{call.content}"
    return [line.strip() for line in match[1].splitlines()]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", CASES)
def test_the_program_accepts_the_file(run: Run, name: str, file: str, tmp_path: Path) -> None:
    need(FILES[file])
    written = run.file(name, file)
    # The pages are on hosts only.
    content = re.sub(r"(?m)^DocumentRoot .*", f"DocumentRoot {tmp_path}", written.content)
    asked = check(written.arguments["validate"], content, tmp_path)
    assert asked.returncode == 0, asked.stdout + asked.stderr


@pytest.mark.parametrize(
    ("file", "wrong", "said"),
    [
        ("apache2.conf", "NoSuchDirective on", "NoSuchDirective"),
        ("php-fpm.conf", "no_such_directive = on", "no_such_directive"),
        ("90-webcluster.ini", "memory[limit = 1", "syntax error"),
    ],
)
def test_the_program_refuses_a_broken_file_by_the_same_command(
    run: Run, file: str, wrong: str, said: str, tmp_path: Path
) -> None:
    need(FILES[file])
    written = run.file("debian13", file)
    content = re.sub(r"(?m)^DocumentRoot .*", f"DocumentRoot {tmp_path}", written.content)
    asked = check(written.arguments["validate"], f"{content}\n{wrong}\n", tmp_path)
    assert asked.returncode != 0
    assert said in asked.stdout + asked.stderr


def test_b2_php_comes_back_after_it_was_killed(run: Run) -> None:
    unit = run.file("debian13", "php8.4-fpm.service.d/webcluster.conf")
    assert "\nRestart=on-failure\n" in unit.content


@pytest.mark.parametrize("name", PHP)
def test_each_release_gets_its_php(run: Run, name: str) -> None:
    version = PHP[name]
    assert f"php{version}-fpm" in run.one(name, "preflight")["packages"]
    assert run.file(name, "php-fpm.conf").arguments["path"] == f"/etc/php/{version}/fpm/php-fpm.conf"
    assert (
        f'SetHandler "proxy:unix:/run/php/php{version}-fpm.sock|fcgi://www"' in run.file(name, "apache2.conf").content
    )
    units = {arguments["name"] for arguments in run.of(name, "configured_service")}
    assert units == {"apache2", f"php{version}-fpm"}


@pytest.mark.parametrize("name", ["debian12", "debian13", "own"])
def test_nothing_is_served_but_the_document_root_and_the_health_pages(run: Run, name: str) -> None:
    config = run.file(name, "apache2.conf")
    root = "/srv/shop/public" if name == "own" else "/var/www/webcluster/system/public"
    assert part(config, "Directory /") == ["Options None", "AllowOverride None", "Require all denied"]
    granted = re.findall(
        r"^<Directory (\S+)>\n(?:(?!</Directory>).*\n)*?\s*Require all granted", config.content, re.MULTILINE
    )
    assert granted == [f"{root}/", "/var/www/webcluster/system/"]
    assert config.content.count("Require all granted") == len(granted)


def test_only_the_trusted_proxies_may_say_who_the_client_is(run: Run) -> None:
    config = run.file("own", "apache2.conf")
    assert re.findall(r"^RemoteIP.*$", config.content, re.MULTILINE) == [
        "RemoteIPHeader X-Forwarded-For",
        "RemoteIPInternalProxy 10.0.0.52 fd00::/64",
    ]
    assert not re.search(r"remoteip|RemoteIP|WEBCLUSTER_PROXY", run.file("debian13", "apache2.conf").content)


@pytest.mark.parametrize("name", ["debian12", "debian13"])
def test_a_page_shows_no_error_and_no_settings(run: Run, name: str) -> None:
    ini = run.file(name, "90-webcluster.ini")
    for switch, value in {"expose_php": "Off", "display_errors": "Off", "display_startup_errors": "Off"}.items():
        assert setting(ini, switch) == value
    assert setting(ini, "log_errors") == "On"
    disabled = setting(ini, "disable_functions").strip('"').split(",")
    assert {"phpinfo", "exec", "shell_exec", "system", "passthru", "proc_open", "popen"} <= set(disabled)
    pool = run.file(name, "php-fpm.conf")
    assert setting(pool, "security.limit_extensions") == ".php"
    reach = re.findall(r"open_basedir\] = (.*)$", pool.content, re.MULTILINE)
    places = "/var/www/webcluster/:/var/www/webcluster/system/public/:/tmp/"
    assert reach == [places, "/var/www/webcluster/system/"]


def test_php_and_its_cache_fit_into_the_memory(run: Run) -> None:
    # 1024 MiB: a quarter for the system, a sixteenth for opcache, the rest for processes of 48 MiB; two cores want eight.
    assert setting(run.file("debian13", "90-webcluster.ini"), "opcache.memory_consumption") == "64"
    pool = re.findall(r"^pm.max_children = (\d+)$", run.file("debian13", "php-fpm.conf").content, re.MULTILINE)
    assert pool == ["8", "1"]
    # 16 GiB and eight cores: opcache has its limit, and the cores are what limits the processes.
    assert setting(run.file("large", "90-webcluster.ini"), "opcache.memory_consumption") == "256"
    pool = re.findall(r"^pm.max_children = (\d+)$", run.file("large", "php-fpm.conf").content, re.MULTILINE)
    assert pool == ["32", "1"]


def test_apache_has_more_threads_than_php_has_processes(run: Run) -> None:
    for name in ("debian13", "large"):
        config = run.file(name, "apache2.conf")
        workers = int(setting(config, "MaxRequestWorkers"))
        assert workers == int(setting(config, "StartServers")) * int(setting(config, "ThreadsPerChild"))
        assert workers >= 2 * int(re.findall(r"max_children = (\d+)", run.file(name, "php-fpm.conf").content)[0])


def seconds(call: Call, name: str) -> list[int]:
    return [int(found) for found in re.findall(rf"^{re.escape(name)}\s*=?\s*(\d+)s?$", call.content, re.MULTILINE)]


@pytest.mark.parametrize(("name", "limit"), [("debian13", 30), ("limits", 120)])
def test_b7_apache_gives_up_first_and_php_ends_what_nobody_waits_for(run: Run, name: str, limit: int) -> None:
    config, pool, ini = (run.file(name, file) for file in FILES)
    assert seconds(config, "ProxyTimeout") == [limit]
    # PHP-FPM looks at the times every second or so, because the other pool has a short limit.
    pages, health = seconds(pool, "request_terminate_timeout")
    assert limit < pages <= limit + 2
    assert health <= 3
    # A reload lets a page end.
    assert seconds(pool, "process_control_timeout")[0] >= pages
    assert seconds(ini, "max_execution_time") == [limit]
    assert seconds(ini, "mysqlnd.net_read_timeout") == [limit]


@pytest.mark.parametrize(("name", "limit"), [("debian13", 8), ("limits", 64)])
def test_e4_one_setting_is_the_limit_of_a_body_everywhere(run: Run, name: str, limit: int) -> None:
    config, ini = run.file(name, "apache2.conf"), run.file(name, "90-webcluster.ini")
    assert setting(config, "LimitRequestBody") == str(limit * 1024 * 1024)
    # LimitRequestBody is not for requests to PHP.
    assert part(config, f"If \"req_novary('Content-Length') -gt {limit * 1024 * 1024}\"") == ["Redirect 413 /"]
    assert (setting(ini, "post_max_size"), setting(ini, "upload_max_filesize")) == (f"{limit}M", f"{limit}M")


def test_b6_a_body_is_read_before_php_hears_of_it_and_at_a_rate(run: Run) -> None:
    config = run.file("debian13", "apache2.conf")
    assert "\nSetEnv proxy-sendcl 1\n" in config.content
    assert setting(config, "SetInputFilter") == "BUFFER"
    found = re.fullmatch(
        r"header=5-10,MinRate=(\d+) body=10-(\d+),MinRate=(\d+)", setting(config, "RequestReadTimeout")
    )
    assert found
    assert int(found[3]) > 8 * 600
    # The largest body has its time.
    assert int(found[2]) * 40_000 > 8 * 1024 * 1024


def test_b6_health_asks_the_pool_of_the_pages_at_a_socket_of_its_own(run: Run) -> None:
    pages, health = run.file("limits", "php-fpm.conf").content.split("[health]")
    assert "\npm.status_path = /status\npm.status_listen = /run/php/php8.4-fpm-status.sock\n" in pages
    assert '\nenv[WEBCLUSTER_POOLS] = "/run/php/php8.4-fpm-status.sock=60"\n' in health


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Run:
    cases = {
        "time": Case({**USUAL, "apache_php_request_time_limit": 0}),
        "status": Case({**USUAL, "apache_php_fpm_settings": {"pm.status_path": "/mine"}}),
    }
    return play_role("apache_php", cases, tmp_path_factory.mktemp("refused"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "time",
            "apache_php_request_time_limit (0) and apache_php_upload_limit_mb (8) must be at least 1: correct them.",
        ),
        ("status", "apache_php_fpm_settings sets pm.status_path, but /healthz reads the pool's status at /run/php/"),
    ],
)
def test_limits_that_cannot_work_are_refused(refused: Run, name: str, words: str) -> None:
    assert words in refused.refusal(name)
    assert refused.of(name, "apt") + refused.of(name, "configured_service") == []


# One positive test of each variable for an application of one's own.


def test_own_document_root_is_served_and_within_the_reach_of_php(run: Run) -> None:
    config, pool = run.file("own", "apache2.conf"), run.file("own", "php-fpm.conf")
    assert "\nDocumentRoot /srv/shop/public\n" in config.content
    assert "DirectoryIndex index.php index.html" in part(config, "Directory /srv/shop/public/")
    assert ":/srv/shop/public/:" in pool.content
    assert [arguments["path"] for arguments in run.of("own", "file_tree") if arguments.get("files")] == [
        "/var/www/webcluster/system"
    ]


@pytest.mark.parametrize("name", ["own", "debian13"])
def test_pages_are_there_before_apache_is_told_to_serve_them(run: Run, name: str) -> None:
    order = [
        call.arguments.get("path") or call.arguments["name"]
        for call in run.calls
        if call.host == name and call.module in ("file_tree", "file", "configured_service")
    ]
    assert order.index("/var/www/webcluster/system") < order.index("apache2")
    # What a former release served goes when nobody is served it any more, its passwords with it.
    assert order[-2:] == ["/var/www/webcluster/demo", "/etc/webcluster"]
    assert (run.of(name, "preflight")[0]["paths"], run.of("debian12", "file")) == (order[-2:], [])


def test_own_packages_come_in_the_same_transaction(run: Run) -> None:
    names = run.one("own", "preflight")["packages"]
    assert {"apache2", "php8.4-fpm", "php-intl", "imagemagick"} <= set(names)


def test_own_modules_are_loaded_by_their_own_files(run: Run) -> None:
    asked = run.one("own", "apache_modules")
    assert asked["names"] == ["rewrite", "expires"]
    assert {"mpm_event", "proxy", "remoteip"} <= set(asked["loaded"])
    config = run.file("own", "apache2.conf").content
    assert re.findall(r"^Include (.*)$", config, re.MULTILINE) == MODULE_FILES
    assert run.of("own", "configured_service")[-1]["reads"] == MODULE_FILES
    assert run.of("debian13", "apache_modules") == []
    assert "Include" not in run.file("debian13", "apache2.conf").content


@pytest.mark.parametrize(
    "modules", [["proxy_balancer", "lbmethod_byrequests"], ["ssl"], ["status", "info"], ["auth_digest"]]
)
def test_e3_apache_starts_with_modules_and_what_they_depend_on(run: Run, modules: list[str], tmp_path: Path) -> None:
    need("apache2ctl")
    written = run.file("own", "apache2.conf")
    files = files_of(modules, run.one("own", "apache_modules")["loaded"], AVAILABLE)
    includes = "\n".join(f"Include {file}" for file in files)
    content = re.sub(r"(?m)^DocumentRoot .*", f"DocumentRoot {tmp_path}", written.content)
    content = content.replace(f"Include {MODULE_FILES[0]}", f"{includes}\nInclude {MODULE_FILES[0]}")
    asked = check(written.arguments["validate"], content, tmp_path)
    assert asked.returncode == 0, asked.stdout + asked.stderr


def test_e3_a_configuration_that_passes_the_syntax_check_and_cannot_run_is_refused(run: Run, tmp_path: Path) -> None:
    need("apache2ctl")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make a network to try Apache in")
    written = run.file("debian13", "apache2.conf")
    content = re.sub(r"(?m)^DocumentRoot .*", f"DocumentRoot {tmp_path}", written.content)
    content += "LoadModule proxy_balancer_module /usr/lib/apache2/modules/mod_proxy_balancer.so\n"
    assert check("/usr/sbin/apache2ctl -t -f %s", content, tmp_path).returncode == 0
    asked = check(written.arguments["validate"], content, tmp_path)
    assert asked.returncode == 1
    assert "Failed to lookup provider 'shm' for 'slotmem'" in asked.stderr


def test_own_ini_settings_win_and_mean_what_php_ini_means(run: Run, tmp_path: Path) -> None:
    need("php")
    written = run.file("own", "90-webcluster.ini")
    names = [*OWN_INI, "post_max_size"]
    program = f"echo json_encode(array_map('ini_get', {json.dumps(names)}));"
    asked = check(f"/usr/bin/php8.4 -n -c %s -r {shlex.quote(program)}", written.content, tmp_path, "php.ini")
    assert asked.returncode == 0, asked.stderr
    found = dict(zip(names, json.loads(asked.stdout), strict=True))
    text = {name: value for name, value in OWN_INI.items() if name != "error_reporting"}
    assert found == {
        **text,
        "display_errors": "1",
        "error_reporting": str(found["error_reporting"]),
        "post_max_size": "8M",
    }
    # E_ALL without the bits of E_DEPRECATED and E_NOTICE.
    assert int(found["error_reporting"]) & 0x7FF == 0x7FF & ~8192 & ~8
    assert not int(found["error_reporting"]) & 8192


def test_own_pool_settings_win_in_the_pool_of_the_pages(run: Run) -> None:
    pages, health = run.file("own", "php-fpm.conf").content.split("[health]")
    assert re.findall(r"^pm.max_requests = (.*)$", pages, re.MULTILINE)[-1] == "77"
    assert "\nrequest_terminate_timeout = 20s\n" in pages
    assert "\nclear_env = no\n" in pages
    assert "77" not in health


def test_own_lines_end_the_configuration(run: Run) -> None:
    config = run.file("own", "apache2.conf").content
    assert config.rstrip().endswith('\nRewriteEngine On\nRewriteRule "^/old$" "/new" [R=301]')


def test_own_name_is_told_to_the_visitor(run: Run) -> None:
    config = run.file("own", "apache2.conf").content
    assert "\nServerName shop-1\n" in config
    assert '\nHeader always set X-Served-By "shop-1"\n' in config
    assert '\nSetEnv SERVED_BY "shop-1"\n' in config
    assert '\nHeader always set X-Served-By "pretended"\n' in run.file("debian13", "apache2.conf").content


def test_b8_what_a_user_adds_to_a_file_is_not_for_everybody(run: Run) -> None:
    for file in FILES:
        assert run.file("own", file).arguments["mode"] == "0640"
        assert "content" not in run.file("own", file).arguments
        assert run.file("debian13", file).arguments["mode"] == "0644"
        assert "content" in run.file("debian13", file).arguments


def test_b2_health_depends_on_what_php_needs_on_the_host(run: Run) -> None:
    [pages] = [call["files"] for call in run.of("debian13", "file_tree") if call["path"].endswith("/system")]
    assert json.loads(pages["health.json"]) == []
    [pages] = [call["files"] for call in run.of("own", "file_tree") if call["path"].endswith("/system")]
    assert json.loads(pages["health.json"]) == ["http://127.0.0.1:8404/livez"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bad_url", "apache_php_health_urls holds 127.0.0.1:8404, expected addresses such as"),
        ("bad_folder", 'apache_php_upload_folders holds "../private", expected folders below the document root'),
        ("bad_file", 'apache_php_hidden_files holds "a b", expected names of files'),
    ],
)
def test_bad_input_is_named_before_anything_is_changed(name: str, said: str, tmp_path: Path) -> None:
    values = {
        "bad_url": {"apache_php_health_urls": ["127.0.0.1:8404"]},
        "bad_folder": {"apache_php_upload_folders": ["uploads", "../private"]},
        "bad_file": {"apache_php_hidden_files": ["*.bak", "a b"]},
    }
    run = play_role("apache_php", {name: Case({**USUAL, **values[name]})}, tmp_path)
    assert said in run.refusal(name)
    assert run.of(name, "configured_service") + run.of(name, "file_tree") == []


def test_numbers_may_be_given_as_text(run: Run) -> None:
    for file in FILES:
        assert run.file("texts", file).content == run.file("limits", file).content
