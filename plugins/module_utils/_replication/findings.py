# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said where something is not well: the state that follows, a sentence, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Channel,
    Failure,
    Note,
    Raw,
    Thread,
    place,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    Verdict,
    no_checks,
    sort_reasons,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.words import Words

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import Bench

_LINK_HINT = (
    "Check that the primary runs and is reachable, and masteruser and masterauth here against its ACL or requirepass:"
    " this server's log names the reason."
)


def _short(text: str | None) -> str:
    return text if text and len(text) <= 200 else f"{(text or '')[:200]}..."


class Reason(Record):
    """One finding. An error makes the server unhealthy and names the state, a warning does neither."""

    check: str
    state: str | None
    message: str
    hint: str | None = None
    errno: int | None = None

    @property
    def severity(self) -> str:
        return "error" if self.state else "warning"

    def shown(self) -> Raw:
        return {
            "check": self.check,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "errno": self.errno,
        }


class Findings:
    """Adds findings to a bench."""

    def __init__(self, bench: Bench) -> None:
        self.reasons = bench.reasons
        self.prefix = bench.prefix
        self.snapshot = bench.snapshot
        self.expect = bench.expect
        self.comparison = bench.comparison
        self.words = Words(bench.snapshot.dialect)

    def add(
        self, check: str, state: str | None, message: str, hint: str | None = None, errno: int | None = None
    ) -> None:
        self.reasons.append(Reason(check, state, message, hint, errno))

    # --- Role and primary -------------------------------------------------------------------------------------------

    def role(self, is_replica: bool) -> None:
        expected, channels = self.expect.role, self.snapshot.channels
        if expected == "replica":
            self.add(
                "role",
                "not_a_replica",
                "replication is not set up on this server",
                f"{self.words.point()}; or run the role of the replica.",
            )
        elif expected == "any":
            self.add(
                "role",
                "not_a_replica",
                "this server neither follows a primary nor has replicas",
                "Say expect_role: primary or standalone where that is meant.",
            )
        elif is_replica:
            source = place(channels[0].host, channels[0].port)
            meant = "a primary" if expected == "primary" else expected
            self.add(
                "role",
                "wrong_primary",
                f"this server follows {source}, but was expected to be {meant}",
                "Ask the other servers which of them is the primary before changing anything.",
            )
        else:
            self.add("role", "wrong_primary", "this server has replicas, but was expected to be standalone")

    def wrong_primary(self, places: Sequence[str], wanted: Mapping[str, object]) -> None:
        known = ", ".join(f"{key} {item}" for key, item in wanted.items())
        self.add(
            "primary_identity",
            "wrong_primary",
            f"this server follows {', '.join(places)}, which is not the expected primary ({known})",
            self.words.point(str(wanted.get("host") or "<primary>"), self.snapshot.channels[0].name),
        )

    def source(self, failure: Failure) -> None:
        """The given primary could not be asked."""
        if failure.state == "auth_failed":
            self.add(
                "primary_reachable",
                "auth_failed",
                f"the given primary refuses our login ({failure.message})",
                f"{failure.hint or ''} This is about the login options below primary.".strip(),
                failure.errno,
            )
            return
        self.add(
            "primary_reachable",
            "connecting",
            f"the given primary does not answer ({failure.message})",
            failure.hint,
            failure.errno,
        )

    def server_id(self, channel: Channel, same: Sequence[str]) -> None:
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication.causes import CLONE_HINT

        self.add(
            "server_id",
            "broken",
            f"{self.prefix(channel)}this server and its primary have the same {' and '.join(same)}",
            CLONE_HINT,
        )

    # --- The connection and the applier -----------------------------------------------------------------------------

    def thread(self, name: str, channel: Channel, thread: Thread) -> None:
        """A thread of MySQL or MariaDB does not run."""
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication import causes

        cause = (causes.io_cause if name == "io" else causes.sql_cause)(channel, self.words)
        tried = f", tried {thread.attempts} times" if thread.attempts else ""
        message = self.prefix(channel) + cause.message + tried + causes.said(thread)
        self.add(name, cause.state, message, cause.hint, thread.errno)

    def few_retries(self, channel: Channel) -> None:
        self.add(
            "io",
            None,
            f"{self.prefix(channel)}a lost connection is tried {channel.retry_count} times, then it stays away for good",
            self.words.change({"RETRY_COUNT": "86400"}, channel.name),
        )

    def link(self, channel: Channel) -> None:
        """The link of a Redis or Valkey replica is not up."""
        state, where = channel.io.state, place(channel.host, channel.port)
        since = f" for {channel.io.since}" if channel.io.since else ""
        if channel.io.error:
            refused = channel.io.cause == "auth"
            self.add(
                "io",
                "auth_failed" if refused else "connecting",
                f"the primary {where} refuses this replica's login{since} ({channel.io.error})"
                if refused
                else f"the link to the primary {where} is down{since} ({channel.io.error})",
                "CONFIG SET masteruser '...' and CONFIG SET masterauth '...', as the primary's ACL or requirepass has them"
                if refused
                else "Check that the primary runs, its bind addresses and the firewalls between the two.",
            )
        elif state in ("sync", "handshake"):
            self.add("io", "syncing", f"the first data from {where} are still coming ({state})", "Wait.")
        else:
            self.add("io", "connecting", f"the link to the primary {where} is down{since} ({state})", _LINK_HINT)

    def silent(self, channel: Channel, age: float, limit: float) -> None:
        what = f"{self.prefix(channel)}nothing has come from {place(channel.host, channel.port)}"
        self._silent(what, age, limit)

    def silent_link(self, age: float, limit: float) -> None:
        places = ", ".join(place(channel.host, channel.port) for channel in self.snapshot.channels)
        self._silent(f"on one of the connections to {places} nothing has come", age, limit)

    def _silent(self, what: str, age: float, limit: float) -> None:
        self.add(
            "heartbeat",
            "connecting",
            f"{what} for {age:g} s, where {limit:g} s are the most: a healthy primary sends something at least that often",
            "The primary hangs or the network drops packets: look at the primary, then at the firewalls between the two.",
        )

    # --- Lag and position -------------------------------------------------------------------------------------------

    def delay(self, seconds: int) -> None:
        self.add(
            "delay",
            "lagging",
            f"this replica is set to stay {seconds} s behind its primary",
            f"{self.words.change({'DELAY': '0'}, self.snapshot.channels[0].name)}; or allow_delay: true",
        )

    def late(self, channel: Channel) -> None:
        self.add(
            "lag",
            "lagging",
            f"{self.prefix(channel)}this replica is {channel.lag_seconds} s behind, {self.expect.max_lag} s are allowed",
        )

    def late_bytes(self, missing: int | None) -> None:
        allowed = self.expect.max_lag_bytes
        self.add("lag", "lagging", f"this replica is {missing} bytes behind, {allowed} are allowed")

    def lag_unknown(self) -> None:
        self.add("lag", "catching_up", "the server does not tell how far behind it is")

    def behind(self) -> None:
        comparison = self.comparison
        self.add(
            "caught_up",
            "catching_up",
            f"this replica has not reached the primary's position yet, missing {_short(comparison.missing)}",
            f"Wait (timeout): wanted is {_short(comparison.wanted)}, here is {_short(comparison.present)}.",
        )

    def position_unknown(self) -> None:
        self.add(
            "caught_up",
            "catching_up",
            f"whether this replica has reached wait_for cannot be told: {self.comparison.why}",
            "Take the position anew from the primary that this replica follows.",
        )

    def errant(self) -> None:
        comparison = self.comparison
        hint = "Save what is needed of them, then seed this replica anew; allow_errant accepts ids that are known."
        if not comparison.exact:
            hint += " If this server was the primary before, give wait_for: its old writes are none then."
        self.add(
            "errant",
            "diverged",
            f"this replica holds {comparison.errant_count} transaction(s) that did not come from its primary:"
            f" {_short(comparison.errant)}",
            hint,
        )

    # --- Settings ---------------------------------------------------------------------------------------------------

    def read_only(self, is_replica: bool) -> None:
        """The server takes writes and should not, or the other way round."""
        words = self.words
        if is_replica:
            self.add("read_only", "writable_replica", "this replica accepts writes", words.close())
        elif self.snapshot.read_only:
            self.add("read_only", "broken", "this primary is read-only", f"{words.open()} where it is the primary.")
        else:
            self.add("read_only", "writable_replica", "this server accepts writes", words.close())

    def supers(self) -> None:
        self.add(
            "read_only",
            None,
            "accounts with SUPER or CONNECTION_ADMIN can still write here",
            "SET GLOBAL super_read_only = 1",
        )

    def writers(self) -> None:
        writers = self.snapshot.writers
        privilege = "READ_ONLY ADMIN, SUPER" if self.snapshot.flavor == "mariadb" else "SUPER"
        self.add(
            "read_only",
            None,
            f"read_only does not stop {', '.join(writers)}",
            f"REVOKE {privilege} ON *.* FROM {writers[0]}",
        )

    def filters(self, found: Raw) -> None:
        listed = ", ".join(f"{name}={value}" for name, value in sorted(found.items()))
        self.add(
            "filters",
            "diverged",
            f"filters keep data away from the replicas: {listed}",
            "Remove the filters; allow_filters: true accepts them.",
        )

    def file_positions(self, channel: Channel) -> None:
        self.add(
            "gtid",
            "broken" if self.expect.require_gtid else None,
            f"{self.prefix(channel)}replication follows file positions, which are lost at a failover",
            self.words.by_gtid(channel.name),
        )

    def gtid_not_strict(self) -> None:
        self.add(
            "gtid",
            None,
            "a write on this replica would go unnoticed until a failover",
            "SET GLOBAL gtid_strict_mode = 1",
        )

    def tls(self, channel: Channel) -> None:
        hint = "CONFIG SET tls-replication yes, with tls-ca-cert-file, tls-cert-file and tls-key-file on both"
        state = "is not encrypted" if channel.tls is False else "may be encrypted or not, this login cannot see it"
        self.add(
            "tls",
            "broken",
            f"{self.prefix(channel)}the connection to {place(channel.host, channel.port)} {state}",
            hint if self.snapshot.engine == "redis" else self.words.tls(channel.name),
        )

    def semi_sync(self) -> None:
        self.add(
            "semi_sync",
            "broken",
            "semi-synchronous replication is not in use"
            + ("" if self.snapshot.semi_sync is False else ", the server has no part of it loaded"),
            self.words.semi_sync(bool(self.snapshot.channels)),
        )

    # --- Replicas ---------------------------------------------------------------------------------------------------

    def writes_refused(self) -> None:
        self.add("replicas", "no_replicas", f"this primary refuses writes: {self.snapshot.writes_refused}")

    def replicas_unseen(self) -> None:
        snapshot = self.snapshot
        self.add(
            "replicas",
            "no_replicas",
            "the connected replicas cannot be seen with this login",
            self.words.grant(snapshot.flavor, snapshot.account, "need (at least one of) the PROCESS privilege"),
        )

    def few_replicas(self, online: int) -> None:
        self.add(
            "replicas",
            "no_replicas",
            f"{online} replica(s) are connected and in sync, {self.expect.min_replicas} expected",
            "Run this check on the replicas: each names its own reason.",
        )

    # --- Reachable --------------------------------------------------------------------------------------------------

    def loading(self) -> None:
        self.add("reachable", "syncing", "the server is still reading its data from disk", "Wait.")

    def note(self, note: Note) -> None:
        self.add("reachable", None, note.text, note.hint, note.errno)


def judge_failure(failure: Failure) -> Verdict:
    """Return the verdict where there was no look."""
    checks = no_checks()
    checks["reachable"] = {"ok": False, "value": failure.value, "expected": "yes"}
    reason = Reason("reachable", failure.state, failure.message, failure.hint, failure.errno)
    return Verdict(failure.state, failure.message, [reason], checks)


def unstable(verdict: Verdict, seconds: float, wanted: float, changes: int) -> Verdict:
    """A server that was well at the last look, but not long enough."""
    message = f"healthy for the last {seconds:.1f} s only, {wanted:g} s are wanted"
    if changes:
        message += f"; it turned unhealthy {changes} time(s) meanwhile"
    reason = Reason("stable", "catching_up", message, "Wait longer (timeout), and look why it changes.")
    checks = {**verdict.checks, "stable": {"ok": False, "value": changes, "expected": 0}}
    return Verdict("catching_up", message, sort_reasons([reason, *verdict.reasons]), checks)
