# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge one look: pure functions from a snapshot and what is expected to a state with reasons."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Channel,
    Comparison,
    Failure,
    Raw,
    Snapshot,
    Thread,
)

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
    "canary",
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
    """What the operator expects. primary: any of these identities; max_lag None: lag is not judged."""

    role: str = "any"
    primary: tuple[Raw, ...] = ()
    read_only: bool | None = None
    max_lag: int | None = 10
    max_lag_bytes: int | None = None
    min_replicas: int = 0
    allow_delay: bool = False
    allow_filters: bool = False
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


def no_checks() -> dict[str, Raw]:
    return {name: {"ok": None, "value": None, "expected": None} for name in CHECKS}


class Bench:
    """What the single checks write down."""

    def __init__(self, snapshot: Snapshot, expect: Expectation, comparison: Comparison) -> None:
        self.snapshot = snapshot
        self.expect = expect
        self.comparison = comparison
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


# --- Words of the engines -----------------------------------------------------------------------------------------


def _words(snapshot: Snapshot) -> dict[str, str]:
    if snapshot.engine == "redis":
        return {
            "start": "REPLICAOF <primary> <port>",
            "writable": "CONFIG SET replica-read-only yes",
            "point": "REPLICAOF <primary> <port>",
        }
    if snapshot.flavor == "mariadb":
        return {
            "start": "START SLAVE",
            "writable": "SET GLOBAL read_only = 1",
            "point": "CHANGE MASTER TO MASTER_HOST = '<primary>', MASTER_USE_GTID = slave_pos",
            "password": "CHANGE MASTER TO MASTER_PASSWORD = '...'",
            "tls": "CHANGE MASTER TO MASTER_SSL = 1",
            "delay": "CHANGE MASTER TO MASTER_DELAY = 0",
        }
    return {
        "start": "START REPLICA (before 8.0.22: START SLAVE)",
        "writable": "SET GLOBAL super_read_only = 1",
        "point": "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '<primary>', SOURCE_AUTO_POSITION = 1",
        "password": "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = '...'",
        "tls": "CHANGE REPLICATION SOURCE TO SOURCE_SSL = 1, or GET_SOURCE_PUBLIC_KEY = 1 without TLS",
        "delay": "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 0",
    }


def place(host: str | None, port: int | None) -> str:
    """Return host:port for a sentence."""
    shown = f"[{host}]" if host and ":" in host else host or "an unknown host"
    return f"{shown}:{port}" if port else shown


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
            f"{_words(snapshot)['point']}; run the role of the replica.",
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
            _words(snapshot)["point"],
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


# --- The two threads ----------------------------------------------------------------------------------------------

CLONE_HINT = "Give each server its own server_id; on a cloned MySQL host also stop it, remove auto.cnf and start it."

_NETWORK = {1040, 1053, 1129, 1203, 2002, 2003, 2005, 2006, 2013}
_ACCESS = {1045, 1698, 1862, 3118, 3955, 4151}
_PLUGIN = {1251, 2058, 2059, 2061}
_TLS = {2026, 3159}


@dataclass(frozen=True)
class Cause:
    """What a thread's error means."""

    state: str
    message: str
    hint: str | None = None


def _binlog_cause(text: str, own_word: str) -> Cause:
    """Explain error 1236: the primary cannot serve the position that the replica asks for."""
    low = text.lower()
    if "equal mysql server" in low or "same server_uuid" in low or "same server_id" in low:
        return Cause("broken", "another server with the same id is connected to the primary", CLONE_HINT)
    if "has more gtids than" in low or "errant" in low or "diverged" in low:
        return Cause(
            "diverged",
            "this server holds transactions that the primary does not have",
            f"Save what is needed of them, then seed this {own_word} anew from the primary.",
        )
    if "max_allowed_packet" in low:
        return Cause("broken", "an event is larger than max_allowed_packet", "Raise replica_max_allowed_packet.")
    return Cause(
        "needs_reseed",
        "the primary no longer has the binary logs that this server needs",
        f"Seed this {own_word} anew from the primary, and keep binary logs longer than a {own_word} may be down.",
    )


