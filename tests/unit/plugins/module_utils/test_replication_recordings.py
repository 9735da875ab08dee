# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on recordings of real servers, ours and those of the folder that SITEOPS_FIXTURES names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import parse_info
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql, redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import Case
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison, compare
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import (
    Expectation,
    parse_expected_primary,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Raw, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import reason, report
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import Verdict, judge

OURS = Path(__file__).resolve().parents[2] / "fixtures" / "replication"

# Name of the recording -> states that a server in that condition may have, whatever its version.
EXPECTED = {
    "not_a_replica": {"not_a_replica"},
    "configured_not_started": {"stopped"},
    "healthy": {"healthy"},
    "io_stopped_sql_running": {"stopped"},
    "sql_stopped_io_running": {"stopped"},
    "io_connecting_bad_password": {"auth_failed"},
    "sql_error": {"broken"},
    "errant_transaction": {"diverged"},
    "errant_transaction_then_more_replicated": {"diverged"},
    "standalone": {"not_a_replica"},
    "just_after_replicaof": {"connecting", "syncing"},
    # Redis 6 finishes the first sync before the others leave the handshake.
    "handshake_or_waiting_bgsave": {"syncing", "healthy"},
    "healthy_primary_ack_behind": {"healthy"},
    "healthy_after_wait": {"healthy"},
    "wrong_password": {"connecting"},
    "recovered_full_or_partial_sync": {"healthy"},
    "writable_replica_diverged": {"writable_replica"},
    "primary_unreachable": {"connecting"},
    "promoted_two_primaries": {"not_a_replica"},
}
# Checks that find fault with such a server, its lack of read_only aside.
FAULTS = {
    "not_a_replica": {"role"},
    "configured_not_started": {"io", "sql"},
    "healthy": set(),
    "io_stopped_sql_running": {"io"},
    "sql_stopped_io_running": {"sql"},
    "io_connecting_bad_password": {"io"},
    "sql_error": {"sql"},
    "errant_transaction": {"errant"},
    "errant_transaction_then_more_replicated": {"errant"},
    "standalone": {"role"},
    "just_after_replicaof": {"io"},
    "healthy_primary_ack_behind": set(),
    "healthy_after_wait": set(),
    "wrong_password": {"io"},
    "recovered_full_or_partial_sync": set(),
    "writable_replica_diverged": {"read_only"},
    "primary_unreachable": {"io"},
    "promoted_two_primaries": {"role"},
}
EXACT = {
    ("redis-6.0.16", "just_after_replicaof"): "connecting",
    ("redis-6.0.16", "handshake_or_waiting_bgsave"): "healthy",
    **{
        (server, name): "syncing"
        for server in ("redis-7.0.15", "redis-8.0.2", "valkey-8.1.1")
        for name in ("just_after_replicaof", "handshake_or_waiting_bgsave")
    },
}


def recordings() -> Iterator[Any]:
    folders = [OURS]
    if os.environ.get("SITEOPS_FIXTURES"):
        folders.append(Path(os.environ["SITEOPS_FIXTURES"]))
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            for name, recording in json.loads(path.read_text()).items():
                if isinstance(recording, dict) and ("replica_status" in recording or "replica_role" in recording):
                    yield pytest.param(
                        path.stem, name, recording, id=f"{'ours' if folder == OURS else 'given'}-{path.stem}-{name}"
                    )


RECORDINGS = list(recordings())


def mysql_answers(recording: Raw, who: str) -> mysql.Answers:
    """Turn a recording into what the server answered."""
    rows: dict[str, Any] = {
        "versions": [],
        "variables": [
            {"Variable_name": name, "Value": None if value is None else str(value)}
            for row in recording.get(f"{who}_vars", [])
            for name, value in row.items()
        ],
    }
    if who == "primary":
        rows["binlog"] = recording.get("primary_binlog_status", [])
        return mysql.Answers(rows)
    rows["channels"] = recording.get("all_slaves_status") or recording["replica_status"]
    rows["workers"] = [
        {
            "channel": row["CHANNEL_NAME"],
            "id": row["WORKER_ID"],
            "state": row["SERVICE_STATE"],
            "errno": row["LAST_ERROR_NUMBER"],
            "error": row["LAST_ERROR_MESSAGE"],
        }
        for row in recording.get("perf_replication_applier_status_by_worker", [])
    ]
    return mysql.Answers(rows)


def redis_snapshot(recording: Raw, who: str) -> Snapshot:
    info = parse_info(recording[f"{who}_info_replication"])
    return redis.translate(redis.Answers(info=info, role=recording[f"{who}_role"]))


def snapshot_of(recording: Raw, who: str = "replica") -> Snapshot:
    if f"{who}_role" in recording:
        return redis_snapshot(recording, who)
    return mysql.translate(mysql_answers(recording, who))


def verdict_on(recording: Raw, exact: bool, **expected: Any) -> tuple[Verdict, Snapshot, Comparison]:
    snapshot = snapshot_of(recording)
    position: Raw | None = None
    if exact and ("primary_vars" in recording or "primary_role" in recording):
        position = snapshot_of(recording, "primary").position
    comparison = compare(snapshot, position)
    return judge(Case(snapshot, Expectation(**expected), comparison)), snapshot, comparison


@pytest.mark.parametrize("exact", [False, True], ids=["alone", "with_position"])
@pytest.mark.parametrize(("server", "name", "recording"), RECORDINGS)
def test_state(server: str, name: str, recording: Raw, exact: bool) -> None:
    # The recorded MySQL and MariaDB replicas were never set read-only; test_writable_by_default looks at that.
    expected: Raw = {"read_only": False} if "replica_status" in recording else {}
    verdict, snapshot, comparison = verdict_on(recording, exact, role="replica", **expected)
    if (server, name) in EXACT:
        assert verdict.state == EXACT[server, name]
    elif name in EXPECTED:
        assert verdict.state in EXPECTED[name]
    else:
        assert not verdict.healthy
    assert verdict.healthy == (not [finding for finding in verdict.findings if finding.severity == "error"])
    assert all(finding.message for finding in verdict.findings)
    result = report(snapshot.engine, verdict, snapshot, comparison)
    assert result["state"] == verdict.state
    json.dumps(result)


@pytest.mark.parametrize(("server", "name", "recording"), [item for item in RECORDINGS if item.values[1] in FAULTS])
def test_reasons(server: str, name: str, recording: Raw) -> None:
    expected: Raw = {"read_only": False} if "replica_status" in recording else {}
    verdict, _snapshot, _comparison = verdict_on(recording, exact=False, role="replica", **expected)
    errors = [finding for finding in verdict.findings if finding.severity == "error"]
    assert {finding.check for finding in errors} == FAULTS[name], server
    assert all(finding.hint for finding in errors)


@pytest.mark.parametrize(("server", "name", "recording"), RECORDINGS)
def test_no_hint_of_a_warning_is_missing(server: str, name: str, recording: Raw) -> None:
    del server, name
    verdict, _snapshot, _comparison = verdict_on(recording, exact=True, role="replica")
    assert all(finding.hint for finding in verdict.findings if finding.severity == "warning")


@pytest.mark.parametrize(("server", "name", "recording"), RECORDINGS)
def test_writable_by_default(server: str, name: str, recording: Raw) -> None:
    del server, name
    verdict, snapshot, _comparison = verdict_on(recording, exact=False, role="replica")
    if snapshot.channels and snapshot.read_only is False:
        assert not verdict.healthy
        assert "read_only" in [finding.check for finding in verdict.findings]


@pytest.mark.parametrize(("server", "name", "recording"), RECORDINGS)
def test_lag_counts_only_while_everything_runs(server: str, name: str, recording: Raw) -> None:
    del server, name
    verdict, snapshot, comparison = verdict_on(recording, exact=True, role="replica", read_only=False)
    seconds = report(snapshot.engine, verdict, snapshot, comparison)["lag"]["seconds"]
    runs = snapshot.channels and all(
        (channel.io.state, channel.sql.state) in (("Yes", "Yes"), ("connected", None)) for channel in snapshot.channels
    )
    assert (seconds is None) or runs
    if not runs:
        assert verdict.checks["lag"].ok is not True


OLD_NAMES = (("Replica_", "Slave_"), ("Source", "Master"))


def renamed(row: Raw) -> Raw:
    """Give MySQL 9's columns the names that MySQL had before 8.0.22."""
    found = {}
    for name, value in row.items():
        for new, old in OLD_NAMES:
            name = name.replace(new, old)
        found[name] = value
    return found


@pytest.mark.parametrize(
    ("server", "name", "recording"), [item for item in RECORDINGS if item.values[0].startswith("mysql")]
)
def test_older_column_names_give_the_same_verdict(server: str, name: str, recording: Raw) -> None:
    del server, name
    old = {**recording, "replica_status": [renamed(row) for row in recording["replica_status"]]}
    for exact in (False, True):
        before, after = (verdict_on(item, exact, role="replica") for item in (recording, old))
        reports = [report("mysql", *found) for found in (before, after)]
        for key in ("state", "msg", "checks", "lag", "gtid"):
            assert reports[0][key] == reports[1][key]
        assert after[2] == before[2]
        # What mends it is said in the words that such a server knows.
        assert not [finding.hint for finding in after[0].findings if re.search("REPLICA|SOURCE", finding.hint or "")]


@pytest.mark.parametrize(
    ("file", "name", "check", "words"),
    [
        ("mysql-9.7.4", "io_connecting_bad_password", "io", r"refuses the password .* 'repl' \(error 1045"),
        ("mariadb-10.11.19", "io_connecting_bad_password", "io", r"refuses the password .* 'repl' \(error 1045"),
        ("mysql-9.7.4", "sql_error", "sql", r"error 1062: Worker 1 failed .* Duplicate entry '4'"),
        ("mariadb-11.8.6", "sql_error", "sql", r"error 1062: Error 'Duplicate entry '4' for key 'PRIMARY'' on query"),
        ("mysql-9.7.4", "errant_transaction", "errant", "1 transaction.*ad8f0f69-e65b-11f1-9195-02fc00000001:1$"),
        ("mariadb-11.8.6", "errant_transaction_then_more_replicated", "errant", r"0-2-\d+$"),
        ("redis-6.0.16", "just_after_replicaof", "io", r"link to the primary 127.0.0.1:16600 is down \(connect\)"),
        ("redis-8.0.2", "primary_unreachable", "io", r"127.0.0.1:1 is down for 2 s \(connect\)"),
    ],
)
def test_the_first_reason_names_the_cause(file: str, name: str, check: str, words: str) -> None:
    recording = json.loads((OURS / f"{file}.json").read_text())[name]
    expected: Raw = {"read_only": False} if "replica_status" in recording else {}
    verdict, _snapshot, _comparison = verdict_on(recording, exact=True, role="replica", **expected)
    assert verdict.findings[0].check == check
    assert re.search(words, verdict.findings[0].message)
    assert "INSERT" not in json.dumps([reason(finding) for finding in verdict.findings])


@pytest.mark.parametrize("file", [path.stem for path in sorted(OURS.glob("*.json"))])
def test_identity_of_the_primary_is_recognised(file: str) -> None:
    recording = json.loads((OURS / f"{file}.json").read_text())["healthy"]
    primary = snapshot_of(recording, "primary")
    identity = {"host": "other-name", "port": 1, **{k: v for k, v in vars(primary.identity).items() if v}}
    right = verdict_on(recording, False, primary=parse_expected_primary(identity), read_only=False)[0]
    assert right.checks["primary_identity"].ok is True
    for key in ("uuid", "replid", "server_id"):
        if identity.get(key):
            identity[key] = 99 if key == "server_id" else "f" * 40
    wrong = verdict_on(recording, False, primary=parse_expected_primary(identity), read_only=False)[0]
    assert wrong.state == "wrong_primary"


def test_offsets_of_two_histories_are_not_compared() -> None:
    for file in ("redis-7.0.15", "redis-8.0.2", "valkey-8.1.1"):
        recording = json.loads((OURS / f"{file}.json").read_text())["just_after_replicaof"]
        _verdict, snapshot, comparison = verdict_on(recording, exact=True)
        assert snapshot.offset is not None
        assert snapshot.offset > 0
        assert comparison.reached is None


def test_a_primary_alone() -> None:
    recording = json.loads((OURS / "redis-8.0.2.json").read_text())["promoted_two_primaries"]
    snapshot = snapshot_of(recording, "primary")
    assert judge(Case(snapshot, Expectation(), Comparison())).state == "not_a_replica"
    assert judge(Case(snapshot, Expectation(role="primary"), Comparison())).healthy
    assert judge(Case(snapshot, Expectation(role="standalone"), Comparison())).healthy
    assert judge(Case(snapshot, Expectation(role="primary", min_replicas=1), Comparison())).state == "no_replicas"


def test_a_primary_counts_only_replicas_in_sync() -> None:
    server = json.loads((OURS / "valkey-8.1.1.json").read_text())
    for name, state in (("healthy", "healthy"), ("handshake_or_waiting_bgsave", "no_replicas")):
        snapshot = snapshot_of(server[name], "primary")
        assert snapshot.role == "primary"
        assert judge(Case(snapshot, Expectation(role="primary", min_replicas=1), Comparison())).state == state
