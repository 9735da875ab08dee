# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The traps that other checks fall into, one by one, and the reading that leads to the verdict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError, RedisLogin, Reply
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql, redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import Case, Result
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison, compare
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import (
    Expectation,
    parse_expected_primary,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Channel,
    Failure,
    Identity,
    Note,
    Raw,
    Replica,
    Snapshot,
    Thread,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import report, version_info
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    CHECK_NAMES,
    STATES,
    Verdict,
    judge,
    judge_failure,
)
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_the_base_is_healthy() -> None:
    for flavor in ("mysql", "mariadb"):
        verdict = judged(replica(flavor), role="replica")
        assert verdict.healthy
        assert verdict.findings == []
        assert verdict.message == "this replica follows 10.0.0.20:3306, 0 s behind"


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        # 1, 2, 4: a lag of 0 proves nothing while a thread does not run
        ({"io_state": "Connecting", "io_errno": 1045}, "auth_failed", "refuses the password"),
        ({"io_state": "Connecting"}, "connecting", "not up yet"),
        ({"io_state": "Preparing"}, "connecting", "not up yet"),
        ({"io_state": "No"}, "stopped", "connection to the primary is stopped"),
        ({"io_state": None}, "stopped", "is stopped"),
        ({"sql_state": "No"}, "stopped", "applier is stopped"),
        ({"io_state": "Connecting", "io_errno": 2003}, "connecting", "cannot be reached"),
        # 3: a frozen primary or dropped packets
        ({"io_heartbeat_age": 61.0, "io_heartbeat_period": 30.0}, "connecting", "nothing has come .* for 61 s"),
        ({"io_heartbeat_age": 59.0, "io_heartbeat_period": 30.0}, "healthy", "follows"),
        # 12, 20, 18
        ({"read_only": False}, "writable_replica", "accepts writes"),
        ({"c_filters": {"Replicate_Do_DB": "shop"}}, "diverged", "Replicate_Do_DB=shop"),
        ({"c_delay": 30}, "lagging", "stay 30 s behind"),
        ({"c_lag_seconds": 11}, "lagging", "11 s behind, 10 s are allowed"),
        ({"c_lag_seconds": None}, "catching_up", "does not tell how far"),
        # 15
        ({"io_state": "Connecting", "io_errno": 2061}, "auth_failed", "needs an encrypted connection"),
        ({"io_state": "No", "io_errno": 1130}, "auth_failed", "allows no account to connect from this host"),
        ({"io_state": "No", "io_errno": 1227}, "auth_failed", "may not replicate"),
        # 16: the retries are used up
        ({"io_state": "No", "io_errno": 2003}, "stopped", "not tried again"),
        # 17
        (
            {"io_state": "No", "io_errno": 1236, "io_error": "purged required binary logs"},
            "needs_reseed",
            "no longer has",
        ),
        (
            {
                "io_state": "No",
                "io_errno": 13114,
                "io_error": "Got fatal error 1236 from source: 'Could not find first'",
            },
            "needs_reseed",
            "no longer has",
        ),
        (
            {"io_state": "No", "io_errno": 1236, "io_error": "Replica has more GTIDs than the source has"},
            "diverged",
            "does not have",
        ),
        (
            {"io_state": "No", "io_errno": 1236, "io_error": "the slave has diverged due to executing extra errant"},
            "diverged",
            "does not have",
        ),
        (
            {"io_state": "No", "io_errno": 1236, "io_error": "exceeded max_allowed_packet"},
            "broken",
            "max_allowed_packet",
        ),
        # 21
        (
            {"io_state": "No", "io_errno": 1236, "io_error": "A slave with the same server_uuid/server_id"},
            "broken",
            "same id",
        ),
        (
            {"io_state": "No", "io_errno": 13117, "io_error": "source and replica have equal MySQL server ids"},
            "broken",
            "same server id",
        ),
        ({"c_server_id": 21}, "broken", "same server_id"),
        ({"c_uuid": OWN.upper()}, "broken", "same uuid"),
        ({"io_state": "No", "io_errno": 2026}, "broken", "TLS with the primary"),
        ({"io_state": "Connecting", "io_errno": 3024, "io_error": "SSL connection error"}, "broken", "TLS with"),
        ({"io_state": "No", "io_errno": 9999}, "broken", "replication from 10.0.0.20:3306 stopped"),
        ({"sql_state": "No", "sql_errno": 1032}, "broken", "data here differ"),
        ({"sql_state": "No", "sql_errno": 1950}, "diverged", "does not follow"),
        ({"sql_state": "No", "sql_errno": 1677}, "broken", "stopped with an error"),
        ({"loading": True}, "syncing", "reading its data"),
        ({"channels": []}, "not_a_replica", "replication is not set up"),
    ],
)
@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_traps(flavor: str, changes: Raw, state: str, words: str) -> None:
    snapshot = replica(flavor, **changes)
    verdict = judged(snapshot, role="replica")
    assert verdict.state == state
    assert re.search(words, verdict.message)
    if verdict.checks["io"].value != "Yes" and snapshot.channels:
        assert verdict.checks["lag"].value is None


def first_hint(snapshot: Snapshot, **expected: Any) -> str:
    return str(judged(snapshot, role="replica", **expected).findings[0].hint)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"io_errno": 1045}, "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = '...'; START REPLICA;"),
        ({"io_errno": 2061}, "SOURCE_SSL = 1; START REPLICA; or, without TLS, STOP REPLICA; CHANGE REPLICATION"),
        ({"io_errno": 2026, "io_error": "self-signed certificate in chain"}, "SOURCE_SSL_CA = "),
        ({"io_errno": 2026, "io_error": "TLS is required, but the server does not support it"}, "SOURCE_SSL = 0"),
        ({"io_errno": 2026, "io_error": "odd"}, "Check the CA"),
        ({"io_errno": 1227}, "GRANT REPLICATION SLAVE ON *.* TO 'replication'@"),
        ({"io_errno": 1130}, "CREATE USER 'replication'@"),
        ({"io_errno": 1236, "io_error": "max_allowed_packet"}, "SET GLOBAL replica_max_allowed_packet"),
        ({"io_errno": 1236, "io_error": "which is not in the master's binlog"}, "Save what is needed"),
        ({"io_errno": 1236, "io_error": "position > file size"}, "Save what is needed"),
    ],
)
def test_hints_are_statements(changes: Raw, hint: str) -> None:
    assert hint in first_hint(replica(io_state="No", **changes))
    old = first_hint(replica(io_state="No", dialect="master", **changes))
    assert "REPLICA" not in old.replace("REPLICATION SLAVE", "")
    assert "SOURCE" not in old


