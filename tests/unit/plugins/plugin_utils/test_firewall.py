# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.filter.firewall_errors import firewall_errors
from ansible_collections.siteops.webcluster.plugins.filter.firewall_openings import firewall_openings
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import ANYWHERE, networks_of

SSH = {"port": 22, "sources": ["10.0.9.0/24", "2001:db8:9::/64"], "purpose": "SSH"}


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("10.0.0.4", ["10.0.0.4"]),
        ("10.0.0.4/28", ["10.0.0.0/28"]),
        ("10.0.0.0/255.255.255.240", ["10.0.0.0/28"]),
        ("10.%", ["10.0.0.0/8"]),
        ("10.0.1.%", ["10.0.1.0/24"]),
        ("%", ANYWHERE),
        ("2001:DB8::1", ["2001:db8::1"]),
        ("localhost", []),
        ("127.0.0.1", []),
        ("db.example.org", None),
        ("10.0.%.4", None),
        ("", None),
    ],
)
def test_the_spellings_of_servers_are_understood(text: str, networks: list[str] | None) -> None:
    assert networks_of(text) == networks


def test_lists_are_joined_whatever_their_order() -> None:
    former = [{"protocol": "tcp", "port": 3306, "sources": ["10.0.0.6", "10.0.0.4"], "purpose": "before"}]
    wanted = [
        SSH,
        {"port": 3306, "sources": ["10.0.0.5", "10.0.0.4"], "purpose": "MySQL"},
        {"port": 53, "protocol": "udp"},
    ]
    both = firewall_openings(wanted, former)
    assert both == [
        {"protocol": "tcp", "port": 22, "sources": ["10.0.9.0/24", "2001:db8:9::/64"], "purpose": "SSH"},
        {"protocol": "tcp", "port": 3306, "sources": ["10.0.0.4/31", "10.0.0.6"], "purpose": "MySQL"},
        {"protocol": "udp", "port": 53, "sources": ANYWHERE, "purpose": ""},
    ]
    # What was made of it says the same again.
    assert firewall_openings(wanted, both) == both == firewall_openings(both)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            {"port": 80, "sources": ["web1", "10.0.0.4"]},
            "own lets web1 in to port 80, expected addresses and networks such as",
        ),
        ({"port": 80, "sources": []}, "own lets nobody in to port 80, expected at least one source"),
        ({"port": 70000}, "own holds port 70000, expected 1 to 65535"),
    ],
)
def test_an_entry_that_no_firewall_could_follow_is_named(entry: dict[str, t.Any], words: str) -> None:
    [error] = firewall_errors({"own": [entry]})
    assert error.startswith(words)


@pytest.mark.parametrize("address", ["10.0.9.7", "2001:db8:9::7"])
def test_a_run_that_may_come_again_is_let_go_on(address: str) -> None:
    assert firewall_errors({"ssh": [SSH]}, {"address": address, "port": 22}) == []
    assert firewall_errors({"ssh": [SSH]}) == []


@pytest.mark.parametrize(("address", "port"), [("10.0.8.7", 22), ("10.0.9.7", 2222), ("2001:db8:8::7", 22)])
def test_a_run_that_would_lock_itself_out_is_refused(address: str, port: int) -> None:
    [error] = firewall_errors({"ssh": [SSH]}, {"address": address, "port": port})
    assert error == (
        f"The firewall would leave out {address}, from where this run comes to port {port}, and nobody could log in from there"
        " again: add it to firewall_ssh_sources."
    )
    # Another list may let it in.
    own = [{"port": port, "sources": [address]}]
    assert firewall_errors({"ssh": [SSH], "own": own}, {"address": address, "port": port}) == []
    by_udp = [{"port": port, "sources": [address], "protocol": "udp"}]
    assert len(firewall_errors({"ssh": [SSH], "own": by_udp}, {"address": address, "port": port})) == 1
