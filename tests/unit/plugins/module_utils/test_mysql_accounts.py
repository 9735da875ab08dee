# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements between the accounts that are and those that should be."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.accounts import (
    Database,
    Grants,
    Plan,
    Present,
    Wanted,
    grant_changes,
    grant_target,
    insecure_accounts,
    parse_grants,
    plan_accounts,
    plan_databases,
    read_accounts,
    wanted_grants,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.password import caching_sha2, native_password

APP = ("app", "10.0.0.4")
WHO = "'app'@'10.0.0.4'"
DEMO = {"`demo`.*": frozenset({"ALL PRIVILEGES"})}


def wanted(tls: bool = False, grants: Grants | None = None) -> Wanted:
    return Wanted("app", "10.0.0.4", "sec'ret", DEMO if grants is None else grants, tls)


def native(tls: bool = False, password: str = "sec'ret") -> Present:
    return Present("mysql_native_password", native_password(password), tls)


@pytest.mark.parametrize(
    ("schema", "target"),
    [("*", "*.*"), ("demo", "`demo`.*"), ("my_shop", "`my\\_shop`.*"), ("50%", "`50\\%`.*"), ("a`b", "`a``b`.*")],
)
def test_a_grant_is_on_one_schema_only(schema: str, target: str) -> None:
    assert grant_target(schema) == target


def test_wanted_grants_use_the_servers_own_words() -> None:
    found = wanted_grants([("demo", ["all"]), ("*", ["replication  slave"]), ("*", ["PROCESS"])])
    assert found == {**DEMO, "*.*": frozenset({"REPLICATION SLAVE", "PROCESS"})}


@pytest.mark.parametrize(
    ("line", "grants"),
    [
        ("GRANT USAGE ON *.* TO `app`@`10.0.0.4` IDENTIFIED BY PASSWORD '*14E6'", {}),
        ("GRANT ALL PRIVILEGES ON `my\\_shop`.* TO `app`@`10.0.0.4`", {"`my\\_shop`.*": {"ALL PRIVILEGES"}}),
        ("GRANT SELECT (`a`, `b`), INSERT ON `d`.`t 1` TO `x`@`%`", {"`d`.`t 1`": {"SELECT (`a`, `b`)", "INSERT"}}),
        ("GRANT USAGE ON *.* TO `x`@`%` WITH GRANT OPTION", {"*.*": {"GRANT OPTION"}}),
        ("GRANT EXECUTE ON PROCEDURE `d`.`p` TO `x`@`%`", {"PROCEDURE `d`.`p`": {"EXECUTE"}}),
        (
            "GRANT EXECUTE, ALTER ROUTINE ON PACKAGE BODY `d`.`p` TO `x`@`%`",
            {"PACKAGE BODY `d`.`p`": {"EXECUTE", "ALTER ROUTINE"}},
        ),
        ("GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION", {"''@'%'": {"PROXY"}}),
        ("GRANT PROXY ON `a``b`@`%` TO `x`@`%`", {"`a``b`@`%`": {"PROXY"}}),
        ("SET DEFAULT ROLE `r1` FOR `x`@`%`", {}),
        ("GRANT BINLOG_ADMIN,CLONE_ADMIN ON *.* TO `x`@`%`", {"*.*": {"BINLOG_ADMIN", "CLONE_ADMIN"}}),
    ],
)
def test_parse_grants(line: str, grants: dict[str, set[str]]) -> None:
    found, roles = parse_grants([line])
    assert {target: set(names) for target, names in found.items()} == grants
    assert roles == []


def test_parse_roles() -> None:
    lines = ["GRANT `dev`@`%`,`op``s`@`%` TO `x`@`%`", "GRANT `ops` TO `x`@`%` WITH ADMIN OPTION"]
    assert parse_grants(lines) == ({}, ["`dev`@`%`", "`op``s`@`%`", "`ops`"])