def test_a_connection_that_was_tried_and_soon_is_given_up() -> None:
    snapshot = replica(io_state="Connecting", io_errno=2003, io_attempts="3 of 10", c_retry_count=10)
    verdict = judged(snapshot)
    assert ", tried 3 of 10 times (error 2003" in verdict.message
    assert [reason.hint for reason in verdict.findings if reason.severity == "warning"] == [
        "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_RETRY_COUNT = 86400; START REPLICA"
    ]
    assert judged(replica(c_retry_count=86400)).findings == []


def test_silence_is_judged_by_the_operator_s_limit_where_there_is_one() -> None:
    snapshot = replica(io_heartbeat_age=12.0, io_heartbeat_period=5.0)
    assert state_of(snapshot) == "connecting"
    assert state_of(snapshot, max_io_idle=15.0) == "healthy"
    assert state_of(replica(io_heartbeat_age=3.0), max_io_idle=2.5) == "connecting"
    several = replica("mariadb", link_ages=[1.0, 61.0])
    several.channels[0].io.heartbeat_period = 30.0
    verdict = judged(several)
    assert verdict.state == "connecting"
    assert "one of the connections to 10.0.0.20:3306" in verdict.message
    several.link_ages = [1.0, 2.0]
    assert judged(several).checks["heartbeat"] == Result(True, 2.0, 60.0)


@pytest.mark.parametrize(
    ("require", "bad", "good", "hint"),
    [
        ("require_gtid", {"c_gtid_mode": "No"}, {}, "SOURCE_AUTO_POSITION = 1"),
        ("require_gtid", {"c_gtid_mode": None}, {}, "SOURCE_AUTO_POSITION = 1"),
        ("require_tls", {"c_tls": False}, {"c_tls": True}, "SOURCE_SSL = 1"),
        ("require_tls", {"c_tls": None}, {"c_tls": True}, "SOURCE_SSL = 1"),
        ("require_semi_sync", {"semi_sync": False}, {"semi_sync": True}, "rpl_semi_sync_replica_enabled = 1"),
        ("require_semi_sync", {"semi_sync": None}, {"semi_sync": True}, "rpl_semi_sync_replica_enabled = 1"),
    ],
)
def test_requirements(require: str, bad: Raw, good: Raw, hint: str) -> None:
    assert state_of(replica(**bad)) == "healthy"
    required: Raw = {require: True}
    assert state_of(replica(**bad), **required) == "broken"
    assert hint in first_hint(replica(**bad), **required)
    assert state_of(replica(**good), **required) == "healthy"


def test_a_redis_link_without_tls() -> None:
    snapshot = redis_snapshot()
    assert state_of(snapshot, require_tls=True) == "broken"
    assert "tls-replication yes" in first_hint(snapshot, require_tls=True)
    snapshot.channels[0].tls = True
    assert state_of(snapshot, require_tls=True) == "healthy"


def test_accounts_that_read_only_does_not_stop() -> None:
    verdict = judged(replica("mariadb", dialect="mariadb", writers=["'shop'@'%'"]))
    assert verdict.healthy
    assert verdict.findings[0].message == "read_only does not stop 'shop'@'%'"
    assert verdict.findings[0].hint == "REVOKE READ_ONLY ADMIN, SUPER ON *.* FROM 'shop'@'%'"
    assert judged(replica(writers=["x"], super_read_only=True)).findings == []


def test_gtid_strict_mode_is_recommended() -> None:
    verdict = judged(replica("mariadb", gtid_strict=False))
    assert verdict.healthy
    assert verdict.findings[0].hint == "SET GLOBAL gtid_strict_mode = 1"


def test_worst_finding_first() -> None:
    snapshot = replica(read_only=False, io_state="No", c_filters={"Replicate_Do_DB": "a"})
    verdict = judged(snapshot, Comparison(errant=f"{OWN}:1", errant_count=1))
    ranks = [STATES.index(reason.state or "healthy") for reason in verdict.findings]
    assert ranks == sorted(ranks)
    assert verdict.state == "diverged"
    assert {reason.check for reason in verdict.findings} >= {"errant", "filters", "io", "read_only"}


def test_what_is_accepted() -> None:
    assert state_of(replica(c_delay=30, c_lag_seconds=35), allow_delay=True) == "healthy"
    assert state_of(replica(c_delay=30, c_lag_seconds=45), allow_delay=True) == "lagging"
    assert state_of(replica(c_lag_seconds=45), max_lag=None) == "healthy"
    assert state_of(replica(c_lag_bytes=45), max_lag_bytes=44) == "lagging"
    assert state_of(replica(c_filters={"a": "b"}), allow_filters=True) == "healthy"
    assert state_of(replica(read_only=False), read_only=False) == "healthy"
    assert state_of(replica(read_only=False), ignore_checks=("read_only",)) == "healthy"
    ignored = judged(replica(read_only=False), ignore_checks=("read_only",))
    assert ignored.checks["read_only"].ok is None


def test_warnings_do_not_make_a_server_ill() -> None:
    snapshot = replica(super_read_only=False, c_gtid_mode="No", notes=[Note("threads: denied")])
    verdict = judged(snapshot)
    assert verdict.healthy
    assert [reason.severity for reason in verdict.findings] == ["warning"] * 3


