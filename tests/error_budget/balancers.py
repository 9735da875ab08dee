# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop one of two load balancers that share an address, in a lab of their own, under a steady load, each event with its budget.

Reads come to the shared address, plain and over TLS, on new connections and on some that clients keep; beside them through the
tutorial's one HAProxy, on the load balancer that is stopped. Where it is told to stop no request fails; without power it takes
the connections with it that it has. The exit code is 1 when a budget was exceeded.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import tutorial
from .cluster import ClusterError, Lab, table
from .faults import PATIENCE
from .load import FIGURES, Answer, Load, failures, figures, longest_outage

INVENTORY = Path(__file__).with_name("two_balancers")
READS, CLIENTS = 5, 2
# Longer than TCP needs to ask a third time for a host that is gone.
CLIENT_SECONDS = 40.0
BEFORE, DURING, AFTER = 3.0, 10.0, 5.0
# Each kept client of both loads, and those reads that are under way.
OPEN = 2 * CLIENTS + 4
HEAD = ("event", "seconds", *FIGURES, "longest outage", "budget", *tutorial.HEAD)


@dataclass(frozen=True)
class Event:
    """What is done to the load balancer that has the address, and how many requests may fail."""

    name: str
    act: Callable[[Lab, str], object]
    failures: int = 0


def stop(unit: str) -> Callable[[Lab, str], object]:
    return lambda lab, host: lab.on(host, "systemctl", "stop", unit)


EVENTS = (
    Event("load balancer gives up the address", stop("keepalived")),
    Event("HAProxy stopped on one of two load balancers", stop("haproxy")),
    Event("one of two load balancers switched off", lambda lab, host: lab.lab("power-off", host), OPEN),
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


def judge(
    event: Event, answers: Sequence[Answer], theirs: Sequence[Answer], seconds: float
) -> tuple[list[object], list[str]]:
    """Return the event's line of the table, and what exceeds its budget."""
    found = failures(answers)
    failed = found.total()
    wrong = []
    if failed > event.failures:
        said = ", ".join(f"{count} x {text}" for text, count in found.most_common(3))
        wrong.append(f"{event.name}: {failed} requests failed, allowed are {event.failures}: {said}")
    budget = "exceeded" if wrong else f"{event.failures} requests"
    outage = f"{longest_outage(answers):.1f} s"
    return [event.name, f"{seconds:.0f}", *figures(answers), outage, budget, *figures(theirs)], wrong


def run(lab: Lab, address: str, event: Event) -> tuple[list[object], list[str]]:
    """Let an event happen under load, and judge it when both load balancers are back."""
    holder = wait_until_whole(lab, address)
    addresses = lab.addresses()
    servers = {tutorial.PORT: [(host, f"{addresses[host]}:80") for host in lab.groups()["apache_php"]]}
    usual: dict[str, Any] = {"reads": READS, "writes": 0, "kept": CLIENTS, "read_path": "/", "timeout": CLIENT_SECONDS}
    begin = time.monotonic()
    with (
        Load(address, **usual) as plain,
        Load(address, **usual, tls=True) as secure,
        Load(f"{addresses[holder]}:{tutorial.PORT}", **usual) as theirs,
    ):
        # The tutorial has one load balancer, which is stopped for as long.
        with tutorial.balancer(lab, holder, servers):
            time.sleep(BEFORE)
        event.act(lab, holder)
        time.sleep(DURING)
        # Starts a host that is off; one that runs has its services started.
        lab.lab("up")
        lab.on(holder, "systemctl", "start", "haproxy", "keepalived")
        with tutorial.balancer(lab, holder, servers):
            time.sleep(AFTER)
            # Their end is not an event.
            theirs.stop()
    seconds = time.monotonic() - begin
    now = wait_until_whole(lab, address)
    line, wrong = judge(event, [*plain.answers, *secure.answers], theirs.answers, seconds)
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
    lab, address = Lab(INVENTORY, tutorial.openings([tutorial.PORT])), shared_address()
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
