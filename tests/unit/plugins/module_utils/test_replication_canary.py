# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written for a canary, and what its refusal means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import canary_mysql, canary_redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    CanaryReply,
    Refusal,
    Snapshot,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import MysqlProbe
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.redis import RedisProbe

WRITE = Canary("write", "tok", schema="can`ary", table="probe")
READ = Canary("read", "tok")
ROW: Rows = [{"written_at": "2026-11-25T13:00:00.000000Z", "age": "7400"}]


class FakeMysql(Client):
    """Fail where told, else answer the canary's row to its SELECT; keep the statements."""

    def __init__(
        self, *errors: MysqlError | None, row: Rows | None = None, channels: Rows | None = None, count: str = "5"
    ) -> None:
        self.errors = list(errors)
        self.row = ROW if row is None else row
        self.count = count
        self.channels = channels or []
        self.asked: list[str] = []
        self.timeout = 30.0
        self.limits: list[float] = []

    def answer(self, statement: str) -> Rows:
        if "FROM `" in statement and statement.startswith("SELECT DATE_FORMAT"):
            return self.row
        if statement.startswith("SELECT COUNT(*) AS count FROM `"):
            return [{"count": self.count}]
        if statement.startswith("SELECT VERSION"):
            return [{"version": "11.8.6-MariaDB", "account": "monitor@10.0.0.%"}]
        if statement.startswith("SELECT 1 AS gtids"):
            return [{"gtid_slave_pos": f"0-1-{9 + any(text.startswith('INSERT') for text in self.asked)}"}]
        return self.channels if statement == "EXECUTE siteops_look" and "SLAVES" in self.asked[-3] else []

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        self.limits.append(self.timeout)
        results: list[Rows] = []
        for statement in statements:
            self.asked.append(statement)
            touches = "`probe`" in statement and "CREATE" not in statement
            if touches and self.errors and (error := self.errors.pop(0)):
                return results, error
            results.append(self.answer(statement))
        return results, None

    def close(self) -> None:
        """Nothing to close."""


def test_a_write_is_one_new_row_and_the_position_comes_after_it() -> None:
    client: Any = FakeMysql()
    look = MysqlProbe(client).look(WRITE)
    assert look.canary == CanaryReply(seen=True, written_at="2026-11-25T13:00:00.000000Z", age_ms=7)
    insert = client.asked.index("INSERT INTO `can``ary`.`probe` (token, written_at) VALUES ('tok', UTC_TIMESTAMP(6))")
    assert client.asked[insert + 1] == "COMMIT"
    assert [text for text in client.asked[insert:] if text.startswith("SELECT 1 AS gtids")]
    # The position of the look is the one after the write.
    assert isinstance(look.found, Snapshot)
    assert look.found.executed == "0-1-10"
    # What a replica may lack is never deleted or replaced, and nothing is defined anew.
    changing = [text for text in client.asked if re.match("DELETE|UPDATE|REPLACE|TRUNCATE|CREATE|DROP|INSERT", text)]
    assert changing == [client.asked[insert]]


def test_a_full_table_is_emptied_where_that_is_allowed() -> None:
    full = str(canary_mysql.MOST_ROWS)
    client = FakeMysql(count=full)
    assert canary_mysql.write(client, WRITE, None).seen
    emptied = client.asked.index("TRUNCATE TABLE `can``ary`.`probe`")
    assert client.asked[emptied - 1] == "SET SESSION lock_wait_timeout = 1"
    assert client.asked[emptied + 1].startswith("INSERT")
    for error in (MysqlError("privilege", "DROP command denied", 1142), MysqlError("other", "Lock wait", 1205)):
        assert canary_mysql.write(FakeMysql(None, error, count=full), WRITE, None).seen


def test_the_table_is_made_only_where_that_is_wanted_and_it_is_missing() -> None:
    absent = MysqlError("syntax", "Table 'ansible_canary.probe' doesn't exist", 1146)
    client = FakeMysql(absent)
    found = canary_mysql.write(client, Canary("write", "tok", create=True), None)
    assert found.seen
    made = [text for text in client.asked if text.startswith("CREATE")]
    assert made[0] == "CREATE DATABASE IF NOT EXISTS `ansible_canary`"
    assert made[1].startswith("CREATE TABLE IF NOT EXISTS `ansible_canary`.`probe` (token VARCHAR(64)")
    refused = canary_mysql.write(FakeMysql(absent), Canary("write", "tok"), None).refusal
    assert refused is not None
    assert not refused.absent
    assert "canary_create: true" in str(refused.hint)


