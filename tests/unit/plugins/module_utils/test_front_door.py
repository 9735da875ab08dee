# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils import _front_door as door
from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.tests.certificates import issue
from cryptography.hazmat.primitives.hashes import SHA256


class FakeClock(Clock):
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        super().__init__(now=lambda: self.time, sleep=self._pass)

    def _pass(self, seconds: float) -> None:
        self.time += seconds


Reply: t.TypeAlias = "door.Answer | door.FrontDoorError"


class FakeAsk:
    """Answers from a function and remembers the questions."""

    def __init__(self, answer: t.Callable[[str, str, t.Any], Reply]) -> None:
        self.asked: list[str] = []
        self.hosts: list[str] = []
        self._answer = answer

    def __call__(self, method: str, path: str, data: t.Any = None, host: str = "") -> door.Answer:
        self.asked.append(f"{method} {path}")
        self.hosts.append(host)
        reply = self._answer(method, path, data)
        if isinstance(reply, door.FrontDoorError):
            raise reply
        return reply


def good(server: str) -> door.Answer:
    return door.Answer(200, {"x-served-by": server}, b"ok\n")


def in_turn(*replies: Reply) -> FakeAsk:
    """Give the replies one after the other, again and again."""
    ask = FakeAsk(lambda *_: replies[(len(ask.asked) - 1) % len(replies)])
    return ask


def checks(look: door.Look) -> list[tuple[str, str]]:
    return [(reason.check, reason.severity) for reason in look.reasons]


def test_stops_as_soon_as_every_server_has_answered() -> None:
    look = door.Look()
    door.look_at_servers(in_turn(good("a"), good("b"), good("c")), look, ["a", "b", "c"], 30, 15, FakeClock())
    assert look.ok
    assert look.reasons == []
    assert look.servers == {"a": 1, "b": 1, "c": 1}
    assert look.requests == 3


def test_names_the_missing_server() -> None:
    look = door.Look()
    clock = FakeClock()
    door.look_at_servers(in_turn(good("a"), good("b")), look, ["a", "b", "c"], 30, 15, clock)
    assert not look.ok
    assert look.missing == ["c"]
    assert checks(look) == [("servers", "error")]
    assert "c; " in look.reasons[0].message
    assert clock.time == pytest.approx(15)


def test_waits_for_a_server_that_comes_late() -> None:
    clock = FakeClock()
    ask = FakeAsk(lambda *_: good("b" if clock.time > 10 else "a"))
    look = door.Look()
    door.look_at_servers(ask, look, ["a", "b"], 30, 15, clock)
    assert look.ok


def test_finds_a_server_that_is_busy_with_a_long_request() -> None:
    """The load balancer gives the next request to who has the fewest, the one that is free."""
    under_way = threading.Semaphore(1)

    def least_busy(*_asked: object) -> door.Answer:
        if not under_way.acquire(blocking=False):
            return good("busy")
        time.sleep(0.05)
        under_way.release()
        return good("free")

    look, clock = door.Look(), FakeClock()
    door.look_at_servers(FakeAsk(least_busy), look, ["free", "busy"], 3, 15, clock)
    assert look.ok
    assert clock.time < 1


def test_asks_often_enough_even_without_waiting() -> None:
    look = door.Look()
    door.look_at_servers(in_turn(good("a")), look, ["a", "b"], 30, 0, FakeClock())
    assert look.requests == 30


def test_a_failure_ends_the_look_when_the_time_is_over() -> None:
    look = door.Look()
    ask = in_turn(door.FrontDoorError("timeout", "no complete answer within the time limit"))
    door.look_at_servers(ask, look, ["a"], 30, 0, FakeClock())
    assert look.requests == 1
    assert checks(look) == [("reachable", "error")]
    assert "1 times" in look.reasons[0].message


def test_some_failures_are_a_warning() -> None:
    look = door.Look()
    ask = in_turn(door.Answer(503, {}, b""), good("a"), door.Answer(200, {}, b"hello"), good("b"))
    door.look_at_servers(ask, look, ["a", "b"], 30, 15, FakeClock())
    assert look.ok
    assert checks(look) == [("answers", "warning")]
    assert look.failures == {"status 503": 1, "no header X-Served-By": 1}