@pytest.mark.parametrize(
    ("role", "channels", "replicas", "expected"),
    [
        ("any", True, [], "healthy"),
        ("any", False, [Replica()], "healthy"),
        ("any", False, [], "not_a_replica"),
        ("replica", True, [Replica()], "healthy"),
        ("replica", False, [Replica()], "not_a_replica"),
        ("primary", False, [], "healthy"),
        ("primary", True, [], "wrong_primary"),
        ("standalone", False, [], "healthy"),
        ("standalone", True, [], "wrong_primary"),
        ("standalone", False, [Replica()], "wrong_primary"),
    ],
)
def test_roles(role: str, channels: bool, replicas: list[Replica], expected: str) -> None:
    snapshot = replica(replicas=replicas)
    if not channels:
        snapshot.channels, snapshot.read_only = [], False
    assert state_of(snapshot, role=role) == expected


def test_a_primary_must_accept_writes() -> None:
    snapshot = Snapshot(engine="mysql", flavor="mysql", read_only=True, replicas=[Replica()])
    assert state_of(snapshot) == "broken"
    assert state_of(snapshot, read_only=True) == "healthy"
    snapshot.read_only = False
    assert state_of(snapshot) == "healthy"
    assert state_of(snapshot, min_replicas=2) == "no_replicas"
    assert state_of(snapshot, read_only=True) == "writable_replica"
    snapshot.writes_refused = "NOREPLICAS"
    assert state_of(snapshot) == "no_replicas"
    unseen = Snapshot(engine="mysql", read_only=False)
    assert state_of(unseen, role="primary", min_replicas=1) == "no_replicas"
    assert state_of(unseen, role="primary") == "healthy"


def test_several_channels_are_judged_together() -> None:
    snapshot = replica()
    snapshot.channels[0].name = "one"
    other = replica(io_state="No", c_host="10.0.0.9", c_lag_seconds=None).channels[0]
    other.name = "two"
    snapshot.channels.append(other)
    verdict = judged(snapshot)
    assert verdict.state == "stopped"
    assert verdict.message.startswith("channel 'two': ")
    assert verdict.checks["io"].value == {"one": "Yes", "two": "No"}
    assert report("mysql", verdict, snapshot, Comparison())["lag"]["seconds"] is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, ()),
        ("", ()),
        ("db1", ({"host": "db1"},)),
        ("10.0.0.1:3307", ({"host": "10.0.0.1", "port": 3307},)),
        ("[fd00::1]:3306", ({"host": "fd00::1", "port": 3306},)),
        ("fd00::1", ({"host": "fd00::1"},)),
        (UUID, ({"uuid": UUID},)),
        ("a" * 40, ({"replid": "a" * 40},)),
        ({"host": "h", "uuid": None, "port": 1, "x": 2}, ({"host": "h", "port": 1},)),
        (["a", {"server_id": 2}], ({"host": "a"}, {"server_id": 2})),
    ],
)
def test_expected_primary_is_read(value: Any, found: tuple[Raw, ...]) -> None:
    assert parse_expected_primary(value) == found


