# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict as HAProxy, Prometheus and people get it; an old look is never a good one."""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import service
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Channel,
    Failure,
    Look,
    Replica,
    Snapshot,
    Thread,
)
from hypothesis import given
from hypothesis import strategies as st


def replica(
    lag: int | None = 0, io: str = "Yes", sql: str = "Yes", heartbeat_age: float = 0.5, **changes: Any
) -> Snapshot:
    thread = Thread(io, heartbeat_age=heartbeat_age)
    channel = Channel(host="10.0.0.20", port=3306, io=thread, sql=Thread(sql), lag_seconds=lag)
    known: dict[str, Any] = {"version": "11.8.6-MariaDB", "read_only": True, "channels": [channel]}
    return Snapshot("mysql", "mariadb", **known | changes)


def primary(**changes: Any) -> Snapshot:
    known: dict[str, Any] = {"version": "11.8.6-MariaDB", "read_only": False, "replicas": [Replica()]}
    return Snapshot("mysql", "mariadb", **known | changes)


class Clock:
    def __init__(self) -> None:
        self.time = 50.0

    def __call__(self) -> float:
        return self.time


def board(found: Snapshot | Failure | None, age: float = 0.0, **settings: Any) -> service.Board:
    clock = Clock()
    made = service.Board(service.Settings(**settings), clock)
    if found is not None:
        made.put(clock(), found)
    clock.time += age
    return made


def status(found: Snapshot | Failure | None, path: str, **options: Any) -> int:
    return service.answer(board(found, **options), path)[0]


@pytest.mark.parametrize(
    ("found", "writes", "reads"),
    [
        # Readers that are there may stay, and no new ones come.
        (primary(), 200, 404),
        # A server of its own, without replicas, takes writes.
        (primary(replicas=[]), 200, 404),
        (primary(replicas=None), 200, 404),
        # Filters are for people; sending the writes nowhere would not help.
        (primary(binlog_filters={"Binlog_Do_DB": "shop"}), 200, 404),
        (primary(read_only=True), 503, 503),
        (primary(read_only=None), 503, 503),
        (replica(), 503, 200),
        (replica(read_only=False), 503, 503),
        (replica(lag=10), 503, 200),
        (replica(lag=11), 503, 503),
        (replica(lag=None), 503, 503),
        (replica(io="Connecting"), 503, 503),
        # An own transaction of the time as primary.
        (replica(binlog_state="0-21-5", executed="0-20-9"), 503, 200),
        (Failure("unreachable", "refused", "no"), 503, 503),
        (Failure("auth_failed", "auth", "denied"), 503, 503),
        (None, 503, 503),
    ],
)
def test_where_writes_and_reads_may_go(found: Snapshot | Failure | None, writes: int, reads: int) -> None:
    assert status(found, "/primary") == writes
    assert status(found, "/replica") == reads


def read_status(*found: Snapshot | Failure) -> list[int]:
    """What /replica says after each look, one a second."""
    clock = Clock()
    made, said = service.Board(service.Settings(), clock), []
    for look in found:
        made.put(clock(), look)
        said.append(service.answer(made, "/replica")[0])
        clock.time += 1
    return said


def test_a_replica_that_becomes_the_primary_is_read_from_until_all_have_found_it() -> None:
    assert read_status(replica(), primary(), primary(), primary(), primary()) == [200, 200, 200, 404, 404]


def test_readers_stay_while_a_primary_becomes_a_replica() -> None:
    closed = primary(read_only=True)
    assert read_status(primary(), closed, replica(io="Connecting"), replica()) == [404, 404, 404, 200]
    # One that stays closed holds data that gets old.
    assert read_status(primary(), *[closed] * 7) == [404, 404, 404, 404, 404, 404, 503, 503]
    assert read_status(primary(), Failure("unreachable", "refused", "no")) == [404, 503]


def test_an_old_look_is_worth_nothing() -> None:
    for path, found in (("/primary", primary()), ("/replica", replica())):
        assert status(found, path, age=2.5) == 200
        assert status(found, path, age=2.6) == 503
    assert "the last look is 3.0 s old" in service.answer(board(primary(), age=3.0), "/primary")[2]
    assert "no look has been made yet" in service.answer(board(None), "/primary")[2]
    assert status(primary(), "/status", age=9) == 503


def test_a_refusal_says_why() -> None:
    body = service.answer(board(replica(lag=44)), "/replica")[2]
    assert body == "lagging: this replica is 44 s behind, 10 s are allowed\n"
    body = service.answer(board(primary(read_only=True)), "/primary")[2]
    assert "this primary is read-only - SET GLOBAL read_only = 0" in body
    assert service.answer(board(primary()), "/")[0] == 404


def test_status_is_the_report() -> None:
    code, kind, body = service.answer(board(replica()), "/status")
    found = json.loads(body)
    assert (code, kind, found["state"], found["role"]) == (200, "application/json", "healthy", "replica")
    assert "raw" not in found


