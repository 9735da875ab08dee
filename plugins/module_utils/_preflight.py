# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what would keep a service from running on this host. Private to the collection: may change at any time."""

from __future__ import annotations

import errno
import fnmatch
import glob
import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._sockets import (
    EVERY_ADDRESS,
    LISTEN,
    Holder,
    holders_of,
    sockets,
)

INSTALLED = re.compile(r"^(\S+) .i", re.MULTILINE)
CANDIDATE = re.compile(r"^(\S+):\n(?: .*\n)*?  Candidate: (\S+)", re.MULTILINE)
# What /proc shows of a program's name.
NAME_LENGTH = 15


@dataclass(frozen=True)
class Listen:
    """A place where the service is going to listen, the program it runs and the variable that moves it elsewhere."""

    addresses: tuple[str, ...]
    port: int
    program: str
    option: str
    address_option: str


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


def holders(address: str, port: int, proc: str = "/proc") -> list[Holder]:
    """Return who listens at the port, at this address or at all of them."""
    inodes = {
        found.inode
        for found in sockets(LISTEN, proc)
        if found.port == port and (found.address == address or {found.address, address} & set(EVERY_ADDRESS))
    }
    return sorted({holder for each in holders_of(inodes, proc).values() for holder in each}, key=lambda each: each.pid)


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


def offered_packages(answer: str) -> set[str]:
    """Read the answer of apt-cache policy: what the package sources offer, or what is installed from elsewhere."""
    return {name for name, candidate in CANDIDATE.findall(answer) if candidate != "(none)"}


def offer_findings(wanted: Sequence[str], offered: Iterable[str], like: str, option: str) -> list[str]:
    """Say what a choice of the user's needs and no package source has, and what it might have been."""
    known = set(offered)
    lacking = [name for name in wanted if name not in known]
    if not lacking:
        return []
    others = sorted(name for name in known if fnmatch.fnmatch(name, like))
    expected = f"one that they have ({', '.join(others)})" if others else "one that they have"
    return [
        f"The package sources of this host offer no {', '.join(lacking)}; expected {option} to be {expected}: correct it, or add a"
        " source that has it and run apt-get update."
    ]


def told_by(pattern: str) -> list[str]:
    """The services that have a drop-in of ours, given as pattern of its path."""
    folders = {os.path.basename(os.path.dirname(path)) for path in glob.glob(pattern)}
    return sorted(folder[: -len(".service.d")] for folder in folders if folder.endswith(".service.d"))


def directory_findings(directories: Iterable[tuple[str, str]]) -> list[str]:
    """Say which directories, given as path and variable, are not there."""
    return [
        f"{option} is {path}, which is no directory on this host: make it and put the files there, or correct the path."
        for path, option in directories
        if not os.path.isdir(path)
    ]
