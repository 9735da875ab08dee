# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mysql_accounts with a client that only remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.password import native_password
from ansible_collections.siteops.webcluster.plugins.modules import mysql_accounts


class ModuleError(Exception):
    pass


class Module:
    """The part of AnsibleModule that run() uses."""

    def __init__(self, check_mode: bool = False, **params: Any) -> None:
        self.check_mode = check_mode
        self.params = {name: spec.get("default") for name, spec in mysql_accounts.ARGUMENTS.items()} | params

    def fail_json(self, **result: Any) -> NoReturn:
        raise ModuleError(result["msg"])


class Client:
    """Answers the questions, keeps the statements."""

    def __init__(self, users: Rows, grants: dict[str, list[str]], **variables: str) -> None:
        self.users, self.grants = users, grants
        self.variables = {"version": "11.8.6-MariaDB", "read_only": "OFF", **variables}
        self.schemas = ["mysql", "sys", "test"]
        self.canary_tables = "0"
        self.changes: list[list[str]] = []
        self.failure: MysqlError | None = None

    def query(self, statements: Sequence[str]) -> list[Rows]:
        first = statements[0]
        if first.startswith("SHOW GLOBAL VARIABLES"):
            variables: Rows = [{"Variable_name": name, "Value": value} for name, value in self.variables.items()]
            schemas: Rows = [{"name": name} for name in self.schemas]
            return [variables, schemas, self.users, [{"count": "0"}], [{"count": self.canary_tables}]]
        if first.startswith("SHOW GRANTS"):
            return [[{"Grants": line} for line in self.grants[item.split(" FOR ")[1]]] for item in statements]
        self.changes.append(list(statements))
        if self.failure and len(self.changes) == 1:
            raise self.failure
        return [[] for _statement in statements]


def user(name: str, host: str, password: str = "secret") -> dict[str, str | None]:
    stored = native_password(password).hex()
    return {"user": name, "host": host, "plugin": "mysql_native_password", "hash_hex": stored, "ssl_type": ""}


def app(**changes: Any) -> dict[str, Any]:
    grants = [{"databases": ["demo"], "privileges": ["ALL"]}]
    usual = {
        "name": "app",
        "hosts": ["10.0.0.4"],
        "password": "secret",
        "by_socket": False,
        "grants": grants,
        "tls": "auto",
    }
    return {**usual, **changes}


def run(module: Module, client: Client) -> dict[str, Any]:
    return mysql_accounts.run(module, client)  # type: ignore[arg-type]


def test_databases_go_to_the_binary_log_and_accounts_do_not() -> None:
    client = Client([user("root", "localhost")], {})
    result = run(Module(databases=["demo"], accounts=[app()]), client)
    assert result["changed"]
    assert (result["databases"], result["accounts"]) == (["demo"], ["app@10.0.0.4"])
    (statements,) = client.changes
    assert statements[:2] == ["CREATE DATABASE `demo` CHARACTER SET utf8mb4", "SET SESSION sql_log_bin = OFF"]
    assert statements[2].endswith("REQUIRE SSL")
    assert "secret" not in repr((statements, result))


def test_a_second_run_changes_nothing() -> None:
    grants = {"'app'@'10.0.0.4'": ["GRANT USAGE ON *.* TO x", "GRANT ALL PRIVILEGES ON `demo`.* TO x"]}
    client = Client([user("app", "10.0.0.4")], grants)
    result = run(Module(accounts=[app(tls="optional")], databases=["sys"]), client)
    assert not result["changed"]
    assert client.changes == []
    assert result["diff"] == {"before": {}, "after": {}}


def test_the_canary_s_schema_and_table_go_to_the_binary_log() -> None:
    client = Client([], {})
    result = run(Module(canary_schema="can_ary"), client)
    assert result["databases"] == ["can_ary"]
    assert result["accounts"] == []
    (statements,) = client.changes
    assert statements[0] == "CREATE DATABASE IF NOT EXISTS `can_ary`"
    assert statements[1].startswith("CREATE TABLE IF NOT EXISTS `can_ary`.`probe` (token ")
    assert statements[2] == "SET SESSION sql_log_bin = OFF"
    client = Client([], {})
    client.schemas.append("can_ary")
    client.canary_tables = "1"
    assert not run(Module(canary_schema="can_ary"), client)["changed"]


