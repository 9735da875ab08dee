# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, asking the primary as well, and the canary's way, on a clock that does not run by itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import (
    Expectation,
    parse_expected_primary,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    CanaryReply,
    Channel,
    Failure,
    Identity,
    Look,
    Raw,
    Refusal,
    Snapshot,
    Thread,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.wait import Clock, Request, Wait

PRIMARY = "511c0cf4-e659-11f1-a016-02fc00000001"
OWN = "ad8f0f69-e65b-11f1-9195-02fc00000001"
OTHER = "00000000-e65b-11f1-9195-02fc00000001"
ARRIVED = CanaryReply(seen=True, written_at="2026-11-25T13:00:00.000000Z", age_ms=7)
NOT_YET = CanaryReply(seen=False)


class FakeClock(Clock):
    def __init__(self) -> None:
        self.time = 100.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


class FakeProbe:
    """Look look after look from a list, the last one for ever; a look takes time."""

    def __init__(self, clock: FakeClock, *answers: Look, log: list[str] | None = None, name: str = "replica") -> None:
        self.clock = clock
        self.answers = list(answers)
        self.log = [] if log is None else log
        self.name = name
        self.closed = False

    def look(self, canary: Canary | None = None) -> Look:
        self.clock.time += 0.01
        self.log.append(f"{self.name}{' ' + canary.mode if canary else ''}")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if canary else Look(answer.found)

    def close(self) -> None:
        self.closed = True


def replica(
    executed: str = f"{PRIMARY}:1-10", io: str = "Yes", reply: CanaryReply | None = None, **changes: Any
) -> Look:
    channel = Channel(host="10.0.0.20", port=3306, uuid=PRIMARY, io=Thread(io), sql=Thread("Yes"), lag_seconds=0)
    for name in [name for name in changes if name in ("delay", "retrieved")]:
        setattr(channel, name, changes.pop(name))
    snapshot = Snapshot(
        "mysql",
        "mysql",
        identity=Identity(uuid=OWN),
        read_only=True,
        channels=[channel],
        executed=executed,
        gtid_mode="ON",
    )
    for name, value in changes.items():
        setattr(snapshot, name, value)
    return Look(snapshot, reply)


def primary(value: str = f"{PRIMARY}:1-10", reply: CanaryReply | None = None, uuid: str = PRIMARY) -> Look:
    position = {"kind": "gtid", "value": value, "uuid": uuid, "server_id": 20, "sources": []}
    identity = Identity(host="10.0.0.20", port=3306, uuid=uuid)
    return Look(Snapshot("mysql", "mysql", identity=identity, read_only=False, position=position), reply)


def wait(clock: FakeClock, probe: FakeProbe, above: FakeProbe | None = None, **wanted: Any) -> Raw:
    if "canary" in wanted:
        wanted["canary"] = Canary(wanted["canary"], "token")
    result = Wait("mysql", Request(**{"expect": Expectation(role="replica"), **wanted}), probe, above, clock).run()
    assert probe.closed
    assert above is None or above.closed
    return result


# --- Waiting ------------------------------------------------------------------------------------------------------


def test_without_a_timeout_there_is_one_look() -> None:
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, replica(io="Connecting")))
    assert (result["state"], result["attempts"], clock.pauses) == ("connecting", 1, [])


def idle(age: float, period: float | None = 5.0, heartbeats: int | None = 7) -> Look:
    """A replica on whose link nothing came for some seconds, heartbeats perhaps not counted."""
    found = replica()
    assert isinstance(found.found, Snapshot)
    found.found.channels[0].io = Thread("Yes", heartbeat_age=age, heartbeat_period=period, heartbeats=heartbeats)
    return found


def test_an_idle_link_is_looked_at_until_its_next_heartbeat() -> None:
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, idle(100), idle(101), idle(0)))
    assert (result["state"], result["attempts"]) == ("healthy", 3)
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, idle(100)))
    assert (result["state"], result["reasons"][0]["check"]) == ("connecting", "heartbeat")
    assert result["waited"] == pytest.approx(7, abs=0.2)


