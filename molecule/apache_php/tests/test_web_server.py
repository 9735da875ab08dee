# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds on every web server, with a site and without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.restricted import MOST_EXPOSED, exposure, of_process
from testinfra.host import Host

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def fpm(host: Host) -> str:
    return "php8.2-fpm" if host.system_info.release.startswith("12") else "php8.4-fpm"


def test_both_daemons_run_and_start_at_boot(host: Host, fpm: str) -> None:
    for unit in ("apache2", fpm):
        assert host.service(unit).is_running, host.check_output("journalctl --no-pager --lines 30 --unit %s", unit)
        assert host.service(unit).is_enabled


def test_p8_both_do_without_most_rights_and_php_can_send_mail(host: Host, fpm: str) -> None:
    for unit, no_new_privileges in (("apache2", "1"), (fpm, "0")):
        assert exposure(host, unit) <= MOST_EXPOSED
        # A program that sends mail takes the rights of its owner or group.
        assert (of_process(host, unit, "NoNewPrivs"), of_process(host, unit, "Seccomp")) == (no_new_privileges, "2")


def test_apache_uses_the_event_mpm_and_no_php_module(host: Host) -> None:
    modules = host.check_output("apache2ctl -M")
    assert "mpm_event_module" in modules
    assert "php" not in modules
    assert "access_compat_module" not in modules


def test_sizes_follow_memory_and_cores(host: Host, fpm: str) -> None:
    # 1024 MiB hold (1024 - 256 - 64) / 48 = 14 processes; cores allow four each.
    cores = int(host.check_output("nproc"))
    children = min(14, max(4 * cores, 4))
    running = host.check_output("ps -C %s -o args=", f"php-fpm{fpm[3:6]}").splitlines()
    assert sum("pool site-demo" in line for line in running) == children
    assert sum("pool health" in line for line in running) == 1


def test_php_listens_on_sockets_for_apache_only(host: Host, fpm: str) -> None:
    for name in (f"{fpm}-site-demo", f"{fpm}-health"):
        assert host.file(f"/run/php/{name}.sock").is_socket
        # It is a link to the one that systemd holds.
        socket = host.file(f"/run/webcluster-php/{name}.sock")
        assert socket.is_socket
        assert (socket.user, socket.group, socket.mode) == ("www-data", "www-data", 0o660)
    assert "php" not in host.check_output("ss -Hltnp")


def test_opcache_is_on_and_jit_is_off(host: Host, fpm: str) -> None:
    program = (
        "echo json_encode([ini_get('opcache.enable'), ini_get('opcache.jit'), ini_get('opcache.memory_consumption')]);"
    )
    version = fpm.removesuffix("-fpm")
    ini = f"PHP_INI_SCAN_DIR=/etc/php/{version.removeprefix('php')}/fpm/conf.d {version}"
    assert host.check_output(f"{ini} -r %s", program) == '["1","disable","64"]'


def test_healthz_and_livez_answer_and_name_the_server(ask: Ask, name: str) -> None:
    for path, text in {"/healthz": "ok\n", "/livez": "alive\n"}.items():
        answer = ask(path)
        assert (answer.status, answer.text) == (200, text)
        assert answer.headers["x-served-by"] == name
        assert answer.headers["cache-control"] == "no-store"


def test_nothing_tells_versions(ask: Ask) -> None:
    answer = ask("/healthz")
    assert answer.headers["server"] == "Apache"
    assert "x-powered-by" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/info.php",
        "/phpinfo.php",
        "/.git/config",
        "/server-status",
        "/icons/",
        "/healthz.php",
        "/system/healthz.php",
        "/../lib.php",
        "/lib.php",
    ],
)
def test_no_other_page_is_there(ask: Ask, path: str) -> None:
    answer = ask(path)
    assert answer.status in (400, 403, 404)
    assert "phpinfo" not in answer.text
    assert "<?php" not in answer.text


def test_trace_is_off(ask: Ask) -> None:
    assert ask("/", method="TRACE").status == 405


def test_healthz_fails_without_php_but_livez_does_not(host: Host, ask: Ask, fpm: str) -> None:
    host.check_output("systemctl stop %s", fpm)
    try:
        assert ask("/healthz").status == 503
        assert ask("/livez").status == 200
    finally:
        host.check_output("systemctl start %s", fpm)
    assert ask("/healthz").status == 200


def test_good_health_checks_are_not_logged(host: Host, ask: Ask) -> None:
    host.check_output("truncate --size 0 /var/log/apache2/access.log")
    ask("/healthz")
    ask("/livez")
    assert host.file("/var/log/apache2/access.log").content_string == ""


def test_a_reload_keeps_the_processes_of_apache_and_php(host: Host, ask: Ask, fpm: str) -> None:
    for unit in ("apache2", fpm):
        before = host.check_output("systemctl show --property MainPID %s", unit)
        host.check_output("systemctl reload %s", unit)
        assert host.check_output("systemctl show --property MainPID %s", unit) == before
    assert ask("/healthz").status == 200


def test_logs_are_rotated(host: Host) -> None:
    assert host.package("logrotate").is_installed
    assert host.file("/etc/logrotate.d/apache2").exists


def test_pages_belong_to_root(host: Host) -> None:
    assert (
        host.check_output("find /var/www/webcluster /srv/webcluster/demo/releases ! -user root -o -perm /022 ! -type l")
        == ""
    )
