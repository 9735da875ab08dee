# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look until it is well, hopeless or too late: waiting, the given primary, and the final report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record, fresh, replace
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Comparison,
    Failure,
    Raw,
    Snapshot,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import report
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    Expectation,
    Verdict,
    judge,
)

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import (
        Canary,
        CanaryResult,
        Journey,
    )
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.look import Looker

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


class Plan(Record):
    """What to expect and how long to wait. canary.mode: write, read or both. position: what to reach."""

    expect: Expectation = fresh(factory=Expectation)
    position: Mapping[str, Any] | None = None
    allow_errant: tuple[str, ...] = ()
    timeout: float = 0.0
    interval: float = 1.0
    stable_for: float = 0.0
    fail_fast: bool = True
    canary: Canary | None = None
    skip_canary: bool = False


class Watch:
    """One run of the check. primary: the server above, where it can be asked as well."""

    def __init__(
        self, engine: str, plan: Plan, looker: Looker, primary: Looker | None = None, clock: Clock | None = None
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.looker = looker
        self.primary = primary
        self.clock = clock or Clock()
        self.journey = self._journey()
        self.position = plan.position
        self.source: Snapshot | None = None
        self.source_failure: Failure | None = None
        self.errant: Comparison | None = None

    def _journey(self) -> Journey | None:
        plan = self.plan
        if plan.canary is None:
            return None
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Journey

        return Journey(plan.canary, plan.skip_canary, self.primary is None, self.clock.now)

    def run(self) -> Raw:
        """Look until the verdict holds; return the report."""
        plan, clock = self.plan, self.clock
        begin, attempts, changes = clock.now(), 0, 0
        since: float | None = None
        pause = FIRST_PAUSE
        try:
            while True:
                looked = clock.now()
                attempts += 1
                verdict, snapshot, comparison = self._attempt()
                if verdict.healthy:
                    since = looked if since is None else since
                elif since is not None:
                    since, changes = None, changes + 1
                stable = since is not None and clock.now() - since >= plan.stable_for
                left = begin + self._patience(verdict, snapshot) - clock.now()
                if stable or left <= 0 or (plan.fail_fast and verdict.hopeless):
                    break
                pause = self._pause(pause)
                clock.sleep(min(pause, left))
        finally:
            self.looker.close()
            if self.primary:
                self.primary.close()
        if verdict.healthy and not stable:
            from ansible_collections.siteops.webcluster.plugins.module_utils._replication.findings import unstable

            verdict = unstable(verdict, clock.now() - (since or begin), plan.stable_for, changes)
        elif plan.stable_for:
            verdict.checks["stable"] = {"ok": verdict.healthy, "value": changes, "expected": 0}
        waited = round(clock.now() - begin, 3)
        return report(self.engine, verdict, snapshot, comparison, self._result(), waited, attempts)

    def _patience(self, verdict: Verdict, snapshot: Snapshot | None) -> float:
        timeout = self.plan.timeout
        if self.source is not None and verdict.state == "catching_up":
            return max(timeout, GRACE_SECONDS)
        if snapshot and verdict.checks["heartbeat"]["ok"] is False:
            # Where heartbeats are only counted, the next one tells whether the primary lives.
            counted = [channel.io for channel in snapshot.channels if channel.io.heartbeats is not None]
            return max([timeout, *(GRACE_SECONDS + (io.heartbeat_period or 0) for io in counted)])
        return timeout

    def _pause(self, last: float) -> float:
        """Return how long to wait before the next look: longer from look to look."""
        if self.source is not None and last * 2 < self.plan.interval:
            return last * 2
        if last < self.plan.interval:
            return self.plan.interval
        return min(last * 1.5, max(SLOWEST, self.plan.interval))

    def _attempt(self) -> tuple[Verdict, Snapshot | None, Comparison]:
        found = self._look()
        if (
            isinstance(found, Snapshot)
            and self.primary
            and (self.source is None or (self.journey and self.journey.must_write()))
        ):
            self._ask_primary(self.primary, found)
            if self.source is not None:
                # What the primary had a moment ago is to be reached by a later look.
                found = self._look()
        if isinstance(found, Failure):
            from ansible_collections.siteops.webcluster.plugins.module_utils._replication.findings import judge_failure

            return judge_failure(found), None, Comparison()
        comparison = self._compare(found)
        verdict = judge(found, self._expectation(), comparison, self._result(), self.source_failure)
        if self.primary and self.source_failure is None:
            verdict.checks["primary_reachable"] = {"ok": True, "value": "yes", "expected": "yes"}
        return verdict, found, comparison

    def _look(self) -> Snapshot | Failure:
        answer = self.looker.look(self.journey.own_part() if self.journey else None)
        if self.journey and answer.sighting:
            self.journey.note_own(answer.sighting)
        return answer.found

    def _result(self) -> CanaryResult | None:
        return self.journey.result() if self.journey else None

    def _expectation(self) -> Expectation:
        expect = self.plan.expect
        known = {name: value for name, value in vars(self.source.identity).items() if value} if self.source else {}
        if expect.primary or not known:
            return expect
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected_primary import (
            parse_expected_primary,
        )

        return replace(expect, primary=parse_expected_primary(known))

    def _compare(self, snapshot: Snapshot) -> Comparison:
        if not snapshot.channels:
            return Comparison()
        comparison = self.looker.compare(snapshot, self.position, self.plan.allow_errant)
        if self.errant and self.errant.errant:
            comparison = replace(comparison, errant=self.errant.errant, errant_count=self.errant.errant_count)
        return replace(comparison, asked=bool(self.position and self.position.get("kind")))

    def _ask_primary(self, primary: Looker, before: Snapshot) -> None:
        """Ask the primary after the replica: what only the replica has by then did not come from it."""
        answer = primary.look(self.journey.primary_part() if self.journey else None)
        if self.journey and answer.sighting:
            self.journey.note_written(answer.sighting)
        if isinstance(answer.found, Failure):
            self.source, self.source_failure = None, answer.found
            return
        self.source, self.source_failure = answer.found, None
        if self.plan.position is None:
            self.position = self.source.position
        if before.channels:
            self.errant = self._errant(primary, before, self.source)

    def _errant(self, primary: Looker, before: Snapshot, source: Snapshot) -> Comparison:
        """Return what the replica had before its primary was asked and the primary has not."""
        allowed = self.plan.allow_errant
        found = self.looker.compare(before, {**source.position, "in_flight": False}, allowed)
        if found.errant and not self.looker.compare(before, source.position, allowed).errant:
            # A commit that waits for replicas is on them before the primary calls it done.
            self.clock.sleep(COMMIT_SECONDS)
            again = primary.look().found
            if isinstance(again, Snapshot):
                found = self.looker.compare(before, {**again.position, "in_flight": False}, allowed)
        return found
