# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies: what stands in them, against the SDK's models, and against the published schemas where those are at hand."""

from __future__ import annotations

import base64
import copy
import ipaddress
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import (
    KINDS,
    Resource,
    resources,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.template import template
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.sample import host, wanted
from azure.mgmt.compute import models as compute_models
from azure.mgmt.network import models as network_models

Json = dict[str, Any]
ZONES = ("1", "2", "3")
TWO_BALANCERS = [
    host("lb1", "haproxy"),
    host("lb2", "haproxy"),
    host("web1", "apache_php"),
    host("db1", "mysql_master"),
]
ESTATES: dict[str, Json] = {
    "tutorial": {},
    "balancers": {"hosts": TWO_BALANCERS},
    "plain": {"zones": "none", "outbound": "none"},
}
SCHEMAS = os.environ.get("SITEOPS_AZURE_SCHEMAS", "")
MODELS = {
    "security_group": network_models.NetworkSecurityGroup, "public_ip": network_models.PublicIPAddress,
    "nat": network_models.NatGateway, "load_balancer": network_models.LoadBalancer,
    "network": network_models.VirtualNetwork, "nic": network_models.NetworkInterface,
    "machine": compute_models.VirtualMachine, "availability_set": compute_models.AvailabilitySet,
}  # fmt: skip


def made(name: str) -> list[Resource]:
    return resources(wanted(**ESTATES[name]), ZONES)


def body(every: list[Resource], name: str) -> Any:
    return next(one.body for one in every if one.name == name)


def test_the_tutorial_takes_24_resources_and_a_load_balancer_is_one_more() -> None:
    kinds = [one.kind for one in made("tutorial")]
    assert len(kinds) == 24
    assert {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)} == {
        "security_group": 4, "public_ip": 2, "nat": 1, "network": 1, "nic": 8, "machine": 8,
    }  # fmt: skip
    assert len(resources(wanted(front="load_balancer"), ZONES)) == 25


def test_neighbours_of_a_tier_stand_in_different_zones() -> None:
    zones = {one.name: one.body["zones"] for one in made("tutorial") if one.kind == "machine"}
    assert [zones[f"centosweb{number}"] for number in (1, 2, 3)] == [["1"], ["2"], ["3"]]
    assert zones["centosmysql1"] != zones["centosmysql2"]


def test_without_zones_a_tier_has_an_availability_set() -> None:
    every = resources(wanted(), ())
    assert [one.name for one in every if one.kind == "availability_set"] == [
        f"webcluster-{tier}-set" for tier in ("lb", "web", "mysql", "redis")
    ]
    machine = body(every, "centosmysql2")
    assert "zones" not in machine
    assert machine["properties"]["availabilitySet"]["id"].endswith("/webcluster-mysql-set")


def test_no_subnet_has_a_way_out_of_its_own() -> None:
    for subnet in body(made("tutorial"), "webcluster-vnet")["properties"]["subnets"]:
        assert subnet["properties"]["defaultOutboundAccess"] is False
        assert subnet["properties"]["natGateway"]["id"].endswith("/webcluster-nat")


def test_a_machine_takes_keys_only_and_boots_signed() -> None:
    machine = body(made("tutorial"), "centosweb1")["properties"]
    assert machine["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"] is True
    assert machine["securityProfile"]["securityType"] == "TrustedLaunch"
    assert base64.b64decode(machine["osProfile"]["customData"]).startswith(b"#cloud-config\n")


def test_data_outlive_their_machine() -> None:
    (disk,) = body(made("tutorial"), "centosmysql1")["properties"]["storageProfile"]["dataDisks"]
    assert (disk["createOption"], disk["deleteOption"], disk["caching"]) == ("Empty", "Detach", "None")
    found = disk_id = f"{wanted().scope}/providers/Microsoft.Compute/disks/webcluster-centosmysql1-data"
    again = resources(wanted(), ZONES, {found.lower()})
    (disk,) = body(again, "centosmysql1")["properties"]["storageProfile"]["dataDisks"]
    assert (disk["createOption"], disk["managedDisk"]) == ("Attach", {"id": disk_id})


