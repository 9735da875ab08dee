# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MySQL and MariaDB command line client: what goes in, what comes out, what an error says."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.module_utils import _mysql_client as client
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import client as base
from hypothesis import given, settings
from hypothesis import strategies as st

# A busy machine is not a slow function.
unhurried = settings(deadline=None)

DECLARATION = '<?xml version="1.0"?>\n\n'
NAMESPACE = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def resultset(*rows: str) -> str:
    body = "".join(f"\n  <row>{row}\n  </row>" for row in rows)
    return f'{DECLARATION}<resultset statement="x" {NAMESPACE}>{body}\n</resultset>\n'


END = resultset(f'<field name="{client.END_COLUMN}">1</field>')


class FakeRunner:
    """Remember the call and the option file, then answer."""

    def __init__(self, stdout: str = "", stderr: str = "", rc: int = 0, error: Exception | None = None) -> None:
        self.answer = client.RunResult(rc, stdout.encode(), stderr.encode())
        self.error = error
        self.argv: list[str] = []
        self.data = ""
        self.env: Mapping[str, str] = {}
        self.option_file: str | None = None
        self.mode = 0
        self.path = Path()

    def __call__(self, argv: list[str], data: bytes, env: Mapping[str, str], timeout: float) -> client.RunResult:
        assert timeout > 0
        self.argv, self.data, self.env = argv, data.decode(), env
        if argv[1].startswith("--defaults-extra-file="):
            self.path = Path(argv[1].partition("=")[2])
            self.option_file = self.path.read_text()
            self.mode = stat.S_IMODE(self.path.stat().st_mode)
        if self.error:
            raise self.error
        return self.answer


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = {"mariadb": "/usr/bin/mariadb", "mysql": "/usr/bin/mysql"}
    monkeypatch.setattr(client.shutil, "which", found.get)
    return found


def ask(runner: FakeRunner, *statements: str, **login: Any) -> list[client.Rows]:
    return client.MysqlClient(client.MysqlLogin(**login), runner).query(statements)


def test_rows_belong_to_their_statement() -> None:
    row = '<field name="a">1</field><field name="b" xsi:nil="true" /><field name="c">x\ny&lt;&amp;</field>'
    runner = FakeRunner(resultset(row, row) + END + END + resultset() + END)
    first, second, third = ask(runner, "SELECT 1;", "DO 0", "SELECT 1 FROM DUAL WHERE 0")
    assert first == [{"a": "1", "b": None, "c": "x\ny<&"}] * 2
    assert second == []
    assert third == []
    assert runner.data.count(client.END) == 3
    assert "--xml" in runner.argv


def test_control_characters_and_broken_text_survive() -> None:
    output = resultset('<field name="a">\x01\x1f</field>').encode() + b"" + END.encode()
    output = output.replace(b"\x1f", b"\xff")
    assert client.split_results(output, 1) == [[{"a": "\ufffd\ufffd"}]]


@pytest.mark.parametrize(
    "output",
    [
        "no xml",
        DECLARATION + "<resultset",
        DECLARATION + '<!DOCTYPE a [<!ENTITY b "c">]><resultset>&b;</resultset>',
        DECLARATION,
    ],
)
def test_output_that_is_not_ours_is_one_clear_error(output: str) -> None:
    with pytest.raises(client.MysqlError, match="the client's output is not") as caught:
        ask(FakeRunner(output), "SELECT 1")
    assert caught.value.kind == "other"


def test_a_missing_answer_is_an_error() -> None:
    with pytest.raises(client.MysqlError, match="answered 1 of 2"):
        ask(FakeRunner(END), "SELECT 1", "SELECT 2")


def complaint(output: bytes) -> str | None:
    """Return what is said about the client's output."""
    try:
        client.split_results(output, 1)
    except client.MysqlError as error:
        return error.message
    return None


@unhurried
@given(st.binary(max_size=300))
def test_any_bytes_give_rows_or_a_clear_error(data: bytes) -> None:
    for output in (data, DECLARATION.encode() + data, END.encode() + data):
        assert (complaint(output) or "the client's output is not").startswith("the client's output is not")


def test_the_default_login_leaves_everything_to_the_client() -> None:
    runner = FakeRunner(END)
    ask(runner, "DO 0")
    assert runner.option_file is None
    assert not [item for item in runner.argv if item.startswith(("--host", "--user", "--socket", "--protocol"))]
    assert runner.env.get("HOME") != "/nonexistent"


