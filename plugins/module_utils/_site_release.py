# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpack a release of a site's code beside the live one, and make it the live one. Private to the collection: may change at any time."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._site_archive import (
    FILE_MODE,
    FOLDER_MODE,
    PROGRAM_MODE,
    check_entries,
    tar_entries,
)

# Of what was live before, so many are known by name.
MOST_BEFORE = 50
# What is made in a shared folder belongs to Apache's readers, too.
SHARED_MODE = 0o2750


@dataclass(frozen=True)
class Place:
    """Where the code of a site lies on a web server, and who may read it and write to its shared folders."""

    home: Path
    uid: int
    readers: int
    shared_folders: tuple[str, ...] = ()
    # Those of them that a mount holds, which is not ours to fill.
    mounted_folders: tuple[str, ...] = ()

    @property
    def releases(self) -> Path:
        return self.home / "releases"

    @property
    def current(self) -> Path:
        return self.home / "current"

    @property
    def record(self) -> Path:
        return self.home / "live.json"

    @property
    def log(self) -> Path:
        return self.home / "releases.log"

    def release(self, name: str) -> Path:
        return self.releases / name


def live(place: Place) -> str:
    """The release that is served; empty where none is."""
    return os.path.basename(os.readlink(place.current)) if place.current.is_symlink() else ""


class Version(t.TypedDict):
    """A release, and what its maker calls it; empty where it has no name."""

    release: str
    version: str


@dataclass(frozen=True)
class Record:
    """What was served last for certain: PHP had been told of it."""

    release: str = ""
    version: str = ""
    # What was live before it, the last one first; a release that was taken back is none of them.
    before: tuple[Version, ...] = ()
    # Who put it there by a playbook for releases, when and how; empty where it follows from the inventory.
    released: dict[str, t.Any] = field(default_factory=dict)

    @property
    def self_and_before(self) -> tuple[Version, ...]:
        return ({"release": self.release, "version": self.version}, *self.before) if self.release else self.before


def read_record(place: Place) -> Record:
    """Read it; one of an earlier version tells the release alone."""
    try:
        found = json.loads(place.record.read_text(encoding="utf-8"))
        before = tuple(
            Version(release=str(one["release"]), version=str(one["version"])) for one in found.get("before", [])
        )
        return Record(str(found["release"]), str(found.get("version", "")), before, dict(found.get("released") or {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Record()


def followed(record: Record, release: str, version: str, takes_back: bool, released: dict[str, t.Any]) -> Record:
    """The record after a release went live; taking back forgets what came after it."""
    line = record.self_and_before
    names = [one["release"] for one in line]
    if takes_back and release in names:
        at = names.index(release)
        return Record(release, line[at]["version"], line[at + 1 :], released)
    rest = tuple(one for one in line[1 if takes_back else 0 :] if one["release"] != release)
    return Record(release, version, rest[:MOST_BEFORE], released)


def note(place: Place, record: Record) -> None:
    """Keep that PHP was told."""
    part = place.home / ".live.json"
    part.write_text(json.dumps(vars(record)) + "\n", encoding="utf-8")
    part.replace(place.record)


def write_log(place: Place, seconds: float, **words: str) -> None:
    """Add a line to the site's log of releases: who released what, and when."""
    when = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    with open(place.log, "a", encoding="utf-8") as log:
        log.write(json.dumps({"at": when, **words}) + "\n")


def unpack(archive: Path, place: Place, release: str) -> None:
    """Unpack beside the releases; what gets its name is whole."""
    part = place.releases / f".new-{release}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    with tarfile.open(archive) as packed:
        times = {member.name: member.mtime for member in packed}
        for entry in check_entries(tar_entries(packed)):
            path = part / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if entry.kind == "folder":
                path.mkdir(exist_ok=True)
            elif entry.kind == "link":
                path.symlink_to(entry.target)
            else:
                path.write_bytes(entry.read())
                path.chmod(PROGRAM_MODE if entry.executable else FILE_MODE)
                os.utime(path, (times[entry.path], times[entry.path]))
    for folder in place.shared_folders:
        share(place, part, folder)
    own(part, -1, place.readers, FOLDER_MODE)
    part.replace(place.release(release))


def own(root: Path, uid: int, gid: int, folder_mode: int) -> None:
    """Give a tree that nobody else can reach yet to its owner and readers."""
    os.chown(root, uid, gid)
    root.chmod(folder_mode)
    for at, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(at, name)
            if path.is_symlink():
                # Apache tells by its owner whether to follow it.
                continue
            os.chown(path, uid, gid)
            if path.is_dir():
                path.chmod(folder_mode)


def share(place: Place, release: Path, folder: str) -> None:
    """Put a link to the shared folder in the place of a release's own, whose files are taken over the first time, but for a mount."""
    shared, here = place.home / "shared" / folder, release / folder
    # A mount is not even looked at: its server may be away.
    is_ours = folder not in place.mounted_folders
    if is_ours and (not shared.is_dir() or not any(shared.iterdir())):
        # Made where the site cannot reach it, and put over the empty folder as a whole.
        first = place.home / ".first"
        shutil.rmtree(first, ignore_errors=True)
        first.mkdir(mode=0o700)
        if here.is_dir() and not here.is_symlink():
            shutil.copytree(here, first, symlinks=True, dirs_exist_ok=True)
        own(first, place.uid, place.readers, SHARED_MODE)
        shared.parent.mkdir(parents=True, exist_ok=True)
        first.rename(shared)
    if here.is_dir() and not here.is_symlink():
        shutil.rmtree(here)
    else:
        here.unlink(missing_ok=True)
    here.parent.mkdir(parents=True, exist_ok=True)
    here.symlink_to(os.path.relpath(f"/shared/{folder}", os.path.dirname(f"/releases/one/{folder}")))
    os.lchown(here, place.uid, place.readers)


def switch(place: Place, release: str) -> None:
    """Serve a release, in one step."""
    part = place.home / ".current"
    part.unlink(missing_ok=True)
    part.symlink_to(f"releases/{release}")
    part.replace(place.current)
    # Of those that are kept, the last ones that were live.
    os.utime(place.release(release))


def releases(place: Place) -> list[str]:
    """Every whole release on this host, the last one that was live first."""
    found = [path for path in place.releases.iterdir() if path.is_dir()] if place.releases.is_dir() else []
    whole = [path for path in found if not path.name.startswith(".")]
    return [path.name for path in sorted(whole, key=lambda path: path.stat().st_mtime, reverse=True)]


def old_releases(place: Place, keep: int, wanted: str) -> list[str]:
    """Releases that are kept no longer: never the live and the wanted one, and of the others those that were live last."""
    before = [one["release"] for one in read_record(place).before]
    others = [name for name in releases(place) if name not in (live(place), wanted)]
    kept = [*(name for name in before if name in others), *(name for name in others if name not in before)]
    return kept[max(keep, 1) :]


def leftovers(place: Place) -> list[str]:
    """What an interrupted run has left unfinished."""
    return [path.name for path in place.releases.glob(".*") if path.is_dir()]


def remove(place: Place, names: Sequence[str]) -> None:
    for name in names:
        shutil.rmtree(place.release(name))
