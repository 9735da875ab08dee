# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol over the unix socket, against a server that says what a test wants."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils import _mysql_wire as wire
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, MysqlLogin, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_proof import scramble
from ansible_collections.siteops.webcluster.plugins.modules import replication_status as module
from hypothesis import given, settings
from hypothesis import strategies as st

# A busy machine is not a slow function.
unhurried = settings(deadline=None)

SEED = bytes(range(1, 21))
OK = b"\0\0\0\2\0\0\0"
EOF = b"\xfe\0\0\2\0"


def text(value: str | None) -> bytes:
    """Return a length-encoded string."""
    if value is None:
        return b"\xfb"
    data = value.encode()
    if len(data) < 251:
        return bytes([len(data)]) + data
    return b"\xfc" + len(data).to_bytes(2, "little") + data


def greeting(plugin: str = "mysql_native_password") -> bytes:
    return (
        b"\x0a11.8.3-MariaDB\0"
        + bytes(4)
        + SEED[:8]
        + b"\0\xfe\xf7\x2d\2\0\xff\x81"
        + bytes([21])
        + bytes(10)
        + SEED[8:]
        + b"\0"
        + plugin.encode()
        + b"\0"
    )


def failure(errno: int, message: str) -> bytes:
    return b"\xff" + errno.to_bytes(2, "little") + b"#28000" + message.encode()