METRIC = re.compile(r'[a-z_]+(\{[a-z]+="(\\.|[^"\\\n])*"(,[a-z]+="(\\.|[^"\\\n])*")*\})? -?[0-9.e+-]+\Z')


def test_metrics_of_a_replica() -> None:
    text = service.metrics(board(replica(lag=3), age=0.25))
    assert "webcluster_replication_healthy 1\n" in text
    assert "webcluster_replication_replica 1\n" in text
    assert "webcluster_replication_primary 0\n" in text
    assert 'webcluster_replication_state{state="healthy"} 1\n' in text
    assert 'webcluster_replication_state{state="broken"} 0\n' in text
    assert "webcluster_replication_lag_seconds 3\n" in text
    assert "webcluster_replication_heartbeat_age_seconds 0.5\n" in text
    assert "webcluster_replication_look_age_seconds 0.25\n" in text
    assert 'flavor="mariadb",version="11.8.6-MariaDB",role="replica",source="10.0.0.20"' in text
    assert "lag_seconds" not in service.metrics(board(replica(io="No")))
    gone = service.metrics(board(Failure("unreachable", "refused", "no")))
    assert "webcluster_replication_healthy 0\n" in gone
    assert "server_info" not in gone


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_version_gives_readable_metrics(version: str, host: str) -> None:
    snapshot = replica(version=version)
    snapshot.channels[0].host = host
    for line in service.metrics(board(snapshot)).split("\n"):
        assert not line or line.startswith("# ") or METRIC.match(line), line


def test_settings() -> None:
    found = service.parse_settings({"address": "10.0.0.20", "port": 9200, "allow": ["10.0.0.4", "10.0.1.0/28"]})
    assert found.allow == (ipaddress.ip_network("10.0.0.4/32"), ipaddress.ip_network("10.0.1.0/28"))
    with pytest.raises(ValueError, match="does not appear to be"):
        service.parse_settings({"allow": ["web%"]})
    with pytest.raises(TypeError):
        service.parse_settings({"colour": "blue"})


def after(seconds: float, *found: Snapshot | Failure, **settings: Any) -> service.Board:
    """Return the board after looks that are some seconds apart."""
    clock = Clock()
    made = service.Board(service.Settings(**settings), clock)
    for item in found:
        made.put(clock(), item)
        clock.time += seconds
    clock.time -= seconds
    return made


def lost(state: str = "Connecting", errno: int = 2003, **changes: Any) -> Snapshot:
    """A replica whose primary is gone."""
    snapshot = replica(io=state, **changes)
    snapshot.channels[0].io.errno = errno
    return snapshot


@pytest.mark.parametrize(
    "gone",
    [
        lost(),
        lost(errno=0),
        # The retries are used up.
        lost("No"),
        # A frozen primary: nothing comes any more.
        replica(heartbeat_age=61.0),
    ],
)
def test_b1_reads_do_not_die_with_the_primary(gone: Snapshot) -> None:
    for seconds, status_of_reads in ((1, 200), (299, 200), (301, 503)):
        board_then = after(seconds, replica(), gone)
        code, _kind, body = service.answer(board_then, "/replica")
        assert code == status_of_reads
        assert service.answer(board_then, "/primary")[0] == 503
        # What people see is the trouble.
        assert service.answer(board_then, "/status")[0] == 503
        assert ("serves what it has" in body) is (status_of_reads == 200)
    assert (
        f"was up to date {1:.0f} s ago, 300 s are allowed" in service.answer(after(1, replica(), gone), "/replica")[2]
    )
    # The limit counts from the last good look, not from one look to the next.
    assert service.answer(after(200, replica(), gone, gone), "/replica")[0] == 503
    assert service.answer(after(200, replica(), gone, replica(), gone), "/replica")[0] == 200
    assert service.answer(after(1, replica(), gone, max_stale=0), "/replica")[0] == 503


@pytest.mark.parametrize(
    "ill",
    [
        # Whoever was never seen up to date may hold anything.
        (lost(),),
        (replica(lag=60), lost()),
        (Failure("unreachable", "refused", "no"), lost()),
        # The applier stands still, or the replica takes writes.
        (replica(), lost(sql="No")),
        (replica(), lost(read_only=False)),
        (replica(), lost(errno=1236)),
        (replica(), Failure("unreachable", "refused", "no")),
    ],
)
def test_b1_a_replica_that_is_ill_itself_is_not_read_from(ill: tuple[Snapshot | Failure, ...]) -> None:
    assert service.answer(after(1, *ill), "/replica")[0] == 503


def test_b1_staleness_is_measured() -> None:
    assert "webcluster_replication_stale_seconds 12\n" in service.metrics(after(12, replica(), lost(), max_age=60))
    assert "webcluster_replication_replica 1\n" in service.metrics(after(12, replica(), lost()))
    assert "webcluster_replication_stale_seconds 0\n" in service.metrics(after(12, replica(), replica()))


# --- Over HTTP ----------------------------------------------------------------------------------------------------


