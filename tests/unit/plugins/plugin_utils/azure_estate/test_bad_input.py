# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input, line by line of what was asked for: one sentence, before the first PUT, and nothing was changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.sample import (
    SCOPE,
    Azure,
    host,
    key,
)

LB = [host("lb1", "haproxy")]
SUBNETS = {"web": "10.0.0.0/28", "mysql": "10.0.0.16/28", "redis": "10.0.0.32/28", "lb": "10.0.0.48/28"}
ELSEWHERE = SCOPE.replace("/webcluster", "/other")


@pytest.fixture
def azure() -> Azure:
    return Azure()


def refusal(azure: Azure, **options: Any) -> str:
    """The sentence that a run ends with; the same in check mode, and neither has changed anything."""
    asked = len(azure.ledger.requests)
    told = []
    for check in (True, False):
        with pytest.raises(InventoryError) as failure:
            azure.up(check=check, **options)
        told.append(str(failure.value))
    assert {method for method, _path in azure.ledger.requests[asked:]} <= {"GET"}
    assert told[0] == told[1]
    assert "\n" not in told[1]
    assert "; expected" in told[1] or ": make it larger." in told[1] or ": remove it." in told[1]
    return told[1]


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ({"prefixes": ["10.0.0.0/30"]}, "network.prefixes has 10.0.0.0/30; Azure takes no network smaller than /29"),
        ({"prefixes": ["10.0.0.0/27"]}, "network.subnets.redis is 10.0.0.32/28, outside of network.prefixes (10.0.0.0/27)"),
        ({"subnets": {**SUBNETS, "lb": "10.0.0.48/30"}}, "network.subnets.lb is 10.0.0.48/30; Azure keeps five addresses"),
        ({"prefixes": ["10.0.0.0/26", "10.0.0.32/27"]}, "network.prefixes has 10.0.0.0/26 and 10.0.0.32/27, which overlap"),
        ({"subnets": {**SUBNETS, "my subnet": "10.0.0.64/28"}, "prefixes": ["10.0.0.0/25"]},
         "network.subnets has the name 'my subnet'; expected up to 80 letters"),
    ],
    ids=["network", "subnets", "subnet", "overlap", "name"],
)  # fmt: skip
def test_prefix_too_small(azure: Azure, network: dict[str, Any], sentence: str) -> None:
    assert refusal(azure, network=network).startswith(sentence)


def test_address_outside_its_subnet(azure: Azure) -> None:
    hosts = [*LB, host("web1", "apache_php", address="10.0.0.20")]
    assert refusal(azure, hosts=hosts).startswith(
        "The address 10.0.0.20 of web1 is outside of its subnet web (10.0.0.0/28); expected one inside of it"
    )


@pytest.mark.parametrize("number", [0, 1, 2, 3, 15])
def test_address_among_azures_five(azure: Azure, number: int) -> None:
    hosts = [*LB, host("web1", "apache_php", address=f"10.0.0.{number}")]
    assert refusal(azure, hosts=hosts) == (
        f"The address 10.0.0.{number} of web1 is one of the five that Azure keeps in 10.0.0.0/28; expected one from"
        " 10.0.0.4 to 10.0.0.14: take one of those."
    )


def test_name_too_long(azure: Azure) -> None:
    assert refusal(azure, name="n" * 41).startswith("name is 'nnn")
    assert refusal(azure, hosts=[*LB, host("h" * 51, "apache_php")]).startswith("hosts has the name 'hhh")
    assert refusal(azure, resource_group="g" * 91).startswith("resource_group is 'ggg")


@pytest.mark.parametrize(
    ("zones", "sentence"),
    [
        (("1", "2"), "lb1 asks for zone 3, and westeurope has the zones 1, 2; expected one of those"),
        ((), "lb1 asks for zone 3, and westeurope has no zones; expected one of those"),
    ],
)
def test_zone_that_the_region_lacks(azure: Azure, zones: tuple[str, ...], sentence: str) -> None:
    azure.ledger.zones = zones
    assert refusal(azure, hosts=[host("lb1", "haproxy", zone="3")]).startswith(sentence)


def test_size_not_offered(azure: Azure) -> None:
    assert refusal(azure, size="Standard_X1").startswith(
        "The size Standard_X1 of centoshaproxy is not offered in westeurope; expected one of Standard_D2as_v5,"
    )


