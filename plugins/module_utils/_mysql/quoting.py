# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values and names within SQL; their own file, since hints need them where no client is loaded."""

from __future__ import annotations

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"}


def quote(value: str) -> str:
    """Return value as an SQL string literal."""
    return "'" + "".join(_ESCAPES.get(char, char) for char in value) + "'"


def quote_name(name: str) -> str:
    """Return name as an SQL identifier."""
    if not name or "\0" in name:
        raise ValueError("an SQL name must not be empty or hold a NUL character")
    return "`" + name.replace("`", "``") + "`"
