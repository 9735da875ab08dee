# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge one look: pure functions from a snapshot and what is expected to a state with reasons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record, fresh
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Channel,
    Comparison,
    Failure,
    Raw,
    Snapshot,
    Thread,
    place,
)

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import CanaryResult
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.findings import Findings, Reason

# Worst first: the state of a server is the worst of its findings.
STATES = (
    "unreachable",
    "unsupported",
    "wrong_primary",
    "not_a_replica",
    "auth_failed",
    "needs_reseed",
    "diverged",
    "broken",
    "stopped",
    "connecting",
    "syncing",
    "no_replicas",
    "writable_replica",
    "lagging",
    "catching_up",
    "healthy",
)
UNHEALTHY = STATES[:-1]
# Time may heal these; the others need somebody.
PASSING = ("unreachable", "stopped", "connecting", "syncing", "no_replicas", "lagging", "catching_up")

CHECKS = (
    "reachable",
    "role",
    "primary_identity",
    "server_id",
    "io",
    "sql",
    "lag",
    "delay",
    "caught_up",
    "errant",
    "read_only",
    "filters",
    "gtid",
    "heartbeat",
    "tls",
    "semi_sync",
    "replicas",
    "primary_reachable",
    "canary",
    "stable",
)


class Expectation(Record):
    """What the operator expects.

    primary: any of these identities. max_lag None: lag is not judged. max_io_idle None: what the server's own period
    gives.
    """

    role: str = "any"
    primary: tuple[Raw, ...] = ()
    read_only: bool | None = None
    max_lag: int | None = 10
    max_lag_bytes: int | None = None
    max_io_idle: float | None = None
    min_replicas: int = 0
    allow_delay: bool = False
    allow_filters: bool = False
    require_gtid: bool = False
    require_tls: bool = False
    require_semi_sync: bool = False
    ignore_checks: tuple[str, ...] = ()


class Verdict(Record):
    state: str
    message: str
    reasons: list[Reason] = fresh(factory=list)
    checks: dict[str, Raw] = fresh(factory=dict)

    @property
    def healthy(self) -> bool:
        return self.state == "healthy"

    @property
    def hopeless(self) -> bool:
        """Whether waiting cannot heal it."""
        return self.state not in (*PASSING, "healthy") or self.checks["reachable"]["value"] == "not_installed"


def no_checks() -> dict[str, Raw]:
    return {name: {"ok": None, "value": None, "expected": None} for name in CHECKS}


