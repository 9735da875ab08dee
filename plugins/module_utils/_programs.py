# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a module's run_command cannot run. Private to the collection: may change at any time.

It keeps all that they say in memory, feeds them no stream, lets them not go on beside the module, and adds to its own
environment instead of giving another one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any


def run(command: Sequence[str], **how: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; return its code and what it said. `how`: as subprocess has it."""
    usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    options = {**usual, "text": True, "errors": "replace", **how}
    # Sanity asks for run_command, which can do none of what stands above.
    return subprocess.run(list(command), check=False, **options)  # pylint: disable=ansible-bad-function


def start(command: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
    """Start a program that is read from or written to while it runs. `how`: as subprocess has it."""
    options = {"stdin": subprocess.DEVNULL, **how}
    # As above: run_command lets nothing go on beside the module.
    return subprocess.Popen(list(command), **options)  # pylint: disable=ansible-bad-function
