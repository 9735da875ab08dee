# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What load balancers that share an address are told of each other, and when they are not let."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _virtual_address
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import ADDRESSES, groups, topology

SHARED: dict[str, t.Any] = {"keepalived_address": "10.0.0.60/28", "keepalived_password": "s3cretVR"}
TWO = groups(haproxy=["lb", "lb2"])
FACTS = {
    "interfaces": ["lo", "eth0", "eth0.7"],
    "lo": {"device": "lo", "ipv4": {"address": "127.0.0.1"}},
    "eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.7"}, "ipv4_secondaries": [{"address": "10.0.1.52"}]},
    "eth0_7": {"device": "eth0.7", "ipv4": {"address": "10.0.0.52"}},
    "down": {"device": "down"},
}
VALUES: dict[str, t.Any] = {
    **SHARED,
    "keepalived_host_address": "10.0.0.52",
    "keepalived_peers": ["10.0.0.53"],
    "keepalived_priority": 200,
    "keepalived_router_id": 51,
    "keepalived_check_url": "http://10.0.0.52:8404/livez",
}


@pytest.fixture(autouse=True)
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another load balancer beside the usual one."""
    monkeypatch.setitem(ADDRESSES, "lb2", "10.0.0.53")


def found(of: dict[str, list[str]] | None = None, **more: t.Any) -> t.Any:
    return topology(of or TWO, **{"haproxy": SHARED, **more})


def test_each_load_balancer_is_told_of_the_others_in_the_order_of_the_inventory() -> None:
    arguments = found(lb2={**SHARED, "haproxy_stats_port": 9000})["arguments"]
    names = [name for name in arguments["lb"] if name.startswith("keepalived_")]
    assert {name: arguments["lb"][name] for name in names} == {
        "keepalived_host_address": "10.0.0.52",
        "keepalived_peers": ["10.0.0.53"],
        "keepalived_priority": 200,
        "keepalived_check_url": "http://10.0.0.52:8404/livez",
    }
    assert arguments["lb2"]["keepalived_peers"] == ["10.0.0.52"]
    assert arguments["lb2"]["keepalived_priority"] < 200
    assert arguments["lb2"]["keepalived_check_url"] == "http://10.0.0.53:9000/livez"
    assert [name for name in arguments["web1"] if name.startswith("keepalived_")] == []


def test_without_an_address_nobody_is_told_of_others() -> None:
    # So that the firewall takes VRRP of keepalived as somebody else has set it up.
    assert topology(TWO)["arguments"]["lb"]["keepalived_peers"] == []
    assert [door["name"] for door in topology(TWO)["doors"]] == ["lb", "lb2"]
    assert topology(TWO)["errors"] == []


def test_the_verdict_asks_the_address_first_and_each_load_balancer_itself() -> None:
    result = found()
    assert result["errors"] == []
    assert [(door["name"], door["url"]) for door in result["doors"]] == [
        ("10.0.0.60", "http://10.0.0.60/"),
        ("lb", "http://10.0.0.52/"),
        ("lb2", "http://10.0.0.53/"),
    ]
    assert result["doors"][0]["expect_servers"] == ["web1", "web2"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"haproxy": {**SHARED, "keepalived_address": "10.0.0.60"}},
            "keepalived_address is 10.0.0.60, expected an IPv4",
        ),
        (
            {"haproxy": {**SHARED, "keepalived_address": "fd00::60/64"}},
            "keepalived_address is fd00::60/64, expected an",
        ),
        (
            {"haproxy": {**SHARED, "keepalived_address": "10.0.1.60/28"}},
            "keepalived_address is 10.0.1.60/28, but lb has the address 10.0.0.52; expected all that share it in the network"
            " 10.0.1.48/28",
        ),
        (
            {"haproxy": {**SHARED, "keepalived_address": "10.0.0.53/28"}},
            "keepalived_address is 10.0.0.53/28, which is the own address of lb2; expected a free one",
        ),
        (
            {"haproxy": {**SHARED, "keepalived_address": "10.0.0.4/24"}},
            "Variable keepalived_address is 10.0.0.4/24, which is the own address of web1; expected a free one",
        ),
        (
            {"haproxy": {**SHARED, "keepalived_address": "10.0.0.63/28"}},
            "keepalived_address is 10.0.0.63/28, which no host of that network may have",
        ),
        (
            {"lb2": {"keepalived_address": ""}},
            "Variable keepalived_address is 10.0.0.60/28 for lb, empty for lb2 on the load balancers; expected",
        ),
        (
            {"lb2": {**SHARED, "keepalived_password": "another1"}},
            "Variable keepalived_password is not the same on the load balancers; expected the same for all",
        ),
        (
            {"haproxy": {"keepalived_address": "10.0.0.60/28"}},
            "keepalived_password is none of 1 to 8 letters and digits",
        ),
        (
            {"haproxy": {**SHARED, "keepalived_password": "longer-than-8"}},
            "keepalived_password is none of 1 to 8 letters",
        ),
        (
            {"haproxy": {**SHARED, "keepalived_router_id": 256}},
            "keepalived_router_id is 256, expected 1 to 255: correct it.",
        ),
        (
            {"lb": {**SHARED, "haproxy_http_bind_address": "10.0.0.52"}},
            "Variable haproxy_http_bind_address is 10.0.0.52 for lb, so that HAProxy does not answer at keepalived_address",
        ),
        (
            {
                "lb2": {
                    **SHARED,
                    "azure_id": "/subscriptions/1/resourceGroups/a/providers/Microsoft.Compute/virtualMachines/b",
                }
            },
            "Variable keepalived_address is 10.0.0.60/28, but lb2 is in Azure, whose network gives no host another one's",
        ),
    ],
)
def test_an_address_that_cannot_be_shared_is_refused(more: dict[str, t.Any], words: str) -> None:
    errors = found(**more)["errors"]
    assert any(error.startswith(words) for error in errors), errors
    assert "s3cretVR" not in " ".join(errors)


def test_one_load_balancer_shares_with_nobody() -> None:
    assert found(groups())["errors"] == [
        "Variable keepalived_address is 10.0.0.60/28, but lb is the only load balancer; expected two that share it: add one, or"
        " remove it."
    ]


def plan(**more: t.Any) -> _virtual_address.Plan:
    return _virtual_address.plan({**VALUES, **more}, FACTS)


def test_the_interface_is_the_one_with_the_own_address() -> None:
    assert plan() == {"errors": [], "interface": "eth0.7"}
    other = {"keepalived_address": "10.0.1.60/28", "keepalived_peers": ["10.0.1.53"]}
    assert plan(**other, keepalived_host_address="10.0.1.52") == {"errors": [], "interface": "eth0"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"keepalived_peers": []}, "keepalived_peers is empty, expected the addresses of the other load balancers"),
        ({"keepalived_peers": ["10.0.0.52"]}, "keepalived_peers holds 10.0.0.52, which is this host's own address"),
        (
            {"keepalived_peers": ["lb2"]},
            "keepalived_address is 10.0.0.60/28, but lb2 has the address lb2; expected all",
        ),
        ({"keepalived_host_address": "10.0.0.54"}, "keepalived_host_address is 10.0.0.54, which no network interface"),
        (
            {"keepalived_host_address": ""},
            "keepalived_host_address is empty, which no network interface of this host has",
        ),
        ({"keepalived_priority": 255}, "keepalived_priority is 255, expected 1 to 254: correct it."),
        ({"keepalived_check_url": 'http://h/"\n}'}, "keepalived_check_url is "),
    ],
)
def test_a_host_that_cannot_share_it_says_why(more: dict[str, t.Any], words: str) -> None:
    errors = plan(**more)["errors"]
    assert any(error.startswith(words) for error in errors), errors
