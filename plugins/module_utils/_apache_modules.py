# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Apache module of Debian needs beside itself. Private to the collection: may change at any time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

AVAILABLE = "/etc/apache2/mods-available"


class ModulesError(Exception):
    """A sentence about modules that cannot be loaded."""


def said(text: str, word: str) -> list[str]:
    """Return the names of a line such as '# Depends: proxy alias' of a .load file."""
    return [name for names in re.findall(rf"^#\s*{word}:(.*)$", text, re.MULTILINE) for name in names.split()]


def load_text(name: str, folder: str) -> str:
    path = Path(folder, f"{name}.load")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or not path.is_file():
        near = get_close_matches(name, [other.stem for other in Path(folder).glob("*.load")], n=1)
        hint = f"did you mean {near[0]}? If not, " if near else ""
        raise ModulesError(
            f"There is no Apache module {name!r} in {folder}: {hint}install its package or correct the name."
        )
    return path.read_text(encoding="utf-8")


def files_of(wanted: Iterable[str], loaded: Iterable[str], folder: str) -> list[str]:
    """Return the files that load these modules with all that they depend on, in the order in which they are read."""
    known, files = list(loaded), list[str]()

    def add(name: str) -> None:
        if name in known:
            return
        text = load_text(name, folder)
        against = sorted({*said(text, "Conflicts")} & {*known})
        if against:
            raise ModulesError(f"The Apache module {name} cannot run beside {', '.join(against)}: leave it out.")
        known.append(name)
        for other in said(text, "Depends"):
            add(other)
        own = (Path(folder, f"{name}.{part}") for part in ("load", "conf"))
        files.extend(str(path) for path in own if path.is_file())

    for name in wanted:
        add(name)
    return files
