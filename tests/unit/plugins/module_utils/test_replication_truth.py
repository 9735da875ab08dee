# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replication check says nothing untrue: one test or more for each kind of sentence that once was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import Case
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison, compare
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import (
    Expectation,
    parse_expected_primary,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Raw, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import judge
from ansible_collections.siteops.webcluster.tests.replication_cases import (
    INFO,
    FakeMysql,
    FakeRedis,
    ask,
    judged,
    redis_snapshot,
    replica,
    rows,
    translate,
)

# --- C1: this primary accepts writes ------------------------------------------------------------------------------

PRIMARY_INFO = {
    "role": "master",
    "run_id": "r",
    "tcp_port": "6379",
    "redis_version": "8.0.2",
    "db0": "keys=1,expires=0",
}
FULL = {"maxmemory": "100", "used_memory": "120", "maxmemory_policy": "noeviction"}


def redis_primary(info: Raw, config: Raw | None = None, **more: Any) -> Snapshot:
    return redis.translate(redis.Answers(info={**PRIMARY_INFO, **info}, config=config or {}, **more))


@pytest.mark.parametrize(
    ("info", "config", "words"),
    [
        ({"rdb_last_bgsave_status": "err"}, {}, "its last save to disk failed (MISCONF)"),
        ({"aof_last_write_status": "err"}, {}, "append-only file (MISCONF)"),
        (FULL, {}, "memory is full and nothing may be removed (OOM)"),
        ({**FULL, "maxmemory_policy": "volatile-lru"}, {}, "(OOM)"),
        ({"master_failover_state": "waiting-for-sync"}, {}, "FAILOVER"),
        ({"paused_reason": "client_pause"}, {}, "clients are paused (client_pause)"),
        # Where a write would be taken all the same.
        ({"rdb_last_bgsave_status": "err"}, {"stop-writes-on-bgsave-error": "no"}, None),
        ({"rdb_last_bgsave_status": "err"}, {"save": ""}, None),
        ({**FULL, "maxmemory_policy": "allkeys-lru"}, {}, None),
        ({**FULL, "maxmemory_policy": "volatile-lru", "db0": "keys=5,expires=2"}, {}, None),
        ({**FULL, "mem_not_counted_for_evict": "30"}, {}, None),
        ({"paused_reason": "none", "master_failover_state": "no-failover"}, {}, None),
    ],
)
def test_c1_a_redis_primary_that_would_refuse_a_write_is_not_healthy(info: Raw, config: Raw, words: str | None) -> None:
    verdict = judged(redis_primary(info, config), role="primary")
    assert verdict.healthy is (words is None)
    assert (words or "this standalone accepts writes") in verdict.message
    assert verdict.checks["writes"].ok is (words is None)
    assert words is None or verdict.findings[0].hint


def test_c1_a_redis_cluster_that_is_down_takes_no_writes() -> None:
    info = "".join(f"{name}:{value}\r\n" for name, value in {**PRIMARY_INFO, "cluster_enabled": "1"}.items())
    for state, healthy in (("fail", False), ("ok", True)):
        client = FakeRedis({"INFO": info, "ROLE": ["master"], "CLUSTER INFO": f"cluster_state:{state}\r\n"})
        verdict = judged(redis.translate(redis.ask(client)), role="primary")
        assert verdict.healthy is healthy
        assert healthy or "CLUSTERDOWN" in verdict.message
    unseen = redis.ask(FakeRedis({"INFO": info, "ROLE": ["master"]}), "monitor")
    assert [note.hint for note in unseen.notes] == ["ACL SETUSER monitor +cluster|info"]


LOCKED = MysqlError("other", "Lock wait timeout exceeded; try restarting transaction", 1205)
NO_TABLE = MysqlError("syntax", "Table 'ansible_canary.probe' doesn't exist", 1146)


def mysql_primary(refused: MysqlError | None = None, threads: Any = (), **variables: str) -> Snapshot:
    found = {**rows(read_only="OFF", **variables), "threads": list(threads)}
    return translate(found, global_lock=refused) if refused else translate(found)


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (mysql_primary(LOCKED), "a global read lock is held"),
        (mysql_primary(threads=[{"COMMAND": "Query", "STATE": "Waiting for backup lock"}]), "a global read lock"),
        (mysql_primary(threads=[{"COMMAND": "Query", "STATE": "Waiting for global read lock"}]), "a global read lock"),
        (mysql_primary(threads=[{"COMMAND": "Query", "STATE": "Waiting for commit lock"}]), "a global read lock"),
        (mysql_primary(threads=[{"COMMAND": "Query", "STATE": "Waiting for disk space"}]), "its disk is full"),
        (
            mysql_primary(threads=[{"COMMAND": "Query", "STATE": "Waiting for semi-sync ACK from slave"}]),
            "semi-synchronous replica that does not answer",
        ),
        (mysql_primary(tx_read_only="ON"), "tx_read_only makes every new transaction read-only"),
        (mysql_primary(transaction_read_only="ON"), "transaction_read_only makes"),
        # A server without the table that the lock is tried on.
        (mysql_primary(NO_TABLE), None),
        (mysql_primary(threads=[{"COMMAND": "Binlog Dump", "STATE": "Waiting for new events"}]), None),
        (mysql_primary(tx_read_only="OFF"), None),
    ],
)
def test_c1_a_mysql_primary_that_would_take_no_write_is_not_healthy(snapshot: Snapshot, words: str | None) -> None:
    verdict = judged(snapshot, role="primary")
    assert verdict.state == ("broken" if words else "healthy")
    assert (words or "accepts writes") in verdict.message
    assert [finding for finding in verdict.findings if finding.check == "reachable"] == []


