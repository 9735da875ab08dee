# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the looks at the front door take for wrong."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.tests.front_door import smuggling, tls


@pytest.mark.parametrize(
    ("severity", "name", "wrong"),
    [
        ("OK", "TLS1_2", False),
        ("LOW", "LUCKY13", False),
        ("MEDIUM", "BREACH", True),
        ("HIGH", "TLS1", True),
        ("FATAL", "scanTime", True),
        ("CRITICAL", "cert_trust", False),
    ],
)
def test_what_is_above_low_is_told_but_for_the_certificate(severity: str, name: str, wrong: bool) -> None:
    entries = [{"severity": severity, "id": name, "finding": "said"}]
    assert tls.findings(entries) == ([f"{severity}: {name}: said"] if wrong else [])


def test_every_attempt_carries_a_request_of_its_own_behind_another_one() -> None:
    sent = smuggling.attempts("17")
    assert len(sent) == 17
    for name, text in sent.items():
        assert text.startswith("POST /livez HTTP/1.")
        assert text.endswith(f"GET /smuggled-17-{name} HTTP/1.1\r\nHost: smuggling.example\r\n\r\n")


def test_only_the_requests_of_a_run_are_read_from_a_log() -> None:
    log = '10.0.0.1 "GET /smuggled-17-two-lengths HTTP/1.1" 404\n10.0.0.1 "GET /smuggled-16-folded HTTP/1.1" 404\n'
    assert smuggling.names(log, "17") == {"two-lengths"}
