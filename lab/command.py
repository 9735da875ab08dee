# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run commands of the machine; what fails becomes a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

Runner = Callable[..., "subprocess.CompletedProcess[str]"]


class LabError(Exception):
    """A sentence for the operator."""


def run(argv: Sequence[str], check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command; a failure becomes one sentence that names it."""
    result = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        lines = [line for line in (result.stderr or result.stdout).strip().splitlines() if line.strip()]
        raise LabError(f"'{' '.join(argv[:6])} ...' failed: {lines[-1] if lines else 'no message'}")
    return result
