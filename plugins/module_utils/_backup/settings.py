# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the file of a tier says: where its copies go, how its server is asked, and what is promised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

# Where the role writes the file of each tier.
FOLDER = Path("/etc/webcluster-backup")
STATE = "/var/lib/webcluster-backup"
TITLES = {"mysql": "MySQL", "redis": "Redis"}


class BackupError(Exception):
    """What went wrong, as a sentence without its full stop."""


@dataclass(frozen=True)
class Server:
    """How the server on this host is asked; a database without a user over its socket."""

    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    socket: str = ""


@dataclass(frozen=True)
class Settings:
    """host: the name of this host in the inventory. keep: how many copies of each kind stay; nothing where others see to that.

    fresh_minutes: a copy younger than that is as good as another one. wait_minutes: for how long a primary waits for a copy of
    its replicas. max_age_hours: how old the newest copy may be.
    """

    tier: str
    host: str
    repository: str = field(repr=False)
    password: str = field(repr=False)
    server: Server = field(default_factory=Server)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificate: str = ""
    keep: Mapping[str, int] = field(default_factory=dict)
    fresh_minutes: float = 1200
    wait_minutes: float = 120
    max_age_hours: float = 26
    max_drill_days: float = 8
    jobs: tuple[str, ...] = ("copy",)
    state: str = STATE

    @property
    def title(self) -> str:
        return TITLES[self.tier]


def parse(raw: Mapping[str, Any]) -> Settings:
    """Return the settings of a file; raises BackupError where it is not one of ours."""
    try:
        values = dict(raw)
        server = Server(**values.pop("server", {}))
        unknown = set(values) - {one.name for one in fields(Settings)}
        if unknown or values.get("tier") not in TITLES:
            raise BackupError(f"the settings are none of ours: {', '.join(sorted(unknown)) or values.get('tier')}")
        return Settings(**{**values, "server": server, "jobs": tuple(values.pop("jobs", ("copy",)))})
    except TypeError as error:
        raise BackupError(f"the settings are none of ours: {error}") from error


def read(path: str | Path) -> Settings:
    try:
        return parse(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BackupError(f"the settings in {path} cannot be read: {error}") from error
