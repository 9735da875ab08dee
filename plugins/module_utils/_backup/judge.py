# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the promise is kept: a sentence for each way in which it is broken."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.siteops.webcluster.plugins.module_utils._backup.record import Record
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.repository import Copy
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.settings import Settings

WHAT = {"copy": "the copy", "keep": "the upkeep of the store", "drill": "the restore drill"}


def age_text(seconds: float) -> str:
    """Say an age as people do."""
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def broken_promises(
    settings: Settings, copies: Sequence[Copy], records: Sequence[Record | None], now: float
) -> list[str]:
    """Return what is wrong; nothing where all is well."""
    wrong = []
    newest = copies[-1].time.timestamp() if copies else None
    if newest is None:
        wrong.append(f"the store has no copy of {settings.title} yet: run backup.yml")
    elif now - newest > settings.max_age_hours * 3600:
        wrong.append(
            f"the newest copy of {settings.title} is {age_text(now - newest)} old, {settings.max_age_hours:g} h are promised"
        )
    for record in filter(None, records):
        # What another host has made good since is nothing to tell.
        if record.result == "failed" and not (record.job == "copy" and newest is not None and newest > record.ended):
            ago = age_text(now - record.ended)
            wrong.append(f"{WHAT[record.job]} of {settings.title} failed {ago} ago: {record.message}")
        elif record.job == "drill" and record.result == "done" and now - record.ended > settings.max_drill_days * 86400:
            wrong.append(
                f"the last restore drill of {settings.title} passed {age_text(now - record.ended)} ago,"
                f" {settings.max_drill_days:g} d are promised"
            )
    return wrong
