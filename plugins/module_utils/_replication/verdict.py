# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one state and one sentence of what the checks found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import (
    CHECKS,
    Case,
    Finding,
    Result,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Failure, Snapshot

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
# stable: whether the server stayed healthy, which only those know who look more than once.
CHECK_NAMES = (*CHECKS, "stable")


@dataclass
class Verdict:
    state: str
    message: str
    findings: list[Finding] = field(default_factory=list)
    checks: dict[str, Result] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        return self.state == "healthy"

    @property
    def hopeless(self) -> bool:
        """Whether waiting cannot heal it."""
        return self.state not in (*PASSING, "healthy") or self.checks["reachable"].value == "not_installed"


def judge(case: Case) -> Verdict:
    """Return the verdict on a server that answered."""
    ignored = case.expect.ignore_checks
    checks = {name: Result() for name in CHECK_NAMES}
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        result = check(case)
        if name in ignored:
            result = replace(result, ok=None, findings=[])
        checks[name] = result
        findings += [replace(finding, check=name) for finding in result.findings]
    return _verdict(findings, checks, _praise(case.snapshot))


def judge_failure(failure: Failure) -> Verdict:
    """Return the verdict on a server that did not answer."""
    finding = Finding(failure.state, failure.message, failure.hint, failure.errno, "reachable")
    checks = {name: Result() for name in CHECK_NAMES}
    checks["reachable"] = Result(False, failure.value, "yes")
    return _verdict([finding], checks)


def judge_stability(verdict: Verdict, seconds: float, wanted: float, changes: int) -> Verdict:
    """Return the verdict on a server that was well at the last look, but not long enough."""
    message = f"healthy for the last {seconds:.1f} s only, {wanted:g} s are wanted"
    if changes:
        message += f"; it turned unhealthy {changes} time(s) meanwhile"
    finding = Finding("catching_up", message, "Wait longer (timeout), and look why it changes.", check="stable")
    return _verdict([finding, *verdict.findings], {**verdict.checks, "stable": Result(False, changes, 0)})


def _verdict(findings: Iterable[Finding], checks: dict[str, Result], praise: str = "") -> Verdict:
    ordered = sorted(findings, key=lambda finding: STATES.index(finding.state or "healthy"))
    if ordered and ordered[0].state:
        return Verdict(ordered[0].state, ordered[0].message, ordered, checks)
    return Verdict("healthy", praise, ordered, checks)


def _praise(snapshot: Snapshot) -> str:
    if not snapshot.channels:
        count = len(snapshot.replicas or [])
        return f"this {snapshot.role} accepts writes, {count} replica(s) are connected"
    primaries = ", ".join(channel.primary for channel in snapshot.channels)
    seconds = snapshot.lag_seconds
    return f"this replica follows {primaries}" + (f", {seconds:g} s behind" if seconds is not None else "")
