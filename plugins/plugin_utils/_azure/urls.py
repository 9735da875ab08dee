# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""One reading of a URL for the check and for the request: what is sent is made of the parts that were checked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote

DEFAULT_PORTS = {"https": 443, "http": 80}
LARGEST_PORT = 65_535
# Only what every library reads alike: no user, no backslash, no other letters than those of ASCII, no encoded host.
URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>[/?][^#\x00-\x1f\x7f]*)?",
    re.IGNORECASE | re.ASCII,
)
# What may stand in a path and a query as it is; the rest is encoded.
PLAIN = "/?%:@!$&'()*+,;=~[]"


@dataclass(frozen=True)
class Url:
    """A URL in its parts; `host` in lower case, an IPv6 address without its brackets."""

    scheme: str
    host: str
    port: int
    rest: str

    @property
    def place(self) -> tuple[str, int]:
        return self.scheme, self.port

    @property
    def loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.rest}"


def read(url: str) -> Url | None:
    """The parts of a URL of http or https; None where libraries could understand it in different ways."""
    found = URL.fullmatch(url)
    if not found:
        return None
    scheme, host = found["scheme"].lower(), found["host"].lower().removesuffix(".")
    port = int(found["port"]) if found["port"] else DEFAULT_PORTS[scheme]
    if host.startswith("["):
        try:
            host = ipaddress.IPv6Address(host[1:-1]).compressed
        except ValueError:
            return None
    if ".." in host or not 1 <= port <= LARGEST_PORT:
        return None
    return Url(scheme, host, port, quote(found["rest"] or "", safe=PLAIN))


def shown(url: str) -> str:
    """The URL for a sentence: without the password of a user, and without what a terminal would act upon."""
    hidden = re.sub(r"//([^/@]*?):[^/@]*@", r"//\1:***@", url)
    return "".join(mark if mark.isprintable() else "?" for mark in hidden)
