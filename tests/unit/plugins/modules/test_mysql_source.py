# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mysql_source with a client that only remembers, and real sockets for the port."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, MysqlLogin, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import AUTHORITY_FILE
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.source import READ_STORED_MYSQL
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import READ_STATUS
from ansible_collections.siteops.webcluster.plugins.modules import mysql_source
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import (
    Module,
    ModuleError,
    MysqlServer,
    RefusingServer,
)

ROW = {
    "Master_Host": "10.0.0.20",
    "Master_Port": "3306",
    "Master_User": "repl",
    "Connect_Retry": "5",
    "Using_Gtid": "Slave_Pos",
    "Master_SSL_Allowed": "Yes",
    "Master_SSL_Verify_Server_Cert": "Yes",
    "Slave_heartbeat_period": "5.000",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
}


def module(folder: Path, check_mode: bool = False, **params: Any) -> Module:
    login = {"host": "10.0.0.20", "user": "repl", "password": "secret"}
    given = {**login, "read_only_file": str(folder / "read-only.cnf"), **params}
    return Module(mysql_source.ARGUMENTS, given, check_mode)


class Client(MysqlServer):
    """Answers the questions, keeps the statements."""

    def __init__(self, folder: Path, rows: Rows, **variables: str) -> None:
        self.rows = rows
        self.variables = {"version": "11.8.6-MariaDB", "read_only": "ON", "datadir": str(folder), **variables}
        self.changes: list[str] = []

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        if statements[0].startswith("SHOW GLOBAL VARIABLES"):
            return [[{"Variable_name": name, "Value": value} for name, value in self.variables.items()], []]
        if list(statements) == list(READ_STATUS):
            return [[], [], self.rows]
        self.changes += statements
        return [[] for _statement in statements]

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        if list(statements) == [*READ_STATUS, READ_STORED_MYSQL]:
            return [[], [], self.rows], MysqlError("privilege", "denied")
        return super().try_query(statements)


def run(module: Module, client: Client) -> dict[str, Any]:
    return ask_primary(module, client, Primary())


def test_source_is_set_once(tmp_path: Path) -> None:
    client = Client(tmp_path, [], read_only="OFF")
    result = run(module(tmp_path), client)
    assert result["changed"]
    assert result["statements"] == ["SET GLOBAL read_only", "CHANGE MASTER TO", "START SLAVE"]
    assert "secret" not in repr(result)
    assert (tmp_path / "read-only.cnf").read_text().endswith("[mysqld]\nread_only = ON\n")
    assert [path.name for path in tmp_path.iterdir()] == ["read-only.cnf"]

    (tmp_path / "master.info").write_text("33\nbinlog.000001\n4\n10.0.0.20\nrepl\nsecret\n3306\n")
    second = Client(tmp_path, [dict(ROW)])
    assert not run(module(tmp_path), second)["changed"]
    assert second.changes == []


class Primary(MysqlServer):
    """A primary with an account for us; asked holds the log-ins."""

    def __init__(self, grants: str = "GRANT REPLICATION SLAVE ON *.* TO repl") -> None:
        self.grants = grants
        self.asked: list[MysqlLogin] = []
        self.closed = False

    def connect(self, login: MysqlLogin) -> Primary:
        self.asked.append(login)
        return self

    def answer(self, _statements: Sequence[str]) -> list[Rows]:
        if not self.grants:
            raise MysqlError("auth", "Access denied", 1045)
        return [[{"Grants": self.grants}]]

    def close(self) -> None:
        self.closed = True


def ask_primary(module: Module, client: MysqlServer, primary: Primary) -> dict[str, Any]:
    return mysql_source.run(module, client, primary.connect)


