# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what a firewall of this host must leave open, and what it would close. Private to the collection: may change at any time."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._sockets import (
    ESTABLISHED,
    LISTEN,
    Socket,
    holders_of,
    inodes_of,
    parent_of,
    sockets,
)

SSH_DAEMON = "sshd"
# Where nobody tells another one.
SSH_PORT = 22


def ancestors(pid: int, proc: str = "/proc") -> Iterator[Path]:
    """Yield a process and those that it comes from."""
    while pid > 0:
        process = Path(proc, str(pid))
        yield process
        pid = parent_of(process)


def connection(pid: int | None = None, proc: str = "/proc") -> Socket | None:
    """Return the connection by which the process was started: the nearest one to a port where somebody listens here."""
    listening = {each.port for each in sockets(LISTEN, proc)}
    open_now = {each.inode: each for each in sockets(ESTABLISHED, proc) if each.port in listening}
    for process in ancestors(os.getpid() if pid is None else pid, proc):
        for inode in sorted(inodes_of(process) & set(open_now)):
            return open_now[inode]
    return None


def listeners(proc: str = "/proc") -> list[tuple[int, str]]:
    """Return the TCP ports that are open beyond this host itself, each with the program that has it."""
    outside = {
        each.inode: each.port for each in sockets(LISTEN, proc) if not ipaddress.ip_address(each.address).is_loopback
    }
    names = {inode: found[0].name for inode, found in holders_of(set(outside), proc).items()}
    return sorted({(port, names.get(inode, "")) for inode, port in outside.items()})


def ssh_ports(listening: list[tuple[int, str]], came_by: Socket | None) -> list[int]:
    """Return the ports of SSH: where its daemon listens, and the one by which we came."""
    ports = {port for port, program in listening if program == SSH_DAEMON} | ({came_by.port} if came_by else set())
    return sorted(ports or {SSH_PORT})
