# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the web server over HTTP from the host itself, so that the asking address is known."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from testinfra.host import Host

PROGRAM = """
import http.client, json, sys
job = json.load(sys.stdin)
c = http.client.HTTPConnection(job["address"], 80, timeout=10)
c.request(job["method"], job["path"], job["body"], job["headers"])
r = c.getresponse()
print(json.dumps([r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read().decode()]))
"""


@dataclass
class Answer:
    """One HTTP answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    text: str


Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def name(host: Host) -> str:
    return str(host.check_output("hostname"))


@pytest.fixture(scope="module")
def ask(host: Host) -> Ask:
    """Return a function that sends one request from the host, by default to itself."""

    def send(
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        address: str = "127.0.0.1",
        method: str = "",
    ) -> Answer:
        sent = dict(headers or {})
        if form is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        job = {
            "address": address,
            "method": method or ("GET" if form is None else "POST"),
            "path": path,
            "body": None if form is None else urllib.parse.urlencode(form),
            "headers": sent,
        }
        answer = json.loads(host.check_output("printf %%s %s | python3 -c %s", json.dumps(job), PROGRAM))
        return Answer(*answer)

    return send