def test_no_row_is_sent_to_a_replica_without_the_table() -> None:
    below = Canary("write", "tok", absent_below=True, create=True)
    client = FakeMysql()
    assert canary_mysql.write(client, below, None) == CanaryReply()
    assert not [text for text in client.asked if text.startswith("INSERT")]
    # Where the primary has none either, both get it in the right order.
    absent = MysqlError("syntax", "doesn't exist", 1146)
    assert canary_mysql.write(FakeMysql(absent), below, None).seen
    refused = canary_mysql.read(FakeMysql(absent), READ, None).refusal
    assert refused is not None
    assert refused.absent
    assert "SET SESSION sql_log_bin = 0; CREATE DATABASE IF NOT EXISTS `ansible_canary`; CREATE TABLE" in str(
        refused.hint
    )


@pytest.mark.parametrize(
    ("error", "state", "message", "hint"),
    [
        (MysqlError("other", "read-only", 1290), "broken", "refuses writes", "SET GLOBAL read_only = 0"),
        (MysqlError("other", "Disk full (/tmp)", 1021), "broken", "no space left", "df -h"),
        (MysqlError("other", "The table is full", 1114), "broken", "no space left", "df -h"),
        (
            MysqlError("privilege", "INSERT command denied", 1142),
            "auth_failed",
            "may not use the canary table ansible_canary.probe",
            "GRANT SELECT, INSERT, DROP ON `ansible_canary`.`probe` TO `monitor`@`10.0.0.%`",
        ),
        (MysqlError("unreachable", "no answer", None, "timeout"), "broken", "did not end within 10 s", "full disk"),
        (MysqlError("other", "Deadlock found", 1213), "broken", "could not be written to ansible_canary.probe", None),
    ],
)
def test_a_refused_write_says_what_mends_it(error: MysqlError, state: str, message: str, hint: str | None) -> None:
    client = FakeMysql(error)
    refused = canary_mysql.write(client, Canary("write", "tok"), "monitor@10.0.0.%").refusal
    assert refused is not None
    assert refused.state == state
    assert message in refused.message
    assert hint is None or hint in str(refused.hint)
    assert refused.errno == error.errno


def test_reading() -> None:
    assert canary_mysql.read(FakeMysql(row=[]), READ, None) == CanaryReply(seen=False)
    assert canary_mysql.read(FakeMysql(), READ, None).age_ms == 7
    gone = MysqlError("unreachable", "no answer", None, "timeout")
    refused = canary_mysql.read(FakeMysql(gone), READ, None).refusal
    assert refused is not None
    assert "could not be read from" in refused.message


def test_a_write_has_its_own_time_limit() -> None:
    client: Any = FakeMysql()
    MysqlProbe(client).look(WRITE)
    assert set(client.limits[1:]) == {canary_mysql.WRITE_SECONDS}
    assert client.limits[0] == 30.0
    assert client.timeout == 30.0


def test_nothing_is_written_on_a_server_that_follows_another_one() -> None:
    client: Any = FakeMysql(channels=[{"Master_Host": "10.0.0.20", "Master_Port": "3306", "Slave_IO_Running": "Yes"}])
    refused = MysqlProbe(client).look(WRITE).canary
    assert refused is not None
    assert refused.refusal is not None
    assert refused.refusal.state == "wrong_primary"
    assert not [text for text in client.asked if text.startswith("INSERT")]


# --- Redis and Valkey ---------------------------------------------------------------------------------------------


class FakeRedis:
    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []
        self.certificate_ends = None

    def command(self, *args: Any) -> Any:
        self.asked.append(args)
        answer = self.answers.get(args[0], "OK")
        if isinstance(answer, Exception):
            raise answer
        return answer


class Ticks:
    """A clock that goes on by 2 ms with each look at it."""

    time = 1764076800.0

    def __call__(self) -> float:
        self.time += 0.002
        return self.time


