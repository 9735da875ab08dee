# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""A disk of its own for a service's data: what is on it, what may be done with it, and the unit that mounts it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MADE = "ext4"
KNOWN = (MADE, "xfs")
NOTHING, MOUNT, FORMAT = "nothing", "mount", "format"
# What a file system has before anybody has written to it.
OF_THE_SYSTEM = ("lost+found",)
# Of blkid: nothing was found, and more than one thing was.
BLANK, AMBIGUOUS = 2, 8
Run = Callable[[Sequence[str]], "tuple[int, str]"]


class DiskError(Exception):
    """One sentence on why the disk is left alone."""


@dataclass(frozen=True)
class Disk:
    """A disk as it is; `filesystem` is empty on a blank one."""

    device: str
    filesystem: str = ""
    uuid: str = ""
    # What else lies on it.
    foreign: str = ""
    mounted_at: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Place:
    """A directory as it is: what is mounted there, and whether it holds anything."""

    path: str
    source: str = ""
    filled: bool = False


def mounts(text: str) -> list[tuple[str, str]]:
    """Source and directory of each mount, as /proc/self/mounts tells them."""
    found = [line.split(" ")[:2] for line in text.splitlines() if line.startswith("/dev/")]
    return [(_unescaped(source), _unescaped(target)) for source, target in found]


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def find_device(names: Sequence[str]) -> str:
    """The device behind the first name that is there."""
    for name in names:
        if os.path.exists(name):
            return os.path.realpath(name)
    raise DiskError(
        f"None of {', '.join(names)} is there; expected the disk of the data: attach it, or take its name out of the inventory."
    )


def read_disk(device: str, mounted: Sequence[tuple[str, str]], run: Run) -> Disk:
    """Look at the disk itself, past what udev remembers of it."""
    code, said = run(["blkid", "--probe", "--output", "export", device])
    if code not in (0, BLANK, AMBIGUOUS):
        raise DiskError(
            f"blkid cannot read {device} ({said.strip() or code}); expected a disk: check that it is attached."
        )
    words = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    foreign = "several things" if code == AMBIGUOUS else words.get("PTTYPE", "") and "partitions"
    if words.get("TYPE") and words.get("USAGE", "filesystem") != "filesystem":
        foreign = words["TYPE"]
    at = tuple(target for source, target in mounted if os.path.realpath(source) == device)
    return Disk(device, "" if foreign else words.get("TYPE", ""), words.get("UUID", ""), foreign, at)


def read_place(path: str, mounted: Sequence[tuple[str, str]]) -> Place:
    sources = [source for source, target in mounted if target == path]
    folder = Path(path)
    filled = folder.is_dir() and any(one.name not in OF_THE_SYSTEM for one in folder.iterdir())
    # What was mounted last is what one sees.
    return Place(path, os.path.realpath(sources[-1]) if sources else "", filled)


def decide(disk: Disk, place: Place, may_format: bool) -> str:
    """What there is to do; raises one sentence where data could be lost or hidden."""
    if place.source == disk.device:
        return NOTHING
    if place.source:
        raise DiskError(
            f"{place.path} is mounted from {place.source}; expected {disk.device} or nothing: unmount it, or take the disk out of"
            " the inventory."
        )
    if disk.mounted_at:
        raise DiskError(
            f"{disk.device} is mounted at {', '.join(disk.mounted_at)}; expected it at {place.path} or nowhere: unmount it, or take"
            " the disk out of the inventory."
        )
    if disk.foreign or (disk.filesystem and disk.filesystem not in KNOWN):
        raise DiskError(
            f"{disk.device} has {disk.foreign or disk.filesystem} on it; expected a blank disk, or one with {' or '.join(KNOWN)}"
            " alone: nothing on it was touched; name another disk, or wipe this one yourself (wipefs)."
        )
    if not disk.filesystem and not may_format:
        return NOTHING
    if place.filled:
        raise DiskError(
            f"{place.path} holds data already, which {disk.device} would hide; expected an empty directory: move them to the disk"
            " yourself, with the service stopped, or take the disk out of the inventory."
        )
    return MOUNT if disk.filesystem else FORMAT


def unit_text(disk: Disk, path: str, services: Sequence[str]) -> str:
    """The disk is known by what is written on it, whatever the kernel calls it; its services never start without it."""
    before = f"Before={' '.join(services)}\n" if services else ""
    needed = f"RequiredBy={' '.join(services)}\n" if services else ""
    return (
        f"# Made by siteops.webcluster.data_disk.\n[Unit]\nDescription=Data disk at {path}\n{before}\n"
        f"[Mount]\nWhat=/dev/disk/by-uuid/{disk.uuid}\nWhere={path}\nType={disk.filesystem}\nOptions=noatime\n\n"
        f"[Install]\nWantedBy=multi-user.target\n{needed}"
    )


@dataclass(frozen=True)
class Wanted:
    """What the operator asks for."""

    names: Sequence[str]
    path: str
    services: Sequence[str]
    may_format: bool


class DataDisk:
    """Carries it out; programs, mounts and units are given, so that a test needs no disk."""

    def __init__(self, run: Run, units: Path, mount_table: Callable[[], str]) -> None:
        self._run = run
        self._units = units
        self._mount_table = mount_table

    def _must(self, command: Sequence[str]) -> str:
        code, said = self._run(command)
        if code != 0:
            raise DiskError(f"{' '.join(command)} failed: {said.strip() or code}.")
        return said

    def ensure(self, wanted: Wanted, check_only: bool) -> Mapping[str, object]:
        """Look, decide, and bring it about."""
        mounted = mounts(self._mount_table())
        disk = read_disk(find_device(wanted.names), mounted, self._run)
        action = decide(disk, read_place(wanted.path, mounted), wanted.may_format)
        told = {"device": disk.device, "action": action, "filesystem": disk.filesystem}
        unit = self._units / self._must(["systemd-escape", "--path", "--suffix=mount", wanted.path]).strip()
        if action == NOTHING:
            # What somebody else has mounted there is left to him.
            own = bool(disk.mounted_at) and unit.exists() and bool(disk.uuid)
            changed = own and self._write(unit, disk, wanted, check_only)
            return {**told, "changed": changed}
        if check_only:
            return {**told, "changed": True}
        if action == FORMAT:
            self._must([f"mkfs.{MADE}", "-q", disk.device])
            disk = read_disk(disk.device, mounted, self._run)
        self._write(unit, disk, wanted, check_only)
        self._must(["systemctl", "enable", "--now", unit.name])
        if action == FORMAT:
            # Packages want an empty directory; a repair would make it again.
            for name in OF_THE_SYSTEM:
                if (Path(wanted.path) / name).is_dir():
                    (Path(wanted.path) / name).rmdir()
        return {**told, "changed": True, "filesystem": disk.filesystem}

    def _write(self, unit: Path, disk: Disk, wanted: Wanted, check_only: bool) -> bool:
        text = unit_text(disk, wanted.path, wanted.services)
        if unit.exists() and unit.read_text(encoding="utf-8") == text:
            return False
        if not check_only:
            unit.write_text(text, encoding="utf-8")
            unit.chmod(0o644)
            self._must(["systemctl", "daemon-reload"])
        return True