@pytest.mark.parametrize("value", [{"x": 1}, {"port": "a"}, 1.5, True])
def test_expected_primary_is_refused_in_a_sentence(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^expect_primary "):
        parse_expected_primary(value)


@pytest.mark.parametrize(
    ("expected", "ok"),
    [
        ("10.0.0.20", True),
        ("10.0.0.20:3306", True),
        ("10.0.0.20:3307", False),
        ("10.0.0.21", False),
        ("db1", False),
        ({"port": 3306}, True),
        ({"host": "db1", "uuid": UUID.upper()}, True),
        ({"host": "10.0.0.20", "uuid": OWN}, False),
        ({"host": "db1", "server_id": 20}, True),
        ({"host": "10.0.0.20", "server_id": 19}, False),
        # the ids cannot be compared yet and a name is not an address
        ({"host": "db1", "replid": "a" * 40}, None),
        ({"host": "10.0.0.20", "replid": "a" * 40}, True),
        ({"host": "10.0.0.21", "replid": "a" * 40}, False),
        (["10.0.0.21", "10.0.0.20"], True),
    ],
)
def test_expected_primary_is_compared(expected: Any, ok: bool | None) -> None:
    verdict = judged(replica(), primary=parse_expected_primary(expected))
    assert verdict.checks["primary_identity"].ok is ok
    assert verdict.state == ("wrong_primary" if ok is False else "healthy")


# --- MySQL and MariaDB: position and errant transactions ---------------------------------------------------------


def held(executed: str, position: Raw | None, allow: Sequence[str] = ()) -> Comparison:
    return compare(replica(executed=executed, gtid_mode="ON"), position, allow)


def test_mysql_position() -> None:
    position = {"kind": "gtid", "value": f"{UUID}:1-10,{OLD}:1-5", "uuid": UUID, "server_id": 20, "sources": []}
    done = held(f"{UUID}:1-12,\n{OLD}:1-5", position)
    assert (done.reached, done.errant, done.exact) == (True, "", True)
    behind = held(f"{UUID}:1-7,{OLD}:1-5", position)
    assert (behind.reached, behind.missing, behind.behind_transactions) == (False, f"{UUID}:8-10", 3)
    # a former primary's last writes that only this replica received
    lost = held(f"{UUID}:1-10,{OLD}:1-7", position)
    assert (lost.errant, lost.errant_count) == (f"{OLD}:6-7", 2)
    # the same are only newer where the primary still receives them itself
    assert held(f"{UUID}:1-10,{OLD}:1-7", {**position, "sources": [OLD]}).errant == ""
    # own writes of the time as primary are none, as the new primary has them
    former = {**position, "value": f"{UUID}:1-10,{OWN}:1-3"}
    assert held(f"{UUID}:1-10,{OWN}:1-3", former).errant == ""
    assert held(f"{UUID}:1-10,{OWN}:1-4", former).errant == f"{OWN}:4"
    assert held(f"{UUID}:1-10,{OWN}:1-4", former, [OWN]).errant == ""
    assert held(f"{UUID}:1-10,{OWN}:1-4", None).errant == f"{OWN}:1-4"


def mariadb_compare(state: str, slave: str, position: Raw | None, allow: Sequence[str] = ()) -> Comparison:
    return compare(replica("mariadb", executed=slave, binlog_state=state), position, allow)


def test_mariadb_position() -> None:
    position = {"kind": "mariadb_gtid", "value": "0-20-10", "state": "0-19-4,0-20-10", "server_id": 20, "sources": []}
    done = mariadb_compare("0-19-4,0-20-11", "0-20-11", position)
    assert (done.reached, done.errant, done.exact) == (True, "", True)
    behind = mariadb_compare("0-19-4,0-20-8", "0-20-8", position)
    assert (behind.reached, behind.missing, behind.behind_transactions) == (False, "0-20-10", 2)
    # trap 6: hidden in every position, visible in the binlog state only
    assert mariadb_compare("0-21-9,0-20-10", "0-20-10", position).errant == "0-21-9"
    assert mariadb_compare("0-21-9,0-20-10", "0-20-10", None).errant == "0-21-9"
    assert mariadb_compare("0-21-9,0-20-10", "0-20-10", position, ["21"]).errant == ""
    assert mariadb_compare("0-21-9,0-20-10", "0-20-10", None, ["21"]).errant == ""
    assert mariadb_compare("0-21-3,0-20-10", "0-20-10", {**position, "state": "0-21-3,0-20-10"}).errant == ""
    assert mariadb_compare("0-19-6,0-20-10", "0-20-10", position).errant == "0-19-6"


def test_file_position_is_ordered_by_number() -> None:
    snapshot = replica("mariadb", c_gtid_mode="No", c_file="binlog.1000000", c_pos=4)
    before = {"kind": "file", "file": "binlog.999999", "pos": 900}
    assert compare(snapshot, before).reached is True
    here = compare(snapshot, {"kind": "file", "file": "binlog.1000000", "pos": 100})
    assert (here.reached, here.behind_bytes, here.missing) == (False, 96, "binlog.1000000:100")
    assert compare(snapshot, None).reached is None
    assert compare(replica(gtid_mode="OFF"), None).why


def test_a_position_that_is_none_is_no_crash() -> None:
    for value in ("nonsense", 5, None, [1]):
        for kind in ("gtid", "mariadb_gtid", "file", "redis", None):
            for flavor in ("mysql", "mariadb"):
                snapshot = replica(flavor, executed="0-1-2" if flavor == "mariadb" else f"{UUID}:1")
                compare(snapshot, {"kind": kind, "value": value, "state": value, "sources": None})
    assert compare(replica(executed="garbage"), None).why


# --- MySQL and MariaDB: reading ------------------------------------------------------------------------------------


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


def test_one_question_for_a_privileged_login() -> None:
    client = FakeMysql({})
    found = ask(client)
    assert len(client.runs) == 1
    assert set(found.rows) == {question.name for question in mysql.QUESTIONS}
    assert found.refused == {}


def test_refused_extras_are_left_out() -> None:
    denied = MysqlError("privilege", "SELECT command denied", 1142)
    client = FakeMysql({"replication_connection_status": denied, "Rpl_semi": MysqlError("other", "odd", 1)})
    found = ask(client)
    assert len(client.runs) == 3
    assert {name: error.message for name, error in found.refused.items()} == {
        "status": "odd",
        "links": "SELECT command denied",
    }
    assert set(found.rows) == {question.name for question in mysql.QUESTIONS} - {"status", "links"}


def test_indispensable_answers_are_not() -> None:
    with pytest.raises(MysqlError, match="denied"):
        ask(FakeMysql({"SHOW REPLICA STATUS": MysqlError("privilege", "denied", 1227)}))
    with pytest.raises(MysqlError, match="gone"):
        ask(FakeMysql({"Rpl_semi": MysqlError("unreachable", "gone", 2013)}))


def test_a_server_that_knows_only_the_old_statement() -> None:
    unknown = MysqlError("syntax", "You have an error", 1064)
    client = FakeMysql({"@siteops_sql = 'SHOW REPLICA STATUS'": unknown, "SHOW REPLICA STATUS": unknown})
    found = ask(client)
    assert [run[0] for run in client.runs[1:3]] == ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"]
    assert found.rows["channels"] == [{"n": "SHOW SLAV"}]
    assert "workers" in found.rows
    with pytest.raises(MysqlError, match="You have an error"):
        ask(FakeMysql({"STATUS": unknown}))


def translate(found: dict[str, Any], channel: str | None = None, **refused: MysqlError) -> Snapshot:
    return mysql.translate(mysql.Answers(found, refused), channel)


def ask(client: FakeMysql) -> mysql.Answers:
    answers = mysql.Answers()
    mysql.ask(client, mysql.QUESTIONS, answers)
    return answers


def rows(**changes: Any) -> dict[str, Any]:
    variables = {"version": "11.8.6-MariaDB", "server_id": "21", "read_only": "ON", "port": "3306", **changes}
    return {"variables": [{"Variable_name": name, "Value": value} for name, value in variables.items()]}


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"report_host": "db2", "bind_address": "10.0.0.21", "hostname": "h"}, "db2"),
        ({"report_host": "", "bind_address": "127.0.0.1,10.0.0.21", "hostname": "h"}, "10.0.0.21"),
        ({"bind_address": "::", "hostname": "h"}, "h"),
        ({"bind_address": "*", "hostname": ""}, None),
    ],
)
def test_identity(variables: Raw, host: str | None) -> None:
    snapshot = translate(rows(**variables))
    assert snapshot.identity == Identity(host=host, port=3306, server_id=21)


