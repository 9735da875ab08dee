# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What visitors of a real HAProxy with the role's haproxy.cfg get over TLS, and where plain requests are sent."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.siteops.webcluster.tests.certificates import issue
from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy
from cryptography.x509 import DNSName

SITE, SHOP = (
    issue("www.example.org"),
    issue("shop.example.org", names=[DNSName("*.shop.example.org"), DNSName("shop.example.org")]),
)


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was told about the visitor's connection."""

    def do_GET(self) -> None:
        body = (self.headers["X-Forwarded-Proto"] or "nothing").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


@dataclass(frozen=True)
class Balancer:
    plain: int
    tls: int

    def get(
        self, path: str, host: str, tls: bool, told: str = "", **headers: str
    ) -> tuple[int, str, http.client.HTTPMessage]:
        if tls:
            context = ssl.create_default_context(cadata=SITE.certificate + SHOP.certificate)
            raw = socket.create_connection(("127.0.0.1", self.tls), timeout=10)
            connection = http.client.HTTPConnection("127.0.0.1")
            connection.sock = context.wrap_socket(raw, server_hostname=host)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": told or host, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def agreed(self, context: ssl.SSLContext) -> tuple[str | None, str | None]:
        """The version of TLS and the protocol inside, for a client that looks at no certificate."""
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.tls), timeout=10) as raw, context.wrap_socket(raw) as wrapped:
            return wrapped.version(), wrapped.selected_alpn_protocol()


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    plain, tls, statistics = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Echo))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        variables = {
            "haproxy_http_backends": [{"name": "web", "address": "127.0.0.1", "port": server.server_port}],
            "haproxy_http_bind_address": "127.0.0.1",
            "haproxy_http_bind_port": plain,
            "haproxy_https_bind_port": tls,
            "haproxy_stats_port": statistics,
            "haproxy_https_certificates": [SITE.variables(), SHOP.variables()],
        }
        proxy = Proxy(tmp_path_factory.mktemp("https"), variables)
        stack.callback(proxy.stop)
        proxy.wait_for("web/web", "UP")
        yield Balancer(plain, tls)


def test_each_name_has_its_certificate_and_the_web_server_knows_of_tls(balancer: Balancer) -> None:
    for host in ("www.example.org", "shop.example.org"):
        status, body, headers = balancer.get("/", host, tls=True)
        assert (status, body) == (200, "https")
        assert headers["Strict-Transport-Security"] == "max-age=15768000"


def test_only_names_with_a_certificate_are_promised_https_for_good(balancer: Balancer) -> None:
    promised = {
        host: "Strict-Transport-Security" in balancer.get("/", host, tls=True, told=asked)[2]
        for host, asked in (("www.example.org", "blog.example.org"), ("any.shop.example.org", ""))
    }
    assert promised == {"www.example.org": False, "any.shop.example.org": True}


def test_a_client_cannot_say_that_it_came_over_tls(balancer: Balancer) -> None:
    assert balancer.get("/healthz", "localhost", False, **{"X-Forwarded-Proto": "https"})[:2] == (200, "http")


@pytest.mark.parametrize("host", ["www.example.org", "www.example.org:8080"])
def test_plain_requests_are_sent_to_https_as_they_were(balancer: Balancer, host: str) -> None:
    status, _body, headers = balancer.get("/a?b=c", host, tls=False)
    assert (status, headers["Location"]) == (308, f"https://www.example.org:{balancer.tls}/a?b=c")
    assert headers["Strict-Transport-Security"] is None


@pytest.mark.parametrize("host", ["shop.example.org", "SHOP.example.org", "any.shop.example.org"])
def test_every_name_of_a_certificate_is_sent_to_https(balancer: Balancer, host: str) -> None:
    assert balancer.get("/", host, tls=False)[0] == 308


@pytest.mark.parametrize(
    "host",
    ["blog.example.org", "two.below.shop.example.org", "a.shopxexample.org", "shop.example.org.evil.test", "127.0.0.1"],
)
def test_nobody_is_sent_to_a_certificate_of_another_name(balancer: Balancer, host: str) -> None:
    assert balancer.get("/", host, tls=False)[:2] == (200, "http")


@pytest.mark.parametrize("path", ["/healthz", "/.well-known/acme-challenge/token"])
def test_what_has_to_be_plain_stays_plain(balancer: Balancer, path: str) -> None:
    assert balancer.get(path, "www.example.org", tls=False)[:2] == (200, "http")


def test_http2_and_only_what_is_safe(balancer: Balancer) -> None:
    modern = ssl.create_default_context()
    modern.set_alpn_protocols(["h2", "http/1.1"])
    assert balancer.agreed(modern) == ("TLSv1.3", "h2")
    # Without a static key exchange or CBC.
    old = ssl.create_default_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA")
    with pytest.raises(ssl.SSLError):
        balancer.agreed(old)
