# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine must have for a lab, and what is changed on it while there is one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator

from .command import LabError, Runner, run

NEED_DISK_MB = 3000
RUN_DIR = pathlib.Path("/run/wclab")
LOCK_DIR = pathlib.Path("/run/lock")
SETTINGS = pathlib.Path("/proc/sys")
INSTALL = pathlib.Path(__file__).resolve().parents[1] / "tools/apt.sh"
# Forwarding is podman's wish; the usual 128 inotify instances are enough for a dozen hosts only, those after them boot degraded.
KERNEL = {"net/ipv4/ip_forward": 1, "fs/inotify/max_user_instances": 4096}
NEEDED_COMMANDS = {
    "podman": "podman",
    "crun": "crun",
    "conmon": "conmon",
    "mmdebstrap": "mmdebstrap",
    "iptables": "iptables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
}
# Debian has the keyring as a matter of course; Ubuntu does not, and cannot check Debian's packages without it.
NEEDED_FILES = {
    "/usr/lib/podman/netavark": "netavark",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}


def cache_root() -> pathlib.Path:
    """Where logs of image builds lie; the images themselves are in podman's storage, for all labs of the machine."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "webcluster-lab"


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One lab command of the machine at a time: two would race for networks and routes, build an image twice, or one
    would give back what the other has just prepared."""
    LOCK_DIR.mkdir(parents=True, exist_ok=True)
    with (LOCK_DIR / "webcluster-lab").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def extend_path() -> None:
    """Commands of the machine's administrator; sudo and cron may leave them out."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"


def missing_packages(which: Callable[[str], str | None], exists: Callable[[str], bool]) -> list[str]:
    """Debian packages that the lab needs and this machine lacks."""
    lacking = [package for command, package in NEEDED_COMMANDS.items() if not which(command)]
    lacking += [package for path, package in NEEDED_FILES.items() if not exists(path)]
    return sorted(set(lacking))


def ensure_machine(runner: Runner = run) -> None:
    """Packages and disk, each with its own sentence."""
    lacking = missing_packages(shutil.which, os.path.exists)
    if lacking:
        if not shutil.which("apt-get"):
            raise LabError(f"The lab needs {', '.join(lacking)} and can install them with apt only: install them.")
        print(f"lab: installing {' '.join(lacking)}", file=sys.stderr)
        runner([str(INSTALL), *lacking])
    for place in (pathlib.Path("/var/lib"), cache_root()):
        place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place).free // 1_000_000
        if free < NEED_DISK_MB:
            raise LabError(
                f"{place} has {free} MB free; the lab needs {NEED_DISK_MB} MB: free some disk and run again."
            )


def tune_kernel(settings: pathlib.Path = SETTINGS, kept: pathlib.Path = RUN_DIR) -> None:
    """Give each host's systemd its watches, and remember what was set before."""
    for name, enough in KERNEL.items():
        path, remembered = settings / name, kept / name.rpartition("/")[2]
        now = path.read_text()
        if not remembered.exists():
            remembered.write_text(now)
        if int(now) < enough:
            path.write_text(str(enough))


def restore_kernel(settings: pathlib.Path = SETTINGS, kept: pathlib.Path = RUN_DIR) -> None:
    for name in KERNEL:
        remembered = kept / name.rpartition("/")[2]
        if remembered.exists():
            (settings / name).write_text(remembered.read_text())