def test_an_unexpected_server_is_a_warning() -> None:
    look = door.Look()
    door.look_at_servers(in_turn(good("x"), good("a")), look, ["a"], 30, 15, FakeClock())
    assert look.ok
    assert checks(look) == [("strangers", "warning")]


def test_without_names_one_answer_is_enough() -> None:
    look = door.Look()
    door.look_at_servers(in_turn(good("x")), look, [], 30, 15, FakeClock())
    assert look.ok
    assert look.requests == 1


class Demo:
    """The demo application with a replica and a cache that lag."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.text = ""
        self.replica_lag = 0.0
        self.cache_works = True
        self.cached = False
        self.role = "replica"
        # When the proxies see that replica.
        self.replica_from = 0.0
        self.write_status = 201

    def __call__(self, method: str, path: str, data: t.Any) -> door.Answer:
        status, body = self.reply(method, path, data)
        return door.Answer(status, {"x-served-by": "web1"}, json.dumps(body).encode())

    def reply(self, method: str, path: str, data: t.Any) -> tuple[int, t.Any]:
        if method == "POST":
            self.text = data["text"]
            return self.write_status, {
                "id": 7,
                "server": "web1",
                "written_to": "db1",
                "error": "MySQL (write) does not answer.",
            }
        kind = path.partition("?from=")[2]
        item = {"id": 7, "text": self.text, "mysql_host": "db2", "mysql_role": self.role}
        if self.clock.time < self.replica_from:
            item |= {"mysql_host": "db1", "mysql_role": "primary"}
        if kind == "cache":
            return (200, item) if self.cached else (404, {"error": "Item 7 is not there."})
        if kind == "auto":
            self.cached = self.cache_works
            return 200, item
        return (200, item) if self.clock.time >= self.replica_lag else (404, {"error": "Item 7 is not there."})


@pytest.fixture
def demo() -> Demo:
    return Demo(FakeClock())


def item_look(demo: Demo) -> door.Look:
    look = door.Look()
    door.look_at_item(FakeAsk(demo), look, 15, demo.clock, token="t0")
    return look


def test_item_goes_all_the_way(demo: Demo) -> None:
    demo.replica_lag = 0.39
    look = item_look(demo)
    assert look.ok
    assert look.reasons == []
    assert look.item["text"] == "front door check t0"
    assert (look.item["id"], look.item["written_by"], look.item["written_to"]) == (7, "web1", "db1")
    assert look.item["replica"] == {"seen": True, "latency_ms": 400, "host": "db2", "role": "replica"}
    assert look.item["cache"]["seen"]


def test_item_that_is_not_replicated_is_found(demo: Demo) -> None:
    demo.replica_lag = 1000
    look = item_look(demo)
    assert checks(look) == [("item_replica", "error")]
    assert "status 404 from web1 (Item 7 is not there)" in look.reasons[0].message
    assert look.item["replica"]["seen"] is False
    assert look.item["cache"]["seen"] is True


def test_item_that_is_not_cached_is_found(demo: Demo) -> None:
    demo.cache_works = False
    look = item_look(demo)
    assert checks(look) == [("item_cache", "error")]
    assert look.item["cache"] == {"seen": False, "latency_ms": None}


def test_item_that_cannot_be_written_is_found(demo: Demo) -> None:
    demo.write_status = 503
    look = item_look(demo)
    assert checks(look) == [("item_write", "error")]
    assert "status 503 from web1 (MySQL (write) does not answer)" in look.reasons[0].message


def test_a2_a_replica_that_has_just_come_is_waited_for(demo: Demo) -> None:
    demo.replica_from = 4.0
    look = item_look(demo)
    assert checks(look) == []
    assert (look.item["replica"]["host"], look.item["replica"]["role"]) == ("db2", "replica")


def test_reading_from_the_primary_is_an_error(demo: Demo) -> None:
    demo.role = "primary"
    look = item_look(demo)
    assert checks(look) == [("item_replica", "error")]
    assert "db2, which accepts writes" in look.reasons[0].message


def test_a_cluster_without_replica_may_read_from_the_primary(demo: Demo) -> None:
    demo.role = "primary"
    look = door.Look()
    door.look_at_item(FakeAsk(demo), look, 15, demo.clock, expect_replica=False)
    assert look.ok


def test_another_text_is_not_taken_for_ours(demo: Demo) -> None:
    look = door.Look()
    ask = FakeAsk(lambda *args: door.Answer(201 if args[0] == "POST" else 200, {}, b'{"id": 1, "text": "other"}'))
    door.look_at_item(ask, look, 1, demo.clock)
    assert checks(look) == [("item_replica", "error"), ("item_cache", "error")]


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"<html>"])
def test_a_body_that_is_no_object_counts_as_empty(body: bytes) -> None:
    assert door.Answer(200, {}, body).json() == {}


@pytest.mark.parametrize(
    "url",
    [
        "10.0.0.52",
        "ftp://x/",
        "http://",
        "http://x:0/",
        "http://x:port/",
        "http://u:p@x/",
        "http://x/?a=1",
        "http://[::1/",
        "http://x/#f",
    ],
)
def test_a_bad_address_is_explained(url: str) -> None:
    assert door.check_url(url).startswith("url: ")


@pytest.mark.parametrize("url", ["http://10.0.0.52", "https://www.example.org:8443/shop/", "http://[::1]:8080/"])
def test_a_good_address_is_accepted(url: str) -> None:
    assert door.check_url(url) == ""


def test_a_password_in_the_address_is_not_repeated() -> None:
    assert "secret" not in door.check_url("http://user:secret@10.0.0.52/")


class Handler(http.server.BaseHTTPRequestHandler):
    """A server that misbehaves by path."""

    def log_message(self, *args: t.Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(201, body)

    def do_GET(self) -> None:
        what = self.path.rsplit("/", 1)[1]
        if what == "busy":
            self._send(503, b"no server is available")
        elif what == "hang":
            time.sleep(1)
        elif what == "drip":
            self.send_response(200)
            self.end_headers()
            for _byte in range(20):
                self.wfile.write(b".")
                time.sleep(0.05)
        elif what == "short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
        elif what == "chunk":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        elif what == "big":
            self._send(200, b"x" * (door.MAX_BODY + 1))
        elif what == "garbage":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        elif what == "close":
            self.close_connection = True
        else:
            self._send(200, self.path.encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("X-Served-By", "web1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *args: t.Any) -> None:
        """The client left; that is what the tests are about."""


@contextmanager
def serving() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as address:
        yield address


def test_a_request_carries_the_base_path_and_the_answer_comes_back(url: str) -> None:
    answer = door.HttpAsk(f"{url}/shop/", 2)("GET", "/healthz")
    assert (answer.status, answer.server, answer.body) == (200, "web1", b"/shop/healthz")


def test_data_is_posted_as_json(url: str) -> None:
    answer = door.HttpAsk(url, 2)("POST", "/api/items", {"text": "hé"})
    assert answer.status == 201
    assert answer.json() == {"text": "hé"}


def test_an_error_status_is_an_answer(url: str) -> None:
    assert door.HttpAsk(url, 2)("GET", "/busy").status == 503


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("hang", "timeout"),
        ("drip", "timeout"),
        ("short", "truncated"),
        ("chunk", "truncated"),
        ("big", "too_big"),
        ("garbage", "garbage"),
        ("close", "truncated"),
    ],
)
def test_a_misbehaving_server_is_classified(url: str, path: str, kind: str) -> None:
    with pytest.raises(door.FrontDoorError) as caught:
        door.HttpAsk(url, 0.3)("GET", f"/{path}")
    assert caught.value.kind == kind


def test_a_closed_port_is_classified() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(door.FrontDoorError) as caught:
            door.HttpAsk(f"http://127.0.0.1:{unused.getsockname()[1]}", 1)("GET", "/")
    assert caught.value.kind == "refused"


def test_a_site_is_asked_for_by_its_name_over_tls_too(tmp_path: Path) -> None:
    names: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names.append((asked.pop(), self.headers["Host"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Keep quiet."""

    asked: list[str] = []
    site = issue("shop.example.org")
    (tmp_path / "site.pem").write_text(site.certificate + site.private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "site.pem")
    context.sni_callback = lambda _socket, name, _context: asked.append(str(name))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://localhost:{server.server_port}"
        ask = door.HttpAsk(url, 5, validate_certs=False)
        assert ask("GET", "/", None, "shop.example.org").status == 204
        assert ask("GET", "/").status == 204
        # A certificate of another name, of nobody we know.
        with pytest.raises(door.FrontDoorError) as caught:
            door.HttpAsk(url, 5)("GET", "/", None, "shop.example.org")
        assert caught.value.kind == "tls"
        asked.clear()
        shown = door.shown_fingerprint("localhost", server.server_port, "shop.example.org", 5)
        assert (shown, asked) == (site.own.fingerprint(SHA256()).hex(), ["shop.example.org"])
        server.shutdown()
    assert names == [("shop.example.org", "shop.example.org"), ("localhost", f"localhost:{server.server_port}")]


