# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mysql_accounts with a client that only remembers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.password import native_password
from ansible_collections.siteops.webcluster.plugins.modules import mysql_accounts
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import (
    Module,
    ModuleError,
    MysqlServer,
    RefusingServer,
)


def module(check_mode: bool = False, **params: Any) -> Module:
    return Module(mysql_accounts.ARGUMENTS, params, check_mode)


class Client(MysqlServer):
    """Answers the questions, keeps the statements."""

    def __init__(self, users: Rows, grants: dict[str, list[str]], **variables: str) -> None:
        self.users, self.grants = users, grants
        self.variables = {"version": "11.8.6-MariaDB", "read_only": "OFF", **variables}
        self.schemas = ["mysql", "sys", "test"]
        self.canary_tables = "0"
        self.changes: list[list[str]] = []
        self.failure: MysqlError | None = None

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        first = statements[0]
        if first.startswith("SHOW GLOBAL VARIABLES"):
            variables: Rows = [{"Variable_name": name, "Value": value} for name, value in self.variables.items()]
            schemas: Rows = [{"name": name, "character_set": "latin1", "collation": "x"} for name in self.schemas]
            if unknown := [item for item in statements[6:] if "nosuch" in item]:
                raise MysqlError("other", f"Unknown collation in {unknown[0]}", 1273)
            return [variables, schemas, schemas, self.users, [{"count": "0"}], [{"count": self.canary_tables}]]
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


def run(given: Module, client: Client) -> dict[str, Any]:
    return mysql_accounts.run(given, client)


def test_databases_go_to_the_binary_log_and_accounts_do_not() -> None:
    client = Client([user("root", "localhost")], {})
    result = run(module(databases=["demo"], accounts=[app()]), client)
    assert result["changed"]
    assert (result["databases"], result["accounts"]) == (["demo"], ["app@10.0.0.4"])
    (statements,) = client.changes
    assert statements[:2] == ["CREATE DATABASE `demo` CHARACTER SET utf8mb4", "SET SESSION sql_log_bin = OFF"]
    assert statements[2].endswith("REQUIRE SSL")
    assert "secret" not in repr((statements, result))


def test_a_second_run_changes_nothing() -> None:
    grants = {"'app'@'10.0.0.4'": ["GRANT USAGE ON *.* TO x", "GRANT ALL PRIVILEGES ON `demo`.* TO x"]}
    client = Client([user("app", "10.0.0.4")], grants)
    result = run(module(accounts=[app(tls="optional")], databases=["sys"]), client)
    assert not result["changed"]
    assert client.changes == []
    assert result["diff"] == {"before": {}, "after": {}}


def test_the_canary_s_schema_and_table_go_to_the_binary_log() -> None:
    client = Client([], {})
    result = run(module(canary_schema="can_ary"), client)
    assert result["databases"] == ["can_ary"]
    assert result["accounts"] == []
    (statements,) = client.changes
    assert statements[0] == "CREATE DATABASE IF NOT EXISTS `can_ary`"
    assert statements[1].startswith("CREATE TABLE IF NOT EXISTS `can_ary`.`probe` (token ")
    assert statements[2] == "SET SESSION sql_log_bin = OFF"
    client = Client([], {})
    client.schemas.append("can_ary")
    client.canary_tables = "1"
    assert not run(module(canary_schema="can_ary"), client)["changed"]


def test_a_user_of_the_operating_system_needs_no_password() -> None:
    account = app(name="status", hosts=["localhost"], password="", by_socket=True, tls="optional", grants=[])
    client = Client([], {})
    run(module(accounts=[account]), client)
    assert client.changes[0][1] == "CREATE USER 'status'@'localhost' IDENTIFIED VIA unix_socket REQUIRE NONE"
    there: dict[str, str | None] = {
        "user": "status",
        "host": "localhost",
        "plugin": "unix_socket",
        "hash_hex": "",
        "ssl_type": "",
    }
    client = Client([there], {"'status'@'localhost'": ["GRANT USAGE ON *.* TO x"]})
    assert not run(module(accounts=[account]), client)["changed"]
    client = Client([], {}, version="9.7.4-2")
    run(module(accounts=[account]), client)
    assert client.changes[0][1] == "CREATE USER 'status'@'localhost' IDENTIFIED WITH auth_socket REQUIRE NONE"
    client = Client([user("status", "localhost")], {"'status'@'localhost'": []})
    run(module(accounts=[account]), client)
    assert client.changes[0][1] == "ALTER USER 'status'@'localhost' IDENTIFIED VIA unix_socket REQUIRE NONE"


def test_check_mode_only_tells() -> None:
    client = Client([], {})
    assert run(module(check_mode=True, databases=["demo"]), client)["changed"]
    assert client.changes == []


