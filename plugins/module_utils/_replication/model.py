# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at a server found, in the same words for every engine and version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Raw = dict[str, Any]


@dataclass
class Thread:
    """The connection to the primary (io) or the applier (sql).

    state: the server's own word. cause: kind of the error, where the engine has no numbers (auth, unreachable, ...).
    """

    state: str | None = None
    errno: int | None = None
    error: str | None = None
    cause: str | None = None
    since: str | None = None
    heartbeat_age: float | None = None
    heartbeat_period: float | None = None


@dataclass
class Channel:
    """One replication connection of a replica."""

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
    gtid_mode: str | None = None
    retrieved: str | None = None
    file: str | None = None
    pos: int | None = None


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
class Identity:
    host: str | None = None
    port: int | None = None
    server_id: int | None = None
    uuid: str | None = None
    run_id: str | None = None
    replid: str | None = None


@dataclass
class Snapshot:
    """One look. read_only: whether ordinary clients may not write. replicas None: they cannot be seen."""

    engine: str
    flavor: str | None = None
    version: str | None = None
    identity: Identity = field(default_factory=Identity)
    read_only: bool | None = None
    super_read_only: bool | None = None
    channels: list[Channel] = field(default_factory=list)
    replicas: list[Replica] | None = None
    writes_refused: str | None = None
    loading: bool = False
    syncing: bool = False
    empty: bool | None = None
    gtid_mode: str | None = None
    executed: str | None = None
    binlog_state: str | None = None
    offset: int | None = None
    replid2: str | None = None
    replid2_offset: int | None = None
    binlog_filters: dict[str, str] = field(default_factory=dict)
    semi_sync: bool | None = None
    position: Raw = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    raw: Raw = field(default_factory=dict)

    @property
    def role(self) -> str:
        if self.channels:
            return "intermediate" if self.replicas else "replica"
        return "primary" if self.replicas else "standalone"


@dataclass(frozen=True)
class Comparison:
    """A replica against a position of its primary; None where that cannot be told."""

    reached: bool | None = None
    missing: str | None = None
    behind_transactions: int | None = None
    behind_bytes: int | None = None
    errant: str | None = None
    errant_count: int | None = None
    exact: bool = False
    why: str | None = None


@dataclass(frozen=True)
class Failure:
    """Why there was no look. state: unreachable, auth_failed or unsupported; value: the word for checks.reachable."""

    state: str
    value: str
    message: str
    hint: str | None = None
    errno: int | None = None