def test_a_password_travels_in_a_private_file_that_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_PWD", "other")
    runner = FakeRunner(END)
    ask(runner, "DO 0", user="app", password='s"e\\c\nret', host="10.0.0.1", port=3307)
    assert runner.option_file == '[client]\npassword="s\\"e\\\\c\\nret"\n'
    assert runner.mode == 0o600
    assert not runner.path.exists()
    assert runner.argv[1].startswith("--defaults-extra-file=")
    assert {"--user=app", "--host=10.0.0.1", "--port=3307", "--protocol=tcp"} <= set(runner.argv)
    assert not any("ret" in item for item in [*runner.argv, *runner.env.values()])
    assert "MYSQL_PWD" not in runner.env
    assert runner.env["HOME"] == "/nonexistent"


def test_the_private_file_is_removed_after_a_failure() -> None:
    runner = FakeRunner(error=TimeoutError())
    with pytest.raises(client.MysqlError, match="no answer within") as caught:
        ask(runner, "DO 0", password="secret")
    assert (caught.value.kind, caught.value.detail) == ("unreachable", "timeout")
    assert not runner.path.exists()


def test_an_option_file_is_included(tmp_path: Path) -> None:
    options = tmp_path / "my.cnf"
    with pytest.raises(client.MysqlError, match=r"my\.cnf does not exist"):
        ask(FakeRunner(END), "DO 0", config_file=str(options))
    options.touch()
    runner = FakeRunner(END)
    ask(runner, "DO 0", config_file=str(options), unix_socket="/s")
    assert runner.option_file == f"!include {options}\n[client]\n"
    assert {"--protocol=socket", "--socket=/s"} <= set(runner.argv)


@pytest.mark.parametrize(
    ("login", "present", "absent"),
    [
        # Over the unix socket nobody listens.
        ({}, ["--loose-ssl-mode=DISABLED", "--loose-skip-ssl"], ["public-key"]),
        ({"unix_socket": "/s"}, ["--loose-skip-ssl"], []),
        ({"host": "h"}, [], ["ssl"]),
        ({"host": "h", "tls": "disabled"}, ["--loose-ssl-mode=DISABLED", "--loose-skip-ssl"], ["--loose-ssl "]),
        ({"host": "h", "tls": "required"}, ["--loose-ssl-mode=REQUIRED", "--loose-ssl"], ["verify"]),
        (
            {"host": "h", "ca_cert": "/ca", "client_cert": "/c", "client_key": "/k"},
            ["--ssl-ca=/ca", "--ssl-cert=/c", "--ssl-key=/k", "--loose-ssl-mode=VERIFY_IDENTITY"],
            [],
        ),
        (
            {"host": "h", "tls": "required", "ca_cert": "/ca", "validate_certs": False},
            ["--loose-ssl-mode=REQUIRED", "--loose-skip-ssl-verify-server-cert"],
            ["IDENTITY", "--loose-ssl-verify"],
        ),
    ],
)
def test_tls_options(login: dict[str, Any], present: list[str], absent: list[str]) -> None:
    runner = FakeRunner(END)
    ask(runner, "DO 0", **login)
    assert set(present) <= set(runner.argv)
    assert not [word for word in absent if word in " ".join(runner.argv) + " "]


def test_no_client(programs: dict[str, str]) -> None:
    programs.clear()
    with pytest.raises(client.MysqlError, match="neither the mariadb nor the mysql client") as caught:
        ask(FakeRunner(), "DO 0")
    assert (caught.value.kind, caught.value.detail) == ("client_missing", "not_installed")


def test_a_client_that_does_not_start() -> None:
    with pytest.raises(client.MysqlError, match="cannot be run: Permission denied"):
        ask(FakeRunner(error=PermissionError(13, "Permission denied")), "DO 0")


