# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log of requests costs: CPU of HAProxy, and of who takes the lines, for one keep-alive request.

A real HAProxy with the role's configuration and one thread, in front of one that answers a small file, both on loopback; for
the journal a real systemd-journald of its own, which needs root. All kinds take turns, and of each its cheapest turn counts,
which was disturbed least by what else runs on the machine.
The exit code is 1 when the role's usual log needs more than a fifth of what HAProxy needs without one.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.siteops.webcluster.tests.checkers import PATH
from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

JOURNALD = "/lib/systemd/systemd-journald"
# What the issue allows on top of a request without a log.
MOST_ON_TOP = 0.2
CONNECTIONS = 4
REQUEST = b"GET /style.css HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: bench\r\n\r\n"
ANSWERING = """
defaults
    mode http
    timeout client 1m
    timeout connect 1s
    timeout server 1m
frontend answers
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/css string "body {{ margin: 0 }}"
"""


@dataclass(frozen=True)
class Cost:
    """CPU microseconds of a request: HAProxy's own, and those of who takes the line."""

    haproxy: float
    taker: float

    @property
    def whole(self) -> float:
        return self.haproxy + self.taker


def cheapest(turns: Sequence[Cost]) -> Cost:
    return Cost(min(turn.haproxy for turn in turns), min(turn.taker for turn in turns))


def table(costs: Mapping[str, Cost]) -> list[str]:
    """A line for each kind of log, with what it adds to a request without one."""
    bare = costs["none"].whole
    lines = [f"{'LOG':<10}{'HAPROXY':>10}{'TAKER':>10}{'WHOLE':>10}{'ON TOP':>10}"]
    lines += [
        f"{name:<10}{cost.haproxy:>7.1f} µs{cost.taker:>7.1f} µs{cost.whole:>7.1f} µs{(cost.whole / bare - 1) * 100:>8.0f} %"
        for name, cost in costs.items()
    ]
    return lines


def complaints(costs: Mapping[str, Cost]) -> list[str]:
    """What costs more than it may."""
    on_top = costs["file"].whole / costs["none"].whole - 1
    if on_top <= MOST_ON_TOP:
        return []
    return [
        f"the log in a file needs {on_top * 100:.0f} % on top of a request, at most {MOST_ON_TOP * 100:.0f} % are allowed"
    ]


def cpu(process: int) -> float:
    """CPU microseconds that all threads of a process and of its children have used."""
    tasks = [*Path(f"/proc/{process}/task").iterdir()]
    children = [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    own = sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks) / 1000
    return own + sum(cpu(child) for child in children)


def visit(port: int, requests: int) -> None:
    """Ask one thing after the other on one connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _number in range(requests):
            connection.sendall(REQUEST)
            answer = connection.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"haproxy_log.py: {answer[:80]!r} was answered, expected status 200")


def measured(haproxy: int, taker: int, drive: Callable[[], None], requests: int) -> Cost:
    """What the two processes used for these requests."""
    processes = [haproxy, taker] if taker else [haproxy]
    before = [cpu(process) for process in processes]
    drive()
    # Whoever takes the lines may be behind.
    time.sleep(0.5)
    used = [(cpu(process) - start) / requests for process, start in zip(processes, before, strict=True)]
    return Cost(used[0], used[1] if taker else 0.0)


def load(port: int, requests: int) -> Callable[[], None]:
    def drive() -> None:
        clients = [threading.Thread(target=visit, args=(port, requests // CONNECTIONS)) for _one in range(CONNECTIONS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    return drive


class Journal:
    """A journald that serves nobody else."""

    def __init__(self, number: int) -> None:
        self.name = f"webcluster-bench-{number}"
        self.process = subprocess.Popen([JOURNALD, self.name], stderr=subprocess.DEVNULL)
        self.socket = Path(f"/run/systemd/journal.{self.name}/dev-log")
        while not self.socket.exists():
            if self.process.poll() is not None:
                raise SystemExit("haproxy_log.py: systemd-journald does not start; run this as root")
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.socket.parent, ignore_errors=True)
        for kept in ("/var/log/journal", "/run/log/journal"):
            for folder in Path(kept).glob(f"*.{self.name}"):
                shutil.rmtree(folder)


class Kind:
    """One kind of log with an HAProxy that has it."""

    def __init__(self, stack: ExitStack, name: str, folder: Path, answering: int) -> None:
        self.port = free_port()
        journal = Journal(self.port) if name.startswith("journal") else None
        if journal:
            stack.callback(journal.stop)
        folder.mkdir()
        variables: dict[str, Any] = {
            "haproxy_http_backends": [{"name": "web", "address": "127.0.0.1", "port": answering}],
            "haproxy_http_check_path": "/",
            "haproxy_http_bind_address": "127.0.0.1",
            "haproxy_http_bind_port": self.port,
            "haproxy_stats_port": free_port(),
            "haproxy_http_log_successes": name != "none",
            "haproxy_http_log_target": "file" if name in ("file", "none") else "journal",
            "haproxy_global_settings": ["nbthread 1", *self.log(name, journal)],
        }
        self.proxy = Proxy(folder, variables)
        stack.callback(self.proxy.stop)
        self.proxy.wait_for("web/web", "UP")
        self.haproxy = int(self.proxy.process_id())
        self.taker = journal.process.pid if journal else 0

    @staticmethod
    def log(name: str, journal: Journal | None) -> list[str]:
        if journal is None:
            return []
        sample = "sample 1:10 " if name == "journal/10" else ""
        return [f"log {journal.socket} len 4096 {sample}local0 info"]

    def turn(self, requests: int) -> Cost:
        return measured(self.haproxy, self.taker, load(self.port, requests), requests)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--requests", type=int, default=500, help="requests of a turn (journald drops lines beyond 10000)"
    )
    parser.add_argument("--turns", type=int, default=15, help="turns of each kind")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        (folder / "answers.cfg").write_text(ANSWERING.format(port=port), encoding="utf-8")
        server = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(folder / "answers.cfg")], env={"PATH": PATH})
        stack.callback(server.wait)
        stack.callback(server.terminate)
        kinds = {
            name: Kind(stack, name, folder / name.replace("/", "-"), port)
            for name in ("none", "file", "journal", "journal/10")
        }
        # The first turn fills the caches.
        turns = [
            {name: kind.turn(options.requests) for name, kind in kinds.items()} for _turn in range(options.turns + 1)
        ]
    costs = {name: cheapest([turn[name] for turn in turns[1:]]) for name in kinds}
    found = complaints(costs)
    sys.stdout.write("\n".join([*table(costs), *(f"TOO MUCH: {line}" for line in found), ""]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
