# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs against the loopback subscription: what is asked and changed, from nothing, from a half, and back."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.tests.loopback_estate import Ledger
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.sample import (
    SCOPE,
    Azure,
    KilledError,
    host,
    key,
)

NETWORKS, NICS = "Microsoft.Network/virtualNetworks", "Microsoft.Network/networkInterfaces"
GROUPS, IPS = "Microsoft.Network/networkSecurityGroups", "Microsoft.Network/publicIPAddresses"
MACHINES, DISKS = "Microsoft.Compute/virtualMachines", "Microsoft.Compute/disks"
DATA = [key(DISKS, f"webcluster-centosmysql{number}-data") for number in (1, 2)]
EVERY_PUT = range(26)
GOLDEN = Path(__file__).with_name("golden_requests.txt")


@pytest.fixture
def azure() -> Azure:
    return Azure()


@pytest.fixture(scope="module")
def complete() -> dict[str, Any]:
    """What a subscription holds after the first run."""
    made = Azure()
    made.up()
    return made.ledger.held


def having(held: dict[str, Any]) -> Azure:
    azure = Azure()
    azure.ledger.held = copy.deepcopy(held)
    return azure


def test_the_first_run_makes_everything_and_the_second_nothing(azure: Azure) -> None:
    begin = azure.clock()
    first = azure.up()
    assert first.changed
    assert (azure.ledger.count("PUT"), azure.ledger.count("PATCH", "DELETE", "POST")) == (1 + 24, 0)
    # Five waves of a second each.
    assert azure.clock() - begin <= 8
    assert first.front_address
    asked = len(azure.ledger.requests)
    second = azure.up()
    assert (second.changed, azure.actions(second)) == (False, {})
    assert {method for method, _path in azure.ledger.requests[asked:]} == {"GET"}
    assert len(azure.ledger.requests) - asked < 12
    assert second.front_address == first.front_address


def test_the_requests_are_those_of_the_golden_list(azure: Azure) -> None:
    """Side by side within a wave, so sorted there."""
    azure.up()
    told = [_shortened(one) for one in azure.ledger.requests if one[0] != "GET"]
    waves = [told[:1], told[1:7], told[7:8], told[8:9], told[9:17], told[17:]]
    asked = len(azure.ledger.requests)
    azure.up()
    second = sorted(map(_shortened, azure.ledger.requests[asked:]))
    lines = [*(line for wave in waves for line in sorted(wave)), "", *second, ""]
    assert "\n".join(lines) == GOLDEN.read_text(encoding="utf-8")


def _shortened(request: tuple[str, str]) -> str:
    return f"{request[0]} {request[1].removeprefix(SCOPE) or '(group)'}"


@pytest.mark.parametrize(
    ("cloud", "place"),
    [
        ("public", "https://management.azure.com"),
        ("china", "https://management.chinacloudapi.cn"),
        ("us_government", "https://management.usgovcloudapi.net"),
    ],
)
def test_nobody_but_the_cloud_itself_is_asked(cloud: str, place: str) -> None:
    azure = Azure(cloud=cloud)
    azure.up()
    azure.down(delete_data=True)
    assert azure.ledger.held == {}
    assert azure.places == {place}


def test_a_plan_changes_nothing_and_names_everything(azure: Azure) -> None:
    planned = azure.up(check=True)
    assert planned.changed
    assert len(azure.actions(planned)["create"]) == 25
    assert azure.ledger.count("GET") == len(azure.ledger.requests)
    assert "create    virtual machine centosweb2" in planned.lines


def test_any_part_of_the_estate_may_be_there_already(complete: dict[str, Any]) -> None:
    names = [one for one in complete if one != SCOPE.lower() and f"/{DISKS.lower()}/" not in one]
    for again in range(24):
        # A resource stands only where all that it needs does.
        azure = having(complete)
        for one in [one for one in names if crc32(f"{again}{one}".encode()) % 24 <= again]:
            azure.ledger.held.pop(one)
        for one in [one for one in names if one in azure.ledger.held and _dangling(azure.ledger, one)]:
            azure.ledger.held.pop(one)
        missing = len([one for one in names if one not in azure.ledger.held])
        _drop_disks(azure.ledger)
        assert azure.up().changed
        assert (azure.ledger.count("PUT"), azure.ledger.count("PATCH")) == (missing, 0)
        assert not azure.up().changed


