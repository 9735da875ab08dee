# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bounded load on the cluster's front door that keeps what became of each request."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

# No run asks longer or more than this, whatever it waits for.
MOST_SECONDS = 1800.0
MOST_PER_SECOND = 200
KEPT_RATE = 5


@dataclass(frozen=True)
class Answer:
    """One request and what came of it; begin is of time.monotonic(), status 0 stands for no answer at all."""

    kind: str
    begin: float
    seconds: float
    status: int
    reason: str = ""
    text: str = ""

    @property
    def good(self) -> bool:
        return 200 <= self.status < 400


@dataclass
class Load:
    """Reads and writes at a steady rate: with Load("10.0.0.52", reads=20, writes=5) as load: ...; load.answers after.

    Each comes on a connection of its own; a kept client asks over and over on one that it keeps, KEPT_RATE times a second.
    """

    address: str
    reads: int = 20
    writes: int = 5
    kept: int = 0
    read_path: str = "/api/items"
    # The name by which it asks; empty for the address.
    host: str = ""
    # Over TLS, whatever certificate is shown.
    tls: bool = False
    timeout: float = 15.0
    # What its texts begin with; another for each load whose writes are told apart.
    name: str = "load"
    answers: list[Answer] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Load:
        rate = self.reads + self.writes + self.kept * KEPT_RATE
        if rate > MOST_PER_SECOND:
            raise ValueError(f"At most {MOST_PER_SECOND} requests a second; asked for {rate}.")
        self._threads = [threading.Thread(target=self._pace, args=("read", self.reads), daemon=True)] * bool(self.reads)
        if self.writes:
            self._threads.append(threading.Thread(target=self._pace, args=("write", self.writes), daemon=True))
        self._threads += [threading.Thread(target=self._keep_asking, daemon=True) for _client in range(self.kept)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask no more, and wait for what is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _pace(self, kind: str, rate: int) -> None:
        """Send each request at its time, whether the one before has come back or not."""
        begin, sent, pending = time.monotonic(), 0, set[threading.Thread]()
        while not self._stop.wait(max(0.0, begin + sent / rate - time.monotonic())):
            if time.monotonic() > begin + MOST_SECONDS:
                break
            sent += 1
            thread = threading.Thread(target=self._request, args=(kind,), daemon=True)
            thread.start()
            pending = {each for each in pending if each.is_alive()} | {thread}
        for thread in pending:
            thread.join()

    def _keep_asking(self) -> None:
        """Read again and again, a request after the other, on one connection for as long as the server keeps it."""
        connection = self._connection()
        end = time.monotonic() + MOST_SECONDS
        while not self._stop.wait(1 / KEPT_RATE) and time.monotonic() < end:
            self._ask("read", connection)
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.address, timeout=self.timeout)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(self.address, timeout=self.timeout, context=context)

    def _request(self, kind: str) -> None:
        connection = self._connection()
        self._ask(kind, connection)
        connection.close()

    def _ask(self, kind: str, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._number += 1
            text = f"{self.name} {self._number}"
        begin = time.monotonic()
        status, reason = 0, ""
        try:
            headers = {"Host": self.host} if self.host else {}
            if kind == "write":
                body, headers = json.dumps({"text": text}), {**headers, "Content-Type": "application/json"}
                connection.request("POST", "/api/items", body=body, headers=headers)
            else:
                connection.request("GET", self.read_path, headers=headers)
            response = connection.getresponse()
            content = response.read()
            status = response.status
            reason = "" if status < 400 else content.decode("utf-8", "replace")[:200]
        except (OSError, http.client.HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"
            # The next request opens it anew.
            connection.close()
        answer = Answer(kind, begin, time.monotonic() - begin, status, reason, text if kind == "write" else "")
        with self._lock:
            self.answers.append(answer)

    def of(self, kind: str) -> list[Answer]:
        return [answer for answer in self.answers if answer.kind == kind]

    def acknowledged(self) -> set[str]:
        """The texts whose writing was answered with success."""
        return {answer.text for answer in self.of("write") if answer.good}


def failures(answers: Sequence[Answer]) -> Counter[str]:
    """How often requests failed in which way."""
    return Counter(f"{answer.status} {answer.reason}".strip() for answer in answers if not answer.good)


def milliseconds(answers: Sequence[Answer], share: float) -> int:
    """How long this share of the requests took at most."""
    taken = sorted(answer.seconds for answer in answers)
    return round(taken[min(len(taken) - 1, int(len(taken) * share))] * 1000) if taken else 0


# Of a load: requests, failures, and how long half and all but a hundredth of them took at most.
FIGURES = ("requests", "failed", "p50", "p99")


def figures(answers: Sequence[Answer]) -> list[object]:
    """Return what FIGURES names."""
    times = [f"{milliseconds(answers, share)} ms" for share in (0.5, 0.99)]
    return [len(answers), failures(answers).total(), *times]


def longest_outage(answers: Sequence[Answer]) -> float:
    """Seconds between the last good answer before a failed request and the first good one after it, at most."""
    worst = 0.0
    failed_since: float | None = None
    last_good: float | None = None
    for answer in sorted(answers, key=lambda each: each.begin):
        if not answer.good and failed_since is None:
            failed_since = last_good if last_good is not None else answer.begin
        if answer.good:
            if failed_since is not None:
                worst = max(worst, answer.begin - failed_since)
                failed_since = None
            last_good = answer.begin
    return worst
