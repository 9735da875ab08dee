# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What is wrong with a mail relay."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Mapping

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z|[0-9a-f:.]*:[0-9a-f:.]*\Z")
ADDRESS = re.compile(r"[A-Za-z0-9._%+=/-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\Z")
USER = re.compile(r"[^\s\"\x00-\x1f\x7f]+\Z")
PASSWORD = re.compile(r"[^\x00-\x1f\x7f]+\Z")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def mail_findings(mail: Mapping[str, t.Any], option: str = "mail") -> Iterator[str]:
    """What is wrong with a relay, a sentence each; the login is not told."""
    host, user, password = mail["host"], mail.get("user") or "", mail.get("password") or ""
    if not HOST.match(host):
        yield f"{option}.host holds {host}, expected the name or address of a mail server: correct it."
    if not 1 <= int(mail.get("port", 1)) <= 65_535:
        yield f"{option}.port holds {mail['port']}, expected a number from 1 to 65535: correct it."
    if not ADDRESS.match(mail["from"]):
        yield f"{option}.from holds {mail['from']}, expected one address such as shop@shop.example: correct it."
    if bool(user) != bool(password):
        there, lacking = ("user", "password") if user else ("password", "user")
        yield f"{option}.{there} is set without {option}.{lacking}; expected both, or neither: set {option}.{lacking}."
    if (user and not USER.match(user)) or (password and not PASSWORD.match(password)):
        yield f"{option}.user or {option}.password holds a line break, another control character or, in user, a space or a quote: correct it."
    if user and mail.get("tls") == "none" and host not in LOOPBACK:
        yield f"{option} would tell {host} a password that all on the way can read; expected tls to be starttls or tls: correct it."
