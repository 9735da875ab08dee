# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real HAProxy with the role's files still knows of its servers after a reload by the role's unit."""

from __future__ import annotations

import re
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

PRIMARY, REPLICA = "127.0.0.1", "127.0.0.2"
GREETING = b"greeting"
# Until a check is answered; a client that a data proxy holds back waits longer.
CHECK_SECONDS = 0.8


class Status(BaseHTTPRequestHandler):
    """The status service of the primary or of the replica, slow as on a busy host."""

    def do_GET(self) -> None:
        time.sleep(CHECK_SECONDS)
        primary = self.connection.getsockname()[0] == PRIMARY
        self.send_response(200 if primary == (self.path == "/primary") else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


class Database(socketserver.BaseRequestHandler):
    """Greets a client that says nothing, as MySQL does."""

    def handle(self) -> None:
        self.request.sendall(GREETING)


def serve(stack: ExitStack, kind: type[socketserver.TCPServer], handler: type[socketserver.BaseRequestHandler]) -> int:
    """Let both hosts serve one port; return it."""
    port = 0
    for address in (PRIMARY, REPLICA):
        server = stack.enter_context(kind((address, port), handler))
        port = int(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
    return port


@pytest.fixture
def write_port() -> int:
    return free_port()


@pytest.fixture
def proxy(write_port: int, tmp_path: Path) -> Iterator[Proxy]:
    with ExitStack() as stack:
        status = serve(stack, ThreadingHTTPServer, Status)
        database = serve(stack, socketserver.ThreadingTCPServer, Database)
        hosts = {"first": PRIMARY, "second": REPLICA}
        servers = [{"name": name, "address": address, "port": database} for name, address in hosts.items()]
        service = {"name": "write", "bind_port": write_port, "check": "mysql_primary", "check_port": status}
        variables = {
            "haproxy_data_services": [{**service, "servers": servers}],
            "haproxy_http_backends": [{**server, "port": status} for server in servers],
            "haproxy_http_bind_address": REPLICA,
            "haproxy_http_bind_port": write_port,
            "haproxy_http_check_path": "/primary",
            "haproxy_stats_bind_address": "127.0.0.3",
        }
        proxy = Proxy(tmp_path, variables)
        stack.callback(proxy.stop)
        for name, state in {
            "write/first": "UP",
            "write/second": "DOWN",
            "web/first": "UP",
            "web/second": "DOWN",
        }.items():
            proxy.wait_for(name, state)
        yield proxy


def greeted_after(port: int) -> float:
    """How long a client that says nothing waits for the server's greeting."""
    start = time.monotonic()
    with socket.create_connection((PRIMARY, port), timeout=10) as client:
        assert client.recv(len(GREETING)) == GREETING
    return time.monotonic() - start


def test_b3_no_client_waits_for_the_first_checks_of_a_reload(proxy: Proxy, write_port: int) -> None:
    assert greeted_after(write_port) < CHECK_SECONDS
    proxy.reload()
    assert greeted_after(write_port) < CHECK_SECONDS / 2


def test_a_server_stays_drained_or_down_over_a_reload(proxy: Proxy) -> None:
    proxy.ask("set server web/first state drain")
    proxy.reload()
    assert proxy.states()["web/first"].startswith("DRAIN")
    assert proxy.states()["web/second"].startswith("DOWN")


def test_servers_that_are_new_gone_or_elsewhere_are_those_of_the_configuration(proxy: Proxy) -> None:
    text = proxy.config.read_text(encoding="utf-8")
    text = text.replace(f"server second {REPLICA}", "server third 127.0.0.4").replace(
        f"first {PRIMARY}", "first 127.0.0.5"
    )
    proxy.config.write_text(text, encoding="utf-8")
    proxy.reload()
    lines = [line.split() for line in proxy.ask("show servers state").splitlines()[2:] if line]
    addresses = {tuple(words[3:5]) for words in lines if words[1] != "kept_connections"}
    assert addresses == {("first", "127.0.0.5"), ("third", "127.0.0.4")}


def test_a_server_that_moved_to_another_port_is_asked_there(proxy: Proxy) -> None:
    text = proxy.config.read_text(encoding="utf-8")
    proxy.config.write_text(re.sub(rf"(?m)^( +server first {PRIMARY}):\d+", r"\1:9", text), encoding="utf-8")
    proxy.reload()
    ports = {tuple(line.split()[3::15][:2]) for line in proxy.ask("show servers state").splitlines()[2:] if line}
    assert ("first", "9") in ports
    assert not {port for name, port in ports if name == "first"} - {"9"}


def test_what_an_earlier_start_knew_is_not_believed(proxy: Proxy, tmp_path: Path) -> None:
    proxy.reload()
    assert len((tmp_path / "server-state").read_text(encoding="utf-8").splitlines()) > 1
    for command in proxy.commands("ExecStartPre"):
        subprocess.run(["sh", "-c", command], check=True)
    assert (tmp_path / "server-state").read_text(encoding="utf-8") == "1\n"