@pytest.mark.parametrize(
    ("schemas", "sees_all", "variables", "empty"),
    [
        ([], "1", {}, True),
        ([], "0", {}, None),
        (["shop"], "0", {}, False),
        ([], "1", {"gtid_binlog_state": "0-21-1"}, False),
        ([], "1", {"version": "9.7.4", "server_uuid": OWN, "gtid_executed": f"{OWN}:1"}, False),
        # What came from a primary can be lost as well.
        ([], "1", {"gtid_binlog_state": "0-20-1", "gtid_slave_pos": "0-20-1"}, False),
    ],
)
def test_empty(schemas: list[str], sees_all: str, variables: Raw, empty: bool | None) -> None:
    shown: Rows = [{"name": name, "sees_all": sees_all} for name in ("mysql", "sys", *schemas)]
    assert translate({**rows(**variables), "schemas": shown}).empty is empty
    assert translate(rows(**variables)).empty is None


def test_replicas_are_the_dump_threads() -> None:
    sees: Rows = [{"sees_processes": "1"}]
    threads: Rows = [{"HOST": "10.0.0.21:5000", "STATE": "sent all"}, {"HOST": "localhost"}]
    found = translate({**rows(), "threads": threads, "rights": sees}).replicas
    assert found is not None
    assert [(item.host, item.port) for item in found] == [("10.0.0.21", 5000), ("localhost", None)]
    assert translate({**rows(), "threads": [], "rights": sees}).replicas == []
    assert translate({**rows(), "threads": [], "rights": [{"sees_processes": "0"}]}).replicas is None
    assert translate(rows()).replicas is None


def test_replicas_have_their_uuid_where_the_server_knows_it() -> None:
    threads: Rows = [{"HOST": "10.0.0.21:5000", "COMMAND": "Binlog Dump GTID", "UUID": OWN}]
    found = translate({**rows(), "threads": threads}).replicas
    assert found is not None
    assert found[0].uuid == OWN


MARIADB_CHANNEL = {
    "Connection_name": "",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Slave_heartbeat_period": "5.000",
}
IO_THREAD = {"HOST": "", "USER": "system user", "COMMAND": "Slave_IO", "TIME_MS": "7400.5", "STATE": "Waiting"}


def test_mariadb_tells_silence_by_its_thread() -> None:
    found: Any = {**rows(), "channels": [MARIADB_CHANNEL], "threads": [IO_THREAD]}
    snapshot = translate(found)
    assert (snapshot.channels[0].io.heartbeat_age, snapshot.channels[0].io.heartbeat_period) == (7.4, 5.0)
    assert snapshot.replicas is None
    # Which thread belongs to which connection is not told.
    two: Any = {**found, "channels": [MARIADB_CHANNEL, {**MARIADB_CHANNEL, "Connection_name": "b"}]}
    two["threads"] = [IO_THREAD, {**IO_THREAD, "TIME_MS": "100"}]
    snapshot = translate(two)
    assert snapshot.link_ages == [7.4, 0.1]
    assert snapshot.channels[0].io.heartbeat_age is None
    assert translate(two, "b").link_ages == []


def test_mysql_5_6_tells_silence_by_its_status() -> None:
    found: Any = {
        **rows(version="5.6.24-log"),
        "versions": [{"version": "5.6.24-log", "now": "2026-11-25 13:00:40", "account": "root@localhost"}],
        "channels": [{"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes", "Master_Host": "h"}],
        "status": [
            {"Variable_name": "Slave_last_heartbeat", "Value": "2026-11-25 13:00:05"},
            {"Variable_name": "Slave_heartbeat_period", "Value": "10.000"},
        ],
    }
    snapshot = translate(found)
    assert (snapshot.channels[0].io.heartbeat_age, snapshot.channels[0].io.heartbeat_period) == (35.0, 10.0)
    assert (snapshot.dialect, snapshot.account) == ("master", "root@localhost")
    found["status"][0]["Value"] = "0000-00-00 00:00:00"
    assert translate(found).channels[0].io.heartbeat_age is None


@pytest.mark.parametrize(
    ("variables", "channel", "dialect"),
    [
        ({"version": "11.8.6-MariaDB"}, {}, "mariadb"),
        ({"version": "9.7.4"}, {"Source_Host": "h"}, "source"),
        ({"version": "8.0.21"}, {"Master_Host": "h"}, "master"),
        ({"version": "9.7.4", "knows_source": "1"}, None, "source"),
        ({"version": "8.0.21"}, None, "master"),
    ],
)
def test_the_dialect_is_what_the_server_shows(variables: Raw, channel: Raw | None, dialect: str) -> None:
    found: Any = {**rows(), "versions": [variables], "channels": [] if channel is None else [channel]}
    assert translate(found).dialect == dialect


def test_writers_are_those_of_others_than_the_server_itself() -> None:
    listed: Rows = [
        {"account": "'root'@'localhost'", "privileges": "SUPER,READ_ONLY ADMIN"},
        {"account": "'mariadb.sys'@'localhost'", "privileges": "SUPER"},
        {"account": "'shop'@'%'", "privileges": "SUPER,READ_ONLY ADMIN"},
        {"account": "'old'@'%'", "privileges": "SUPER"},
    ]
    assert translate({**rows(), "writers": listed}).writers == ["'shop'@'%'"]
    assert translate({**rows(), "writers": listed[3:]}).writers == ["'old'@'%'"]


@pytest.mark.parametrize(
    ("error", "retries", "attempts"),
    [
        ("error connecting to source 'r@h:1' - retry-time: 60 retries: 3 message: Access denied", "10", "3 of 10"),
        ("error connecting to master 'r@h:1' - retry-time: 60  retries: 2", None, "2"),
        ("error connecting to master 'r@h:1' - retry-time: 60  maximum-retries: 100000  message: x", "", None),
        ("", "10", None),
    ],
)
def test_attempts_are_taken_from_the_server_s_message(error: str, retries: str | None, attempts: str | None) -> None:
    status: Any = {"Source_Host": "h", "Last_IO_Error": error, "Source_Retry_Count": retries}
    assert translate({**rows(), "channels": [status]}).channels[0].io.attempts == attempts