@pytest.mark.parametrize(
    ("present", "want", "statements"),
    [
        (DEMO, DEMO, []),
        ({}, DEMO, [f"GRANT ALL PRIVILEGES ON `demo`.* TO {WHO}"]),
        (DEMO, {}, [f"REVOKE ALL PRIVILEGES ON `demo`.* FROM {WHO}"]),
        # A part of all is no reason to take it away first.
        ({"`demo`.*": frozenset({"SELECT"})}, DEMO, [f"GRANT ALL PRIVILEGES ON `demo`.* TO {WHO}"]),
        (
            {"`demo`.*": frozenset({"ALL PRIVILEGES", "GRANT OPTION"})},
            DEMO,
            [f"REVOKE GRANT OPTION ON `demo`.* FROM {WHO}"],
        ),
        (
            DEMO,
            {"`demo`.*": frozenset({"SELECT"})},
            [f"REVOKE ALL PRIVILEGES ON `demo`.* FROM {WHO}", f"GRANT SELECT ON `demo`.* TO {WHO}"],
        ),
        (
            {"*.*": frozenset({"FILE", "PROCESS"})},
            {"*.*": frozenset({"PROCESS", "RELOAD"})},
            [f"REVOKE FILE ON *.* FROM {WHO}", f"GRANT RELOAD ON *.* TO {WHO}"],
        ),
    ],
)
def test_grant_changes(present: Grants, want: Grants, statements: list[str]) -> None:
    assert grant_changes(APP, present, [], want) == statements


def test_roles_are_taken_away() -> None:
    assert grant_changes(APP, DEMO, ["`dev`@`%`"], DEMO) == [f"REVOKE `dev`@`%` FROM {WHO}"]


def test_a_new_account_on_mariadb() -> None:
    plan = plan_accounts(True, ["app"], [wanted()], {}, {})
    stored = native_password("sec'ret").decode()
    assert plan.local == [
        f"CREATE USER {WHO} IDENTIFIED VIA mysql_native_password USING '{stored}' REQUIRE NONE",
        f"GRANT ALL PRIVILEGES ON `demo`.* TO {WHO}",
    ]
    assert plan.logged == []
    assert plan.before == {}


def test_a_new_account_on_mysql_sends_a_salted_hash() -> None:
    plan = plan_accounts(False, ["app"], [wanted(tls=True)], {}, {})
    first = plan.local[0]
    assert first.startswith(f"CREATE USER {WHO} IDENTIFIED WITH caching_sha2_password AS 0x244124303035")
    assert first.endswith(" REQUIRE SSL")


@pytest.mark.parametrize("mariadb", [True, False])
def test_what_is_right_stays(mariadb: bool) -> None:
    there = native() if mariadb else Present("caching_sha2_password", caching_sha2("sec'ret", b"s" * 20), False)
    plan = plan_accounts(mariadb, ["app"], [wanted()], {APP: there}, {APP: (DEMO, [])})
    assert not plan.changed
    assert plan.before == plan.after == {}


def test_another_password_is_replaced_and_nobody_sees_it() -> None:
    plan = plan_accounts(True, ["app"], [wanted()], {APP: native(password="old")}, {APP: (DEMO, [])})
    assert len(plan.local) == 1
    assert plan.local[0].startswith(f"ALTER USER {WHO} IDENTIFIED VIA mysql_native_password USING '*")
    assert plan.before["app@10.0.0.4"] != plan.after["app@10.0.0.4"]
    shown = repr((plan.before, plan.after))
    assert "sec'ret" not in shown
    assert native_password("sec'ret").decode() not in shown


def test_tls_alone_keeps_the_password() -> None:
    plan = plan_accounts(True, ["app"], [wanted(tls=True)], {APP: native()}, {APP: (DEMO, [])})
    assert plan.local == [f"ALTER USER {WHO} REQUIRE SSL"]


def test_another_plugin_is_replaced() -> None:
    there = Present("unix_socket", b"", False)
    plan = plan_accounts(True, ["app"], [wanted()], {APP: there}, {APP: (DEMO, [])})
    assert "mysql_native_password" in plan.local[0]


def test_hosts_that_are_not_listed_lose_the_user() -> None:
    present = {APP: native(), ("app", "%"): native(), ("other", "%"): native()}
    plan = plan_accounts(True, ["app"], [wanted()], present, {APP: (DEMO, [])})
    assert plan.local == ["DROP USER 'app'@'%'"]
    assert plan.before == {"app@%": "present"}


def test_a_user_without_hosts_is_removed() -> None:
    assert plan_accounts(True, ["app"], [], {APP: native()}, {}).local == [f"DROP USER {WHO}"]


def test_insecure_accounts() -> None:
    names = [("", "localhost"), ("root", "%"), ("root", "localhost"), ("root", "::1"), ("app", "%")]
    assert insecure_accounts({name: native() for name in names}) == [("", "localhost"), ("root", "%")]


