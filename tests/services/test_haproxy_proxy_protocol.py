# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a real HAProxy behind another one takes for its client, and who cannot make it believe something else."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.siteops.webcluster.tests.certificates import issue
from ansible_collections.siteops.webcluster.tests.loopback import PATIENCE, free_port, wait_for
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

SITE = issue("www.example.org")
# Connections of one client at the same time, and its requests within ten seconds.
CONNECTIONS, REQUESTS = 3, 4
PROXY = "127.0.0.1"
FAKED = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n"


class Echo(BaseHTTPRequestHandler):
    """Answers with who the client is said to be; below /wait when told to."""

    waiting = threading.Semaphore(0)
    go_on = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/wait":
            self.waiting.release()
            self.go_on.wait()
        body = self.headers.get("X-Forwarded-For", "nobody").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


@dataclass(frozen=True)
class Chain:
    """A balancer, and one in front that passes on connections, or reads requests itself."""

    inner: Proxy
    plain: int
    in_front: int
    in_front_tls: int
    front_door: int

    def connect(self, port: int, client: str) -> socket.socket:
        return socket.create_connection((PROXY, port), timeout=60, source_address=(client, 0))

    def get(self, port: int, client: str, tls: bool = False) -> tuple[int, str]:
        raw = self.connect(port, client)
        connection = http.client.HTTPConnection(PROXY)
        context = ssl.create_default_context(cadata=SITE.certificate)
        connection.sock = context.wrap_socket(raw, server_hostname="www.example.org") if tls else raw
        try:
            # The path of the health check is not sent to HTTPS.
            connection.request("GET", "/healthz", headers={"Host": "www.example.org", "X-Forwarded-For": "203.0.113.9"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def raw(self, port: int, client: str, text: bytes) -> bytes:
        """What is answered until the end; nothing where the connection is cut."""
        found = b""
        with self.connect(port, client) as connection, suppress(ConnectionError):
            connection.sendall(text)
            while part := connection.recv(65536):
                found += part
        return found

    def log(self) -> str:
        return self.inner.text_of("requests.log")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    plain, tls, in_front, in_front_tls, front_door = (free_port() for _port in range(5))
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer((PROXY, 0), Echo))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        inner = Proxy(
            tmp_path_factory.mktemp("inner"),
            {
                "haproxy_http_backends": [{"name": "web", "address": PROXY, "port": server.server_port}],
                "haproxy_http_bind_address": PROXY,
                "haproxy_http_bind_port": plain,
                "haproxy_https_bind_port": tls,
                "haproxy_https_certificates": [SITE.variables()],
                "haproxy_http_proxy_sources": [PROXY],
                "haproxy_http_client_connections": CONNECTIONS,
                "haproxy_http_client_requests": REQUESTS,
                "haproxy_http_client_requests_action": "refuse",
                "haproxy_stats_port": free_port(),
            },
        )
        stack.callback(inner.stop)
        inner.wait_for("web/web", "UP")

        def passed_on(name: str, bind: int, port: int) -> dict[str, object]:
            servers = [{"name": "inner", "address": PROXY, "port": port}]
            return {"name": name, "bind_port": bind, "send_proxy": True, "servers": servers}

        outer = Proxy(
            tmp_path_factory.mktemp("outer"),
            {
                "haproxy_data_services": [
                    passed_on("plain", in_front, plain),
                    passed_on("tls", in_front_tls, tls),
                ],
                "haproxy_http_backends": [{"name": "inner", "address": PROXY, "port": plain, "send_proxy": True}],
                "haproxy_http_bind_address": PROXY,
                "haproxy_http_bind_port": front_door,
                "haproxy_stats_port": free_port(),
            },
        )
        stack.callback(outer.stop)
        for service in ("plain", "tls", "web"):
            outer.wait_for(f"{service}/inner", "UP")
        yield Chain(inner, plain, in_front, in_front_tls, front_door)


def test_p4_the_client_behind_a_load_balancer_is_told_to_the_web_server(chain: Chain) -> None:
    assert chain.get(chain.in_front, "127.0.0.2") == (200, "127.0.0.2")
    assert chain.get(chain.in_front_tls, "127.0.0.3", tls=True) == (200, "127.0.0.3")
    wait_for(lambda: "127.0.0.2:" in chain.log() and "127.0.0.3:" in chain.log(), chain.log)


def test_p4_so_it_is_by_one_that_reads_requests_and_keeps_connections(chain: Chain) -> None:
    found = [chain.get(chain.front_door, client) for client in ("127.0.0.4", "127.0.0.5", "127.0.0.4")]
    assert found == [(200, "127.0.0.4"), (200, "127.0.0.5"), (200, "127.0.0.4")]


def test_p4_others_are_served_plain_and_cannot_say_to_be_somebody_else(chain: Chain) -> None:
    assert chain.get(chain.plain, "127.0.0.6") == (200, "127.0.0.6")
    answer = chain.raw(chain.plain, "127.0.0.6", FAKED + REQUEST)
    assert answer.startswith(b"HTTP/1.1 400 ")
    # Not from behind either: what follows the balancer's own word is no request.
    answer = chain.raw(chain.in_front, "127.0.0.6", FAKED + REQUEST)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert "203.0.113.9" not in chain.log()


def test_p4_from_a_load_balancer_nothing_else_is_taken(chain: Chain) -> None:
    assert chain.raw(chain.plain, PROXY, REQUEST) == b""
    assert chain.raw(chain.plain, PROXY, FAKED + REQUEST).endswith(b"203.0.113.9")


def test_p4_each_client_behind_one_load_balancer_has_its_own_limits(chain: Chain) -> None:
    found = [chain.get(chain.in_front, "127.0.0.7")[0] for _request in range(4 * REQUESTS)]
    assert (found[0], found[-1]) == (200, 429)
    assert chain.get(chain.in_front, "127.0.0.8")[0] == 200
    with ExitStack() as stack:
        stack.callback(Echo.go_on.set)
        for _request in range(CONNECTIONS):
            stack.enter_context(chain.connect(chain.in_front, "127.0.0.9")).sendall(REQUEST.replace(b"/", b"/wait", 1))
        for _request in range(CONNECTIONS):
            assert Echo.waiting.acquire(timeout=PATIENCE)
        assert chain.raw(chain.in_front, "127.0.0.9", REQUEST) == b""
        assert chain.raw(chain.in_front, "127.0.0.10", REQUEST).endswith(b"127.0.0.10")
