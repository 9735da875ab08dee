# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bug reports and documentation tell of Azure, each played by the loopback subscription and named after its source."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.tests.loopback_estate import Operation
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.sample import (
    SCOPE,
    Azure,
    host,
    key,
    wanted,
)

NETWORKS, NICS = "Microsoft.Network/virtualNetworks", "Microsoft.Network/networkInterfaces"
MACHINES, IPS = "Microsoft.Compute/virtualMachines", "Microsoft.Network/publicIPAddresses"
MACHINE = key(MACHINES, "centosweb2")
HOSTS = [one.name for one in wanted().hosts]


@pytest.fixture
def azure() -> Azure:
    return Azure()


def test_a_list_that_lags_behind_is_not_believed__bosh_azure_cpi_release_765(azure: Azure) -> None:
    azure.ledger.list_lag = 3600
    azure.up()
    assert not azure.up().changed
    azure.down(delete_data=True)
    assert azure.ledger.held == {}


def test_a_reserved_interface_is_waited_for__bosh_azure_cpi_release_366(azure: Azure) -> None:
    azure.up()
    azure.ledger.nic_reserved = 180
    begin = azure.clock()
    azure.down(delete_data=True)
    assert azure.ledger.held == {}
    assert azure.clock() - begin > 180


def test_an_address_in_use_is_waited_for_at_least_four_minutes__transformerlab_2343(azure: Azure) -> None:
    azure.up()
    azure.ledger.refusals.append(
        ("DELETE", "publicIPAddresses/webcluster-front-ip", 24, 400, "PublicIPAddressCannotBeDeleted")
    )
    azure.down(delete_data=True)
    assert azure.ledger.held == {}


def test_waiting_for_an_address_ends_with_its_name(azure: Azure) -> None:
    azure.up()
    azure.ledger.refusals.append(
        ("DELETE", "publicIPAddresses/webcluster-front-ip", 999, 400, "PublicIPAddressCannotBeDeleted")
    )
    begin = azure.clock()
    with pytest.raises(InventoryError, match=r"1 of 8 failed, the others are done: Cannot remove the public IP address"
                       r" webcluster-front-ip: Azure answered PublicIPAddressCannotBeDeleted .* after 300 s"):  # fmt: skip
        azure.down(delete_data=True)
    assert azure.clock() - begin < 400
    azure.ledger.refusals.clear()
    azure.down(delete_data=True)
    assert azure.ledger.held == {}


def test_a_subnet_in_use_by_others_is_told_before__in_use_subnet_cannot_be_deleted(azure: Azure) -> None:
    azure.up()
    used = azure.ledger.held[key(NETWORKS, "webcluster-vnet")]["properties"]["subnets"][0]["properties"]
    used["ipConfigurations"] = [{"id": f"{SCOPE}/providers/{NICS}/theirs/ipConfigurations/one"},
                                {"id": f"{SCOPE.upper()}/providers/{NICS}/centosweb1-nic/ipConfigurations/ipconfig1"}]  # fmt: skip
    with pytest.raises(
        InventoryError,
        match=r"The subnet web of the virtual network webcluster-vnet is used by theirs, which is not ours",
    ):
        azure.down()
    assert azure.ledger.count("DELETE") == 0


def test_an_interface_before_its_subnet_is_ready_is_tried_again__terraform_azurerm_7986(azure: Azure) -> None:
    azure.ledger.refusals.append(("PUT", NICS, 3, 429, "ReferencedResourceNotProvisioned"))
    azure.ledger.refusals.append(("PUT", f"{NETWORKS}/", 1, 429, "RetryableError"))
    azure.up()
    assert not azure.up().changed


def test_another_operation_is_waited_for__bicep_registry_modules_1831(azure: Azure) -> None:
    azure.ledger.refusals.append(("PUT", NETWORKS, 5, 409, "AnotherOperationInProgress"))
    azure.up()
    assert not azure.up().changed


def test_one_request_makes_all_subnets__terraform_azurerm_3780(azure: Azure) -> None:
    azure.up()
    assert [
        path for method, path in azure.ledger.requests if method == "PUT" and "/virtualnetworks/" in path.lower()
    ] == [f"{SCOPE}/providers/{NETWORKS}/webcluster-vnet"]


