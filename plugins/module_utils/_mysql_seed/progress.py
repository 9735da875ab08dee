# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a copy is: bytes, rate and time left, in a file that the next look reads."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

# Fewer tell nothing about the rate.
FIRST_BYTES = 1_000_000


@dataclass(frozen=True)
class Progress:
    """One look. step: receiving, preparing, moving, done or failed; said: the sentence of one that failed."""

    step: str
    received: int = 0
    expected: int = 0
    seconds: float = 0.0
    said: str = ""

    @property
    def rate(self) -> float:
        return self.received / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until all is received; None where nobody can tell, as in the first moments."""
        begun = self.received >= FIRST_BYTES and self.rate > 0
        return max(self.expected - self.received, 0) / self.rate if begun and self.expected else None


def megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def in_words(progress: Progress) -> str:
    """What a person reads while it runs."""
    if progress.step != "receiving":
        return f"{progress.step}, {megabytes(progress.received)} after {progress.seconds:.0f} s"
    left = progress.left
    rest = "" if left is None else f", {left:.0f} s left"
    return (
        f"receiving, {megabytes(progress.received)} of about {megabytes(progress.expected)},"
        f" {progress.rate / 1e6:.1f} MB/s{rest}"
    )


def read_progress(path: Path) -> Progress | None:
    try:
        return Progress(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class Reporter:
    """Writes the file, while bytes arrive at most once a second."""

    def __init__(self, path: Path, expected: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.path, self.expected, self.clock = path, expected, clock
        self.start = self.last = clock()
        self.received = 0

    def add(self, size: int) -> None:
        self.received += size
        if self.clock() - self.last >= 1:
            self.write("receiving")

    def write(self, step: str, said: str = "") -> None:
        self.last = self.clock()
        seconds = round(self.last - self.start, 1)
        found = Progress(step, self.received, self.expected, seconds, said)
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(found)), encoding="utf-8")
        os.replace(temporary, self.path)
