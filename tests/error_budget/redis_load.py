# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writers and readers on a web server, which use Redis as an application does: over the loopback ports of the data proxy.

Every write is numbered and carries a checksum, and is a new entry of its writer's own list, so that one that is applied twice
is there twice. A writer never sends a number again. Half of the clients keep their connection, half take a new one each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from .cluster import CHECKOUT, ClusterError, Lab

# 200 writes and 100 reads a second.
CLIENTS, WRITE_RATE, READ_RATE = 4, 50, 25
PREFIX = "demo:load"

# Runs on the web server until its standard input ends; values are the head's, see Lab.run_python.
PROGRAM = r"""
import hashlib, json, socket, sys, threading, time

given = json.loads(sys.stdin.readline())
stop = threading.Event()
records = []

def command(*words):
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)

class Link:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=given["timeout"])
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.ask("AUTH", given["user"], given["password"])
    def ask(self, *words):
        self.socket.sendall(command(*words))
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("closed")
        if line[:1] == b"-":
            raise OSError(line[1:].decode("utf-8", "replace").strip().split(" ")[0])
        if line[:1] == b"$" and int(line[1:]) >= 0:
            self.file.read(int(line[1:]) + 2)
        return line
    def close(self):
        self.file.close()
        self.socket.close()

def client(kind, number, keeps):
    record = {"kind": kind, "keeps": keeps, "name": "%s:%s:%d" % (given["prefix"], given["name"], number),
              "acknowledged": [], "failed": [], "gap": 0.0, "gap_at": 0.0}
    records.append(record)
    rate, port = (given["write_rate"], given["write_port"]) if kind == "write" else (given["read_rate"], given["read_port"])
    link, sent, begin = None, 0, time.monotonic()
    good = begin
    while not stop.wait(max(0.0, begin + sent / rate - time.monotonic())):
        sent += 1
        # Who was held up does not make up for what it missed.
        begin = max(begin, time.monotonic() - (sent + 1) / rate)
        try:
            if link is None:
                link = Link(port)
            if kind == "write":
                text = "%s %d" % (record["name"], sent)
                link.ask("RPUSH", record["name"], "%d %s" % (sent, hashlib.sha256(text.encode()).hexdigest()[:16]))
                record["acknowledged"].append(sent)
            else:
                link.ask("GET", given["prefix"] + ":read")
            now = time.monotonic()
            if now - good > record["gap"]:
                record["gap"], record["gap_at"] = now - good, good - origin
            good = now
            if kind == "read":
                record["acknowledged"].append(sent)
        except OSError as error:
            record["failed"].append([sent, round(time.monotonic() - origin, 2), str(error)])
        if link is not None and (not keeps or (record["failed"] and record["failed"][-1][0] == sent)):
            link.close()
            link = None
    # Silence at the end counts as well.
    if time.monotonic() - good > record["gap"]:
        record["gap"], record["gap_at"] = time.monotonic() - good, good - origin

origin = time.monotonic()
threads = [threading.Thread(target=client, args=(kind, number, number % 2 == 0))
           for kind in ("write", "read") for number in range(given["clients"])]
for thread in threads:
    thread.start()
print("begun", flush=True)
sys.stdin.read()
stop.set()
for thread in threads:
    thread.join()
print(json.dumps(records))
"""
# Runs on a Redis host: the lists of a load's writers.
LISTS = """
def ask(*words):
    return subprocess.run(["redis-cli", "--user", user, "--no-auth-warning", "--raw", *words], capture_output=True, text=True,
                          env={**os.environ, "REDISCLI_AUTH": password}, check=True).stdout.splitlines()
print(json.dumps({name: ask("LRANGE", name, "0", "-1") for name in names}))
"""


@dataclass(frozen=True)
class Client:
    """What became of the requests of one client."""

    kind: str
    keeps: bool
    name: str
    acknowledged: Sequence[int]
    # Number, seconds since the load began, and the reason.
    failed: Sequence[tuple[int, float, str]]
    gap: float
    gap_at: float


@dataclass
class RedisLoad:
    """with RedisLoad(lab, web, ...) as load: ...; load.clients after."""

    lab: Lab
    web: str
    name: str
    password: str
    user: str = "demo"
    clients: list[Client] = field(default_factory=list)
    _run: subprocess.Popen[str] | None = None

    def __enter__(self) -> RedisLoad:
        given = {
            "name": self.name,
            "prefix": PREFIX,
            "user": self.user,
            "password": self.password,
            "clients": CLIENTS,
            "write_rate": WRITE_RATE,
            "read_rate": READ_RATE,
            "write_port": 6379,
            "read_port": 6380,
            "timeout": 5.0,
        }
        words = ["lab/lab", "ssh", "--inventory", str(self.lab.inventory), self.web]
        self._run = subprocess.Popen(
            [*words, shlex.join(["python3", "-c", PROGRAM])],
            cwd=CHECKOUT,
            env={**os.environ, "LAB_PYTHON": sys.executable},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._run.stdin
        assert self._run.stdout
        self._run.stdin.write(f"{json.dumps(given)}\n")
        self._run.stdin.flush()
        if self._run.stdout.readline().strip() != "begun":
            raise ClusterError(f"The load on {self.web} did not begin: {self._run.communicate()[1]}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._run
        shown, said = self._run.communicate(timeout=60)
        if self._run.returncode != 0 or not shown.strip():
            raise ClusterError(f"The load on {self.web} failed: {said}")
        self.clients = [Client(**record) for record in json.loads(shown)]

    def of(self, kind: str) -> list[Client]:
        return [client for client in self.clients if client.kind == kind]

    def gap(self, kind: str) -> float:
        """The longest time for which one client had no service."""
        return max((client.gap for client in self.of(kind)), default=0.0)

    def reasons(self, kind: str) -> Counter[str]:
        return Counter(reason for client in self.of(kind) for _number, _at, reason in client.failed)


@dataclass(frozen=True)
class Count:
    """What a server holds of what was acknowledged."""

    acknowledged: int
    lost: int
    doubled: int
    broken: int


def checksum(name: str, number: int) -> str:
    return hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:16]


def count(clients: Sequence[Client], lists: Mapping[str, Sequence[str]]) -> Count:
    """Compare, entry by entry, what was acknowledged with what is there."""
    lost = doubled = broken = acknowledged = 0
    for client in clients:
        found = Counter(lists.get(client.name, ()))
        doubled += sum(times - 1 for times in found.values())
        wanted = {number: f"{number} {checksum(client.name, number)}" for number in client.acknowledged}
        acknowledged += len(wanted)
        lost += sum(entry not in found for entry in wanted.values())
        for entry in found:
            number = entry.partition(" ")[0]
            broken += not number.isdigit() or entry != f"{number} {checksum(client.name, int(number))}"
    return Count(acknowledged, lost, doubled, broken)


def lists_on(lab: Lab, host: str, clients: Sequence[Client]) -> dict[str, list[str]]:
    found: dict[str, Any] = lab.run_python(
        host, LISTS, user="admin", password=lab.secret("redis_admin"), names=[client.name for client in clients]
    )
    return found
