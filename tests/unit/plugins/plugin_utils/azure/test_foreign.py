# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import yaml
from ansible_collections.siteops.webcluster.plugins.inventory import azure_subnet
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import foreign
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError

OURS = {
    *yaml.safe_load(azure_subnet.DOCUMENTATION)["options"],
    "hostnames",
    "compose",
    "groups",
    "keyed_groups",
    "strict",
}


def told(*given: object) -> str:
    with pytest.raises(SettingsError) as failure:
        foreign.refuse_unknown(given, OURS)
    return str(failure.value)


def test_d3_our_own_options_are_taken() -> None:
    foreign.refuse_unknown(OURS, OURS)


def test_d3_no_foreign_name_is_one_of_ours_and_each_remedy_names_something_that_exists() -> None:
    assert not OURS & set(foreign.FOREIGN)
    for advice in foreign.FOREIGN.values():
        assert advice.endswith("remove it") or any(option in advice for option in OURS), advice


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("resource_group", "resource_groups"),
        ("resourcegroups", "resource_groups"),
        ("Resource-Groups", "resource_groups"),
        ("exclude_resource_group", "exclude_resource_groups"),
        ("subscription_id", "subscription_ids"),
        ("subscriptions", "subscription_ids"),
        ("role_group", "role_groups"),
        ("roles_groups", "role_groups"),
        ("role_parent", "role_parents"),
        ("location", "locations"),
        ("tag", "tags"),
        ("include_filter", "include_filters"),
        ("keyed_group", "keyed_groups"),
        ("composed", "compose"),
        ("vnet_name", "vnet_names"),
        ("host_name", "hostname"),
        ("include_host_filters", "include_filters"),
        ("exclude_host_filters", "exclude_filters"),
        ("default_host_filters", "include_stopped"),
        ("include_vm_resource_groups", "resource_groups"),
        ("include_vmss_resource_groups", "include_uniform_scale_sets"),
        ("conditional_groups", "groups"),
        ("hostvar_expressions", "compose"),
        ("fail_on_template_errors", "strict"),
        ("filters", "include_filters"),
        ("regions", "locations"),
        ("hostvars_prefix", "hostvar_prefix"),
        ("vars_prefix", "hostvar_prefix"),
        ("projects", "subscription_ids"),
        ("label_selector", "tags"),
    ],
)
def test_d3_an_unknown_option_is_told_with_the_one_that_was_meant(name: str, meant: str) -> None:
    said = told("plugin", name)
    assert said.startswith(f"The option {name} does not exist here; ")
    assert meant in said


def test_d3_what_resembles_nothing_is_told_too() -> None:
    assert told("zzz") == (
        "The option zzz does not exist here; expected one of those that 'ansible-doc -t inventory"
        " siteops.webcluster.azure_subnet' lists: correct or remove it."
    )


@pytest.mark.parametrize("name", [7, True, None])
def test_d3_a_key_that_is_no_text_is_told(name: object) -> None:
    assert told(name).startswith(f"The option {name} does not exist here; ")
