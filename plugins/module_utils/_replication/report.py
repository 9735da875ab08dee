# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a verdict into the documented return values: the same keys for every engine, state and version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Channel,
    Comparison,
    Identity,
    Raw,
    Snapshot,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    Verdict,
    lag_bytes,
    lag_seconds,
)

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import CanaryResult


def version_info(version: str | None) -> list[int]:
    """Return the leading number as integers; a proxy or old client may put 5.5.5- before it."""
    match = re.match(r"(?:5\.5\.5-)?(\d+(?:\.\d+)*)", version or "")
    return [int(part) for part in match.group(1).split(".")] if match else []


def _channel(channel: Channel) -> Raw:
    return {
        "name": channel.name,
        "host": channel.host,
        "port": channel.port,
        "io": {
            "state": channel.io.state,
            "errno": channel.io.errno,
            "error": channel.io.error,
            "since": channel.io.since,
            "attempts": channel.io.attempts,
            "heartbeat_age": channel.io.heartbeat_age,
        },
        "sql": {
            "state": channel.sql.state,
            "errno": channel.sql.errno,
            "error": channel.sql.error,
            "since": channel.sql.since,
        },
        "workers": channel.workers,
        "delay": channel.delay,
        "filters": channel.filters,
        "lag": channel.lag_seconds,
        "gtid": channel.gtid_mode,
        "tls": channel.tls,
        "tls_verified": channel.tls_verified,
    }


def _lag(snapshot: Snapshot, comparison: Comparison, canary: CanaryResult | None) -> Raw:
    seconds: float | None = lag_seconds(snapshot)
    size = lag_bytes(snapshot, comparison)
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
        "token": found.get("token"),
        "written_at": found.get("written_at"),
        "seen": found.get("seen"),
        "latency_ms": found.get("latency_ms"),
        "error": canary.trouble.message if canary and canary.trouble else None,
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
    """Return every documented key."""
    seen = snapshot or Snapshot(engine=engine)
    first = seen.channels[0] if seen.channels else Channel()
    return {
        "healthy": verdict.healthy,
        "state": verdict.state,
        "msg": verdict.message,
        "reasons": [reason.shown() for reason in verdict.reasons],
        "checks": verdict.checks,
        "engine": engine,
        "flavor": seen.flavor,
        "version": seen.version,
        "version_info": version_info(seen.version),
        "role": seen.role if snapshot else None,
        "read_only": seen.read_only,
        "data": {"empty": seen.empty},
        "identity": dict(vars(seen.identity if snapshot else Identity())),
        "primary": {
            "host": first.host,
            "port": first.port,
            "server_id": first.server_id,
            "uuid": first.uuid,
            "replid": first.replid,
            "user": first.user,
        },
        "channels": [_channel(channel) for channel in seen.channels],
        "position": seen.position or {"kind": None, "value": None},
        "lag": _lag(seen, comparison, canary),
        "gtid": {
            "mode": seen.gtid_mode,
            "executed": seen.executed if engine == "mysql" else None,
            "retrieved": first.retrieved,
            "missing": comparison.missing if engine == "mysql" else None,
            "errant": comparison.errant,
            "errant_count": comparison.errant_count,
        },
        "replicas": [
            {
                "host": replica.host,
                "port": replica.port,
                "state": replica.state,
                "offset": replica.offset,
                "uuid": replica.uuid,
                "lag": replica.lag,
            }
            for replica in seen.replicas or []
        ],
        "canary": _canary(canary),
        "waited": waited,
        "attempts": attempts,
        "raw": seen.raw,
    }