def io_cause(channel: Channel, words: Mapping[str, str]) -> Cause:
    """Explain why the connection to the primary does not run."""
    thread, where = channel.io, place(channel.host, channel.port)
    errno, text = thread.errno or 0, thread.error or ""
    user = f"'{channel.user}'" if channel.user else "the replication account"
    waiting = "connecting" if thread.state not in (None, "No") else "stopped"
    if errno == 1236 or "fatal error 1236" in text:
        return _binlog_cause(text, "replica")
    if "equal MySQL server" in text:
        return Cause("broken", "this server and its primary have the same server id or UUID", CLONE_HINT)
    if errno in _ACCESS:
        return Cause(
            "auth_failed",
            f"the primary {where} refuses the password or account of {user}",
            f"{words['password']}; check the account's host part on the primary.",
        )
    if errno in _PLUGIN:
        return Cause(
            "auth_failed",
            f"the primary {where} refuses {user}: its authentication plugin needs an encrypted connection or is missing",
            words["tls"],
        )
    if errno == 1130:
        return Cause(
            "auth_failed",
            f"the primary {where} allows no account to connect from this host",
            f"Create {user} for this host's address on the primary.",
        )
    if errno in (1142, 1227, 1044) or "REPLICATION SLAVE privilege" in text:
        return Cause(
            "auth_failed",
            f"{user} may not replicate from {where}",
            f"On the primary: GRANT REPLICATION SLAVE ON *.* TO {user}@'<this host>'",
        )
    if errno in _TLS or (errno and re.search(r"\b(SSL|TLS|certificate)\b", text)):
        return Cause("broken", f"TLS with the primary {where} fails", "Check the CA and the certificates of both.")
    if errno in _NETWORK:
        if waiting == "stopped":
            return Cause("stopped", f"the connection to {where} failed and is not tried again", words["start"])
        return Cause(
            "connecting",
            f"the primary {where} cannot be reached",
            "Check that the primary runs, its bind address and the firewalls between the two.",
        )
    if errno:
        return Cause("broken" if waiting == "stopped" else "connecting", f"replication from {where} stopped")
    if waiting == "stopped":
        return Cause("stopped", "the connection to the primary is stopped", words["start"])
    return Cause("connecting", f"the connection to {where} is not up yet")


def sql_cause(channel: Channel, words: Mapping[str, str]) -> Cause:
    """Explain why the applier does not run."""
    errno = channel.sql.errno or 0
    if errno in (1950, 13530) or "out-of-order" in (channel.sql.error or ""):
        return Cause(
            "diverged",
            "the applier met a GTID that does not follow this server's own ones",
            "Find the writes that were made on this server itself, then seed it anew.",
        )
    if errno in (1032, 1062, 1396, 1050, 1051, 1007, 1008, 1146):
        return Cause(
            "broken",
            "the applier stopped because the data here differ from the primary's",
            "Compare the row or object on both servers; seed this replica anew when the reason is not clear.",
        )
    if errno:
        return Cause("broken", "the applier stopped with an error", f"Mend the cause, then {words['start']}.")
    return Cause("stopped", "the applier is stopped", words["start"])


def _said(thread: Thread) -> str:
    """Return the server's own words, without the statement it may quote and cut to a readable length."""
    text = " ".join((thread.error or "").split())
    return f" (error {thread.errno}: {text[:300]})" if thread.errno else ""


def check_threads(bench: Bench) -> None:
    if bench.snapshot.engine == "redis":
        _check_link(bench)
        return
    words = _words(bench.snapshot)
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
            cause = explain(channel, words)
            bench.add(
                name, cause.state, bench.prefix(channel) + cause.message + _said(thread), cause.hint, thread.errno
            )


_LINK_HINT = (
    "Check that the primary runs and is reachable, and masteruser and masterauth here against its ACL or requirepass:"
    " this server's log names the reason."
)


def _check_link(bench: Bench) -> None:
    """Judge the link of a Redis or Valkey replica."""
    for channel in bench.snapshot.channels:
        state, where = channel.io.state, place(channel.host, channel.port)
        bench.set("io", state == "connected", state, "connected")
        if state == "connected":
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
                "CONFIG SET masterauth (and masteruser) to what the primary's ACL or requirepass holds."
                if refused
                else "Check that the primary runs, its bind addresses and the firewalls between the two.",
            )
        elif state in ("sync", "handshake"):
            bench.add("io", "syncing", f"the first data from {where} are still coming ({state})", "Wait.")
        else:
            bench.add("io", "connecting", f"the link to the primary {where} is down{since} ({state})", _LINK_HINT)


def running(channel: Channel) -> bool:
    return channel.io.state == "connected" or (channel.io.state == "Yes" and channel.sql.state == "Yes")


