# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One client process for all questions: what it answers, how it ends, what errors say."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.module_utils import _mysql_client as client
from ansible_collections.siteops.webcluster.plugins.module_utils import _mysql_session as sessions
from hypothesis import given, settings
from hypothesis import strategies as st

# A busy machine is not a slow function.
unhurried = settings(deadline=None)

DECLARATION = '<?xml version="1.0"?>\n\n'
END = f'{DECLARATION}<resultset><row><field name="{client.END_COLUMN}">1</field></row></resultset>'

# Plays the command line client: answers each line as that does, with one field that holds the statement.
CLIENT = """
import html, os, sys, time
for number, line in enumerate(sys.stdin, 1):
    text = line.strip().rstrip(";")
    if text == "hang":
        time.sleep(60)
    if text == "die":
        print("ERROR 2013 (HY000) at line %d: Lost connection to server during query" % number, file=sys.stderr)
        sys.exit(1)
    if text == "flood":
        while True:
            os.write(1, b"x" * 65536)
    if text.startswith("SELECT"):
        name, _mark, alias = text[7:].partition(" AS ")
        value = str(os.getpid()) if name == "pid" else text
        row = '<row><field name="%s">%s</field></row>' % (html.escape(alias or name), html.escape(value))
        sys.stdout.write('<?xml version="1.0"?>\\n<resultset statement="%s">%s</resultset>\\n' % (html.escape(text), row))
        sys.stdout.flush()
"""


class Sessions:
    """Start the client above; remember how."""

    def __init__(self, command: list[str]) -> None:
        with patch_module_args({}):
            self.spawn = sessions.module_spawner(AnsibleModule(argument_spec={}).run_command)
        self.command = command
        self.argv: list[list[str]] = []
        self.options: list[str] = []

    def __call__(self, argv: list[str], env: Mapping[str, str]) -> sessions.Process:
        self.argv.append(argv)
        if argv[1].startswith("--defaults-extra-file="):
            self.options.append(Path(argv[1].partition("=")[2]).read_text())
        return self.spawn(self.command, env)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.fixture
def spawner() -> Sessions:
    return Sessions([sys.executable, "-c", CLIENT])


@pytest.fixture
def session(spawner: Sessions) -> Iterator[sessions.MysqlSession]:
    found = sessions.MysqlSession(client.MysqlLogin(password="geheim", connect_timeout=5), spawner, 5)
    yield found
    found.close()


def pid(session: sessions.MysqlSession) -> str:
    return str(session.query(["SELECT pid"])[0][0]["pid"])


def test_one_process_serves_all_queries(session: sessions.MysqlSession, spawner: Sessions) -> None:
    before = set(Path(tempfile.gettempdir()).glob("siteops-*.cnf"))
    assert session.query(["SELECT <a>&", "DO 0"]) == [[{"<a>&": "SELECT <a>&"}], []]
    assert set(Path(tempfile.gettempdir()).glob("siteops-*.cnf")) == before
    assert pid(session) == pid(session)
    assert len(spawner.argv) == 1
    assert {"--unbuffered", "--skip-reconnect", "--xml"} <= set(spawner.argv[0])
    assert spawner.options == ['[client]\npassword="geheim"\n']


def test_a_session_goes_on_after_an_error(session: sessions.MysqlSession, spawner: Sessions) -> None:
    first = pid(session)
    with pytest.raises(client.MysqlError, match="Lost connection") as caught:
        session.query(["SELECT 1", "die", "SELECT 2"])
    assert (caught.value.kind, caught.value.detail, caught.value.statement) == ("unreachable", "lost", 1)
    assert caught.value.results == [[{"1": "SELECT 1"}]]
    assert pid(session) != first
    assert len(spawner.argv) == 2


def test_a_server_that_hangs_is_left_in_time_with_what_it_answered(session: sessions.MysqlSession) -> None:
    pid(session)
    session.timeout = 0.3
    begin = time.monotonic()
    with pytest.raises(client.MysqlError, match=r"no answer within 0\.3 seconds") as caught:
        session.query(["SELECT 1", "hang", "SELECT 2"])
    assert caught.value.detail == "timeout"
    assert caught.value.results == [[{"1": "SELECT 1"}]]
    assert time.monotonic() - begin < 5


