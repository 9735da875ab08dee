# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each trap on real Redis and Valkey servers: what replication_status says, what others say, and that the hint mends it."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.molecule.replication_status.tests.lab import (
    ADDRESSES,
    RELEASE,
    VARIABLES,
    Deaf,
    Frozen,
    Keep,
    Result,
    hints,
    module,
    on,
    shell,
    status,
)
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until

ADMIN: Result = {"login_user": "admin", "login_password": VARIABLES["redis_server_admin_password"]}
MONITOR: Result = {"login_user": "monitor", "login_password": VARIABLES["redis_server_monitor_password"]}


class Pair:
    """A primary and its replica of one engine."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        # Debian 12 has no Valkey, a second pair of Redis servers stands there.
        self.name = "redis" if RELEASE == "12" else engine
        self.primary, self.replica = f"rs{engine}1", f"rs{engine}2"
        self.above = {"login_host": ADDRESSES[self.primary], **MONITOR}

    @property
    def unit(self) -> str:
        return f"{self.name}-server"

    def ask(self, name: str, *words: str, port: int = 6379) -> str:
        login = "" if port != 6379 else f"REDISCLI_AUTH={shlex.quote(ADMIN['login_password'])}"
        user = "" if port != 6379 else "--no-auth-warning --user admin"
        return shell(name, f"{login} {self.name}-cli -p {port} {user} {shlex.join(words)}")

    def judge(self, **params: Any) -> Result:
        return status(self.replica, "redis", **{**ADMIN, "expect_role": "replica", **params})

    def well(self, **params: Any) -> Result:
        result = self.judge(primary=self.above, canary="both", timeout=60, fail_fast=False, **params)
        assert result["healthy"], hints(result)
        return result

    @contextlib.contextmanager
    def setting(self, name: str, option: str, value: str) -> Iterator[None]:
        before = self.ask(name, "CONFIG", "GET", option).splitlines()
        try:
            assert self.ask(name, "CONFIG", "SET", option, value) == "OK"
            yield
        finally:
            self.ask(name, "CONFIG", "SET", option, before[1] if len(before) > 1 else "")

    def follow(self) -> None:
        self.ask(self.replica, "REPLICAOF", ADDRESSES[self.primary], "6379")

    def others(self) -> dict[str, str]:
        """Ask three well-known checks about the replica and put their answers into a word."""
        found = module(self.replica, "community.general.redis_info", **ADMIN)
        link = (found.get("info") or {}).get("master_link_status") or found.get("msg", "").strip()[:60] or "none"
        offsets = {}
        for name, field in ((self.primary, "master_repl_offset"), (self.replica, "slave_repl_offset")):
            host = on(name)
            text = host.run(
                f"REDISCLI_AUTH={shlex.quote(ADMIN['login_password'])} timeout 3 {self.name}-cli --no-auth-warning"
                " --user admin INFO replication"
            ).stdout
            offsets[name] = next((line.split(":")[1] for line in text.split() if line.startswith(f"{field}:")), None)
        ours, theirs = offsets[self.replica], offsets[self.primary]
        caught_up = ours is not None and theirs is not None and int(ours) >= int(theirs)
        ping = on(self.replica).run(
            f"REDISCLI_AUTH={shlex.quote(ADMIN['login_password'])} timeout 3 {self.name}-cli --no-auth-warning --user admin PING"
        )
        pong = str(ping.stdout).strip() or "no answer"
        return {
            "module": f"{'well' if link == 'up' else 'ill'} (link {link})",
            "lag": f"{'well' if caught_up else 'ill'} ({ours or '?'} of {theirs or '?'})",
            "nagios": f"{'well' if pong == 'PONG' else 'ill'} ({pong[:40]})",
        }


@pytest.fixture(params=["redis", "valkey"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Whatever a test did, the next one finds a healthy pair."""
    if RELEASE == "12" and request.param == "valkey":
        pytest.skip("Debian 12 has no Valkey")
    found = Pair(request.param)
    yield found
    found.well()


Notes = Callable[[Pair, str, Result], None]


@pytest.fixture
def note(keep: Keep) -> Notes:
    return lambda pair, trap, result: keep(pair.name.capitalize(), trap, result, pair.others())


def test_the_pair_is_healthy_and_each_canary_has_its_time(pair: Pair, note: Notes) -> None:
    result = pair.well()
    assert 0 <= result["canary"]["latency_ms"] < 5000
    assert (result["lag"]["source"], result["checks"]["caught_up"]["ok"]) == ("canary", True)
    assert (result["flavor"], result["primary"]["host"]) == (pair.name, ADDRESSES[pair.primary])
    primary = status(pair.primary, "redis", **MONITOR, expect_role="primary", canary="both", min_replicas=1)
    assert primary["healthy"], hints(primary)
    assert primary["canary"]["latency_ms"] is not None
    note(pair, "healthy", result)


