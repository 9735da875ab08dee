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
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import (
    mysql,
    mysql_canary,
    mysql_look,
    redis_canary,
    redis_look,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary, Sighting, Trouble
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Channel, Replica, Snapshot

WRITE = Canary("write", "tok", schema="can`ary", table="probe", ttl=60)
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
            return [{"gtid_slave_pos": "0-1-9"}]
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
    client, found = FakeMysql(), mysql.Found()
    sighting = mysql_canary.write(client, WRITE, found, "monitor@%", 10)
    assert sighting == Sighting(seen=True, written_at="2026-11-25T13:00:00.000000Z", age_ms=7)
    insert = client.asked.index("INSERT INTO `can``ary`.`probe` (token, written_at) VALUES ('tok', UTC_TIMESTAMP(6))")
    assert client.asked[insert + 1] == "COMMIT"
    assert insert < next(i for i, text in enumerate(client.asked) if text.startswith("SELECT 1 AS gtids"))
    assert found.rows["position"][0]["gtid_slave_pos"] == "0-1-9"
    # What a replica may lack is never deleted or replaced, and nothing is defined anew.
    assert not re.search("DELETE|UPDATE|REPLACE|TRUNCATE|CREATE|DROP", " ".join(client.asked))


def test_a_full_table_is_emptied_where_that_is_allowed() -> None:
    full = str(mysql_canary.MOST_ROWS)
    client = FakeMysql(count=full)
    assert mysql_canary.write(client, WRITE, mysql.Found(), None, 10).seen
    emptied = client.asked.index("TRUNCATE TABLE `can``ary`.`probe`")
    assert client.asked[emptied - 1] == "SET SESSION lock_wait_timeout = 1"
    assert client.asked[emptied + 1].startswith("INSERT")
    for error in (MysqlError("privilege", "DROP command denied", 1142), MysqlError("other", "Lock wait", 1205)):
        found = mysql.Found()
        assert mysql_canary.write(FakeMysql(None, error, count=full), WRITE, found, None, 10).seen
        assert found.refused == {}
    client = FakeMysql(count=full)
    mysql_canary.write(client, Canary("write", "tok", expire=False), mysql.Found(), None, 10)
    assert not [text for text in client.asked if text.startswith("TRUNCATE")]


def test_the_table_is_made_only_where_that_is_wanted_and_it_is_missing() -> None:
    absent = MysqlError("syntax", "Table 'ansible_canary.probe' doesn't exist", 1146)
    client = FakeMysql(absent)
    found = mysql_canary.write(client, Canary("write", "tok", create=True), mysql.Found(), None, 10)
    assert found.seen
    made = [text for text in client.asked if text.startswith("CREATE")]
    assert made[0] == "CREATE DATABASE IF NOT EXISTS `ansible_canary`"
    assert made[1].startswith("CREATE TABLE IF NOT EXISTS `ansible_canary`.`probe` (token VARCHAR(64)")
    trouble = mysql_canary.write(FakeMysql(absent), Canary("write", "tok"), mysql.Found(), None, 10).trouble
    assert trouble is not None
    assert not trouble.absent
    assert "canary_create: true" in str(trouble.hint)


def test_no_row_is_sent_to_a_replica_without_the_table() -> None:
    below = Canary("write", "tok", absent_below=True, create=True)
    client = FakeMysql()
    assert mysql_canary.write(client, below, mysql.Found(), None, 10) == Sighting()
    assert not [text for text in client.asked if text.startswith("INSERT")]
    # Where the primary has none either, both get it in the right order.
    absent = MysqlError("syntax", "doesn't exist", 1146)
    assert mysql_canary.write(FakeMysql(absent), below, mysql.Found(), None, 10).seen
    trouble = mysql_canary.look(FakeMysql(absent), READ, mysql.Found(), None, 10).trouble
    assert trouble is not None
    assert trouble.absent
    assert "SET SESSION sql_log_bin = 0; CREATE DATABASE IF NOT EXISTS `ansible_canary`; CREATE TABLE" in str(
        trouble.hint
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
    trouble = mysql_canary.write(client, Canary("write", "tok"), mysql.Found(), "monitor@10.0.0.%", 10).trouble
    assert trouble is not None
    assert trouble.state == state
    assert message in trouble.message
    assert hint is None or hint in str(trouble.hint)
    assert trouble.errno == error.errno


def test_reading() -> None:
    assert mysql_canary.look(FakeMysql(row=[]), READ, mysql.Found(), None, 10) == Sighting(seen=False)
    assert mysql_canary.look(FakeMysql(), READ, mysql.Found(), None, 10).age_ms == 7
    gone = MysqlError("unreachable", "no answer", None, "timeout")
    trouble = mysql_canary.look(FakeMysql(gone), READ, mysql.Found(), None, 10).trouble
    assert trouble is not None
    assert "could not be read from" in trouble.message


def test_a_write_has_its_own_time_limit() -> None:
    client: Any = FakeMysql()
    mysql_look.MysqlLooker(client).look(WRITE)
    assert set(client.limits[1:]) == {mysql_look.WRITE_SECONDS}
    assert client.limits[0] == 30.0
    assert client.timeout == 30.0


def test_nothing_is_written_on_a_server_that_follows_another_one() -> None:
    client: Any = FakeMysql(channels=[{"Master_Host": "10.0.0.20", "Master_Port": "3306", "Slave_IO_Running": "Yes"}])
    trouble = mysql_look.MysqlLooker(client).look(WRITE).sighting
    assert trouble is not None
    assert trouble.trouble is not None
    assert trouble.trouble.state == "wrong_primary"
    assert not [text for text in client.asked if text.startswith("INSERT")]


# --- Redis and Valkey ---------------------------------------------------------------------------------------------


class FakeRedis:
    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

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
    sighting = redis_canary.write(client, Canary("write", "tok", ttl=60), None, 2, 1000, Ticks())
    assert sighting == Sighting(seen=True, written_at="2025-11-25T13:20:00.002000Z", age_ms=0, took_ms=2)
    assert client.asked == [
        ("SET", "ansible:canary:tok", "1764076800.002000", "EX", "60"),
        ("WAIT", "2", "1000"),
    ]
    client = FakeRedis(WAIT=1)
    assert redis_canary.write(client, Canary("write", "tok", expire=False), None, 2, 1000, Ticks()).took_ms is None
    assert client.asked[0][-1] == "1764076800.002000"
    client = FakeRedis()
    assert redis_canary.write(client, READ, None, 0, 1000, Ticks()).took_ms is None
    assert len(client.asked) == 1
    refused = FakeRedis(WAIT=RedisError("noperm", "NOPERM"))
    assert redis_canary.write(refused, READ, None, 1, 1000, Ticks()).seen
    gone = FakeRedis(WAIT=RedisError("unreachable", "gone"))
    assert redis_canary.write(gone, READ, None, 1, 1000, Ticks()).trouble is not None


@pytest.mark.parametrize(
    ("value", "seen", "age"),
    [(None, False, None), ("1764076800.0", True, 2), ("nonsense", True, None), ("1e999", True, None)],
)
def test_redis_reading(value: Any, seen: bool, age: int | None) -> None:
    sighting = redis_canary.look(FakeRedis(GET=value), READ, None, Ticks())
    assert (sighting.seen, sighting.age_ms) == (seen, age)


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
def test_a_refused_redis_canary(message: str, state: str, words: str) -> None:
    error = RedisError("other", message, code=message.split()[0])
    trouble = redis_canary.write(FakeRedis(SET=error), Canary("write", "tok"), None, 0, 1000).trouble
    assert isinstance(trouble, Trouble)
    assert trouble.state == state
    assert words in trouble.message


def test_the_acl_that_the_canary_needs_is_named() -> None:
    error = RedisError("noperm", "NOPERM User monitor has no permissions to run the 'set' command")
    trouble = redis_canary.write(FakeRedis(SET=error), Canary("write", "t"), "monitor", 0, 1000).trouble
    assert trouble is not None
    assert trouble.hint == "ACL SETUSER monitor +set +get +wait ~ansible:canary:*"
    trouble = redis_canary.look(FakeRedis(GET=error), READ, None).trouble
    assert trouble is not None
    assert trouble.hint == "ACL SETUSER default +get ~ansible:canary:*"


def test_redis_does_not_write_on_a_replica_and_waits_for_those_in_sync() -> None:
    client: Any = FakeRedis(WAIT=1)
    client.login = RedisLogin()
    looker = redis_look.RedisLooker(client, None)
    follower = Snapshot("redis", channels=[Channel(host="h", port=1)])
    refused = looker._send(Canary("write", "t"), follower, None)
    assert refused.trouble is not None
    assert client.asked == []
    above = Snapshot("redis", replicas=[Replica(online=True), Replica(online=False)])
    assert looker._send(Canary("write", "t"), above, None).took_ms is not None
    assert client.asked[1] == ("WAIT", "1", "1000")
    assert looker._send(READ, above, None).seen is True
    redis_look.RedisLooker(RedisClient(RedisLogin()), None).close()
