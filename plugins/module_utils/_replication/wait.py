# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look until the server is well, hopeless or too late, at its primary as well where that is given, and report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import (
    Canary,
    CanaryProgress,
    CanaryResult,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.checks import Case, Result
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison, compare
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import (
    Expectation,
    parse_expected_primary,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Failure, Raw, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.probe import Probe
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import report
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    Verdict,
    judge,
    judge_failure,
    judge_stability,
)

# What the primary just had is looked for more often at first: the canary's way is to be measured.
FIRST_PAUSE = 0.005
SLOWEST = 5.0
COMMIT_SECONDS = 1.0
# What was asked from the primary a moment ago may arrive in that time even without a timeout.
GRACE_SECONDS = 2.0


class Clock:
    """Time, handed in so that tests need not wait."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True)
class Request:
    """What to expect, and how long to wait for it. position: what to reach. canary.mode: write, read or both."""

    expect: Expectation = field(default_factory=Expectation)
    position: Mapping[str, Any] | None = None
    allow_errant: tuple[str, ...] = ()
    timeout: float = 0.0
    interval: float = 1.0
    stable_for: float = 0.0
    fail_fast: bool = True
    canary: Canary | None = None
    skip_canary: bool = False


class Wait:
    """One run of the check. primary: asks the primary of the server, where that may be asked as well."""

    def __init__(
        self, engine: str, request: Request, server: Probe, primary: Probe | None = None, clock: Clock | None = None
    ) -> None:
        self.engine = engine
        self.request = request
        self.server = server
        self.primary = primary
        self.clock = clock or Clock()
        self.progress: CanaryProgress | None = None
        if request.canary:
            alone = primary is None
            self.progress = CanaryProgress(request.canary, request.skip_canary, alone, self.clock.now)
        self.position = request.position
        # What asking the primary gave, and what it showed of transactions that did not come from it.
        self.primary_found: Snapshot | Failure | None = None
        self.errant = Comparison()

    def run(self) -> Raw:
        """Look until the verdict holds; return the report."""
        request, clock = self.request, self.clock
        begin, attempts, changes = clock.now(), 0, 0
        healthy_since: float | None = None
        pause = FIRST_PAUSE
        try:
            while True:
                looked = clock.now()
                attempts += 1
                verdict, snapshot, comparison = self._attempt()
                if verdict.healthy:
                    healthy_since = looked if healthy_since is None else healthy_since
                elif healthy_since is not None:
                    healthy_since, changes = None, changes + 1
                stable = healthy_since is not None and clock.now() - healthy_since >= request.stable_for
                left = begin + self._patience(verdict, snapshot) - clock.now()
                if stable or left <= 0 or (request.fail_fast and verdict.hopeless):
                    break
                pause = self._pause(pause)
                clock.sleep(min(pause, left))
        finally:
            self.server.close()
            if self.primary:
                self.primary.close()
        if healthy_since is not None and not stable:
            verdict = judge_stability(verdict, clock.now() - healthy_since, request.stable_for, changes)
        elif request.stable_for:
            verdict.checks["stable"] = Result(verdict.healthy, changes, 0)
        waited = round(clock.now() - begin, 3)
        return report(self.engine, verdict, snapshot, comparison, self._canary(), waited, attempts)

    def _patience(self, verdict: Verdict, snapshot: Snapshot | None) -> float:
        """Return for how many seconds to look."""
        timeout = self.request.timeout
        if isinstance(self.primary_found, Snapshot) and verdict.state == "catching_up":
            return max(timeout, GRACE_SECONDS)
        if snapshot and verdict.checks["heartbeat"].ok is False:
            # Where heartbeats are only counted, the next one tells whether the primary lives.
            counted = [channel.io for channel in snapshot.channels if channel.io.heartbeats is not None]
            return max([timeout, *(GRACE_SECONDS + (io.heartbeat_period or 0) for io in counted)])
        return timeout

    def _pause(self, last: float) -> float:
        """Return how long to wait before the next look: longer from look to look."""
        interval = self.request.interval
        if isinstance(self.primary_found, Snapshot) and last * 2 < interval:
            return last * 2
        if last < interval:
            return interval
        return min(last * 1.5, max(SLOWEST, interval))

    def _attempt(self) -> tuple[Verdict, Snapshot | None, Comparison]:
        found = self._look()
        if isinstance(found, Snapshot) and self.primary and self._primary_is_due():
            found = self._ask_both(self.primary, found)
        if isinstance(found, Snapshot) and self.primary and self._is_another_history(found):
            found = self._ask_both(self.primary, found)
        if isinstance(found, Failure):
            return judge_failure(found), None, Comparison()
        comparison = self._compare(found)
        case = Case(found, self._expectation(), comparison, self._canary(), self.primary_found)
        return judge(case), found, comparison

    def _look(self) -> Snapshot | Failure:
        look = self.server.look(self.progress.for_server() if self.progress else None)
        if self.progress and look.canary:
            self.progress.from_server(look.canary)
        return look.found

    def _canary(self) -> CanaryResult | None:
        return self.progress.result() if self.progress else None

    def _expectation(self) -> Expectation:
        expect, primary = self.request.expect, self.primary_found
        if expect.primary or not isinstance(primary, Snapshot):
            return expect
        known = {name: value for name, value in vars(primary.identity).items() if value}
        return replace(expect, primary=parse_expected_primary(known), one_channel=True)

    def _compare(self, snapshot: Snapshot) -> Comparison:
        if not snapshot.channels:
            return Comparison()
        found = compare(snapshot, self.position, self.request.allow_errant)
        if self.errant.errant:
            found = replace(found, errant=self.errant.errant, errant_count=self.errant.errant_count)
        return replace(found, asked=bool(self.position and self.position.get("kind")))

    def _primary_is_due(self) -> bool:
        return not isinstance(self.primary_found, Snapshot) or bool(self.progress and self.progress.must_write())

    def _is_another_history(self, replica: Snapshot) -> bool:
        """Whether what the primary said may be out of date: a Redis takes a new id when it starts, and with its first replica."""
        if not isinstance(self.primary_found, Snapshot):
            return False
        known = self.primary_found.identity.replid
        return any(channel.replid not in (None, known) for channel in replica.channels)

    def _ask_both(self, primary: Probe, before: Snapshot) -> Snapshot | Failure:
        self._ask_primary(primary, before)
        # What the primary had a moment ago is to be reached by a later look.
        return self._look() if isinstance(self.primary_found, Snapshot) else before

    def _ask_primary(self, primary: Probe, before: Snapshot) -> None:
        """Ask the primary after the replica: what only the replica has by then did not come from it."""
        look = primary.look(self.progress.for_primary() if self.progress else None)
        if self.progress and look.canary:
            self.progress.from_primary(look.canary)
        self.primary_found = look.found
        if isinstance(look.found, Failure):
            return
        if self.request.position is None:
            self.position = look.found.position
        if before.channels:
            self.errant = self._errant(primary, before, look.found)

    def _errant(self, primary: Probe, before: Snapshot, above: Snapshot) -> Comparison:
        """Return what the replica had before its primary was asked and the primary has not."""
        allowed = self.request.allow_errant
        found = compare(before, {**above.position, "in_flight": False}, allowed)
        if found.errant and not compare(before, above.position, allowed).errant:
            # A commit that waits for replicas is on them before the primary calls it done.
            self.clock.sleep(COMMIT_SECONDS)
            again = primary.look().found
            if isinstance(again, Snapshot):
                found = compare(before, {**again.position, "in_flight": False}, allowed)
        return found
