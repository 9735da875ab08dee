# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyMySQL with our bounds and our errors, against a server on the loopback that says what a test wants."""

from __future__ import annotations

import hashlib
import os
import pwd
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import client as mysql
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import connection
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.tests.loopback_authority import make_certificate
from ansible_collections.siteops.webcluster.tests.loopback_mysql import (
    EOF,
    OK,
    SEED,
    LoopbackMysql,
    hello,
    refusal,
    table,
    text,
)
from hypothesis import given, settings
from hypothesis import strategies as st

# A busy machine is not a slow function.
unhurried = settings(deadline=None)

# What follows the greeting of a server that lets us in: the log-in, and the first statements of a session. Newer versions
# of the library send SET NAMES before ours.
SESSION = [OK] * (2 if "set_character_set" in dir(connection.Connection) else 1)
IN = [hello(), OK, *SESSION]

Make = Callable[..., "tuple[LoopbackMysql, MysqlClient]"]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Any] = []

    def start(*turns: Any, timeout: float = 5.0, tcp: bool = False, login: Any = None, **options: Any) -> Any:
        folder = None if tcp else tmp_path / str(len(made))
        if folder:
            folder.mkdir()
        server = LoopbackMysql(*turns, folder=folder, **options)
        place = {"host": "127.0.0.1", "port": server.port} if tcp else {"unix_socket": server.path}
        client = MysqlClient(MysqlLogin(**{"user": "monitor", "password": "secret", **place, **(login or {})}), timeout)
        made.extend([client, server])
        return server, client

    yield start
    for one in made:
        one.close()


def failure(client: MysqlClient, statement: str = "SELECT 1") -> MysqlError:
    results, error = client.try_query([statement])
    assert results == []
    assert error is not None
    assert "\n" not in error.message
    assert "secret" not in error.message
    return error


# --- Rows -----------------------------------------------------------------------------------------------------------


def test_rows_nulls_and_one_connection_for_all_questions(make: Make) -> None:
    long = "x" * 70000
    rows = table(["a", "b"], [["1", None], ["", "ü"]])
    server, client = make(*IN, rows, OK, table(["big"], [[long]]))
    assert client.try_query(["SELECT 1", "DO 0"]) == ([[{"a": "1", "b": None}, {"a": "", "b": "ü"}], []], None)
    assert client.query(["SELECT 3"]) == [[{"big": long}]]
    assert server.connections == 1
    assert server.got[-3:] == [b"\3SELECT 1", b"\3DO 0", b"\3SELECT 3"]


def test_binary_values_are_texts_as_well() -> None:
    assert [mysql.text(value) for value in (None, b"a\xff", "ü", 5)] == [None, "a\ufffd", "ü", "5"]


def test_the_statement_that_failed_and_what_came_before(make: Make) -> None:
    denied = refusal(1227, "Access denied; you need SUPER")
    server, client = make(*IN, table(["a"], [["1"]]), denied, table(["b"], [["2"]]), denied)
    results, error = client.try_query(["SELECT 1", "SHOW BINARY LOGS", "SELECT 3"])
    assert error is not None
    assert (results, error.kind, error.errno, error.statement) == ([[{"a": "1"}]], "privilege", 1227, 1)
    # Such an error leaves the connection as it is.
    assert client.try_query(["SELECT 2"]) == ([[{"b": "2"}]], None)
    with pytest.raises(MysqlError, match="you need SUPER"):
        client.query(["SELECT 4"])
    assert server.connections == 1


# --- Bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tcp", [False, True])
def test_a_server_that_trickles_is_left_in_time(make: Make, tcp: bool) -> None:
    _server, client = make(*IN, table(["a"], [["1"]] * 50), pause=0.01, timeout=0.3, tcp=tcp)
    start = time.monotonic()
    error = failure(client)
    assert time.monotonic() - start < 1
    assert (error.kind, error.detail, error.message) == ("unreachable", "timeout", "no answer within 0.3 seconds")