def test_c1_mysql_tells_a_global_read_lock_by_its_metadata_locks() -> None:
    for locks, state in (("1", "broken"), ("0", "healthy")):
        found = {**rows(version="9.7.4", read_only="OFF"), "global_lock": [{"locks": locks}]}
        assert judged(translate(found), role="primary").state == state


def test_c1_a_server_that_is_read_only_is_not_said_to_accept_writes() -> None:
    verdict = judged(translate(rows(read_only="ON")), role="standalone")
    assert verdict.message == "this standalone is read-only, 0 replica(s) are connected"


# --- C2: the right reason in a single look ------------------------------------------------------------------------

LINK_DOWN = {"master_link_status": "down", "redis_version": "8.0.2"}
MASTERAUTH = {"CONFIG GET masterauth": ["masterauth", "geheim"], "CONFIG GET masteruser": ["masteruser", "repl"]}
BAD_OFFSET = RedisError("other", "ERR value is not an integer or out of range", code="ERR")


@pytest.mark.parametrize("state", ["connect", "connecting", "handshake", "sync"])
@pytest.mark.parametrize(
    ("ping", "psync", "expected", "words"),
    [
        (RedisError("auth", "NOAUTH Authentication required."), None, "auth_failed", "refuses this replica's login"),
        (
            "PONG",
            RedisError("noperm", "NOPERM no 'psync'"),
            "auth_failed",
            "does not let this replica's user replicate",
        ),
        (RedisError("noperm", "NOPERM no 'ping'"), RedisError("noperm", "NOPERM"), "auth_failed", "does not let"),
        ("PONG", RedisError("other", "NOMASTERLINK Can't SYNC"), "connecting", "NOMASTERLINK"),
    ],
)
def test_c2_a_refused_redis_replica_is_named_whatever_its_link_does(
    state: str, ping: Any, psync: Any, expected: str, words: str
) -> None:
    snapshot = redis_snapshot(state, **LINK_DOWN)
    primary: Any = FakeRedis({"PING": ping, "PSYNC ? none": psync})
    redis.explain_link(FakeRedis(MASTERAUTH), snapshot, lambda _login: primary)
    verdict = judged(snapshot, role="replica")
    assert verdict.state == expected
    assert words in verdict.message
    assert "geheim" not in str(verdict)