def check_heartbeat(bench: Bench) -> None:
    channels = bench.snapshot.channels
    ages = [channel.io.heartbeat_age for channel in channels]
    if not any(age is not None for age in ages):
        return
    limits = [2 * (channel.io.heartbeat_period or 30.0) for channel in channels]
    ok = True if any(running(channel) for channel in channels) else None
    for channel, age, limit in zip(channels, ages, limits):
        if age is not None and age > limit and running(channel):
            ok = False
            bench.add(
                "heartbeat",
                "connecting",
                f"{bench.prefix(channel)}nothing has come from {place(channel.host, channel.port)} for {age:g} s,"
                f" although it sends something every {limit / 2:g} s at least",
                "The primary hangs or the network drops packets: look at the primary.",
            )
    bench.set("heartbeat", ok, bench.per_channel(ages), bench.per_channel(limits))


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
            f"{_words(bench.snapshot).get('delay', '')}; allow_delay: true accepts it.",
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
    comparison = bench.comparison
    if not bench.snapshot.channels:
        return
    bench.set("caught_up", comparison.reached if comparison.exact else None, comparison.reached, True)
    if comparison.exact and comparison.reached is False:
        bench.add(
            "caught_up",
            "catching_up",
            f"this replica has not reached the primary's position yet, missing {_short(comparison.missing)}",
            "Look again in a moment.",
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
            hint += " If this server was the primary before, give primary_position: its old writes are none then."
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
        bench.add("read_only", "writable_replica", "this replica accepts writes", _words(snapshot)["writable"])
    elif not ok and actual:
        bench.add(
            "read_only", "broken", "this primary is read-only", "SET GLOBAL read_only = 0 when it is the primary."
        )
    elif not ok:
        bench.add("read_only", "writable_replica", "this server accepts writes", _words(snapshot)["writable"])
    elif is_replica and actual and snapshot.super_read_only is False:
        bench.add(
            "read_only",
            None,
            "accounts with SUPER or CONNECTION_ADMIN can still write here",
            "SET GLOBAL super_read_only = 1",
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
    if bench.snapshot.engine != "mysql" or not bench.snapshot.channels:
        return
    modes = [channel.gtid_mode for channel in bench.snapshot.channels]
    by_file = "No" in modes
    bench.set("gtid", None if None in modes else not by_file, bench.per_channel(modes))
    if by_file:
        bench.add(
            "gtid",
            None,
            "replication follows file positions, which are lost at a failover",
            _words(bench.snapshot)["point"],
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
                "GRANT PROCESS ON *.* TO the login account",
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


def check_values(bench: Bench) -> None:
    """Note what is shown but not judged."""
    snapshot = bench.snapshot
    encrypted = [channel.tls for channel in snapshot.channels]
    if any(item is not None for item in encrypted):
        bench.set("tls", None, bench.per_channel(encrypted))
    bench.set("semi_sync", None, snapshot.semi_sync)
    bench.set("reachable", True, "yes", "yes")
    if snapshot.loading:
        bench.set("reachable", False, "loading", "yes")
        bench.add("reachable", "syncing", "the server is still reading its data from disk", "Wait.")
    for note in snapshot.notes:
        bench.add("reachable", None, f"not everything could be read: {note}")


ALL = (
    check_values,
    check_role,
    check_primary,
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
    check_replicas,
)


def judge(snapshot: Snapshot, expect: Expectation, comparison: Comparison) -> Verdict:
    """Return the verdict on one look."""
    bench = Bench(snapshot, expect, comparison)
    for check in ALL:
        check(bench)
    for name in expect.ignore_checks:
        bench.checks[name]["ok"] = None
    reasons = [reason for reason in bench.reasons if reason.check not in expect.ignore_checks]
    reasons.sort(key=lambda reason: STATES.index(reason.state) if reason.state else len(STATES))
    state = reasons[0].state if reasons and reasons[0].state else "healthy"
    message = reasons[0].message if state != "healthy" else _praise(snapshot)
    return Verdict(state, message, reasons, bench.checks)


def _praise(snapshot: Snapshot) -> str:
    if not snapshot.channels:
        count = len(snapshot.replicas or [])
        return f"this {snapshot.role} accepts writes, {count} replica(s) are connected"
    seconds = lag_seconds(snapshot)
    places = ", ".join(place(channel.host, channel.port) for channel in snapshot.channels)
    return f"this replica follows {places}" + (f", {seconds} s behind" if seconds is not None else "")


def judge_failure(failure: Failure) -> Verdict:
    """Return the verdict where there was no look."""
    checks = no_checks()
    checks["reachable"] = {"ok": False, "value": failure.value, "expected": "yes"}
    reason = Reason("reachable", failure.state, failure.message, failure.hint, failure.errno)
    return Verdict(failure.state, failure.message, [reason], checks)