def test_redis_writes_a_key_that_goes_away_and_waits_for_its_replicas() -> None:
    client = FakeRedis(WAIT=2)
    reply = canary_redis.write(client, Canary("write", "tok"), None, 2, Ticks())
    assert reply == CanaryReply(seen=True, written_at="2025-11-25T13:20:00.002000Z", age_ms=0, took_ms=2)
    assert client.asked == [
        ("SET", "ansible:canary:tok", "1764076800.002000", "EX", "120"),
        ("WAIT", "2", "1000"),
    ]
    client = FakeRedis(WAIT=1)
    assert canary_redis.write(client, WRITE, None, 2, Ticks()).took_ms is None
    client = FakeRedis()
    assert canary_redis.write(client, READ, None, 0, Ticks()).took_ms is None
    assert len(client.asked) == 1
    refused = FakeRedis(WAIT=RedisError("noperm", "NOPERM"))
    assert canary_redis.write(refused, READ, None, 1, Ticks()).seen
    gone = FakeRedis(WAIT=RedisError("unreachable", "gone"))
    assert canary_redis.write(gone, READ, None, 1, Ticks()).refusal is not None


@pytest.mark.parametrize(
    ("value", "seen", "age"),
    [(None, False, None), ("1764076800.0", True, 2), ("nonsense", True, None), ("1e999", True, None)],
)
def test_redis_reading(value: Any, seen: bool, age: int | None) -> None:
    reply = canary_redis.read(FakeRedis(GET=value), READ, None, Ticks())
    assert (reply.seen, reply.age_ms) == (seen, age)


@pytest.mark.parametrize(
    ("message", "state", "words"),
    [
        ("READONLY You can't write against a read only replica.", "broken", "is a replica"),
        ("NOREPLICAS Not enough good replicas to write.", "no_replicas", "too few replicas"),
        ("OOM command not allowed", "broken", "memory is full"),
        ("MISCONF Redis is configured to save RDB snapshots", "broken", "cannot save to disk"),
        ("MASTERDOWN Link with MASTER is down", "connecting", "answers no reads"),
        ("LOADING Redis is loading the dataset in memory", "syncing", "from disk"),
        ("ERR strange", "broken", "could not be written"),
    ],
)
def test_a_refused_canary_redis(message: str, state: str, words: str) -> None:
    error = RedisError("other", message, code=message.split()[0])
    refused = canary_redis.write(FakeRedis(SET=error), Canary("write", "tok"), None, 0).refusal
    assert isinstance(refused, Refusal)
    assert refused.state == state
    assert words in refused.message


def test_the_acl_that_the_canary_needs_is_named() -> None:
    error = RedisError("noperm", "NOPERM User monitor has no permissions to run the 'set' command")
    refused = canary_redis.write(FakeRedis(SET=error), Canary("write", "t"), "monitor", 0).refusal
    assert refused is not None
    assert refused.hint == "ACL SETUSER monitor +set +get +wait ~ansible:canary:*"
    refused = canary_redis.read(FakeRedis(GET=error), READ, None).refusal
    assert refused is not None
    assert refused.hint == "ACL SETUSER default +get ~ansible:canary:*"


def test_redis_does_not_write_on_a_replica_and_waits_for_those_in_sync() -> None:
    follower = "role:slave\r\nmaster_host:h\r\nmaster_port:1\r\nmaster_link_status:up\r\n"
    above = "role:master\r\nslave0:ip=a,port=1,state=online\r\nslave1:ip=b,port=1,state=wait_bgsave\r\n"
    for info, written in ((follower, False), (above, True)):
        client: Any = FakeRedis(INFO=info, WAIT=1)
        client.login = RedisLogin()
        reply = RedisProbe(client, None).look(WRITE).canary
        assert reply is not None
        assert (reply.seen is True, reply.refusal is None) == (written, written)
        assert (("WAIT", "1", "1000") in client.asked) is written
        assert any(command[0] == "SET" for command in client.asked) is written
        reply = RedisProbe(client, None).look(READ).canary
        assert reply is not None
        assert reply.seen is True
    RedisProbe(RedisClient(RedisLogin()), None).close()
