# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the errors of MySQL, MariaDB and their clients mean; loaded where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import quote

_OS_ERROR = r"(?:\(|system error: |\[Errno )(\d+)\b"

_AUTH = {1045, 1698, 1130, 1862, 1820, 2058, 2059, 2061, 3118, 3955, 4151}
_TLS = {2026, 3159, 1759}
_UNREACHABLE = {1040, 1053, 1129, 1203, 1927, 2001, 2002, 2003, 2004, 2005, 2006, 2012, 2013, 2055, 3169, 4031}
_PRIVILEGE = {1044, 1095, 1142, 1143, 1227, 1370, 1419, 3230}
_SYNTAX = {1054, 1064, 1109, 1128, 1146, 1149, 1193, 1235, 1305, 1049}
_OS_DETAIL = {
    2: "no_socket",
    11: "timeout",
    13: "permission",
    104: "refused",
    110: "timeout",
    111: "refused",
    113: "no_route",
    115: "refused",  # MariaDB's client shows the start of its non-blocking connect instead of the end
}


def classify(errno: int, message: str) -> tuple[str, str | None]:
    """Return (kind, detail) of a client or server error."""
    if errno in _AUTH:
        return "auth", None
    if errno in _TLS:
        return "tls", None
    if errno in _UNREACHABLE:
        os_errors = [int(number) for number in re.findall(_OS_ERROR, message)]
        detail = _OS_DETAIL.get(os_errors[-1]) if os_errors else None
        if errno == 2005:
            detail = "unknown_host"
        elif errno in (1040, 1129, 1203):
            detail = "refused"
        elif detail is None and re.search("timeout|timed out", message.lower()):
            detail = "timeout"
        elif detail is None and errno in (1927, 2006, 2013, 3169, 4031):
            detail = "lost"
        return "unreachable", detail or "failed"
    if errno in _PRIVILEGE:
        return "privilege", None
    if errno in _SYNTAX:
        return "syntax", None
    return "other", None


def clean_message(message: str, secrets: Iterable[str | None]) -> str:
    """Return the first error without secrets and without the statement that a syntax error quotes."""
    message = re.split(r"\n(?:ERROR |--------------)", message.strip())[0]
    message = re.sub(r"( near )'.*", r"\1the statement's text", message, flags=re.DOTALL)
    for secret in sorted({item for item in secrets if item}, key=len, reverse=True):
        for form in (secret, quote(secret)[1:-1]):
            message = message.replace(form, "********")
    return " ".join(message.split())
