# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import read, select
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError


def machine(**more: Any) -> read.Machine:
    entry = {
        "id": "/subscriptions/s/resourceGroups/Prod-Web/providers/Microsoft.Compute/virtualMachines/m",
        "location": "westeurope",
        "tags": {"Environment": "production", "tier": "web"},
        **more,
    }
    found = read.machine(entry)
    assert found is not None
    return found


def reason(found: read.Machine | None = None, **given: Any) -> str | None:
    options: dict[str, Any] = {
        "resource_groups": [], "exclude_resource_groups": [], "locations": [], "tags": {}, "include_stopped": False,
    }  # fmt: skip
    return select.selection(**{**options, **given}).against(found or machine())


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"resource_groups": ["prod-web"]},
        {"resource_groups": ["other", "PROD-*"]},
        {"exclude_resource_groups": ["prod-db", "mc_*"]},
        {"locations": ["West Europe"]},
        {"tags": {"environment": "production"}},
        {"tags": {"environment": ["staging", "prod*"], "TIER": None}},
    ],
)
def test_wanted_machines_are_taken(given: dict[str, Any]) -> None:
    assert reason(**given) is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"resource_groups": ["other"]}, "its resource group Prod-Web is not in resource_groups"),
        ({"exclude_resource_groups": ["*-web"]}, "its resource group Prod-Web is in exclude_resource_groups"),
        (
            {"resource_groups": ["prod-*"], "exclude_resource_groups": ["prod-web"]},
            "its resource group Prod-Web is in exclude_resource_groups",
        ),
        ({"locations": ["northeurope"]}, "its location westeurope is not in locations"),
        ({"tags": {"environment": "Production"}}, "its tag environment is 'production'"),
        ({"tags": {"owner": "*"}}, "it has no tag owner"),
        ({"tags": {"environment": "production", "tier": ["db", "lb"]}}, "its tag tier is 'web'"),
    ],
)
def test_others_are_left_out_with_the_reason(given: dict[str, Any], why: str) -> None:
    assert reason(**given) == why


def test_a_machine_on_its_way_out_is_left_out() -> None:
    assert reason(machine(properties={"provisioningState": "Deleting"})) == "it is being deleted"


@pytest.mark.parametrize(
    ("power", "include", "why"),
    [
        ("running", False, None),
        ("starting", False, None),
        (None, False, None),
        ("deallocated", True, None),
        ("deallocated", False, "it is deallocated, and include_stopped is false"),
        ("stopped", False, "it is stopped, and include_stopped is false"),
        ("stopping", False, "it is stopping, and include_stopped is false"),
    ],
)
def test_stopped_machines_come_by_option_only(power: str | None, include: bool, why: str | None) -> None:
    assert select.Selection(include_stopped=include).against_state(power) == why


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"resource_groups": ["a/b"]},
            "resource_groups has 'a/b'; expected the name of a resource group, * and ? allowed.",
        ),
        (
            {"exclude_resource_groups": ["a b"]},
            "exclude_resource_groups has 'a b'; expected the name of a resource group, * and ? allowed.",
        ),
        ({"tags": ["a"]}, "tags is not a dictionary; expected tag names with a value, a list of values, or '*'."),
        ({"tags": {"a": {"b": "c"}}}, "tags.a is not text; expected a value, a list of values, or '*' for any."),
    ],
)
def test_wrong_choices_are_named(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as failure:
        reason(**given)
    assert str(failure.value) == sentence


def test_values_of_tags_need_not_be_text() -> None:
    assert select.tag_rules("tags", {"a": True, "b": 3, "c": ["x", 4]}) == {"a": ["true"], "b": ["3"], "c": ["x", "4"]}


def test_subscriptions_are_ids() -> None:
    upper = "AAAAAAAA-2222-3333-4444-555555555555"
    assert select.checked_subscriptions([upper, upper.lower()]) == [upper.lower()]
    with pytest.raises(SettingsError) as failure:
        select.checked_subscriptions(["Production"])
    assert str(failure.value) == (
        "subscription_ids has 'Production'; expected the id of a subscription such as 11111111-2222-3333-4444-555555555555,"
        " not its name: see 'az account list'."
    )