@pytest.mark.parametrize(
    ("stderr", "kind", "errno", "detail"),
    [
        ("ERROR 1045 (28000): Access denied for user 'a'@'b' (using password: YES)", "auth", 1045, None),
        ("mariadb: ERROR 1698 (28000): Access denied for user 'a'@'b'", "auth", 1698, None),
        ("ERROR 2002 (HY000): Can't connect to local server through socket '/s' (2)", "unreachable", 2002, "no_socket"),
        ("ERROR 2003 (HY000): Can't connect to MySQL server on '10.0.0.1:3306' (111)", "unreachable", 2003, "refused"),
        ("ERROR 2002 (HY000): Can't connect to server on '127.0.0.1' (115)", "unreachable", 2002, "refused"),
        ("ERROR 2003 (HY000): Can't connect to MySQL server on '10.0.0.1' (110)", "unreachable", 2003, "timeout"),
        ("ERROR 2005 (HY000): Unknown server host 'x' (-2)", "unreachable", 2005, "unknown_host"),
        (
            "ERROR 2013 (HY000): Lost connection to server at 'handshake: reading', system error: 110",
            "unreachable",
            2013,
            "timeout",
        ),
        ("ERROR 2013 (HY000): Lost connection to server during query", "unreachable", 2013, "lost"),
        ("ERROR 1040 (HY000): Too many connections", "unreachable", 1040, "refused"),
        ("ERROR 2026 (HY000): TLS/SSL error: certificate verify failed", "tls", 2026, None),
        ("ERROR 1227 (42000) at line 2: Access denied; you need SUPER", "privilege", 1227, None),
        ("ERROR 1064 (42000) at line 2: You have an error", "syntax", 1064, None),
        ("WARNING: old\nERROR 1062 (23000) at line 2: Duplicate entry", "other", 1062, None),
        ("unknown option '--xml'", "other", None, None),
        ("", "other", None, None),
    ],
)
def test_errors_are_classified(stderr: str, kind: str, errno: int | None, detail: str | None) -> None:
    with pytest.raises(client.MysqlError) as caught:
        ask(FakeRunner(stderr=stderr + "\n", rc=1), "SELECT 1")
    assert (caught.value.kind, caught.value.errno, caught.value.detail) == (kind, errno, detail)
    assert caught.value.message


def test_an_error_names_its_statement_and_keeps_the_results_before_it() -> None:
    runner = FakeRunner(resultset('<field name="a">1</field>') + END, "ERROR 1054 (42S22) at line 5: Unknown column", 1)
    with pytest.raises(client.MysqlError) as caught:
        ask(runner, "SELECT\n1 AS a", "SELECT 2", "SELECT b")
    assert runner.data.splitlines()[4] == "SELECT 2;"
    assert caught.value.statement == 1
    assert caught.value.results == [[{"a": "1"}]]
    results, error = client.MysqlClient(client.MysqlLogin(), runner).try_query(["SELECT 1 AS a", "x"])
    assert results == [[{"a": "1"}]]
    assert error is not None


def test_no_error_shows_a_secret() -> None:
    stderr = "ERROR 1064 (42000) at line 2: You have an error near 'IDENTIFIED BY 'pa''s'' at line 1\nand more"
    with pytest.raises(client.MysqlError) as caught:
        ask(FakeRunner(stderr=stderr, rc=1), "ALTER USER x IDENTIFIED BY 'pa''s'")
    assert "pa" not in caught.value.message.replace("statement", "")
    runner = FakeRunner(stderr="ERROR 1819 (HY000) at line 2: Bad value 'it\\'s' and geheim", rc=1)
    mysql = client.MysqlClient(client.MysqlLogin(password="geheim"), runner)
    with pytest.raises(client.MysqlError) as caught:
        mysql.query(["SET x"], secrets=["it's"])
    assert caught.value.message == "Bad value '********' and ********"
    assert "geheim" not in repr(mysql.login)


@unhurried
@given(st.text())
def test_quote_is_undone_by_the_server_s_rules(text: str) -> None:
    quoted = base.quote(text)
    assert quoted[0] == quoted[-1] == "'"
    letters = {"0": "\0", "n": "\n", "r": "\r", "Z": "\x1a"}
    found, rest = "", iter(quoted[1:-1])
    for char in rest:
        assert char != "'"
        found += letters.get(following := next(rest), following) if char == "\\" else char
    assert found == text
    assert not set(quoted) & {"\n", "\r", "\0"}


def test_names_are_quoted() -> None:
    assert base.quote_name("a`b") == "`a``b`"
    for bad in ("", "a\0"):
        with pytest.raises(ValueError, match="an SQL name"):
            base.quote_name(bad)


@pytest.fixture
def real_runner() -> client.Runner:
    with patch_module_args({}):
        return client.module_runner(AnsibleModule(argument_spec={}).run_command)


def test_a_real_process_runs_with_our_environment_only(
    real_runner: client.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSQL_PWD", "inherited")
    script = 'cat; echo "$1 ${MYSQL_PWD-unset} $GIVEN" >&2; exit 3'
    done = real_runner(["/bin/sh", "-c", script, "sh", "$HOME"], b"x\xff", {"PATH": "/bin", "GIVEN": "yes"}, 5)
    assert (done.rc, done.stdout, done.stderr) == (3, b"x\xff", b"$HOME unset yes\n")


def test_a_process_that_hangs_is_ended(real_runner: client.Runner) -> None:
    with pytest.raises(TimeoutError):
        real_runner(["/bin/sleep", "60"], b"", {"PATH": "/bin"}, 0.1)


def test_a_program_that_cannot_be_run_is_an_error(real_runner: client.Runner) -> None:
    assert real_runner(["/nonexistent"], b"", {"PATH": "/bin"}, 5).rc == 127
