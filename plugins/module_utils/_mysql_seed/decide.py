# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a replica needs a copy of its primary's data, and whether it may be given one; nothing here talks to a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.source import Channel
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.progress import megabytes
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.gtid import (
    count,
    errant_positions,
    errant_set,
    format_position,
    format_set,
    parse_position,
    parse_set,
)

# What a replica says whose primary no longer has the logs that it lacks.
LOGS_GONE = 1236
# A copy is unpacked beside the data that are there, and its redo log is applied.
SPARE, HEADROOM = 1.1, 128 * 1024 * 1024
# MariaDB's from 10.3 on, so that no commit waits while tables are copied.
OLDEST = (10, 4)


@dataclass(frozen=True)
class Source:
    """What the primary says of itself. written: all that it ever wrote, MariaDB's binary log state or MySQL's executed set.

    own_id: under which it goes on writing; the replica, which is asked later, may have more of that.
    """

    flavor: str
    version: str
    in_logs: bool | None
    size: int
    written: str
    schemas: tuple[str, ...] = ()
    own_id: str = ""

    @property
    def series(self) -> tuple[str, ...]:
        return tuple(self.version.split(".")[:2])


@dataclass(frozen=True)
class Here:
    """The host to fill: its server where one answers, and otherwise whether its files hold data; free: bytes of its disk."""

    server: Server | None
    channels: Sequence[Channel]
    empty: bool | None
    free: int


@dataclass(frozen=True)
class Decision:
    """needed: why, or empty; lost: what the host holds and the primary does not; refusal: why it must not be."""

    needed: str = ""
    lost: str = ""
    refusal: str = ""


def only_here(server: Server, source: Source) -> str:
    """Return the transactions that this server has and the primary has not, or an empty text."""
    if server.is_mariadb:
        state = parse_position(server.variables.get("gtid_binlog_state"))
        in_flight = (int(source.own_id),) if source.own_id else ()
        return format_position(errant_positions(state, parse_position(source.written), in_flight, ()))
    executed = parse_set(server.variables.get("gtid_executed"))
    return format_set(errant_set(executed, parse_set(source.written), (source.own_id,), ()))


def loss(server: Server, source: Source) -> str:
    """Say what would be gone with this server's data, or an empty text where the primary has all of it."""
    held = server.content
    own = only_here(server, source) if server.flavor == source.flavor else held.written or ""
    if own:
        number = "" if server.is_mariadb else f"{count(parse_set(own))} "
        return f"{number}transactions that the primary does not have ({own})"
    followed = held.received or held.written
    if held.schemas and not followed:
        return f"schemas whose transactions nobody counted ({', '.join(held.schemas[:3])})"
    return ""


def why_needed(here: Here, source: Source, forced: bool) -> str:
    """Say why the binary logs alone do not do, or an empty text where they do."""
    server = here.server
    if server is None or server.content.empty:
        empty = here.empty if server is None else True
        if empty and source.in_logs is False:
            return "it is empty, and the binary logs of the primary do not hold all of its data"
        return ""
    broken = next((channel for channel in here.channels if channel.status.io_errno == LOGS_GONE), None)
    if broken:
        return "the primary no longer has the binary logs that it lacks"
    if not forced:
        return ""
    named = "and it is named in mysql_replica_allow_reseed"
    stuck = next((channel.status.sql_errno for channel in here.channels if channel.status.sql_errno), None)
    if stuck:
        return f"it cannot apply what the primary sends (error {stuck}), {named}"
    return f"it holds data of its own, {named}" if not here.channels or loss(server, source) else ""


def decide(here: Here, source: Source, primary: str, forced: bool) -> Decision:
    """forced: the operator names this host as one whose data may be replaced."""
    nothing = "nothing was changed"
    lost = loss(here.server, source) if here.server else ""
    own = here.server.content.own if here.server and not here.channels else None
    if own and not forced:
        gone = f"then it would lose {lost}" if lost else "the primary has all of that"
        return Decision(
            "",
            lost,
            f"this server holds {own}, expected an empty server or a copy of {primary}; name this host in mysql_replica_allow_reseed"
            f" to replace its data by a copy, {gone}; or run the primary's role on it; {nothing}",
        )
    needed = why_needed(here, source, forced)
    if not needed:
        return Decision()
    if lost and not forced:
        return Decision(
            needed,
            lost,
            f"this server would be filled with a copy of {primary}, as {needed}, but then it would lose {lost}; save what is needed,"
            f" and name this host in mysql_replica_allow_reseed; {nothing}",
        )
    version = tuple(int(part) for part in source.series if part.isdigit())
    if source.flavor != "mariadb" or version < OLDEST:
        return Decision(
            needed,
            lost,
            f"this server needs a copy of {primary}, as {needed}, but {source.flavor} {source.version} is not copied by the role;"
            f" expected MariaDB from 10.4 on: fill it by hand as the role mysql_replica describes; {nothing}",
        )
    if here.server and (here.server.flavor != source.flavor or here.server.version[:2] != version):
        running = ".".join(str(part) for part in here.server.version)
        return Decision(
            needed,
            lost,
            f"this server needs a copy of {primary}, as {needed}, but it runs {here.server.flavor} {running} and the primary"
            f" {source.flavor} {source.version}; expected the same release: bring both to it first; {nothing}",
        )
    wanted = int(source.size * SPARE) + HEADROOM
    if here.free < wanted:
        return Decision(
            needed,
            lost,
            f"this server needs a copy of {primary}, as {needed}, and the disk of its data has {megabytes(here.free)} free, expected"
            f" {megabytes(wanted)} for {megabytes(source.size)} of data: make room; {nothing}",
        )
    return Decision(needed, lost)
