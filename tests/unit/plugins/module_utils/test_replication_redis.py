# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How replies of Redis and Valkey become facts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError, RedisLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison, compare
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import parse_expected_primary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Identity,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import report
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    STATES,
)
from ansible_collections.siteops.webcluster.tests.replication_cases import (
    INFO,
    FakeRedis,
    info_text,
    judged,
    redis_snapshot,
    state_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st


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


@pytest.mark.parametrize(("backlog", "told"), [("0", False), ("1", True)])
def test_a_redis_primary_without_a_backlog_has_no_history_yet(backlog: str, told: bool) -> None:
    info = {"role": "master", "master_replid": "a" * 40, "master_repl_offset": "7", "repl_backlog_active": backlog}
    primary = redis.translate(redis.Answers(info=info))
    assert (primary.identity.replid is not None, primary.position["kind"] is not None) == (told, told)
    # Its first replica gets another id from it, and is judged by host and port then.
    expect = parse_expected_primary({"host": "10.0.0.36", "port": 6379, "replid": primary.identity.replid})
    followed = redis_snapshot(master_replid="b" * 40)
    assert state_of(followed, role="replica", primary=expect) == ("wrong_primary" if told else "healthy")


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
        return FakeRedis({"PING": answer, "PSYNC ? none": RedisError("other", "ERR value is not an integer")})

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
