# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow clients take no PHP process, a page may take as long as the setting says, and health tells when PHP answers nobody."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.converging import converge
from ansible_collections.siteops.webcluster.molecule.utils.slow_clients import HEADER, SILENT, SlowClients, body, visits
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

ADDRESS = "10.95.1.4"
ONE = "--limit=moleculeweb1"
MIB = 1024 * 1024
LIMITS = {
    "apache_php_request_time_limit": 40,
    "apache_php_upload_limit_mb": 2,
    "apache_php_ini_settings": {"error_reporting": "E_ALL & ~E_DEPRECATED"},
}
PAGE = """<?php
$begun = sys_get_temp_dir() . '/begun';
if (isset($_GET['wait'])) {
    file_put_contents($begun, "{$_GET['wait']} ", FILE_APPEND | LOCK_EX);
    sleep((int) $_GET['wait']);
} elseif (isset($_GET['begun'])) {
    exit((string) file_get_contents($begun));
}
echo strlen((string) file_get_contents('php://input')), ' ', error_reporting() & E_DEPRECATED, ' ', error_reporting() & E_ERROR;
"""


@pytest.fixture(scope="module", autouse=True)
def page(host: Host) -> Iterator[None]:
    """A page of the test's own."""
    path = "/srv/webcluster/demo/current/public/limits.php"
    host.check_output("printf %%s %s > %s", PAGE, path)
    yield
    host.check_output("rm -f %s", path)


def request(path: str, content: bytes | Iterable[bytes] | None = None) -> tuple[int, str]:
    """Status and text of an answer; content in parts is sent without telling its length."""
    connection = http.client.HTTPConnection(ADDRESS, timeout=60)
    with contextlib.closing(connection):
        with contextlib.suppress(ConnectionError):
            # Who is refused is told while still sending.
            connection.request("GET" if content is None else "POST", path, content, {"Content-Type": "text/plain"})
        response = connection.getresponse()
        return response.status, response.read().decode()


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        # The second way gets slow in the middle, where a load balancer has handed it on already.
        (body("/limits.php"), {"HTTP/1.1 408 Request Timeout": 40}),
        (body("/api/items", at_once=5000), {"HTTP/1.1 408 Request Timeout": 40}),
        (HEADER, {"HTTP/1.1 408 Request Timeout": 40}),
        # They wait in the kernel, Apache has not heard of them.
        (SILENT, {}),
    ],
    ids=["body", "body_in_the_middle", "header", "silent"],
)
def test_b6_forty_slow_clients_take_no_php_process(begin: bytes, expected: dict[str, int]) -> None:
    with SlowClients(ADDRESS, 40, begin, bytes_per_second=600) as slow:
        assert visits(ADDRESS, "/limits.php", 10) == {"200": 10}
        assert visits(ADDRESS, "/healthz", 5) == {"200": 5}
        if expected:
            until(lambda: len(slow.answers) == 40)
    assert Counter(slow.answers) == expected


@pytest.fixture(scope="module")
def limited(host: Host) -> Iterator[None]:
    code, output = converge("apache_php", LIMITS, ONE)
    assert code == 0, output
    host.check_output("printf %%s %s > /srv/webcluster/demo/current/public/limits.php", PAGE)
    yield
    code, output = converge("apache_php", None, ONE)
    assert code == 0, output


@pytest.mark.usefixtures("limited")
def test_e4_an_expression_means_what_it_means_in_php_ini() -> None:
    assert request("/limits.php") == (200, "0 0 1")


@pytest.mark.usefixtures("limited")
def test_e4_the_limit_of_a_body_holds_and_harms_nobody_else(host: Host) -> None:
    host.check_output("truncate --size 0 /var/log/apache2/error.log")
    assert request("/limits.php", b"x" * (2 * MIB)) == (200, f"{2 * MIB} 0 1")
    assert request("/limits.php", b"x" * (2 * MIB + 1))[0] == 413
    # Without a length PHP refuses it, which reads nothing of it then.
    assert request("/limits.php", [b"x" * 65536] * 31) == (200, f"{31 * 65536} 0 1")
    # A body that is too large ends none of Apache's processes, and with it the requests of others.
    assert "exit signal" not in host.file("/var/log/apache2/error.log").content_string


@pytest.mark.usefixtures("limited")
def test_b7_a_page_may_take_as_long_as_the_setting_says_and_b6_health_tells_that_nobody_is_answered(host: Host) -> None:
    processes = len(host.check_output("pgrep --full '[p]hp-fpm: pool site-demo'").splitlines())
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        waits = [32] * (processes - 1) + [60]
        answers = [pool.submit(request, f"/limits.php?wait={wait}") for wait in waits]
        time.sleep(10)
        assert request("/healthz")[0] == 200
        time.sleep(12)
        status, said = request("/healthz")
        assert (status, re.sub(r"\d+", "N", said)) == (503, "every PHP process busy with one page for N s\n")
        assert request("/livez")[0] == 200
        statuses = [answer.result()[0] for answer in answers]
    assert statuses == [200] * (processes - 1) + [504]
    # The one that was too long was not begun again.
    assert Counter(request("/limits.php?begun")[1].split()) == {"32": processes - 1, "60": 1}
    assert request("/healthz")[0] == 200
    # Nobody waits for the one that was too long any more, and it is ended.
    host.check_output("sleep 3")
    version = "8.2" if host.system_info.release.startswith("12") else "8.4"
    assert "wait=60" in host.check_output("grep 'execution timed out' /var/log/php%s-fpm.log", version)