def test_the_primary_is_asked_before_anything_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_source, "wait_for_primary", lambda ask, _timeout, _connected: ask())
    good, client = Primary(), Client(tmp_path, [])
    assert ask_primary(module(tmp_path, source_timeout=5), client, good)["changed"]
    assert [(login.host, login.user) for login in good.asked] == [("10.0.0.20", "repl")]
    assert good.closed
    assert len(client.changes) > 0

    client = Client(tmp_path / "other", [])
    with pytest.raises(ModuleError, match=r"wrong replication password .* the replication here was not touched"):
        ask_primary(module(tmp_path, source_timeout=5), client, Primary(""))
    assert client.changes == []


class Unproven(Primary):
    """One that shows no certificate of the authority yet."""

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        if self.asked[-1].ca_cert:
            raise MysqlError("tls", "the server's certificate is not trusted", 2026)
        return super().answer(statements)


def test_a_primary_that_waits_for_its_start_is_followed_as_before(tmp_path: Path) -> None:
    (tmp_path / "master.info").write_text("33\nbinlog.000001\n4\n10.0.0.20\nrepl\nsecret\n3306\n")
    (tmp_path / "read-only.cnf").write_text(mysql_source.read_only_text(True, True))
    settings = {"ssl_ca": AUTHORITY_FILE}
    primary = Unproven()
    result = ask_primary(module(tmp_path, source_timeout=5), Client(tmp_path, [dict(ROW)], **settings), primary)
    assert (result["changed"], result["proven"]) == (False, False)
    assert [login.ca_cert for login in primary.asked] == [AUTHORITY_FILE]
    proven = Primary()
    client = Client(tmp_path, [dict(ROW)], **settings)
    result = ask_primary(module(tmp_path, source_timeout=5), client, proven)
    assert (result["statements"], result["proven"]) == (["STOP SLAVE", "CHANGE MASTER TO", "START SLAVE"], True)
    assert f"MASTER_SSL_CA='{AUTHORITY_FILE}'" in client.changes[1]


def test_the_primary_is_asked_in_check_mode_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_source, "wait_for_primary", lambda ask, _timeout, _connected: ask())
    with pytest.raises(ModuleError, match="wrong replication password"):
        ask_primary(module(tmp_path, check_mode=True, source_timeout=5), Client(tmp_path, []), Primary(""))


@pytest.mark.parametrize("more", [{"source_timeout": 0}, {"source_timeout": 5, "password": None, "user": None}])
def test_the_primary_is_not_asked_without_need(tmp_path: Path, more: dict[str, Any]) -> None:
    primary = Primary()
    ask_primary(module(tmp_path, **more), Client(tmp_path, [dict(ROW)]), primary)
    assert primary.asked == []


def test_check_mode_only_tells(tmp_path: Path) -> None:
    client = Client(tmp_path, [])
    assert run(module(tmp_path, check_mode=True), client)["changed"]
    assert client.changes == []
    assert list(tmp_path.iterdir()) == []


def test_a2_the_number_of_a_server_that_holds_anything_stays(tmp_path: Path) -> None:
    kept = Client(tmp_path, [], server_id="20", gtid_binlog_state="0-20-5")
    assert run(module(tmp_path, state="primary"), kept)["server_id"] == 20


def test_a2_what_would_be_skipped_is_refused_once_the_server_has_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_source, "wait_for_primary", lambda _ask, _timeout, _connected: None)
    monkeypatch.setattr(mysql_source.source, "skipped", lambda _client, _server, _wanted: "it would skip them")
    client = Client(tmp_path, [])
    with pytest.raises(ModuleError, match="it would skip them; the replication here was not touched"):
        ask_primary(module(tmp_path, source_timeout=5), client, Primary())
    assert client.changes == []
    assert ask_primary(module(tmp_path, check_mode=True, source_timeout=5), client, Primary())["changed"]


def test_asking_needs_no_login(tmp_path: Path) -> None:
    asked = module(tmp_path, check_mode=True, user=None, password=None)
    assert run(asked, Client(tmp_path, []))["statements"] == []
    with pytest.raises(ModuleError, match="holds transactions written here"):
        run(asked, Client(tmp_path, [], gtid_binlog_state="0-2-1", server_id="2"))


