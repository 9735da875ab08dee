# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a service runs what its files say. Private to the collection: may change at any time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

# Gone after a boot, as is every service that it tells of.
STAMPS = "/run/webcluster-services"
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "InvocationID",
    "InactiveExitTimestamp",
)


@dataclass(frozen=True)
class Unit:
    """What systemd says of a service; started is when it began to start, in seconds since 1970."""

    present: bool
    active: bool
    enabled: bool
    masked: bool
    stale: bool
    invocation: str
    started: float


@dataclass(frozen=True)
class Files:
    """What the service reads: a sum of all texts, and when one of them was changed last."""

    sum: str
    changed: float


@dataclass(frozen=True)
class Stamp:
    """Which start of the service was given which texts."""

    invocation: str
    sum: str


def parse_unit(text: str) -> Unit:
    """Read the answer of systemctl show --timestamp=us+utc."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    enabled = values.get("UnitFileState", "")
    return Unit(
        present=values.get("LoadState") not in (None, "not-found"),
        active=values.get("ActiveState") in ("active", "reloading"),
        # static and generated units have nothing to enable.
        enabled=enabled not in ("disabled", ""),
        masked=values.get("LoadState") == "masked",
        stale=values.get("NeedDaemonReload") == "yes",
        invocation=values.get("InvocationID", ""),
        started=parse_time(values.get("InactiveExitTimestamp", "")),
    )


def parse_time(text: str) -> float:
    """Read a time such as Thu 2026-11-26 14:16:39.123456 UTC; 0 for none."""
    if not text or text == "n/a":
        return 0.0
    _weekday, moment = text.split(" ", 1)
    return datetime.strptime(moment, "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=timezone.utc).timestamp()


def walk(path: str) -> Iterator[str]:
    """Yield a path and, for a directory, all that lies in it, in a fixed order."""
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for entry in sorted(os.listdir(path)):
            yield from walk(os.path.join(path, entry))


def read_files(paths: Iterable[str]) -> Files:
    """Look at everything that the service reads."""
    digest = hashlib.sha256()
    changed = 0.0
    for path in (found for each in paths for found in walk(each)):
        digest.update(os.fsencode(path) + b"\0")
        if not os.path.lexists(path):
            continue
        # Not the time of the text, which a copy may keep: the time at which it came here.
        changed = max(changed, os.lstat(path).st_ctime)
        if os.path.isfile(path):
            digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return Files(digest.hexdigest(), changed)


def runs(unit: Unit, files: Files, stamp: Stamp | None) -> bool:
    """Tell whether the running service has read the files as they are."""
    if stamp and stamp.invocation == unit.invocation:
        return stamp.sum == files.sum
    # Started by somebody else: it has read what was there before.
    return files.changed < unit.started


def decide(unit: Unit, files: Files, stamp: Stamp | None, on_change: str) -> str:
    """Return what has to be done with the service: start, reload, restart, tell or nothing."""
    if not unit.active:
        return "start"
    return "nothing" if on_change == "nothing" or runs(unit, files, stamp) else on_change


def read_stamp(path: str) -> Stamp | None:
    """Return the stamp; one that cannot be read is none."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        return Stamp(invocation=str(found["invocation"]), sum=str(found["sum"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def drop_stamp(path: str) -> None:
    """Forget what the service was given, before its files change: a run that ends here must leave no wrong stamp."""
    if os.path.exists(path):
        os.unlink(path)


def write_stamp(path: str, stamp: Stamp) -> None:
    """Remember what the service was given; for root only, since the texts may hold passwords."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(stamp), file)
    os.replace(path + ".new", path)
