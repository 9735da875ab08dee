# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what would keep a service from running on this host. Private to the collection: may change at any time."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

INSTALLED = re.compile(r"^(\S+) .i", re.MULTILINE)
# What /proc shows of a program's name.
NAME_LENGTH = 15
EVERY_ADDRESS = (str(ipaddress.IPv4Address(0)), str(ipaddress.IPv6Address(0)))


@dataclass(frozen=True)
class Listen:
    """A place where the service is going to listen, the program it runs and the variable that moves it elsewhere."""

    addresses: tuple[str, ...]
    port: int
    program: str
    option: str
    address_option: str


@dataclass(frozen=True)
class Holder:
    """Who listens at a port; the name is empty where /proc does not tell."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.name else "another program"


Bind = Callable[[str, int], "int | None"]
FindHolders = Callable[[str, int], "list[Holder]"]


def missing_packages(wanted: Sequence[str], answer: str) -> list[str]:
    """Compare with the answer of dpkg-query; what it does not know by name is left to apt."""
    installed = set(INSTALLED.findall(answer))
    return [name for name in wanted if name not in installed]


def bind_error(address: str, port: int) -> int | None:
    """Try to get hold of the place as the service will, and let it go; return why it cannot be had."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do it: connections that are closing are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.errno
    return None


def local_address(text: str) -> tuple[str, int]:
    """Decode an address of /proc/net/tcp or tcp6."""
    address, _colon, port = text.partition(":")
    raw = bytes.fromhex(address)
    words = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    if len(words) == 4:
        return socket.inet_ntop(socket.AF_INET, words), int(port, 16)
    plain = socket.inet_ntop(socket.AF_INET6, words)
    return plain[len("::ffff:") :] if plain.startswith("::ffff:") else plain, int(port, 16)


def holders(address: str, port: int, proc: str = "/proc") -> list[Holder]:
    """Return who listens at the port, at this address or at all of them."""
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        path = Path(proc, "net", table)
        lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
        for fields in (line.split() for line in lines):
            if len(fields) > 9 and fields[3] == "0A":  # LISTEN
                at, number = local_address(fields[1])
                if number == port and (at == address or at in EVERY_ADDRESS or address in EVERY_ADDRESS):
                    inodes.add(fields[9])
    targets = {f"socket:[{inode}]" for inode in inodes}
    found = []
    for process in Path(proc).glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in targets for link in Path(process, "fd").iterdir()):
                name = Path(process, "comm").read_text(encoding="utf-8", errors="replace").strip()
                found.append(Holder(int(process.name), name))
        except OSError:  # it ended while we looked, or is not ours to see
            continue
    return sorted(found, key=lambda holder: holder.pid)


def is_ours(holder: Holder, program: str) -> bool:
    """Tell whether the holder is the service itself; a program that is not installed yet holds nothing."""
    return holder.name == os.path.basename(program)[:NAME_LENGTH] and os.path.exists(program)


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def listen_findings(
    places: Iterable[Listen], bind: Bind = bind_error, find_holders: FindHolders = holders
) -> list[str]:
    """Say, a sentence each, where the service could not listen and what to do."""
    found = []
    for place in places:
        if not 1 <= place.port <= 65535:
            found.append(f"{place.option} is {place.port}, expected a port from 1 to 65535: correct it.")
            continue
        every = "*" in place.addresses
        # A name is resolved by the service itself.
        for address in EVERY_ADDRESS if every else filter(is_address, place.addresses):
            problem = bind(address, place.port)
            if problem == errno.EADDRINUSE:
                known = find_holders(address, place.port)
                strangers = [holder for holder in known or [Holder(0, "")] if not is_ours(holder, place.program)]
                if strangers:
                    where = f"Port {place.port}" if every else f"Port {place.port} of {address}"
                    found.append(
                        f"{where} is already taken by {strangers[0]}: stop that program, or choose another port with"
                        f" {place.option}."
                    )
            elif problem == errno.EADDRNOTAVAIL and not every:
                found.append(
                    f"{place.address_option} is {address}, which is no address of this host: give one of its own."
                )
    return list(dict.fromkeys(found))


def directory_findings(directories: Iterable[tuple[str, str]]) -> list[str]:
    """Say which directories, given as path and variable, are not there."""
    return [
        f"{option} is {path}, which is no directory on this host: make it and put the files there, or correct the path."
        for path, option in directories
        if not os.path.isdir(path)
    ]
