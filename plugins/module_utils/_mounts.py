# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether folders that other servers hold are there. Private to the collection: may change at any time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._programs import run

MOUNTINFO = "/proc/self/mountinfo"
# Stands where something is mounted as soon as somebody asks for it.
WAITING = "autofs"
# A server that is away holds whoever asks, so the question is ended.
SECONDS = 5.0

Types = Mapping[str, list[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class MountedFolder:
    """A folder of a site that is mounted, and who writes to it."""

    site: str
    folder: str
    path: str
    user: str
    unit: str


@dataclass(frozen=True)
class Account:
    """A user whose files are told from others' by its number; so is its group."""

    name: str
    number: int
    site: str


def mounted(path: str = MOUNTINFO) -> dict[str, list[str]]:
    """The types of what is mounted, by place and in their order; no server is asked for that."""
    found: dict[str, list[str]] = {}
    for line in Path(path).read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        place, _separator, what = line.partition(" - ")
        found.setdefault(place.split(" ")[4], []).append(what.split(" ")[0])
    return found


def ask(folder: MountedFolder) -> list[str]:
    """The command that tells whether the site may write to its folder; the dot is what makes the kernel mount it."""
    user = folder.user
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "test", "-w", f"{folder.path}/."]


def problem_of(folder: MountedFolder, ask_with: Run = run, mounts: Callable[[], Types] = mounted) -> str:
    """What is wrong with a folder; empty when nothing is."""
    try:
        asked = ask_with(ask(folder), timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"its folder {folder.folder} does not answer within {SECONDS:g} s (see 'systemctl status {folder.unit}.mount')"
    if not set(mounts().get(folder.path, ())) - {WAITING}:
        return f"its folder {folder.folder} is not mounted (see 'systemctl status {folder.unit}.mount')"
    if asked.returncode:
        return " ".join(
            f"its folder {folder.folder} is mounted, and {folder.user} may not write to it {asked.stderr}".split()
        )
    return ""


def hidden_findings(folders: Iterable[tuple[str, str]], mounts: Callable[[], Types] = mounted) -> list[str]:
    """Say where a mount would hide files, given as path and site."""
    known = mounts()
    return [
        f"Site {site}: {path} on this host holds files that the mount would hide; expected none: move them to what is mounted"
        " there, or away."
        for path, site in folders
        if path not in known and os.path.isdir(path) and os.listdir(path)
    ]


def account_findings(accounts: Iterable[Account], number_of: Callable[[str], int | None]) -> list[str]:
    """Say which users have another number than on the other hosts."""
    found = []
    for account in accounts:
        number = number_of(account.name)
        if number not in (None, account.number):
            found.append(
                f"Site {account.site}: {account.name} has the number {number} on this host, but the files on its mounts carry"
                f" {account.number}, the same for all web servers; expected that: docs/sites.md tells how to change it."
            )
    return found