def _dangling(ledger: Ledger, name: str) -> bool:
    """Machines need their interface, and so on: what refers to nothing cannot be there."""
    held = ledger.held[name]
    if f"/{MACHINES.lower()}/" in name:
        nic = held["properties"]["networkProfile"]["networkInterfaces"][0]["id"].lower()
        return nic not in ledger.held or _dangling(ledger, nic)
    if f"/{NICS.lower()}/" in name:
        return key(NETWORKS, "webcluster-vnet") not in ledger.held or _dangling(
            ledger, key(NETWORKS, "webcluster-vnet")
        )
    if f"/{NETWORKS.lower()}/" in name:
        needed = [key(GROUPS, f"webcluster-{tier}-nsg") for tier in ("lb", "web", "mysql", "redis")]
        nat = key("Microsoft.Network/natGateways", "webcluster-nat")
        return not all(one in ledger.held for one in [*needed, nat]) or _dangling(ledger, nat)
    return "/natgateways/" in name and key(IPS, "webcluster-nat-ip") not in ledger.held


def _drop_disks(ledger: Ledger) -> None:
    """The disks of machines that are not there."""
    for name, disk in list(ledger.held.items()):
        if f"/{DISKS.lower()}/" in name and disk["managedBy"].lower() not in ledger.held:
            del ledger.held[name]


@pytest.mark.parametrize("number", EVERY_PUT)
def test_a_run_that_is_killed_is_finished_by_the_next(number: int) -> None:
    azure = Azure(kill_after=number)
    with pytest.raises(KilledError):
        azure.up()
    azure.kill_after = None
    azure.up()
    assert azure.ledger.count("PUT") == 25
    assert {one["properties"]["provisioningState"] for one in azure.ledger.held.values()} == {"Succeeded"}
    assert not azure.up().changed


@pytest.mark.parametrize("number", EVERY_PUT)
def test_what_a_killed_run_has_made_is_taken_away(number: int) -> None:
    azure = Azure(kill_after=number)
    foreign = {"id": f"{SCOPE}/providers/{IPS}/theirs", "name": "theirs", "location": "westeurope", "properties": {}}
    with pytest.raises(KilledError):
        azure.up()
    azure.kill_after = None
    azure.ledger.held[key(IPS, "theirs")] = copy.deepcopy(foreign)
    azure.down(delete_data=True)
    assert [one for one in azure.ledger.held if one != SCOPE.lower()] == [key(IPS, "theirs")]
    assert azure.ledger.held[key(IPS, "theirs")] == foreign
    assert not azure.down(delete_data=True).changed


@pytest.mark.parametrize("number", EVERY_PUT[1:])
def test_a_connection_that_breaks_after_any_request_was_taken_loses_nothing(number: int) -> None:
    azure = Azure()
    azure.ledger.break_after = number
    with contextlib.suppress(InventoryError):
        azure.up()
    azure.up()
    # What was taken is not sent again.
    assert azure.ledger.count("PUT") == 25
    assert not azure.up().changed


# Machines, interfaces, network, gateway, addresses with security groups and disks; the group itself.
EVERY_DELETE = range(8 + 1 + 1 + 8 + 1)


@pytest.mark.parametrize("number", EVERY_DELETE)
def test_a_removal_that_is_killed_is_finished_by_the_next(complete: dict[str, Any], number: int) -> None:
    azure = having(complete)
    azure.kill_method, azure.kill_after = "DELETE", number
    with pytest.raises(KilledError):
        azure.down(delete_data=True)
    azure.kill_after = None
    azure.down(delete_data=True)
    assert azure.ledger.held == {}


@pytest.mark.parametrize("number", EVERY_DELETE)
def test_what_a_killed_removal_took_is_made_again(complete: dict[str, Any], number: int) -> None:
    azure = having(complete)
    azure.kill_method, azure.kill_after = "DELETE", number
    with pytest.raises(KilledError):
        azure.down()
    azure.kill_after = None
    azure.ledger.settle()
    azure.up()
    assert {one for one in complete if one not in azure.ledger.held} == set()
    assert not azure.up().changed


