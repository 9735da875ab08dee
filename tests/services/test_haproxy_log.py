# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a real HAProxy with the role's haproxy.cfg writes what it was asked, over a reload too."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy


class Application(BaseHTTPRequestHandler):
    """Fails where it is told to."""

    def do_POST(self) -> None:
        self.send_response(500 if self.path == "/fails" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


@dataclass(frozen=True)
class Logging:
    proxy: Proxy
    port: int
    # It gets what the journal gets.
    journal: socket.socket

    def post(self, path: str) -> str:
        """Ask, and return the request's number."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", path)
            return str(connection.getresponse().headers["X-Request-ID"])
        finally:
            connection.close()

    def file(self, number: str) -> list[str]:
        """Lines of the file about a request, as soon as there are some."""
        for _try in range(50):
            lines = self.proxy.text_of("requests.log").splitlines()
            if found := [line for line in lines if number in line]:
                return found
            time.sleep(0.1)
        return []

    def journal_until(self, number: str) -> str:
        """What the journal gets, up to a line about this request."""
        text = ""
        while number not in text:
            text += self.journal.recv(65536).decode()
        return text


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logging]:
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Application))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        journal = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        journal.bind(("127.0.0.1", 0))
        journal.settimeout(10)
        port = free_port()
        variables = {
            "haproxy_http_backends": [{"name": "web", "address": "127.0.0.1", "port": server.server_port}],
            "haproxy_http_bind_address": "127.0.0.1",
            "haproxy_http_bind_port": port,
            "haproxy_stats_port": free_port(),
            "haproxy_http_check_path": "/",
            "haproxy_http_log_format": "json",
        }
        proxy = Proxy(tmp_path_factory.mktemp("log"), variables, f"127.0.0.1:{journal.getsockname()[1]}")
        stack.callback(proxy.stop)
        proxy.wait_for("web/web", "UP")
        yield Logging(proxy, port, journal)


def test_each_request_is_one_line_of_the_file_and_what_failed_is_in_the_journal_too(logging: Logging) -> None:
    good, long, bad = logging.post("/fine"), logging.post("/" + "a" * 1500), logging.post("/fails")
    for number, end in ((good, "}"), (long, "}"), (bad, "}")):
        [line] = logging.file(number)
        assert (line[0], line[-1]) == ("{", end)
    text = logging.journal_until(bad)
    assert '"status":500' in text
    assert good not in text
    assert long not in text


def test_a_reload_goes_on_in_the_same_file(logging: Logging) -> None:
    before = logging.post("/before")
    logging.proxy.reload()
    after = logging.post("/after")
    assert len(logging.file(before) + logging.file(after)) == 2


def test_a_file_that_was_copied_and_emptied_is_written_from_its_beginning(logging: Logging) -> None:
    assert logging.file(logging.post("/one"))
    path: Path = logging.proxy.folder / "requests.log"
    with path.open("r+b") as file:
        file.truncate()
    [line] = logging.file(logging.post("/two"))
    assert path.read_text(encoding="utf-8").splitlines() == [line]
