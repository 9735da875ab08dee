# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy says of its servers, and the commands that make one of them what it has to be."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.client import HaproxyError

# Bits of srv_admin_state that a command sets; the others follow from the configuration or from another server.
FORCED_MAINT, FORCED_DRAIN = 0x01, 0x08
STATES = ("ready", "drain", "maint")
MAX_WEIGHT = 256
# Of the role's haproxy.cfg: its server is none, but a switch for clients.
SWITCH = "kept_connections"
SHOW_STATES = "show servers state"
# Of everything: frontends, backends and servers.
SHOW_STATISTICS = "show stat -1 7 -1"


@dataclass(frozen=True)
class Wanted:
    """The server as it has to be; None leaves that alone."""

    state: str | None = None
    weight: int | None = None


@dataclass(frozen=True)
class Server:
    """A server of one backend: what commands have set, and what its health check says (UP, DOWN, DRAIN 1/2, no check, ...).

    sessions: requests that it has or that wait for it.
    """

    backend: str
    name: str
    state: str
    weight: int
    status: str
    sessions: int

    @property
    def path(self) -> str:
        return f"{self.backend}/{self.name}"

    @property
    def down(self) -> bool:
        return self.status.startswith("DOWN")

    @property
    def up(self) -> bool:
        """Whether requests go to it and its last check was good; UP 1/2 is what has had no check since maintenance."""
        return self.status in ("UP", "no check")


def statistics(text: str) -> list[dict[str, str]]:
    """Read the answer of show stat."""
    lines = [line for line in text.lstrip("# \n").splitlines() if line]
    return list(csv.DictReader(lines))


def sessions_of(row: Mapping[str, str]) -> int:
    return int(row["scur"] or 0) + int(row["qcur"] or 0)


def parse_servers(states: str, shown: str) -> list[Server]:
    """Join the answers of show servers state and show stat."""
    rows = {(row["pxname"], row["svname"]): row for row in statistics(shown)}
    lines = [line.split() for line in states.splitlines()]
    head = next((words[1:] for words in lines if words[:2] == ["#", "be_id"]), [])
    found = []
    for words in lines:
        fields = dict(zip(head, words))
        row = rows.get((fields.get("be_name", ""), fields.get("srv_name", "")))
        if len(words) < len(head) or row is None or fields["be_name"] == SWITCH:
            continue
        flags = int(fields["srv_admin_state"])
        found.append(
            Server(
                backend=fields["be_name"],
                name=fields["srv_name"],
                state="maint" if flags & FORCED_MAINT else "drain" if flags & FORCED_DRAIN else "ready",
                weight=int(fields["srv_uweight"]),
                status=row["status"],
                sessions=sessions_of(row),
            )
        )
    return found


def left_behind(shown: str, servers: Iterable[Server]) -> int:
    """Return the sessions of these servers in an old process, and its idle clients, each of which may send one more request.

    An old process takes no commands: it sends requests to servers that were taken out after the reload.
    """
    rows = statistics(shown)
    ours = {(server.backend, server.name) for server in servers}
    working = sum(sessions_of(row) for row in rows if (row["pxname"], row["svname"]) in ours)
    clients = sum(int(row["scur"]) for row in rows if row["svname"] == "FRONTEND")
    busy = sum(int(row["scur"]) for row in rows if row["svname"] == "BACKEND")
    return working + max(0, clients - busy)


def by_backend(servers: Iterable[Server]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what is known of each server, by backend and name."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for server in servers:
        found.setdefault(server.backend, {})[server.name] = {
            "state": server.state,
            "weight": server.weight,
            "status": server.status,
            "up": server.up,
            "sessions": server.sessions,
        }
    return found


def known(names: Iterable[str], wanted: str) -> str:
    """Return what was probably meant, and what there is."""
    names = list(dict.fromkeys(names))
    near = get_close_matches(wanted, names, n=1)
    return (f"did you mean {near[0]}? There is " if near else "there is ") + (", ".join(names) or "none")


def find(servers: Sequence[Server], backend: str | None, name: str) -> list[Server]:
    """Return a server in one backend or in all that have it."""
    inside = [server for server in servers if backend in (None, server.backend)]
    if not inside:
        backends = [server.backend for server in servers]
        raise HaproxyError(f"HAProxy has no backend {backend!r} with servers: {known(backends, backend or '')}.")
    found = [server for server in inside if server.name == name]
    if not found:
        where = f"in the backend {backend}" if backend else "in any backend"
        raise HaproxyError(
            f"HAProxy has no server {name!r} {where}: {known([server.name for server in inside], name)}."
        )
    return found


def commands(server: Server, wanted: Wanted) -> list[str]:
    """Return what leads from the server as it is to what it has to be."""
    found = []
    if wanted.weight not in (None, server.weight):
        found.append(f"set server {server.path} weight {wanted.weight}")
    if wanted.state not in (None, server.state):
        found.append(f"set server {server.path} state {wanted.state}")
    return found
