# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks, one function each: what is looked at, when it is wrong, what that makes of the server, what mends it.

CHECKS at the end is the table of them. A check changes nothing; verdict.py makes one state of what all of them found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import CanaryResult
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.causes import (
    CLONE_HINT,
    Cause,
    in_its_own_words,
    io_cause,
    sql_cause,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import Expectation, follows
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Channel,
    Failure,
    Snapshot,
    Thread,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.statements import Statements, grant

# The servers' own default was 86400 until MySQL 9 made it 10.
FEW_RETRIES = 100
# Seconds without a word, where no heartbeat period is known.
USUAL_IDLE_LIMIT = 60.0


@dataclass
class Finding:
    """state: what it makes of the server; None: a warning, the server is no less healthy. check: filled in by judge()."""

    state: str | None
    message: str
    hint: str | None = None
    errno: int | None = None
    check: str = ""

    @property
    def severity(self) -> str:
        return "error" if self.state else "warning"


@dataclass
class Result:
    """What a check says. ok None: it was not judged."""

    ok: bool | None = None
    value: Any = None
    expected: Any = None
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """All that is known of the server that is judged. primary: what asking its primary gave, where that was asked."""

    snapshot: Snapshot
    expect: Expectation
    comparison: Comparison
    canary: CanaryResult | None = None
    primary: Snapshot | Failure | None = None

    @property
    def channels(self) -> list[Channel]:
        return self.snapshot.channels

    @property
    def statements(self) -> Statements:
        return Statements(self.snapshot.dialect)

    @property
    def delayed(self) -> bool:
        """Whether the replica waits on purpose, and may."""
        return self.expect.allow_delay and any(channel.delay for channel in self.channels)

    def prefix(self, channel: Channel) -> str:
        return f"channel '{channel.name}': " if len(self.channels) > 1 else ""

    def per_channel(self, values: Sequence[Any]) -> Any:
        """Return the value of the only channel, or the values by channel name."""
        if len(values) == 1:
            return values[0]
        return {channel.name: value for channel, value in zip(self.channels, values)}


# --- Reachable ----------------------------------------------------------------------------------------------------


def reachable(case: Case) -> Result:
    notes = [Finding(None, note.text, note.hint, note.errno) for note in case.snapshot.notes]
    if case.snapshot.loading:
        loading = Finding("syncing", "the server is still reading its data from disk", "Wait.")
        return Result(False, "loading", "yes", [loading, *notes])
    return Result(True, "yes", "yes", notes)


def primary_reachable(case: Case) -> Result:
    """Whether the given primary could be asked."""
    failure = case.primary
    if failure is None:
        return Result()
    if isinstance(failure, Snapshot):
        return Result(True, "yes", "yes")
    if failure.state == "auth_failed":
        finding = Finding(
            "auth_failed",
            f"the given primary refuses our login ({failure.message})",
            f"{failure.hint or ''} This is about the login options below primary.".strip(),
            failure.errno,
        )
    else:
        finding = Finding(
            "connecting", f"the given primary does not answer ({failure.message})", failure.hint, failure.errno
        )
    return Result(False, failure.value, "yes", [finding])


# --- Role and primary ---------------------------------------------------------------------------------------------


def role(case: Case) -> Result:
    actual, expected = case.snapshot.role, case.expect.role
    is_replica = bool(case.channels)
    ok = {
        "any": actual != "standalone",
        "replica": is_replica,
        "primary": not is_replica,
        "standalone": actual == "standalone",
    }[expected]
    if case.snapshot.absent_channel:
        finding = Finding("unsupported", case.snapshot.absent_channel, "Give one that there is, or leave channel out.")
        return Result(False, actual, expected, [finding])
    if case.snapshot.member_of and not is_replica:
        finding = Finding(
            "unsupported",
            f"this server is {case.snapshot.member_of}: nothing replicates here from a primary to replicas",
            "Ask the cluster itself about its members; this check judges primaries and replicas.",
        )
        return Result(False, actual, expected, [finding])
    if ok:
        return Result(True, actual, expected)
    if expected == "replica":
        finding = Finding(
            "not_a_replica",
            "replication is not set up on this server",
            f"{case.statements.point()}; or run the role of the replica.",
        )
    elif expected == "any":
        finding = Finding(
            "not_a_replica",
            "this server neither follows a primary nor has replicas",
            "Say expect_role: primary or standalone where that is meant.",
        )
    elif is_replica:
        meant = "a primary" if expected == "primary" else expected
        finding = Finding(
            "wrong_primary",
            f"this server follows {case.channels[0].primary}, but was expected to be {meant}",
            "Ask the other servers which of them is the primary before changing anything.",
        )
    else:
        finding = Finding("wrong_primary", "this server has replicas, but was expected to be standalone")
    return Result(False, actual, expected, [finding])


def primary_identity(case: Case) -> Result:
    """Whether the expected primary is followed."""
    channels, expected = case.channels, case.expect.primary
    if not channels:
        return Result()
    primaries = [channel.primary for channel in channels]
    value = case.per_channel(primaries)
    if not expected:
        return Result(None, value)
    wanted = [{key: identity[key] for key in sorted(identity)} for identity in expected]
    shown = wanted[0] if len(wanted) == 1 else wanted
    known = ", ".join(f"{key} {item}" for key, item in wanted[0].items())
    answers = [_best([follows(channel, identity) for identity in expected]) for channel in channels]
    if case.expect.one_channel:
        answers = [_best(answers)] * len(answers)
    findings = []
    wrong = [channel for channel, answer in zip(channels, answers) if answer is False]
    if wrong:
        hint = case.statements.point(str(wanted[0].get("host") or "<primary>"), wrong[0].name)
        followed = ", ".join(channel.primary for channel in wrong)
        prefix = case.prefix(wrong[0]) if len(wrong) < len(channels) else ""
        message = f"{prefix}this server follows {followed}, which is not the expected primary ({known})"
        findings.append(Finding("wrong_primary", message, hint))
    if any(answer is None and channel.running for channel, answer in zip(channels, answers)):
        message = f"whether this server follows the expected primary ({known}) cannot be told"
        hint = "Name the primary in expect_primary by the host and port that this server was told, or by the ids of its engine."
        findings.append(Finding("unsupported", f"{message}: it knows its primary by nothing of that", hint))
    ok = False if wrong else None if None in answers else True
    return Result(ok, value, shown, findings)


def _best(answers: Sequence[bool | None]) -> bool | None:
    return True if True in answers else None if None in answers else False


def ring(case: Case) -> Result:
    """Whether the server follows itself, or its primary follows it."""
    own, above = case.snapshot.identity, case.primary
    for channel in case.channels:
        # A tunnel may listen where the server itself does not.
        another = channel.server_id not in (None, own.server_id)
        if channel.port == own.port and channel.host in case.snapshot.addresses and not another:
            message = f"{case.prefix(channel)}this server follows itself ({channel.primary})"
            return Result(False, channel.primary, None, [Finding("wrong_primary", message, _no_ring(case, channel))])
    if isinstance(above, Snapshot):
        identity = {"host": own.host, "port": own.port, "uuid": own.uuid, "server_id": own.server_id}
        for channel in case.channels:
            if any(follows(back, identity) for back in above.channels):
                message = f"this server and its primary {channel.primary} follow each other"
                return Result(
                    False, channel.primary, None, [Finding("wrong_primary", message, _no_ring(case, channel))]
                )
    return Result(True if case.channels else None)


def _no_ring(case: Case, channel: Channel) -> str:
    return f"Find out which server is the primary; on that one: {case.statements.leave(channel.name)}"


def server_id(case: Case) -> Result:
    """Whether server and primary have ids of their own: cloned machines do not."""
    own = case.snapshot.identity
    result = Result(None, own.uuid or own.server_id or own.run_id)
    if ring(case).ok is False:
        # Its own id is no other server's.
        return result
    for channel in case.channels:
        same = [
            name
            for name in ("uuid", "server_id")
            if getattr(own, name) and str(getattr(own, name)).lower() == str(getattr(channel, name)).lower()
        ]
        if same:
            message = f"{case.prefix(channel)}this server and its primary have the same {' and '.join(same)}"
            result.value = getattr(own, same[0])
            result.findings.append(Finding("broken", message, CLONE_HINT))
        elif channel.server_id or channel.uuid:
            result.ok = True
    if result.findings:
        result.ok = False
    return result


# --- The connection and the applier ---------------------------------------------------------------------------------


def io(case: Case) -> Result:
    """Whether the connection to the primary runs."""
    if case.snapshot.engine == "redis":
        return _link(case)
    result = _threads(case, [channel.io for channel in case.channels], io_cause)
    for channel in case.channels:
        if channel.retry_count is not None and 0 < channel.retry_count < FEW_RETRIES:
            message = f"a lost connection is tried {channel.retry_count} times, then it stays away for good"
            hint = case.statements.change({"RETRY_COUNT": "86400"}, channel.name)
            result.findings.append(Finding(None, case.prefix(channel) + message, hint))
    return result


def sql(case: Case) -> Result:
    """Whether the applier runs."""
    if case.snapshot.engine == "redis":
        return Result()
    return _threads(case, [channel.sql for channel in case.channels], sql_cause)


def _threads(case: Case, threads: Sequence[Thread], explain: Callable[[Channel, Statements], Cause]) -> Result:
    if not threads:
        return Result()
    # "Connecting" and "Preparing" are truthy words, only "Yes" means that it runs.
    result = Result(
        all(thread.state == "Yes" for thread in threads), case.per_channel([item.state for item in threads]), "Yes"
    )
    for channel, thread in zip(case.channels, threads):
        if thread.state != "Yes":
            cause = explain(channel, case.statements)
            tried = f", tried {thread.attempts} times" if thread.attempts else ""
            message = case.prefix(channel) + cause.sentence + tried + in_its_own_words(thread)
            result.findings.append(Finding(cause.state, message, cause.hint, thread.errno))
    return result


def _link(case: Case) -> Result:
    """Whether the link of a Redis or Valkey replica is up."""
    if not case.channels:
        return Result()
    channel = case.channels[0]
    state, primary, error = channel.io.state, channel.primary, channel.io.error
    # A server does not call its primary before it has read its own data.
    if state == "connected" or case.snapshot.loading:
        return Result(True if state == "connected" else None, state, "connected")
    since = f" for {channel.io.since}" if channel.io.since else ""
    if error and channel.io.cause == "auth":
        finding = Finding(
            "auth_failed",
            f"the primary {primary} refuses this replica's login{since} ({error})",
            "CONFIG SET masteruser '...' and CONFIG SET masterauth '...', as the primary's ACL or requirepass has them",
        )
    elif error and channel.io.cause == "noperm":
        finding = Finding(
            "auth_failed",
            f"the primary {primary} does not let this replica's user replicate{since} ({error})",
            "ACL SETUSER <masteruser> +psync +replconf +ping (on the primary)",
        )
    elif error:
        finding = Finding(
            "connecting",
            f"the link to the primary {primary} is down{since} ({error})",
            "Check that the primary runs, its bind addresses and the firewalls between the two.",
        )
    elif state in ("sync", "handshake"):
        hint = "Wait." if state == "sync" else "Wait. If it stays so, this server's log names the reason."
        finding = Finding("syncing", f"the first data from {primary} are still coming ({state})", hint)
    else:
        finding = Finding(
            "connecting",
            f"the link to the primary {primary} is down{since} ({state})",
            "Check that the primary runs and is reachable, and masteruser and masterauth here against its ACL or"
            " requirepass: this server's log names the reason.",
        )
    return Result(False, state, "connected", [finding])


def heartbeat(case: Case) -> Result:
    """Whether the primary was heard lately: a frozen one and a firewall that drops packets show nowhere else."""

    def silent(where: str, age: float, limit: float) -> Finding:
        return Finding(
            "connecting",
            f"{where} for {age:g} s, where {limit:g} s are the most: a healthy primary sends something at least that often",
            "The primary hangs or the network drops packets: look at the primary, then at the firewalls between the two.",
        )

    channels = case.channels
    limits = [
        case.expect.max_io_idle or 2 * (channel.io.heartbeat_period or USUAL_IDLE_LIMIT / 2) for channel in channels
    ]
    if case.snapshot.link_ages:
        # The server does not tell apart whose they are.
        age, limit = max(case.snapshot.link_ages), max(limits)
        where = f"on one of the connections to {', '.join(channel.primary for channel in channels)} nothing has come"
        return Result(age <= limit, age, limit, [silent(where, age, limit)] if age > limit else [])
    ages = [channel.io.heartbeat_age for channel in channels]
    if all(age is None for age in ages):
        return Result()
    findings = [
        silent(f"{case.prefix(channel)}nothing has come from {channel.primary}", age, limit)
        for channel, age, limit in zip(channels, ages, limits)
        if age is not None and age > limit and channel.running
    ]
    ok = False if findings else True if any(channel.running for channel in channels) else None
    return Result(ok, case.per_channel(ages), case.per_channel(limits), findings)


# --- Lag and position ---------------------------------------------------------------------------------------------


def delay(case: Case) -> Result:
    """Whether the replica is set to stay behind."""
    delays = [channel.delay for channel in case.channels]
    if not delays:
        return Result()
    if case.expect.allow_delay:
        return Result(True, case.per_channel(delays))
    finding = Finding(
        "lagging",
        f"this replica is set to stay {max(delays)} s behind its primary",
        f"{case.statements.change({'DELAY': '0'}, case.channels[0].name)}; or allow_delay: true",
    )
    return Result(not any(delays), case.per_channel(delays), 0, [finding] if any(delays) else [])


def bytes_behind(snapshot: Snapshot, comparison: Comparison) -> int | None:
    if comparison.behind_bytes is not None:
        return comparison.behind_bytes
    return max((channel.lag_bytes for channel in snapshot.channels if channel.lag_bytes is not None), default=None)


def lag(case: Case) -> Result:
    expect, running = case.expect, [channel for channel in case.channels if channel.running]
    if not case.channels:
        return Result()
    seconds, size = case.snapshot.lag_seconds, bytes_behind(case.snapshot, case.comparison)
    findings = [
        Finding(
            "lagging",
            f"{case.prefix(channel)}this replica is {channel.lag_seconds} s behind, {expect.max_lag} s are allowed",
        )
        for channel in running
        # What the operator asked to wait is not lag.
        if channel.lag_seconds is not None
        and expect.max_lag is not None
        and channel.lag_seconds - channel.delay > expect.max_lag
    ]
    if expect.max_lag_bytes is not None and size is not None and size > expect.max_lag_bytes:
        findings.append(Finding("lagging", f"this replica is {size} bytes behind, {expect.max_lag_bytes} are allowed"))
    proven = case.comparison.exact and case.comparison.reached
    if case.snapshot.engine == "mysql" and seconds is None and not proven and len(running) == len(case.channels):
        unknown = Finding("catching_up", "the server does not tell how far behind it is")
        return Result(None, seconds, expect.max_lag, [*findings, unknown])
    known = seconds is not None or size is not None
    return Result(not findings if known else None, seconds, expect.max_lag, findings)


def _short(text: str | None) -> str:
    return text if text and len(text) <= 200 else f"{(text or '')[:200]}..."


def caught_up(case: Case) -> Result:
    """Whether the primary's position is reached."""
    found = case.comparison
    if not case.channels:
        return Result()
    findings = []
    # A replica that waits on purpose has caught up when everything lies in its relay log.
    reached = found.received if case.delayed and not found.reached else found.reached
    if found.exact and reached is False:
        findings = [
            Finding(
                "catching_up",
                f"this replica has not reached the primary's position yet, missing {_short(found.missing)}",
                f"Wait (timeout): wanted is {_short(found.wanted)}, here is {_short(found.present)}.",
            )
        ]
    elif found.reached is None and (found.asked or found.hopeless):
        findings = [
            Finding(
                "unsupported" if found.hopeless else "catching_up",
                f"whether this replica has reached {'wait_for' if found.asked else 'its primary'} cannot be told: {found.why}",
                "Take the position anew from the primary that this replica follows.",
            )
        ]
    return Result(reached, found.present, found.wanted, findings) if found.exact else Result(findings=findings)


def errant(case: Case) -> Result:
    """Whether the replica has what did not come from its primary."""
    found = case.comparison
    if not case.channels or found.errant is None:
        return Result()
    if not found.errant:
        return Result(True, "", "")
    hint = "Save what is needed of them, then seed this replica anew; allow_errant accepts ids that are known."
    if not found.exact:
        hint += " If this server was the primary before, give wait_for: its old writes are none then."
    message = f"this replica holds {found.errant_count} transaction(s) that did not come from its primary:"
    return Result(False, found.errant, "", [Finding("diverged", f"{message} {_short(found.errant)}", hint)])


# --- Settings -----------------------------------------------------------------------------------------------------


def read_only(case: Case) -> Result:
    snapshot, expected = case.snapshot, case.expect.read_only
    actual, is_replica = snapshot.read_only, bool(case.channels)
    if expected is None and (is_replica or case.expect.role == "primary" or snapshot.replicas):
        expected = is_replica
    if actual is None or expected is None:
        return Result(None, actual, expected)
    # On a replica "false" only accepts that it is writable.
    if actual == expected or (is_replica and not expected):
        return Result(True, actual, expected, list(_writers(case)) if is_replica and actual else [])
    if is_replica:
        finding = Finding("writable_replica", "this replica accepts writes", case.statements.close())
    elif actual:
        finding = _closed_primary(case)
    else:
        finding = Finding("writable_replica", "this server accepts writes", case.statements.close())
    return Result(False, actual, expected, [finding])


def _closed_primary(case: Case) -> Finding:
    to = case.snapshot.handing_over
    if to:
        message = f"this primary is read-only: it closed itself to hand over to {to}, and that has not ended"
        return Finding("broken", message, f"End it: playbooks/switchover.yml -e tier=mysql -e to={to}")
    return Finding("broken", "this primary is read-only", f"{case.statements.open()} where it is the primary.")


def _writers(case: Case) -> Iterable[Finding]:
    """Name those whom read_only does not stop."""
    snapshot = case.snapshot
    if snapshot.super_read_only is False:
        message = "accounts with SUPER or CONNECTION_ADMIN can still write here"
        yield Finding(None, message, "SET GLOBAL super_read_only = 1")
    elif snapshot.super_read_only is None and snapshot.writers:
        privilege = "READ_ONLY ADMIN, SUPER" if snapshot.flavor == "mariadb" else "SUPER"
        message = f"read_only does not stop {', '.join(snapshot.writers)}"
        yield Finding(None, message, f"REVOKE {privilege} ON *.* FROM {snapshot.writers[0]}")


def writes(case: Case) -> Result:
    """Whether a primary that is open for writes would take one."""
    snapshot, refusal = case.snapshot, case.snapshot.writes_refused
    if case.channels or snapshot.read_only is not False:
        return Result()
    if refusal is None or refusal.state == "no_replicas":
        return Result(refusal is None, refusal is None, True)
    message = f"this primary takes no writes: {refusal.message}"
    return Result(False, False, True, [Finding(refusal.state, message, refusal.hint, refusal.errno)])


def filters(case: Case) -> Result:
    """Whether all data reach the replica, and are applied as they are."""
    lenient = case.snapshot.lenient if case.channels else {}
    found = {**case.snapshot.binlog_filters, **lenient}
    for channel in case.channels:
        found.update({case.prefix(channel) + name: value for name, value in channel.filters.items()})
    if case.expect.allow_filters or not found:
        return Result(True, found, None if case.expect.allow_filters else {})
    findings = []
    if lenient:
        message = (
            f"this replica skips errors or conflicts, and drifts from its primary without a word: {_listed(lenient)}"
        )
        hint = "Give them their defaults (a restart where SET GLOBAL refuses); allow_filters: true accepts them."
        findings.append(Finding("diverged", message, hint))
    if len(found) > len(lenient):
        kept_away = {name: value for name, value in found.items() if name not in lenient}
        message = f"filters keep data away from the replicas: {_listed(kept_away)}"
        findings.append(Finding("diverged", message, "Remove the filters; allow_filters: true accepts them."))
    return Result(False, found, {}, findings)


def _listed(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items()))


