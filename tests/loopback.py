# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test with a real program of this machine needs: a port, and to wait as long as a busy machine takes."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# What a test waits at most; it ends at once when what it waits for is there.
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def let_in(folder: Path) -> None:
    """Let other users of this machine into a test's folder and all that it holds; where tests keep theirs stays as it is."""
    outside = Path(tempfile.gettempdir())
    above = [path for path in folder.parents if path.is_relative_to(outside) and path != outside]
    for path in [*above, folder, *folder.rglob("*")]:
        path.chmod(0o755)


def wait_for(what: Callable[[], bool], told: Callable[[], object] = str) -> None:
    """Wait until it holds; what is told says how things stand where it never does."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, f"It did not come: {told()}"
        time.sleep(0.02)
