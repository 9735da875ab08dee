# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a service runs what its files say. Private to the collection: may change at any time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

# Which services were given what; status asks for those that have not read it.
STAMPS = "/var/lib/webcluster-services"
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
    """What the service reads: a sum of all texts, and which of them was changed last, and when."""

    paths: tuple[str, ...]
    sum: str
    newest: str
    changed: float


@dataclass(frozen=True)
class Stamp:
    """Which start of the service was given which texts; none where they were written and not given yet."""

    paths: tuple[str, ...]
    invocation: str = ""
    sum: str = ""
    # What it takes at a start only.
    at_start: tuple[str, ...] = ()


def show(names: Iterable[str]) -> list[str]:
    """Return the command that shows units; parse_unit reads each part of its answer."""
    return ["systemctl", "show", "--timestamp=us+utc", *(f"--property={name}" for name in PROPERTIES), *names]


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


def read_files(paths: Sequence[str]) -> Files:
    """Look at everything that the service reads."""
    digest = hashlib.sha256()
    newest, changed = "", 0.0
    for path in (found for each in paths for found in walk(each)):
        digest.update(os.fsencode(path) + b"\0")
        if not os.path.lexists(path):
            continue
        # Not the time of the text, which a copy may keep: the time at which it came here.
        changed, newest = max((changed, newest), (os.lstat(path).st_ctime, path))
        if os.path.isfile(path):
            digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return Files(tuple(paths), digest.hexdigest(), newest, changed)


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


def outdated(unit: Unit, stamp: Stamp) -> str:
    """Return the file that was changed last where a running service has not been given its files as they are."""
    if not unit.active:
        return ""
    files = read_files(stamp.paths)
    return "" if runs(unit, files, stamp) else files.newest


def waiting(unit: Unit, stamp: Stamp) -> str:
    """Return the file that was changed last of those that a running service takes at its next start; empty: it has all."""
    files = read_files(stamp.at_start)
    return files.newest if unit.active and files.changed > unit.started else ""


def stamp_of(service: str) -> str:
    return os.path.join(STAMPS, f"{service}.json")


def read_stamp(path: str) -> Stamp | None:
    """Return the stamp; one that cannot be read is none."""
    try:
        found = dict(json.loads(Path(path).read_text(encoding="utf-8")))
        # A stamp of an older release has no files for a start.
        at_start = tuple(found.get("at_start", ()))
        return Stamp(tuple(found["paths"]), str(found["invocation"]), str(found["sum"]), at_start)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_stamps() -> dict[str, Stamp]:
    """Return the stamp of each service that was configured on this host."""
    names = sorted(os.listdir(STAMPS)) if os.path.isdir(STAMPS) else []
    found = {name[: -len(".json")]: read_stamp(os.path.join(STAMPS, name)) for name in names if name.endswith(".json")}
    return {service: stamp for service, stamp in found.items() if stamp}


def write_stamp(path: str, stamp: Stamp) -> None:
    """Remember what the service was given; for root only, since the texts may hold passwords."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(stamp), file)
    os.replace(path + ".new", path)