def test_one_of_several_primaries() -> None:
    other = "11111111-e65b-11f1-9195-02fc00000001"
    both: Any = [
        {"Channel_Name": "a", "Source_Host": "h", "Source_UUID": UUID, "Source_Server_Id": "20"},
        {"Channel_Name": "b", "Source_Host": "i", "Source_UUID": other, "Source_Server_Id": "30"},
    ]
    found: Any = {**rows(version="8.4.1", gtid_executed=f"{UUID}:1-5,{other}:1-7", gtid_mode="ON"), "channels": both}
    position: Raw = {"kind": "gtid", "value": f"{UUID}:1-5", "uuid": UUID, "sources": []}
    # What comes from the other primary is not errant, whether its channel is judged or not.
    for channel in (None, "a"):
        snapshot = translate(found, channel)
        assert compare(snapshot, position).errant == ""
    single = translate({**found, "channels": both[:1]})
    assert compare(single, position).errant == f"{other}:1-7"
    mariadb: Any = {
        **rows(gtid_slave_pos="0-20-5,1-30-7", gtid_binlog_state="0-20-5,1-30-7"),
        "channels": [
            {"Connection_name": "a", "Master_Host": "h", "Master_Server_Id": "20"},
            {"Connection_name": "b", "Master_Host": "i", "Master_Server_Id": "30"},
        ],
    }
    position = {"kind": "mariadb_gtid", "value": "0-20-5", "state": "0-20-5", "server_id": 20, "sources": []}
    assert compare(translate(mariadb), position).errant == ""
    assert compare(translate(mariadb, "a"), position).errant == ""
    single = translate({**mariadb, "channels": mariadb["channels"][:1]})
    assert compare(single, position).errant == "1-30-7"


def test_a_position_to_wait_for_says_nothing_of_errant_transactions() -> None:
    snapshot = replica(executed=f"{UUID}:1-9,{OLD}:1-5", gtid_mode="ON")
    wanted = compare(snapshot, {"kind": "gtid", "value": f"{UUID}:9"})
    assert (wanted.reached, wanted.errant, wanted.exact) == (True, "", True)


def test_a_server_that_answers_half_of_the_questions_hangs() -> None:
    gone = MysqlError("unreachable", "no answer within 15 seconds", None, "timeout")
    found = mysql.failure(gone, mysql.Answers(rows={"versions": [{"version": "11.8.6-MariaDB"}]}))
    assert (found.state, found.value) == ("broken", "hangs")
    assert "full disk ('df -h')" in str(found.hint)
    assert mysql.failure(gone, mysql.Answers()).state == "unreachable"


def test_a_refused_privilege_is_granted_by_name() -> None:
    found = mysql.Answers(rows={"versions": [{"version": "11.8.6-MariaDB", "account": "m@10.0.0.%"}]})
    message = "Access denied; you need (at least one of) the SLAVE MONITOR privilege(s) for this operation"
    failed = mysql.failure(MysqlError("privilege", message, 1227), found)
    assert failed.hint == "GRANT SLAVE MONITOR, BINLOG MONITOR, PROCESS ON *.* TO `m`@`10.0.0.%`"
    denied = MysqlError("privilege", "SELECT command denied to user 'm'@'h' for table 'threads'", 1142)
    note = translate(found.rows, threads=denied).notes[0]
    assert note.hint == "GRANT SELECT ON performance_schema.* TO `m`@`10.0.0.%`"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (MysqlError("tls", "Connections using insecure transport are prohibited", 3159), "tls: required"),
        (MysqlError("tls", "certificate verify failed", 2026), "ca_cert: "),
        (MysqlError("tls", "SSL is required, but the server does not support it", 2026), "tls: disabled"),
        (MysqlError("tls", "odd", 2026), "Check tls"),
        (MysqlError("auth", "requires secure connection", 2061), "tls: required"),
        (MysqlError("auth", "denied", 1045), "Check login_user"),
    ],
)
def test_the_missing_login_option_is_named(error: MysqlError, hint: str) -> None:
    assert str(mysql.failure(error, mysql.Answers()).hint).startswith(hint)


def test_a_channel_in_full() -> None:
    status: Any = {
        "Channel_Name": "a",
        "Source_Host": "h",
        "Source_Port": "3306",
        "Replica_IO_Running": "Yes",
        "Replica_SQL_Running": "No",
        "Last_SQL_Errno": "1062",
        "Last_SQL_Error": "see worker",
        "Seconds_Behind_Source": "0",
        "Executed_Gtid_Set": f"{UUID}:1-3,\n{OWN}:1",
        "Auto_Position": "1",
    }
    found: dict[str, Any] = {
        **rows(version="8.4.1", gtid_executed=f"{UUID}:1"),
        "channels": [status, {**status, "Channel_Name": "b"}],
        "links": [{"channel": "a", "heartbeat_age": "3", "heartbeat_period": "2.500"}],
        "workers": [{"channel": "a", "id": "1", "errno": "1062", "error": "Duplicate. Query: 'INSERT secret'"}],
        "binlog": [{"Binlog_Do_DB": "shop", "Binlog_Ignore_DB": "mysql,sys"}],
        "status": [{"Variable_name": "Rpl_semi_sync_replica_status", "Value": "ON"}],
    }
    snapshot = translate(found, "a")
    assert len(snapshot.channels) == 1
    channel = snapshot.channels[0]
    assert (channel.io.heartbeat_age, channel.io.heartbeat_period) == (3.0, 2.5)
    assert channel.sql.error == "Duplicate."
    assert channel.lag_seconds is None
    assert channel.gtid_mode == "auto_position"
    assert snapshot.executed == f"{UUID}:1-3,{OWN}:1"
    assert snapshot.binlog_filters == {"Binlog_Do_DB": "shop"}
    assert snapshot.semi_sync is True
    assert len(translate(found).channels) == 2