def test_read_accounts_leaves_roles_out() -> None:
    rows: Rows = [
        {"user": "app", "host": "10.0.0.4", "plugin": "mysql_native_password", "hash_hex": "2A41", "ssl_type": "ANY"},
        {"user": "dev", "host": "", "plugin": "", "hash_hex": None, "ssl_type": ""},
    ]
    assert read_accounts(rows) == {APP: Present("mysql_native_password", b"*A", True)}


def test_databases_are_made_with_binary_log() -> None:
    plan = Plan()
    plan_databases(plan, [Database("demo"), Database("my_shop")], {"demo": Database("demo", "latin1", "latin1_bin")})
    assert plan.logged == ["CREATE DATABASE `my_shop` CHARACTER SET utf8mb4"]
    assert plan.local == []
    assert plan.changed


@pytest.mark.parametrize(
    ("want", "have", "statements"),
    [
        (Database("d"), Database("d", "latin1", "latin1_bin"), []),
        (Database("d", "UTF8MB4"), Database("d", "utf8mb4", "utf8mb4_bin"), []),
        (Database("d", "utf8"), Database("d", "utf8mb3", "utf8mb3_bin"), []),
        (Database("d", None, "utf8_bin"), Database("d", "utf8mb3", "utf8mb3_bin"), []),
        (Database("d", "utf8mb4"), Database("d", "utf8mb3", "x"), ["ALTER DATABASE `d` CHARACTER SET utf8mb4"]),
        (
            Database("d", "utf8mb4", "utf8mb4_bin"),
            Database("d", "utf8mb4", "utf8mb4_general_ci"),
            ["ALTER DATABASE `d` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"],
        ),
        (Database("d", None, "latin1_bin"), None, ["CREATE DATABASE `d` COLLATE latin1_bin"]),
    ],
)
def test_e1_a_database_gets_the_character_set_that_is_named(
    want: Database, have: Database | None, statements: list[str]
) -> None:
    plan = Plan()
    plan_databases(plan, [want], {"d": have} if have else {})
    assert plan.logged == statements
    assert plan.changed is bool(statements)


@pytest.mark.parametrize(
    ("database", "trial"),
    [
        (Database("d"), None),
        (Database("d", "latin1"), "DO CONVERT('' USING latin1)"),
        (Database("d", "utf8mb4", "utf8mb4_bin"), "DO CONVERT('' USING utf8mb4) COLLATE utf8mb4_bin"),
        (Database("d", None, "latin1_bin"), "DO CONVERT('' USING latin1) COLLATE latin1_bin"),
        (Database("d", None, "uca1400_ai_ci"), "DO CONVERT('' USING utf8mb4) COLLATE uca1400_ai_ci"),
    ],
)
def test_e1_the_server_is_asked_whether_it_knows_a_character_set(database: Database, trial: str | None) -> None:
    assert database.trial == trial


def statements(
    mariadb: bool, have: Present, keep_former: bool, password: str = "sec'ret"
) -> tuple[list[str], list[str]]:
    """What is said of the application's account to the server, and who stays."""
    want = Wanted("app", "10.0.0.4", password, DEMO)
    plan = plan_accounts(mariadb, ["app"], [want], {APP: have}, {APP: (DEMO, [])}, keep_former=keep_former)
    return plan.local, plan.former


def test_b3_mariadb_lets_in_by_both_passwords_until_the_former_is_taken_back() -> None:
    new, old = native_password("sec'ret"), native_password("old")
    via = f"ALTER USER {WHO} IDENTIFIED VIA mysql_native_password USING '{new.decode()}'"
    also_old = f" OR mysql_native_password USING '{old.decode()}'"
    plugin = "mysql_native_password"
    assert statements(True, Present(plugin, old, False), True) == ([f"{via}{also_old} REQUIRE NONE"], ["app@10.0.0.4"])
    # An interrupted run leaves both, and the next one says so and changes nothing.
    both = Present(plugin, new, False, (old,))
    assert statements(True, both, True) == ([], ["app@10.0.0.4"])
    assert statements(True, both, False) == ([f"{via} REQUIRE NONE"], [])
    assert statements(True, Present(plugin, new, False), True) == ([], [])
    # Put back before anybody moved.
    assert statements(True, Present(plugin, old, False, (new,)), True)[0] == [f"{via}{also_old} REQUIRE NONE"]