def table(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> list[bytes]:
    columns = [text("def") + text("s") + text("t") + text("t") + text(name) + text(name) + bytes(13) for name in names]
    return [bytes([len(names)]), *columns, EOF, *(b"".join(text(value) for value in row) for row in rows), EOF]


class Server:
    """Says its lines, one list after each packet it gets; remembers what it got. Ends in silence or by hanging up."""

    def __init__(self, *turns: bytes | Sequence[bytes], raw: bytes = b"", hang: bool = False) -> None:
        self.turns = [[turn] if isinstance(turn, bytes) else list(turn) for turn in turns]
        self.raw = raw
        self.hang = hang
        self.got: list[bytes] = []
        self.connections = 0
        self._ends: list[socket.socket] = []

    def __call__(self, _path: str, timeout: float) -> Any:
        ours, theirs = socket.socketpair()
        theirs.settimeout(timeout)
        ours.settimeout(5)
        self.connections += 1
        self._ends.append(ours)
        threading.Thread(target=self._serve, args=(ours,), daemon=True).start()
        return theirs

    def _serve(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sequence = 0
            for number, turn in enumerate(self.turns, 1):
                for payload in turn:
                    sequence = self._say(link, payload, sequence)
                if number == len(self.turns) and not self.hang:
                    link.sendall(self.raw)
                    link.shutdown(socket.SHUT_WR)
                head = self._exactly(link, 4)
                self.got.append(self._exactly(link, int.from_bytes(head[:3], "little")))
                sequence = head[3] + 1
        if not self.hang:
            link.close()

    @staticmethod
    def _say(link: socket.socket, payload: bytes, sequence: int) -> int:
        for at in range(0, len(payload) + 1, 0xFFFFFF):
            part = payload[at : at + 0xFFFFFF]
            link.sendall(len(part).to_bytes(3, "little") + bytes([sequence & 0xFF]) + part)
            sequence += 1
        return sequence

    @staticmethod
    def _exactly(link: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = link.recv(size - len(data))
            if not part:
                raise OSError("gone")
            data += part
        return data

    def close(self) -> None:
        for link in self._ends:
            link.close()


Make = Callable[..., "tuple[Server, wire.MysqlWire]"]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Any] = []

    def start(*turns: Any, login: MysqlLogin | None = None, timeout: float = 5.0, **options: Any) -> Any:
        server = Server(*turns, **options)
        client = wire.MysqlWire(login or MysqlLogin(user="monitor", password="secret"), server, timeout)
        made.extend([client, server])
        return server, client

    yield start
    for one in made:
        one.close()


def test_rows_nulls_and_one_connection_for_all_questions(make: Make) -> None:
    long = "x" * 70000
    server, client = make(
        greeting(),
        OK,
        OK,
        table(["a", "b"], [["1", None], ["", "ü"]]),
        table(["c"], [["y" * 300]]),
        [b"\1", *table(["big"], [])[1:3], b"\xfd" + len(long).to_bytes(3, "little") + long.encode(), EOF],
    )
    results, error = client.try_query(["SELECT 1;", "SELECT 2"])
    assert error is None
    assert results == [[{"a": "1", "b": None}, {"a": "", "b": "ü"}], [{"c": "y" * 300}]]
    assert client.try_query(["SELECT 3"]) == ([[{"big": long}]], None)
    assert server.connections == 1
    assert server.got[2] == b"\3SELECT 1"
    client.close()


def test_a_row_may_be_longer_than_one_packet(make: Make) -> None:
    long = "z" * 0xFFFFFF
    row = b"\xfd" + len(long).to_bytes(3, "little") + long.encode()
    _server, client = make(greeting(), OK, OK, [*table(["big"], [])[:-1], row, EOF])
    results, error = client.try_query(["SELECT 1"])
    # It is longer than what is taken of any answer.
    assert (results, error.kind if error else None) == ([], "other")
    assert "longer than 16777216 bytes" in str(error)


def native(password: str) -> bytes:
    first = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    second = hashlib.sha1(first, usedforsecurity=False).digest()
    mask = hashlib.sha1(SEED + second, usedforsecurity=False).digest()
    return bytes(a ^ b for a, b in zip(first, mask, strict=True))


def test_passwords_are_proven_and_not_sent(make: Make) -> None:
    server, client = make(greeting(), OK, OK)
    client.try_query([])
    hello = server.got[0]
    user, rest = hello[32:].split(b"\0", 1)
    assert (user, rest) == (b"monitor", b"\x14" + native("secret") + b"mysql_native_password\0")
    assert b"secret" not in b"".join(server.got)


def test_the_caching_plugin(make: Make) -> None:
    fast = b"\1\3"
    server, client = make(greeting("caching_sha2_password"), [fast, OK], OK)
    assert client.try_query([]) == ([], None)
    assert b"secret" not in b"".join(server.got)
    # A server that has not cached it asks for the password itself, which nobody can listen to on a unix socket.
    server, client = make(greeting("caching_sha2_password"), b"\1\4", OK, OK)
    assert client.try_query([]) == ([], None)
    assert server.got[1] == b"secret\0"


def test_a_server_may_ask_for_another_plugin(make: Make) -> None:
    switch = b"\xfecaching_sha2_password\0" + SEED + b"\0"
    server, client = make(greeting(), switch, [b"\1\3", OK], OK)
    assert client.try_query([]) == ([], None)
    assert server.got[1] == scramble("caching_sha2_password", "secret", SEED)


@pytest.mark.parametrize("plugin", ["auth_socket", "unix_socket"])
def test_the_user_of_the_system(make: Make, plugin: str) -> None:
    server, client = make(greeting(), f"\xfe{plugin}\0".encode("latin-1"), OK, OK, login=MysqlLogin())
    assert client.try_query([]) == ([], None)
    assert server.got[0][32:].startswith(pwd.getpwuid(os.geteuid()).pw_name.encode() + b"\0\0")
    assert server.got[1] == b""


@pytest.mark.parametrize(
    ("turns", "kind", "words"),
    [
        ([failure(1040, "Too many connections")], "unreachable", "Too many connections"),
        ([greeting(), failure(1045, "Access denied for user 'secret'")], "auth", "Access denied for user '********'"),
        (
            [greeting(), b"\xfeclient_ed25519\0" + bytes(32)],
            "auth",
            "the server wants the log-in plugin client_ed25519",
        ),
        ([greeting(), b"\xfe"], "auth", "the server wants another kind of log-in"),
        ([greeting("caching_sha2_password"), [b"\1\3"] * 4], "other", "the log-in does not end"),
        ([b"\x09old"], "other", "it greets with another version"),
        ([b"\x0ax\0short"], "other", "a packet is too short"),
        ([b""], "other", "a packet is too short"),
        ([greeting(), OK, OK, b"\xfb/etc/passwd"], "other", "it asks for a file"),
        ([greeting(), OK, OK, b"\xfd\xff\xff\xff"], "other", "it has no columns, or too many"),
        ([greeting(), OK, OK, b"\xff"], "other", "a packet is too short"),
        ([greeting(), OK, OK, [*table(["a"], [])[:-1], b"\xff\0\0", EOF]], "other", ""),
        ([greeting(), OK, OK, [*table(["a"], [])[:-1], b"\xff", EOF]], "other", "a packet is too short"),
        ([greeting(), OK, OK], "unreachable", "the server closed the connection"),
        ([], "unreachable", "the server closed the connection"),
    ],
)
def test_each_failure_is_one_error(make: Make, turns: list[Any], kind: str, words: str) -> None:
    _server, client = make(*turns)
    results, error = client.try_query(["SELECT 1"])
    assert error is not None
    assert (results, error.kind) == ([], kind)
    assert words in error.message
    assert "\n" not in error.message


def test_the_statement_that_failed_and_what_came_before(make: Make) -> None:
    server, client = make(
        greeting(), OK, OK, table(["a"], [["1"]]), failure(1227, "Access denied; you need SUPER"), table(["b"], [["2"]])
    )
    results, error = client.try_query(["SELECT 1", "SHOW BINARY LOGS"])
    assert error is not None
    assert (results, error.kind, error.errno, error.statement) == ([[{"a": "1"}]], "privilege", 1227, 1)
    # Such an error leaves the connection as it is.
    assert client.try_query(["SELECT 2"]) == ([[{"b": "2"}]], None)
    assert server.connections == 1


def test_silence_ends_in_time_and_the_next_question_connects_again(make: Make) -> None:
    server, client = make(greeting(), OK, OK, hang=True, timeout=0.2)
    for turn in (1, 2):
        _results, error = client.try_query(["SELECT SLEEP(60)"])
        assert error is not None
        assert (error.kind, error.detail) == ("unreachable", "timeout")
        assert error.message == "no answer within 0.2 seconds"
        assert server.connections == turn


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    client = wire.MysqlWire(MysqlLogin(user="a", unix_socket=str(tmp_path / "none.sock")))
    _results, error = client.try_query(["SELECT 1"])
    assert error is not None
    assert (error.kind, error.detail, error.errno) == ("unreachable", "no_socket", 2002)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "deaf.sock"))
    listener.close()
    client = wire.MysqlWire(MysqlLogin(user="a", unix_socket=str(tmp_path / "deaf.sock")))
    _results, error = client.try_query(["SELECT 1"])
    assert error is not None
    assert error.detail == "refused"


