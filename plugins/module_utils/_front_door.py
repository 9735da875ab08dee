# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the cluster as a visitor does, through the load balancer. Private to the collection: may change at any time."""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import socket
import ssl
import typing as t
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._mounts import MountedFolder

MAX_BODY = 1024 * 1024
SERVER_HEADER = "x-served-by"
# Between two questions while something is still missing.
PAUSE = 0.25
# Questions at the same time, once asking one by one has not found every server.
AT_ONCE = 16
# For how long a site may answer otherwise, in seconds: servers may just have read what they serve.
SITE_WAIT = 3.0
# Share of a certificate's life after which it should have been renewed: a third was left for that.
LATE = 0.2
# Where a web server tells what a site sees of its own, to programs on the same host.
OWN_VIEW = "/.well-known/webcluster/site"


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

    def __call__(self, method: str, path: str, data: Mapping[str, str] | None = None, host: str = "") -> Answer: ...


@dataclass
class Reason:
    """One finding: which check, how bad, what was seen, what to do."""

    check: str
    severity: str
    message: str
    hint: str

    def as_dict(self) -> dict[str, str]:
        return {"check": self.check, "severity": self.severity, "message": self.message, "hint": self.hint}


class ExpectedCertificate(t.TypedDict):
    """A host name, and the SHA-256 fingerprints of which one must be shown for it; without one, what browsers trust."""

    name: str
    fingerprints: list[str]
    # Those that are trusted beside the system's, in PEM.
    authorities: str


class Site(t.TypedDict):
    """A site, the name it is asked by, and what it answers when it works."""

    name: str
    # Empty where any name will do.
    host: str
    path: str
    status: int
    text: str
    # Empty where any release will do; the site's own view tells it.
    release: str


class SiteLook(t.TypedDict):
    """What was seen of a site; what is wrong with it, empty when nothing is, and its own view where it was asked for."""

    ok: bool
    problem: str
    status: int | None
    own: dict[str, t.Any]


@dataclass
class Look:
    """Everything that was seen."""

    reasons: list[Reason] = field(default_factory=list)
    servers: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    requests: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    item: dict[str, t.Any] = field(default_factory=dict)
    sites: dict[str, SiteLook] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not any(reason.severity == "error" for reason in self.reasons)


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
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._base = parts.path.rstrip("/")
        self._timeout = timeout
        self._clock = clock or Clock()
        self._context: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._context = ssl.create_default_context()
            if not validate_certs:
                self._context.check_hostname = False
                self._context.verify_mode = ssl.CERT_NONE

    def __call__(self, method: str, path: str, data: Mapping[str, str] | None = None, host: str = "") -> Answer:
        deadline = self._clock.now() + self._timeout
        connection: http.client.HTTPConnection | None = None
        headers = {
            "Accept": "application/json, text/plain, */*",
            "Connection": "close",
            "User-Agent": "siteops.webcluster front_door",
        }
        if host:
            headers["Host"] = host
        body = None
        if data is not None:
            body = json.dumps(data).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection = self._connect(host or self._host)
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
            if connection:
                connection.close()

    def _connect(self, name: str) -> http.client.HTTPConnection:
        """Connect; over TLS as somebody who asks for that name, whatever the address."""
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout)
        with ExitStack() as stack:
            raw = stack.enter_context(socket.create_connection((self._host, self._port), self._timeout))
            connection.sock = self._context.wrap_socket(raw, server_hostname=name)
            stack.pop_all()
        return connection

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
    problem = ""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while True:
            # Whoever is busy with a long request gets no other one while somebody is free: then let all have some.
            at_once = AT_ONCE if look.requests >= attempts and not problem else 1
            problem = ""
            for server, wrong in threads.map(lambda _number: _ask_who_answers(ask), range(at_once)):
                look.requests += 1
                if wrong:
                    problem = wrong
                    look.failures[wrong] = look.failures.get(wrong, 0) + 1
                else:
                    look.servers[server] = look.servers.get(server, 0) + 1
            look.missing = sorted(set(expect) - set(look.servers))
            done = bool(look.servers) and not look.missing
            # When the time is over, a failure ends the look: requests that hang must not add up.
            if done or (clock.now() >= end and (problem or look.requests >= attempts)):
                break
            if problem or look.requests >= attempts:
                clock.sleep(PAUSE)
    _judge_servers(look, expect)


