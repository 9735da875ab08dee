# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last run of each job was: kept beside the program, and read by whoever wants to know."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

JOBS = ("copy", "keep", "drill")


@dataclass(frozen=True)
class Record:
    """One run. ended: seconds since 1970. message: a sentence without its full stop. figures: what was measured."""

    job: str
    result: str
    message: str
    ended: float
    seconds: float = 0.0
    copy: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


def path_of(state: str, tier: str, job: str) -> Path:
    return Path(state) / f"{tier}-{job}.json"


def write(state: str, tier: str, record: Record) -> None:
    """Replace the record in one step."""
    path = path_of(state, tier, record.job)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    os.replace(new, path)


def read(state: str, tier: str, job: str) -> Record | None:
    """Return the last run, None without one."""
    path = path_of(state, tier, job)
    if not path.is_file():
        return None
    return Record(**json.loads(path.read_text(encoding="utf-8")))
