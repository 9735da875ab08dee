# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real HAProxy with the role's haproxy.cfg does in front of web servers of which one has lost its PHP."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import PATH, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, play_role

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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of all requests that reached a web server."""
    methods: list[str] = []
    monkeypatch.setattr(WebServer, "seen", methods, raising=False)
    return methods


@pytest.fixture
def ports() -> dict[str, int]:
    return {"site": free_port(), "statistics": free_port()}


@pytest.fixture
def ask(ports: dict[str, int], tmp_path: Path) -> Iterator[Ask]:
    """Send a request to the balancer, by method and path; a path of the statistics' port begins with its name."""
    need("haproxy")
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
            "haproxy_http_bind_port": ports["site"],
            "haproxy_stats_port": ports["statistics"],
        }
        text = play_role("haproxy", {"lb": Case(variables)}, tmp_path).file("lb", "haproxy.cfg").content
        config = tmp_path / "haproxy.cfg"
        # What only the service may do, and servers of full weight from the beginning.
        config.write_text(
            re.sub(r"(?m)^    (chroot|user|group|stats socket|log /dev) ?.*\n", "", text).replace(" slowstart 10s", "")
        )
        haproxy = stack.enter_context(subprocess.Popen(["haproxy", "-db", "-f", str(config)], env={"PATH": PATH}))
        stack.callback(haproxy.terminate)

        def send(method: str, path: str, port: str = "site") -> int:
            connection = http.client.HTTPConnection("127.0.0.1", ports[port], timeout=10)
            try:
                connection.request(method, path)
                return connection.getresponse().status
            finally:
                connection.close()

        for _try in range(100):
            try:
                send("GET", "/livez", "statistics")
                break
            except OSError:
                time.sleep(0.1)
        yield send


def test_b2_no_get_is_lost_where_a_web_server_lost_its_php(ask: Ask, seen: list[str]) -> None:
    assert [ask("GET", "/") for _number in range(20)] == [200] * 20
    # Half of them were tried on both.
    assert len(seen) > 20


def test_b2_a_post_is_never_sent_twice(ask: Ask, seen: list[str]) -> None:
    assert {ask("POST", "/") for _number in range(20)} == {200, 503}
    assert seen == ["POST"] * 20
