# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The traps that other checks fall into, one by one."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import MOVE, KeptFiles
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql, redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import Result
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import (
    parse_expected_primary,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Failure,
    Note,
    Raw,
    Refusal,
    Replica,
    Snapshot,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import report
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    STATES,
    judge_failure,
)
from ansible_collections.siteops.webcluster.tests.replication_cases import (
    OWN,
    UUID,
    FakeMysql,
    FakeRedis,
    info_text,
    judged,
    redis_snapshot,
    replica,
    state_of,
)


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
    snapshot.writes_refused = Refusal("no_replicas", "NOREPLICAS")
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
    assert verdict.state == {True: "healthy", False: "wrong_primary", None: "unsupported"}[ok]
    # Before it is connected, the ids of its primary are not known yet.
    waiting = judged(
        replica(io_state="Connecting", c_uuid=None, c_server_id=None), primary=parse_expected_primary(expected)
    )
    assert waiting.state in ("connecting", "wrong_primary")


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


def test_a_redis_that_is_kept_from_starting_says_how_it_comes_back() -> None:
    client: Any = FakeRedis({"INFO": RedisError("unreachable", "refused", "refused")})
    for login_host, fenced, wanted in ((None, True, True), (None, False, False), ("10.0.0.36", True, False)):
        probe = redis.RedisProbe(client, login_host, installed=lambda: True, fenced=partial(bool, fenced))
        found = probe.look().found
        assert isinstance(found, Failure)
        assert found.value == "refused"
        assert ("rejoin.yml" in str(found.hint)) is wanted


def test_probes_ask_and_translate() -> None:
    client: Any = FakeRedis({"INFO": info_text()})
    assert isinstance(redis.RedisProbe(client, None).look().found, Snapshot)
    asker: Any = FakeMysql({})
    assert isinstance(mysql.MysqlProbe(asker).look().found, Snapshot)
    asker = FakeMysql({"VERSION": MysqlError("auth", "no", 1045)})
    assert isinstance(mysql.MysqlProbe(asker).look().found, Failure)


def test_a_primary_that_closed_itself_for_a_switchover_is_not_opened_by_hand(tmp_path: Path) -> None:
    files = KeptFiles(folder=tmp_path)
    files.write(MOVE, {"to": "db2"})
    closed: Any = FakeMysql({})
    for kept, message, hint in (
        (files, "it closed itself to hand over to db2", "End it: playbooks/switchover.yml -e tier=mysql -e to=db2"),
        (None, "this primary is read-only", "SET GLOBAL read_only = 0 where it is the primary."),
    ):
        found = mysql.MysqlProbe(closed, files=kept).look().found
        assert isinstance(found, Snapshot)
        found.read_only, found.dialect, found.channels = True, "mariadb", []
        finding = judged(found, role="primary").findings[0]
        assert message in finding.message
        assert finding.hint == hint