def _ask_who_answers(ask: Ask) -> tuple[str, str]:
    """The name of the web server that has answered well, or else what was wrong."""
    try:
        answer = ask("GET", "/healthz")
    except FrontDoorError as error:
        return "", str(error)
    if answer.status != 200:
        return "", f"status {answer.status}"
    return answer.server, "" if answer.server else "no header X-Served-By"


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
    ask: Ask,
    look: Look,
    wait: float,
    clock: Clock,
    expect_replica: bool = True,
    token: str | None = None,
    host: str = "",
) -> None:
    """Write one item through the page, then see it in the replica and in Redis."""
    text = f"front door check {token or secrets.token_hex(6)}"
    look.item = {"text": text, "id": None, "written_by": None, "written_to": None}
    look.item["replica"] = {"seen": False, "latency_ms": None, "host": None, "role": None}
    look.item["cache"] = {"seen": False, "latency_ms": None}
    try:
        answer = ask("POST", "/api/items", {"text": text}, host)
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
    seen = _wait_for(ask, f"{path}?from=replica", text, wait, clock, "replica" if expect_replica else None, host)
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
    filled = _wait_for(ask, f"{path}?from=auto", text, wait, clock, host=host)
    seen = _wait_for(ask, f"{path}?from=cache", text, wait, clock, host=host) if filled.found else filled
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


def _wait_for(
    ask: Ask, path: str, text: str, wait: float, clock: Clock, role: str | None = None, host: str = ""
) -> _Seen:
    """Repeat a question until the item is there, and from a server in this role: the proxies need a moment to see a new replica."""
    start = clock.now()
    while True:
        try:
            answer = ask("GET", path, None, host)
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
    said = str(error or "")[:200].rstrip(".")
    return f"status {answer.status}{_sent_to(answer)}{server}" + (f" ({said})" if said else "")


def _sent_to(answer: Answer) -> str:
    """Where a visitor is sent, such as to HTTPS."""
    place = answer.headers.get("location", "")[:200]
    return f", which sends to {place}" if place and 300 <= answer.status < 400 else ""