def test_a_server_that_tells_the_time_of_the_last_heartbeat_is_believed_at_once() -> None:
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, idle(100, heartbeats=None)))
    assert (result["state"], result["attempts"]) == ("connecting", 1)


def test_pauses_grow_to_five_seconds_and_end_in_time() -> None:
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, replica(io="Connecting")), timeout=20, interval=1.0)
    assert [round(pause, 2) for pause in clock.pauses[:5]] == [1.0, 1.5, 2.25, 3.38, 5.0]
    assert max(clock.pauses) == 5.0
    assert result["waited"] == pytest.approx(20, abs=0.2)
    assert result["attempts"] == len(clock.pauses) + 1
    clock = FakeClock()
    wait(clock, FakeProbe(clock, replica(io="Connecting")), timeout=20, interval=8)
    assert clock.pauses[0] == 8


def test_it_ends_with_the_first_healthy_look() -> None:
    clock = FakeClock()
    probe = FakeProbe(clock, Look(Failure("unreachable", "refused", "no")), replica(io="No"), replica())
    result = wait(clock, probe, timeout=60)
    assert (result["state"], result["attempts"]) == ("healthy", 3)


def test_hopeless_findings_end_the_wait() -> None:
    broken = replica(io="No")
    assert isinstance(broken.found, Snapshot)
    broken.found.channels[0].io.errno = 1236
    for fail_fast, attempts in ((True, 1), (False, 10)):
        clock = FakeClock()
        result = wait(clock, FakeProbe(clock, broken), timeout=30, fail_fast=fail_fast)
        assert (result["state"], result["attempts"]) == ("needs_reseed", attempts)
    clock = FakeClock()
    absent = Look(Failure("unreachable", "not_installed", "no client"))
    assert wait(clock, FakeProbe(clock, absent), timeout=30)["attempts"] == 1


def test_a_server_that_flaps_is_not_stable() -> None:
    clock = FakeClock()
    well, ill = replica(), replica(io="Connecting")
    result = wait(clock, FakeProbe(clock, well, ill, well), timeout=60, stable_for=10)
    assert result["healthy"]
    assert result["checks"]["stable"] == {"ok": True, "value": 1, "expected": 0}
    assert result["waited"] > 11
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, well, ill, ill, ill, well), timeout=8, stable_for=5)
    assert result["state"] == "catching_up"
    assert result["reasons"][0]["check"] == "stable"
    assert "it turned unhealthy 1 time(s) meanwhile" in result["msg"]


def test_a_position_is_waited_for() -> None:
    clock = FakeClock()
    probe = FakeProbe(clock, replica(f"{PRIMARY}:1-8"), replica(f"{PRIMARY}:1-9"), replica())
    result = wait(clock, probe, timeout=60, position={"kind": "gtid", "value": f"{PRIMARY}:1-10"})
    assert (result["state"], result["attempts"]) == ("healthy", 3)
    clock = FakeClock()
    result = wait(
        clock, FakeProbe(clock, replica(f"{PRIMARY}:1-8")), position={"kind": "gtid", "value": f"{PRIMARY}:1-10"}
    )
    assert result["reasons"][0]["hint"] == f"Wait (timeout): wanted is {PRIMARY}:1-10, here is {PRIMARY}:1-8."


def test_a_position_that_cannot_be_compared_is_not_healthy() -> None:
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, replica()), position={"kind": "file", "file": "binlog.000001", "pos": 4})
    assert result["state"] == "catching_up"
    assert "cannot be told: without GTIDs" in result["msg"]


# --- With the primary ---------------------------------------------------------------------------------------------


def test_the_primary_is_asked_after_the_replica() -> None:
    clock = FakeClock()
    log: list[str] = []
    result = wait(clock, FakeProbe(clock, replica(), log=log), FakeProbe(clock, primary(), log=log, name="primary"))
    assert log == ["replica", "primary", "replica"]
    assert result["healthy"]
    assert result["checks"]["primary_reachable"]["ok"] is True
    assert result["checks"]["primary_identity"]["ok"] is True
    assert result["checks"]["caught_up"]["ok"] is True


