# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge one look: pure functions from a snapshot and what is expected to a state with reasons."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.causes import (
    CLONE_HINT,
    io_cause,
    place,
    said,
    sql_cause,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    CanaryResult,
    Channel,
    Comparison,
    Failure,
    Raw,
    Snapshot,
    Thread,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.words import Words, grant

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


@dataclass(frozen=True)
class Reason:
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


@dataclass(frozen=True)
class Expectation:
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


@dataclass
class Verdict:
    state: str
    message: str
    reasons: list[Reason] = field(default_factory=list)
    checks: dict[str, Raw] = field(default_factory=dict)

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
        self.words = Words(snapshot.dialect)
        self.checks = no_checks()
        self.reasons: list[Reason] = []

    def set(self, name: str, ok: bool | None, value: Any, expected: Any = None) -> None:
        self.checks[name] = {"ok": ok, "value": value, "expected": expected}

    def add(
        self, check: str, state: str | None, message: str, hint: str | None = None, errno: int | None = None
    ) -> None:
        self.reasons.append(Reason(check, state, message, hint, errno))

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
    source = place(snapshot.channels[0].host, snapshot.channels[0].port) if snapshot.channels else ""
    ok = {
        "any": role != "standalone",
        "replica": is_replica,
        "primary": not is_replica,
        "standalone": role == "standalone",
    }[expected]
    bench.set("role", ok, role, expected)
    if ok:
        return
    if expected == "replica":
        bench.add(
            "role",
            "not_a_replica",
            "replication is not set up on this server",
            f"{bench.words.point()}; or run the role of the replica.",
        )
    elif expected == "any":
        bench.add(
            "role",
            "not_a_replica",
            "this server neither follows a primary nor has replicas",
            "Say expect_role: primary or standalone where that is meant.",
        )
    elif is_replica:
        bench.add(
            "role",
            "wrong_primary",
            f"this server follows {source}, but was expected to be {'a primary' if expected == 'primary' else expected}",
            "Ask the other servers which of them is the primary before changing anything.",
        )
    else:
        bench.add("role", "wrong_primary", "this server has replicas, but was expected to be standalone")


def parse_expected_primary(value: Any) -> tuple[Raw, ...]:
    """Return the identities that expect_primary names: a host, host:port, UUID or replication id, a dict, or a list."""
    if value is None or value in ("", [], {}):
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(item for entry in value for item in parse_expected_primary(entry))
    if isinstance(value, Mapping):
        known = {"host", "port", "server_id", "uuid", "run_id", "replid"}
        found = {key: item for key, item in value.items() if key in known and item not in (None, "")}
        if not found:
            raise ValueError(f"expect_primary needs at least one of {', '.join(sorted(known))}")
        for key in ("port", "server_id"):
            if key in found and not str(found[key]).isdigit():
                raise ValueError(f"expect_primary has {key} {found[key]!r}, expected a number")
        return (found,)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return (_identity_of(str(value).strip()),)
    raise ValueError("expect_primary is neither a string, a dictionary nor a list of these")


