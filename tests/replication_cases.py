# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for the tests of the replication check: a healthy replica with some things changed, and fakes that answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError, RedisLogin, Reply
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql, redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import Case
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import (
    Expectation,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Channel,
    Identity,
    Snapshot,
    Thread,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    Verdict,
    judge,
)

UUID = "511c0cf4-e659-11f1-a016-02fc00000001"
OWN = "ad8f0f69-e65b-11f1-9195-02fc00000001"
OLD = "00000000-e65b-11f1-9195-02fc00000001"


def replica(flavor: str = "mysql", **changes: Any) -> Snapshot:
    """A healthy replica with some things changed: io_* and sql_* of its threads, c_* of its channel, else its own."""
    channel = Channel(
        host="10.0.0.20",
        port=3306,
        user="replication",
        server_id=20,
        uuid=UUID if flavor == "mysql" else None,
        io=Thread(state="Yes"),
        sql=Thread(state="Yes"),
        lag_seconds=0,
        gtid_mode="auto_position",
    )
    snapshot = Snapshot(engine="mysql", flavor=flavor, identity=Identity(server_id=21, uuid=OWN), read_only=True)
    snapshot.channels = [channel]
    owners: dict[str, Any] = {"io": channel.io, "sql": channel.sql, "c": channel}
    for name, value in changes.items():
        prefix, _mark, rest = name.partition("_")
        if prefix in owners:
            setattr(owners[prefix], rest, value)
        else:
            setattr(snapshot, name, value)
    return snapshot


def judged(snapshot: Snapshot, comparison: Comparison | None = None, **expected: Any) -> Verdict:
    return judge(Case(snapshot, Expectation(**expected), comparison or Comparison()))


def state_of(snapshot: Snapshot, comparison: Comparison | None = None, **expected: Any) -> str:
    return judged(snapshot, comparison, **expected).state


class FakeMysql(Client):
    """Fail where told, answer [] everywhere else; count the questions."""

    timeout = 15.0

    def __init__(self, failures: dict[str, MysqlError]) -> None:
        self.failures = failures
        self.runs: list[list[str]] = []

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        self.runs.append(list(statements))
        for index, statement in enumerate(statements):
            for word, error in self.failures.items():
                if word in statement:
                    return [[{"n": item[:9]}] for item in statements[:index]], error
        return [[{"n": item[:9]}] for item in statements], None

    def close(self) -> None:
        """Nothing to close."""


def translate(found: dict[str, Any], channel: str | None = None, **refused: Any) -> Snapshot:
    return mysql.translate(mysql.Answers(found, refused), channel)


def ask(client: FakeMysql) -> mysql.Answers:
    answers = mysql.Answers()
    mysql.ask(client, mysql.QUESTIONS, answers)
    return answers


def rows(**changes: Any) -> dict[str, Any]:
    variables = {"version": "11.8.6-MariaDB", "server_id": "21", "read_only": "ON", "port": "3306", **changes}
    return {"variables": [{"Variable_name": name, "Value": value} for name, value in variables.items()]}


# --- Redis and Valkey -----------------------------------------------------------------------------------------------

INFO = {
    "redis_version": "8.0.2",
    "run_id": "r",
    "tcp_port": "6379",
    "role": "slave",
    "master_host": "10.0.0.36",
    "master_port": "6379",
    "master_link_status": "up",
    "master_last_io_seconds_ago": "1",
    "master_sync_in_progress": "0",
    "slave_repl_offset": "100",
    "slave_read_repl_offset": "100",
    "slave_read_only": "1",
    "master_replid": "a" * 40,
    "loading": "0",
}


class FakeRedis:
    """Answer commands from a table; an error is raised."""

    def __init__(self, answers: dict[str, Any], login: RedisLogin | None = None) -> None:
        self.certificate_ends = None
        self.answers = answers
        self.login = login or RedisLogin(username="monitor")
        self.asked: list[str] = []

    def command(self, *args: str | bytes) -> Reply:
        line = " ".join(str(arg) for arg in args)
        self.asked.append(line)
        answer: Reply | Exception = self.answers.get(line, RedisError("noperm", "NOPERM no"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __enter__(self) -> FakeRedis:
        return self

    def __exit__(self, *_args: object) -> None:
        return None


def info_text(**changes: str) -> str:
    return "# x\r\n" + "".join(f"{name}:{value}\r\n" for name, value in {**INFO, **changes}.items())


def redis_snapshot(role_state: str = "connected", **changes: str) -> Snapshot:
    role = ["slave", "10.0.0.36", 6379, role_state, 100]
    return redis.translate(redis.ask(FakeRedis({"INFO": info_text(**changes), "ROLE": role})))