cells = st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["Yes", "0", "1045", "-1", "1e9", "NULL"]))
names = st.sampled_from(
    ["Slave_IO_Running", "Master_Port", "Seconds_Behind_Master", "Last_IO_Error", "Gtid_IO_Pos", "SQL_Delay", "x",
     "Replicate_Do_DB", "Variable_name", "Value", "gtid_slave_pos", "version", "HOST", "channel", "errno"]
)  # fmt: skip
any_rows = st.lists(st.dictionaries(names, cells), max_size=2)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([question.name for question in mysql.QUESTIONS]), any_rows))
def test_any_rows_give_a_verdict(found: dict[str, Rows]) -> None:
    snapshot = translate(found)
    comparison = compare(snapshot, {"kind": "gtid", "value": "x"})
    verdict = judged(snapshot, comparison)
    assert verdict.state in STATES
    assert set(report("mysql", verdict, snapshot, comparison)["checks"]) == set(CHECK_NAMES)


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("11.8.6-MariaDB-0+deb13u1 from Debian-log", [11, 8, 6]),
        ("5.5.5-10.11.19-MariaDB", [10, 11, 19]),
        ("26.10.0", [26, 10, 0]),
        ("", []),
        (None, []),
    ],
)
def test_version_numbers(version: str | None, numbers: list[int]) -> None:
    assert version_info(version) == numbers


def test_flavor_is_a_word_not_a_number() -> None:
    assert mysql.flavor_of("26.10.0", "(Debian)") == "mysql"
    assert mysql.flavor_of("8.0.36-28", "Percona Server (GPL)") == "percona"
    assert mysql.flavor_of("5.5.5-10.4.1-MariaDB", None) == "mariadb"


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


@pytest.mark.parametrize(
    ("role_state", "changes", "state"),
    [
        ("connected", {}, "healthy"),
        ("sync", {"master_link_status": "down", "master_sync_in_progress": "1"}, "syncing"),
        ("handshake", {"master_link_status": "down"}, "syncing"),
        ("connect", {"master_link_status": "down"}, "connecting"),
        ("connecting", {"master_link_status": "down"}, "connecting"),
        ("connected", {"loading": "1"}, "syncing"),
        ("connect", {"loading": "1", "master_link_status": "down"}, "syncing"),
        ("connected", {"slave_read_only": "0"}, "writable_replica"),
        ("connected", {"master_last_io_seconds_ago": "42"}, "connecting"),
    ],
)
def test_redis_links(role_state: str, changes: dict[str, str], state: str) -> None:
    assert state_of(redis_snapshot(role_state, **changes), role="replica") == state


def test_redis_position() -> None:
    position = {"kind": "redis", "value": 120, "replid": "a" * 40}
    snapshot = redis_snapshot()
    behind = compare(snapshot, position)
    assert (behind.reached, behind.behind_bytes) == (False, 20)
    assert state_of(snapshot, behind) == "catching_up"
    assert state_of(snapshot, behind, max_lag_bytes=5) == "lagging"
    assert compare(snapshot, {**position, "value": 90}).reached is True
    for bad in (None, {}, {**position, "replid": "b" * 40}, {**position, "value": "x"}, {"kind": "gtid"}):
        assert compare(snapshot, bad).reached is None


def test_redis_offsets_of_the_time_before_a_promotion() -> None:
    snapshot = redis_snapshot(master_replid2="c" * 40, second_repl_offset="60")
    former = {"kind": "redis", "value": 60, "replid": "c" * 40}
    assert compare(snapshot, former).reached is True
    assert compare(snapshot, {**former, "value": 61}).reached is None
    assert compare(snapshot, {**former, "replid": None}).reached is None


def test_redis_reading_needs_only_info() -> None:
    found = redis.ask(FakeRedis({"INFO": info_text()}))
    assert redis.translate(found).channels[0].io.state == "connected"
    assert [note.text for note in found.notes] == ["not everything could be read: role: NOPERM no"]
    for reply in (5, "x:1\r\n"):
        with pytest.raises(RedisError, match="INFO did not answer"):
            redis.ask(FakeRedis({"INFO": reply}))


@pytest.mark.parametrize(
    ("info", "config", "login", "host"),
    [
        ({"listener0": "name=tcp,bind=127.0.0.1,bind=10.0.0.37,port=6379"}, {}, None, "10.0.0.37"),
        ({}, {"bind": "10.0.0.37 -::1"}, None, "10.0.0.37"),
        ({}, {"bind": "* -::*"}, "10.0.0.38", "10.0.0.38"),
        ({}, {}, "redis1", "redis1"),
        ({}, {}, "127.0.0.1", None),
        ({}, {}, None, None),
    ],
)
def test_redis_identity(info: dict[str, str], config: dict[str, str], login: str | None, host: str | None) -> None:
    snapshot = redis.translate(redis.Answers(info={**INFO, **info}, config=config), login)
    assert snapshot.identity == Identity(host=host, port=6379, run_id="r", replid="a" * 40)


def test_redis_primary() -> None:
    info = {
        "role": "master",
        "run_id": "r",
        "slave0": "ip=10.0.0.37,port=6379,state=online,offset=5,lag=1",
        "db0": "keys=1",
    }
    snapshot = redis.translate(redis.Answers(info=info))
    assert (snapshot.role, snapshot.empty, snapshot.read_only) == ("primary", False, False)
    assert state_of(snapshot, role="primary", min_replicas=1) == "healthy"
    assert state_of(redis.translate(redis.Answers(info={**info, "min_slaves_good_slaves": "0"}))) == "no_replicas"
    assert redis.translate(redis.Answers(info={"role": "master", "run_id": "r"})).empty is True
    few = redis.Answers(info={**info, "min_slaves_good_slaves": "1"}, config={"min-replicas-to-write": "2"})
    assert state_of(redis.translate(few)) == "no_replicas"
    assert "MISCONF" in str(
        redis.translate(redis.Answers(info={**info, "aof_last_write_status": "err"})).writes_refused
    )


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (RedisError("noperm", "NOPERM"), "ACL SETUSER monitor +ping +info +role"),
        (RedisError("tls", "the server's certificate is not trusted"), "ca_cert: "),
        (RedisError("tls", "TLS failed: WRONG_VERSION_NUMBER"), "tls: disabled"),
        (RedisError("tls", "TLS failed: odd"), "Check tls"),
        (RedisError("unreachable", "closed", "closed"), "tls: required"),
    ],
)
def test_redis_failures_name_what_mends_them(error: RedisError, hint: str) -> None:
    assert str(redis.failure(error, user="monitor").hint).startswith(hint)


