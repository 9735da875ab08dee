# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a dead primary from coming back as one: its service is ended at once and masked, until it is let in as a replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
FLAVORS = ("redis", "valkey")
FENCED = "its service is masked, as promote.yml leaves a dead primary: rejoin.yml with -e tier=redis and -e to= this host lets it in as a replica"
# (command) -> exit code, and what it said
Run = Callable[[Sequence[str]], tuple[int, str]]


class FenceError(Exception):
    """What systemd did not do; the text is the sentence for the user."""


@dataclass(frozen=True)
class Service:
    """The server that the role redis_server has set up on this host."""

    flavor: str
    root: Path = ROOT

    @property
    def unit(self) -> str:
        return f"{self.flavor}-server.service"

    @property
    def program(self) -> str:
        return f"/usr/bin/{self.flavor}-server"

    @property
    def config(self) -> Path:
        """The server's own file, with its role."""
        return self.root / f"etc/{self.flavor}/{self.flavor}.conf"

    @property
    def settings(self) -> Path:
        return self.root / f"etc/{self.flavor}/webcluster.conf"

    @property
    def data_dir(self) -> Path:
        return self.root / f"var/lib/{self.flavor}"

    @property
    def is_fenced(self) -> bool:
        mask = self.root / "etc/systemd/system" / self.unit
        return mask.is_symlink() and str(mask.readlink()) == "/dev/null"


def find_service(root: Path = ROOT) -> Service | None:
    """Return the server of this host, none where the role has set up none."""
    return next((found for flavor in FLAVORS if (found := Service(flavor, root)).settings.exists()), None)


def is_fenced(root: Path = ROOT) -> bool:
    """Whether this host has a server of ours that is kept from starting."""
    found = find_service(root)
    return found is not None and found.is_fenced


def is_active(service: Service, run: Run) -> bool:
    return run(["systemctl", "is-active", "--quiet", service.unit])[0] == 0


def do(run: Run, *command: str) -> None:
    code, said = run(command)
    if code != 0:
        raise FenceError(f"'{' '.join(command)}' failed: {said.strip() or f'exit code {code}'}")


def fence(service: Service, run: Run, check_mode: bool = False) -> bool:
    """End the server and let nothing start it; return whether there was anything to do."""
    active = is_active(service, run)
    if service.is_fenced and not active:
        return False
    if not check_mode:
        # First, as systemd starts a killed server again. A frozen one that is merely stopped wakes up and does what it was sent.
        do(run, "systemctl", "mask", service.unit)
        if active:
            do(run, "systemctl", "kill", "--signal=KILL", service.unit)
        do(run, "systemctl", "stop", service.unit)
    return True


def release(service: Service, run: Run, check_mode: bool = False) -> bool:
    """Let the server be started again; it is not started."""
    if not service.is_fenced:
        return False
    if not check_mode:
        do(run, "systemctl", "unmask", service.unit)
    return True