def test_size_not_sold_to_this_subscription(azure: Azure) -> None:
    azure.ledger.restrictions = {
        "Standard_D2as_v5": {
            "type": "Zone", "restrictionInfo": {"zones": ["3"]}, "reasonCode": "NotAvailableForSubscription",
        }
    }  # fmt: skip
    assert refusal(azure).startswith(
        "The size Standard_D2as_v5 of centosweb3 is not to be had in westeurope in zone 3 (NotAvailableForSubscription); expected"
    )


@pytest.mark.parametrize(
    ("capability", "sentence"),
    [
        ({"HyperVGenerations": "V1"}, "boots no image of the second generation, which trusted launch needs"),
        ({"TrustedLaunchDisabled": "True"}, "knows no trusted launch"),
        ({"PremiumIO": "False"}, "takes no premium disks"),
        ({"AcceleratedNetworkingEnabled": "False"}, "has no accelerated networking"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_size_that_cannot_do_what_the_machines_need(azure: Azure, capability: dict[str, str], sentence: str) -> None:
    azure.ledger.capabilities = capability
    assert refusal(azure).startswith(f"The size Standard_D2as_v5 of centoshaproxy {sentence}; expected one that can")
    azure.ledger.capabilities = dict.fromkeys(capability, "True" if "True" not in capability.values() else "False")
    if "HyperVGenerations" in capability:
        azure.ledger.capabilities = {"HyperVGenerations": "V1,V2"}
    assert azure.up(check=True).changed


def test_without_accelerated_networking_a_size_need_not_have_it(azure: Azure) -> None:
    azure.ledger.capabilities = {"AcceleratedNetworkingEnabled": "False"}
    assert azure.up(check=True, accelerated_networking=False).changed


def test_quota(azure: Azure) -> None:
    azure.ledger.network_quota = {"PublicIPAddresses": 1}
    assert refusal(azure).startswith(
        "The quota of PublicIPAddresses in westeurope leaves 1, and what is to be made needs 2; expected enough of them"
    )
    azure.ledger.network_quota, azure.ledger.quota = {}, 15
    assert refusal(azure).startswith("The quota of cores in westeurope leaves 15, and what is to be made needs 16")
    azure.ledger.quota = 16
    assert azure.up(check=True).changed


def test_image_missing(azure: Azure) -> None:
    azure.ledger.images = ("debian-12/12-gen2",)
    assert refusal(azure).startswith(
        "The image Debian:debian-13:13-gen2:latest does not exist in westeurope; expected one"
    )
    assert azure.up(check=True, image="Debian:debian-12:12-gen2:latest").changed


def test_image_of_a_version_that_is_missing(azure: Azure) -> None:
    assert refusal(azure, image="Debian:debian-13:13-gen2:1.2.3").startswith(
        "The image Debian:debian-13:13-gen2:1.2.3 does not"
    )


def test_region_that_azure_has_not(azure: Azure) -> None:
    assert refusal(azure, location="atlantis").startswith(
        "location is atlantis, and Azure has no virtual machines there; expected one of chinanorth3,"
    )


READER = {"actions": ["*/read", "Microsoft.Compute/*", "Microsoft.Resources/*"], "notActions": []}
MAKER = {"actions": ["*"], "notActions": ["*/delete", "*/register/action"]}


def test_login_without_rights(azure: Azure) -> None:
    azure.ledger.permissions = [READER]
    assert refusal(azure).startswith(
        "This identity may not do Microsoft.Network/natGateways/write, Microsoft.Network/networkInterfaces/join/action,"
        " Microsoft.Network/networkInterfaces/write and "
    )


def test_login_that_may_not_refer_to_the_network(azure: Azure) -> None:
    azure.ledger.permissions = [{"actions": ["*"], "notActions": ["*/join/action"]}]
    assert "Microsoft.Network/networkInterfaces/join/action" in refusal(azure)


def test_login_that_may_read_nothing(azure: Azure) -> None:
    azure.ledger.refusals.append(("GET", "resourceGroups/webcluster", 9, 403, "AuthorizationFailed"))
    with pytest.raises(
        InventoryError, match=r"Azure answered AuthorizationFailed .* Give the identity the role Contributor"
    ):
        azure.up()
    assert azure.ledger.count("PUT", "POST") == 0


def test_login_that_may_not_register(azure: Azure) -> None:
    azure.ledger.unregistered = {"Microsoft.Compute", "Microsoft.Network"}
    azure.ledger.permissions = [MAKER]
    assert refusal(azure).startswith(
        "This identity may not do Microsoft.Compute/register/action, Microsoft.Network/register/action in /subscriptions/"
    )


def test_login_that_may_not_remove(azure: Azure) -> None:
    azure.up()
    azure.ledger.permissions = [MAKER]
    with pytest.raises(
        InventoryError, match=r"may not do Microsoft\.Compute/virtualMachines/delete, .* have it assigned"
    ):
        azure.down()
    assert azure.ledger.count("DELETE", "PATCH") == 0


def test_login_that_may_not_restart(azure: Azure) -> None:
    azure.up()
    azure.ledger.permissions = [{"actions": ["*"], "notActions": ["*/deallocate/action"]}]
    assert "Microsoft.Compute/virtualMachines/deallocate/action" in refusal(
        azure, size="Standard_D4as_v5", allow_restart=True
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"admin_cidrs": ["0.0.0.0/0"]}, "admin_cidrs has 0.0.0.0/0, which is as good as the whole Internet"),
        ({"admin_cidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, "admin_cidrs has 0.0.0.0/1, which is as good as the whole Internet"),
        ({"admin_cidrs": ["*"]}, "admin_cidrs has '*', the whole Internet"),
        ({"admin_cidrs": ["any"]}, "admin_cidrs has 'any', the whole Internet"),
        ({"admin_cidrs": ["::/0"]}, "admin_cidrs has '::/0' ("),
        ({"admin_cidrs": ["AzureCloud"]}, "admin_cidrs has 'AzureCloud' ("),
        ({"public_ports": [80, 22]}, "public_ports has 22, which would open SSH to the whole Internet"),
        ({"public_ports": [8404]}, "public_ports has 8404, which would open HAProxy's statistics to the whole Internet"),
    ],
)  # fmt: skip
def test_ssh_from_the_whole_internet_asked_for(azure: Azure, options: dict[str, Any], sentence: str) -> None:
    assert refusal(azure, **options).startswith(sentence)


def test_an_estate_of_that_name_in_another_region(azure: Azure) -> None:
    azure.up()
    with pytest.raises(InventoryError) as failure:
        azure.up(location="northeurope")
    assert str(failure.value) == (
        "The estate webcluster stands in westeurope already; expected northeurope: correct location, remove it there first, or"
        " choose another name."
    )
    assert azure.ledger.count("PUT") == 25


def test_an_estate_of_that_name_in_another_group(azure: Azure) -> None:
    identity = f"{ELSEWHERE}/providers/Microsoft.Network/publicIPAddresses/webcluster-nat-ip"
    azure.ledger.held[identity.lower()] = {
        "id": identity, "name": "webcluster-nat-ip", "location": "northeurope", "tags": {"siteops-estate": "webcluster"},
        "properties": {},
    }  # fmt: skip
    assert refusal(azure) == (
        "An estate webcluster stands in the resource group other in northeurope already; expected none but that of"
        " webcluster: choose another name, or set resource_group."
    )
    azure.ledger.held[identity.lower()]["tags"] = {"siteops-estate": "other"}
    assert azure.up(check=True).changed


@pytest.mark.parametrize("size", [-1, 32_768])
def test_data_disk_that_no_disk_of_azure_is(azure: Azure, size: int) -> None:
    assert refusal(azure, mysql_data_disk_gb=size).startswith(
        f"mysql_data_disk_gb is {size}; expected GiB from 1 to 32767"
    )
    hosts = [*LB, host("web1", "apache_php", data_disk_gb=size)]
    assert refusal(azure, hosts=hosts).startswith(f"data_disk_gb of web1 is {size}; expected GiB")


def test_bad_input_leaves_an_estate_that_stands_as_it_is(azure: Azure) -> None:
    azure.up()
    machine = azure.ledger.held.pop(key("Microsoft.Compute/virtualMachines", "centosweb3"))
    assert "is not offered" in refusal(azure, hosts=[*LB, host("web9", "apache_php", size="Standard_X1")])
    assert machine["id"].lower() not in azure.ledger.held