def test_insecure_leftovers_are_removed_on_demand() -> None:
    client = Client([user("", "localhost"), user("root", "%"), user("root", "localhost")], {})
    assert not run(module(), client)["changed"]
    run(module(remove_insecure=True), client)
    assert client.changes == [
        ["SET SESSION sql_log_bin = OFF", "DROP USER ''@'localhost'", "DROP USER 'root'@'%'", "DROP DATABASE `test`"]
    ]


def test_a_database_that_may_go_goes_with_the_binary_log_and_once() -> None:
    client = Client([], {})
    client.schemas.append("old`shop")
    absent: dict[str, Any] = {"absent_databases": ["old`shop", "nosuch"]}
    assert run(module(check_mode=True, **absent), client)["databases"] == ["old`shop"]
    assert client.changes == []
    assert run(module(**absent), client)["changed"]
    assert client.changes == [["DROP DATABASE `old``shop`", "SET SESSION sql_log_bin = OFF"]]
    client.schemas.remove("old`shop")
    assert not run(module(**absent), client)["changed"]


@pytest.mark.parametrize(
    ("absent", "sentence"),
    [("shop", "'shop' is wanted as well, expected one"), ("MySQL", "'MySQL' is the server's own, expected one")],
)
def test_a_database_that_somebody_needs_does_not_go(absent: str, sentence: str) -> None:
    found = mysql_accounts.input_error(module(databases=["shop"], absent_databases=[absent]).params)
    assert found == f"absent_databases: {sentence} that nobody needs"


def test_super_read_only_is_opened_and_closed_in_one_session() -> None:
    client = Client([user("old", "%")], {}, version="9.7.4-2", read_only="ON", super_read_only="ON")
    run(module(accounts=[app(name="old", hosts=[])]), client)
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
        run(module(accounts=[app(name="old", hosts=[])]), client)
    assert client.changes[1] == ["SET GLOBAL super_read_only = ON"]


SILENT = RefusingServer(MysqlError("unreachable", "no socket", 2002, "no_socket"))


def test_no_server_is_a_change_in_check_mode_and_a_failure_otherwise() -> None:
    assert mysql_accounts.run(module(check_mode=True), SILENT)["changed"]
    with pytest.raises(ModuleError, match="no socket"):
        mysql_accounts.run(module(), SILENT)


def test_b4_an_account_that_somebody_else_made_is_not_taken_over(tmp_path: Path) -> None:
    client = Client([user("root", "localhost"), user("app", "%", "old"), user("app", "10.0.0.9", "old")], {})
    names = tmp_path / "names.json"
    given = {"accounts": [app()], "names_file": str(names), "take_over": False}
    with pytest.raises(
        ModuleError, match=r"app@%, app@10\.0\.0\.9 are accounts that somebody else made here; expected"
    ):
        run(module(check_mode=True, **given), client)
    names.write_text('["app"]')
    assert run(module(check_mode=True, **given), client)["changed"]
    assert client.changes == []


def test_b4_an_account_that_came_with_a_copy_of_another_server_is_ours() -> None:
    client = Client([user("root", "localhost"), user("app", "10.0.0.9")], {})
    assert run(module(check_mode=True, accounts=[app()], take_over=False), client)["changed"]
    client.users = [user("root", "localhost"), user("app", "10.0.0.9", "theirs")]
    with pytest.raises(ModuleError, match=r"app@10\.0\.0\.9 is an account that somebody else made here"):
        run(module(check_mode=True, accounts=[app()], take_over=False), client)


@pytest.mark.parametrize(
    ("accounts", "sentence"),
    [
        ([app(name="Root")], "'Root' is the server's own account"),
        ([app(), app()], "'app' is given twice"),
        ([app(password="")], "'app' has no password"),
        ([app(by_socket=True)], "'app' comes by the unix socket, expected hosts to be [localhost]"),
        ([app(by_socket=True, password="", hosts=["localhost"])], None),
        ([app(by_socket=True, password="", hosts=[])], None),
        ([app(grants=[{"databases": ["*"], "privileges": ["all"]}])], "ALL on every database"),
        ([app(), app(name="other", hosts=[], password="")], None),
    ],
)
def test_mistakes_are_named(accounts: list[dict[str, Any]], sentence: str | None) -> None:
    found = mysql_accounts.input_error(module(accounts=accounts).params)
    assert found is None if sentence is None else sentence in (found or "")


@pytest.mark.parametrize(
    ("databases", "sentence"),
    [
        (["shop", {"name": "my shop", "character_set": "utf8mb4", "collation": None}], None),
        ([{"name": "shop", "charset": "utf8"}], "an entry has charset, expected a name, or a dictionary of name, "),
        ([{"character_set": "utf8"}], "None is no name"),
        ([5], "5 is no name"),
        (["shop", {"name": "shop"}], "'shop' is given twice"),
        ([{"name": "shop", "collation": "a b"}], "'shop' has the collation 'a b', expected a name such as utf8mb4"),
        ([{"name": "shop", "character_set": "x; DROP"}], "'shop' has the character_set 'x; DROP'"),
    ],
)
def test_e1_mistakes_in_databases_are_named(databases: list[Any], sentence: str | None) -> None:
    found = mysql_accounts.input_error(module(databases=databases).params)
    assert found is None if sentence is None else sentence in (found or "")