def gtid(case: Case) -> Result:
    """Whether replication follows GTIDs."""
    if case.snapshot.engine != "mysql" or not case.channels:
        return Result()
    modes = [channel.gtid_mode for channel in case.channels]
    required = case.expect.require_gtid
    by_file = ("No", None) if required else ("No",)
    findings = [
        Finding(
            "broken" if required else None,
            f"{case.prefix(channel)}replication follows file positions, which are lost at a failover",
            case.statements.by_gtid(channel.name),
        )
        for channel in case.channels
        if channel.gtid_mode in by_file
    ]
    ok = None if None in modes and not required else not findings
    if case.snapshot.gtid_strict is False:
        message = "a write on this replica would go unnoticed until a failover"
        findings.append(Finding(None, message, "SET GLOBAL gtid_strict_mode = 1"))
    return Result(ok, case.per_channel(modes), "GTID" if required else None, findings)


def promotion(case: Case) -> Result:
    """Whether the server could be the primary of others: without a log nothing can follow it."""
    snapshot = case.snapshot
    if snapshot.binary_log is None:
        return Result()
    if not snapshot.binary_log:
        hint = "Set log_bin in the server's configuration and restart it."
        warning = Finding(None, "this server writes no binary log, so no replica can follow it", hint)
        return Result(False, "no binary log", None, [warning])
    if case.channels and snapshot.logs_replicated is False:
        hint = (
            f"Set {'log_slave_updates' if snapshot.dialect == 'mariadb' else 'log_replica_updates'} in the server's"
            " configuration and restart it."
        )
        message = "this replica does not log what it replicates, so it cannot take its primary's place"
        return Result(False, "no log of replicated events", None, [Finding(None, message, hint)])
    return Result(True, "possible")


