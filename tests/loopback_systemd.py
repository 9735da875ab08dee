# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots this machine's systemd beside the one that runs it, so that units are really started.

It has namespaces of its own (but no users of its own, since the kernel lets these mount too little), this machine's files with
whatever it changes kept in memory, a few devices, and no network. The kernel's settings are read-only for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.loopback import wait_for

MOUNTINFO = Path("/proc/self/mountinfo")
TARGET = """\
[Unit]
Requires=basic.target
After=basic.target
Wants=webcluster-try.service
"""
SERVICE = """\
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash /given/try.sh
StandardOutput=file:/given/said
StandardError=file:/given/errors
ExecStopPost=/bin/systemctl exit 0
"""
BOOT = """\
set -eu
mount -t tmpfs tmpfs "$1"; mkdir "$1/up" "$1/work" "$1/root"; r=$1/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$r"
mount -t proc proc "$r/proc"; mount --bind /proc/sys "$r/proc/sys"; mount -o remount,bind,ro "$r/proc/sys"
mount -t tmpfs -o mode=755 tmpfs "$r/dev"; mkdir "$r/dev/pts" "$r/dev/shm"
for d in null zero full random urandom tty autofs fuse; do touch "$r/dev/$d"; mount --bind "/dev/$d" "$r/dev/$d"; done
mount -t sysfs -o ro sysfs "$r/sys"; mount -t cgroup2 cgroup2 "$r/sys/fs/cgroup"
mount -t tmpfs tmpfs "$r/run"; mount -t tmpfs -o mode=1777 tmpfs "$r/tmp"
mkdir "$r/given"; mount --bind "$2" "$r/given"
rm -rf "$r/etc/systemd/system"; cp -r "$2/units" "$r/etc/systemd/system"; : >"$r/etc/machine-id"
mkdir "$r/former"; cd "$r"; mount --make-rprivate /; pivot_root . former; umount --lazy /former; mount --make-rshared /
exec env --ignore-environment container=webcluster PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --system --unit=webcluster-try.target --log-target=console --show-status=no
"""


def need_systemd() -> None:
    """Skip the test where that is not possible: what the kernel and the user lack nobody can install."""
    if not (os.geteuid() == 0 and os.access("/lib/systemd/systemd", os.X_OK) and os.path.exists("/dev/autofs")):
        pytest.skip("needs root, systemd and the kernel's autofs")


def cgroups() -> Path:
    """Where the machine has its second version of control groups."""
    lines = MOUNTINFO.read_text(encoding="utf-8").splitlines()
    return Path(next(line.split(" ")[4] for line in lines if " - cgroup2 " in line))


def give_back(group: Path) -> None:
    """End what is left in a control group, and remove it."""
    (group / "cgroup.kill").write_text("1", encoding="utf-8")
    wait_for(lambda: "populated 0" in (group / "cgroup.events").read_text(encoding="utf-8"))
    for path in sorted(group.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
    group.rmdir()


def boot(folder: Path, units: Mapping[str, str], script: str, given: Mapping[str, str]) -> tuple[str, str]:
    """Let a script run under systemd, with units, and further files below /given; return what it said, and its errors."""
    for name, text in {**given, "try.sh": script}.items():
        path = folder / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, text in {**units, "webcluster-try.target": TARGET, "webcluster-try.service": SERVICE}.items():
        path = folder / "given" / "units" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "memory").mkdir()
    group = cgroups() / f"webcluster-try-{os.getpid()}"
    group.mkdir()
    apart = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]
    inner = ["bash", "-c", BOOT, "boot", str(folder / "memory"), str(folder / "given")]
    enter = ["bash", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(group), *apart, *inner]
    try:
        done = subprocess.run(enter, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=900)
    finally:
        give_back(group)
    said = folder / "given" / "said"
    assert said.exists(), done.stdout + done.stderr
    found = said.read_text(encoding="utf-8"), (folder / "given" / "errors").read_text(encoding="utf-8")
    shutil.rmtree(folder / "given")
    return found