class Bench:
    """What the single checks write down."""

    def __init__(
        self,
        snapshot: Snapshot,
        expect: Expectation,
        comparison: Comparison,
        canary: CanaryResult | None = None,
        source: Failure | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.expect = expect
        self.comparison = comparison
        self.canary = canary
        self.source = source
        self.checks = no_checks()
        self.reasons: list[Reason] = []

    @property
    def findings(self) -> Findings:
        """What is said where something is not well; loaded then."""
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication.findings import Findings

        return Findings(self)

    def set(self, name: str, ok: bool | None, value: Any, expected: Any = None) -> None:
        self.checks[name] = {"ok": ok, "value": value, "expected": expected}

    def prefix(self, channel: Channel) -> str:
        return f"channel '{channel.name}': " if len(self.snapshot.channels) > 1 else ""

    def per_channel(self, values: list[Any]) -> Any:
        """Return the value of the only channel, or the values by channel name."""
        if len(values) == 1:
            return values[0]
        return {channel.name: values[index] for index, channel in enumerate(self.snapshot.channels)}


# --- Role and primary ---------------------------------------------------------------------------------------------


def check_role(bench: Bench) -> None:
    snapshot, expected = bench.snapshot, bench.expect.role
    role = snapshot.role
    is_replica = role in ("replica", "intermediate")
    ok = {
        "any": role != "standalone",
        "replica": is_replica,
        "primary": not is_replica,
        "standalone": role == "standalone",
    }[expected]
    bench.set("role", ok, role, expected)
    if not ok:
        bench.findings.role(is_replica)


def check_primary(bench: Bench) -> None:
    snapshot, expected = bench.snapshot, bench.expect.primary
    if not snapshot.channels:
        return
    places = [place(channel.host, channel.port) for channel in snapshot.channels]
    value = bench.per_channel(places)
    if not expected:
        bench.set("primary_identity", None, value)
        return
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected_primary import check

    check(bench, places, value)


def check_server_id(bench: Bench) -> None:
    own = bench.snapshot.identity
    bench.set("server_id", None, own.uuid or own.server_id or own.run_id)
    for channel in bench.snapshot.channels:
        same = [
            name
            for name in ("uuid", "server_id")
            if getattr(own, name) and str(getattr(own, name)).lower() == str(getattr(channel, name)).lower()
        ]
        if same:
            bench.set("server_id", False, getattr(own, same[0]))
            bench.findings.server_id(channel, same)
        elif channel.server_id or channel.uuid:
            bench.checks["server_id"]["ok"] = bench.checks["server_id"]["ok"] is not False


# --- The connection and the applier ---------------------------------------------------------------------------------


# The servers' own default was 86400 until MySQL 9 made it 10.
FEW_RETRIES = 100


def check_threads(bench: Bench) -> None:
    if bench.snapshot.engine == "redis":
        _check_link(bench)
        return
    channels = bench.snapshot.channels
    for name in ("io", "sql"):
        threads: list[Thread] = [getattr(channel, name) for channel in channels]
        if not threads:
            continue
        # "Connecting" and "Preparing" are truthy words, only "Yes" means that it runs.
        bench.set(
            name, all(thread.state == "Yes" for thread in threads), bench.per_channel([t.state for t in threads]), "Yes"
        )
        for channel, thread in zip(channels, threads):
            if thread.state != "Yes":
                bench.findings.thread(name, channel, thread)
    for channel in channels:
        # Such a connection gives up for good.
        if channel.retry_count is not None and 0 < channel.retry_count < FEW_RETRIES:
            bench.findings.few_retries(channel)


def _check_link(bench: Bench) -> None:
    """Judge the link of a Redis or Valkey replica."""
    for channel in bench.snapshot.channels:
        state = channel.io.state
        # A server does not call its primary before it has read its own data.
        waits = bench.snapshot.loading and state != "connected"
        bench.set("io", None if waits else state == "connected", state, "connected")
        if not waits and state != "connected":
            bench.findings.link(channel)


def running(channel: Channel) -> bool:
    return channel.io.state == "connected" or (channel.io.state == "Yes" and channel.sql.state == "Yes")


def _idle_limit(bench: Bench, channel: Channel) -> float:
    """Return after how many seconds without a word the primary counts as silent."""
    return bench.expect.max_io_idle or 2 * (channel.io.heartbeat_period or 30.0)


def check_heartbeat(bench: Bench) -> None:
    channels, links = bench.snapshot.channels, bench.snapshot.links
    ages = [channel.io.heartbeat_age for channel in channels]
    limits = [_idle_limit(bench, channel) for channel in channels]
    if links:
        # The server does not tell apart whose they are.
        age, limit = max(links), max(limits)
        bench.set("heartbeat", age <= limit, age, limit)
        if age > limit:
            bench.findings.silent_link(age, limit)
        return
    if not any(age is not None for age in ages):
        return
    ok = True if any(running(channel) for channel in channels) else None
    for channel, idle, limit in zip(channels, ages, limits):
        if idle is not None and idle > limit and running(channel):
            ok = False
            bench.findings.silent(channel, idle, limit)
    bench.set("heartbeat", ok, bench.per_channel(ages), bench.per_channel(limits))


def check_source(bench: Bench) -> None:
    """Judge whether the given primary could be asked."""
    if bench.source:
        bench.set("primary_reachable", False, bench.source.value, "yes")
        bench.findings.source(bench.source)


# --- Lag and position ---------------------------------------------------------------------------------------------


def check_delay(bench: Bench) -> None:
    delays = [channel.delay for channel in bench.snapshot.channels]
    if not delays:
        return
    ok = bench.expect.allow_delay or not any(delays)
    bench.set("delay", ok, bench.per_channel(delays), None if bench.expect.allow_delay else 0)
    if not ok:
        bench.findings.delay(max(delays))


def lag_seconds(snapshot: Snapshot) -> int | None:
    """Return the worst lag; None as soon as one channel does not run or does not tell."""
    values = [channel.lag_seconds if running(channel) else None for channel in snapshot.channels]
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def lag_bytes(snapshot: Snapshot, comparison: Comparison) -> int | None:
    if comparison.behind_bytes is not None:
        return comparison.behind_bytes
    known = [channel.lag_bytes for channel in snapshot.channels if channel.lag_bytes is not None]
    return max(known) if known else None


def check_lag(bench: Bench) -> None:
    snapshot, expect = bench.snapshot, bench.expect
    if not snapshot.channels:
        return
    seconds, missing_bytes = lag_seconds(snapshot), lag_bytes(snapshot, bench.comparison)
    # What the operator asked to wait is not lag.
    late = [
        channel
        for channel in snapshot.channels
        if running(channel)
        and channel.lag_seconds is not None
        and expect.max_lag is not None
        and channel.lag_seconds - channel.delay > expect.max_lag
    ]
    too_many = expect.max_lag_bytes is not None and missing_bytes is not None and missing_bytes > expect.max_lag_bytes
    for channel in late:
        bench.findings.late(channel)
    if too_many:
        bench.findings.late_bytes(missing_bytes)
    unknown = (
        seconds is None
        and snapshot.engine == "mysql"
        and not (bench.comparison.exact and bench.comparison.reached)
        and all(running(channel) for channel in snapshot.channels)
    )
    if unknown:
        bench.findings.lag_unknown()
    known = seconds is not None or missing_bytes is not None
    bench.set("lag", not (late or too_many) if known and not unknown else None, seconds, expect.max_lag)


def check_caught_up(bench: Bench) -> None:
    comparison, channels = bench.comparison, bench.snapshot.channels
    if not channels:
        return
    # A replica that waits on purpose has caught up when everything lies in its relay log.
    waits = bench.expect.allow_delay and any(channel.delay for channel in channels)
    reached = comparison.received if waits and not comparison.reached else comparison.reached
    bench.set(
        "caught_up",
        reached if comparison.exact else None,
        comparison.present if comparison.exact else None,
        comparison.wanted if comparison.exact else None,
    )
    if comparison.exact and reached is False:
        bench.findings.behind()
    elif comparison.asked and comparison.reached is None:
        bench.findings.position_unknown()


def check_errant(bench: Bench) -> None:
    comparison, channels = bench.comparison, bench.snapshot.channels
    if not channels or comparison.errant is None:
        return
    bench.set("errant", not comparison.errant, comparison.errant, "")
    if comparison.errant:
        bench.findings.errant()


# --- Settings -----------------------------------------------------------------------------------------------------


def check_read_only(bench: Bench) -> None:
    snapshot, expected = bench.snapshot, bench.expect.read_only
    actual = snapshot.read_only
    is_replica = bool(snapshot.channels)
    if expected is None:
        expected = True if is_replica else False if bench.expect.role == "primary" or snapshot.replicas else None
    if actual is None or expected is None:
        bench.set("read_only", None, actual, expected)
        return
    # On a replica "false" only accepts that it is writable.
    ok = actual == expected or (is_replica and not expected)
    bench.set("read_only", ok, actual, expected)
    if not ok:
        bench.findings.read_only(is_replica)
    elif is_replica and actual and snapshot.super_read_only is False:
        bench.findings.supers()
    elif is_replica and actual and snapshot.super_read_only is None and snapshot.writers:
        bench.findings.writers()


def check_filters(bench: Bench) -> None:
    snapshot = bench.snapshot
    found = dict(snapshot.binlog_filters)
    for channel in snapshot.channels:
        found.update({bench.prefix(channel) + name: value for name, value in channel.filters.items()})
    ok = bench.expect.allow_filters or not found
    bench.set("filters", ok, found, None if bench.expect.allow_filters else {})
    if not ok:
        bench.findings.filters(found)


def check_gtid(bench: Bench) -> None:
    snapshot = bench.snapshot
    if snapshot.engine != "mysql" or not snapshot.channels:
        return
    modes = [channel.gtid_mode for channel in snapshot.channels]
    by_file = [channel for channel in snapshot.channels if channel.gtid_mode in (None, "No")]
    certain = [channel for channel in by_file if channel.gtid_mode]
    required = bench.expect.require_gtid
    ok = not by_file if required else None if None in modes else not by_file
    bench.set("gtid", ok, bench.per_channel(modes), "GTID" if required else None)
    for channel in by_file if required else certain:
        bench.findings.file_positions(channel)
    if snapshot.gtid_strict is False:
        bench.findings.gtid_not_strict()


def check_tls(bench: Bench) -> None:
    channels, required = bench.snapshot.channels, bench.expect.require_tls
    used = [channel.tls for channel in channels]
    if not channels or (not required and not any(item is not None for item in used)):
        return
    bench.set("tls", all(used) if required else None, bench.per_channel(used), True if required else None)
    for channel in channels:
        if required and not channel.tls:
            bench.findings.tls(channel)


def check_semi_sync(bench: Bench) -> None:
    snapshot, required = bench.snapshot, bench.expect.require_semi_sync
    if snapshot.engine != "mysql":
        return
    ok = bool(snapshot.semi_sync) if required else None
    bench.set("semi_sync", ok, snapshot.semi_sync, True if required else None)
    if required and not ok:
        bench.findings.semi_sync()


def check_replicas(bench: Bench) -> None:
    snapshot, wanted = bench.snapshot, bench.expect.min_replicas
    if snapshot.writes_refused:
        bench.findings.writes_refused()
    if snapshot.replicas is None:
        bench.set("replicas", None, None, wanted)
        if wanted:
            bench.findings.replicas_unseen()
        return
    online = sum(1 for replica in snapshot.replicas if replica.online)
    enough = online >= wanted and not snapshot.writes_refused
    bench.set("replicas", enough if wanted or snapshot.writes_refused else None, online, wanted)
    if online < wanted:
        bench.findings.few_replicas(online)


def check_reachable(bench: Bench) -> None:
    bench.set("reachable", True, "yes", "yes")
    if bench.snapshot.loading:
        bench.set("reachable", False, "loading", "yes")
        bench.findings.loading()
    for note in bench.snapshot.notes:
        bench.findings.note(note)


def check_canary(bench: Bench) -> None:
    if bench.canary:
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import check

        check(bench, bench.canary)


ALL = (
    check_reachable,
    check_role,
    check_primary,
    check_source,
    check_server_id,
    check_threads,
    check_heartbeat,
    check_delay,
    check_lag,
    check_caught_up,
    check_errant,
    check_read_only,
    check_filters,
    check_gtid,
    check_tls,
    check_semi_sync,
    check_replicas,
    check_canary,
)


def judge(
    snapshot: Snapshot,
    expect: Expectation,
    comparison: Comparison,
    canary: CanaryResult | None = None,
    source: Failure | None = None,
) -> Verdict:
    """Return the verdict on one look. source: why the given primary could not be asked."""
    bench = Bench(snapshot, expect, comparison, canary, source)
    for check in ALL:
        check(bench)
    for name in expect.ignore_checks:
        bench.checks[name]["ok"] = None
    reasons = sort_reasons(reason for reason in bench.reasons if reason.check not in expect.ignore_checks)
    state = reasons[0].state if reasons and reasons[0].state else "healthy"
    message = reasons[0].message if state != "healthy" else _praise(snapshot)
    return Verdict(state, message, reasons, bench.checks)


def sort_reasons(reasons: Iterable[Reason]) -> list[Reason]:
    """The worst first."""
    return sorted(reasons, key=lambda reason: STATES.index(reason.state) if reason.state else len(STATES))


def _praise(snapshot: Snapshot) -> str:
    if not snapshot.channels:
        count = len(snapshot.replicas or [])
        return f"this {snapshot.role} accepts writes, {count} replica(s) are connected"
    seconds = lag_seconds(snapshot)
    places = ", ".join(place(channel.host, channel.port) for channel in snapshot.channels)
    return f"this replica follows {places}" + (f", {seconds:g} s behind" if seconds is not None else "")
