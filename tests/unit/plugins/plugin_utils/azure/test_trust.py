# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible._internal._datatag._tags import TrustedAsTemplate
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.trust import Trust


def trusted(value: object) -> bool:
    return TrustedAsTemplate.is_tagged_on(value)


@pytest.mark.parametrize(
    "value",
    [
        "10.0.0.4",
        "fd00::4",
        "web-1",
        "Web(old)",
        "/subscriptions/s/resourceGroups/Web(old)/providers/Microsoft.Compute/virtualMachines/m",
        "00-0D-3A-00-00-01",
        "2026-01-05T08:00:00.0000000+00:00",
        "10.0.0.0/28",
        "größe",
        "West Europe",
    ],
)
def test_g3_checked_text_is_plain_wherever_it_stands(value: str) -> None:
    facts = Trust().facts({"a": value, "b": [value], "c": {"d": [{"e": value}]}, "n": None, "i": 3, "t": True})
    assert facts == {"a": value, "b": [value], "c": {"d": [{"e": value}]}, "n": None, "i": 3, "t": True}
    assert trusted(facts["a"])
    assert trusted(facts["b"][0])
    assert trusted(facts["c"]["d"][0]["e"])


@pytest.mark.parametrize(
    "value",
    [
        "{{ x }}",
        "{% x %}",
        "{# x #}",
        "#jinja2: variable_start_string: '[%'",
        "a\nb",
        "a'b",
        "a|b",
        "",
        " a",
        "a;b",
        "[% x %]",
    ],
)
def test_g3_whatever_could_become_a_template_stays_untrusted(value: str) -> None:
    facts = Trust().facts({"name": value, "image": {"sku": value}})
    assert not trusted(facts["name"])
    assert not trusted(facts["image"]["sku"])
    assert not trusted(Trust().place(value))


@pytest.mark.parametrize("name", ["tags", "os_name", "os_version"])
def test_g3_what_others_write_freely_stays_untrusted(name: str) -> None:
    facts = Trust().facts({name: {"role": "primary"} if name == "tags" else "debian"})
    value = facts[name]["role"] if name == "tags" else facts[name]
    assert not trusted(value)


def test_g3_what_ansible_connects_to_is_plain_when_it_is_an_address_or_a_name() -> None:
    trust = Trust()
    assert all(trusted(trust.place(value)) for value in ("10.0.0.4", "fd00::4", "::1", "m.example.org"))
    assert not trusted(trust.place("a b"))
    assert trust.place(None) is None