def test_two_steps_and_a_login_with_the_least_rights(pair: Pair) -> None:
    sent = status(pair.primary, "redis", **MONITOR, expect_role="primary", canary="write")
    result = pair.judge(
        **MONITOR,
        expect_primary=sent["identity"],
        wait_for=sent["position"],
        canary="read",
        canary_token=sent["canary"]["token"],
        timeout=30,
    )
    assert result["healthy"], hints(result)
    assert result["reasons"] == []
    ttl = int(pair.ask(pair.replica, "TTL", f"ansible:canary:{sent['canary']['token']}"))
    assert 0 < ttl <= 120


def test_a_wrong_password(pair: Pair, note: Notes) -> None:
    with pair.setting(pair.replica, "masterauth", "wrong"):
        pair.ask(pair.replica, "REPLICAOF", "NO", "ONE")
        pair.follow()
        assert until(lambda: "master_link_status:down" in pair.ask(pair.replica, "INFO", "replication"))
        result = pair.judge(timeout=30)
        assert (result["state"], result["reasons"][0]["check"]) == ("auth_failed", "io"), hints(result)
        assert result["waited"] < 20
        assert "CONFIG SET masterauth" in str(result["reasons"][0]["hint"])
        note(pair, "wrong replication password", result)


def test_a_frozen_primary(pair: Pair, note: Notes) -> None:
    with (
        pair.setting(pair.replica, "repl-ping-replica-period", "1"),
        pair.setting(pair.primary, "repl-ping-replica-period", "1"),
    ):
        pair.well()
        with Frozen(pair.primary, pair.unit):
            time.sleep(4)
            result = pair.judge()
            assert (result["state"], result["reasons"][0]["check"]) == ("connecting", "heartbeat"), hints(result)
            note(pair, "frozen primary (SIGSTOP)", result)
            asked = pair.judge(primary={**pair.above, "connect_timeout": 2}, max_io_idle=600)
            assert asked["checks"]["primary_reachable"]["value"] == "timeout"


def test_packets_that_are_dropped(pair: Pair, note: Notes) -> None:
    with (
        pair.setting(pair.replica, "repl-ping-replica-period", "1"),
        pair.setting(pair.primary, "repl-ping-replica-period", "1"),
    ):
        pair.well()
        with Deaf(pair.primary, pair.replica):
            time.sleep(4)
            result = pair.judge()
            assert (result["state"], result["reasons"][0]["check"]) == ("connecting", "heartbeat"), hints(result)
            note(pair, "packets between the hosts are dropped", result)


def test_a_primary_that_is_down(pair: Pair, note: Notes) -> None:
    shell(pair.primary, f"systemctl stop {pair.unit}")
    try:
        result = pair.judge(primary=pair.above)
        assert result["state"] == "connecting"
        assert result["checks"]["primary_reachable"]["value"] == "refused"
        note(pair, "primary down", result)
    finally:
        shell(pair.primary, f"systemctl start {pair.unit}")


@pytest.fixture
def stranger(pair: Pair) -> Iterator[int]:
    """Another primary on the primary's host, open to all, with a history of its own."""
    port = 7777
    shell(
        pair.primary,
        f"systemd-run --unit=stranger {pair.name}-server --port {port} --bind 0.0.0.0 --protected-mode no --save ''",
    )
    assert until(lambda: on(pair.primary).run(f"{pair.name}-cli -p {port} PING").stdout.strip() == "PONG")
    yield port
    shell(pair.primary, "systemctl stop stranger")


def test_another_primary_than_the_right_one(pair: Pair, stranger: int, note: Notes) -> None:
    right = status(pair.primary, "redis", **MONITOR, expect_role="primary")
    with pair.setting(pair.replica, "masterauth", ""), pair.setting(pair.replica, "masteruser", ""):
        pair.ask(pair.replica, "REPLICAOF", ADDRESSES[pair.primary], str(stranger))
        try:
            assert until(lambda: "master_link_status:up" in pair.ask(pair.replica, "INFO", "replication"))
            # The host is the right one, only its history and port are not.
            result = pair.judge(expect_primary=right["identity"])
            assert result["state"] == "wrong_primary", hints(result)
            assert pair.judge(primary=pair.above)["state"] == "wrong_primary"
            note(pair, "healthy link to the wrong primary", result)
            # Offsets of two histories are never compared.
            other = pair.judge(wait_for=right["position"])
            assert other["state"] == "catching_up"
            assert "belong to different histories" in other["msg"]
        finally:
            pair.follow()
            pair.ask(pair.primary, "INFO")


def test_a_first_sync_that_has_not_begun(pair: Pair, note: Notes) -> None:
    with pair.setting(pair.primary, "repl-diskless-sync-delay", "25"):
        pair.ask(pair.replica, "REPLICAOF", "NO", "ONE")
        pair.ask(pair.replica, "SET", "demo:rogue", "1")
        pair.follow()
        time.sleep(2)
        result = pair.judge()
        assert (result["state"], result["reasons"][0]["check"]) == ("syncing", "io"), hints(result)
        # It goes on waiting and ends well.
        note(pair, "diskless sync waits to begin", result)
        assert pair.judge(timeout=90)["healthy"]