def test_subnets_of_others_stay_in_the_request__azure_quickstart_templates_2786(azure: Azure) -> None:
    azure.up()
    network = azure.ledger.held[key(NETWORKS, "webcluster-vnet")]["properties"]
    network["subnets"].append({"name": "theirs", "properties": {"addressPrefix": "10.9.0.0/28"}})
    network["addressSpace"]["addressPrefixes"].append("10.9.0.0/24")
    options: dict[str, Any] = {"network": {"prefixes": ["10.0.0.0/26", "10.0.0.64/26"], "subnets": None}}
    azure.up(**options)
    network = azure.ledger.held[key(NETWORKS, "webcluster-vnet")]["properties"]
    assert "theirs" in [one["name"] for one in network["subnets"]]
    assert network["addressSpace"]["addressPrefixes"] == ["10.0.0.0/26", "10.9.0.0/24", "10.0.0.64/26"]


def test_who_was_faster_is_not_overwritten__precondition_failed(azure: Azure) -> None:
    azure.up()

    def race() -> None:
        network = azure.ledger.held[key(NETWORKS, "webcluster-vnet")]
        network["etag"] = "changed"
        network["properties"]["subnets"].append({"name": "theirs", "properties": {"addressPrefix": "10.0.0.64/28"}})

    azure.ledger.before_put["webcluster-vnet"] = race
    azure.up(network={"prefixes": ["10.0.0.0/26", "10.0.0.64/26"]})
    network = azure.ledger.held[key(NETWORKS, "webcluster-vnet")]["properties"]
    assert [one["name"] for one in network["subnets"]][-1] == "theirs"
    assert azure.ledger.count("PUT") == 25 + 2


def test_nothing_fixed_is_ever_sent_again__azure_sdk_for_node_2297(azure: Azure) -> None:
    azure.up()
    asked = len(azure.ledger.bodies)
    azure.ledger.held[MACHINE]["tags"]["siteops-group"] = "other"
    azure.up()
    ((path, body),) = azure.ledger.bodies[asked:]
    assert path.endswith("/centosweb2")
    assert list(body) == ["tags"]


def test_an_empty_subscription_is_registered_first__missing_subscription_registration(azure: Azure) -> None:
    azure.ledger.unregistered = {"Microsoft.Compute", "Microsoft.Network"}
    planned = azure.up(check=True)
    assert planned.lines[:2] == ["register  provider Microsoft.Compute", "register  provider Microsoft.Network"]
    assert azure.ledger.count("POST") == 0
    azure.up()
    assert [method for method, _path in azure.ledger.requests if method != "GET"][:3] == ["POST", "POST", "PUT"]
    assert not azure.up().changed


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("OverconstrainedZonalAllocationRequest", "Choose another zone or size."),
        ("SkuNotAvailable", "Choose another size, zone or region."),
        ("QuotaExceeded", "Ask for a higher quota in the portal"),
        ("NeverHeardOf", "Run it again; when it stays so"),
    ],
)
def test_machines_that_fail_in_the_poll_are_all_named_and_the_others_are_made(
    azure: Azure, code: str, remedy: str
) -> None:
    azure.ledger.failing = {"centosweb2": code, "centosredis1": code}
    with pytest.raises(InventoryError) as failure:
        azure.up()
    sentence = str(failure.value)
    assert sentence.startswith(
        f"2 of 8 failed, the others are done: Cannot make the virtual machine centosweb2: Azure answered {code}"
    )
    assert "the virtual machine centosredis1" in sentence
    assert remedy in sentence
    assert azure.ledger.held[key(MACHINES, "centosweb3")]["properties"]["provisioningState"] == "Succeeded"
    azure.ledger.failing = {}
    again = azure.up()
    assert azure.actions(again) == {"update": ["centosweb2", "centosredis1"]}
    # With all that belongs to its first day, and nothing of what Azure adds.
    first, second = [body for path, body in azure.ledger.bodies if path.endswith("/virtualMachines/centosweb2")]
    assert first == second
    assert not azure.up().changed


def test_a_connection_that_breaks_after_the_request_was_taken_loses_nothing(azure: Azure) -> None:
    azure.ledger.break_after = 12
    with pytest.raises(InventoryError, match=r"the connection broke off.*run it again: it goes on where it stopped"):
        azure.up()
    azure.up()
    assert not azure.up().changed


def test_an_operation_of_a_former_run_is_waited_for(azure: Azure) -> None:
    azure.up()
    machine = azure.ledger.held[MACHINE]["properties"]
    machine["provisioningState"] = "Updating"
    azure.ledger.operations.append(Operation(azure.clock() + 30, lambda: machine.update(provisioningState="Succeeded")))
    begin = azure.clock()
    assert not azure.up().changed
    assert azure.clock() - begin >= 30


def test_an_operation_without_an_end_is_told(azure: Azure) -> None:
    azure.ledger.seconds, azure.ledger.retry_after = 10_000, 60
    with pytest.raises(InventoryError, match=r"Azure has not finished it within 18\d\d s\. Run it again"):
        azure.up()


