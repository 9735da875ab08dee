# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP sockets of this host and whose they are, out of /proc. Private to the collection: may change at any time."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

EVERY_ADDRESS = (str(ipaddress.IPv4Address(0)), str(ipaddress.IPv6Address(0)))
# States in /proc/net/tcp.
ESTABLISHED, LISTEN = "01", "0A"


@dataclass(frozen=True)
class Socket:
    """One end here, the other end there."""

    address: str
    port: int
    remote_address: str
    state: str
    inode: str


@dataclass(frozen=True)
class Holder:
    """A process that has a socket; the name is empty where /proc does not tell."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.name else "another program"


def decode(text: str) -> tuple[str, int]:
    """Decode an address of /proc/net/tcp or tcp6."""
    address, _colon, port = text.partition(":")
    raw = bytes.fromhex(address)
    words = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    if len(words) == 4:
        return socket.inet_ntop(socket.AF_INET, words), int(port, 16)
    plain = socket.inet_ntop(socket.AF_INET6, words)
    return plain[len("::ffff:") :] if plain.startswith("::ffff:") else plain, int(port, 16)


def sockets(state: str, proc: str = "/proc") -> Iterator[Socket]:
    """Yield the TCP sockets in this state."""
    for table in ("tcp", "tcp6"):
        path = Path(proc, "net", table)
        lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
        for fields in (line.split() for line in lines):
            if len(fields) > 9 and fields[3] == state:
                address, port = decode(fields[1])
                yield Socket(address, port, decode(fields[2])[0], state, fields[9])


def inodes_of(process: Path) -> set[str]:
    """Return the sockets that a process has; none where it ended while we looked, or is not ours to see."""
    found = set()
    try:
        for link in Path(process, "fd").iterdir():
            # What looks at our own folder is gone when it is looked at.
            with contextlib.suppress(FileNotFoundError):
                kind, _colon, inode = str(link.readlink()).partition(":")
                if kind == "socket":
                    found.add(inode.strip("[]"))
    except OSError:
        return set()
    return found


def name_of(process: Path) -> str:
    try:
        return Path(process, "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def parent_of(process: Path) -> int:
    """Return the number of the process that started it; 0 where there is none."""
    try:
        found = re.search(r"^PPid:\s*(\d+)", Path(process, "status").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def holders_of(inodes: Collection[str], proc: str = "/proc") -> dict[str, list[Holder]]:
    """Return who has each of the sockets, in the order of their numbers."""
    found: dict[str, list[Holder]] = {}
    for process in sorted(Path(proc).glob("[0-9]*"), key=lambda path: int(path.name)):
        for inode in inodes_of(process) & set(inodes):
            found.setdefault(inode, []).append(Holder(int(process.name), name_of(process)))
    return found
