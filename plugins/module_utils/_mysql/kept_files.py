# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's host keeps on disk about who is primary: open or closed after a start, a move that has begun, a promotion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READ_ONLY_FILE = "/etc/mysql/conf.d/webcluster-read-only.cnf"
STATE_FOLDER = "/var/lib/webcluster-mysql"
MOVE, PROMOTION = "move.json", "promotion.json"


def read_text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def replace_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file in one step."""
    # In the same folder; the servers read *.cnf only.
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(mode)
    temporary.replace(path)


def read_only_text(mariadb: bool, read_only: bool) -> str:
    """Return the option file that keeps a server's openness over a restart."""
    word = "ON" if read_only else "OFF"
    lines = ["# Written by siteops.webcluster.mysql_source: is the server open for writes after a start?", "[mysqld]"]
    lines.append(f"read_only = {word}")
    if not mariadb:
        lines.append(f"super_read_only = {word}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class KeptFiles:
    """The files of one host."""

    read_only_file: Path = Path(READ_ONLY_FILE)
    folder: Path = Path(STATE_FOLDER)

    def keep_closed(self, mariadb: bool, closed: bool) -> bool:
        """Let the server be closed or open after its next start; return whether that is new."""
        text = read_only_text(mariadb, closed)
        if read_text(self.read_only_file) == text:
            return False
        replace_text(self.read_only_file, text)
        return True

    def read(self, name: str) -> dict[str, Any]:
        """Return what was kept under a name; nothing where there is none."""
        text = read_text(self.folder / name)
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def write(self, name: str, value: dict[str, Any]) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        replace_text(self.folder / name, json.dumps(value, indent=2, sort_keys=True) + "\n", 0o600)

    def forget(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)


def handing_over(files: KeptFiles) -> str | None:
    """Return the host for which this server has closed itself, while that move has not ended."""
    to = files.read(MOVE).get("to")
    return str(to) if to else None


def unfinished_move(files: KeptFiles) -> str | None:
    """Say that this server has closed itself for another one, or None."""
    to = handing_over(files)
    if not to:
        return None
    return (
        f"this server closed itself for writes to hand over to {to}, and that has not ended; end it first, by"
        f" switchover.yml with the same -e to=, or take it back with -e to= this server; nothing was changed"
    )