def test_a_server_that_trickles_through_tls_is_left_in_time(make: Make, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "server.pem")
    turns = [hello(tls=True), OK, *SESSION, table(["a"], [["1"]] * 50)]
    server, client = make(*turns, certificate=certificate, pause=0.01, timeout=0.3, tcp=True)
    start = time.monotonic()
    assert failure(client).detail == "timeout"
    assert time.monotonic() - start < 2
    assert server.encrypted


def test_the_time_is_that_of_a_question_not_of_a_statement(make: Make) -> None:
    answers = [table(["a"], [["1"]])] * 3
    _server, client = make(*IN, *answers, pause=0.01, timeout=0.2)
    results, error = client.try_query(["SELECT 1"] * 3)
    assert (len(results), error.statement if error else None) == (2, 2)


def test_silence_ends_in_time_and_the_next_question_connects_again(make: Make) -> None:
    server, client = make(*IN, hang=True, timeout=0.2)
    for turn in (1, 2):
        assert failure(client, "SELECT SLEEP(60)").message == "no answer within 0.2 seconds"
        assert server.connections == turn


def test_a_log_in_ends_in_time(make: Make) -> None:
    _server, client = make(hello(), hang=True, login={"connect_timeout": 0.2})
    assert failure(client).message == "no answer within 0.2 seconds"
    _server, client = make(hello(), pause=0.05, login={"connect_timeout": 0.2})
    assert failure(client).message == "no answer within 0.2 seconds"


def test_an_answer_that_is_too_long_is_refused(make: Make) -> None:
    long = text("z" * 0xFFFFF0)
    _server, client = make(*IN, [*table(["big"], [])[:-1], long, long, EOF])
    error = failure(client)
    assert (error.kind, error.message) == (
        "other",
        "the server's answer is not the protocol of MySQL: it is longer than 16777216 bytes",
    )


def test_an_answer_of_too_many_rows_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_PACKETS", 20)
    _server, client = make(*IN, table(["a"], [["1"]] * 10), table(["a"], [["1"]] * 30))
    assert len(client.query(["SELECT 1"])[0]) == 10
    assert failure(client).message.endswith("it has more than 20 rows")


# --- Log-in ---------------------------------------------------------------------------------------------------------


def native(password: str) -> bytes:
    first = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    second = hashlib.sha1(first, usedforsecurity=False).digest()
    mask = hashlib.sha1(SEED + second, usedforsecurity=False).digest()
    return bytes(a ^ b for a, b in zip(first, mask, strict=True))


def test_passwords_of_any_letters_are_proven_and_not_sent(make: Make) -> None:
    server, client = make(*IN, login={"password": "gehéim✓"})
    client.try_query([])
    assert server.got[0][32:].startswith(b"monitor\0\x14" + native("gehéim✓") + b"mysql_native_password\0")
    assert "gehéim✓".encode() not in b"".join(server.got)
    assert "gehéim✓" not in repr(client.login)


def test_the_user_of_the_system(make: Make) -> None:
    turns = [hello(), b"\xfeauth_socket\0"]
    server, client = make(*turns, login={"user": None, "password": None})
    client.try_query(["SELECT 1"])
    assert server.got[0][32:].startswith(pwd.getpwuid(os.geteuid()).pw_name.encode() + b"\0\0")


def test_a_process_without_a_name(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_number: int) -> None:
        raise KeyError

    monkeypatch.setattr(mysql.pwd, "getpwuid", unknown)
    _server, client = make(*IN, login={"user": None})
    assert "has no name" in failure(client).message


def test_the_password_goes_over_a_unix_socket_only_as_it_is(make: Make) -> None:
    """caching_sha2_password asks for it when the server has not seen it for long."""
    server, client = make(hello("caching_sha2_password"), b"\1\4", OK, *SESSION)
    assert client.try_query([]) == ([], None)
    assert server.got[1] == b"secret\0"