class FakeProbe:
    """Gives what it holds; can be made to hang or to break."""

    def __init__(self, found: Snapshot | Failure) -> None:
        self.found = found
        self.hangs = threading.Event()
        self.breaks = ""
        self.closed = False

    def look(self, canary: Any = None) -> Look:
        del canary
        if self.breaks:
            raise RuntimeError(self.breaks)
        while self.hangs.is_set():
            time.sleep(0.02)
        return Look(self.found)

    def close(self) -> None:
        self.closed = True


class Running:
    def __init__(self, probe: FakeProbe, **settings: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.over = threading.Event()
        self.log: list[str] = []
        self.failed: list[BaseException] = []
        options = {"port": self.port, "interval": 0.05, "max_age": 0.5, **settings}
        self.thread = threading.Thread(target=self._run, args=(service.Settings(**options), probe), daemon=True)
        self.thread.start()

    def _run(self, settings: service.Settings, probe: FakeProbe) -> None:
        try:
            service.run(settings, probe, self.log.append, self.over)
        except RuntimeError as error:
            self.failed.append(error)

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def until(self, status: int, path: str) -> bool:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            try:
                if self.get(path)[0] == status:
                    return True
            except OSError:
                pass
            time.sleep(0.02)
        return False

    def stop(self) -> None:
        self.over.set()
        self.thread.join(5)


@pytest.fixture
def probe() -> FakeProbe:
    return FakeProbe(replica())


@pytest.fixture
def running(probe: FakeProbe, tmp_path: Path) -> Iterator[Running]:
    found = Running(probe, text_file=str(tmp_path / "replication.prom"))
    assert found.until(200, "/replica")
    yield found
    found.stop()


def test_the_answer_follows_the_server(running: Running, probe: FakeProbe, tmp_path: Path) -> None:
    assert running.get("/replica", "OPTIONS")[0] == 200
    assert running.get("/replica?x=1", "HEAD") == (200, "")
    assert running.get("/primary")[0] == 503
    assert running.get("/nothing")[0] == 404
    probe.found = primary()
    assert running.until(200, "/primary")
    probe.found = Failure("unreachable", "refused", "gone")
    assert running.until(503, "/primary")
    assert [line.split(":")[0] for line in running.log[1:]] == ["healthy", "unreachable"]
    assert "webcluster_replication_healthy 1" in (tmp_path / "replication.prom").read_text()


def test_a_look_that_hangs_is_not_served_as_healthy(running: Running, probe: FakeProbe) -> None:
    probe.hangs.set()
    assert running.until(503, "/replica")
    probe.hangs.clear()
    assert running.until(200, "/replica")


def test_a_look_that_breaks_ends_the_service(running: Running, probe: FakeProbe) -> None:
    probe.breaks = "a bug"
    running.thread.join(5)
    assert not running.thread.is_alive()
    assert str(running.failed[0]) == "a bug"
    with pytest.raises(OSError, match="refused"):
        running.get("/replica")


def test_it_says_good_bye_to_the_server(running: Running, probe: FakeProbe) -> None:
    running.stop()
    assert probe.closed


def test_a_text_file_that_cannot_be_written_is_no_reason_to_stop(probe: FakeProbe) -> None:
    found = Running(probe, text_file="/nowhere/replication.prom")
    try:
        assert found.until(200, "/replica")
        assert any("/nowhere/replication.prom cannot be written" in line for line in found.log)
    finally:
        found.stop()


def test_a_client_that_says_nothing_is_left(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.Handler, "timeout", 0.1)
    with socket.create_connection(("127.0.0.1", running.port), 5) as silent:
        assert silent.recv(10) == b""


@pytest.mark.parametrize("junk", [b"\r\n\r\n", b"\xff" * 70000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_junk_is_answered_or_dropped(running: Running, junk: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running.port), 5) as link:
        link.sendall(junk)
        link.settimeout(5)
        try:
            while link.recv(65536):
                pass
        except ConnectionResetError:
            pass
    assert running.get("/replica")[0] == 200


def test_more_clients_than_there_are_slots(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.Handler, "timeout", 1)
    links = [
        socket.create_connection(("127.0.0.1", running.port), 5) for _client in range(service.MOST_CONNECTIONS + 4)
    ]
    try:
        time.sleep(0.2)
        with pytest.raises((OSError, http.client.HTTPException)):
            running.get("/replica")
    finally:
        for link in links:
            link.close()
    assert running.until(200, "/replica")


def test_only_those_who_may_ask_are_answered() -> None:
    allow = (ipaddress.ip_network("10.0.0.4/32"), ipaddress.ip_network("fd00::/64"))
    server = service.Server(service.Board(service.Settings(port=0, allow=allow)))
    try:
        asked = {
            address: server.verify_request(None, (address, 1))
            for address in ("10.0.0.4", "10.0.0.5", "127.0.0.1", "fd00::5", "fd01::5", "fe80::1%eth0")
        }
    finally:
        server.server_close()
    assert [address for address, answered in asked.items() if answered] == ["10.0.0.4", "127.0.0.1", "fd00::5"]
