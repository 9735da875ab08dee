# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman calls, in a cgroup2 view where the machine has none."""

from __future__ import annotations

import json
import pathlib
import resource
import shutil
from typing import Any

from .cluster import NAME
from .command import Runner, run
from .machine import RUN_DIR


def has_pure_cgroup2(mounts: str) -> bool:
    """True when /sys/fs/cgroup itself is a cgroup2 mount."""
    rows = [line.split() for line in mounts.splitlines()]
    last = [row[2] for row in rows if len(row) > 2 and row[1] == "/sys/fs/cgroup"]
    return bool(last) and last[-1] == "cgroup2"


def host_ulimits() -> list[str]:
    """podman's defaults are more than a host without CAP_SYS_RESOURCE may give; these always are less."""
    limits = {"nofile": (resource.RLIMIT_NOFILE, 65536), "nproc": (resource.RLIMIT_NPROC, 32768)}
    values = {}
    for name, (kind, enough) in limits.items():
        hard = resource.getrlimit(kind)[1]
        values[name] = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
    return [f"{name}={value}:{value}" for name, value in values.items()]


def is_mounted(path: pathlib.Path) -> bool:
    """os.path.ismount does not see a bind mount within one file system; the kernel's list does."""
    rows = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return any(row.split()[1] == str(path) for row in rows)


class Podman:
    """podman calls that all share one mount namespace and one configuration."""

    def __init__(self, runner: Runner = run) -> None:
        self.runner = runner
        self.namespace = RUN_DIR / "mnt"
        self.config = RUN_DIR / "containers.conf"
        self.entered = not has_pure_cgroup2(pathlib.Path("/proc/mounts").read_text())

    def prepare(self) -> None:
        """Make the configuration and, on a cgroup v1 or hybrid host, the shared mount namespace."""
        RUN_DIR.mkdir(mode=0o700, exist_ok=True)
        # The hosts share a range of user ids, and the kernel bounds the keyrings of one id: they get none.
        self.config.write_text(
            f"[containers]\npids_limit = 0\nkeyring = false\ndefault_ulimits = {json.dumps(host_ulimits())}\n"
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            'runtime = "crun"\n[network]\nnetwork_backend = "netavark"\n'
        )
        if not self.entered or self.ready():
            return
        if not is_mounted(RUN_DIR):
            # A namespace file can be kept on a private mount only.
            self.runner(["mount", "--bind", str(RUN_DIR), str(RUN_DIR)])
            self.runner(["mount", "--make-private", str(RUN_DIR)])
        self.namespace.touch()
        script = "umount -R -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup"
        self.runner(["unshare", f"--mount={self.namespace}", "--propagation", "private", "sh", "-ec", script])

    def ready(self) -> bool:
        if not self.entered:
            return True
        if not is_mounted(self.namespace):
            return False
        return self.runner(["nsenter", f"--mount={self.namespace}", "true"], check=False).returncode == 0

    def release(self) -> None:
        """Give back the namespace; the last cluster is gone."""
        for place in (self.namespace, RUN_DIR):
            while is_mounted(place):
                self.runner(["umount", "-l", str(place)])
        shutil.rmtree(RUN_DIR, ignore_errors=True)

    def argv(self, *args: str) -> list[str]:
        enter = ["nsenter", f"--mount={self.namespace}"] if self.entered else []
        return [*enter, "env", f"CONTAINERS_CONF={self.config}", "podman", *args]

    def __call__(self, *args: str, check: bool = True) -> str:
        return self.runner(self.argv(*args), check=check).stdout

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "--format", "json") or "null") or []

    def networks(self, label: str = NAME) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.json("network", "ls", "--filter", f"label={label}")
        return rows

    def containers(self, label: str = NAME) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.json("ps", "--all", "--filter", f"label={label}")
        return rows
