# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask HAProxy over its runtime sockets: the process that serves, and those that a reload left behind."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

MAX_ANSWER = 16 * 1024 * 1024
SECONDS = 10.0
# For a module's argument spec, as the doc fragment haproxy_socket describes it.
SOCKET_ARGUMENTS = {"socket": {"type": "path", "default": "/run/haproxy/admin.sock"}}
# What the master says of a process that has ended since it was listed.
GONE = "Can't find the target"


class HaproxyError(Exception):
    """A sentence that says what is wrong and what to do."""


class UnreachableError(HaproxyError):
    """Nobody answers; a moment later somebody may."""


class Ask(Protocol):
    """Sends one command and returns the answer."""

    def __call__(self, command: str) -> str: ...


@dataclass(frozen=True)
class RuntimeSocket:
    """One connection for each command, bounded in time and size."""

    path: str
    seconds: float = SECONDS

    def __call__(self, command: str) -> str:
        deadline = time.monotonic() + self.seconds
        parts: list[bytes] = []
        size = 0
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(self.seconds)
                link.connect(self.path)
                link.sendall(f"{command}\n".encode())
                # The master ends the connection when no more commands can come.
                link.shutdown(socket.SHUT_WR)
                while part := link.recv(65536):
                    parts.append(part)
                    size += len(part)
                    if size > MAX_ANSWER or time.monotonic() > deadline:
                        raise UnreachableError(f"HAProxy's answer at {self.path} does not end.")
        except PermissionError:
            raise HaproxyError(
                f"HAProxy's socket {self.path} may not be used by this user: run the task with become."
            ) from None
        except OSError as error:
            raise UnreachableError(
                f"HAProxy cannot be asked at {self.path} ({error.strerror or error}): start HAProxy, or give the path of"
                " its socket."
            ) from None
        return b"".join(parts).decode("utf-8", "replace")


@dataclass(frozen=True)
class OldProcess:
    """A process that a reload left behind, asked through the master."""

    master: Ask
    number: int

    def __call__(self, command: str) -> str:
        return self.master(f"@!{self.number} {command}")


@dataclass(frozen=True)
class Haproxy:
    """The HAProxy of this host; master is None where it has no such socket, so that its old processes are not seen."""

    serving: Ask
    master: Ask | None = None

    def old_answers(self, command: str) -> Iterator[str]:
        """Yield what each process says that finishes its connections after a reload."""
        if self.master is None:
            return
        for number in old_processes(self.master("show proc")):
            answer = OldProcess(self.master, number)(command)
            if not answer.startswith(GONE):
                yield answer


def open_sockets(path: str, master_path: str) -> Haproxy:
    return Haproxy(RuntimeSocket(path), RuntimeSocket(master_path) if os.path.exists(master_path) else None)


def old_processes(shown: str) -> list[int]:
    """Read the answer of show proc."""
    section = re.search(r"^# old workers\n((?:[^#].*\n)*)", shown, re.MULTILINE)
    return [int(line.split()[0]) for line in section.group(1).splitlines()] if section else []