@pytest.mark.parametrize(
    ("login", "value", "hint"),
    [
        ({"login_user": None, "login_password": None}, "noauth", "Give login_password"),
        ({"login_user": "admin", "login_password": "geheim"}, "wrongpass", "Check login_user and login_password"),
    ],
)
def test_our_own_login_is_refused(pair: Pair, login: Result, value: str, hint: str) -> None:
    result = pair.judge(**login)
    assert (result["state"], result["checks"]["reachable"]["value"]) == ("auth_failed", value)
    assert hint in str(result["reasons"][0]["hint"])


def test_missing_rights_are_granted_by_the_hints(pair: Pair) -> None:
    pair.ask(pair.replica, "ACL", "SETUSER", "guest", "on", ">molecule-1", "-@all", "+auth")
    login = {"login_user": "guest", "login_password": "molecule-1"}
    try:
        result = pair.judge(**login)
        assert (result["state"], result["checks"]["reachable"]["value"]) == ("auth_failed", "noperm")
        pair.ask(pair.replica, *str(result["reasons"][0]["hint"]).split())
        result = pair.judge(**login)
        assert result["healthy"], hints(result)
        token = pair.well()["canary"]["token"]
        refused = pair.judge(**login, canary="read", canary_token=token)
        assert (refused["state"], refused["reasons"][0]["check"]) == ("auth_failed", "canary")
        pair.ask(pair.replica, *str(refused["reasons"][0]["hint"]).split())
        assert pair.judge(**login, canary="read", canary_token=token)["canary"]["seen"] is True
    finally:
        pair.ask(pair.replica, "ACL", "DELUSER", "guest")


def test_a_server_that_is_loading(pair: Pair, note: Notes) -> None:
    pair.ask(pair.replica, "CONFIG", "SET", "appendonly", "no")
    pair.ask(pair.primary, "EVAL", "for i=1,20000 do redis.call('SET','demo:load:'..i,i) end", "0")
    pair.well()
    pair.ask(pair.replica, "SAVE")
    folder = f"/etc/systemd/system/{pair.unit}.service.d"
    # Two milliseconds and a half for each key, and a look at its clients now and then.
    slow = "--appendonly no --key-load-delay 2500 --loading-process-events-interval-bytes 1024"
    override = f"[Service]\\nExecStart=\\n$(grep -h ^ExecStart=/ {folder}/webcluster.conf) {slow}\\n"
    try:
        shell(pair.replica, f'printf "{override}" > {folder}/zz-slow.conf && systemctl daemon-reload')
        shell(pair.replica, f"systemctl --no-block restart {pair.unit}")
        assert until(lambda: pair.judge(connect_timeout=1)["checks"]["reachable"]["value"] == "loading")
        result = pair.judge()
        assert (result["state"], result["checks"]["reachable"]["value"]) == ("syncing", "loading"), hints(result)
        note(pair, "server that is loading its data", result)
        # The others were asked in time as well.
        assert pair.judge()["checks"]["reachable"]["value"] == "loading"
        assert pair.judge(timeout=120)["healthy"]
    finally:
        shell(pair.replica, f"rm -f {folder}/zz-slow.conf && systemctl daemon-reload && systemctl restart {pair.unit}")
        assert until(lambda: "loading:0" in pair.ask(pair.replica, "INFO", "persistence"))
        pair.ask(pair.primary, "EVAL", "for i=1,20000 do redis.call('DEL','demo:load:'..i) end", "0")


def test_a_writable_replica_is_closed_by_its_hint(pair: Pair, note: Notes) -> None:
    pair.ask(pair.replica, "CONFIG", "SET", "replica-read-only", "no")
    try:
        pair.ask(pair.replica, "SET", "demo:rogue", "1")
        result = pair.judge()
        assert (result["state"], result["reasons"][0]["check"]) == ("writable_replica", "read_only")
        note(pair, "replica that takes writes", result)
        pair.ask(pair.replica, *str(result["reasons"][0]["hint"]).split())
        assert pair.judge()["healthy"]
    finally:
        pair.ask(pair.replica, "CONFIG", "SET", "replica-read-only", "yes")


def test_a_primary_that_refuses_writes(pair: Pair, note: Notes) -> None:
    def primary() -> Result:
        return status(pair.primary, "redis", **ADMIN, expect_role="primary", canary="write")

    with pair.setting(pair.primary, "min-replicas-to-write", "2"):
        result = primary()
        assert result["state"] == "no_replicas"
        assert "NOREPLICAS" in hints(result)
        note(pair, "primary with too few replicas", result)
    with pair.setting(pair.primary, "maxmemory-policy", "noeviction"), pair.setting(pair.primary, "maxmemory", "1"):
        result = primary()
        assert (result["state"], result["reasons"][0]["check"]) == ("broken", "writes")
        assert "CONFIG SET maxmemory" in str(result["reasons"][0]["hint"])
        note(pair, "primary whose memory is full", result)
    assert primary()["healthy"]


def test_two_primaries(pair: Pair, note: Notes) -> None:
    pair.ask(pair.replica, "REPLICAOF", "NO", "ONE")
    try:
        result = pair.judge(primary=pair.above)
        assert result["state"] == "not_a_replica"
        note(pair, "two primaries", result)
    finally:
        pair.follow()