def test_a_certificate_that_renews_itself_is_one_that_browsers_trust_and_not_late(tmp_path: Path) -> None:
    # It began 30 days ago.
    site = issue("shop.example.org", ends=timedelta(days=60))
    (tmp_path / "site.pem").write_text(site.certificate + site.private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "site.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def seen(name: str, authorities: str, days: float) -> str:
            now = datetime.now(UTC).timestamp() + days * 86400
            return door.distrust("127.0.0.1", server.server_port, name, authorities, 5, now)

        assert seen("shop.example.org", site.certificate, 0) == ""
        assert seen("shop.example.org", site.certificate, 41) == ""
        assert seen("shop.example.org", site.certificate, 43) == "its certificate ends in 17.0 days and was not renewed"
        assert seen("shop.example.org", "", 0).startswith("browsers warn of its certificate, self")
        assert seen("blog.example.org", site.certificate, 0).startswith(
            "browsers warn of its certificate, Hostname mis"
        )
        server.shutdown()
    with pytest.raises(door.FrontDoorError):
        seen("shop.example.org", "", 0)


def test_p7_another_certificate_than_the_inventorys_is_an_error() -> None:
    def fingerprint(name: str) -> str:
        if name == "closed.example":
            raise door.FrontDoorError("refused", "connection refused")
        return "ab" * 32

    look = door.Look()
    expected: list[door.ExpectedCertificate] = [
        {"name": "good.example", "fingerprints": ["cd" * 32, "ab" * 32], "authorities": ""},
        {"name": "old.example", "fingerprints": ["cd" * 32], "authorities": ""},
        {"name": "closed.example", "fingerprints": ["cd" * 32], "authorities": ""},
        {"name": "renewed.example", "fingerprints": [], "authorities": "roots"},
    ]
    door.look_at_certificates(fingerprint, lambda name, authorities: f"{name} {authorities}", look, expected)
    assert look.certificates == {
        "good.example": "",
        "old.example": "another certificate is shown, abababababababab...",
        "closed.example": "connection refused",
        "renewed.example": "renewed.example roots",
    }
    assert checks(look) == [("certificate", "error")] * 3
    assert "Run site.yml" in look.reasons[0].hint


def test_plain_http_behind_https_is_classified(url: str) -> None:
    with pytest.raises(door.FrontDoorError) as caught:
        door.HttpAsk(url.replace("http:", "https:"), 1, validate_certs=False)("GET", "/")
    assert caught.value.kind == "tls"


def test_an_unknown_name_is_classified() -> None:
    assert door.translate(socket.gaierror(-2, "Name or service not known")).kind == "name"


def test_no_route_is_classified() -> None:
    error = door.translate(OSError(113, "No route to host"))
    assert (error.kind, str(error)) == ("refused", "no connection: No route to host")


SHOP: door.Site = {"name": "shop", "host": "shop.example", "path": "/up", "status": 200, "text": "fine", "release": ""}


def page(status: int = 200, body: bytes = b"all fine here") -> door.Answer:
    return door.Answer(status, {"x-served-by": "web1"}, body)


def own(**looks: t.Any) -> door.Answer:
    seen = {"site": "shop", "user": "site-shop", "release": "abc", "looks": looks}
    return door.Answer(200, {"x-served-by": "web1"}, json.dumps(seen).encode())


def look_at_shop(
    ask: FakeAsk, own_view: bool = False, wait: float = 15, site: door.Site | None = None
) -> tuple[door.Look, FakeClock]:
    look, clock = door.Look(), FakeClock()
    door.look_at_sites(ask, look, [site or SHOP], own_view, wait, clock)
    return look, clock


def test_a_site_is_asked_for_by_its_own_name() -> None:
    ask = in_turn(page())
    look, _clock = look_at_shop(ask)
    assert (look.ok, ask.asked, ask.hosts) == (True, ["GET /up"], ["shop.example"])
    assert look.sites == {"shop": {"ok": True, "problem": "", "status": 200, "own": {}}}


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (page(404), "/up answers 404, expected 200"),
        (page(500), "/up answers 500, expected 200"),
        (page(302), "/up answers 302, expected 200"),
        (
            door.Answer(308, {"location": "https://shop.example/up"}, b""),
            "/up answers 308, which sends to https://shop.example/up, expected 200",
        ),
        (page(body=b"maintenance"), "/up answers without the text 'fine'"),
        (door.FrontDoorError("refused", "connection refused"), "/up: connection refused"),
    ],
)
def test_a_site_that_answers_otherwise_is_an_error_within_three_seconds(reply: Reply, problem: str) -> None:
    look, clock = look_at_shop(in_turn(reply))
    assert (look.ok, look.sites["shop"]["problem"]) == (False, problem)
    assert checks(look) == [("site", "error")]
    assert look.reasons[0].message == f"Site shop does not work: {problem}."
    assert clock.time == pytest.approx(door.SITE_WAIT)


