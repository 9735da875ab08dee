# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real HAProxy with the role's haproxy.cfg does in front of web servers of which one has lost its PHP."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

Ask = Callable[[str, str], int]


class WebServer(BaseHTTPRequestHandler):
    """A web server whose health check still passes."""

    status = 200
    seen: list[str]

    def answer(self) -> None:
        healthy = self.path == "/healthz"
        if not healthy:
            self.seen.append(self.command)
        self.send_response(200 if healthy else self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


class BrokenWebServer(WebServer):
    status = 503


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of all requests that reached a web server."""
    methods: list[str] = []
    monkeypatch.setattr(WebServer, "seen", methods, raising=False)
    return methods


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Send a request to the balancer, by method and path."""
    port = free_port()
    with ExitStack() as stack:
        backends = []
        for number, kind in enumerate((WebServer, BrokenWebServer)):
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), kind))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            backends.append({"name": f"web{number}", "address": "127.0.0.1", "port": server.server_port})
        variables = {
            "haproxy_http_backends": backends,
            "haproxy_http_balance": "roundrobin",
            "haproxy_http_bind_address": "127.0.0.1",
            "haproxy_http_bind_port": port,
            "haproxy_stats_port": free_port(),
        }
        proxy = Proxy(tmp_path, variables)
        stack.callback(proxy.stop)
        for backend in backends:
            proxy.wait_for(f"web/{backend['name']}", "UP")

        def send(method: str, path: str) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request(method, path)
                return connection.getresponse().status
            finally:
                connection.close()

        yield send


def test_b2_no_get_is_lost_where_a_web_server_lost_its_php(ask: Ask, seen: list[str]) -> None:
    assert [ask("GET", "/") for _number in range(20)] == [200] * 20
    # Half of them were tried on both.
    assert len(seen) > 20


def test_b2_a_post_is_never_sent_twice(ask: Ask, seen: list[str]) -> None:
    assert {ask("POST", "/") for _number in range(20)} == {200, 503}
    assert seen == ["POST"] * 20
