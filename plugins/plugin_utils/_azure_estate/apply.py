# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Carry out a plan, wave by wave: every member of a wave comes to its end, and all that failed are named together."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import member
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import Place
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine, Work
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.look import REGISTERED, provider
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.operations import (
    OperationError,
    Operations,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.plan import (
    CREATE,
    KEEP,
    UPDATE,
    Plan,
    Step,
)

Json = dict[str, t.Any]
# How often a change is compared anew because somebody else was faster, and how long a registration may take; seconds.
MOST_RACES = 3
REGISTRATION, REGISTRATION_LOOK = 600.0, 5.0
Again = Callable[[Step, Json], Step]


def together(engine: Engine, works: Sequence[Work[t.Any]]) -> None:
    """All of them to their end; raises one error with the sentence of each that failed."""
    failures = [end for end in engine.run(works) if isinstance(end, InventoryError)]
    if failures:
        count = f"{len(failures)} of {len(works)} failed, the others are done: " if len(works) > 1 else ""
        raise OperationError(count + " ".join(dict.fromkeys(map(str, failures))), getattr(failures[0], "code", ""))


def register(
    engine: Engine, operations: Operations, place: Place, names: Sequence[str], clock: Callable[[], float]
) -> None:
    """A subscription that never had a machine knows nothing of them."""

    def one(name: str) -> Work[None]:
        listing, begin = provider(place, name), clock()
        yield from operations.change(listing, "POST", action="/register")
        while str((operations.read(listing) or {}).get("registrationState") or "").lower() != REGISTERED:
            if clock() - begin > REGISTRATION:
                raise OperationError(
                    f"The provider {name} is not registered after {REGISTRATION:.0f} s; expected Registered: run it again later."
                )
            yield REGISTRATION_LOOK

    together(engine, [one(name) for name in names])


def apply(engine: Engine, operations: Operations, plan: Plan, again: Again) -> None:
    """Make and change what the plan says; `again` compares one resource with what Azure holds by now."""
    steps = [
        step for step in plan.steps if step.action in (CREATE, UPDATE) or (step.action == KEEP and step.unfinished)
    ]
    for wave in sorted({step.resource.wave for step in steps}):
        members = [step for step in steps if step.resource.wave == wave and not step.restart]
        together(engine, [_work(operations, step, again) for step in members])
    # Two servers of a tier at once would be one outage.
    for step in steps:
        if step.restart:
            together(engine, [_restart(operations, step)])


def _work(operations: Operations, step: Step, again: Again) -> Work[None]:
    listing = step.resource.listing
    for _race in range(MOST_RACES):
        if step.unfinished:
            yield from operations.finish(listing)
        if step.action == KEEP:
            return
        first_time = step.action == CREATE or step.resource.kind != "machine" or step.body is step.resource.body
        etag = None if step.action == CREATE else member(step.found or {}, "etag")
        if (yield from operations.change(listing, "PUT" if first_time else "PATCH", step.body, etag)):
            return
        step = again(step, operations.read(listing) or {})
        if step.action not in (UPDATE, KEEP):
            break
    raise OperationError(
        f"Somebody else changes the {step.resource.title} at the same time; expected nobody: run it again when that has ended."
    )


def _restart(operations: Operations, step: Step) -> Work[None]:
    """A machine of another size stands on another host of Azure."""
    listing = step.resource.listing
    yield from operations.change(listing, "POST", action="/deallocate")
    try:
        yield from operations.change(listing, "PATCH", step.body)
    finally:
        # Refused or not, it shall serve again.
        yield from operations.change(listing, "POST", action="/start")
