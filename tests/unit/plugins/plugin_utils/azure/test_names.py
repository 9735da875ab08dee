# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import names
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError


def record(name: str, group: str = "g", subscription: str = "s", number: str = "1") -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
        "name": name,
        "resource_group": group,
        "subscription_id": subscription,
        "vm_id": number,
    }


@pytest.mark.parametrize(
    ("second", "parts"),
    [
        (record("m", group="h"), "{{ az_name }}-{{ az_resource_group }}"),
        (record("m", subscription="t"), "{{ az_name }}-{{ az_subscription_id }}"),
        (record("m", number="2"), "{{ az_name }}-{{ az_vm_id }}"),
    ],
)
def test_d4_twins_are_told_with_names_that_really_differ(second: dict[str, Any], parts: str) -> None:
    with pytest.raises(InventoryError) as failure:
        names.refuse_twins([record("m"), second], ["m", "m"], "az_", hostname_is_set=False)
    assert str(failure.value).endswith(f'set hostname, for example hostname: ["{parts}"].')


def test_d4_group_and_subscription_together_where_neither_is_enough() -> None:
    machines = [record("m"), record("m", group="h"), record("m", subscription="t")]
    with pytest.raises(InventoryError) as failure:
        names.refuse_twins(machines, ["m", "m", "m"], "", hostname_is_set=False)
    assert '["{{ name }}-{{ resource_group }}-{{ subscription_id }}"].' in str(failure.value)


@pytest.mark.parametrize(
    ("second", "remedy"),
    [
        (record("m", group="h"), "they differ in az_resource_group: put it into the expressions of hostname."),
        (record("m", subscription="t"), "they differ in az_subscription_id: put it into the expressions of hostname."),
        (record("m", number="2"), "they differ in az_vm_id: put it into the expressions of hostname."),
        (record("m"), "change the expressions of hostname."),
    ],
)
def test_d4_who_has_set_hostname_is_not_told_to_set_it(second: dict[str, Any], remedy: str) -> None:
    with pytest.raises(InventoryError) as failure:
        names.refuse_twins([record("m"), second], ["m", "m"], "az_", hostname_is_set=True)
    assert str(failure.value).endswith(remedy)


@pytest.mark.parametrize(
    "name",
    [
        "all",
        "ungrouped",
        "localhost",
        "127.0.0.1",
        "::1",
        "webcluster",
        "haproxy",
        "apache_php",
        "mysql",
        "mysql_replica",
        "redis",
    ],
)
def test_d1_groups_that_are_always_there_are_known(name: str) -> None:
    machine = record("m")
    with pytest.raises(InventoryError) as failure:
        names.refuse_groups([machine], [name], names.fixed_groups(), "azure_", hostname_is_set=False)
    said = str(failure.value)
    assert said.startswith(f"The machine {machine['id']} would be called {name}, which is ")
    assert said.endswith('set hostname, for example hostname: ["{{ azure_name }}-{{ azure_resource_group }}"].')


def test_d1_other_names_are_no_groups() -> None:
    names.refuse_groups([record("m")], ["mysql1"], names.fixed_groups(), "azure_", hostname_is_set=False)
