# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server that does not run holds, read from its files; in doubt it holds data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import SYSTEM_SCHEMAS

ROOT = Path("/")
# Answers of a host on which nothing runs that could be asked; a server that is busy or refuses us is none of them.
STOPPED = ("not_installed", "no_socket", "refused")
# An empty dump has far less before its end.
HEAD_BYTES = 4096
AUXILIARY, END = 0xFA, 0xFF


def is_empty(engine: str, root: Path = ROOT) -> bool | None:
    """Return whether the data directories of this host hold nothing of a user's; None where they cannot be read."""
    try:
        return not any(_mysql_data(root) if engine == "mysql" else _redis_data(root))
    except OSError:
        return None


def _directories(root: Path, folders: tuple[str, ...], usual: tuple[str, ...], setting: str) -> list[Path]:
    """The directories that are there: the packages' own, and those that a configuration file names."""
    named = [
        found.group(1).strip("\"'")
        for folder in folders
        for path in sorted((root / folder).rglob("*.c*nf"))
        for found in re.finditer(rf"(?m)^\s*{setting}[\s=]+(\S+)", path.read_text(encoding="utf-8", errors="replace"))
    ]
    found = [root / name.lstrip("/") for name in dict.fromkeys([*usual, *named])]
    return [path for path in found if path.is_dir()]


def _mysql_data(root: Path) -> Iterator[Path]:
    """Folders of schemas."""
    for directory in _directories(root, ("etc/mysql",), ("/var/lib/mysql",), "datadir"):
        for path in directory.iterdir():
            system = path.name in SYSTEM_SCHEMAS or path.name.startswith(("#", ".")) or path.name == "lost+found"
            # As a server set up by hand has it, without a table.
            bare = (
                path.name == "test" and path.is_dir() and not [each for each in path.iterdir() if each.name != "db.opt"]
            )
            if path.is_dir() and not system and not bare:
                yield path


def _redis_data(root: Path) -> Iterator[Path]:
    """Dumps with keys, and logs of writes."""
    for directory in _directories(root, ("etc/redis", "etc/valkey"), ("/var/lib/redis", "/var/lib/valkey"), "dir"):
        for path in directory.rglob("*"):
            if path.suffix == ".rdb" and _holds_keys(path):
                yield path
            if path.suffix == ".aof" and path.stat().st_size > 0:
                yield path


def _holds_keys(path: Path) -> bool:
    """Whether more than a dump's header comes before its end."""
    with path.open("rb") as file:
        data = file.read(HEAD_BYTES)
    # REDIS0011 or VALKEY080.
    position = 9
    try:
        while data[position] == AUXILIARY:
            position = _after_text(data, _after_text(data, position + 1))
        return data[position] != END
    except (IndexError, ValueError):
        return path.stat().st_size > 0


def _after_text(data: bytes, position: int) -> int:
    """Return where a text of a dump ends; its first two bits say how its length is written."""
    first = data[position]
    kind, rest = first >> 6, first & 0x3F
    if kind == 0:
        return position + 1 + rest
    if kind == 1:
        return position + 2 + (rest << 8 | data[position + 1])
    if kind == 3 and rest in (0, 1, 2):
        # A number of one, two or four bytes.
        return position + 1 + (1, 2, 4)[rest]
    raise ValueError("a header has no such text")
