# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's examples of a PUT: what was asked for and its answer are no difference; SITEOPS_AZURE_PAYLOADS names their folder."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import cleaned
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.plan import (
    ANEW,
    CREATE,
    KEEP,
    UPDATE,
    Permissions,
    Step,
    kind_of,
    plan,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import (
    Resource,
    group,
    resources,
)
from ansible_collections.siteops.webcluster.tests.unit.plugins.inventory.test_conformance import FOLDER
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.sample import wanted

Json = dict[str, Any]
# Which examples of Azure's published specification, and of what kind their answers are.
EXAMPLES = {
    "AvailabilitySet_Create-2024-07-01": "availability_set",
    "CreateOrUpdateARecordsetAlias-2018-05-01": "dns_record",
    "CreateOrUpdateZone-2018-05-01": "dns_zone",
    "LoadBalancerCreate-2024-03-01": "load_balancer",
    "NatGatewayCreateOrUpdate-2024-01-01": "nat",
    "NetworkInterfaceCreate-2024-05-01": "nic",
    "NetworkSecurityGroupCreateWithRule-2024-05-01": "security_group",
    "PublicIpAddressCreateCustomizedValues-2024-05-01": "public_ip",
    "VirtualMachine_Create_InAnAvailabilitySet-2024-07-01": "machine",
    "VirtualMachine_Create_WithEmptyDataDisks-2024-07-01": "machine",
    "VirtualMachine_Create_WithSshAuthentication-2024-07-01": "machine",
    "VirtualNetworkCreateSubnet-2024-03-01": "network",
}
# Where an example contradicts itself: names in braces are filled in on one side only, and an answer forgets a field.
PLACEHOLDER = re.compile(r"\{[\w-]+\}")
FORGOTTEN = {("NetworkInterfaceCreate-2024-05-01", "201"): ("disableTcpStateTracking",)}
# What a machine never shows.
SECRET = ("adminPassword",)
ANSWERS = ("200", "201")
# What counts on the first day alone, and what the machine itself has the say of by then.
FIRST_DAY = ".createOption"
OF_THE_MACHINE = "properties.osProfile.linuxConfiguration.ssh."
# What an owner names as he likes.
FREE = ("metadata", "tags")
WANTED = wanted()
GROUP = group(WANTED, WANTED.location)


def stored(name: str) -> Json:
    """An example as it is published; none, no test."""
    path = Path(FOLDER) / f"spec-{name}.json"
    if not FOLDER or not path.exists():
        pytest.skip(f"SITEOPS_AZURE_PAYLOADS names no folder with spec-{name}.json")
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def example(name: str) -> tuple[Json, dict[str, Json]]:
    """What is sent, and the bodies that come back, by status."""
    content = stored(name)
    answers = {status: content["responses"][status]["body"] for status in ANSWERS if status in content["responses"]}
    return content["parameters"]["parameters"], answers


def without(value: Any, names: tuple[str, ...]) -> Any:
    """The same without fields of these names."""
    if isinstance(value, dict):
        return {key: without(one, names) for key, one in value.items() if key not in names}
    return [without(one, names) for one in value] if isinstance(value, list) else value


def filled(sent: Any, answer: Any) -> Any:
    """What is sent, with the answer's text where the example has a placeholder."""
    if isinstance(sent, dict) and isinstance(answer, dict):
        return {key: filled(one, answer.get(key)) for key, one in sent.items()}
    if isinstance(sent, list) and isinstance(answer, list) and len(sent) == len(answer):
        return [filled(one, other) for one, other in zip(sent, answer, strict=True)]
    return answer if isinstance(sent, str) and PLACEHOLDER.search(sent) and isinstance(answer, str) else sent


def planned(kind: str, sent: Json, answer: Json | None, identity: str) -> Step:
    """The step of the real plan for a resource; the examples carry no tag of ours, so it is adopted."""
    resource = Resource(kind, identity.rsplit("/", 1)[-1], identity, sent)
    held = {} if answer is None else {identity.lower(): answer}
    made = plan(WANTED, GROUP, [resource], held, permissions=Permissions(adopt=True, restart=True))
    return made.steps[1]


def cases(name: str) -> Iterator[tuple[Json, Json]]:
    """What is sent and each answer to it, without the example's own contradictions."""
    sent, answers = example(name)
    for status, answer in answers.items():
        yield filled(without(sent, (*SECRET, *FORGOTTEN.get((name, status), ()))), answer), answer


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_the_service_answers_is_what_was_asked_for(name: str) -> None:
    for sent, answer in cases(name):
        step = planned(EXAMPLES[name], sent, answer, answer["id"])
        assert (step.action, [str(one) for one in step.differences], list(step.notes)) == (KEEP, [], [])
        assert step.unfinished == (EXAMPLES[name] == "machine")
        assert kind_of(answer["id"]) == EXAMPLES[name]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each text, number and switch of a body: its place as the plan names it, what holds it, and its key there."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        where = f"{path}.{key}".lstrip(".") if isinstance(value, dict) else f"{path}[{key}]"
        if isinstance(one, dict | list):
            yield from leaves(one, where)
        else:
            yield where, value, key


def changed(value: Any) -> Any:
    return not value if isinstance(value, bool) else value + 1000 if isinstance(value, int) else f"{value}x"


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_field_that_is_sent_can_change_unseen(name: str) -> None:
    seen = 0
    for sent, answer in cases(name):
        for number, (path, _holder, _key) in enumerate(leaves(sent)):
            other = copy.deepcopy(sent)
            _path, holder, key = list(leaves(other))[number]
            holder[key] = changed(holder[key])
            step = planned(EXAMPLES[name], other, answer, answer["id"])
            if path.endswith(FIRST_DAY):
                assert step.action == KEEP, path
            elif path.startswith(OF_THE_MACHINE):
                assert (step.action, bool(step.notes)) == (KEEP, True), path
            else:
                assert step.action in (UPDATE, ANEW), path
                seen += 1
    assert seen > 2


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_sent_again_for_a_tag_keeps_all_that_the_service_shows(name: str) -> None:
    for sent, answer in cases(name):
        tagged = {**sent, "tags": {**sent.get("tags", {}), "owner": "shop"}}
        step = planned(EXAMPLES[name], tagged, answer, answer["id"])
        assert (step.action, [one.path for one in step.differences]) == (
            UPDATE,
            ["tags.owner" if "tags" in answer else "tags"],
        )
        assert step.body is not None
        assert step.body["tags"] == tagged["tags"]
        if EXAMPLES[name] == "machine":
            # Azure refuses much of what it shows of one.
            assert set(step.body) == {"tags"}
        elif not EXAMPLES[name].startswith("dns_"):
            assert step.body["properties"] == cleaned(answer)["properties"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_where_nothing_is_the_body_goes_as_it_is(name: str) -> None:
    sent, answers = example(name)
    step = planned(EXAMPLES[name], sent, None, answers["200"]["id"])
    assert (step.action, step.body) == (CREATE, sent)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("dns_zone", "CreateOrUpdateZone-2018-05-01"), ("dns_record", "CreateOrUpdateARecordsetAlias-2018-05-01")],
)
def test_what_no_schema_or_model_knows_has_the_form_of_the_example(kind: str, name: str) -> None:
    sent, _answers = example(name)
    ours = [one.body for one in resources(wanted(dns_zone="shop.example"), ()) if one.kind == kind]
    assert ours
    for body in ours:
        places = {path for path, _holder, _key in leaves(without(body, FREE))}
        assert places == {path for path, _holder, _key in leaves(without(sent, FREE))}
        assert [key for key in FREE if key in str(body)] == [key for key in FREE if key in str(sent)]
