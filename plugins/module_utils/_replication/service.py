# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict over HTTP and as a Prometheus text file, from one look a second that everybody shares.

The role mysql_server installs this with the rest of the code; HAProxy asks /primary and /replica for status 200, people
and Prometheus /status and /metrics. An old look is never served as a good one. /replica is 404 on a primary: no place for
new readers, and no reason to cut off those that are there.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Union

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import Case
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import Expectation
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Failure, Raw, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import QUESTIONS
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.probe import Probe
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import report
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    CHECK_NAMES,
    STATES,
    Verdict,
    judge,
    judge_failure,
)

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# What the second-by-second look leaves out is for people. The binary log stays in: a full disk shows there first.
LEFT_OUT = ("status", "schemas", "rights", "writers", "group", "global_lock", "first_log")
EACH_SECOND = tuple(question for question in QUESTIONS if question.name not in LEFT_OUT)
# A primary takes writes when it is one and open; what else may be wrong with it is no reason to send them nowhere.
ONLY_WRITABLE = tuple(name for name in CHECK_NAMES if name not in ("reachable", "role", "read_only"))
# Without the primary's position, own writes of the time as primary look like errant ones.
NOT_ALONE = ("errant",)
# States of a replica whose primary is away, and the checks that say so: reads need not die with it.
LOST_ITS_PRIMARY = ("connecting", "stopped")
PRIMARY_IS_AWAY = ("io", "heartbeat")
# Seconds for which a replica that has become the primary is read from, so that all find it in its new place first.
FOUND_SECONDS = 2.5
# Seconds for which a primary that has closed is about to become a replica.
TURN_SECONDS = 5.0
MOST_CONNECTIONS = 32
REQUEST_SECONDS = 2.0


@dataclass(frozen=True)
class Settings:
    """max_age: seconds after which a look is worth nothing. max_stale: for how many seconds a replica that lost its primary is
    read from. allow: who may ask besides this host.
    """

    address: str = "127.0.0.1"
    port: int = 9200
    allow: tuple[Network, ...] = ()
    interval: float = 1.0
    max_age: float = 2.5
    max_lag: int = 10
    max_stale: float = 300.0
    text_file: str | None = None
    text_interval: float = 15.0


def parse_settings(raw: Mapping[str, Any]) -> Settings:
    """Return the settings of a file; raises ValueError or TypeError where it is not one of ours."""
    values = dict(raw)
    allow = tuple(ipaddress.ip_network(item, strict=False) for item in values.pop("allow", []))
    return Settings(allow=allow, **values)


@dataclass(frozen=True)
class Judged:
    """One look. begun: when it began. primary, replica: whether writes or reads may be sent here. own: the verdict on the
    role that the server has. stale: seconds since a replica that lost its primary was up to date.
    """

    begun: float
    primary: Verdict
    replica: Verdict
    own: Verdict
    snapshot: Snapshot | None = None
    stale: float = 0.0

    @property
    def up_to_date(self) -> bool:
        return self.replica.healthy and not self.stale


def judge_look(begun: float, found: Snapshot | Failure, settings: Settings, last_up_to_date: float | None) -> Judged:
    """Judge a look for both roles. last_up_to_date: when the last look began that saw a replica with its primary."""
    if isinstance(found, Failure):
        verdict = judge_failure(found)
        return Judged(begun, verdict, verdict, verdict)
    primary = judge(Case(found, Expectation(role="primary", ignore_checks=ONLY_WRITABLE), Comparison()))
    if primary.healthy and found.read_only is None:
        primary = judge_failure(Failure("unsupported", "other", "whether this server accepts writes cannot be seen"))
    expect = Expectation(role="replica", max_lag=settings.max_lag, ignore_checks=NOT_ALONE)
    replica = judge(Case(found, expect, Comparison()))
    if not found.channels:
        return Judged(begun, primary, replica, primary, found)
    if replica.state in LOST_ITS_PRIMARY and last_up_to_date is not None:
        without = replace(expect, ignore_checks=(*NOT_ALONE, *PRIMARY_IS_AWAY))
        stale = begun - last_up_to_date
        if stale <= settings.max_stale and judge(Case(found, without, Comparison())).healthy:
            message = (
                f"this replica was up to date {stale:.0f} s ago, {settings.max_stale:g} s are allowed, and serves what it has;"
                f" {replica.message}"
            )
            return Judged(begun, primary, Verdict("healthy", message), replica, found, stale)
    return Judged(begun, primary, replica, replica, found)