def test_a_user_of_the_operating_system_needs_no_password() -> None:
    account = app(name="status", hosts=["localhost"], password="", by_socket=True, tls="optional", grants=[])
    client = Client([], {})
    run(Module(accounts=[account]), client)
    assert client.changes[0][1] == "CREATE USER 'status'@'localhost' IDENTIFIED VIA unix_socket REQUIRE NONE"
    there: dict[str, str | None] = {
        "user": "status",
        "host": "localhost",
        "plugin": "unix_socket",
        "hash_hex": "",
        "ssl_type": "",
    }
    client = Client([there], {"'status'@'localhost'": ["GRANT USAGE ON *.* TO x"]})
    assert not run(Module(accounts=[account]), client)["changed"]
    client = Client([], {}, version="9.7.4-2")
    run(Module(accounts=[account]), client)
    assert client.changes[0][1] == "CREATE USER 'status'@'localhost' IDENTIFIED WITH auth_socket REQUIRE NONE"
    client = Client([user("status", "localhost")], {"'status'@'localhost'": []})
    run(Module(accounts=[account]), client)
    assert client.changes[0][1] == "ALTER USER 'status'@'localhost' IDENTIFIED VIA unix_socket REQUIRE NONE"


def test_check_mode_only_tells() -> None:
    client = Client([], {})
    assert run(Module(check_mode=True, databases=["demo"]), client)["changed"]
    assert client.changes == []


def test_insecure_leftovers_are_removed_on_demand() -> None:
    client = Client([user("", "localhost"), user("root", "%"), user("root", "localhost")], {})
    assert not run(Module(), client)["changed"]
    run(Module(remove_insecure=True), client)
    assert client.changes == [
        ["SET SESSION sql_log_bin = OFF", "DROP USER ''@'localhost'", "DROP USER 'root'@'%'", "DROP DATABASE `test`"]
    ]


def test_super_read_only_is_opened_and_closed_in_one_session() -> None:
    client = Client([user("old", "%")], {}, version="9.7.4-2", read_only="ON", super_read_only="ON")
    run(Module(accounts=[app(name="old", hosts=[])]), client)
    assert client.changes == [
        [
            "SET GLOBAL super_read_only = OFF",
            "SET SESSION sql_log_bin = OFF",
            "DROP USER 'old'@'%'",
            "SET GLOBAL super_read_only = ON",
        ]
    ]


def test_super_read_only_is_closed_after_an_error_too() -> None:
    client = Client([user("old", "%")], {}, version="9.7.4-2", read_only="ON", super_read_only="ON")
    client.failure = MysqlError("other", "no room")
    with pytest.raises(ModuleError, match="no room"):
        run(Module(accounts=[app(name="old", hosts=[])]), client)
    assert client.changes[1] == ["SET GLOBAL super_read_only = ON"]


class Silent:
    def query(self, _statements: Sequence[str]) -> NoReturn:
        raise MysqlError("unreachable", "no socket", 2002, "no_socket")


def test_no_server_is_a_change_in_check_mode_and_a_failure_otherwise() -> None:
    assert mysql_accounts.run(Module(check_mode=True), Silent())["changed"]  # type: ignore[arg-type]
    with pytest.raises(ModuleError, match="no socket"):
        mysql_accounts.run(Module(), Silent())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accounts", "sentence"),
    [
        ([app(name="Root")], "'Root' is the server's own account"),
        ([app(), app()], "'app' is given twice"),
        ([app(password="")], "'app' has no password"),
        ([app(by_socket=True)], "'app' comes by the unix socket, expected hosts to be [localhost]"),
        ([app(by_socket=True, password="", hosts=["localhost"])], None),
        ([app(grants=[{"databases": ["*"], "privileges": ["all"]}])], "ALL on every database"),
        ([app(), app(name="other", hosts=[], password="")], None),
    ],
)
def test_mistakes_are_named(accounts: list[dict[str, Any]], sentence: str | None) -> None:
    found = mysql_accounts.input_error({"accounts": accounts})
    assert found is None if sentence is None else sentence in (found or "")
