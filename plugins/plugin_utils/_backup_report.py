# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What the hosts tell of the copies, a line for each tier."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from ansible_collections.siteops.webcluster.plugins.module_utils._backup.judge import age_text
from ansible_collections.siteops.webcluster.plugins.plugin_utils._backups import Backup
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import said_by

Look = Mapping[str, t.Any]


class BackupReport(t.NamedTuple):
    """One tier's copies. server: where they are told of."""

    server: str
    state: str
    detail: str


def backup_reports(planned: Mapping[str, Backup], results: Mapping[str, Iterable[Look]]) -> Iterator[BackupReport]:
    """Tell of each tier that is copied. `results`: of the module backup_info on each host, of a loop over its tiers."""
    looks: dict[str, dict[str, Look]] = {}
    for host, of_host in results.items():
        for look in of_host:
            looks.setdefault(str(look["item"]), {})[host] = look
    for key, of_tier in looks.items():
        store = next((backup["store"] for backup in planned.values() if backup["store"]), "")
        yield tier_report(key, store, of_tier)


def tier_report(key: str, store: str, looks: Mapping[str, Look]) -> BackupReport:
    """Join what the hosts tell of one tier's copies."""
    title = ENGINES[key].title
    seen = {host: look for host, look in looks.items() if "copies" in look}
    reasons: dict[str, list[str]] = {}
    for host, look in looks.items():
        if look.get("unreachable"):
            continue
        if "copies" not in look:
            reasons.setdefault(f"could not be looked at: {said_by(look)}.", []).append(host)
        elif not look.get("configured"):
            reasons.setdefault("makes no copies yet. Run site.yml.", []).append(host)
        for reason in look.get("reasons") or []:
            reasons.setdefault(str(reason), []).append(host)
    if not seen and not reasons:
        reasons["was not looked at."] = list(looks)
    newest = max(seen.values(), key=lambda look: len(look["copies"]), default={})
    copies = newest.get("copies") or []
    server = store or (str(copies[-1]["host"]) if copies else next(iter(looks)))
    if reasons:
        return BackupReport(
            server, "broken", " ".join(f"{', '.join(hosts)}: {reason}" for reason, hosts in reasons.items())
        )
    # A copy that its own clock puts a little ahead is new.
    age = age_text(max(int(newest["age_seconds"]), 0))
    detail = f"{title}: newest copy {age} old, of the {copies[-1]['source'] or 'server'} {copies[-1]['host']}, {len(copies)} in all"
    drills = [look["drill_age_seconds"] for look in seen.values() if look.get("drill_age_seconds") is not None]
    return BackupReport(
        server, "healthy", f"{detail}; {f'restored {age_text(min(drills))} ago' if drills else 'not restored yet'}"
    )


def backup_windows(topology: Mapping[str, t.Any], hostvars: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """Tell what can be restored, tier by tier, and what the last runs of each host did; the hosts have been asked."""
    planned = topology["backups"]
    results = {name: (hostvars[name].get("__webcluster_backups") or {}).get("results") or [] for name in planned}
    lines = []
    for one in backup_reports(planned, results):
        lines.append(f"{one.server}: {one.state}: {one.detail}")
    for key in topology["copied"]:
        looks = {host: look for host, found in results.items() for look in found if look["item"] == key}
        seen = [look for look in looks.values() if look.get("copies")]
        if seen:
            copies = max(seen, key=lambda look: len(look["copies"]))["copies"]
            title = ENGINES[key].title
            lines.append(
                f"{title} can be restored to {moment(copies[0])} to {moment(copies[-1])}, {len(copies)} copies:"
            )
            lines += [f"  {copy['id']}  {moment(copy)}  {copy['source'] or 'server'} {copy['host']}" for copy in copies]
        for host, look in looks.items():
            for run in (look.get("runs") or {}).values():
                when = datetime.fromtimestamp(run["ended"], UTC)
                lines.append(
                    f"  {host}, {run['job']} at {when:%Y-%m-%d %H:%M} UTC ({run['seconds']:g} s): {run['result']}: {run['message']}"
                )
    return lines


def moment(copy: Mapping[str, t.Any]) -> str:
    """When a copy was begun."""
    return f"{datetime.fromisoformat(str(copy['time'])).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