def test_what_the_primary_just_had_may_take_a_moment() -> None:
    clock = FakeClock()
    probe = FakeProbe(clock, *[replica(f"{PRIMARY}:1-9")] * 4, replica())
    result = wait(clock, probe, FakeProbe(clock, primary()))
    assert (result["healthy"], result["attempts"]) == (True, 4)
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, replica(f"{PRIMARY}:1-9")), FakeProbe(clock, primary()))
    assert result["state"] == "catching_up"
    assert 2 <= result["waited"] < 2.5
    # Other findings are not waited for.
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, replica(io="No")), FakeProbe(clock, primary()))
    assert (result["state"], result["attempts"]) == ("stopped", 1)


def test_what_only_the_replica_has_is_exact() -> None:
    # Under the primary's own id: without the primary it would count as newer.
    for executed, errant in ((f"{PRIMARY}:1-12", f"{PRIMARY}:11-12"), (f"{PRIMARY}:1-10,{OTHER}:1", f"{OTHER}:1")):
        clock = FakeClock()
        result = wait(clock, FakeProbe(clock, replica(executed)), FakeProbe(clock, primary()), timeout=30)
        assert (result["state"], result["gtid"]["errant"], result["attempts"]) == ("diverged", errant, 1)


def test_a_commit_that_the_primary_has_not_finished_is_not_errant() -> None:
    clock = FakeClock()
    log: list[str] = []
    above = FakeProbe(clock, primary(), primary(f"{PRIMARY}:1-12"), log=log, name="primary")
    result = wait(clock, FakeProbe(clock, replica(f"{PRIMARY}:1-12"), log=log), above)
    assert result["healthy"]
    assert log == ["replica", "primary", "primary", "replica"]
    assert clock.pauses == [1.0]


def test_another_primary_than_the_given_one_is_a_wrong_one() -> None:
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, replica()), FakeProbe(clock, primary(uuid=OTHER)))
    assert result["state"] == "wrong_primary"
    clock = FakeClock()
    expect = Expectation(primary=parse_expected_primary("10.0.0.20"))
    assert (
        wait(clock, FakeProbe(clock, replica()), FakeProbe(clock, primary(uuid=OTHER)), expect=expect)["state"]
        != "wrong_primary"
    )


@pytest.mark.parametrize(
    ("failure", "state", "words"),
    [
        (Failure("auth_failed", "auth", "denied", "Check it.", 1045), "auth_failed", "refuses our login"),
        (Failure("unreachable", "timeout", "no answer within 10 seconds"), "connecting", "does not answer"),
    ],
)
def test_a_primary_that_cannot_be_asked_is_a_finding(failure: Failure, state: str, words: str) -> None:
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, replica()), FakeProbe(clock, Look(failure)))
    assert result["state"] == state
    assert words in result["msg"]
    assert result["checks"]["primary_reachable"] == {"ok": False, "value": failure.value, "expected": "yes"}
    assert result["lag"]["seconds"] == 0


def test_a_primary_that_comes_back_is_asked_again() -> None:
    clock = FakeClock()
    above = FakeProbe(clock, Look(Failure("unreachable", "refused", "no")), primary())
    assert wait(clock, FakeProbe(clock, replica()), above, timeout=10)["healthy"]


def follower(replid: str) -> Look:
    channel = Channel(host="10.0.0.20", port=6379, replid=replid, io=Thread("connected"))
    return Look(
        Snapshot("redis", "redis", read_only=True, channels=[channel], identity=Identity(replid=replid), offset=20)
    )


def history(replid: str) -> Look:
    identity = Identity(host="10.0.0.20", port=6379, replid=replid or None)
    position = {"kind": "redis", "value": 20, "replid": replid} if replid else {"kind": None}
    return Look(Snapshot("redis", "redis", identity=identity, read_only=False, position=position))