def test_redis_flavors() -> None:
    assert redis.flavor_of({"redis_version": "7.2.4", "valkey_version": "8.1.1"}) == ("valkey", "8.1.1")
    assert redis.flavor_of({"redis_version": "7.0.15"}) == ("redis", "7.0.15")


CONFIG = {
    "CONFIG GET masterauth": ["masterauth", "geheim"],
    "CONFIG GET masteruser": ["masteruser", "replication"],
    "CONFIG GET tls-replication": ["tls-replication", "yes"],
    "CONFIG GET tls-ca-cert-file": ["tls-ca-cert-file", "/ca"],
}


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (RedisError("auth", "WRONGPASS invalid username-password pair"), "auth_failed", "refuses this replica's login"),
        (RedisError("unreachable", "Connection refused", "refused"), "connecting", "Connection refused"),
        (RedisError("noperm", "NOPERM"), "connecting", r"is down \(connect\)"),
        ("PONG", "connecting", r"is down \(connect\)"),
    ],
)
def test_redis_probe_names_why_the_link_is_down(answer: Any, state: str, words: str) -> None:
    logins: list[RedisLogin] = []

    def connect(login: RedisLogin) -> Any:
        logins.append(login)
        return FakeRedis({"PING": answer})

    snapshot = redis_snapshot("connect", master_link_status="down")
    redis.explain_link(FakeRedis(CONFIG), snapshot, connect)
    verdict = judged(snapshot)
    assert verdict.state == state
    assert re.search(words, verdict.message)
    assert "geheim" not in str(report("redis", verdict, snapshot, Comparison()))
    assert (logins[0].host, logins[0].username, logins[0].password) == ("10.0.0.36", "replication", "geheim")
    assert (logins[0].tls, logins[0].ca_cert) == (True, "/ca")


def test_redis_probe_only_where_it_helps_and_is_allowed() -> None:
    def connect(login: RedisLogin) -> Any:
        raise AssertionError(login)

    redis.explain_link(FakeRedis(CONFIG), redis_snapshot(), connect)
    redis.explain_link(FakeRedis(CONFIG), redis_snapshot("connect", master_link_status="down", loading="1"), connect)
    redis.explain_link(FakeRedis({}), redis_snapshot("connect", master_link_status="down"), connect)
    with pytest.raises(RedisError, match="gone"):
        redis.config_get(FakeRedis({"CONFIG GET a": RedisError("unreachable", "gone")}), "a")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*INFO, "slave0", "db0"]), st.text(max_size=30)), st.lists(st.integers()))
def test_any_info_gives_a_verdict(changes: dict[str, str], role: list[int]) -> None:
    snapshot = redis.translate(redis.Answers(info={**INFO, **changes}, role=role))
    comparison = compare(snapshot, {"kind": "redis", "value": 1, "replid": "a" * 40})
    assert judged(snapshot, comparison).state in STATES


# --- No look --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state", "value"),
    [
        (MysqlError("client_missing", "no", detail="not_installed"), "unreachable", "not_installed"),
        (MysqlError("unreachable", "no", 2002, "no_socket"), "unreachable", "no_socket"),
        (MysqlError("auth", "no", 1045), "auth_failed", "auth"),
        (MysqlError("privilege", "no", 1227), "auth_failed", "privilege"),
        (MysqlError("tls", "no", 2026), "unreachable", "tls"),
        (MysqlError("syntax", "no", 1064), "unsupported", "syntax"),
        (RedisError("unreachable", "no", "refused"), "unreachable", "refused"),
        (RedisError("auth", "NOAUTH no", code="NOAUTH"), "auth_failed", "noauth"),
        (RedisError("auth", "WRONGPASS no", code="WRONGPASS"), "auth_failed", "wrongpass"),
        (RedisError("noperm", "NOPERM no"), "auth_failed", "noperm"),
        (RedisError("loading", "LOADING"), "syncing", "loading"),
        (RedisError("tls", "no"), "unreachable", "tls"),
        (RedisError("protocol", "no"), "unsupported", "protocol"),
        (RedisError("other", "no"), "unsupported", "other"),
    ],
)
def test_failures(error: MysqlError | RedisError, state: str, value: str) -> None:
    found = mysql.failure(error, mysql.Answers()) if isinstance(error, MysqlError) else redis.failure(error)
    verdict = judge_failure(found)
    assert verdict.state == state
    assert verdict.checks["reachable"] == Result(False, value, "yes")
    assert verdict.findings[0].check == "reachable"


def test_a_missing_redis_is_told_from_a_stopped_one() -> None:
    for installed, value in ((lambda: True, "refused"), (lambda: False, "not_installed")):
        client: Any = FakeRedis({"INFO": RedisError("unreachable", "refused", "refused")})
        found = redis.RedisProbe(client, None, installed=installed).look().found
        assert isinstance(found, Failure)
        assert found.value == value
    assert redis.is_installed() in (True, False)


def test_probes_ask_and_translate() -> None:
    client: Any = FakeRedis({"INFO": info_text()})
    assert isinstance(redis.RedisProbe(client, None).look().found, Snapshot)
    asker: Any = FakeMysql({})
    assert isinstance(mysql.MysqlProbe(asker).look().found, Snapshot)
    asker = FakeMysql({"VERSION": MysqlError("auth", "no", 1045)})
    assert isinstance(mysql.MysqlProbe(asker).look().found, Failure)