def stale(age: float | None) -> Verdict:
    message = "no look has been made yet" if age is None else f"the last look is {age:.1f} s old"
    return judge_failure(Failure("unreachable", "stale", message, "See the log of webcluster-status."))


@dataclass
class Board:
    """The newest look, shared by the watcher and the answers."""

    settings: Settings
    clock: Callable[[], float] = time.monotonic
    newest: Judged | None = None
    looks: int = 0
    last_up_to_date: float | None = None
    # When the last look began after which reads, or writes, might be sent here.
    last_readable: float | None = None
    last_writable: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, begun: float, found: Snapshot | Failure) -> Judged:
        """Judge a look, and let everybody see it."""
        judged = judge_look(begun, found, self.settings, self.last_up_to_date)
        with self._lock:
            self.newest = judged
            self.looks += 1
            if judged.up_to_date:
                self.last_up_to_date = begun
            if judged.replica.healthy:
                self.last_readable = begun
            if judged.primary.healthy:
                self.last_writable = begun
        return judged

    def age(self) -> float | None:
        newest = self.newest
        return self.clock() - newest.begun if newest else None

    def current(self) -> Judged:
        """Return the newest look, or in its place a refusal when it is too old."""
        newest, age = self.newest, self.age()
        if newest is None or age is None or age > self.settings.max_age:
            refusal = stale(age)
            return Judged(newest.begun if newest else 0.0, refusal, refusal, refusal)
        return newest


def keep_looking(board: Board, probe: Probe, over: threading.Event, log: Callable[[str], None]) -> None:
    """Look again and again until it is over."""
    said, written = "", float("-inf")
    while not over.is_set():
        begun = board.clock()
        judged = board.put(begun, probe.look().found)
        saying = f"{judged.own.state}: {judged.own.message}"
        if judged.own.state != said:
            log(saying)
            said = judged.own.state
        if board.settings.text_file and begun - written >= board.settings.text_interval:
            written = begun
            try:
                write_text(board.settings.text_file, metrics(board))
            except OSError as error:
                log(f"{board.settings.text_file} cannot be written: {error.strerror}")
        over.wait(max(0.0, board.settings.interval - (board.clock() - begun)))
    probe.close()


