# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the cluster as a visitor does, through the load balancer. Private to the collection: may change at any time."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import ssl
import time
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MAX_BODY = 1024 * 1024
SERVER_HEADER = "x-served-by"
# Between two questions while something is still missing.
PAUSE = 0.25


class FrontDoorError(Exception):
    """No answer. kind: refused, timeout, name, tls, truncated, too_big or garbage."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass
class Answer:
    """A complete HTTP answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def server(self) -> str:
        return self.headers.get(SERVER_HEADER, "")

    def json(self) -> dict[str, t.Any]:
        """Return the body as an object; an empty one when it is something else."""
        try:
            data = json.loads(self.body)
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


class Ask(t.Protocol):
    """Sends one request and returns the answer or raises FrontDoorError."""

    def __call__(self, method: str, path: str, data: Mapping[str, str] | None = None) -> Answer: ...


@dataclass
class Reason:
    """One finding: which check, how bad, what was seen, what to do."""

    check: str
    severity: str
    message: str
    hint: str

    def as_dict(self) -> dict[str, str]:
        return {"check": self.check, "severity": self.severity, "message": self.message, "hint": self.hint}


@dataclass
class Look:
    """Everything that was seen."""

    reasons: list[Reason] = field(default_factory=list)
    servers: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    requests: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    item: dict[str, t.Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not any(reason.severity == "error" for reason in self.reasons)


@dataclass
class Clock:
    """Time, replaceable in tests."""

    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


def check_url(url: str) -> str:
    """Return the sentence that says what is wrong with the address; empty when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"url: {url!r} is not an address: give one like http://10.0.0.52/."
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f"url: {url!r} is not a web address: give one like http://10.0.0.52/."
    if parts.query or parts.fragment or parts.username or parts.password:
        return f"url: expected scheme, host, port and path only, got {parts.scheme}://{parts.hostname} with more: remove the rest."
    return ""


class HttpAsk:
    """One connection for each request, so that the load balancer chooses anew; bounded in time and size, no proxy."""

    def __init__(self, url: str, timeout: float, validate_certs: bool = True, clock: Clock | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._base = parts.path.rstrip("/")
        self._timeout = timeout
        self._clock = clock or Clock()
        self._context: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._context = ssl.create_default_context()
            if not validate_certs:
                self._context.check_hostname = False
                self._context.verify_mode = ssl.CERT_NONE

    def __call__(self, method: str, path: str, data: Mapping[str, str] | None = None) -> Answer:
        deadline = self._clock.now() + self._timeout
        if self._context is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        else:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._context
            )
        headers = {
            "Accept": "application/json, text/plain, */*",
            "Connection": "close",
            "User-Agent": "siteops.webcluster front_door",
        }
        body = None
        if data is not None:
            body = json.dumps(data).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._base + path, body=body, headers=headers)
            with connection.getresponse() as response:
                return Answer(
                    response.status,
                    {name.lower(): value for name, value in response.getheaders()},
                    self._read(response, deadline),
                )
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise translate(error) from error
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        expected = response.length
        while expected is None or size < expected:
            if self._clock.now() > deadline:
                # A server that sends a byte now and then never runs into the socket's own limit.
                raise socket.timeout("the answer did not end in time")
            part = response.read1(65536)
            if not part:
                break
            size += len(part)
            if size > MAX_BODY:
                raise FrontDoorError("too_big", f"the answer is larger than {MAX_BODY} bytes")
            parts.append(part)
        if expected is not None and size < expected:
            raise http.client.IncompleteRead(b"", expected - size)
        return b"".join(parts)


def translate(error: Exception) -> FrontDoorError:
    """Turn what Python raises into one word and one sentence."""
    if isinstance(error, socket.timeout):
        return FrontDoorError("timeout", "no complete answer within the time limit")
    if isinstance(error, ssl.SSLError):
        return FrontDoorError("tls", f"TLS failed: {getattr(error, 'verify_message', '') or error.reason or error}")
    if isinstance(error, socket.gaierror):
        return FrontDoorError("name", "the host name cannot be resolved")
    if isinstance(error, ConnectionRefusedError):
        return FrontDoorError("refused", "connection refused")
    if isinstance(error, http.client.IncompleteRead):
        return FrontDoorError("truncated", "the answer broke off in the middle")
    if isinstance(error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
        return FrontDoorError("truncated", "the connection was closed without an answer")
    if isinstance(error, (http.client.HTTPException, ValueError)):
        return FrontDoorError("garbage", "the answer is not HTTP")
    return FrontDoorError("refused", f"no connection: {getattr(error, 'strerror', None) or error}")


def look_at_servers(ask: Ask, look: Look, expect: Sequence[str], attempts: int, wait: float, clock: Clock) -> None:
    """Ask until every expected server has answered: at least `attempts` times, and on until `wait` seconds are over."""
    end = clock.now() + wait
    while True:
        look.requests += 1
        problem = ""
        try:
            answer = ask("GET", "/healthz")
        except FrontDoorError as error:
            problem = str(error)
        else:
            if answer.status != 200:
                problem = f"status {answer.status}"
            elif not answer.server:
                problem = "no header X-Served-By"
            else:
                look.servers[answer.server] = look.servers.get(answer.server, 0) + 1
        if problem:
            look.failures[problem] = look.failures.get(problem, 0) + 1
        look.missing = sorted(set(expect) - set(look.servers))
        done = bool(look.servers) and not look.missing
        # When the time is over, a failure ends the look: requests that hang must not add up.
        if done or (clock.now() >= end and (problem or look.requests >= attempts)):
            break
        if problem or look.requests >= attempts:
            clock.sleep(PAUSE)
    _judge_servers(look, expect)


def _judge_servers(look: Look, expect: Sequence[str]) -> None:
    failed = sum(look.failures.values())
    seen = "; ".join(f"{text} ({count} times)" for text, count in sorted(look.failures.items()))
    if not look.servers:
        look.reasons.append(
            Reason(
                "reachable",
                "error",
                f"The front door gave no good answer to {look.requests} requests: {seen}.",
                "Check that the load balancer runs, that its port is open from here, and that it holds a web server to be up.",
            )
        )
        return
    if look.missing:
        look.reasons.append(
            Reason(
                "servers",
                "error",
                f"Web servers that did not answer: {', '.join(look.missing)}; {look.requests} requests were answered by "
                f"{', '.join(sorted(look.servers))}.",
                "Look at the load balancer's statistics page, and at /healthz on the missing servers themselves. "
                "With stickiness by source address one visitor meets only one server: then expect none by name.",
            )
        )
    if failed:
        look.reasons.append(
            Reason(
                "answers",
                "warning",
                f"{failed} of {look.requests} requests failed: {seen}.",
                "Normal for some seconds after a start; else look at the load balancer's log.",
            )
        )
    strangers = sorted(set(look.servers) - set(expect)) if expect else []
    if strangers:
        look.reasons.append(
            Reason(
                "strangers",
                "warning",
                f"Web servers that nobody expected answered: {', '.join(strangers)}.",
                "Add them to expect_servers, or take them out of the load balancer.",
            )
        )


def look_at_item(
    ask: Ask, look: Look, wait: float, clock: Clock, expect_replica: bool = True, token: str | None = None
) -> None:
    """Write one item through the page, then see it in the replica and in Redis."""
    text = f"front door check {token or secrets.token_hex(6)}"
    look.item = {"text": text, "id": None, "written_by": None, "written_to": None}
    look.item["replica"] = {"seen": False, "latency_ms": None, "host": None, "role": None}
    look.item["cache"] = {"seen": False, "latency_ms": None}
    try:
        answer = ask("POST", "/api/items", {"text": text})
    except FrontDoorError as error:
        problem = str(error)
    else:
        data = answer.json()
        problem = "" if answer.status == 201 and isinstance(data.get("id"), int) else _say(answer)
        look.item.update(id=data.get("id"), written_by=data.get("server"), written_to=data.get("written_to"))
    if problem:
        look.reasons.append(
            Reason(
                "item_write",
                "error",
                f"No item could be written through the page: {problem}.",
                "Check the MySQL primary, the application's account, and the loopback proxy's write port on the web servers.",
            )
        )
        return
    path = f"/api/items/{look.item['id']}"
    seen = _wait_for(ask, f"{path}?from=replica", text, wait, clock, "replica" if expect_replica else None)
    look.item["replica"].update(
        seen=seen.found, latency_ms=seen.latency_ms, host=seen.data.get("mysql_host"), role=seen.data.get("mysql_role")
    )
    if not seen.found:
        look.reasons.append(
            Reason(
                "item_replica",
                "error",
                f"Item {look.item['id']} was written to {look.item['written_to']}, but could not be read back from the replica "
                f"within {wait:g} s: {seen.problem}.",
                "Ask replication_status on the replica, and look at the loopback proxy's read port on the web servers.",
            )
        )
    elif seen.data.get("mysql_role") == "primary" and expect_replica:
        look.reasons.append(
            Reason(
                "item_replica",
                "error",
                f"The read port led to {seen.data.get('mysql_host')}, which accepts writes: no replica took part.",
                "Check that a replica is healthy; the proxy falls back to the primary when none is.",
            )
        )
    # The first read through the cache fills it, as a visitor's would.
    filled = _wait_for(ask, f"{path}?from=auto", text, wait, clock)
    seen = _wait_for(ask, f"{path}?from=cache", text, wait, clock) if filled.found else filled
    look.item["cache"].update(seen=seen.found, latency_ms=seen.latency_ms if seen.found else None)
    if not seen.found:
        look.reasons.append(
            Reason(
                "item_cache",
                "error",
                f"Item {look.item['id']} could not be read back from Redis within {wait:g} s: {seen.problem}.",
                "Ask replication_status on the Redis servers, and check the application's Redis account and the loopback proxy's Redis ports.",
            )
        )


@dataclass
class _Seen:
    found: bool
    latency_ms: int | None
    problem: str
    data: dict[str, t.Any]


def _wait_for(ask: Ask, path: str, text: str, wait: float, clock: Clock, role: str | None = None) -> _Seen:
    """Repeat a question until the item is there, and from a server in this role: the proxies need a moment to see a new replica."""
    start = clock.now()
    while True:
        try:
            answer = ask("GET", path)
        except FrontDoorError as error:
            problem = str(error)
        else:
            data = answer.json()
            late = clock.now() - start >= wait
            if answer.status == 200 and data.get("text") == text and (late or role in (None, data.get("mysql_role"))):
                return _Seen(True, round((clock.now() - start) * 1000), "", data)
            problem = "its text is another one" if answer.status == 200 and "text" in data else _say(answer)
        if clock.now() - start >= wait:
            return _Seen(False, None, problem, {})
        clock.sleep(PAUSE / 5)


def _say(answer: Answer) -> str:
    """Return a short text about an answer that is not the wanted one."""
    error = answer.json().get("error")
    server = f" from {answer.server}" if answer.server else ""
    return f"status {answer.status}{server}" + (f" ({str(error)[:200].rstrip('.')})" if error else "")
