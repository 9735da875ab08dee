# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets of PHP-FPM, which systemd holds: whoever waits at one waits on while PHP is killed, and they follow the pools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

Ask = Callable[..., Any]
ONE = "--limit=moleculeweb1"
TMP = "/srv/webcluster/demo/tmp"
PROBE = "/srv/webcluster/demo/current/public/probe.php"
PAGE = f"<?php file_put_contents('{TMP}/begun', $_GET['n'] . \"\\n\", FILE_APPEND); echo 'done';"
# What waits in the socket's queue when PHP is killed, and what comes while it is started again.
PROGRAM = """
import http.client, json, subprocess, sys, threading, time
unit, socket = sys.argv[1:]
codes = {}
def post(n):
    c = http.client.HTTPConnection("127.0.0.1", 80, timeout=60)
    c.request("POST", f"/probe.php?n={n}", "x")
    codes[n] = c.getresponse().status
def kill(signal):
    subprocess.run(["systemctl", "kill", f"--signal={signal}", unit], check=True)
def queued():
    return int(subprocess.run(["ss", "-Hlx", "src", socket], check=True, capture_output=True, text=True).stdout.split()[2])
threads = [threading.Thread(target=post, args=(n,)) for n in range(60)]
kill("STOP")
for thread in threads[:20]:
    thread.start()
end = time.monotonic() + 60
while queued() < 20 and time.monotonic() < end:
    time.sleep(0.05)
found = queued()
kill("KILL")
for thread in threads[20:]:
    thread.start()
    time.sleep(0.02)
for thread in threads:
    thread.join()
print(json.dumps([found, codes]))
"""
# The demo as the inventory has it, and a site without an application.
BOTH = {
    "apache_php_sites": "{{ molecule_sites + [{'name': 'second', 'domains': ['second.example']}] }}",
}


@pytest.fixture(scope="module")
def fpm(host: Host) -> str:
    return "php8.2-fpm" if host.system_info.release.startswith("12") else "php8.4-fpm"


@pytest.fixture
def probe(host: Host) -> Iterator[None]:
    host.check_output("printf %%s %s >%s && rm -f %s/begun", PAGE, PROBE, TMP)
    yield
    host.check_output("rm -f %s %s/begun", PROBE, TMP)


def held(host: Host, name: str) -> bool:
    """Whether a pool listens at the socket that systemd holds."""
    found = host.run("readlink /run/php/%s.sock", name).stdout.strip()
    return found == f"/run/webcluster-php/{name}.sock" and host.file(found).is_socket


def is_active(host: Host, fpm: str, pool: str) -> bool:
    return host.run("systemctl is-active --quiet webcluster-%s@%s.socket", fpm, f"{fpm}-{pool}").rc == 0


@pytest.mark.usefixtures("probe")
def test_no_write_fails_that_comes_when_php_is_killed_or_waits_for_it_and_each_is_run_once(
    host: Host, fpm: str
) -> None:
    socket = f"/run/webcluster-php/{fpm}-site-demo.sock"
    queued, codes = json.loads(host.check_output("python3 -c %s %s %s", PROGRAM, fpm, socket))
    assert queued == 20
    assert codes == dict.fromkeys(map(str, range(60)), 200)
    begun = host.file(f"{TMP}/begun").content_string.split()
    assert sorted(begun, key=int) == [str(n) for n in range(60)]


def test_a_reload_keeps_the_sockets(host: Host, ask: Ask, fpm: str) -> None:
    names = [f"{fpm}-{pool}" for pool in ("site-demo", "health")]
    where = "stat --format %%i /run/webcluster-php/*.sock"
    before = host.check_output(where)
    host.check_output("systemctl reload %s", fpm)
    assert until(lambda: ask("/healthz").status == 200)
    assert host.check_output(where) == before
    assert all(held(host, name) for name in names)


def test_the_sockets_follow_the_sites(host: Host, ask: Ask, fpm: str) -> None:
    name = f"{fpm}-site-second"
    code, output = converge("apache_php", BOTH, ONE)
    assert code == 0, output
    assert ask("/", headers={"Host": "second.example"}).status == 200
    # What came by reload listens itself until it is killed.
    assert not held(host, name)
    assert changes(converge("apache_php", BOTH, ONE)[1]) == 0
    host.check_output("systemctl kill --signal=KILL %s", fpm)
    assert until(lambda: held(host, name))
    assert ask("/", headers={"Host": "second.example"}).status == 200
    assert changes(converge("apache_php", BOTH, ONE)[1]) == 0

    code, output = converge("apache_php", None, ONE)
    assert code == 0, output
    assert until(lambda: not is_active(host, fpm, "site-second"))
    assert not host.file(f"/run/php/{name}.sock").exists
    assert held(host, f"{fpm}-site-demo")
    assert ask("/healthz").status == 200
    assert changes(converge("apache_php", None, ONE)[1]) == 0


def test_a_host_of_a_former_release_whose_run_was_interrupted_gets_there(host: Host, ask: Ask, fpm: str) -> None:
    units = "/etc/systemd/system"
    files = (f"{units}/{fpm}.service.d/sockets.conf", f"{units}/webcluster-{fpm}@.socket")
    kept = {path: host.file(path).content_string for path in files}
    host.check_output("rm %s %s && systemctl daemon-reload && systemctl restart %s", *files, fpm)
    assert not held(host, f"{fpm}-site-demo")
    assert ask("/healthz").status == 200
    # The run had written its files when it ended.
    for path, text in kept.items():
        host.check_output("printf %%s %s >%s", text, path)
    code, output = converge("apache_php", None, ONE)
    assert code == 0, output
    assert host.check_output("systemctl show --property NeedDaemonReload --value %s", fpm) == "no"
    host.check_output("systemctl kill --signal=KILL %s", fpm)
    assert until(lambda: held(host, f"{fpm}-site-demo") and held(host, f"{fpm}-health"))
    assert until(lambda: ask("/healthz").status == 200)
    assert changes(converge("apache_php", None, ONE)[1]) == 0
