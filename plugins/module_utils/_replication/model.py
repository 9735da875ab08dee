# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at a server found, in the same words for every engine and version."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record, fresh

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Sighting

Raw = dict[str, Any]


class Thread(Record):
    """The connection to the primary (io) or the applier (sql).

    state: the server's own word. cause: kind of the error, where the engine has no numbers (auth, unreachable, ...).
    attempts: how often the connection was tried, and how often it will be. heartbeats: how many came.
    """

    state: str | None = None
    errno: int | None = None
    error: str | None = None
    cause: str | None = None
    since: str | None = None
    attempts: str | None = None
    heartbeat_age: float | None = None
    heartbeat_period: float | None = None
    heartbeats: int | None = None


class Channel(Record):
    """One replication connection of a replica. gtid_mode: auto_position, Slave_Pos, Current_Pos or No."""

    name: str = ""
    host: str | None = None
    port: int | None = None
    user: str | None = None
    server_id: int | None = None
    uuid: str | None = None
    replid: str | None = None
    io: Thread = fresh(factory=Thread)
    sql: Thread = fresh(factory=Thread)
    workers: list[Raw] = fresh(factory=list)
    delay: int = 0
    filters: dict[str, str] = fresh(factory=dict)
    lag_seconds: int | None = None
    lag_bytes: int | None = None
    tls: bool | None = None
    tls_verified: bool | None = None
    retry_count: int | None = None
    gtid_mode: str | None = None
    retrieved: str | None = None
    file: str | None = None
    pos: int | None = None


class Replica(Record):
    """One replica as its primary sees it."""

    host: str | None = None
    port: int | None = None
    state: str | None = None
    offset: int | None = None
    uuid: str | None = None
    lag: int | None = None
    online: bool = True


class Note(Record):
    """What could not be asked, and what mends that."""

    text: str
    hint: str | None = None
    errno: int | None = None


class Identity(Record):
    host: str | None = None
    port: int | None = None
    server_id: int | None = None
    uuid: str | None = None
    run_id: str | None = None
    replid: str | None = None


class Snapshot(Record):
    """One look.

    read_only: whether ordinary clients may not write. replicas None: they cannot be seen. dialect: which words the
    server's statements use, source, master or mariadb. account: who asked. links: ages of the connections to several
    primaries that cannot be told apart. peers: who the other channels follow, where only one is judged. writers:
    accounts that read_only does not stop.
    """

    engine: str
    flavor: str | None = None
    version: str | None = None
    dialect: str = "source"
    account: str | None = None
    identity: Identity = fresh(factory=Identity)
    read_only: bool | None = None
    super_read_only: bool | None = None
    writers: list[str] = fresh(factory=list)
    channels: list[Channel] = fresh(factory=list)
    peers: list[str] = fresh(factory=list)
    links: list[float] = fresh(factory=list)
    replicas: list[Replica] | None = None
    writes_refused: str | None = None
    loading: bool = False
    empty: bool | None = None
    gtid_mode: str | None = None
    gtid_strict: bool | None = None
    executed: str | None = None
    binlog_state: str | None = None
    offset: int | None = None
    replid2: str | None = None
    replid2_offset: int | None = None
    binlog_filters: dict[str, str] = fresh(factory=dict)
    semi_sync: bool | None = None
    position: Raw = fresh(factory=dict)
    notes: list[Note] = fresh(factory=list)
    raw: Raw = fresh(factory=dict)

    @property
    def role(self) -> str:
        if self.channels:
            return "intermediate" if self.replicas else "replica"
        return "primary" if self.replicas else "standalone"


class Comparison(Record):
    """A replica against a position of its primary; None where that cannot be told.

    received: whether everything has arrived, applied or not. wanted and present: both positions, for people. asked:
    whether somebody waits for the position.
    """

    reached: bool | None = None
    received: bool | None = None
    wanted: str | None = None
    present: str | None = None
    missing: str | None = None
    behind_transactions: int | None = None
    behind_bytes: int | None = None
    errant: str | None = None
    errant_count: int | None = None
    exact: bool = False
    asked: bool = False
    why: str | None = None


class Failure(Record):
    """Why there was no look. state: unreachable, auth_failed or unsupported; value: the word for checks.reachable."""

    state: str
    value: str
    message: str
    hint: str | None = None
    errno: int | None = None


class Answer(Record):
    """What one look found, and what became of the canary."""

    found: Snapshot | Failure
    sighting: Sighting | None = None


def place(host: str | None, port: int | None) -> str:
    """Return host:port for a sentence."""
    shown = f"[{host}]" if host and ":" in host else host or "an unknown host"
    return f"{shown}:{port}" if port else shown


def address_of(text: str) -> str | None:
    """Return an IP address that others can reach, or None for another text, every address and loopback."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            raw = socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        loopback = raw[0] == 127 if family == socket.AF_INET else raw == bytes(15) + b"\x01"
        return None if loopback or not any(raw) else socket.inet_ntop(family, raw)
    return None
