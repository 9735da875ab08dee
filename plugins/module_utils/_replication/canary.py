# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canary: what is written or looked for and by whom, how far it has come, and what that says of the replica."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record, replace
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Snapshot, place

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import Bench


class Canary(Record):
    """What to write or look for.

    mode: write or read. expire: whether what is old may go; ttl: after how many seconds. absent_below: the replica that
    has to receive it has no table for it.
    """

    mode: str
    token: str
    schema: str = "ansible_canary"
    table: str = "probe"
    create: bool = False
    key: str = "ansible:canary"
    ttl: int = 120
    expire: bool = True
    absent_below: bool = False


class Sighting(Record):
    """What became of a canary at one server.

    seen: whether the token is there. written_at: when, by the primary's clock. age_ms: since then, by the clock of the
    server that was asked. took_ms: how long the primary took, with its replicas where the engine waits for them.
    trouble: why it could not be written or read, in the verdict's words.
    """

    seen: bool | None = None
    written_at: str | None = None
    age_ms: int | None = None
    took_ms: int | None = None
    trouble: Trouble | None = None


class Trouble(Record):
    """A refused canary: the state that follows from it, a sentence, what mends it, the server's number.

    absent: there is no table for it where it should have been read.
    """

    state: str
    message: str
    hint: str | None = None
    errno: int | None = None
    absent: bool = False


class CanaryResult(Record):
    """The whole way of a canary. skipped: check mode writes nothing. trouble: what kept it from being written or read."""

    mode: str
    token: str
    skipped: bool = False
    seen: bool | None = None
    written_at: str | None = None
    latency_ms: int | None = None
    trouble: Trouble | None = None


def refusal(snapshot: Snapshot) -> Sighting | None:
    """A write on a server that follows another one would be just what this check is there to find."""
    if not snapshot.channels:
        return None
    source = place(snapshot.channels[0].host, snapshot.channels[0].port)
    message = f"this server follows {source}: a canary written here would be on no other server"
    return Sighting(trouble=Trouble("wrong_primary", message, "Write the canary on the primary."))


class Journey:
    """How far the canary has come.

    skip: nothing is written. alone: there is no other server to write it at. now: the time in seconds. refused: why the
    primary did not take it. own: what the server itself said last.
    """

    def __init__(self, canary: Canary, skip: bool, alone: bool, now: Callable[[], float]) -> None:
        self.canary = canary
        self.skip = skip
        self.now = now
        self.writes_itself = canary.mode == "write" or (canary.mode == "both" and alone)
        self.written: Sighting | None = None
        self.left_at: float | None = None
        self.refused: Trouble | None = None
        self.own: Sighting | None = None
        self.seen: Sighting | None = None
        self.latency_ms: int | None = None

    def must_write(self) -> bool:
        return not self.skip and self.canary.mode in ("write", "both") and self.written is None

    def primary_part(self) -> Canary | None:
        """Return what the primary has to do next."""
        if self.canary.mode != "both" or not self.must_write():
            return None
        absent = bool(self.own and self.own.trouble and self.own.trouble.absent)
        return replace(self.canary, mode="write", absent_below=absent)

    def own_part(self) -> Canary | None:
        """Return what the server itself has to do next."""
        if self.skip or self.seen is not None:
            return None
        if self.writes_itself:
            return replace(self.canary, mode="write") if self.must_write() else None
        return replace(self.canary, mode="read")

    def note_written(self, sighting: Sighting) -> None:
        self.refused = sighting.trouble
        if sighting.seen:
            self.written, self.left_at = sighting, self.now()

    def note_own(self, sighting: Sighting) -> None:
        if not self.writes_itself:
            self.own = sighting
            if sighting.seen:
                self.seen, self.latency_ms = sighting, self._latency(sighting)
            return
        self.note_written(sighting)
        if sighting.seen:
            # Where replicas have acknowledged it, that is worth more than the way back to ourselves.
            own = sighting.age_ms if self.canary.mode == "both" else None
            self.seen, self.latency_ms = sighting, own if sighting.took_ms is None else sighting.took_ms

    def _latency(self, sighting: Sighting) -> int | None:
        """Return the canary's way in milliseconds, by one clock where both ends were seen from here."""
        if self.left_at is not None:
            way = round((self.now() - self.left_at) * 1000)
            took = self.written.took_ms if self.written else None
            return way if took is None else min(way, took)
        return sighting.age_ms if sighting.age_ms is not None and sighting.age_ms >= 0 else None

    def result(self) -> CanaryResult:
        canary = self.canary
        if self.skip:
            return CanaryResult(canary.mode, canary.token, skipped=True)
        own = self.own.trouble if self.own else None
        written = self.written or self.seen
        return CanaryResult(
            canary.mode,
            canary.token,
            seen=self.seen is not None if written or self.own or self.refused else None,
            written_at=written.written_at if written else None,
            latency_ms=self.latency_ms,
            trouble=None if self.seen else self.refused or own,
        )


def check(bench: Bench, canary: CanaryResult) -> None:
    """Judge the way of a real write; what was only written by a primary is judged by its acceptance."""
    trouble = canary.trouble
    waits = bench.expect.allow_delay and any(channel.delay for channel in bench.snapshot.channels)
    ok = None if canary.skipped or (waits and not canary.seen and not trouble) else bool(canary.seen) and not trouble
    bench.set("canary", ok, canary.seen, None if canary.skipped else True)
    if ok or canary.skipped:
        return
    if trouble and not trouble.absent:
        bench.findings.add("canary", trouble.state, trouble.message, trouble.hint, trouble.errno)
    elif ok is None:
        bench.findings.add("canary", None, "the canary is not due here before the intended delay is over")
    elif bench.comparison.exact and bench.comparison.reached:
        what = "has no canary table" if trouble else "does not have the canary"
        bench.findings.add(
            "canary",
            "diverged",
            f"this replica has reached the primary's position but {what}: filters keep data away, or its data are others",
            (trouble.hint if trouble else None)
            or "The filters stand in the replica's status here and in the primary's binary log status; without any, seed it anew.",
        )
    else:
        bench.findings.add(
            "canary", "catching_up", "the canary has not arrived here yet", "Wait (timeout), or see the other reasons."
        )