def test_c2_a_replica_that_may_replicate_is_still_syncing() -> None:
    snapshot = redis_snapshot("handshake", **LINK_DOWN)
    primary: Any = FakeRedis({"PING": "PONG", "PSYNC ? none": BAD_OFFSET})
    redis.explain_link(FakeRedis(MASTERAUTH), snapshot, lambda _login: primary)
    assert judged(snapshot, role="replica").state == "syncing"
    # One that gets data is let in, so nobody needs to ask.
    primary.asked.clear()
    copying = redis_snapshot("sync", **LINK_DOWN, master_sync_in_progress="1", master_sync_read_bytes="4096")
    redis.explain_link(FakeRedis(MASTERAUTH), copying, lambda _login: primary)
    assert (primary.asked, judged(copying, role="replica").state) == ([], "syncing")


def test_c2_redis_6_is_not_asked_for_its_data() -> None:
    primary: Any = FakeRedis({"PING": "PONG", "PSYNC ? none": BAD_OFFSET})
    for version, asked in (("6.0.16", ["PING"]), ("7.0.15", ["PING", "PSYNC ? none"])):
        primary.asked.clear()
        snapshot = redis_snapshot("handshake", **{**LINK_DOWN, "redis_version": version})
        redis.explain_link(FakeRedis(MASTERAUTH), snapshot, lambda _login: primary)
        assert primary.asked == asked


def test_c2_times_are_compared_in_utc() -> None:
    client = FakeMysql({})
    ask(client)
    times = [index for index, statement in enumerate(client.runs[0]) if "NOW()" in statement]
    assert client.runs[0].index("SET SESSION time_zone = '+00:00'") < min(times)


# --- C3: positions and identities of another kind -----------------------------------------------------------------

UUID_SET = "511c0cf4-e659-11f1-a016-02fc00000001:1-5"


@pytest.mark.parametrize(
    ("flavor", "position", "words"),
    [
        ("mariadb", {"kind": "gtid", "value": UUID_SET}, "a MySQL GTID set is no position of mariadb"),
        ("mysql", {"kind": "mariadb_gtid", "value": "0-1-5"}, "a MariaDB GTID position is no position of mysql"),
        ("percona", {"kind": "mariadb_gtid", "value": "0-1-5"}, "is no position of percona"),
        ("mysql", {"kind": "redis", "value": 5}, "a replication offset is no position of mysql"),
        ("mysql", {"kind": "gtid", "value": "nonsense"}, "not a GTID set"),
        ("mariadb", {"kind": "mariadb_gtid", "value": "nonsense"}, "not a MariaDB GTID position"),
        ("mysql", {"kind": "gtid", "value": 5}, "cannot be told"),
    ],
)
def test_c3_a_position_of_another_kind_is_an_error(flavor: str, position: Raw, words: str) -> None:
    snapshot = replica(flavor, executed="0-1-9" if flavor == "mariadb" else UUID_SET, gtid_mode="ON")
    for asked in (True, False):
        verdict = judged(snapshot, replace(compare(snapshot, position), asked=asked), role="replica")
        assert verdict.state == "unsupported"
        assert verdict.hopeless
        assert words in verdict.message


def test_c3_a_replica_whose_own_position_is_garbage_is_unsupported() -> None:
    for flavor in ("mysql", "mariadb"):
        snapshot = replica(flavor, executed="garbage", binlog_state="garbage")
        assert judged(snapshot, compare(snapshot, None), role="replica").state == "unsupported"


def test_c3_an_identity_that_cannot_be_compared_is_unsupported() -> None:
    for expected in ({"replid": "a" * 40}, {"run_id": "a" * 40}):
        verdict = judged(replica("mariadb"), primary=(expected,))
        assert verdict.state == "unsupported"
        assert "knows its primary by nothing of that" in verdict.message


# --- C4: what drifts, who is followed, who answers, who is something else -----------------------------------------