def test_an_endless_answer_is_cut(session: sessions.MysqlSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_OUTPUT", 10**6)
    with pytest.raises(client.MysqlError, match="more than 1000000 bytes"):
        session.query(["flood"])


def test_a_client_that_leaves_without_a_word(session: sessions.MysqlSession) -> None:
    quiet = sessions.MysqlSession(session.login, Sessions(["true"]), 5)
    with pytest.raises(client.MysqlError, match="without a message"):
        quiet.query(["SELECT 1"])


def test_a_client_that_does_not_start(session: sessions.MysqlSession) -> None:
    broken = sessions.MysqlSession(session.login, Sessions(["/nowhere"]), 5)
    with pytest.raises(client.MysqlError, match="cannot be run: No such file"):
        broken.query(["SELECT 1"])
    assert broken.try_query(["SELECT 1"])[1] is not None


def test_a_client_that_does_not_leave_is_killed(
    session: sessions.MysqlSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LEAVE_SECONDS", 0.1)
    stubborn = sessions.MysqlSession(session.login, Sessions(["sleep", "60"]), 0.2)
    stubborn.login = client.MysqlLogin(connect_timeout=0)
    begin = time.monotonic()
    with pytest.raises(client.MysqlError, match="no answer"):
        stubborn.query(["SELECT 1"])
    stubborn.close()
    process = Sessions(["sleep", "60"])([""] * 2, os.environ)
    process.end(0.1)
    assert time.monotonic() - begin < 10


def test_nothing_of_our_environment_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_PWD", "inherited")
    spawner = Sessions([sys.executable, "-c", CLIENT.replace("os.getpid()", "os.environ.get('MYSQL_PWD')")])
    asked = sessions.MysqlSession(client.MysqlLogin(), spawner, 5)
    assert pid(asked) == "None"
    asked.close()


class Pipes:
    """A process of which only the pipes exist; what it says is known beforehand."""

    def __init__(self, out: bytes, err: bytes) -> None:
        ends = [os.pipe() for _pipe in range(3)]
        self.stdin = os.fdopen(ends[0][1], "wb", buffering=0)
        self.stdout = os.fdopen(ends[1][0], "rb", buffering=0)
        self.stderr = os.fdopen(ends[2][0], "rb", buffering=0)
        self._peer = os.fdopen(ends[0][0], "rb", buffering=0)
        for (_read, write), data in zip(ends[1:], (out, err), strict=True):
            os.write(write, data)
            os.close(write)

    def close(self) -> None:
        for pipe in (self.stdin, self.stdout, self.stderr, self._peer):
            pipe.close()


SCRAPS = [
    END,
    DECLARATION,
    "<resultset>",
    "</resultset>",
    f'<field name="{client.END_COLUMN}_1">1</field>',
    "<row>",
    "\0",
]
scraps = st.lists(st.one_of(st.sampled_from([scrap.encode() for scrap in SCRAPS]), st.binary(max_size=30)), max_size=8)


def answer_of(out: bytes, err: bytes) -> list[client.Rows] | str:
    """Return what a session makes of a client's output: rows or a sentence."""
    process: Any = Pipes(out, err)
    session = sessions.MysqlSession(client.MysqlLogin(), lambda _argv, _env: process, 5)
    try:
        return session._ask(process, ["SELECT 1"], (), True)
    except client.MysqlError as error:
        return error.message
    finally:
        process.close()


@unhurried
@given(scraps.map(b"".join), st.binary(max_size=100))
def test_whatever_a_client_says_is_an_answer_or_a_clear_error(out: bytes, err: bytes) -> None:
    found = answer_of(out, err)
    assert found
    assert isinstance(found, str) or len(found) == 1


def test_the_lines_of_an_error_are_counted_over_all_queries(session: sessions.MysqlSession) -> None:
    for count in range(1, 4):
        session.query([f"SELECT {number}" for number in range(count)])
    with pytest.raises(client.MysqlError) as caught:
        session.query(["SELECT 1", "SELECT 2", "die"])
    assert caught.value.statement == 2
