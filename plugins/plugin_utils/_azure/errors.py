# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What goes wrong is told in one sentence that names the thing, what was expected and what to do."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

HIDDEN = "***"
# Shorter values would blank out parts of ordinary words.
SHORTEST_SECRET = 4


class InventoryError(Exception):
    """A sentence for the operator."""


class SettingsError(InventoryError):
    """An option that cannot be right; nothing was asked yet."""


class ListError(InventoryError):
    """A list, or a part of one, that could not be read; `code` is Azure's own word for it."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


class StoppedError(InventoryError):
    """Work that was given up because another part has failed."""


def scrub(text: str, secrets: Iterable[str | None]) -> str:
    """The text without any of the secrets, whoever put them there."""
    for secret in secrets:
        if secret and len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return text


def listed(names: Iterable[str], most: int = 10) -> str:
    """Names for a sentence: the first ones, and how many there are besides."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def error_of(body: t.Any) -> tuple[str, str]:
    """Code and message of an error in the form that Azure gives them, or empty strings."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return "", ""
    return str(error.get("code") or ""), str(error.get("message") or "")