@pytest.mark.parametrize(
    ("replica_looks", "primary_looks", "healthy", "asked"),
    [
        # It took its new id with its first replica, just between the two looks.
        (["old", "new"], ["old", "new"], True, 2),
        (["new"], ["old", "new"], True, 2),
        (["new"], ["new", "other"], True, 1),
        # It has none until its first replica comes.
        (["new"], ["", "new"], True, 2),
        (["other"], ["new"], False, 2),
    ],
)
def test_a_redis_primary_whose_history_began_anew_is_asked_again(
    replica_looks: list[str], primary_looks: list[str], healthy: bool, asked: int
) -> None:
    clock, log = FakeClock(), list[str]()
    below = FakeProbe(clock, *[follower(name * 10) for name in replica_looks])
    above = FakeProbe(clock, *[history(name * 10) for name in primary_looks], log=log, name="primary")
    result = Wait("redis", Request(expect=Expectation(role="replica")), below, above, clock).run()
    assert (result["healthy"], result["state"] == "wrong_primary") == (healthy, not healthy), result["msg"]
    assert log == ["primary"] * asked


# --- The canary ---------------------------------------------------------------------------------------------------


def test_a_canary_from_the_primary_to_the_replica() -> None:
    clock = FakeClock()
    log: list[str] = []
    probe = FakeProbe(clock, *[replica(reply=NOT_YET)] * 4, replica(reply=ARRIVED), log=log)
    above = FakeProbe(clock, primary(reply=ARRIVED), log=log, name="primary")
    # The position is not reached before the canary is there, else filters would be to blame.
    for answer in probe.answers[:4]:
        assert isinstance(answer.found, Snapshot)
        answer.found.executed = f"{PRIMARY}:1-9"
    result = wait(clock, probe, above, canary="both", timeout=10)
    assert result["healthy"]
    assert log == ["replica read", "primary write", *["replica read"] * 4]
    # Looked for more often than the interval says.
    assert clock.pauses == [0.01, 0.02, 0.04]
    assert result["canary"] == {
        "token": "token",
        "written_at": ARRIVED.written_at,
        "seen": True,
        "latency_ms": 110,
        "error": None,
        "skipped": False,
    }


def test_a_canary_that_a_filter_swallows() -> None:
    clock = FakeClock()
    probe = FakeProbe(clock, replica(reply=NOT_YET))
    result = wait(clock, probe, canary="read", position={"kind": "gtid", "value": f"{PRIMARY}:1-10"}, timeout=30)
    assert (result["state"], result["attempts"], result["canary"]["seen"]) == ("diverged", 1, False)
    assert "has reached the primary's position but does not have the canary" in result["msg"]
    absent = CanaryReply(refusal=Refusal("broken", "no table", "make it", 1146, absent=True))
    clock = FakeClock()
    result = wait(clock, FakeProbe(clock, replica(reply=absent)), canary="read", position={"kind": "gtid", "value": ""})
    assert "but has no canary table" in result["msg"]


def test_a_canary_that_has_not_arrived_yet() -> None:
    clock = FakeClock()
    late = FakeProbe(clock, replica(f"{PRIMARY}:1-9", reply=NOT_YET))
    result = wait(clock, late, canary="read", position={"kind": "gtid", "value": f"{PRIMARY}:1-10"})
    assert result["state"] == "catching_up"
    assert {reason["check"] for reason in result["reasons"]} == {"caught_up", "canary"}
    # A table that replication has still to make is no reason of its own.
    absent = CanaryReply(refusal=Refusal("broken", "no table", "make it", 1146, absent=True))
    assert wait(clock, FakeProbe(clock, replica(reply=absent)), canary="read")["state"] == "catching_up"


def test_a_delayed_replica_need_not_have_the_canary_yet() -> None:
    clock = FakeClock()
    position = {"kind": "gtid", "value": f"{PRIMARY}:1-10"}
    answer = replica(f"{PRIMARY}:1-5", reply=NOT_YET, delay=3600, retrieved=f"{PRIMARY}:3-10")
    expect = Expectation(role="replica", allow_delay=True)
    result = wait(clock, FakeProbe(clock, answer), canary="read", position=position, expect=expect)
    assert result["healthy"]
    assert result["checks"]["canary"]["ok"] is None
    assert result["checks"]["caught_up"]["ok"] is True
    behind = replica(f"{PRIMARY}:1-5", delay=3600, retrieved=f"{PRIMARY}:3-9")
    assert wait(clock, FakeProbe(clock, behind), position=position, expect=expect)["state"] == "catching_up"