def test_an_address_that_is_taken_is_told__private_ip_address_is_allocated(azure: Azure) -> None:
    azure.up()
    azure.ledger.held[key(NICS, "stranger")] = {
        "id": f"{SCOPE}/providers/{NICS}/stranger", "name": "stranger", "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", "ipConfigurations": [{"name": "a", "properties": {"privateIPAddress": "10.0.0.7"}}]},
    }  # fmt: skip
    hosts = [host("centoshaproxy", "haproxy"), host("web7", "apache_php", address="10.0.0.7")]
    with pytest.raises(InventoryError, match="Another interface has this address"):
        azure.up(hosts=hosts)


def test_a_reserved_interface_is_waited_for_at_creation_too__bosh_azure_cpi_release_366(azure: Azure) -> None:
    azure.ledger.reserved[key(NICS, "centosweb1-nic")] = azure.clock() + 180
    begin = azure.clock()
    azure.up()
    assert azure.clock() - begin > 180
    assert not azure.up().changed


def test_a_change_that_azure_refuses_for_good_is_told__terraform_azurerm_8796(azure: Azure) -> None:
    azure.up()
    azure.ledger.held[MACHINE]["tags"]["siteops-group"] = "other"
    azure.ledger.refusals.append(("PATCH", "centosweb2", 1, 409, "PropertyChangeNotAllowed"))
    with pytest.raises(InventoryError, match=r"virtual machine centosweb2: Azure answered PropertyChangeNotAllowed .*"
                       r" Azure does not change this any more: remove the resource and run it again\."):  # fmt: skip
        azure.up()


def test_a_subnet_that_is_still_in_use_is_waited_for__in_use_subnet_cannot_be_deleted(azure: Azure) -> None:
    azure.up()
    azure.ledger.refusals.append(("DELETE", "webcluster-vnet", 20, 400, "InUseSubnetCannotBeDeleted"))
    begin = azure.clock()
    azure.down(delete_data=True)
    assert azure.ledger.held == {}
    assert azure.clock() - begin >= 200


def test_a_provider_that_somebody_unregisters_meanwhile_is_named__missing_subscription_registration(
    azure: Azure,
) -> None:
    azure.ledger.refusals.append(("PUT", "centosweb1-nic", 1, 409, "MissingSubscriptionRegistration"))
    with pytest.raises(
        InventoryError, match=r"MissingSubscriptionRegistration .* Register the provider in the subscription"
    ):
        azure.up()
    azure.up()
    assert not azure.up().changed


def test_the_group_in_capitals_is_the_same_group__compute_ids(azure: Azure) -> None:
    azure.up()
    shouted = [one["id"] for one in azure.ledger.held.values() if "/WEBCLUSTER/" in one["id"]]
    assert len([one for one in shouted if f"/{MACHINES}/" in one]) == 8
    assert azure.actions(azure.up()) == {}
    assert azure.actions(azure.up(check=True, hosts=[host("centoshaproxy", "haproxy")])) == {
        "surplus": sorted(
            [f"{name}{end}" for name in HOSTS[1:] for end in ("", "-nic")],
            key=lambda name: (name.endswith("-nic"), name),
        )
    }


def test_what_the_service_adds_is_no_difference_and_is_not_sent_back__defaults(azure: Azure) -> None:
    azure.up()
    for name, added in (("etag", 'W/"9"'), ("kind", ""), ("systemData", {"createdBy": "somebody"})):
        azure.ledger.held[MACHINE][name] = added
    network = azure.ledger.held[key(NETWORKS, "webcluster-vnet")]
    network["properties"] |= {"privateEndpointVNetPolicies": "Disabled", "flowTimeoutInMinutes": 0}
    network["properties"]["subnets"][0]["properties"] |= {
        "privateEndpointNetworkPolicies": "Disabled",
        "delegations": [],
    }
    assert not azure.up().changed
    azure.up(network={"prefixes": ["10.0.0.0/26", "10.0.0.64/26"]})
    sent = azure.ledger.bodies[-1][1]
    assert sent["properties"]["flowTimeoutInMinutes"] == 0
    assert not {"etag", "type", "resourceGuid", "provisioningState"} & {*sent, *sent["properties"]}


def test_who_is_always_faster_is_told__precondition_failed(azure: Azure) -> None:
    azure.up()
    azure.ledger.refusals.append(("PUT", "webcluster-vnet", 9, 412, "PreconditionFailed"))
    with pytest.raises(
        InventoryError, match="Somebody else changes the virtual network webcluster-vnet at the same time"
    ):
        azure.up(network={"prefixes": ["10.0.0.0/26", "10.0.0.64/26"]})
    assert azure.ledger.count("PUT") == 25 + 3