def test_data_are_no_reason_to_refuse_where_mysql_seed_decides_about_them(tmp_path: Path) -> None:
    held = {"gtid_binlog_state": "0-20-1", "server_id": "20"}
    assert run(module(tmp_path, True, seeded=True), Client(tmp_path, [], **held))["in_place"] is False
    elsewhere: dict[str, str | None] = {**ROW, "Master_Host": "10.0.0.99"}
    with pytest.raises(ModuleError, match=r"replicates from 10\.0\.0\.99"):
        run(module(tmp_path, True, seeded=True), Client(tmp_path, [elsewhere], **held))


def test_refusal_leaves_the_file_alone(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="promote it first"):
        run(module(tmp_path, state="primary"), Client(tmp_path, [dict(ROW)]))
    assert list(tmp_path.iterdir()) == []


def test_primary_is_opened(tmp_path: Path) -> None:
    client = Client(tmp_path, [])
    opened = run(module(tmp_path, state="primary", host=None), client)
    assert (opened["changed"], opened["in_place"]) == (True, False)
    assert client.changes == ["SET GLOBAL read_only = OFF"]
    (tmp_path / "read-only.cnf").write_text("other")
    result = run(module(tmp_path, state="primary"), Client(tmp_path, [], read_only="OFF"))
    assert result["changed"]
    assert result["statements"] == []


def test_no_file_on_demand(tmp_path: Path) -> None:
    run(module(tmp_path, state="primary", read_only_file=""), Client(tmp_path, []))
    assert list(tmp_path.iterdir()) == []


def test_mysql_without_the_right_to_read_the_password(tmp_path: Path) -> None:
    row = {"Source_Host": "10.0.0.20", "Source_Port": "3306", "Source_User": "repl", "Auto_Position": "1"}
    row |= {"Connect_Retry": "5", "Source_Retry_Count": "86400", "Source_SSL_Allowed": "Yes"}
    row |= {"Replica_IO_Running": "Yes", "Replica_SQL_Running": "Yes"}
    client = Client(tmp_path, [dict(row)], version="9.7.4-2", super_read_only="ON")
    assert run(module(tmp_path), client)["statements"] == []


def test_no_server_is_a_change_in_check_mode_and_a_failure_otherwise(tmp_path: Path) -> None:
    asked = ask_primary(
        module(tmp_path, check_mode=True),
        RefusingServer(MysqlError("client_missing", "no client", detail="not_installed")),
        Primary(),
    )
    assert (asked["changed"], asked["in_place"]) == (True, False)
    assert asked["server_id"] > 1
    with pytest.raises(ModuleError, match="no client"):
        ask_primary(
            module(tmp_path),
            RefusingServer(MysqlError("client_missing", "no client", detail="not_installed")),
            Primary(),
        )


def test_a_server_that_cannot_be_asked_is_never_taken_for_none(tmp_path: Path) -> None:
    error = MysqlError("client_missing", "install the package python3-pymysql", detail="no_client")
    with pytest.raises(ModuleError, match="install the package python3-pymysql"):
        ask_primary(module(tmp_path, check_mode=True), RefusingServer(error), Primary())


def test_a_busy_server_is_not_taken_for_an_absent_one(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="Too many connections"):
        ask_primary(
            module(tmp_path, check_mode=True),
            RefusingServer(MysqlError("unreachable", "Too many connections", 1040, "refused")),
            Primary(),
        )


def test_a_primary_that_closed_itself_for_a_move_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "move.json").write_text('{"to": "db2"}', encoding="utf-8")
    client = Client(tmp_path, [])
    with pytest.raises(ModuleError, match="this server closed itself for writes to hand over to db2"):
        run(module(tmp_path, state="primary", state_folder=str(tmp_path)), client)
    assert client.changes == []