def test_caching_sha2_over_tcp_always_gets_tls(make: Make, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "server.pem")
    turns = [hello("caching_sha2_password", tls=True), b"\1\4", OK, *SESSION]
    server, client = make(*turns, certificate=certificate, tcp=True)
    assert client.try_query([]) == ([], None)
    assert (server.encrypted, server.got[1]) == (True, b"secret\0")


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog"])
def test_the_password_itself_is_never_sent_without_tls(make: Make, plugin: str) -> None:
    server, client = make(hello(), f"\xfe{plugin}\0\5Password: ".encode("latin-1"), hang=True, tcp=True)
    error = failure(client)
    assert (error.kind, error.errno) == ("auth", 2061)
    assert f"the server wants the password itself ({plugin}), over a connection without TLS" in error.message
    assert b"secret" not in b"".join(server.got)


def test_a_host_without_the_library_for_passwords_without_tls(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_args: object) -> None:
        raise RuntimeError("'cryptography' package is required")

    monkeypatch.setattr(connection.Connection, "_request_authentication", absent)
    _server, client = make(hello("caching_sha2_password"), tcp=True)
    error = failure(client)
    assert (error.kind, error.errno) == ("auth", 2061)
    assert "over TLS only" in error.message


# --- TLS ------------------------------------------------------------------------------------------------------------


def test_required_tls_is_required_before_anything_is_said(make: Make) -> None:
    server, client = make(hello(), hang=True, tcp=True, login={"tls": "required"})
    error = failure(client)
    assert (error.kind, error.message) == ("tls", "TLS is required, but the server does not support it")
    assert server.got == []


def test_certificates_are_verified_where_there_is_a_ca(make: Make, tmp_path: Path) -> None:
    certificate, other = make_certificate(tmp_path / "server.pem"), make_certificate(tmp_path / "other.pem")
    turns = [hello(tls=True), OK, *SESSION, table(["a"], [["1"]])]
    options: dict[str, Any] = {"certificate": certificate, "tcp": True}
    for ca, validate, words in (
        (certificate, True, None),
        (other, False, None),
        (other, True, "the server's certificate is not trusted: "),
        (tmp_path / "none.pem", True, "ca_cert, client_cert or client_key cannot be used: No such file"),
    ):
        login = {"tls": "required", "ca_cert": str(ca), "validate_certs": validate}
        server, client = make(*turns, **options, login=login)
        if words is None:
            assert client.query(["SELECT 1"]) == [[{"a": "1"}]]
            assert server.encrypted
        else:
            error = failure(client)
            assert error.kind == "tls"
            assert words in error.message


def test_who_does_not_want_tls_gets_none(make: Make, tmp_path: Path) -> None:
    turns = [hello(tls=True), OK, *SESSION]
    server, client = make(
        *turns, certificate=make_certificate(tmp_path / "server.pem"), tcp=True, login={"tls": "disabled"}
    )
    assert client.try_query([]) == ([], None)
    assert not server.encrypted


# --- Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turns", "kind", "words"),
    [
        ([refusal(1040, "Too many connections")], "unreachable", "Too many connections"),
        ([hello(), refusal(1045, "Access denied for user 'monitor'")], "auth", "Access denied for user 'monitor'"),
        ([hello(), b"\xfeno_such_plugin\0" + bytes(32)], "auth", "no_such_plugin"),
        ([b""], "other", "not the protocol of MySQL"),
        ([b"\x0ax\0short"], "other", "not the protocol of MySQL"),
        ([*IN, b"\xfb/etc/passwd"], "other", "not the protocol of MySQL"),
        ([*IN, [*table(["a"], [])[:-1], b"\xff\0\0", EOF]], "other", ""),
        ([*IN, refusal(1064, "You have an error near 'secret' at line 1")], "syntax", "near the statement's text"),
        (IN, "unreachable", "the server closed the connection"),
        ([], "unreachable", "the server closed the connection"),
    ],
)
def test_each_failure_is_one_error(make: Make, turns: list[Any], kind: str, words: str) -> None:
    _server, client = make(*turns)
    error = failure(client)
    assert error.kind == kind
    assert words in error.message


