# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop one of two load balancers that share an address, in a lab of their own, under a steady load, each event with its budget.

Reads come to the shared address, plain and over TLS, on new connections and on some that clients keep. A connection that is open
when the address moves is cut, whatever moves it; new ones find whoever has it. The exit code is 1 when a budget was exceeded.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from .cluster import ClusterError, Lab, table
from .faults import PATIENCE
from .load import Answer, Load, failures, longest_outage, milliseconds

INVENTORY = Path(__file__).with_name("two_balancers")
READS, CLIENTS = 5, 2
# Longer than TCP needs to ask a third time for a host that is gone.
CLIENT_SECONDS = 40.0
BEFORE, DURING, AFTER = 3.0, 10.0, 5.0
# Each kept client of both loads, and those reads that are under way.
OPEN = 2 * CLIENTS + 4
HEAD = ("event", "seconds", "requests", "failed", "p50", "p99", "longest outage", "budget")


@dataclass(frozen=True)
class Event:
    """What is done to the load balancer that has the address, and what gives it back; how many requests may fail."""

    name: str
    stop: Sequence[str]
    failures: int


LATER = "(sleep 1; systemctl poweroff --force --force) > /dev/null 2>&1 &"
EVENTS = (
    Event("load balancer gives up the address", ("systemctl", "stop", "keepalived"), OPEN),
    Event("HAProxy stopped on one of two load balancers", ("systemctl", "stop", "haproxy"), OPEN),
    Event("one of two load balancers switched off", ("sh", "-c", LATER), OPEN),
)


def shared_address() -> str:
    settings = yaml.safe_load((INVENTORY / "group_vars/haproxy.yml").read_text(encoding="utf-8"))
    return str(settings["keepalived_address"]).partition("/")[0]


def holders(lab: Lab, address: str) -> list[str]:
    """The load balancers that have the address, by their own word."""
    names = lab.groups()["haproxy"]
    return [name for name in names if f" {address}/" in lab.on(name, "ip", "-4", "-oneline", "address")]


def serving(address: str, requests: int) -> set[str]:
    """The web servers that answer at an address."""
    found = set()
    for _request in range(requests):
        connection = http.client.HTTPConnection(address, timeout=5)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            found |= {answer.getheader("X-Served-By", "")} if answer.status == 200 else set()
        except (OSError, http.client.HTTPException):
            # Nobody answers yet.
            continue
        finally:
            connection.close()
    return found


def wait_until_whole(lab: Lab, address: str) -> str:
    """Wait until one load balancer has the address, and all serve; return which one has it."""
    web, addresses = lab.groups()["apache_php"], lab.addresses()
    doors = [address, *(addresses[name] for name in lab.groups()["haproxy"])]
    deadline = time.monotonic() + PATIENCE
    while True:
        lacking = [door for door in doors if serving(door, 3 * len(web)) != set(web)]
        found = [] if lacking else holders(lab, address)
        if len(found) == 1:
            return found[0]
        if time.monotonic() > deadline:
            raise ClusterError(f"After {PATIENCE:.0f} s {found or 'nobody'} has {address}, not all serve at {lacking}.")
        time.sleep(1)


def judge(event: Event, answers: Sequence[Answer], seconds: float) -> tuple[list[object], list[str]]:
    """Return the event's line of the table, and what exceeds its budget."""
    found = failures(answers)
    failed = found.total()
    wrong = []
    if failed > event.failures:
        said = ", ".join(f"{count} x {text}" for text, count in found.most_common(3))
        wrong.append(f"{event.name}: {failed} requests failed, allowed are {event.failures}: {said}")
    times = [f"{milliseconds(answers, share)} ms" for share in (0.5, 0.99)]
    budget = "exceeded" if wrong else f"{event.failures} requests"
    outage = f"{longest_outage(answers):.1f} s"
    return [event.name, f"{seconds:.0f}", len(answers), failed, *times, outage, budget], wrong


def run(lab: Lab, address: str, event: Event) -> tuple[list[object], list[str]]:
    """Let an event happen under load, and judge it when both load balancers are back."""
    holder = wait_until_whole(lab, address)
    begin = time.monotonic()
    with (
        Load(address, reads=READS, writes=0, kept=CLIENTS, read_path="/", timeout=CLIENT_SECONDS) as plain,
        Load(address, reads=READS, writes=0, kept=CLIENTS, read_path="/", timeout=CLIENT_SECONDS, tls=True) as secure,
    ):
        time.sleep(BEFORE)
        lab.on(holder, *event.stop)
        time.sleep(DURING)
        # Starts a host that is off; one that runs has its services started.
        lab.lab("up")
        lab.on(holder, "systemctl", "start", "haproxy", "keepalived")
        time.sleep(AFTER)
    seconds = time.monotonic() - begin
    now = wait_until_whole(lab, address)
    line, wrong = judge(event, [*plain.answers, *secure.answers], seconds)
    if now == holder:
        wrong.append(f"{event.name}: {holder} has the address again; expected whoever stood in for it to keep it.")
    return line, wrong


def play(arguments: Sequence[str]) -> int:
    """Build the lab, let the events happen, take it down, and tell what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Of the other runs, whose lab it is; this one has its own.
    parser.add_argument("--inventory", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", help="run the events whose names hold this text")
    options = parser.parse_args(arguments)
    chosen = [event for event in EVENTS if options.only in event.name]
    if not chosen:
        return 0
    lab, address = Lab(INVENTORY), shared_address()
    lines: list[list[object]] = []
    wrong: list[str] = []
    try:
        lab.lab("up")
        lab.converge()
        for event in chosen:
            line, found = run(lab, address, event)
            lines.append(line)
            wrong += found
            print(*line, sep="  ", flush=True)
    except ClusterError as error:
        wrong.append(str(error))
    finally:
        lab.lab("down")
    print(f"\n{table(HEAD, lines)}\n")
    print("\n".join(wrong) or "error-budget of two load balancers: every budget was kept.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(play(sys.argv[1:]))
