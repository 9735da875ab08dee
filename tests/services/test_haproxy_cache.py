# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real HAProxy with the role's haproxy.cfg answers by itself, and what it asks the web server for each time."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

PUBLIC = "public, max-age=3600"
CHANGED = "Fri, 27 Nov 2026 20:00:00 GMT"


class WebServer(BaseHTTPRequestHandler):
    """Answers how often it has been asked for the path, which says how it may be kept; a password gets another answer."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        folder = self.path.split("/")[1]
        whole = f"{self.headers['Authorization'] or 'nobody'} {self.seen.count(self.path)}".encode()
        self.send_response(404 if folder == "gone" else 200)
        self.send_header("Content-Length", str(len(whole)))
        if folder != "plain":
            self.send_header("Cache-Control", "private, max-age=3600" if folder == "private" else PUBLIC)
        self.send_header("Last-Modified", CHANGED)
        self.send_header("Vary", "Accept-Encoding")
        self.end_headers()
        self.wfile.write(whole)

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


@dataclass
class Site:
    """The balancer before that web server."""

    port: int

    def get(self, path: str, **headers: str) -> tuple[str, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.read().decode(), answer
        finally:
            connection.close()

    def bodies(self, path: str) -> list[str]:
        """What two requests get."""
        return [self.get(path)[0] for _twice in range(2)]


@contextmanager
def balancer(folder: Path, **variables: object) -> Iterator[Site]:
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), WebServer))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        port = free_port()
        usual = {
            "haproxy_http_backends": [{"name": "web", "address": "127.0.0.1", "port": server.server_port}],
            "haproxy_http_bind_address": "127.0.0.1",
            "haproxy_http_bind_port": port,
            "haproxy_stats_port": free_port(),
        }
        proxy = Proxy(folder, {**usual, **variables})
        stack.callback(proxy.stop)
        proxy.wait_for("web/web", "UP")
        yield Site(port)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with balancer(tmp_path_factory.mktemp("balancer")) as found:
        yield found


def test_a_public_file_comes_from_the_balancer(site: Site) -> None:
    first, answer = site.get("/public/style.css")
    second, again = site.get("/public/style.css")
    assert (first, second) == ("nobody 1", "nobody 1")
    assert again.headers["Age"]
    for name in ("Cache-Control", "Last-Modified", "X-Content-Type-Options"):
        assert again.headers[name] == answer.headers[name] != ""
    # The number is the request's own.
    assert again.headers["X-Request-ID"] != answer.headers["X-Request-ID"]


def test_who_has_it_is_told_that_it_is_the_same(site: Site) -> None:
    site.get("/public/same.css")
    body, answer = site.get("/public/same.css", **{"If-Modified-Since": CHANGED})
    assert (answer.status, body, WebServer.seen.count("/public/same.css")) == (304, "", 1)


@pytest.mark.parametrize("path", ["/plain/style.css", "/private/style.css", "/gone/style.css", "/public/page"])
def test_nothing_else_is_kept(path: str, site: Site) -> None:
    assert site.bodies(path) == ["nobody 1", "nobody 2"]


def test_names_and_questions_are_apart(site: Site) -> None:
    bodies = [site.get("/public/name.css", Host=name)[0] for name in ("one.example", "two.example", "one.example")]
    assert bodies == ["nobody 1", "nobody 2", "nobody 1"]
    site.get("/public/name.css?v=2", Host="one.example")
    assert "/public/name.css?v=2" in WebServer.seen


def test_what_a_password_opens_is_for_nobody_else(site: Site) -> None:
    body, _answer = site.get("/public/secret.png", Authorization="Basic eDp5")
    assert body == "Basic eDp5 1"
    assert site.get("/public/secret.png")[0] == "nobody 2"
    # Nor is the one with a password told what everybody else sees.
    assert site.get("/public/secret.png", Authorization="Basic eDp5")[0] == "Basic eDp5 3"


def test_who_is_refused_gets_nothing_that_is_kept(tmp_path: Path) -> None:
    with balancer(tmp_path, haproxy_http_frontend_settings=["http-request deny if { hdr(x-bad) 1 }"]) as site:
        assert site.bodies("/public/refused.css") == ["nobody 1", "nobody 1"]
        assert site.get("/public/refused.css", **{"X-Bad": "1"})[1].status == 403


def test_nothing_is_kept_where_nobody_wants_it(tmp_path: Path) -> None:
    with balancer(tmp_path, haproxy_http_cache_mb=0) as site:
        assert site.bodies("/public/unwanted.css") == ["nobody 1", "nobody 2"]
