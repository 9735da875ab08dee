# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option files of MySQL and MariaDB in the order in which the server reads them. Private: may change at any time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Groups that the server reads, also with a version behind them such as [mariadb-11.8].
GROUP = re.compile(r"\[\s*(?P<name>[^\]]*?)\s*\]")
SERVER_GROUP = re.compile(r"(mysqld|server|mariadb|mariadbd)(-[0-9.]+)?")
INCLUDE = re.compile(r"!include(?P<folder>dir)?\s+(?P<path>.+)")
OFF = ("skip_", "disable_")


@dataclass(frozen=True)
class Line:
    """One option of the server, where it stands."""

    file: str
    number: int
    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.file} line {self.number} sets {self.name}" + (f" = {self.value}" if self.value else "")


def read_text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace") if os.path.isfile(path) else ""


def list_folder(path: str) -> list[str]:
    return os.listdir(path) if os.path.isdir(path) else []


def option_of(text: str) -> tuple[str, str]:
    """Split an option into its name, as the server's variable is called, and its value."""
    name, equals, value = text.partition("=")
    name = re.sub("-", "_", name.strip()).lower().removeprefix("loose_")
    # Quotes end before a comment does.
    quoted = re.match(r"""\s*(["'])(.*?)\1""", value)
    return name, quoted[2] if quoted else value.partition(" #")[0].strip() if equals else ""


def option_lines(
    path: str,
    ours: str,
    read: Callable[[str], str] = read_text,
    entries: Callable[[str], list[str]] = list_folder,
    depth: int = 10,
) -> Iterator[Line]:
    """Yield the server's options in the order in which it reads them; ours is read at its place even before it is there."""
    group = ""
    if path == ours:
        yield Line(ours, 0, "", "")
        return
    for number, raw in enumerate(read(path).splitlines(), 1):
        text = raw.strip()
        include, header = INCLUDE.fullmatch(text), GROUP.match(text)
        if include and depth:
            target = include["path"].strip()
            files = [target]
            if include["folder"]:
                names = {name for name in entries(target) if name.endswith(".cnf")}
                names |= {os.path.basename(ours)} if os.path.dirname(ours) == target.rstrip("/") else set()
                files = [os.path.join(target, name) for name in sorted(names)]
            for file in files:
                yield from option_lines(file, ours, read, entries, depth - 1)
        elif header:
            group = header["name"].lower()
        elif text and text[0] not in "#;!" and SERVER_GROUP.fullmatch(group):
            yield Line(path, number, *option_of(text))


def overruling(lines: Iterable[Line], ours: str, decided: Iterable[str]) -> list[Line]:
    """Return the options that our file decides and that a file after it sets again."""
    names = set(decided)
    after = False
    found = []
    for line in lines:
        after = after or line.file == ours
        plain = next((line.name.removeprefix(prefix) for prefix in OFF if line.name.startswith(prefix)), line.name)
        if after and {line.name, plain} & names:
            found.append(line)
    return found


def overruling_findings(main: str, ours: str, decided: Iterable[str], option: str) -> list[str]:
    """Say, a sentence each, which option files would win over ours."""
    return [
        f"{line}, and is read after {ours}, so it would win over what the cluster needs: remove the line, and put what you"
        f" need otherwise into {option}."
        for line in overruling(option_lines(main, ours), ours, decided)
    ]