def write_text(path: str, text: str) -> None:
    """Replace a file in one step, so that nobody reads half of it."""
    new = f"{path}.new"
    with open(new, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(new, path)


# --- What is told ---------------------------------------------------------------------------------------------------


def sentence(verdict: Verdict) -> str:
    hint = verdict.findings[0].hint if verdict.findings and not verdict.healthy else None
    return f"{verdict.state}: {verdict.message}" + (f" - {hint}" if hint else "") + "\n"


def as_report(judged: Judged) -> Raw:
    found = report("mysql", judged.own, judged.snapshot, Comparison())
    return {name: value for name, value in found.items() if name not in ("raw", "canary", "waited", "attempts", "data")}


def _escaped(value: Any) -> str:
    return str(value or "").replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def metrics(board: Board) -> str:
    """Return the newest verdict in Prometheus' text format."""
    judged, age = board.current(), board.age()
    own, snapshot = judged.own, judged.snapshot
    lines: list[str] = []

    def tell(name: str, kind: str, text: str, *values: tuple[str, float | int | None]) -> None:
        shown = [
            f"webcluster_replication_{name}{labels} {float(value):g}" for labels, value in values if value is not None
        ]
        if shown:
            lines.extend(
                [f"# HELP webcluster_replication_{name} {text}", f"# TYPE webcluster_replication_{name} {kind}", *shown]
            )

    tell("healthy", "gauge", "Whether the server does well in the role that it has.", ("", int(own.healthy)))
    tell("primary", "gauge", "Whether writes may be sent here.", ("", int(judged.primary.healthy)))
    tell("replica", "gauge", "Whether reads may be sent here as to a replica.", ("", int(judged.replica.healthy)))
    tell(
        "state",
        "gauge",
        "1 for the state that the server is in.",
        *((f'{{state="{state}"}}', int(own.state == state)) for state in STATES),
    )
    tell("look_age_seconds", "gauge", "Seconds since the newest look began.", ("", age))
    tell("looks_total", "counter", "Looks since the start.", ("", board.looks))
    if snapshot:
        first = snapshot.channels[0] if snapshot.channels else None
        about = ",".join(
            f'{name}="{_escaped(value)}"'
            for name, value in (
                ("flavor", snapshot.flavor),
                ("version", snapshot.version),
                ("role", snapshot.role),
                ("source", first.host if first else ""),
            )
        )
        tell("server_info", "gauge", "What the server is.", (f"{{{about}}}", 1))
        tell("read_only", "gauge", "Whether the server refuses writes.", ("", snapshot.read_only))
        tell("lag_seconds", "gauge", "Seconds behind; absent unless all threads run.", ("", snapshot.lag_seconds))
        tell(
            "stale_seconds",
            "gauge",
            "Seconds since a replica that lost its primary was up to date.",
            ("", judged.stale),
        )
        tell(
            "replicas",
            "gauge",
            "Replicas that are connected here.",
            ("", len(snapshot.replicas) if snapshot.replicas is not None else None),
        )
        ages = [channel.io.heartbeat_age for channel in snapshot.channels if channel.io.heartbeat_age is not None]
        tell(
            "heartbeat_age_seconds",
            "gauge",
            "Seconds since the primary was heard.",
            ("", max([*ages, *snapshot.link_ages], default=None)),
        )
    return "\n".join([*lines, ""])


def replica_status(board: Board, judged: Judged) -> int:
    """Return 200 where readers may come, 404 where they may stay, else 503."""
    if judged.replica.healthy:
        return 200
    if judged.snapshot is None:
        return 503
    if judged.primary.healthy:
        found = board.last_readable is None or judged.begun - board.last_readable > FOUND_SECONDS
        return 404 if found else 200
    turns = board.last_writable is not None and judged.begun - board.last_writable <= TURN_SECONDS
    return 404 if turns else 503


def answer(board: Board, path: str) -> tuple[int, str, str]:
    """Return status, content type and body for a path."""
    judged = board.current()
    if path == "/primary":
        return 200 if judged.primary.healthy else 503, "text/plain", sentence(judged.primary)
    if path == "/replica":
        return replica_status(board, judged), "text/plain", sentence(judged.replica)
    if path == "/metrics":
        return 200, "text/plain; version=0.0.4", metrics(board)
    if path == "/status":
        return 200 if judged.own.healthy else 503, "application/json", json.dumps(as_report(judged), indent=2) + "\n"
    return 404, "text/plain", "Here are /primary, /replica, /status and /metrics only.\n"


# --- Over HTTP ------------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """Answers one request and hangs up."""

    timeout = REQUEST_SECONDS
    server_version = "webcluster-status"
    sys_version = ""
    server: Server

    def do_GET(self) -> None:
        status, kind, body = answer(self.server.board, self.path.partition("?")[0])
        data = body.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind == "text/plain" else kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_OPTIONS(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        """A line for each health check would be all that the log holds."""


class Server(HTTPServer):
    """Answers several at once, not more than a few, and only those who may ask."""

    request_queue_size = 64
    # From Linux' headers: an address may be listened at before the network has it.
    IP_FREEBIND = 15

    def __init__(self, board: Board) -> None:
        self.board = board
        self.slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        settings = board.settings
        self.address_family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
        super().__init__((settings.address, settings.port), Handler)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IP, self.IP_FREEBIND, 1)
        # The parent's own one looks the name up, which can take long.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address[:2])
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:
        del request
        peer = ipaddress.ip_address(str(client_address[0]).partition("%")[0])
        return (
            peer.is_loopback
            or str(peer) == self.server_name
            or any(peer in network for network in self.board.settings.allow)
        )

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self.slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        threading.Thread(target=self._serve, args=(request, client_address), daemon=True).start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            with contextlib.suppress(OSError):
                self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)
            self.slots.release()


def run(settings: Settings, probe: Probe, log: Callable[[str], None], over: threading.Event | None = None) -> None:
    """Look and answer until it is over; what goes wrong with the looks ends it, so that it is started anew."""
    board = Board(settings)
    server = Server(board)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log(f"listening at {settings.address}, port {server.server_port}")
    try:
        keep_looking(board, probe, over or threading.Event(), log)
    finally:
        server.shutdown()
        server.server_close()
