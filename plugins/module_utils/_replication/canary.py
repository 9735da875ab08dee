# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canary: a small write on the primary that must arrive at the replica, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    CanaryReply,
    Refusal,
    Snapshot,
)


@dataclass(frozen=True)
class Canary:
    """What one server is to write or to look for.

    mode: write, read or both. absent_below: the replica that has to receive it has no table for it.
    """

    mode: str
    token: str
    schema: str = "ansible_canary"
    table: str = "probe"
    create: bool = False
    absent_below: bool = False


@dataclass(frozen=True)
class CanaryResult:
    """The whole way of a canary. skipped: check mode writes nothing. refusal: why it was not written or read."""

    mode: str
    token: str
    skipped: bool = False
    seen: bool | None = None
    written_at: str | None = None
    latency_ms: int | None = None
    refusal: Refusal | None = None


def refuse_replica(snapshot: Snapshot) -> CanaryReply | None:
    """A write on a server that follows another one would be just what this check is there to find."""
    if not snapshot.channels:
        return None
    primary = snapshot.channels[0].primary
    message = f"this server follows {primary}: a canary written here would be on no other server"
    return CanaryReply(refusal=Refusal("wrong_primary", message, "Write the canary on the primary."))


class CanaryProgress:
    """How far the canary has come.

    skip: nothing is written. alone: there is no other server to write it at. now: the time in seconds.
    """

    def __init__(self, canary: Canary, skip: bool, alone: bool, now: Callable[[], float]) -> None:
        self.canary = canary
        self.skip = skip
        self.now = now
        self.writes_itself = canary.mode == "write" or (canary.mode == "both" and alone)
        self.written: CanaryReply | None = None
        self.left_at: float | None = None
        # Why the primary did not take it.
        self.refused: Refusal | None = None
        # What the server that is judged answered last, and when it had the canary.
        self.own: CanaryReply | None = None
        self.seen: CanaryReply | None = None
        self.latency_ms: int | None = None

    def must_write(self) -> bool:
        return not self.skip and self.canary.mode in ("write", "both") and self.written is None

    def for_primary(self) -> Canary | None:
        """Return what the primary has to do next."""
        if self.canary.mode != "both" or not self.must_write():
            return None
        absent = bool(self.own and self.own.refusal and self.own.refusal.absent)
        return replace(self.canary, mode="write", absent_below=absent)

    def for_server(self) -> Canary | None:
        """Return what the server that is judged has to do next."""
        if self.skip or self.seen is not None:
            return None
        if self.writes_itself:
            return replace(self.canary, mode="write") if self.must_write() else None
        return replace(self.canary, mode="read")

    def from_primary(self, reply: CanaryReply) -> None:
        self.refused = reply.refusal
        if reply.seen:
            self.written, self.left_at = reply, self.now()

    def from_server(self, reply: CanaryReply) -> None:
        if not self.writes_itself:
            self.own = reply
            if reply.seen:
                self.seen, self.latency_ms = reply, self._latency(reply)
            return
        self.from_primary(reply)
        if reply.seen:
            # Where replicas have acknowledged it, that is worth more than the way back to ourselves.
            own = reply.age_ms if self.canary.mode == "both" else None
            self.seen, self.latency_ms = reply, own if reply.took_ms is None else reply.took_ms

    def _latency(self, reply: CanaryReply) -> int | None:
        """Return the canary's way in milliseconds, by one clock where both ends were seen from here."""
        if self.left_at is not None:
            way = round((self.now() - self.left_at) * 1000)
            took = self.written.took_ms if self.written else None
            return way if took is None else min(way, took)
        return reply.age_ms if reply.age_ms is not None and reply.age_ms >= 0 else None

    def result(self) -> CanaryResult:
        canary = self.canary
        if self.skip:
            return CanaryResult(canary.mode, canary.token, skipped=True)
        own = self.own.refusal if self.own else None
        written = self.written or self.seen
        return CanaryResult(
            canary.mode,
            canary.token,
            seen=self.seen is not None if written or self.own or self.refused else None,
            written_at=written.written_at if written else None,
            latency_ms=self.latency_ms,
            refusal=None if self.seen else self.refused or own,
        )
