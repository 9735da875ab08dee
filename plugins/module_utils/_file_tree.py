# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a directory hold given files and nothing else. Private to the collection: may change at any time."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_KINDS: dict[type, str] = {
    bool: "a boolean",
    dict: "a dictionary",
    float: "a number",
    int: "a number",
    list: "a list",
    type(None): "null",
}


class TreeError(Exception):
    """A wish that cannot be met; the text is for the operator."""


@dataclass
class Plan:
    """What differs, as paths relative to the directory."""

    remove: list[str] = field(default_factory=list)
    make: list[str] = field(default_factory=list)
    write: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.remove or self.make or self.write)


def check_names(names: Iterable[str]) -> None:
    """Refuse names that would leave the directory or clash with each other."""
    known = set(names)
    for name in sorted(known):
        parts = name.split("/")
        if not name or any(part in ("", ".", "..") for part in parts) or "\0" in name:
            raise TreeError(f"files: {name!r} is not a path inside the directory: give a relative one without '..'.")
        for parent in parents_of(name):
            if parent in known:
                raise TreeError(f"files: {parent!r} is a file and also the directory of {name!r}: rename one of them.")


def as_bytes(option: str, values: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the texts as they are written; refuse what is no text without showing it."""
    found = {}
    for name, value in values.items():
        if not isinstance(value, str):
            raise TreeError(
                f"{option}: {name!r} is {_KINDS.get(type(value), 'no text')}, expected a text: give it through a filter such as"
                " to_nice_json, or string."
            )
        try:
            found[name] = value.encode("utf-8")
        except UnicodeEncodeError:
            raise TreeError(f"{option}: {name!r} holds bytes that are no text in UTF-8: give text.") from None
    return found


def as_mode(option: str, text: str) -> int:
    if not re.fullmatch("[0-7]{3,4}", text):
        raise TreeError(f"{option}: {text!r} is no mode: give a quoted octal number such as '0640'.")
    return int(text, 8)


def for_secret(mode: int) -> int:
    """Return a mode by which others cannot read; it also tells later that the file held a secret."""
    return mode & ~stat.S_IRWXO


def readable_by_all(path: str) -> bool:
    return bool(os.lstat(path).st_mode & stat.S_IROTH)


def parents_of(name: str) -> list[str]:
    """Return the directories above a name, outermost first."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: index + 1]) for index in range(len(parts))]


def make_plan(root: str, files: Mapping[str, bytes]) -> Plan:
    """Compare the directory with the wanted files; changes nothing."""
    plan = Plan()
    wanted_dirs = {parent for name in files for parent in parents_of(name)}
    found_dirs: set[str] = set()
    found_files: set[str] = set()
    _scan(root, "", wanted_dirs, files, found_dirs, found_files, plan.remove)
    plan.make = sorted(wanted_dirs - found_dirs)
    if not os.path.isdir(root):
        plan.make.insert(0, "")
    for name in sorted(files):
        if name not in found_files or _read(os.path.join(root, name)) != files[name]:
            plan.write.append(name)
    return plan


def _scan(
    root: str,
    below: str,
    wanted_dirs: set[str],
    files: Mapping[str, bytes],
    found_dirs: set[str],
    found_files: set[str],
    remove: list[str],
) -> None:
    """Sort what lies in one directory into wanted and stale; links are never followed."""
    try:
        entries = sorted(os.listdir(os.path.join(root, below)))
    except FileNotFoundError:
        return
    for entry in entries:
        name = f"{below}/{entry}" if below else entry
        mode = os.lstat(os.path.join(root, name)).st_mode
        if stat.S_ISDIR(mode) and name in wanted_dirs:
            found_dirs.add(name)
            _scan(root, name, wanted_dirs, files, found_dirs, found_files, remove)
        elif stat.S_ISREG(mode) and name in files:
            found_files.add(name)
        else:
            remove.append(name)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