def test_a_process_without_an_account(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_number: int) -> None:
        raise KeyError

    monkeypatch.setattr(wire.pwd, "getpwuid", unknown)
    _server, client = make(greeting(), login=MysqlLogin())
    _results, error = client.try_query(["SELECT 1"])
    assert isinstance(error, wire.UnsupportedLoginError)


@unhurried
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_an_answer_or_an_error(noise: bytes, framed: bool) -> None:
    """Neither a traceback nor a hang, wherever the server starts to talk nonsense."""
    for before in range(4):
        turns: list[Any] = [greeting(), OK, OK][:before]
        server = Server(*turns, noise) if framed else Server(*turns, [], raw=noise)
        client = wire.MysqlWire(MysqlLogin(user="a", password="b"), server, 2.0)
        results, error = client.try_query(["SELECT 1"])
        assert error is None or isinstance(error, MysqlError)
        assert isinstance(results, list)
        client.close()
        server.close()


class Spare:
    """Stands for the command line client."""

    timeout = 1.0

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        self.asked.append(statements)
        return [[{"spare": "1"}]], None

    def close(self) -> None:
        self.asked.append(["close"])


@pytest.mark.parametrize(
    ("login", "turns", "spared"),
    [
        (MysqlLogin(user="a"), [greeting(), OK, OK, OK], False),
        (MysqlLogin(user="a"), [greeting(), b"\xfeclient_ed25519\0"], True),
        (MysqlLogin(user="a"), [greeting(), failure(1045, "no")], False),
        (MysqlLogin(user="a"), [failure(1040, "full")], False),
        # The client's option files may know a user or a password.
        (MysqlLogin(), [greeting(), failure(1045, "no")], True),
        (MysqlLogin(), [greeting(), failure(1698, "no")], True),
    ],
)
def test_the_own_client_where_it_alone_can_log_in(
    make: Make, login: MysqlLogin, turns: list[Any], spared: bool
) -> None:
    spare = Spare()
    _server, client = make(*turns, login=login)
    auto = wire.MysqlAuto(client, lambda: spare)
    auto.timeout = 3.0
    assert (client.timeout, auto.timeout) == (3.0, 3.0)
    auto.try_query(["SELECT 1"])
    assert spare.asked == ([["SELECT 1"]] if spared else [])
    if spared:
        assert auto.try_query(["SELECT 2"]) == ([[{"spare": "1"}]], None)
        auto.close()
        assert spare.asked[1:] == [["SELECT 2"], ["close"]]


def test_when_the_socket_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    monkeypatch.setattr(wire, "SOCKETS", (str(path),))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not wire.fits(MysqlLogin())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert wire.fits(MysqlLogin())
        assert wire.fits(MysqlLogin(user="a", unix_socket=str(path)))
        for login in (
            MysqlLogin(host="db1"),
            MysqlLogin(config_file="/root/x.cnf"),
            MysqlLogin(tls="required"),
            MysqlLogin(unix_socket=str(tmp_path / "other")),
        ):
            assert not wire.fits(login)
        params = {name: spec.get("default") for name, spec in module.argument_spec().items()}
        chosen: Any = module.looker({**params, "engine": "mysql"}, params, None, print)
        assert isinstance(chosen.client, wire.MysqlAuto)
        (tmp_path / ".my.cnf").write_text("[client]\nuser=me\n")
        assert not wire.fits(MysqlLogin())
        assert wire.fits(MysqlLogin(user="a"))