def test_a_refused_write_is_tried_again_and_told() -> None:
    refused = CanaryReply(refusal=Refusal("broken", "the primary has no space left", "Free space.", 1021))
    clock = FakeClock()
    log: list[str] = []
    above = FakeProbe(clock, primary(reply=refused), log=log, name="primary")
    result = wait(clock, FakeProbe(clock, replica(), log=log), above, canary="both", timeout=5, fail_fast=False)
    assert result["state"] == "broken"
    assert result["canary"]["error"] == "the primary has no space left"
    assert result["canary"]["seen"] is False
    assert log.count("primary write") == result["attempts"]


def test_a_replica_without_the_table_is_waited_for_and_never_written_to() -> None:
    absent = replica(reply=CanaryReply(refusal=Refusal("broken", "no table", "make it", 1146, absent=True)))
    asked: list[Canary | None] = []

    class Primary(FakeProbe):
        def look(self, canary: Canary | None = None) -> Look:
            asked.append(canary)
            answer = super().look(canary)
            return Look(answer.found, CanaryReply() if canary and canary.absent_below else answer.canary)

    clock = FakeClock()
    # It is on its way: made on the primary a moment ago.
    probe = FakeProbe(clock, absent, absent, replica(reply=NOT_YET), replica(reply=ARRIVED))
    for answer in probe.answers[:2]:
        assert isinstance(answer.found, Snapshot)
        answer.found.executed = f"{PRIMARY}:1-9"
    result = wait(clock, probe, Primary(clock, primary(reply=ARRIVED)), canary="both", timeout=10)
    assert result["healthy"]
    assert [canary.absent_below for canary in asked if canary] == [True, False]
    # It will not come.
    clock = FakeClock()
    gone = replica(reply=absent.canary)
    result = wait(clock, FakeProbe(clock, gone), Primary(clock, primary(reply=ARRIVED)), canary="both", timeout=10)
    assert (result["state"], result["canary"]["seen"]) == ("diverged", False)
    assert "has no canary table" in result["msg"]
    assert result["reasons"][0]["hint"] == "make it"


def test_writing_alone() -> None:
    clock = FakeClock()
    log: list[str] = []
    probe = FakeProbe(clock, primary(reply=CanaryReply(seen=True, written_at="now", took_ms=3, age_ms=2)), log=log)
    expect = Expectation(role="primary")
    result = wait(clock, probe, canary="write", expect=expect)
    assert (result["healthy"], result["canary"]["latency_ms"], log) == (True, 3, ["replica write"])
    probe = FakeProbe(clock, primary(reply=CanaryReply(seen=True, written_at="now", age_ms=2)))
    result = wait(clock, probe, canary="both", expect=expect, timeout=3, stable_for=2)
    assert (result["healthy"], result["canary"]["latency_ms"]) == (True, 2)


def test_reading_alone_goes_by_the_servers_clocks() -> None:
    for age, latency in ((250, 250), (-4, None), (None, None)):
        clock = FakeClock()
        answer = replica(reply=CanaryReply(seen=True, age_ms=age))
        assert wait(clock, FakeProbe(clock, answer), canary="read")["canary"]["latency_ms"] == latency


def test_check_mode_writes_no_canary() -> None:
    clock = FakeClock()
    log: list[str] = []
    result = wait(clock, FakeProbe(clock, replica(), log=log), canary="both", skip_canary=True)
    assert (result["healthy"], log) == (True, ["replica"])
    assert (result["canary"]["skipped"], result["canary"]["token"], result["canary"]["seen"]) == (True, "token", None)
    assert result["checks"]["canary"]["ok"] is None


def test_the_canary_is_the_lag_where_the_server_tells_none() -> None:
    clock = FakeClock()
    answer = replica(reply=CanaryReply(seen=True, age_ms=40))
    assert isinstance(answer.found, Snapshot)
    answer.found.engine, answer.found.channels[0].lag_seconds = "redis", None
    answer.found.channels[0].io.state = "connected"
    result = wait(clock, FakeProbe(clock, answer), canary="read")
    assert (result["lag"]["seconds"], result["lag"]["source"]) == (0.04, "canary")
