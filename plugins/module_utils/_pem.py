# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in a text. Private to the collection: may change at any time."""

from __future__ import annotations

import base64
import re

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----\n?", re.DOTALL)


def certificates(text: str) -> str:
    """Return the certificates of a text, without the key that it may hold."""
    return "".join(found.group() for found in CERTIFICATE.finditer(text))


def first_certificate(text: str) -> str:
    """Return the first certificate of a text in DER as hexadecimal."""
    found = CERTIFICATE.search(text)
    if not found:
        raise ValueError("it holds no certificate")
    return base64.b64decode(found.group(1)).hex()