@unhurried
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_an_answer_or_an_error(noise: bytes, framed: bool) -> None:
    """Neither a traceback nor a hang, wherever the server starts to talk nonsense."""
    for before in range(len(IN) + 1):
        server = LoopbackMysql(*IN[:before], noise) if framed else LoopbackMysql(*IN[:before], [], raw=noise)
        client = MysqlClient(MysqlLogin(host="127.0.0.1", port=server.port, user="a", password="b"), 2.0)
        results, error = client.try_query(["SELECT 1"])
        assert error is None or isinstance(error, MysqlError)
        assert isinstance(results, list)
        client.close()
        server.close()


@pytest.mark.parametrize(
    ("errno", "kind", "detail"),
    [
        (1698, "auth", None),
        (3159, "tls", None),
        (1040, "unreachable", "refused"),
        (2013, "unreachable", "lost"),
        (1227, "privilege", None),
        (1064, "syntax", None),
        (1062, "other", None),
    ],
)
def test_errors_of_the_server_are_classified(make: Make, errno: int, kind: str, detail: str | None) -> None:
    _server, client = make(*IN, refusal(errno, "No."))
    error = failure(client)
    assert (error.kind, error.errno, error.detail, error.statement) == (kind, errno, detail, 0)


def test_a_socket_that_is_not_there_or_deaf(tmp_path: Path) -> None:
    error = failure(MysqlClient(MysqlLogin(user="a", unix_socket=str(tmp_path / "none.sock"))))
    assert (error.kind, error.detail, error.errno) == ("unreachable", "no_socket", 2002)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "deaf.sock"))
    error = failure(MysqlClient(MysqlLogin(user="a", unix_socket=str(tmp_path / "deaf.sock"))))
    assert (error.kind, error.detail, error.errno) == ("unreachable", "refused", 2002)


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(MysqlClient(MysqlLogin(host="127.0.0.1", port=port, user="a")))
    assert (error.kind, error.detail, error.errno) == ("unreachable", "refused", 2003)
    assert error.message == f"127.0.0.1, port {port}, cannot be connected to: Connection refused"


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    error = failure(MysqlClient(MysqlLogin(host="nowhere", user="a")))
    assert (error.kind, error.detail) == ("unreachable", "unknown_host")


# --- What is installed ----------------------------------------------------------------------------------------------


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host without a server, and with our folder as the only place where there could be one."""
    monkeypatch.setattr(mysql, "SOCKETS", (str(tmp_path / "mysqld.sock"),))
    monkeypatch.setattr(mysql, "SERVER_PATH", str(tmp_path))
    return tmp_path


def test_a_host_without_a_server_and_without_the_library(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del host
    monkeypatch.setattr(mysql, "HAS_PYMYSQL", False)
    error = failure(MysqlClient(MysqlLogin()))
    assert (error.kind, error.detail) == ("client_missing", "not_installed")
    assert error.message == "neither MySQL nor MariaDB is installed"


def test_a_host_with_the_library_and_without_a_server(host: Path) -> None:
    error = failure(MysqlClient(MysqlLogin()))
    assert (error.kind, error.detail) == ("client_missing", "not_installed")
    program = host / "mariadbd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    # It is installed, and stopped.
    assert failure(MysqlClient(MysqlLogin())).detail == "no_socket"


def test_a_host_with_a_server_and_without_the_library(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "HAS_PYMYSQL", False)
    program = host / "mysqld"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for login in (MysqlLogin(), MysqlLogin(host="db1")):
        error = failure(MysqlClient(login))
        assert (error.kind, error.detail) == ("client_missing", "no_client")
        assert "install the package python3-pymysql" in error.message
    program.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(host / "mysqld.sock"))
        assert failure(MysqlClient(MysqlLogin())).detail == "no_client"
