# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the certificate of a server ends."""

from __future__ import annotations

import ssl
from datetime import datetime, timezone


def ends_at(not_after: str | None) -> str | None:
    """Translate the end of a certificate, as OpenSSL writes it, to ISO 8601."""
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), timezone.utc).isoformat() if not_after else None
