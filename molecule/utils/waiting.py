# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until something holds, as long as a busy machine takes."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 90.0
PAUSE = 0.3


def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether it has come to hold; at once where it does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
    return True
