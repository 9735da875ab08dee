# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replication check says nothing untrue: one test or more for each kind of sentence that once was."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Raw, Snapshot
from ansible_collections.siteops.webcluster.tests.replication_cases import FakeRedis, judged, rows, translate

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
    return translate(found, **({"global_lock": refused} if refused else {}))


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
