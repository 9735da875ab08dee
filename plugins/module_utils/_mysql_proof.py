# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove a password to MySQL or MariaDB without sending it."""

from __future__ import annotations

import hashlib


def scramble(plugin: str, password: str, seed: bytes) -> bytes:
    """Return what proves the password to a server that sent the seed."""
    secret = password.encode("utf-8")
    if plugin == "caching_sha2_password":
        first = hashlib.sha256(secret).digest()
        mask = hashlib.sha256(hashlib.sha256(first).digest() + seed).digest()
    else:
        # The server fixes the algorithm; nothing here relies on SHA-1 being strong.
        first = hashlib.sha1(secret, usedforsecurity=False).digest()
        twice = hashlib.sha1(first, usedforsecurity=False).digest()
        mask = hashlib.sha1(seed + twice, usedforsecurity=False).digest()
    return bytes(left ^ right for left, right in zip(first, mask))
