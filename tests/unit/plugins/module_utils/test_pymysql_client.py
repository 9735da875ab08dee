# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyMySQL instead of the command line client: the same rows, the same classified errors."""

from __future__ import annotations

import ssl
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils import _pymysql_client as client
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_client import MysqlError, MysqlLogin


class FakeMysqlError(Exception):
    """Stands for pymysql.err.MySQLError."""


class FakeLibrary:
    """As much of PyMySQL as is used."""

    def __init__(self, answers: dict[str, Any] | None = None, refuse: Exception | None = None) -> None:
        self.answers = answers or {}
        self.refuse = refuse
        self.err = SimpleNamespace(MySQLError=FakeMysqlError)
        self.cursors = SimpleNamespace(DictCursor="rows as dictionaries")
        self.options: dict[str, Any] = {}
        self.connections = 0
        self.closed = 0

    def connect(self, **options: Any) -> FakeLibrary:
        self.options = options
        self.connections += 1
        if self.refuse:
            raise self.refuse
        return self

    def cursor(self) -> FakeLibrary:
        return self

    def __enter__(self) -> FakeLibrary:
        return self

    def __exit__(self, *_args: object) -> None:
        return None

    def execute(self, statement: str) -> None:
        self.found = self.answers.get(statement, [])
        if isinstance(self.found, Exception):
            raise self.found

    def fetchall(self) -> Any:
        return self.found

    def close(self) -> None:
        self.closed += 1
        raise OSError("already gone")


def test_rows_look_like_those_of_the_command_line_client() -> None:
    library = FakeLibrary({"SELECT 1": [{"a": 1, "b": None, "c": b"x\xff", "d": "t"}]})
    mysql = client.PymysqlClient(MysqlLogin(host="10.0.0.20", user="m", password="p"), library=library)
    assert mysql.try_query(["SELECT 1", "DO 0"]) == ([[{"a": "1", "b": None, "c": "x\ufffd", "d": "t"}], []], None)
    assert mysql.try_query(["DO 0"]) == ([[]], None)
    assert library.connections == 1
    assert (library.options["host"], library.options["user"], library.options["password"]) == ("10.0.0.20", "m", "p")
    mysql.close()
    mysql.close()
    assert library.closed == 1


def test_the_default_login_is_root_over_the_socket() -> None:
    library = FakeLibrary()
    client.PymysqlClient(MysqlLogin(), library=library).try_query([])
    assert (library.options["unix_socket"], library.options["user"]) == (client.DEFAULT_SOCKET, "root")
    assert "host" not in library.options
    client.PymysqlClient(MysqlLogin(config_file="/my.cnf"), library=library).try_query([])
    assert library.options["read_default_file"] == "/my.cnf"
    assert "user" not in library.options


@pytest.mark.parametrize(
    ("error", "kind", "detail"),
    [
        (FakeMysqlError(1045, "Access denied for user 'm' (using password: YES)"), "auth", None),
        (
            FakeMysqlError(2003, "Can't connect to MySQL server on 'h' ([Errno 111] Connection refused)"),
            "unreachable",
            "refused",
        ),
        (FakeMysqlError(2003, "Can't connect to MySQL server on 'h' (timed out)"), "unreachable", "timeout"),
        (FakeMysqlError(1064, "You have an error near 'geheim' at line 1"), "syntax", None),
        (FakeMysqlError("odd"), "other", None),
        (OSError("no such file"), "other", None),
    ],
)
def test_errors_are_classified(error: Exception, kind: str, detail: str | None) -> None:
    mysql = client.PymysqlClient(MysqlLogin(password="geheim"), library=FakeLibrary(refuse=error))
    results, found = mysql.try_query(["DO 0"])
    assert results == []
    assert found is not None
    assert (found.kind, found.detail) == (kind, detail)
    assert "geheim" not in found.message


def test_an_error_keeps_the_rows_before_it_and_a_lost_connection_is_opened_anew() -> None:
    library = FakeLibrary({"SELECT 1": [{"a": 1}], "SELECT x": FakeMysqlError(2013, "Lost connection")})
    mysql = client.PymysqlClient(MysqlLogin(), library=library)
    results, error = mysql.try_query(["SELECT 1", "SELECT x", "SELECT 1"])
    assert results == [[{"a": "1"}]]
    assert error is not None
    assert (error.kind, error.detail, error.statement) == ("unreachable", "lost", 1)
    mysql.try_query(["SELECT 1"])
    assert library.connections == 2


def test_errors_of_ours_are_not_hidden() -> None:
    mysql = client.PymysqlClient(MysqlLogin(), library=FakeLibrary({"DO 0": KeyError("a bug")}))
    with pytest.raises(KeyError):
        mysql.try_query(["DO 0"])


def test_a_host_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> Any:
        raise ImportError

    monkeypatch.setattr(client.importlib, "import_module", absent)
    error = client.PymysqlClient(MysqlLogin()).try_query(["DO 0"])[1]
    assert isinstance(error, MysqlError)
    assert (error.kind, error.detail) == ("client_missing", "not_installed")
    assert "has no PyMySQL" in error.message


def test_tls() -> None:
    assert client.tls_options(MysqlLogin(tls="disabled")) == {"ssl_disabled": True}
    assert client.tls_options(MysqlLogin()) == {}
    context = client.tls_options(MysqlLogin(tls="required"))["ssl"]
    assert context.verify_mode == ssl.CERT_NONE
    error = client.PymysqlClient(MysqlLogin(ca_cert="/nowhere"), library=FakeLibrary()).try_query(["DO 0"])[1]
    assert error is not None
    assert "cannot be opened" in error.message
