# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a complete copy in the place of a server's data: small steps that a marker names, so that whoever comes next goes on."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.channel import SeedError

# Of root alone, and there after the machine was switched off.
FOLDER = Path("/var/lib/webcluster-seed")
# Below the data directory, so that moving is renaming, whatever is mounted there.
NEW, FORMER = ".webcluster-seed", ".webcluster-seed-former"


@dataclass(frozen=True)
class Marker:
    """What was begun. phase: receiving (the data are untouched), aside, placing (files are on the move) or starting."""

    phase: str
    datadir: str
    service: str
    position: str = ""
    read_only_file: str = ""
    read_only_text: str = ""


def marker_file(folder: Path) -> Path:
    return folder / "marker.json"


def read_marker(folder: Path) -> Marker | None:
    path = marker_file(folder)
    return Marker(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def write_marker(folder: Path, marker: Marker) -> Marker:
    """Remember on the disk itself, before what it stands for is done."""
    temporary = marker_file(folder).with_suffix(".new")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(asdict(marker), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, marker_file(folder))
    return marker


def own_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


class Lock:
    """Held by the one process that receives a copy; its file names that process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self.descriptor = -1

    def take(self) -> bool:
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            return False
        os.ftruncate(self.descriptor, 0)
        os.write(self.descriptor, str(os.getpid()).encode())
        return True

    def take_soon(self, patience: float = 5.0) -> bool:
        """Take it from somebody who only looks whether it is held."""
        deadline = time.monotonic() + patience
        while not self.take():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def release(self) -> None:
        os.close(self.descriptor)

    def holder(self) -> int:
        text = self.path.read_text(encoding="ascii") if self.path.is_file() else ""
        return int(text) if text.isdigit() else 0


def end_former(folder: Path, patience: float = 120.0) -> None:
    """End a copy that a run left behind when it was killed; one that moves files already is waited for."""
    lock, deadline = Lock(folder), time.monotonic() + patience
    while not lock.take():
        marker, holder = read_marker(folder), lock.holder()
        if holder and (marker is None or marker.phase == "receiving"):
            os.kill(holder, signal.SIGTERM)
        if time.monotonic() > deadline:
            raise SeedError(f"the process {holder} still makes a copy here; end it, and run again")
        time.sleep(0.5)
    lock.release()


def clear(datadir: Path, folder: Path) -> None:
    """Forget a copy that did not become complete."""
    shutil.rmtree(datadir / NEW, ignore_errors=True)
    for name in ("marker.json", "key.pem", "certificate.pem"):
        (folder / name).unlink(missing_ok=True)


def stays(path: Path) -> bool:
    """Whether a file belongs to the installed release or the mount point, and not to the data."""
    flag = path.name.startswith("debian-") and path.suffix == ".flag"
    # Which release the system schema is of, as the copy's is of the same.
    return flag or path.name in (NEW, FORMER, "lost+found", "mysql_upgrade_info", "mariadb_upgrade_info")


def move_aside(datadir: Path) -> None:
    (datadir / FORMER).mkdir(mode=0o700, exist_ok=True)
    for path in sorted(datadir.iterdir()):
        if not stays(path):
            os.rename(path, datadir / FORMER / path.name)


def move_in(datadir: Path) -> None:
    """Give the copy the directory's owner, and rename it into place."""
    owner = datadir.stat()
    new = datadir / NEW
    if not new.is_dir():
        return
    for parent, folders, files in os.walk(new):
        for name in (*folders, *files):
            os.chown(os.path.join(parent, name), owner.st_uid, owner.st_gid, follow_symlinks=False)
    for path in sorted(new.iterdir()):
        os.rename(path, datadir / path.name)
    new.rmdir()


@dataclass(frozen=True)
class Service:
    """How the server is stopped, started, and told from where to go on."""

    stop: Callable[[str], None]
    start: Callable[[str], None]
    go_on_from: Callable[[str], None]


def finish(folder: Path, marker: Marker, service: Service) -> None:
    """Go on from whatever the marker names; the copy is complete, and the data that it replaces were given up."""
    datadir = Path(marker.datadir)
    if marker.phase == "aside":
        service.stop(marker.service)
        move_aside(datadir)
        marker = write_marker(folder, replace(marker, phase="placing"))
    if marker.phase == "placing":
        service.stop(marker.service)
        move_in(datadir)
        marker = write_marker(folder, replace(marker, phase="starting"))
    # It follows nobody yet, and must not be taken for a primary.
    if marker.read_only_file:
        path = Path(marker.read_only_file)
        path.write_text(marker.read_only_text, encoding="utf-8")
        path.chmod(0o644)
    service.start(marker.service)
    service.go_on_from(marker.position)
    shutil.rmtree(datadir / FORMER, ignore_errors=True)
    clear(datadir, folder)
