# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that hold a connection to a web server and send next to nothing; bounded in number and time."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

MOST_CLIENTS = 100
MOST_SECONDS = 90.0
PAUSE = 0.5
# What a client says before it gets slow.
SILENT = b""
HEADER = b"GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: "


def body(path: str, at_once: int = 0) -> bytes:
    """A body of which some comes at once."""
    head = f"POST {path} HTTP/1.1\r\nHost: slow\r\nContent-Type: text/plain\r\nContent-Length: 500000\r\n\r\n"
    return head.encode() + b"x" * at_once


@dataclass
class SlowClients:
    """with SlowClients(address, 40, body("/"), 600) as slow: ...; slow.answers has the first line that each got at its end."""

    address: str
    count: int
    begin: bytes
    bytes_per_second: int
    answers: list[str] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> SlowClients:
        if self.count > MOST_CLIENTS:
            raise ValueError(f"At most {MOST_CLIENTS} clients; asked for {self.count}.")
        for _client in range(self.count):
            client = socket.create_connection((self.address, 80), timeout=10)
            self._open.append(client)
            client.sendall(self.begin)
            client.setblocking(False)
        self._thread = threading.Thread(target=self._trickle)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        for client in self._open:
            client.close()

    def _trickle(self) -> None:
        end = time.monotonic() + MOST_SECONDS
        while self._open and time.monotonic() < end and not self._stop.wait(PAUSE):
            for client in list(self._open):
                answer = self._turn(client)
                if answer is not None:
                    self.answers.append(answer)
                    self._open.remove(client)
                    client.close()

    def _turn(self, client: socket.socket) -> str | None:
        """Look for an answer, then send a little; nothing while the connection is held."""
        try:
            return client.recv(4096).partition(b"\r\n")[0].decode()
        except BlockingIOError:
            pass
        except OSError as error:
            return type(error).__name__
        if self.begin != SILENT:
            # Who was refused in the meantime finds the answer at the next turn, although sending fails.
            with contextlib.suppress(OSError):
                client.send(b"x" * int(self.bytes_per_second * PAUSE))
        return None


def visits(address: str, path: str, count: int, pause: float = 0.2) -> Counter[str]:
    """Ask for a page as often as that, one visit after the other, and count what came of it; none waits longer than two seconds."""
    found: Counter[str] = Counter()
    for _visit in range(count):
        connection = http.client.HTTPConnection(address, timeout=2)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path)
                found[str(connection.getresponse().status)] += 1
            except (OSError, http.client.HTTPException) as error:
                found[type(error).__name__] += 1
        time.sleep(pause)
    return found