def test_e1_several_users_and_databases_are_data() -> None:
    client = Client([], {})
    databases = ["shop", {"name": "archive", "character_set": "latin1", "collation": "latin1_bin"}, "sys"]
    result = run(module(databases=databases, accounts=[app(), app(name="reports")]), client)
    assert (result["databases"], result["accounts"]) == (["shop", "archive"], ["app@10.0.0.4", "reports@10.0.0.4"])
    assert client.changes[0][:2] == [
        "CREATE DATABASE `shop` CHARACTER SET utf8mb4",
        "CREATE DATABASE `archive` CHARACTER SET latin1 COLLATE latin1_bin",
    ]


def test_e1_host_names_in_capital_letters_are_those_of_the_server() -> None:
    grants = {"'app'@'web1.example'": ["GRANT ALL PRIVILEGES ON `demo`.* TO x"]}
    client = Client([user("app", "web1.example")], grants)
    account = app(hosts=["WEB1.Example", "web1.example"], tls="optional")
    assert not run(module(accounts=[account]), client)["changed"]
    assert client.changes == []
    by_socket = app(name="status", hosts=["LOCALHOST"], password="", by_socket=True)
    assert mysql_accounts.input_error(module(accounts=[by_socket]).params) is None


def test_e1_rights_on_routines_and_as_proxy_are_revoked() -> None:
    lines = [
        "GRANT `dev`@`%`,`ops`@`%` TO `app`@`10.0.0.4`",
        "GRANT ALL PRIVILEGES ON `demo`.* TO `app`@`10.0.0.4`",
        "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `app`@`10.0.0.4` WITH GRANT OPTION",
        "GRANT PROXY ON `root`@`%` TO `app`@`10.0.0.4` WITH GRANT OPTION",
    ]
    client = Client([user("app", "10.0.0.4")], {"'app'@'10.0.0.4'": lines})
    assert run(module(accounts=[app(tls="optional")]), client)["changed"]
    assert client.changes[0][1:] == [
        "REVOKE EXECUTE, GRANT OPTION ON PROCEDURE `shop`.`p` FROM 'app'@'10.0.0.4'",
        "REVOKE PROXY ON `root`@`%` FROM 'app'@'10.0.0.4'",
        "REVOKE `dev`@`%` FROM 'app'@'10.0.0.4'",
        "REVOKE `ops`@`%` FROM 'app'@'10.0.0.4'",
    ]


def test_e1_a_right_that_is_not_understood_stops_before_any_change() -> None:
    lines = ["REVOKE SELECT ON `mysql`.* FROM `app`@`10.0.0.4`"]
    client = Client([user("app", "10.0.0.4", "old")], {"'app'@'10.0.0.4'": lines})
    with pytest.raises(ModuleError, match=r"an account has 'REVOKE SELECT ON `mysql`.\*', which is none of the rights"):
        run(module(accounts=[app()]), client)
    assert client.changes == []


def test_e1_an_unknown_collation_stops_before_any_change() -> None:
    client = Client([], {})
    with pytest.raises(ModuleError, match="Unknown collation"):
        run(module(databases=["shop", {"name": "archive", "collation": "nosuch_bin"}]), client)
    assert client.changes == []


def test_b3_the_names_of_the_users_are_kept_for_the_next_run(tmp_path: Path) -> None:
    names = tmp_path / "users.json"
    grants = {f"'{name}'@'10.0.0.4'": ["GRANT ALL PRIVILEGES ON `demo`.* TO x"] for name in ("app", "shop")}
    client = Client([user("app", "10.0.0.4")], grants)
    first: dict[str, Any] = {"accounts": [app(tls="optional")], "names_file": str(names)}
    assert run(module(check_mode=True, **first), client)["changed"]
    assert not names.exists()
    assert run(module(**first), client)["changed"]
    assert not run(module(**first), client)["changed"]
    renamed: dict[str, Any] = {"accounts": [app(name="shop", tls="optional")], "names_file": str(names)}
    client = Client([user("app", "10.0.0.4")], grants)
    result = run(module(keep_former=True, **renamed), client)
    assert result["former"] == ["app@10.0.0.4"]
    assert not [statement for statement in client.changes[0] if "DROP" in statement]
    client = Client([user("app", "10.0.0.4"), user("shop", "10.0.0.4")], grants)
    assert not run(module(keep_former=True, **renamed), client)["changed"]
    result = run(module(**renamed), client)
    assert (result["former"], result["accounts"]) == ([], ["app@10.0.0.4"])
    assert client.changes == [["SET SESSION sql_log_bin = OFF", "DROP USER 'app'@'10.0.0.4'"]]
    client = Client([user("shop", "10.0.0.4")], grants)
    assert not run(module(**renamed), client)["changed"]
    assert [path.name for path in tmp_path.iterdir()] == ["users.json"]
