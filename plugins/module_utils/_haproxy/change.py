# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a server what it has to be, and wait until nobody needs it any more, or until it serves again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.client import (
    Ask,
    Haproxy,
    HaproxyError,
    UnreachableError,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.servers import (
    SHOW_STATES,
    SHOW_STATISTICS,
    Server,
    Wanted,
    commands,
    left_behind,
    parse_servers,
)

PAUSE = 0.1


@dataclass(frozen=True)
class Seen:
    """The servers at one moment; behind: sessions and idle clients of processes that a reload left."""

    servers: tuple[Server, ...]
    behind: int = 0

    @property
    def sessions(self) -> int:
        return sum(server.sessions for server in self.servers) + self.behind


@dataclass(frozen=True)
class Outcome:
    """What became of the waiting; lacking says, a sentence each, what is not as it was waited for."""

    seen: Seen
    waited: float
    lacking: tuple[str, ...] = ()


def look(serving: Ask) -> list[Server]:
    """Return every server that HAProxy has."""
    return parse_servers(serving(SHOW_STATES), serving(SHOW_STATISTICS))


def send(serving: Ask, command: str) -> None:
    answer = " ".join(serving(command).split())
    if answer.startswith("Permission denied"):
        raise HaproxyError(f"HAProxy refuses {command!r}: its socket needs 'level admin' in the configuration.")
    if answer:
        raise HaproxyError(f"HAProxy refuses {command!r}: {answer}")


def change(serving: Ask, servers: Sequence[Server], wanted: Wanted) -> None:
    for server in servers:
        for command in commands(server, wanted):
            send(serving, command)


def see(haproxy: Haproxy, servers: Sequence[Server]) -> Seen:
    """Look at these servers again."""
    paths = {server.path for server in servers}
    now = [server for server in look(haproxy.serving) if server.path in paths]
    behind = sum(left_behind(answer, servers) for answer in haproxy.old_answers(SHOW_STATISTICS))
    return Seen(tuple(now), behind)


def lacking(seen: Seen, before: Sequence[Server], wanted: Wanted) -> list[str]:
    """Say what is still to be waited for."""
    if wanted.state == "ready":
        return [f"{server.path} is {server.status}, not UP." for server in seen.servers if not server.up]
    # What a server has that is down may never end.
    down = {server.path for server in (*before, *seen.servers) if server.down}
    alive = [server for server in seen.servers if server.path not in down]
    found = [f"{server.path} still has {server.sessions} session(s)." for server in alive if server.sessions]
    if seen.behind and alive:
        found.append(f"The process before a reload still has {seen.behind} session(s) or idle client(s).")
    return found


def wait(haproxy: Haproxy, before: Sequence[Server], wanted: Wanted, seconds: float, clock: Clock) -> Outcome:
    """Look until the sessions have ended, or the health check is good, or the time is over."""
    begin = clock.now()
    while True:
        late = clock.now() - begin >= seconds
        try:
            seen = see(haproxy, before)
            missing = lacking(seen, before, wanted)
        except UnreachableError:
            # A reload may be under way.
            if late:
                raise
        else:
            if late or not missing:
                return Outcome(seen, round(clock.now() - begin, 3), tuple(missing))
        clock.sleep(PAUSE)
