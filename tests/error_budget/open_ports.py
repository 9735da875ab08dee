# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knock at every port of a lab's cluster, from outside and from a host of each group, and compare who is let in with who must be.

From each of them every port is tried at which somebody listens on a host; with --nmap all 65535 ports of each host from
outside besides. The exit code is 1 when a port answers somebody who does not need it, or does not answer somebody who does.
"""

from __future__ import annotations

import argparse
import inspect
import ipaddress
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.error_budget.cluster import CHECKOUT, ClusterError, Lab, table

OUTSIDE = "outside"
EVERYBODY = (OUTSIDE, "webcluster")
SSH_PORT = 22
# Group of a host: port: who must reach it. Written by hand: what the collection computes is to be found out.
NEEDED: dict[str, dict[int, tuple[str, ...]]] = {
    "webcluster": {SSH_PORT: EVERYBODY},
    "haproxy": {80: EVERYBODY, 443: EVERYBODY},
    "apache_php": {80: ("haproxy",)},
    "mysql": {3306: ("apache_php", "mysql"), 9200: ("apache_php",)},
    "redis": {6378: ("apache_php", "redis")},
}
# Groups one host of which knocks at the others.
KNOCKING = ("haproxy", "apache_php", "mysql_master", "mysql_replica", "redis_master", "redis_replica")

Groups = Mapping[str, Sequence[str]]
Target = tuple[str, int]
# Host: ports.
Ports = dict[str, set[int]]


def answering(targets: Sequence[Target]) -> list[bool]:
    """Whether each port lets us in; runs here and, by its source, on the hosts."""

    def answers(target: Target) -> bool:
        address, port = target
        try:
            socket.create_connection((address, port), timeout=3).close()
        except OSError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(answers, targets))


PROGRAM = f"""
import socket
from concurrent.futures import ThreadPoolExecutor
Target = Sequence = list
{inspect.getsource(answering)}
print(json.dumps(answering(targets)))
"""


def listening(shown: str) -> set[int]:
    """The ports beyond the host itself, out of what `ss -Hltn` shows."""
    found = set()
    for line in shown.splitlines():
        address, _colon, port = line.split()[3].rpartition(":")
        plain = address.partition("%")[0].strip("[]")
        if plain == "*" or not ipaddress.ip_address(plain).is_loopback:
            found.add(int(port))
    return found


def open_by_nmap(shown: str) -> Ports:
    """The open ports of each address, out of nmap's greppable output."""
    lines = re.findall(r"^Host: (\S+) .*\tPorts: (.*)", shown, re.MULTILINE)
    return {address: {int(port) for port in re.findall(r"(\d+)/open/", ports)} for address, ports in lines}


def needed(groups: Groups, knocking: str, host: str) -> set[int]:
    """The ports of a host that must let in this one."""
    of_knocking = {OUTSIDE} if knocking == OUTSIDE else {name for name, hosts in groups.items() if knocking in hosts}
    return {
        port
        for group, ports in NEEDED.items()
        if host in groups.get(group, [])
        for port, who in ports.items()
        if of_knocking.intersection(who)
    }


def wrong(groups: Groups, seen: Mapping[str, Ports]) -> Iterator[str]:
    """A sentence for each port that lets in somebody else, or not whom it must."""
    for knocking, hosts in seen.items():
        for host, ports in hosts.items():
            must = needed(groups, knocking, host)
            for port in sorted(ports - must):
                yield f"{knocking} reaches port {port} of {host}, and has no need to."
            for port in sorted(must - ports):
                yield f"{knocking} does not reach port {port} of {host}, and must."


def numbers(ports: set[int] | None) -> str:
    return "" if ports is None else " ".join(map(str, sorted(ports))) or "none"


def look(lab: Lab) -> tuple[Ports, dict[str, Ports]]:
    """Where each host listens, and which of these ports let in whom."""
    addresses, groups = lab.addresses(), lab.groups()
    open_at = {host: listening(lab.on(host, "ss", "-Hltn")) for host in addresses}
    from_hosts = [groups[group][0] for group in KNOCKING if groups.get(group)]
    seen: dict[str, Ports] = {}
    for knocking in [OUTSIDE, *from_hosts]:
        tried = [(host, port) for host, ports in open_at.items() if host != knocking for port in sorted(ports)]
        targets = [(addresses[host], port) for host, port in tried]
        let_in = answering(targets) if knocking == OUTSIDE else lab.run_python(knocking, PROGRAM, targets=targets)
        seen[knocking] = {host: set() for host in addresses if host != knocking}
        for (host, port), answered in zip(tried, let_in, strict=True):
            if answered:
                seen[knocking][host].add(port)
    return open_at, seen


def scan(lab: Lab) -> Ports:
    """The ports of each host that nmap finds open from outside, all of them tried."""
    if not shutil.which("nmap"):
        raise ClusterError("nmap is missing: apt install nmap")
    hosts = {address: host for host, address in lab.addresses().items()}
    # A host says at most once a second that it refuses, so nmap is not to wait for that.
    options = ["-n", "-Pn", "-p-", "-T4", "--max-retries", "1", "--min-rate", "4000", "-oG", "-"]
    done = lab.command("nmap", *options, *hosts, seconds=1200)
    if done.returncode != 0:
        raise ClusterError(f"nmap failed: {done.stderr}")
    found = open_by_nmap(done.stdout)
    return {host: found.get(address, set()) for address, host in hosts.items()}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    parser.add_argument("--nmap", action="store_true", help="try all ports from outside, by nmap")
    options = parser.parse_args(argv)
    lab = Lab(options.inventory.resolve())
    open_at, seen = look(lab)
    wrongs = list(wrong(lab.groups(), seen))
    lines = [("listens at", open_at), *((f"answers {knocking}", ports) for knocking, ports in seen.items())]
    if options.nmap:
        scanned = scan(lab)
        lines.append((f"answers {OUTSIDE} (nmap -p-)", scanned))
        wrongs += [f"{sentence} (nmap)" for sentence in wrong(lab.groups(), {OUTSIDE: scanned})]
    print(table(["", *open_at], [[name, *(numbers(ports.get(host)) for host in open_at)] for name, ports in lines]))
    for sentence in wrongs:
        print(f"WRONG: {sentence}", file=sys.stderr)
    return bool(wrongs)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        print(f"open_ports: {error}", file=sys.stderr)
        sys.exit(2)