def test_each_reference_leads_to_a_resource_of_an_earlier_wave() -> None:
    for name in ESTATES:
        every = made(name)
        waves = {one.id: one.wave for one in every}
        parts = template(every, dict.fromkeys(["network", "compute"], "2024-05-01"))["resources"]
        for resource, part in zip(every, parts, strict=True):
            assert all(waves[one] < resource.wave for one in part["dependsOn"]), resource.name
            assert bool(part["dependsOn"]) == (resource.wave > 1), resource.name


def test_both_load_balancers_are_in_azures_pool_and_have_no_address_of_their_own() -> None:
    every = made("balancers")
    for name in ("lb1-nic", "lb2-nic"):
        (one,) = body(every, name)["properties"]["ipConfigurations"]
        assert one["properties"]["loadBalancerBackendAddressPools"][0]["id"].endswith("/backendAddressPools/balancers")
        assert "publicIPAddress" not in one["properties"]


def sense_errors(every: list[Resource], prefixes: list[str]) -> Iterator[str]:
    """What no schema sees."""
    subnets: dict[str, str] = {}
    addresses: set[str] = set()
    for one in every:
        properties = one.body["properties"]
        for subnet in properties.get("subnets", []):
            subnets[f"{one.id}/subnets/{subnet['name']}"] = subnet["properties"]["addressPrefix"]
            if not any(
                ipaddress.IPv4Network(subnet["properties"]["addressPrefix"]).subnet_of(ipaddress.IPv4Network(space))
                for space in prefixes
            ):
                yield f"{subnet['name']} is outside"
        rules = [rule["properties"] for rule in properties.get("securityRules", [])]
        if len({rule["priority"] for rule in rules}) != len(rules) or not all(
            100 <= rule["priority"] <= 4096 for rule in rules
        ):
            yield f"priorities of {one.name}"
        for configuration in properties.get("ipConfigurations", []):
            address = configuration["properties"]["privateIPAddress"]
            network = ipaddress.IPv4Network(subnets[configuration["properties"]["subnet"]["id"]])
            kept = {str(network[number]) for number in (0, 1, 2, 3, -1)}
            if ipaddress.IPv4Address(address) not in network or address in kept | addresses:
                yield f"{one.name} at {address}"
            addresses.add(address)
        if len(one.name) > (64 if one.kind == "machine" else 80):
            yield f"{one.name} is too long"


@pytest.mark.parametrize("name", ESTATES)
def test_the_bodies_make_sense_together(name: str) -> None:
    assert list(sense_errors(made(name), ["10.0.0.0/26"])) == []


def test_the_longest_names_are_short_enough_for_azure() -> None:
    hosts = [host("h" * 50, "haproxy"), host("m" * 50, "mysql_master")]
    long = resources(wanted(name="n" * 40, hosts=hosts), ZONES)
    assert all(len(one.name) <= 80 for one in long)
    storage = next(one for one in long if one.name.startswith("m") and one.kind == "machine").body["properties"][
        "storageProfile"
    ]
    assert len(storage["osDisk"]["name"]) <= 100


# The models of the SDK: names of fields, read-only ones, and words of closed lists.
OPEN_WORDS = {"vmSize"}


def model_errors(model: Any, value: Any, path: str = "") -> Iterator[str]:
    """What the model of the SDK does not know, which it would send all the same."""
    fields = {one._rest_name: (name, one) for name, one in type(model())._attr_to_rest_field.items()}
    for key, inner in value.items():
        where = f"{path}.{key}"
        if key not in fields:
            yield f"{where} is unknown"
            continue
        name, field = fields[key]
        if field._visibility == ["read"]:
            yield f"{where} is read-only"
            continue
        annotation = str(
            model.__annotations__.get(name)
            or next(
                (base.__annotations__[name] for base in model.__mro__ if name in getattr(base, "__annotations__", {})),
                "",
            )
        )
        yield from _inner_errors(annotation, inner, where, key)


def _named(annotation: str) -> Any:
    """The model or the list of words that an annotation names."""
    for name in re.findall(r"_models\.(\w+)", annotation):
        for models in (compute_models, network_models):
            if hasattr(models, name):
                return getattr(models, name)
    return None


def _inner_errors(annotation: str, value: Any, path: str, key: str) -> Iterator[str]:
    known = _named(annotation)
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping) and known:
            yield from model_errors(known, one, path)
        elif isinstance(one, str) and key not in OPEN_WORDS and one not in _words(known, one):
            yield f"{path} is {one}"


