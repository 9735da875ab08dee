# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another PHP version, there and back, while the site is asked. The version is the distribution's under another number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

Ask = Callable[..., Any]
ONE = "--limit=moleculeweb1"
NEW = "8.9"
FOLDER = "/srv/molecule-php"
PROBE = "/srv/webcluster/demo/current/public/version.php"
PAGE = "<?php usleep(20000); echo ini_get('extension_dir');"
REBUILD = Path(__file__).with_name("rebuild_php.sh").read_text(encoding="utf-8")
# Reads and writes in turn, each on a connection of its own, until it is told to end.
LOAD = """
import collections, http.client, json, os, time
found, n = collections.Counter(), 0
while not os.path.exists("/run/molecule-load.stop"):
    n += 1
    try:
        c = http.client.HTTPConnection("127.0.0.1", 80, timeout=60)
        c.request(*(("GET", "/version.php") if n % 2 else ("POST", "/version.php", "x")))
        r = c.getresponse()
        r.read()
        found[str(r.status)] += 1
        c.close()
    except (OSError, http.client.HTTPException) as error:
        found[type(error).__name__] += 1
    time.sleep(0.02)
json.dump(found, open("/run/molecule-load.json", "w"))
"""


@pytest.fixture(scope="module")
def own(host: Host) -> str:
    return "8.2" if host.system_info.release.startswith("12") else "8.4"


@pytest.fixture(scope="module", autouse=True)
def source(host: Host, own: str) -> Iterator[None]:
    """A package source with that version, and a page; both gone afterwards."""
    host.check_output("bash -c %s rebuild_php.sh %s %s %s", REBUILD, FOLDER, own, NEW)
    host.check_output("printf %%s %s >%s", PAGE, PROBE)
    yield
    host.check_output("rm -rf %s %s /etc/apt/sources.list.d/molecule-php.list", FOLDER, PROBE)
    host.check_output("apt-get -q -y purge 'php%s-*' && apt-get -q update", NEW)


@pytest.fixture
def load(host: Host) -> Iterator[Callable[[], dict[str, int]]]:
    """Ask all the while; return how often it was answered with which status."""
    files = "/run/molecule-load.stop /run/molecule-load.json"
    host.check_output(f"rm -f {files} && systemd-run --unit molecule-load python3 -c %s", LOAD)

    def end() -> dict[str, int]:
        host.check_output("touch /run/molecule-load.stop")
        assert until(lambda: host.run("systemctl is-active --quiet molecule-load").rc != 0)
        return dict(json.loads(host.file("/run/molecule-load.json").content_string))

    yield end
    host.check_output(f"touch /run/molecule-load.stop; systemctl stop molecule-load; rm -f {files}")


def only(host: Host, version: str) -> bool:
    """Whether systemd holds sockets of this version alone."""
    return {name.split("-fpm")[0] for name in host.check_output("ls /run/webcluster-php").split()} == {f"php{version}"}


def test_all_pools_go_over_and_back_and_no_request_fails(
    host: Host, ask: Ask, own: str, load: Callable[[], dict[str, int]]
) -> None:
    before = ask("/version.php").text
    assert before.startswith("/usr/lib/php/"), before
    for version, former in ((NEW, own), (own, NEW)):
        wanted = {"apache_php_version": version} if version == NEW else None
        code, output = converge("apache_php", wanted, ONE)
        assert code == 0, output
        assert host.service(f"php{version}-fpm").is_running
        assert not host.service(f"php{former}-fpm").is_running
        assert not host.service(f"php{former}-fpm").is_enabled
        assert (ask("/version.php").text == before) == (version == own)
        assert ask("/healthz").status == 200
        assert until(partial(only, host, version)), host.check_output("ls /run/webcluster-php")
        assert host.check_output("find /etc/systemd/system -path %s ! -type d", f"*php{former}*") == ""
        assert changes(converge("apache_php", wanted, ONE)[1]) == 0
    found = load()
    assert set(found) == {"200"}, found
    # Otherwise it has not been asked all the while.
    assert found["200"] > 200
