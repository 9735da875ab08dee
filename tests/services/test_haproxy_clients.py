# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real HAProxy with the role's haproxy.cfg does with a client that asks too often, logs of it, and adds to answers."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

ODD = '/a"b\\c?q=%27'
LIMIT = 5
# A slow machine needs a part of the ten seconds for some of them.
MANY = 4 * LIMIT


class Application(BaseHTTPRequestHandler):
    """Sets headers of its own below /own and /csp."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        if self.path == "/own":
            self.send_header("X-Frame-Options", "DENY")
            self.send_header("Referrer-Policy", "no-referrer")
        if self.path == "/csp":
            self.send_header("Content-Security-Policy", "default-src 'self'; frame-ancestors https://other.example")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


@dataclass(frozen=True)
class Front:
    port: int
    log: socket.socket

    def get(self, *paths: str) -> list[tuple[int, http.client.HTTPMessage]]:
        """One request after the other over one connection, as long as it is open."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            found = []
            for path in paths:
                connection.request("GET", path, headers={"Host": 'www."example'})
                answer = connection.getresponse()
                answer.read()
                found.append((answer.status, answer.headers))
            return found
        finally:
            connection.close()

    def logged(self, count: int) -> list[str]:
        """Lines about visitors."""
        lines: list[str] = []
        while len(lines) < count:
            _prefix, _name, line = self.log.recv(65536).decode().partition("]: ")
            lines += [line.rstrip("\n")] if "www" in line else []
        return lines


@contextmanager
def front(folder: Path, **variables: Any) -> Iterator[Front]:
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Application))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        log = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        log.bind(("127.0.0.1", 0))
        log.settimeout(10)
        port = free_port()
        usual: dict[str, Any] = {
            "haproxy_http_backends": [{"name": "web", "address": "127.0.0.1", "port": server.server_port}],
            "haproxy_http_bind_address": "127.0.0.1",
            "haproxy_http_bind_port": port,
            "haproxy_stats_port": free_port(),
            "haproxy_http_client_requests": LIMIT,
            "haproxy_global_settings": [f"log 127.0.0.1:{log.getsockname()[1]} local0 info"],
        }
        proxy = Proxy(folder, {**usual, **variables})
        stack.callback(proxy.stop)
        proxy.wait_for("web/web", "UP")
        yield Front(port, log)


def test_p4_too_many_requests_of_one_client_are_marked_first(tmp_path: Path) -> None:
    with front(tmp_path) as observing:
        assert [status for status, _headers in observing.get(*["/"] * MANY)] == [200] * MANY
        marks = [line.rsplit(" ", 1)[1] for line in observing.logged(MANY)]
    assert (marks[:LIMIT], marks[-1]) == (["-"] * LIMIT, "over")


def test_p4_and_refused_with_429_when_told_to(tmp_path: Path) -> None:
    with front(tmp_path, haproxy_http_client_requests_action="refuse", haproxy_http_log_format="json") as refusing:
        found = [refusing.get(ODD)[0] for _request in range(MANY)]
        lines = [json.loads(line) for line in refusing.logged(MANY)]
    assert [status for status, _headers in found[:LIMIT]] == [200] * LIMIT
    status, headers = found[-1]
    assert (status, headers["Retry-After"]) == (429, "10")
    assert [line["client_over"] for line in lines] == ["over" if status == 429 else "-" for status, _headers in found]
    first = lines[0]
    assert (first["uri"], first["host"], first["method"], first["status"]) == (ODD, 'www."example', "GET", 200)
    assert (first["client"], first["server"], first["ms"]["connect"] >= 0) == ("127.0.0.1", "web", True)
    assert len(first["request_id"]) == 36


def test_p4_answers_get_the_headers_that_the_application_has_not_set(tmp_path: Path) -> None:
    names = ("X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options")
    with front(tmp_path) as served:
        found = [tuple(headers[name] for name in names) for _status, headers in served.get("/", "/own", "/csp")]
    assert found == [
        ("nosniff", "strict-origin-when-cross-origin", "SAMEORIGIN"),
        ("nosniff", "no-referrer", "DENY"),
        ("nosniff", "strict-origin-when-cross-origin", None),
    ]
