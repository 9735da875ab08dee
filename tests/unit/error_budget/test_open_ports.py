# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a port that is wrongly open or closed, and how it is found out."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from ansible_collections.siteops.webcluster.tests.error_budget.open_ports import (
    OUTSIDE,
    PROGRAM,
    answering,
    listening,
    needed,
    open_by_nmap,
    wrong,
)

GROUPS = {
    "webcluster": ["lb", "web1", "web2", "db1", "db2"],
    "haproxy": ["lb"],
    "apache_php": ["web1", "web2"],
    "mysql": ["db1", "db2"],
}
SHOWN = """\
LISTEN 0 128 0.0.0.0:22 0.0.0.0:*
LISTEN 0 511 *:80 *:*
LISTEN 0 64 127.0.0.53%lo:53 0.0.0.0:*
LISTEN 0 64 10.0.0.4%eth0:8404 0.0.0.0:*
LISTEN 0 64 [::1]:631 [::]:*
LISTEN 0 64 [fe80::1]%eth0:546 [::]:*
"""
SCANNED = """\
# Nmap 7.93 scan initiated
Host: 10.0.0.4 ()\tStatus: Up
Host: 10.0.0.4 ()\tPorts: 22/open/tcp//ssh///, 80/filtered/tcp//http///, 443/open/tcp//https///\tIgnored State: closed (3)
Host: 10.0.0.5 ()\tPorts: 22/closed/tcp//ssh///
"""


def test_what_listens_for_the_host_itself_does_not_count() -> None:
    assert listening(SHOWN) == {22, 80, 546, 8404}


def test_only_open_ports_of_nmap_count() -> None:
    assert open_by_nmap(SCANNED) == {"10.0.0.4": {22, 443}, "10.0.0.5": set()}


@pytest.mark.parametrize(
    ("knocking", "host", "ports"),
    [
        (OUTSIDE, "lb", {22, 80, 443}),
        (OUTSIDE, "web1", {22}),
        ("lb", "web1", {22, 80}),
        ("lb", "db1", {22}),
        ("web1", "web2", {22}),
        ("web1", "db1", {22, 3306, 9200}),
        ("db2", "db1", {22, 3306}),
    ],
)
def test_who_must_be_let_in(knocking: str, host: str, ports: set[int]) -> None:
    assert needed(GROUPS, knocking, host) == ports


def test_one_too_many_and_one_too_few_are_told() -> None:
    assert list(wrong(GROUPS, {"web1": {"db1": {22, 3306, 9200}}})) == []
    assert list(wrong(GROUPS, {OUTSIDE: {"web1": {22, 8404}}, "web1": {"db1": {22, 9200}}})) == [
        "outside reaches port 8404 of web1, and has no need to.",
        "web1 does not reach port 3306 of db1, and must.",
    ]


def test_the_program_for_the_hosts_says_the_same_as_here() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as taken:
        # Bound, but nobody listens.
        taken.bind(("127.0.0.1", 0))
        targets = [server.getsockname(), taken.getsockname()]
        assert answering(targets) == [True, False]
        said = subprocess.run(
            [sys.executable, "-c", f"import json\ntargets = {json.dumps(targets)}\n{PROGRAM}"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert json.loads(said.stdout) == [True, False]