def test_a_site_may_need_a_moment() -> None:
    ask = FakeAsk(lambda *_: page(404 if len(ask.asked) < 3 else 200))
    assert look_at_shop(ask)[0].ok


def test_a_sites_own_view_is_kept() -> None:
    ask = in_turn(page(), own(mysql_write={"ok": True, "host": "db1", "role": "primary"}))
    look, _clock = look_at_shop(ask, own_view=True)
    assert (look.ok, ask.hosts) == (True, ["shop.example", "shop.example"])
    assert look.sites["shop"]["own"]["release"] == "abc"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (own(mysql_read={"ok": False, "error": "Access denied."}), "it cannot use mysql_read (Access denied)"),
        (page(503, b""), "its PHP does not answer (status 503 from web1)"),
        (door.Answer(200, {}, b'{"site": "blog"}'), "its PHP does not answer (status 200)"),
    ],
)
def test_a_site_that_cannot_use_its_data_is_an_error(reply: door.Answer, problem: str) -> None:
    look, _clock = look_at_shop(in_turn(page(), reply), own_view=True, wait=0)
    assert (look.ok, look.sites["shop"]["problem"]) == (False, problem)


def test_a_site_must_run_the_release_that_is_expected() -> None:
    def problem(release: str, own_view: bool = True) -> str:
        site: door.Site = {**SHOP, "release": release}
        return look_at_shop(in_turn(page(), own()), own_view, 0, site)[0].sites["shop"]["problem"]

    assert (problem("abc"), problem("")) == ("", "")
    assert problem("def") == "it runs release abc, expected def"
    # Through a load balancer nobody tells.
    assert problem("def", own_view=False) == ""


def test_the_sites_name_is_sent_to_the_address_that_is_asked() -> None:
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Host"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ask = door.HttpAsk(f"http://127.0.0.1:{server.server_port}/", 5)
        ask("GET", "/", None, "shop.example")
        ask("GET", "/")
        server.shutdown()
    assert seen == ["shop.example", f"127.0.0.1:{server.server_port}"]