def test_data_stay_until_asked_and_are_taken_up_again(complete: dict[str, Any]) -> None:
    azure = having(complete)
    down = azure.down()
    assert sorted(down.remaining) == sorted(one.rsplit("/", 1)[1] for one in DATA)
    assert sorted(azure.ledger.held) == sorted([SCOPE.lower(), *DATA])
    azure.up()
    disks = azure.ledger.held[key(MACHINES, "centosmysql1")]["properties"]["storageProfile"]["dataDisks"]
    assert [one["createOption"] for one in disks] == ["Attach"]
    assert not azure.up().changed
    azure.down(delete_data=True)
    assert azure.ledger.held == {}


def test_a_removal_is_planned_without_changing_anything(complete: dict[str, Any]) -> None:
    azure = having(complete)
    planned = azure.down(check=True)
    assert planned.changed
    assert {line.split(" ", 1)[0] for line in planned.lines} == {"remove", "keep"}
    assert azure.ledger.count("GET") == len(azure.ledger.requests)


def test_an_added_machine_adds_just_it(complete: dict[str, Any]) -> None:
    hosts = [host("centoshaproxy", "haproxy"), *(host(f"centosweb{number}", "apache_php") for number in (1, 2, 3, 4)),
             host("centosmysql1", "mysql_master"), host("centosmysql2", "mysql_replica"),
             host("centosredis1", "redis_master"), host("centosredis2", "redis_replica")]  # fmt: skip
    azure = having(complete)
    outcome = azure.up(hosts=hosts)
    assert azure.actions(outcome) == {"create": ["centosweb4-nic", "centosweb4"]}
    assert azure.ledger.count("PUT") == 2
    gone = azure.up()
    assert azure.actions(gone) == {"surplus": ["centosweb4", "centosweb4-nic"]}


def test_a_changed_network_of_administrators_changes_the_rules_only(complete: dict[str, Any]) -> None:
    azure = having(complete)
    theirs = {"name": "theirs", "properties": {"priority": 300, "direction": "Inbound", "access": "Deny"}}
    azure.ledger.held[key(GROUPS, "webcluster-web-nsg")]["properties"]["securityRules"].append(theirs)
    outcome = azure.up(admin_cidrs=["198.51.100.0/24"])
    assert azure.actions(outcome) == {"update": [f"webcluster-{tier}-nsg" for tier in ("web", "mysql", "redis", "lb")]}
    assert "rules of others stay: theirs" in next(line for line in outcome.lines if "webcluster-web-nsg" in line)
    rules = azure.ledger.held[key(GROUPS, "webcluster-web-nsg")]["properties"]["securityRules"]
    assert [one["name"] for one in rules][-1] == "theirs"
    assert not azure.up(admin_cidrs=["198.51.100.0/24"]).changed


def test_a_rule_of_ours_that_nobody_needs_any_more_goes(complete: dict[str, Any]) -> None:
    azure = having(complete)
    assert azure.actions(azure.up(public_ports=[80])) == {"update": ["webcluster-lb-nsg"]}
    rules = azure.ledger.held[key(GROUPS, "webcluster-lb-nsg")]["properties"]["securityRules"]
    assert not [one for one in rules if "443" in one["name"]]


REFUSED: list[tuple[str, Callable[[dict[str, Any]], Any], dict[str, Any], str]] = [
    ("no tag", lambda held: held[key(IPS, "webcluster-nat-ip")].pop("tags"), {},
     "The public IP address webcluster-nat-ip exists, but it does not carry our tag"),
    ("another estate", lambda held: held[key(IPS, "webcluster-nat-ip")]["tags"].update({"siteops-estate": "other"}), {"adopt": True},
     "The public IP address webcluster-nat-ip exists, but it belongs to the estate other"),
    ("image", lambda _held: None, {"image": "Debian:debian-12:12-gen2:latest"},
     "centosredis1, centosredis2 must be made anew, because Azure does not change"
     " storageProfile.imageReference.offer debian-13 -> debian-12"),
    ("size", lambda _held: None, {"size": "Standard_D4as_v5"},
     "centosredis1, centosredis2 must be restarted for hardwareProfile.vmSize"),
    ("region", lambda _held: None, {"location": "northeurope"},
     "The estate webcluster stands in westeurope already; expected northeurope"),
    ("address", lambda _held: None, {"hosts": [host("centoshaproxy", "haproxy", address="10.0.0.60")]},
     "The network interface centoshaproxy-nic must be made anew"),
    ("priority", lambda held: held[key(GROUPS, "webcluster-lb-nsg")]["properties"]["securityRules"].append(
        {"name": "theirs", "properties": {"priority": 100, "direction": "Inbound"}}), {},
     "The security group webcluster-lb-nsg has the rule theirs of somebody else at priority 100"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "options", "sentence"), REFUSED, ids=[one[0] for one in REFUSED])