@pytest.mark.parametrize(
    ("variables", "listed"),
    [
        ({"slave_exec_mode": "IDEMPOTENT"}, "slave_exec_mode=IDEMPOTENT"),
        ({"slave_skip_errors": "1032,1062"}, "slave_skip_errors=1032,1062"),
        ({"replicate_events_marked_for_skip": "FILTER_ON_SLAVE"}, "replicate_events_marked_for_skip=FILTER_ON_SLAVE"),
        # MySQL 8 shows both names.
        ({"slave_skip_errors": "ALL", "replica_skip_errors": "ALL"}, ": replica_skip_errors=ALL"),
        ({"slave_exec_mode": "STRICT", "slave_skip_errors": "OFF", "replica_exec_mode": "STRICT"}, None),
    ],
)
def test_c4_a_replica_that_skips_errors_or_conflicts_is_judged_as_one_with_filters(
    variables: dict[str, str], listed: str | None
) -> None:
    channel = {**RUNNING, "Using_Gtid": "Slave_Pos"}
    snapshot = translate({**rows(**variables), "channels": [channel]})
    verdict = judged(snapshot, role="replica")
    assert verdict.state == ("diverged" if listed else "healthy")
    assert (listed or "follows") in verdict.message
    assert judged(snapshot, role="replica", allow_filters=True).healthy
    # A primary applies nothing.
    assert judged(translate(rows(**{**variables, "read_only": "OFF"})), role="primary").healthy


RUNNING = {
    "Master_Host": "10.0.0.20",
    "Master_Port": "3306",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Seconds_Behind_Master": "0",
}


def test_c4_one_channel_of_several_that_follows_a_wrong_primary_is_wrong() -> None:
    both = [{**RUNNING, "Connection_name": "a"}, {**RUNNING, "Connection_name": "b", "Master_Host": "10.0.0.99"}]
    snapshot = translate({**rows(), "channels": both})
    expected = parse_expected_primary("10.0.0.20")
    verdict = judged(snapshot, primary=expected)
    assert verdict.state == "wrong_primary"
    assert verdict.message.startswith("channel 'b': this server follows 10.0.0.99:3306, which is not the expected")
    assert judged(snapshot, primary=parse_expected_primary(["10.0.0.20", "10.0.0.99"])).healthy
    assert judged(translate({**rows(), "channels": both}, "a"), primary=expected).healthy
    # One primary that was asked says nothing of the others.
    assert judged(snapshot, primary=expected, one_channel=True).healthy


def test_c4_a_misspelt_channel_is_an_error_about_the_option() -> None:
    found = {**rows(), "channels": [{**RUNNING, "Connection_name": "a"}, {**RUNNING, "Connection_name": "b"}]}
    verdict = judged(translate(found, "c"), role="replica")
    assert verdict.state == "unsupported"
    assert verdict.message == "channel is 'c', but the channels of this server are 'a', 'b'"
    assert judged(translate(rows(), "c"), role="replica").state == "not_a_replica"


def test_c4_a_replica_whose_last_answer_is_old_does_not_count() -> None:
    for lag, config, state in (
        ("1", {}, "healthy"),
        ("11", {}, "no_replicas"),
        ("11", {"min-replicas-max-lag": "30"}, "healthy"),
    ):
        info = {"slave0": f"ip=10.0.0.37,port=6379,state=online,offset=5,lag={lag}"}
        assert judged(redis_primary(info, config), role="primary", min_replicas=1).state == state


@pytest.mark.parametrize("role", ["any", "primary", "replica", "standalone"])
def test_c4_members_of_clusters_are_called_by_their_name(role: str) -> None:
    galera = {
        **rows(wsrep_on="ON", wsrep_cluster_name="shop", read_only="OFF"),
        "status": [
            {"Variable_name": "wsrep_local_state_comment", "Value": "Synced"},
            {"Variable_name": "wsrep_cluster_size", "Value": "3"},
        ],
    }
    group: Any = {
        **rows(version="9.7.4", group_replication_group_name="0000", read_only="OFF"),
        "group": [{"state": "ONLINE", "role": "SECONDARY"}],
        "channels": [{"Channel_Name": "group_replication_applier", "Replica_IO_Running": "No"}],
    }
    for found, name in (
        (galera, "a member of the Galera cluster 'shop' (Synced, size 3)"),
        (group, "a member of the replication group '0000' (ONLINE, SECONDARY)"),
    ):
        verdict = judged(translate(found), role=role)
        assert verdict.state == "unsupported"
        assert f"this server is {name}" in verdict.message
    # A replica of a primary outside is judged as one.
    follower = translate({**galera, **rows(wsrep_on="ON"), "channels": [RUNNING]})
    assert judged(follower, role="replica").healthy
    left = translate({**group, "group": [{"state": "OFFLINE", "role": ""}]})
    assert judged(left, role="primary").healthy


