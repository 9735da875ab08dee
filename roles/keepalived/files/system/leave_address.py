#!/usr/bin/python3
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let clients go before another load balancer takes a shared address: leave_address.py leave|left ADDRESS.

A connection that is open when the address moves is cut. So HAProxy ends the connections that clients keep, each after its next
answer; then nobody new is let in for the moment of the move, and asks again a second later, as TCP does, at the next host; what
is under way comes to its end. 'left' takes both back.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Written by the role haproxy: in maintenance, its only server ends connections.
SWITCH, FRONTEND = "kept_connections/clients", "www"
SOCKET = Path("/run/haproxy/admin.sock")
# HAProxy ends by itself what a client has kept without asking for 10 s.
KEPT_SECONDS = 11.0
# TCP asks for the second time after a second and for the third after three: with the move, longer would be three seconds more.
UNDER_WAY_SECONDS = 1.5
TABLE = "webcluster_leaving"
RULES = """\
table ip {table} {{
  chain input {{
    type filter hook input priority -150;
    ip daddr {address} tcp flags & (syn | ack) == syn drop
  }}
}}
"""

log = logging.getLogger("leave-address")

Ask = Callable[[str], str]
Run = Callable[..., str]


def ask_haproxy(command: str) -> str:
    """What HAProxy answers to a command; nothing where it does not run."""
    parts = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(SOCKET))
        connection.sendall(f"{command}\n".encode())
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


def run(*words: str, stdin: str = "") -> str:
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=True, timeout=10).stdout


def connections(ask: Ask) -> int | None:
    """How many clients are connected; None where there is no such front end."""
    rows = csv.DictReader(ask("show stat").lstrip("# ").splitlines())
    counts = [row["scur"] for row in rows if (row["pxname"], row["svname"]) == (FRONTEND, "FRONTEND")]
    return int(counts[0]) if counts else None


def wait(ask: Ask, seconds: float, pause: float) -> int | None:
    """Wait until nobody is connected, or for so long; return how many are."""
    deadline = time.monotonic() + seconds
    while (left := connections(ask)) and time.monotonic() < deadline:
        time.sleep(pause)
    return left


def leave(
    address: str, ask: Ask, command: Run, kept: float = KEPT_SECONDS, under_way: float = UNDER_WAY_SECONDS
) -> str:
    """Let clients go; return what came of it."""
    if not re.search(rf"\binet {re.escape(address)}/", command("ip", "-4", "-oneline", "address")):
        return f"{address} is elsewhere."
    if connections(ask) is None:
        return "HAProxy serves nobody here."
    said = ask(f"set server {SWITCH} state maint").strip()
    if said:
        # Of an older configuration: those that clients keep are cut.
        log.warning("HAProxy does not end kept connections: %s", said)
    else:
        wait(ask, kept, 0.2)
    command("nft", "-f", "-", stdin=RULES.format(table=TABLE, address=address))
    left = wait(ask, under_way, 0.02)
    return f"{left} connections are cut." if left else "Nobody is connected any more."


def take_back(ask: Ask, command: Run) -> None:
    """Let everybody in again, wherever the address is."""
    ask(f"set server {SWITCH} state ready")
    if f"table ip {TABLE}\n" in command("nft", "list", "tables"):
        command("nft", "delete", "table", "ip", TABLE)


def main(words: list[str]) -> int:
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        [verb, address] = words
        if verb == "leave":
            log.info("%s", leave(address, ask_haproxy, run))
        else:
            take_back(ask_haproxy, run)
    except ValueError:
        log.error("Expected: leave or left, and the shared address.")
        return 2
    except (OSError, subprocess.SubprocessError) as error:
        log.error("%s: %s %s", words[0], error, getattr(error, "stderr", None) or "")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