def tls(case: Case) -> Result:
    """Whether the connection to the primary is set to use TLS."""
    used, required = [channel.tls for channel in case.channels], case.expect.require_tls
    if not used or (not required and all(item is None for item in used)):
        return Result()
    if not required:
        return Result(None, case.per_channel(used))
    findings = []
    for channel in case.channels:
        if not channel.tls:
            how = "is not encrypted" if channel.tls is False else "may be encrypted or not, this login cannot see it"
            hint = "CONFIG SET tls-replication yes, with tls-ca-cert-file, tls-cert-file and tls-key-file on both"
            findings.append(
                Finding(
                    "broken",
                    f"{case.prefix(channel)}the connection to {channel.primary} {how}",
                    hint if case.snapshot.engine == "redis" else case.statements.tls(channel.name),
                )
            )
    return Result(not findings, case.per_channel(used), True, findings)


def semi_sync(case: Case) -> Result:
    """Whether commits wait for a replica."""
    used = case.snapshot.semi_sync
    if case.snapshot.engine != "mysql":
        return Result()
    if not case.expect.require_semi_sync:
        return Result(None, used)
    if used:
        return Result(True, used, True)
    unloaded = "" if used is False else ", the server has no part of it loaded"
    message = f"semi-synchronous replication is not in use{unloaded}"
    return Result(False, used, True, [Finding("broken", message, case.statements.semi_sync(bool(case.channels)))])