def shown_fingerprint(address: str, port: int, name: str, timeout: float) -> str:
    """Ask for a name over TLS, whoever has signed its certificate, and return that one's SHA-256 fingerprint."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), timeout) as raw,
            context.wrap_socket(raw, server_hostname=name) as connection,
        ):
            return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
    except OSError as error:
        raise translate(error) from error


def distrust(address: str, port: int, name: str, authorities: str, timeout: float, now: float) -> str:
    """Ask for a name over TLS as a browser does; return why it would warn, or will soon. Empty where all is well."""
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(cadata=authorities)
    try:
        with (
            socket.create_connection((address, port), timeout) as raw,
            context.wrap_socket(raw, server_hostname=name) as connection,
        ):
            shown = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return f"browsers warn of its certificate, {error.verify_message}"
    except OSError as error:
        raise translate(error) from error
    begins, ends = (ssl.cert_time_to_seconds(str(shown[end])) for end in ("notBefore", "notAfter"))
    if now < ends - (ends - begins) * LATE:
        return ""
    return f"its certificate ends in {(ends - now) / 86400:.1f} days and was not renewed"


def look_at_certificates(
    fingerprint: t.Callable[[str], str],
    distrusted: t.Callable[[str, str], str],
    look: Look,
    certificates: Sequence[ExpectedCertificate],
) -> None:
    """See for each name whether clients are shown one of the certificates that are meant for it."""
    for expected in certificates:
        name = expected["name"]
        try:
            if not expected["fingerprints"]:
                problem = distrusted(name, expected["authorities"])
            else:
                found = fingerprint(name)
                problem = "" if found in expected["fingerprints"] else f"another certificate is shown, {found[:16]}..."
        except FrontDoorError as error:
            problem = str(error)
        look.certificates[name] = problem
        if problem:
            look.reasons.append(
                Reason(
                    "certificate",
                    "error",
                    f"Whoever asks for https://{name} is not shown its certificate: {problem}.",
                    "Run site.yml, which gives the load balancer the certificates of the inventory.",
                )
            )


def look_at_sites(ask: Ask, look: Look, sites: Sequence[Site], own_view: bool, wait: float, clock: Clock) -> None:
    """Ask for each site by its own name; where the web server itself is asked, for what the site sees too."""
    for site in sites:
        end = clock.now() + min(wait, SITE_WAIT)
        while True:
            found = _look_at_site(ask, site, own_view)
            if found["ok"] or clock.now() >= end:
                break
            clock.sleep(PAUSE)
        look.sites[site["name"]] = found
        if not found["ok"]:
            look.reasons.append(
                Reason(
                    "site",
                    "error",
                    f"Site {site['name']} does not work: {found['problem']}.",
                    "Look at its release, and at Apache's and PHP-FPM's logs on the web servers.",
                )
            )


def look_at_mounts(problem_of: t.Callable[[MountedFolder], str], look: Look, folders: Sequence[MountedFolder]) -> None:
    """See whether what other servers hold of the sites is there; pages that need it fail, and others do not."""
    for folder in folders:
        problem = problem_of(folder)
        if problem:
            found = look.sites.setdefault(folder.site, {"ok": False, "problem": "", "status": None, "own": {}})
            found["ok"] = False
            found["problem"] = "; ".join(filter(None, [found["problem"], problem]))
            look.reasons.append(
                Reason(
                    "site",
                    "error",
                    f"Site {folder.site} does not work: {problem}.",
                    "Look whether the server that holds it runs, and lets this host in.",
                )
            )


def _look_at_site(ask: Ask, site: Site, own_view: bool) -> SiteLook:
    found: SiteLook = {"ok": False, "problem": "", "status": None, "own": {}}
    try:
        answer = ask("GET", site["path"], None, site["host"])
        found["status"] = answer.status
        if answer.status != site["status"]:
            found["problem"] = f"{site['path']} answers {answer.status}{_sent_to(answer)}, expected {site['status']}"
        elif site["text"].encode() not in answer.body:
            found["problem"] = f"{site['path']} answers without the text {site['text']!r}"
        if own_view:
            found["own"], problem = _own_view(ask, site)
            found["problem"] = "; ".join(filter(None, [found["problem"], problem]))
    except FrontDoorError as error:
        found["problem"] = f"{site['path']}: {error}"
    found["ok"] = not found["problem"]
    return found


def _own_view(ask: Ask, site: Site) -> tuple[dict[str, t.Any], str]:
    """What the site sees of its databases, as its own users."""
    answer = ask("GET", OWN_VIEW, None, site["host"])
    seen = answer.json()
    if answer.status != 200 or seen.get("site") != site["name"]:
        return {}, f"its PHP does not answer ({_say(answer)})"
    if site["release"] not in ("", seen.get("release")):
        return seen, f"it runs release {seen.get('release') or 'none'}, expected {site['release']}"
    looks: dict[str, dict[str, t.Any]] = seen.get("looks") or {}
    wrong = [
        f"{name} ({str(look.get('error'))[:200].rstrip('.')})" for name, look in looks.items() if not look.get("ok")
    ]
    return seen, f"it cannot use {', '.join(wrong)}" if wrong else ""