def _identity_of(text: str) -> Raw:
    if re.match(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z", text):
        return {"uuid": text}
    if re.match(r"[0-9a-f]{40}\Z", text):
        return {"replid": text}
    match = re.match(r"(\[[^\]]+\]|[^:]+):(\d+)\Z", text)
    if match:
        return {"host": match.group(1).strip("[]"), "port": int(match.group(2))}
    return {"host": text.strip("[]")}


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def matches(expected: Mapping[str, Any], channel: Channel) -> bool | None:
    """Compare identities: ids where both sides know one, else host and port; None where nothing can be compared."""
    strong = False
    for key in ("uuid", "replid", "server_id"):
        if expected.get(key):
            strong = True
            actual = getattr(channel, key)
            if actual:
                return str(actual).lower() == str(expected[key]).lower()
    wanted, host = str(expected.get("host") or "").lower(), str(channel.host or "").lower()
    if not wanted:
        return None if strong or not expected.get("port") else channel.port == int(expected["port"])
    if wanted != host:
        # A name and an address may be the same server; an id tells it as soon as the replica connects.
        return None if strong and _is_address(wanted) != _is_address(host) else False
    return not expected.get("port") or channel.port == int(expected["port"])


def check_primary(bench: Bench) -> None:
    snapshot, expected = bench.snapshot, bench.expect.primary
    if not snapshot.channels:
        return
    places = [place(channel.host, channel.port) for channel in snapshot.channels]
    value = bench.per_channel(places)
    if not expected:
        bench.set("primary_identity", None, value)
        return
    answers = [[matches(item, channel) for item in expected] for channel in snapshot.channels]
    wanted = [{key: item[key] for key in sorted(item)} for item in expected]
    shown = wanted[0] if len(wanted) == 1 else wanted
    ok = True if any(True in row for row in answers) else None if any(None in row for row in answers) else False
    bench.set("primary_identity", ok, value, shown)
    if ok is False:
        known = ", ".join(f"{key} {item}" for key, item in wanted[0].items())
        bench.add(
            "primary_identity",
            "wrong_primary",
            f"this server follows {', '.join(places)}, which is not the expected primary ({known})",
            bench.words.point(str(wanted[0].get("host") or "<primary>"), snapshot.channels[0].name),
        )


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
            bench.add(
                "server_id",
                "broken",
                f"{bench.prefix(channel)}this server and its primary have the same {' and '.join(same)}",
                CLONE_HINT,
            )
        elif channel.server_id or channel.uuid:
            bench.checks["server_id"]["ok"] = bench.checks["server_id"]["ok"] is not False


# --- The connection and the applier ---------------------------------------------------------------------------------


def check_threads(bench: Bench) -> None:
    if bench.snapshot.engine == "redis":
        _check_link(bench)
        return
    channels = bench.snapshot.channels
    for name, explain in (("io", io_cause), ("sql", sql_cause)):
        threads: list[Thread] = [getattr(channel, name) for channel in channels]
        if not threads:
            continue
        # "Connecting" and "Preparing" are truthy words, only "Yes" means that it runs.
        bench.set(
            name, all(thread.state == "Yes" for thread in threads), bench.per_channel([t.state for t in threads]), "Yes"
        )
        for channel, thread in zip(channels, threads):
            if thread.state == "Yes":
                continue
            cause = explain(channel, bench.words)
            tried = f", tried {thread.attempts} times" if thread.attempts else ""
            message = bench.prefix(channel) + cause.message + tried + said(thread)
            bench.add(name, cause.state, message, cause.hint, thread.errno)
    for channel in channels:
        _check_patience(bench, channel)


def _check_patience(bench: Bench, channel: Channel) -> None:
    """Warn of a connection that gives up for good after a few tries."""
    if channel.retry_count is not None and 0 < channel.retry_count < FEW_RETRIES:
        bench.add(
            "io",
            None,
            f"{bench.prefix(channel)}a lost connection is tried {channel.retry_count} times, then it stays away for good",
            bench.words.change({"RETRY_COUNT": "86400"}, channel.name),
        )


# The servers' own default was 86400 until MySQL 9 made it 10.
FEW_RETRIES = 100
_LINK_HINT = (
    "Check that the primary runs and is reachable, and masteruser and masterauth here against its ACL or requirepass:"
    " this server's log names the reason."
)


def _check_link(bench: Bench) -> None:
    """Judge the link of a Redis or Valkey replica."""
    for channel in bench.snapshot.channels:
        state, where = channel.io.state, place(channel.host, channel.port)
        # A server does not call its primary before it has read its own data.
        waits = bench.snapshot.loading and state != "connected"
        bench.set("io", None if waits else state == "connected", state, "connected")
        if waits or state == "connected":
            continue
        since = f" for {channel.io.since}" if channel.io.since else ""
        if channel.io.error:
            refused = channel.io.cause == "auth"
            bench.add(
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
            bench.add("io", "syncing", f"the first data from {where} are still coming ({state})", "Wait.")
        else:
            bench.add("io", "connecting", f"the link to the primary {where} is down{since} ({state})", _LINK_HINT)


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
        _check_links(bench, links, limits)
        return
    if not any(age is not None for age in ages):
        return
    ok = True if any(running(channel) for channel in channels) else None
    for channel, age, limit in zip(channels, ages, limits):
        if age is not None and age > limit and running(channel):
            ok = False
            _silent(
                bench, f"{bench.prefix(channel)}nothing has come from {place(channel.host, channel.port)}", age, limit
            )
    bench.set("heartbeat", ok, bench.per_channel(ages), bench.per_channel(limits))


def _check_links(bench: Bench, links: list[float], limits: list[float]) -> None:
    """Judge connections that the server does not tell apart."""
    age, limit = max(links), max(limits)
    bench.set("heartbeat", age <= limit, age, limit)
    if age > limit:
        places = ", ".join(place(channel.host, channel.port) for channel in bench.snapshot.channels)
        _silent(bench, f"on one of the connections to {places} nothing has come", age, limit)


def _silent(bench: Bench, what: str, age: float, limit: float) -> None:
    bench.add(
        "heartbeat",
        "connecting",
        f"{what} for {age:g} s, where {limit:g} s are the most: a healthy primary sends something at least that often",
        "The primary hangs or the network drops packets: look at the primary, then at the firewalls between the two.",
    )


def check_source(bench: Bench) -> None:
    """Judge whether the given primary could be asked."""
    if bench.source is None:
        return
    bench.set("primary_reachable", False, bench.source.value, "yes")
    if bench.source.state == "auth_failed":
        hint = f"{bench.source.hint or ''} This is about the login options below primary.".strip()
        bench.add(
            "primary_reachable",
            "auth_failed",
            f"the given primary refuses our login ({bench.source.message})",
            hint,
            bench.source.errno,
        )
        return
    bench.add(
        "primary_reachable",
        "connecting",
        f"the given primary does not answer ({bench.source.message})",
        bench.source.hint,
        bench.source.errno,
    )


# --- Lag and position ---------------------------------------------------------------------------------------------


def check_delay(bench: Bench) -> None:
    delays = [channel.delay for channel in bench.snapshot.channels]
    if not delays:
        return
    ok = bench.expect.allow_delay or not any(delays)
    bench.set("delay", ok, bench.per_channel(delays), None if bench.expect.allow_delay else 0)
    if not ok:
        bench.add(
            "delay",
            "lagging",
            f"this replica is set to stay {max(delays)} s behind its primary",
            f"{bench.words.change({'DELAY': '0'}, bench.snapshot.channels[0].name)}; or allow_delay: true",
        )


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
        bench.add(
            "lag",
            "lagging",
            f"{bench.prefix(channel)}this replica is {channel.lag_seconds} s behind, {expect.max_lag} s are allowed",
        )
    if too_many:
        bench.add("lag", "lagging", f"this replica is {missing_bytes} bytes behind, {expect.max_lag_bytes} are allowed")
    unknown = (
        seconds is None
        and snapshot.engine == "mysql"
        and not (bench.comparison.exact and bench.comparison.reached)
        and all(running(channel) for channel in snapshot.channels)
    )
    if unknown:
        bench.add("lag", "catching_up", "the server does not tell how far behind it is")
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
        bench.add(
            "caught_up",
            "catching_up",
            f"this replica has not reached the primary's position yet, missing {_short(comparison.missing)}",
            f"Wait (timeout): wanted is {_short(comparison.wanted)}, here is {_short(comparison.present)}.",
        )
    elif comparison.asked and comparison.reached is None:
        bench.add(
            "caught_up",
            "catching_up",
            f"whether this replica has reached wait_for cannot be told: {comparison.why}",
            "Take the position anew from the primary that this replica follows.",
        )


def _short(text: str | None) -> str:
    return text if text and len(text) <= 200 else f"{(text or '')[:200]}..."


def check_errant(bench: Bench) -> None:
    comparison, channels = bench.comparison, bench.snapshot.channels
    if not channels or comparison.errant is None:
        return
    bench.set("errant", not comparison.errant, comparison.errant, "")
    if comparison.errant:
        hint = "Save what is needed of them, then seed this replica anew; allow_errant accepts ids that are known."
        if not comparison.exact:
            hint += " If this server was the primary before, give wait_for: its old writes are none then."
        bench.add(
            "errant",
            "diverged",
            f"this replica holds {comparison.errant_count} transaction(s) that did not come from its primary:"
            f" {_short(comparison.errant)}",
            hint,
        )


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
    if not ok and is_replica:
        bench.add("read_only", "writable_replica", "this replica accepts writes", bench.words.close())
    elif not ok and actual:
        bench.add("read_only", "broken", "this primary is read-only", f"{bench.words.open()} where it is the primary.")
    elif not ok:
        bench.add("read_only", "writable_replica", "this server accepts writes", bench.words.close())
    elif is_replica and actual:
        _check_writers(bench)


def _check_writers(bench: Bench) -> None:
    """Warn of those whom read_only does not stop."""
    snapshot = bench.snapshot
    if snapshot.super_read_only is False:
        bench.add(
            "read_only",
            None,
            "accounts with SUPER or CONNECTION_ADMIN can still write here",
            "SET GLOBAL super_read_only = 1",
        )
    elif snapshot.super_read_only is None and snapshot.writers:
        listed = ", ".join(snapshot.writers)
        privilege = "READ_ONLY ADMIN, SUPER" if snapshot.flavor == "mariadb" else "SUPER"
        bench.add(
            "read_only",
            None,
            f"read_only does not stop {listed}",
            f"REVOKE {privilege} ON *.* FROM {snapshot.writers[0]}",
        )


def check_filters(bench: Bench) -> None:
    snapshot = bench.snapshot
    found = dict(snapshot.binlog_filters)
    for channel in snapshot.channels:
        found.update({bench.prefix(channel) + name: value for name, value in channel.filters.items()})
    ok = bench.expect.allow_filters or not found
    bench.set("filters", ok, found, None if bench.expect.allow_filters else {})
    if not ok:
        listed = ", ".join(f"{name}={value}" for name, value in sorted(found.items()))
        bench.add(
            "filters",
            "diverged",
            f"filters keep data away from the replicas: {listed}",
            "Remove the filters; allow_filters: true accepts them.",
        )


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
        bench.add(
            "gtid",
            "broken" if required else None,
            f"{bench.prefix(channel)}replication follows file positions, which are lost at a failover",
            bench.words.by_gtid(channel.name),
        )
    if snapshot.gtid_strict is False:
        bench.add(
            "gtid",
            None,
            "a write on this replica would go unnoticed until a failover",
            "SET GLOBAL gtid_strict_mode = 1",
        )


def check_tls(bench: Bench) -> None:
    channels, required = bench.snapshot.channels, bench.expect.require_tls
    used = [channel.tls for channel in channels]
    if not channels or (not required and not any(item is not None for item in used)):
        return
    bench.set("tls", all(used) if required else None, bench.per_channel(used), True if required else None)
    for channel in channels:
        if required and not channel.tls:
            hint = "CONFIG SET tls-replication yes, with tls-ca-cert-file, tls-cert-file and tls-key-file on both"
            bench.add(
                "tls",
                "broken",
                f"{bench.prefix(channel)}the connection to {place(channel.host, channel.port)}"
                + (
                    " is not encrypted"
                    if channel.tls is False
                    else " may be encrypted or not, this login cannot see it"
                ),
                hint if bench.snapshot.engine == "redis" else bench.words.tls(channel.name),
            )


def check_semi_sync(bench: Bench) -> None:
    snapshot, required = bench.snapshot, bench.expect.require_semi_sync
    if snapshot.engine != "mysql":
        return
    ok = bool(snapshot.semi_sync) if required else None
    bench.set("semi_sync", ok, snapshot.semi_sync, True if required else None)
    if required and not ok:
        bench.add(
            "semi_sync",
            "broken",
            "semi-synchronous replication is not in use"
            + ("" if snapshot.semi_sync is False else ", the server has no part of it loaded"),
            bench.words.semi_sync(bool(snapshot.channels)),
        )


def check_replicas(bench: Bench) -> None:
    snapshot, wanted = bench.snapshot, bench.expect.min_replicas
    if snapshot.writes_refused:
        bench.add("replicas", "no_replicas", f"this primary refuses writes: {snapshot.writes_refused}")
    if snapshot.replicas is None:
        bench.set("replicas", None, None, wanted)
        if wanted:
            bench.add(
                "replicas",
                "no_replicas",
                "the connected replicas cannot be seen with this login",
                grant(snapshot.flavor, snapshot.account, "need (at least one of) the PROCESS privilege"),
            )
        return
    online = sum(1 for replica in snapshot.replicas if replica.online)
    enough = online >= wanted and not snapshot.writes_refused
    bench.set("replicas", enough if wanted or snapshot.writes_refused else None, online, wanted)
    if online < wanted:
        bench.add(
            "replicas",
            "no_replicas",
            f"{online} replica(s) are connected and in sync, {wanted} expected",
            "Run this check on the replicas: each names its own reason.",
        )


def check_reachable(bench: Bench) -> None:
    bench.set("reachable", True, "yes", "yes")
    if bench.snapshot.loading:
        bench.set("reachable", False, "loading", "yes")
        bench.add("reachable", "syncing", "the server is still reading its data from disk", "Wait.")
    for note in bench.snapshot.notes:
        bench.add("reachable", None, note.text, note.hint, note.errno)


# --- The canary -----------------------------------------------------------------------------------------------------


def check_canary(bench: Bench) -> None:
    """Judge the way of a real write; what was only written by a primary is judged by its acceptance."""
    canary = bench.canary
    if canary is None:
        return
    trouble = canary.trouble
    waits = bench.expect.allow_delay and any(channel.delay for channel in bench.snapshot.channels)
    ok = None if canary.skipped or (waits and not canary.seen and not trouble) else bool(canary.seen) and not trouble
    bench.set("canary", ok, canary.seen, None if canary.skipped else True)
    if ok or canary.skipped:
        return
    if trouble and not trouble.absent:
        bench.add("canary", trouble.state, trouble.message, trouble.hint, trouble.errno)
    elif ok is None:
        bench.add("canary", None, "the canary is not due here before the intended delay is over")
    elif bench.comparison.exact and bench.comparison.reached:
        what = "has no canary table" if trouble else "does not have the canary"
        bench.add(
            "canary",
            "diverged",
            f"this replica has reached the primary's position but {what}: filters keep data away, or its data are others",
            (trouble.hint if trouble else None)
            or "The filters stand in the replica's status here and in the primary's binary log status; without any, seed it anew.",
        )
    else:
        bench.add(
            "canary", "catching_up", "the canary has not arrived here yet", "Wait (timeout), or see the other reasons."
        )


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


def judge_failure(failure: Failure) -> Verdict:
    """Return the verdict where there was no look."""
    checks = no_checks()
    checks["reachable"] = {"ok": False, "value": failure.value, "expected": "yes"}
    reason = Reason("reachable", failure.state, failure.message, failure.hint, failure.errno)
    return Verdict(failure.state, failure.message, [reason], checks)