def test_b3_mysql_lets_in_by_both_passwords_until_the_former_is_taken_back() -> None:
    plugin, salt = "caching_sha2_password", b"s" * 20
    new, old, older = (caching_sha2(password, salt) for password in ("sec'ret", "old", "older"))
    [retained], former = statements(False, Present(plugin, old, False), True)
    assert retained.startswith(f"ALTER USER {WHO} IDENTIFIED WITH caching_sha2_password AS 0x")
    assert retained.endswith(" RETAIN CURRENT PASSWORD REQUIRE NONE")
    assert former == ["app@10.0.0.4"]
    both = Present(plugin, new, False, (old,))
    assert statements(False, both, True) == ([], ["app@10.0.0.4"])
    assert statements(False, both, False) == ([f"ALTER USER {WHO} DISCARD OLD PASSWORD"], [])
    # Put back before anybody moved: the other one is the former then.
    assert statements(False, Present(plugin, old, False, (new,)), True)[0] == [
        f"ALTER USER {WHO} IDENTIFIED WITH caching_sha2_password AS 0x{new.hex()} RETAIN CURRENT PASSWORD REQUIRE NONE"
    ]
    # A third one before anybody moved to the second: the oldest stays.
    [third], former = statements(False, Present(plugin, old, False, (older,)), True)
    assert "RETAIN" not in third
    assert former == ["app@10.0.0.4"]


@pytest.mark.parametrize("mariadb", [True, False])
def test_who_comes_without_tls_does_so_until_everybody_has_moved(mariadb: bool) -> None:
    plugin = "mysql_native_password" if mariadb else "caching_sha2_password"
    stored = native_password("sec'ret") if mariadb else caching_sha2("sec'ret", b"s" * 20)
    want = Wanted("app", "10.0.0.4", "sec'ret", DEMO, require_tls=True)

    def plan(have: Present | None, keep_former: bool) -> tuple[list[str], list[str]]:
        present = {APP: have} if have else {}
        found = plan_accounts(mariadb, ["app"], [want], present, {APP: (DEMO, [])}, keep_former=keep_former)
        return found.local, found.former

    plain, encrypted = Present(plugin, stored, False), Present(plugin, stored, True)
    assert plan(plain, True) == ([], ["app@10.0.0.4"])
    assert plan(plain, False) == ([f"ALTER USER {WHO} REQUIRE SSL"], [])
    # Who has moved is not let back, and who is new begins with it.
    assert plan(encrypted, True) == plan(encrypted, False) == ([], [])
    assert plan(None, True)[0][0].endswith(" REQUIRE SSL")


@pytest.mark.parametrize("mariadb", [True, False])
def test_b3_without_keeping_it_a_changed_password_is_the_only_one(mariadb: bool) -> None:
    plugin = "mysql_native_password" if mariadb else "caching_sha2_password"
    old = native_password("old") if mariadb else caching_sha2("old", b"s" * 20)
    [statement], former = statements(mariadb, Present(plugin, old, False), False)
    assert " OR " not in statement
    assert "RETAIN" not in statement
    assert former == []


def test_b3_a_user_whose_name_changed_stays_until_it_is_taken_back() -> None:
    names = [APP, ("shop", "10.0.0.4"), ("stranger", "%"), ("root", "localhost")]
    present = {name: native() for name in names}
    grants: dict[tuple[str, str], tuple[Grants, list[str]]] = {APP: (DEMO, [])}
    known = ["app", "shop", "gone", "root"]
    kept = plan_accounts(True, ["app"], [wanted()], present, grants, known, keep_former=True)
    assert (kept.local, kept.former) == ([], ["shop@10.0.0.4"])
    last = plan_accounts(True, ["app"], [wanted()], present, grants, known)
    assert (last.local, last.former) == (["DROP USER 'shop'@'10.0.0.4'"], [])


def test_b3_each_server_tells_of_the_passwords_beside_the_first() -> None:
    row = {"user": "app", "host": "%", "plugin": "mysql_native_password", "hash_hex": b"*A".hex(), "ssl_type": ""}
    methods = (
        '[{}, {"plugin": "mysql_native_password", "authentication_string": "*B"}, {"plugin": "unix_socket"},'
        ' {"plugin": "ed25519", "authentication_string": "x"}]'
    )
    mariadb: Rows = [{**row, "methods": methods}]
    mysql: Rows = [{**row, "second_hex": b"$A$005$".hex()}, {**row, "host": "::1", "second_hex": None}]
    assert read_accounts(mariadb)["app", "%"].former == (b"*B",)
    assert {host: present.former for (_user, host), present in read_accounts(mysql).items()} == {
        "%": (b"$A$005$",),
        "::1": (),
    }
