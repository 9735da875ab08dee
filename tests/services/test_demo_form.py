# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's form, as a browser sends it."""

from __future__ import annotations

import http.client
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import installed_php, need
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT

PUBLIC = CHECKOUT / "sites/demo/public"


def answers(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """PHP's own web server on the demo, which has no database here."""
    need("php-fpm")
    number = free_port()
    words = [f"php{installed_php()}", "-S", f"127.0.0.1:{number}", "-t", str(PUBLIC), str(PUBLIC / "index.php")]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as server:
        wait_for(lambda: answers(number))
        yield number
        server.terminate()


def ask(port: int, method: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, "/", body="text=x" if method == "POST" else None, headers=headers)
    return connection.getresponse()


def test_a_browser_is_let_tell_where_the_form_came_from(port: int) -> None:
    """With 'no-referrer' it sends 'Origin: null' with the form, which the demo refuses."""
    assert ask(port, "GET").headers["Referrer-Policy"] == "same-origin"
    kind = "application/x-www-form-urlencoded"
    own = f"http://127.0.0.1:{port}"
    assert ask(port, "POST", Origin=own, **{"Content-Type": kind}).status != 403
    for origin in ("null", "http://evil.example"):
        assert ask(port, "POST", Origin=origin, **{"Content-Type": kind}).status == 403
