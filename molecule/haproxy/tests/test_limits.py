# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow clients hurt nobody and reach no web server, one client cannot take everything, and a slow request runs once."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections import Counter
from collections.abc import Iterator

import pytest
import testinfra
from ansible_collections.siteops.webcluster.molecule.utils.converging import converge
from ansible_collections.siteops.webcluster.molecule.utils.slow_clients import HEADER, SILENT, SlowClients, body, visits
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

PUBLIC = "10.94.1.4"
# Prints what the running HAProxy answers to a command.
ASK = (
    "import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('/run/haproxy/admin.sock');"
    "s.sendall(sys.argv[1].encode()+b'\\n'); print(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
)
LIMITS = {"haproxy_http_request_time_limit": 2, "haproxy_http_client_connections": 60, "haproxy_http_client_bodies": 10}


def test_b6_forty_slow_clients_of_each_kind_are_closed_and_hurt_nobody(host: Host) -> None:
    with contextlib.ExitStack() as stack:
        kinds = {"body": body("/slow"), "header": HEADER, "silent": SILENT}
        slow = {
            kind: stack.enter_context(SlowClients(PUBLIC, 40, begin, bytes_per_second=600))
            for kind, begin in kinds.items()
        }
        assert visits(PUBLIC, "/", 40) == {"200": 40}
        until(lambda: all(len(of.answers) == 40 for of in slow.values()))
    for kind, of in slow.items():
        assert Counter(of.answers) == {"HTTP/1.1 408 Request Time-out": 40}, kind
    journal = host.check_output("journalctl -u haproxy").splitlines()
    bodies = [line for line in journal if '"POST /slow HTTP/1.1"' in line]
    assert len(bodies) >= 40
    assert all("/<NOSRV> " in line for line in bodies)


@pytest.fixture(scope="module")
def limited() -> Iterator[None]:
    code, output = converge("haproxy", LIMITS)
    assert code == 0, output
    yield
    code, output = converge("haproxy")
    assert code == 0, output


@pytest.mark.usefixtures("limited")
def test_b6_one_client_gets_its_share_of_connections_and_bodies_only(host: Host) -> None:
    def all_are_gone() -> bool:
        table = host.check_output("python3 -c %s %s", ASK, "show table client_connections")
        return not re.search(r"conn_cur=[1-9]", table)

    with SlowClients(PUBLIC, 80, SILENT, 0) as many:
        until(lambda: len(many.answers) == 20)
        assert Counter(many.answers) == {"ConnectionResetError": 20}
    # HAProxy counts a connection until it has seen its end.
    assert until(all_are_gone)
    with SlowClients(PUBLIC, 30, body("/slow"), 600) as bodies:
        until(lambda: len(bodies.answers) == 20)
        assert Counter(bodies.answers) == {"HTTP/1.1 429 Too Many Requests": 20}
        assert visits(PUBLIC, "/", 5) == {"200": 5}


@pytest.mark.usefixtures("limited")
def test_b7_a_slow_request_runs_once(host: Host) -> None:
    stubs = [
        testinfra.get_host(f"ssh://{name}", ssh_config=host.backend.ssh_config, sudo=True) for name in ("web1", "web2")
    ]
    connection = http.client.HTTPConnection(PUBLIC, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/wait/14")
        assert connection.getresponse().status == 504
    begun = [stub.run("cat /run/begun").stdout.splitlines().count("/wait/14") for stub in stubs]
    assert sorted(begun) == [0, 1]
