# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps by which a primary moves from one MySQL or MariaDB server to another, each on one server with the other one at hand.

Each of them can be run again: it finds what is done already, and goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import member, source
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.channels import ask_channels
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import MOVE, PROMOTION, KeptFiles
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid

# Seconds for which statements that go on may hold up a server that closes; writers wait as long.
CLOSE_SECONDS = 2
# A move's pause while the other server is looked at: a write waits for it.
PAUSE = 0.02
# A thread that waits for a frozen primary takes until replica_net_timeout to stop.
STOP_SECONDS = 60.0
RUNNING = "Yes"
# By a lock on the old primary the new one says that it is there and waits: only then is anything closed.
SAY_READY = "SELECT GET_LOCK('webcluster_move', 5) AS got"
READ_READY = "SELECT IS_USED_LOCK('webcluster_move') AS used"


class MoveError(Exception):
    """A sentence that says why a step was not done, and where that leaves the server."""

    def __init__(self, message: str, own_writes: str = "") -> None:
        super().__init__(message)
        self.own_writes = own_writes


@dataclass
class Mover:
    """The server of this host, and the other one of the move. peer_name: what the other one is called in sentences."""

    client: Client
    peer: Client
    wanted: source.Wanted
    files: KeptFiles
    peer_name: str
    timeout: float = 10.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    done: list[str] = field(default_factory=list)

    # --- What is -----------------------------------------------------------------------------------------------------

    def server(self) -> Server:
        return member.read_peer(self.client.query([member.READ_MEMBER])[0])

    def channels(self, server: Server) -> list[source.Channel]:
        return ask_channels(self.client, server)

    def other(self) -> Server:
        """Ask the other server, by the login of the replication."""
        try:
            return member.read_peer(self.peer.query([member.READ_MEMBER])[0])
        except MysqlError as error:
            raise MoveError(f"{self.peer_name} does not answer: {error.message}") from error

    def _peer_is_open(self) -> bool:
        """Whether the other server is seen to be open; one that does not answer is asked again."""
        try:
            return not member.is_closed(self.other())
        except MoveError:
            return False

    def look(self) -> dict[str, Any]:
        """Say what a plan needs to know; a server that does not answer is a finding."""
        try:
            server = self.server()
            answers, _error = self.client.try_query([member.READ_LONG])
            found = member.describe(server, self.channels(server), answers[0] if answers else [])
        except MysqlError as error:
            return {"answers": False, "said": error.message, "detail": error.detail or "", **self._kept()}
        return {**found, **self._kept(), "peer_problem": self._peer_problem(server)}

    def _kept(self) -> dict[str, Any]:
        return {"move": self.files.read(MOVE), "promotion": self.files.read(PROMOTION)}

    def _peer_problem(self, server: Server) -> str:
        """Why the other server would not let this one replicate from it; empty where it does."""
        problem = (
            source.primary_problem(self.peer, source.primary_login(server, self.wanted)) if self.wanted.host else None
        )
        return problem.text if problem else ""

    def _until(self, holds: Callable[[], bool], seconds: float | None = None) -> bool:
        end = self.clock() + (self.timeout if seconds is None else seconds)
        while not holds():
            if self.clock() > end:
                return False
            self.sleep(PAUSE)
        return True

    # --- A planned move ----------------------------------------------------------------------------------------------

    def hand_over(self) -> dict[str, Any]:
        """Close this primary, wait until the other server is open, and follow it."""
        server = self.server()
        channels = self.channels(server)
        if channels:
            self._refuse_another(channels)
            self._follow(server, channels)
            return {}
        other = self.other()
        if not member.is_closed(other):
            if not member.is_closed(server):
                raise MoveError(f"{self.peer_name} is open for writes as well; nothing was changed")
            return self._follow(server, channels)
        if not self._until(lambda: self.client.query([READ_READY])[0][0]["used"] is not None):
            raise MoveError(
                f"{self.peer_name} was not ready to take over within {self.timeout:g} s; nothing was changed here"
            )
        self.files.write(MOVE, {"to": self.peer_name, "at": int(self.now())})
        self.files.keep_closed(server.is_mariadb, True)
        begin = self.clock()
        self._close_for(server)
        closed = self.clock()
        if not self._until(self._peer_is_open):
            raise MoveError(
                f"{self.peer_name} did not take over within {self.timeout:g} s; this server stands closed for writes"
            )
        seconds = round(self.clock() - begin, 3)
        self.client.query(["UNLOCK TABLES"])
        self._follow(self.server(), [])
        return {"seconds": seconds, "closing_seconds": round(closed - begin, 3)}

    def _close_for(self, server: Server) -> None:
        """Close the server. On MariaDB, where root may write all the same, nobody can before the other one is open."""
        closing = (
            ["SET GLOBAL read_only = ON"] if server.is_mariadb else ["SET GLOBAL super_read_only = ON", "UNLOCK TABLES"]
        )
        try:
            self.client.query(
                [f"SET SESSION lock_wait_timeout = {CLOSE_SECONDS}", "FLUSH TABLES WITH READ LOCK", *closing]
            )
        except MysqlError as error:
            self.client.try_query(["UNLOCK TABLES"])
            self._open(server)
            raise MoveError(
                f"it could not be closed for writes within {CLOSE_SECONDS} s, as a statement goes on ({error.message}); it is open"
                " as before"
            ) from error
        self.done.append("closed")

    def _open(self, server: Server) -> None:
        self.client.query(["SET GLOBAL read_only = OFF"])
        self.files.keep_closed(server.is_mariadb, False)
        self.files.forget(MOVE)
        self.done.append("opened")

    def take_over(self) -> dict[str, Any]:
        """Wait until the other server is closed, apply all that it wrote, and open this one."""
        server = self.server()
        channels = self.channels(server)
        if not channels and not member.is_closed(server):
            self.files.keep_closed(server.is_mariadb, False)
            return {"position": member.position(server)}
        self._refuse_another(channels)
        self.other()
        self.peer.query([SAY_READY])
        if not self._until(lambda: member.is_closed(self.other())):
            raise MoveError(f"{self.peer_name} did not close within {self.timeout:g} s; nothing was changed here")
        end = member.position(self.other())
        if not self._until(lambda: not member.lacking(self.server(), end)):
            late = member.distance(self.server(), end)
            raise MoveError(
                f"{late} transactions of {self.peer_name} were not applied within {self.timeout:g} s; it is a replica as before"
            )
        other = self.other()
        if not member.is_closed(other) or member.position(other) != end:
            raise MoveError(f"{self.peer_name} was written to although it had closed; nothing was changed here")
        self._leave(server, channels)
        self._open(server)
        return {"position": end}

    def _silence(self) -> str | None:
        """Say why the other server does not answer; nothing where it does."""
        try:
            self.peer.query([member.READ_MEMBER])
        except MysqlError as error:
            return error.message
        return None

    def _refuse_another(self, channels: Sequence[source.Channel]) -> None:
        for channel in channels:
            if channel.status.name or channel.address != self.wanted.address:
                raise MoveError(f"it replicates from {channel.address}, not from {self.peer_name}; nothing was changed")

    def _leave(self, server: Server, channels: Sequence[source.Channel]) -> None:
        if channels:
            word = "SLAVE" if server.is_mariadb else "REPLICA"
            self.client.query([f"STOP {word}", f"RESET {word} ALL"])

    # --- The way back ------------------------------------------------------------------------------------------------

    def withdraw(self) -> dict[str, Any]:
        """Say whether this server took over; where it did not, let it be the replica that it was."""
        server = self.server()
        channels = self.channels(server)
        if not channels and not member.is_closed(server):
            return {"opened": True}
        self._follow(server, channels)
        return {"opened": False}

    def reopen(self) -> dict[str, Any]:
        """Open a primary that closed itself for a server which did not take over; whoever calls knows that it did not."""
        server = self.server()
        if self.channels(server):
            raise MoveError("it is a replica; expected a primary that closed itself; nothing was changed")
        self.client.try_query(["UNLOCK TABLES"])
        if member.is_closed(server) or self.files.read(MOVE):
            self._open(server)
        return {}

    # --- Following another primary -----------------------------------------------------------------------------------

    def follow(self) -> dict[str, Any]:
        """Close this server and let it replicate from the other one, unless it has transactions that the other one lacks."""
        server = self.server()
        return self._follow(server, self.channels(server))

    def _follow(self, server: Server, channels: Sequence[source.Channel]) -> dict[str, Any]:
        in_place = [channel for channel in channels if channel.address == self.wanted.address]
        if in_place and in_place == list(channels) and channels[0].running and member.is_closed(server):
            self.files.keep_closed(server.is_mariadb, True)
            self.files.forget(MOVE)
            return {}
        if member.is_closed(self.other()):
            raise MoveError(f"{self.peer_name} is closed for writes; expected the primary; nothing was changed")
        self._refuse_own_writes(server)
        self.files.keep_closed(server.is_mariadb, True)
        if not member.is_closed(server):
            self.client.query([f"SET GLOBAL {'read_only' if server.is_mariadb else 'super_read_only'} = ON"])
            server = self.server()
            self._refuse_own_writes(server)
        self.client.query(self._following(server, channels))
        self.files.forget(MOVE)
        self.done.append("follows")
        return {}

    def _refuse_own_writes(self, server: Server) -> None:
        own = member.own_writes(server, self.other())
        if own:
            raise MoveError(
                f"it has {own.count} transactions that {self.peer_name} has not ({own.gtids}); its replication was not touched",
                own.gtids,
            )

    def _following(self, server: Server, channels: Sequence[source.Channel]) -> list[str]:
        word = "SLAVE" if server.is_mariadb else "REPLICA"
        statements = [f"STOP {word}"] if channels else []
        if server.is_mariadb and not channels:
            # Where it stands in its own logs, as it had nobody else's.
            statements.append(f"SET GLOBAL gtid_slave_pos = {quote(member.position(server))}")
        return [*statements, source.change_statement(server, self.wanted), f"START {word}"]

    # --- An emergency ------------------------------------------------------------------------------------------------

    def promote(self) -> dict[str, Any]:
        """Open this replica, whose primary is dead, when it has applied all that it received."""
        server = self.server()
        channels = self.channels(server)
        if not channels and not member.is_closed(server):
            return {}
        self._refuse_another(channels)
        said = self._silence()
        if said is None:
            raise MoveError(
                f"{self.peer_name} lives and answers; move the primary by switchover.yml; nothing was changed"
            )
        if channels and not self._until(lambda: self.channels(server)[0].receives != RUNNING):
            raise MoveError(f"{self.peer_name} is still connected to this replica; nothing was changed")
        applied = channels and self._until(lambda: not self._unapplied(server))
        if channels and not applied:
            raise MoveError(
                f"{self._unapplied(server)} was received and could not be applied within {self.timeout:g} s:"
                f" {self.channels(server)[0].status.sql_error or 'its applier is behind'}; nothing was changed"
            )
        status = self.channels(server)[0].status if channels else None
        self.files.write(
            PROMOTION,
            {
                "at": int(self.now()),
                "former_primary": self.peer_name,
                "former_primary_said": said,
                "file": status.read_file if status else None,
                "file_position": status.read_pos if status else None,
                "received": status.retrieved if status else None,
                "position": member.position(self.server()),
            },
        )
        self.client.timeout = STOP_SECONDS
        self._leave(server, channels)
        self._open(server)
        return {"position": member.position(self.server())}

    def _unapplied(self, server: Server) -> str:
        """What has arrived and is not applied yet."""
        received = self.channels(server)[0].status.retrieved or ""
        if server.is_mariadb:
            applied = gtid.parse_position(self.server().variables.get("gtid_slave_pos"))
            return gtid.format_position(gtid.position_missing(gtid.parse_position(received), applied))
        return member.lacking(self.server(), received)
