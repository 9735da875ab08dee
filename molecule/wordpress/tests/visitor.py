# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser's part of HTTP: a site's name, cookies and forms, through the front door."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

DOOR = "10.97.1.52"
WEB = {"wpweb1", "wpweb2", "wpweb3"}
MOST_ASKED, AT_ONCE = 36, 6


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def server(self) -> str:
        return self.headers["x-served-by"]


@dataclass
class Visitor:
    """Somebody who visits a site; every request comes on a connection of its own."""

    site: str
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "",
    ) -> Answer:
        sent = {"Host": self.site, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        # The placeholder certificate, which nobody trusts.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(DOOR, timeout=60, context=context)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body=body, headers=sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie") or []:
            for name, cookie in SimpleCookie(line).items():
                self.cookies[name] = cookie.value
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def on_all(self, path: str) -> dict[str, Answer]:
        """What each web server answers: the same request, several at a time, until all have served it."""
        found: dict[str, Answer] = {}
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _again in range(MOST_ASKED // AT_ONCE):
                found |= {answer.server: answer for answer in threads.map(self.ask, [path] * AT_ONCE)}
                if set(found) == WEB:
                    return found
        raise AssertionError(f"After {MOST_ASKED} requests only {', '.join(sorted(found))} had served {path}.")

    def log_in(self, user: str, password: str) -> Answer:
        self.ask("/wp-login.php")
        return self.ask("/wp-login.php", {"log": user, "pwd": password, "wp-submit": "Log In", "testcookie": "1"})

    def api(self, path: str, values: Mapping[str, Any] | None = None, method: str = "") -> Answer:
        """Ask the REST interface as who is logged in."""
        nonce = self.ask("/wp-admin/admin-ajax.php?action=rest-nonce").text
        body = None if values is None else json.dumps(values).encode()
        headers = {"X-WP-Nonce": nonce, "Content-Type": "application/json"}
        return self.ask(f"/wp-json/wp/v2/{path}", body=body, headers=headers, method=method)


def hidden_fields(page: str) -> dict[str, str]:
    """What a form sends without being asked."""
    found = {}
    for tag in re.findall(r"<input[^>]*type=[\"']hidden[\"'][^>]*>", page):
        words = dict(re.findall(r"(\w+)=[\"']([^\"']*)[\"']", tag))
        if "name" in words:
            found[words["name"]] = words.get("value", "")
    return found
