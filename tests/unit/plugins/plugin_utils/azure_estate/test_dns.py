# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain on request: a zone and names that follow the public address, and nothing of anybody else's zone touched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import resources
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.template import template
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.sample import (
    SCOPE,
    Azure,
    KilledError,
    key,
    wanted,
)

ZONE = key("Microsoft.Network/dnsZones", "shop.example")
NAMES: dict[str, Any] = {"dns_zone": "Shop.Example."}


@pytest.fixture
def azure() -> Azure:
    return Azure()


def test_the_zone_and_its_names_are_made_once(azure: Azure) -> None:
    first = azure.up(**NAMES)
    assert azure.ledger.count("PUT") == 25 + 3
    assert first.name_servers == ["ns1-01.azure-dns.com.", "ns2-01.azure-dns.net."]
    for name in ("@", "www"):
        properties = azure.ledger.held[f"{ZONE}/a/{name}"]["properties"]
        assert properties["targetResource"]["id"].endswith("/publicIPAddresses/webcluster-front-ip")
        assert properties["metadata"] == {"siteops-estate": "webcluster"}
    assert azure.ledger.held[ZONE]["location"] == "global"
    second = azure.up(**NAMES)
    assert (second.changed, azure.actions(second), second.name_servers) == (False, {}, first.name_servers)


def test_a_name_more_adds_just_it_and_one_less_is_told(azure: Azure) -> None:
    azure.up(**NAMES)
    assert azure.actions(azure.up(**NAMES, dns_records=["@", "www", "img"])) == {"create": ["shop.example/img"]}
    # What others have told the zone, and what Azure tells of it, is not sent back.
    azure.ledger.held[ZONE]["tags"]["cost"] = "42"
    azure.ledger.held[ZONE]["tags"].pop("siteops-estate")
    azure.up(**NAMES, adopt=True)
    assert azure.ledger.bodies[-1][1] == {
        "location": "global", "tags": {"siteops-estate": "webcluster", "cost": "42"},
    }  # fmt: skip


def test_a_record_that_leads_elsewhere_is_brought_back(azure: Azure) -> None:
    azure.up(**NAMES)
    azure.ledger.held[f"{ZONE}/a/www"]["properties"] |= {"TTL": 9, "ARecords": [{"ipv4Address": "192.0.2.1"}]}
    assert azure.actions(azure.up(**NAMES)) == {"update": ["shop.example/www"]}
    assert "ARecords" not in azure.ledger.bodies[-1][1]["properties"]
    assert not azure.up(**NAMES).changed


def test_a_zone_of_others_is_not_touched(azure: Azure) -> None:
    azure.up(**NAMES)
    azure.ledger.held[ZONE].pop("tags")
    asked = azure.ledger.count("PUT")
    with pytest.raises(InventoryError, match=r"The DNS zone shop\.example exists, but it does not carry our tag"):
        azure.up(**NAMES)
    assert azure.ledger.count("PUT") == asked


def test_zone_and_names_go_with_the_estate(azure: Azure) -> None:
    azure.up(**NAMES)
    planned = azure.down(check=True)
    assert "remove    DNS zone shop.example" in planned.lines
    assert len([line for line in planned.lines if "DNS record" in line]) == 2
    azure.down(delete_data=True)
    assert azure.ledger.held == {}


def test_a_record_of_others_keeps_the_zone_and_with_it_the_estate(azure: Azure) -> None:
    azure.up(**NAMES)
    theirs = {"id": f"{ZONE}/mx/@", "name": "@", "type": "Microsoft.Network/dnszones/MX", "properties": {}}
    azure.ledger.held[f"{ZONE}/mx/@"] = theirs
    with pytest.raises(InventoryError, match=r"The DNS zone shop\.example has the record @ \(MX\) of somebody else, which would"
                       r" go with it: move that first\."):  # fmt: skip
        azure.down()
    assert azure.ledger.count("DELETE") == 0


@pytest.mark.parametrize("number", range(28))
def test_a_run_with_a_domain_that_is_killed_is_finished_by_the_next_and_goes(azure: Azure, number: int) -> None:
    azure.kill_after = number
    with pytest.raises(KilledError):
        azure.up(**NAMES)
    azure.kill_after = None
    azure.up(**NAMES)
    assert azure.ledger.count("PUT") == 28
    azure.down(delete_data=True)
    assert azure.ledger.held == {}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dns_zone": "shop"}, "dns_zone is 'shop'; expected a domain such as example.org"),
        ({"dns_zone": "-a.example"}, "dns_zone is '-a.example'"),
        ({**NAMES, "dns_records": ["www", "www"]}, "dns_records has 'www'; expected different names within shop.example"),
        ({**NAMES, "dns_records": ["a b"]}, "dns_records has 'a b'; expected different names"),
        ({**NAMES, "dns_records": []}, "dns_records is empty; expected at least one name"),
        ({**NAMES, "visitors": "front_door"}, "dns_zone is shop.example, and visitors is front_door; expected names that lead to"),
    ],
)  # fmt: skip
def test_a_domain_that_cannot_be_is_refused(azure: Azure, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InventoryError) as failure:
        azure.up(**options)
    assert str(failure.value).startswith(sentence)
    assert azure.ledger.requests == []


def test_in_a_template_names_follow_their_zone_and_the_address() -> None:
    every = resources(wanted(**NAMES), ("1", "2", "3"))
    parts = template(every, {"network": "n", "compute": "c", "dns": "2018-05-01"})["resources"]
    record = next(one for one in parts if one["name"] == "shop.example/www")
    assert (record["type"], record["apiVersion"]) == ("Microsoft.Network/dnsZones/A", "2018-05-01")
    assert record["dependsOn"] == [
        f"{SCOPE}/providers/Microsoft.Network/publicIPAddresses/webcluster-front-ip",
        f"{SCOPE}/providers/Microsoft.Network/dnsZones/shop.example",
    ]


def test_behind_front_door_visitors_come_from_there_only(azure: Azure) -> None:
    azure.up(visitors="front_door")
    rules = azure.ledger.held[key("Microsoft.Network/networkSecurityGroups", "webcluster-lb-nsg")]["properties"][
        "securityRules"
    ]
    sources = {one["name"]: one["properties"].get("sourceAddressPrefix") for one in rules}
    assert sources["siteops-allow-visitors-80"] == "AzureFrontDoor.Backend"
    assert "Internet" not in sources.values()
    assert azure.actions(azure.up()) == {"update": ["webcluster-lb-nsg"]}