# --- Replicas and the canary --------------------------------------------------------------------------------------


def replicas(case: Case) -> Result:
    """Whether enough replicas are in sync, for us and for the primary itself."""
    snapshot, wanted = case.snapshot, case.expect.min_replicas
    findings = []
    refusal = snapshot.writes_refused
    if refusal and refusal.state == "no_replicas":
        findings.append(Finding("no_replicas", f"this primary refuses writes: {refusal.message}", refusal.hint))
    if snapshot.replicas is None:
        if wanted:
            hint = grant(snapshot.flavor, snapshot.account, "need (at least one of) the PROCESS privilege")
            findings.append(Finding("no_replicas", "the connected replicas cannot be seen with this login", hint))
        return Result(None, None, wanted, findings)
    online = sum(1 for replica in snapshot.replicas if replica.online)
    if online < wanted:
        findings.append(
            Finding(
                "no_replicas",
                f"{online} replica(s) are connected and in sync, {wanted} expected",
                "Run this check on the replicas: each names its own reason.",
            )
        )
    return Result(not findings if wanted or findings else None, online, wanted, findings)


def canary(case: Case) -> Result:
    """Whether a real write arrived; what was only written by a primary is judged by its acceptance."""
    found = case.canary
    if found is None:
        return Result()
    if found.skipped:
        return Result(None, found.seen)
    refusal = found.refusal
    if found.seen and not refusal:
        return Result(True, True, True)
    if refusal and not refusal.absent:
        finding = Finding(refusal.state, refusal.message, refusal.hint, refusal.errno)
    elif case.delayed and not refusal:
        not_due = Finding(None, "the canary is not due here before the intended delay is over")
        return Result(None, found.seen, True, [not_due])
    elif case.comparison.exact and case.comparison.reached:
        lacks = "has no canary table" if refusal else "does not have the canary"
        finding = Finding(
            "diverged",
            f"this replica has reached the primary's position but {lacks}: filters keep data away, or its data are others",
            (refusal.hint if refusal else None)
            or "The filters stand in the replica's status here and in the primary's binary log status; without any, seed it anew.",
        )
    else:
        finding = Finding(
            "catching_up", "the canary has not arrived here yet", "Wait (timeout), or see the other reasons."
        )
    return Result(False, found.seen, True, [finding])


# Of findings that make the same state, the first is the one that is told.
CHECKS: dict[str, Callable[[Case], Result]] = {
    "reachable": reachable,
    "role": role,
    "ring": ring,
    "primary_identity": primary_identity,
    "primary_reachable": primary_reachable,
    "server_id": server_id,
    "io": io,
    "sql": sql,
    "heartbeat": heartbeat,
    "delay": delay,
    "lag": lag,
    "caught_up": caught_up,
    "errant": errant,
    "read_only": read_only,
    "writes": writes,
    "filters": filters,
    "gtid": gtid,
    "promotion": promotion,
    "tls": tls,
    "semi_sync": semi_sync,
    "replicas": replicas,
    "canary": canary,
}
