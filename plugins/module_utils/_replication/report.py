# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a verdict into the documented return values: the same keys for every engine, state and version."""

from __future__ import annotations

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import CanaryResult
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import (
    Finding,
    Result,
    bytes_behind,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Channel,
    Raw,
    Replica,
    Snapshot,
    version_info,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import Verdict


def _picked(record: object, *names: str) -> Raw:
    return {name: getattr(record, name) for name in names}


def reason(finding: Finding) -> Raw:
    return _picked(finding, "check", "state", "severity", "message", "hint", "errno")


def _check(result: Result) -> Raw:
    return _picked(result, "ok", "value", "expected")


def _replica(replica: Replica) -> Raw:
    return _picked(replica, "host", "port", "state", "offset", "uuid", "lag")


def _channel(channel: Channel) -> Raw:
    return {
        **_picked(channel, "name", "host", "port", "workers", "delay", "filters", "tls", "tls_verified"),
        "io": _picked(channel.io, "state", "errno", "error", "since", "attempts", "heartbeat_age"),
        "sql": _picked(channel.sql, "state", "errno", "error", "since"),
        "lag": channel.lag_seconds,
        "gtid": channel.gtid_mode,
    }


def _lag(snapshot: Snapshot, comparison: Comparison, canary: CanaryResult | None) -> Raw:
    seconds: float | None = snapshot.lag_seconds
    size = bytes_behind(snapshot, comparison)
    source = "native" if seconds is not None else None
    if source is None and snapshot.channels and canary and canary.latency_ms is not None:
        seconds, source = canary.latency_ms / 1000, "canary"
    if source is None and size is not None:
        source = "position"
    return {
        "seconds": None if seconds is None else float(seconds),
        "source": source,
        "bytes": size,
        "transactions": comparison.behind_transactions if snapshot.channels else None,
    }


def _canary(canary: CanaryResult | None) -> Raw:
    found = vars(canary) if canary else {}
    return {
        **{name: found.get(name) for name in ("token", "written_at", "seen", "latency_ms")},
        "error": canary.refusal.message if canary and canary.refusal else None,
        "skipped": found.get("skipped", False),
    }


def report(
    engine: str,
    verdict: Verdict,
    snapshot: Snapshot | None,
    comparison: Comparison,
    canary: CanaryResult | None = None,
    waited: float = 0.0,
    attempts: int = 1,
) -> Raw:
    """Return every documented key. snapshot: None where the server did not answer."""
    seen = snapshot or Snapshot(engine=engine)
    first = seen.channels[0] if seen.channels else Channel()
    gtids = engine == "mysql"
    return {
        "healthy": verdict.healthy,
        "state": verdict.state,
        "msg": verdict.message,
        "reasons": [reason(finding) for finding in verdict.findings],
        "checks": {name: _check(result) for name, result in verdict.checks.items()},
        "engine": engine,
        "flavor": seen.flavor,
        "version": seen.version,
        "version_info": version_info(seen.version),
        "role": seen.role if snapshot else None,
        "read_only": seen.read_only,
        "data": {"empty": seen.empty, "in_logs": seen.in_logs},
        "identity": dict(vars(seen.identity)),
        "primary": _picked(first, "host", "port", "server_id", "uuid", "replid", "user"),
        "channels": [_channel(channel) for channel in seen.channels],
        "position": seen.position or {"kind": None, "value": None},
        "lag": _lag(seen, comparison, canary),
        "gtid": {
            "mode": seen.gtid_mode,
            "executed": seen.executed if gtids else None,
            "retrieved": first.retrieved,
            "missing": comparison.missing if gtids else None,
            "errant": comparison.errant,
            "errant_count": comparison.errant_count,
        },
        "replicas": [_replica(replica) for replica in seen.replicas or []],
        "canary": _canary(canary),
        "certificate": {"ends": seen.certificate_ends},
        "waited": waited,
        "attempts": attempts,
        "raw": seen.raw,
    }
