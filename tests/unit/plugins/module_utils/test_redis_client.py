# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The RESP client: every reply, every failure, bounded."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis import client
from hypothesis import given, settings
from hypothesis import strategies as st

# A busy machine is not a slow function.
unhurried = settings(deadline=None)


class FakeLink:
    """A socket that answers with prepared bytes, some at a time."""

    def __init__(self, data: bytes, step: int = 5) -> None:
        self.data, self.step = data, step
        self.sent = b""
        self.closed = False

    def settimeout(self, value: float) -> None:
        assert value > 0

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def recv(self, size: int) -> bytes:
        part, self.data = self.data[: min(size, self.step)], self.data[min(size, self.step) :]
        return part

    def close(self) -> None:
        self.closed = True


def answering(data: bytes, **login: Any) -> tuple[client.RedisClient, FakeLink]:
    link = FakeLink(data)
    return client.RedisClient(client.RedisLogin(**login), lambda _login: link), link


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"+OK\r\n", "OK"),
        (b":-12\r\n", -12),
        (b"$5\r\na\r\nbc\r\n", "a\r\nbc"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*3\r\n$1\r\na\r\n:1\r\n*1\r\n+x\r\n", ["a", 1, ["x"]]),
        (b"*1\r\n-ERR inner\r\n", ["ERR inner"]),
    ],
)
def test_replies(data: bytes, reply: client.Reply) -> None:
    redis, link = answering(data)
    assert redis.command("GET", b"\xff") == reply
    assert link.sent == b"*2\r\n$3\r\nGET\r\n$1\r\n\xff\r\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"-NOAUTH Authentication required.\r\n", "auth"),
        (b"-WRONGPASS invalid\r\n", "auth"),
        (b"-ERR invalid password\r\n", "auth"),
        (b"-NOPERM no\r\n", "noperm"),
        (b"-LOADING Redis is loading\r\n", "loading"),
        (b"-ERR unknown command\r\n", "other"),
        (b"-DENIED Redis is running in protected mode\r\n", "other"),
        (b"", "unreachable"),
        (b"HTTP/1.1 400 Bad Request\r\n", "protocol"),
        (b"$99999999999\r\n", "protocol"),
        (b"*100001\r\n", "protocol"),
        (b"*2\r\n*60000\r\n", "unreachable"),
        (b":1x\r\n", "protocol"),
        (b"$1\r\nabc\r\n", "protocol"),
        (b"*1\r\n" * 40, "protocol"),
        (b"+" + b"x" * (client.MAX_LINE + 100), "protocol"),
    ],
)
def test_failures_are_classified(data: bytes, kind: str) -> None:
    redis, link = answering(data)
    link.step = 65536
    with pytest.raises(client.RedisError) as caught:
        redis.command("PING")
    assert caught.value.kind == kind
    assert caught.value.message


def kind_of_failure(redis: client.RedisClient) -> str | None:
    try:
        redis.command("INFO")
    except client.RedisError as error:
        return error.kind
    return None


@unhurried
@given(st.binary(max_size=200))
def test_any_bytes_give_a_reply_or_a_clear_error(data: bytes) -> None:
    redis, link = answering(data)
    link.step = 64
    assert kind_of_failure(redis) in (None, "unreachable", "protocol", "other", "auth", "noperm", "loading")


@unhurried
@given(st.text())
def test_any_info_text_is_read(text: str) -> None:
    assert all(isinstance(value, str) for value in client.parse_info(text).values())


def test_login_comes_first_and_stays_secret() -> None:
    redis, link = answering(b"+OK\r\n+PONG\r\n", username="u", password="geheim")
    with redis:
        assert redis.command("PING") == "PONG"
    assert link.sent.startswith(b"*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$6\r\ngeheim\r\n")
    assert link.closed
    assert "geheim" not in repr(redis.login)
    redis, link = answering(b"-ERR wrong geheim\r\n", password="geheim")
    with pytest.raises(client.RedisError, match=r"^ERR wrong \*{8}$"):
        redis.command("PING")
    assert link.sent.startswith(b"*2\r\n")


def test_an_error_reply_keeps_the_connection() -> None:
    redis, _link = answering(b"-NOPERM a\r\n+OK\r\n")
    with pytest.raises(client.RedisError):
        redis.command("ROLE")
    assert redis.command("PING") == "OK"


def test_info() -> None:
    redis, _link = answering(b"$21\r\n# Server\r\na:b:c\r\n\r\nd:\r\n")
    assert redis.info("server") == {"a": "b:c", "d": ""}
    redis, _link = answering(b":1\r\n")
    with pytest.raises(client.RedisError, match="INFO server did not answer"):
        redis.info("server")


@pytest.mark.parametrize(
    ("error", "kind", "detail"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "unreachable", "refused"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "unreachable", "no_socket"),
        (TimeoutError("timed out"), "unreachable", "timeout"),
        (socket.gaierror(-2, "Name or service not known"), "unreachable", "unknown_host"),
        (OSError("strange"), "unreachable", "failed"),
        (ssl.SSLError(1, "wrong version"), "tls", None),
        (ssl.SSLCertVerificationError(1, "self-signed"), "tls", None),
    ],
)
def test_connection_errors(error: OSError, kind: str, detail: str | None) -> None:
    def refuse(_login: client.RedisLogin) -> Any:
        raise error

    with pytest.raises(client.RedisError) as caught:
        client.RedisClient(client.RedisLogin(), refuse).command("PING")
    assert (caught.value.kind, caught.value.detail) == (kind, detail)
    assert caught.value.message


def serve(server: socket.socket, answer: bytes) -> threading.Thread:
    def run() -> None:
        link, _peer = server.accept()
        with link, contextlib.suppress(ConnectionError):
            link.recv(1000)
            link.sendall(answer)
            link.recv(1000)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_real_sockets(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        serve(server, b"+PONG\r\n")
        with client.RedisClient(client.RedisLogin(port=server.getsockname()[1])) as redis:
            assert redis.command("PING") == "PONG"
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        serve(server, b"+PONG\r\n")
        with client.RedisClient(client.RedisLogin(unix_socket=path)) as redis:
            assert redis.command("PING") == "PONG"
    with pytest.raises(client.RedisError) as caught:
        client.RedisClient(client.RedisLogin(unix_socket=path + "x")).command("PING")
    assert caught.value.detail == "no_socket"


def test_a_silent_server_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        redis = client.RedisClient(client.RedisLogin(port=server.getsockname()[1]), timeout=0.2)
        with pytest.raises(client.RedisError, match="no answer in time") as caught:
            redis.command("PING")
        assert caught.value.detail == "timeout"


def test_tls_with_a_plain_server_or_a_missing_ca() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        serve(server, b"-ERR what\r\n")
        with pytest.raises(client.RedisError) as caught:
            client.RedisClient(client.RedisLogin(port=port, tls=True, validate_certs=False)).command("PING")
        assert caught.value.kind == "tls"
        with pytest.raises(client.RedisError):
            client.RedisClient(client.RedisLogin(port=port, tls=True, ca_cert="/nowhere")).command("PING")