# --- C5: cannot be promoted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "follows", "words"),
    [
        ({"log_bin": "OFF"}, True, "this server writes no binary log, so no replica can follow it"),
        ({"log_bin": "OFF"}, False, "this server writes no binary log, so no replica can follow it"),
        ({"log_bin": "ON", "log_slave_updates": "OFF"}, True, "cannot take its primary's place"),
        ({"log_bin": "ON", "log_slave_updates": "OFF"}, False, None),
        ({"log_bin": "ON", "log_slave_updates": "ON"}, True, None),
        ({"version": "9.7.4", "log_bin": "ON", "log_replica_updates": "OFF"}, True, "cannot take its primary's place"),
        ({}, True, None),
    ],
)
def test_c5_a_server_that_cannot_be_promoted_is_a_warning(variables: Raw, follows: bool, words: str | None) -> None:
    found = {**rows(**variables, read_only="ON" if follows else "OFF"), "channels": [RUNNING] if follows else []}
    verdict = judged(translate(found), role="replica" if follows else "primary")
    assert verdict.healthy
    warnings = [finding for finding in verdict.findings if finding.check == "promotion"]
    assert [finding.severity for finding in warnings] == (["warning"] if words else [])
    assert words is None or words in warnings[0].message
    assert all(finding.hint for finding in warnings)


# --- A4: rings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "host", "port", "itself"),
    [
        ({"server_id": "20"}, "127.0.0.1", "3306", True),
        # Through a tunnel.
        ({"server_id": "21"}, "127.0.0.1", "3306", False),
        ({"bind_address": "10.0.0.21"}, "10.0.0.21", "3306", True),
        ({"report_host": "db2"}, "db2", "3306", True),
        ({"hostname": "db2"}, "db2", "3306", True),
        ({}, "127.0.0.1", "3306", True),
        ({}, "localhost", "3306", True),
        ({}, "127.0.0.1", "3307", False),
        ({"bind_address": "10.0.0.21"}, "10.0.0.20", "3306", False),
    ],
)
def test_a4_a_server_that_follows_itself(variables: Raw, host: str, port: str, itself: bool) -> None:
    channel = {**RUNNING, "Master_Host": host, "Master_Port": port, "Slave_IO_Running": "No", "Last_IO_Errno": "1593"}
    if "server_id" in variables:
        channel["Master_Server_Id"] = "20"
    verdict = judged(translate({**rows(**variables), "channels": [channel]}), role="replica")
    assert (verdict.state == "wrong_primary") is itself
    if itself:
        assert verdict.message == f"this server follows itself ({host}:{port})"
        assert "STOP SLAVE; RESET SLAVE ALL" in str(verdict.findings[0].hint)


def test_a4_a_redis_server_that_follows_itself() -> None:
    for host, itself in (("127.0.0.1", True), ("10.0.0.37", True), ("10.0.0.36", False)):
        info = {**INFO, "master_host": host, "listener0": "name=tcp,bind=10.0.0.37,port=6379"}
        verdict = judged(redis.translate(redis.Answers(info=info)), role="replica")
        assert (verdict.state == "wrong_primary") is itself
        if itself:
            assert str(verdict.findings[0].hint).endswith("REPLICAOF NO ONE")


def test_a4_two_servers_that_follow_each_other() -> None:
    own = translate({**rows(bind_address="10.0.0.21"), "channels": [RUNNING]})
    back = {**RUNNING, "Master_Host": "10.0.0.21"}
    for channels, state in (
        ([back], "wrong_primary"),
        ([], "healthy"),
        ([{**back, "Master_Host": "10.0.0.9"}], "healthy"),
    ):
        primary = translate({**rows(bind_address="10.0.0.20", server_id="20"), "channels": channels})
        verdict = judge(Case(own, Expectation(role="replica"), Comparison(), primary=primary))
        assert verdict.state == state
        assert state == "healthy" or "follow each other" in verdict.message