def test_what_must_not_be_done_stops_before_anything_changes(
    complete: dict[str, Any], name: str, before: Callable[[dict[str, Any]], Any], options: dict[str, Any], sentence: str
) -> None:
    azure = having(complete)
    before(azure.ledger.held)
    # Something that could be done is not done either.
    azure.ledger.held.pop(key(MACHINES, "centosweb3"))
    _drop_disks(azure.ledger)
    with pytest.raises(InventoryError) as failure:
        azure.up(**options)
    assert sentence in str(failure.value), name
    assert {method for method, _path in azure.ledger.requests} == {"GET"}
    assert any(sentence in one for one in azure.up(check=True, **options).refusals)


def test_what_carries_no_tag_is_adopted_when_asked(complete: dict[str, Any]) -> None:
    azure = having(complete)
    azure.ledger.held[key(IPS, "webcluster-nat-ip")]["tags"] = {"cost": "42"}
    azure.up(adopt=True)
    assert azure.ledger.held[key(IPS, "webcluster-nat-ip")]["tags"] == {"cost": "42", "siteops-estate": "webcluster"}


def test_another_size_restarts_one_machine_after_the_other(complete: dict[str, Any]) -> None:
    azure = having(complete)
    azure.up(size="Standard_D4as_v5", allow_restart=True)
    changes = [(method, path.rsplit("/", 1)[-1]) for method, path in azure.ledger.requests if method != "GET"]
    assert changes[:6] == [("POST", "deallocate"), ("PATCH", "centoshaproxy"), ("POST", "start"),
                           ("POST", "deallocate"), ("PATCH", "centosweb1"), ("POST", "start")]  # fmt: skip
    assert len(changes) == 24
    assert not azure.up(size="Standard_D4as_v5").changed


def test_a_key_and_a_cloud_init_of_another_day_are_told_only(complete: dict[str, Any]) -> None:
    azure = having(complete)
    outcome = azure.up(ssh_public_key="ssh-ed25519 " + "B" * 68)
    assert not outcome.changed
    assert any("publicKeys differs from the day it was made" in line for line in outcome.lines)


def test_a_group_of_others_is_used_and_stays(complete: dict[str, Any]) -> None:
    azure = having(complete)
    azure.ledger.held[SCOPE.lower()].pop("tags")
    assert "keep      resource group webcluster: not ours, and stays when the estate is removed" in azure.up().lines
    azure.down(delete_data=True)
    assert list(azure.ledger.held) == [SCOPE.lower()]


def test_a_subnet_of_others_keeps_the_estate_from_being_removed(complete: dict[str, Any]) -> None:
    azure = having(complete)
    vnet = azure.ledger.held[key(NETWORKS, "webcluster-vnet")]["properties"]
    vnet["subnets"].append({"name": "theirs", "id": "/x", "properties": {"addressPrefix": "10.0.0.64/28"}})
    with pytest.raises(
        InventoryError, match=r"has the subnet theirs of somebody else, which would go with it: move that first"
    ):
        azure.down()
    assert {method for method, _path in azure.ledger.requests} == {"GET"}
    assert "subnets of others stay: theirs" in next(
        line for line in azure.up(check=True).lines if "virtual network" in line
    )


def test_without_zones_in_the_region_availability_sets_are_made(azure: Azure) -> None:
    azure.ledger.zones = ()
    assert len([one for one in azure.actions(azure.up())["create"] if one.endswith("-set")]) == 4
    assert not azure.up().changed


def test_with_two_load_balancers_azures_stands_in_front(azure: Azure) -> None:
    hosts = [host("lb1", "haproxy"), host("lb2", "haproxy"), host("web1", "apache_php")]
    azure.up(hosts=hosts)
    assert not azure.up(hosts=hosts).changed
    azure.down(hosts=hosts)
    assert azure.ledger.held == {}
