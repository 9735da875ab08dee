# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a difference, and what is sent where there is one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import (
    differences,
    extras,
    merged,
)

SAME: list[tuple[Any, Any]] = [
    ({"a": 1}, {"a": 1, "etag": "x", "more": []}),
    ({"publicIpAddresses": [{"id": "/A/b"}]}, {"publicIPAddresses": [{"id": "/a/B", "extra": 1}]}),
    ({"zones": ["1", "2"]}, {"zones": ["2", "1"]}),
    ({"protocol": "Tcp"}, {"protocol": "TCP"}),
    ({"off": False}, {}),
    ({"addressSpace": {"addressPrefixes": ["a"]}}, {"addressSpace": {"addressPrefixes": ["b", "a"]}}),
    ({"disks": [{"lun": 0, "name": "x"}]}, {"disks": [{"lun": 1, "name": "y"}, {"lun": 0, "name": "X"}]}),
]
OTHER: list[tuple[Any, Any, list[str]]] = [
    ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b 2 -> 1"]),
    ({"a": {"b": 1}}, {}, ["a (none) -> (new)"]),
    ({"zones": ["1"]}, {"zones": ["1", "2"]}, ["zones [1, 2] -> [1]"]),
    ({"sources": ["a", "b"]}, {"sources": ["a"]}, ["sources [a] -> [a, b]"]),
    ({"on": True}, {}, ["on (none) -> True"]),
    ({"tags": {"k": "v"}}, {"tags": {"K": "V"}}, ["tags.k V -> v"]),
    ({"rules": [{"name": "a", "p": 1}]}, {"rules": [{"name": "A", "p": 2}]}, ["rules[a].p 2 -> 1"]),
    ({"rules": [{"name": "b"}]}, {"rules": [{"name": "a"}]}, ["rules[b] (none) -> b"]),
    ({"pool": {"id": "/x/y"}}, {}, ["pool (none) -> /x/y"]),
]


@pytest.mark.parametrize(("wanted", "found"), SAME)
def test_what_azure_adds_or_spells_otherwise_is_no_difference(wanted: Any, found: Any) -> None:
    assert list(differences(wanted, found)) == []


@pytest.mark.parametrize(("wanted", "found", "told"), OTHER)
def test_differences_name_place_and_both_values(wanted: Any, found: Any, told: list[str]) -> None:
    assert [str(one) for one in differences(wanted, found)] == told


def test_what_is_sent_keeps_what_others_added() -> None:
    found = {
        "etag": "1",
        "type": "Microsoft.Network/virtualNetworks",
        "extendedLocation": {"name": "there", "type": "EdgeZone"},
        "properties": {
            "provisioningState": "Succeeded",
            "addressSpace": {"addressPrefixes": ["10.9.0.0/24"]},
            "subnets": [{"name": "theirs", "etag": "2", "properties": {"addressPrefix": "10.9.0.0/28"}}],
        },
    }
    wanted = {
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/26"]},
            "subnets": [{"name": "web", "properties": {"addressPrefix": "10.0.0.0/28"}}],
        }
    }
    assert merged(wanted, found) == {
        "extendedLocation": {"name": "there", "type": "EdgeZone"},
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.9.0.0/24", "10.0.0.0/26"]},
            "subnets": [
                {"name": "web", "properties": {"addressPrefix": "10.0.0.0/28"}},
                {"name": "theirs", "properties": {"addressPrefix": "10.9.0.0/28"}},
            ],
        },
    }


def test_what_is_sent_is_no_difference_any_more() -> None:
    for wanted, found, _told in OTHER:
        assert list(differences(wanted, merged(wanted, found))) == []


def test_strangers_in_a_list_are_named() -> None:
    assert extras([{"name": "a"}], [{"name": "A"}, {"name": "b"}]) == ["b"]
