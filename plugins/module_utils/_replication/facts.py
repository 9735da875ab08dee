# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at a server found, the same for every engine and version."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from typing import Any

Raw = dict[str, Any]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass
class Thread:
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


@dataclass
class Channel:
    """One connection of a replica to a primary. gtid_mode: auto_position, Slave_Pos, Current_Pos or No."""

    name: str = ""
    host: str | None = None
    port: int | None = None
    user: str | None = None
    server_id: int | None = None
    uuid: str | None = None
    replid: str | None = None
    io: Thread = field(default_factory=Thread)
    sql: Thread = field(default_factory=Thread)
    workers: list[Raw] = field(default_factory=list)
    delay: int = 0
    filters: dict[str, str] = field(default_factory=dict)
    lag_seconds: int | None = None
    lag_bytes: int | None = None
    tls: bool | None = None
    tls_verified: bool | None = None
    retry_count: int | None = None
    gtid_mode: str | None = None
    retrieved: str | None = None
    file: str | None = None
    pos: int | None = None

    @property
    def primary(self) -> str:
        """The primary's address, for a sentence."""
        return address(self.host, self.port)

    @property
    def running(self) -> bool:
        # "Connecting" and "Preparing" are truthy words, only "Yes" means that it runs.
        return self.io.state == "connected" or (self.io.state == "Yes" and self.sql.state == "Yes")


@dataclass
class Replica:
    """One replica as its primary sees it."""

    host: str | None = None
    port: int | None = None
    state: str | None = None
    offset: int | None = None
    uuid: str | None = None
    lag: int | None = None
    online: bool = True


@dataclass
class Note:
    """What could not be asked, and what mends that."""

    text: str
    hint: str | None = None
    errno: int | None = None


@dataclass
class Identity:
    host: str | None = None
    port: int | None = None
    server_id: int | None = None
    uuid: str | None = None
    run_id: str | None = None
    replid: str | None = None


@dataclass
class Refusal:
    """Why a server takes no writes, or not this canary: the state that follows, a sentence, what mends it, its number.

    absent: there is no table for the canary where it should have been read.
    """

    state: str
    message: str
    hint: str | None = None
    errno: int | None = None
    absent: bool = False


@dataclass
class Snapshot:
    """A server that answered.

    read_only: whether ordinary clients may not write. replicas None: they cannot be seen. dialect: whose statements it
    knows, those of source, master, mariadb or redis. account: who asked. link_ages: those of connections to several
    primaries that cannot be told apart. peers: who the other channels follow, where only one is judged. writers: accounts
    that read_only does not stop. absent_channel: a sentence on the channel that was asked for and is not there. member_of: the
    cluster that the server belongs to, where that is not replication from a primary. in_logs: whether the binary logs hold all that
    the server holds, from its first transaction on. addresses: its own ones. lenient:
    settings by which a replica skips errors or conflicts. handing_over: the host for which a primary has closed itself in a
    switchover that has not ended; known on its own host only. certificate_ends: of the certificate that it showed, where that was checked.
    """

    engine: str
    flavor: str | None = None
    version: str | None = None
    dialect: str = "source"
    account: str | None = None
    identity: Identity = field(default_factory=Identity)
    read_only: bool | None = None
    super_read_only: bool | None = None
    writers: list[str] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    link_ages: list[float] = field(default_factory=list)
    replicas: list[Replica] | None = None
    writes_refused: Refusal | None = None
    loading: bool = False
    empty: bool | None = None
    in_logs: bool | None = None
    gtid_mode: str | None = None
    gtid_strict: bool | None = None
    executed: str | None = None
    binlog_state: str | None = None
    offset: int | None = None
    replid2: str | None = None
    replid2_offset: int | None = None
    binlog_filters: dict[str, str] = field(default_factory=dict)
    lenient: dict[str, str] = field(default_factory=dict)
    absent_channel: str | None = None
    member_of: str | None = None
    addresses: list[str] = field(default_factory=list)
    handing_over: str | None = None
    binary_log: bool | None = None
    logs_replicated: bool | None = None
    semi_sync: bool | None = None
    position: Raw = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    certificate_ends: str | None = None
    raw: Raw = field(default_factory=dict)

    @property
    def role(self) -> str:
        if self.channels:
            return "intermediate" if self.replicas else "replica"
        return "primary" if self.replicas else "standalone"

    @property
    def lag_seconds(self) -> int | None:
        """The worst lag; None as soon as one channel does not run or does not tell."""
        known = [
            channel.lag_seconds for channel in self.channels if channel.running and channel.lag_seconds is not None
        ]
        return max(known) if known and len(known) == len(self.channels) else None


@dataclass
class Failure:
    """A server that did not answer. state: what that makes of it; value: the word for checks.reachable."""

    state: str
    value: str
    message: str
    hint: str | None = None
    errno: int | None = None


@dataclass
class CanaryReply:
    """What one server answered to a canary.

    seen: whether the token is there. written_at: when, by the primary's clock. age_ms: since then, by the clock of the
    server that was asked. took_ms: how long the primary took, with its replicas where the engine waits for them.
    """

    seen: bool | None = None
    written_at: str | None = None
    age_ms: int | None = None
    took_ms: int | None = None
    refusal: Refusal | None = None


@dataclass
class Look:
    """What one look found, and what became of the canary that went with it."""

    found: Snapshot | Failure
    canary: CanaryReply | None = None


def address(host: str | None, port: int | None) -> str:
    """Return host:port for a sentence."""
    shown = f"[{host}]" if host and ":" in host else host or "an unknown host"
    return f"{shown}:{port}" if port else shown


def reachable_address(text: str) -> str | None:
    """Return an IP address that others can reach, or None for another text, every address and loopback."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            raw = socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        loopback = raw[0] == 127 if family == socket.AF_INET else raw == bytes(15) + b"\x01"
        return None if loopback or not any(raw) else socket.inet_ntop(family, raw)
    return None


def version_info(version: str | None) -> list[int]:
    """Return the leading number as integers; a proxy or old client may put 5.5.5- before it."""
    match = re.match(r"(?:5\.5\.5-)?(\d+(?:\.\d+)*)", version or "")
    return [int(part) for part in match.group(1).split(".")] if match else []