def _words(known: Any, fallback: str) -> list[str]:
    """The words of a closed list; any is good where there is none."""
    return [member.value for member in known] if hasattr(known, "__members__") else [fallback]


@pytest.mark.parametrize("name", ESTATES)
def test_the_models_of_the_sdk_know_every_field_and_word(name: str) -> None:
    for one in made(name):
        assert list(model_errors(MODELS[one.kind], one.body)) == [], one.name


def test_the_check_against_the_models_finds_mistakes() -> None:
    machine = copy.deepcopy(body(made("tutorial"), "centosweb1"))
    machine["properties"]["storageProfile"]["osDisk"]["cachin"] = "None"
    machine["properties"]["securityProfile"]["securityType"] = "Trustedlaunch"
    machine["properties"]["provisioningState"] = "Succeeded"
    assert sorted(model_errors(compute_models.VirtualMachine, machine)) == [
        ".properties.provisioningState is read-only",
        ".properties.securityProfile.securityType is Trustedlaunch",
        ".properties.storageProfile.osDisk.cachin is unknown",
    ]


def closed(schema: Any) -> Any:
    """The published schema, which takes unknown keys and not today's sizes, the other way round."""
    if isinstance(schema, dict):
        made_of = {key: closed(value) for key, value in schema.items()}
        if "properties" in made_of and made_of.get("type") == "object":
            made_of.setdefault("additionalProperties", False)
        if isinstance(made_of.get("properties"), dict) and "vmSize" in made_of["properties"]:
            made_of["properties"]["vmSize"] = {"type": "string"}
        return made_of
    return [closed(one) for one in schema] if isinstance(schema, list) else schema


@pytest.fixture(scope="module")
def validators() -> dict[str, Any]:
    """A validator for each kind."""
    folder = Path(SCHEMAS)
    common = referencing.Resource.from_contents(
        json.loads((folder / "definitions.json").read_text(encoding="utf-8")), referencing.jsonschema.DRAFT4
    )
    registry = referencing.Registry().with_resource(
        "https://schema.management.azure.com/schemas/common/definitions.json", common
    )
    found = {}
    for service, file in (("network", "Microsoft.Network.NRP.json"), ("compute", "Microsoft.Compute.json")):
        whole = closed(json.loads((folder / file).read_text(encoding="utf-8")))
        whole.pop("id", None)
        for kind, one in KINDS.items():
            name = one.path.rsplit("/", 1)[-1]
            if one.service == service and kind in MODELS:
                schema = {**whole["resourceDefinitions"][name], "definitions": whole["definitions"]}
                found[kind] = jsonschema.Draft4Validator(schema, registry=registry)
                found[f"{kind}-version"] = schema["properties"]["apiVersion"]["enum"][0]
    return found


def schema_errors(validators: dict[str, Any], kind: str, name: str, content: Any) -> list[str]:
    part = {"apiVersion": validators[f"{kind}-version"], "type": KINDS[kind].path, "name": name, **content}
    return [
        f"{'/'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in validators[kind].iter_errors(part)
    ]


@pytest.mark.skipif(not SCHEMAS, reason="SITEOPS_AZURE_SCHEMAS names no folder")
@pytest.mark.parametrize("name", ESTATES)
def test_the_published_schemas_take_every_body(name: str, validators: dict[str, Any]) -> None:
    for one in made(name):
        assert schema_errors(validators, one.kind, one.name, one.body) == [], one.name


@pytest.mark.skipif(not SCHEMAS, reason="SITEOPS_AZURE_SCHEMAS names no folder")
def test_the_schemas_find_mistakes(validators: dict[str, Any]) -> None:
    rules = copy.deepcopy(body(made("tutorial"), "webcluster-web-nsg"))
    rules["properties"]["securityRules"][0]["properties"]["priority"] = "100"
    assert schema_errors(validators, "security_group", "x", rules)
    machine = copy.deepcopy(body(made("tutorial"), "centosweb1"))
    machine["properties"]["storageProfile"]["osDisk"]["cachin"] = "None"
    assert schema_errors(validators, "machine", "x", machine)
