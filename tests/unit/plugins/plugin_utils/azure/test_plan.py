# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.plugins.inventory import azure_subnet
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import plan
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError

DOCUMENTED = yaml.safe_load(azure_subnet.DOCUMENTATION)["options"]
DEFAULTS = {name: option.get("default") for name, option in DOCUMENTED.items()}


def make(**given: Any) -> plan.Plan:
    return plan.make({**DEFAULTS, **given}.__getitem__)


def test_the_defaults_are_a_plan() -> None:
    made = make()
    assert made.cloud.name == "public"
    assert made.wanted.network
    assert made.limits.tries == 5
    assert made.roles == {}


def test_every_option_is_used() -> None:
    asked: set[str] = set()

    def get(name: str) -> Any:
        asked.add(name)
        return DEFAULTS[name]

    plan.make(get)
    # The plugin itself reads this one.
    assert set(DOCUMENTED) - asked == {"plugin"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"hostvar_prefix": "my-"}, "hostvar_prefix is 'my-'; expected letters, digits and _ such as 'azure_'."),
        (
            {"network_interfaces": False},
            "network_interfaces is false, and connect_with private_ip needs them: set connect_with: name, or"
            " network_interfaces: true.",
        ),
        (
            {"network_interfaces": False, "connect_with": "name", "role_groups": {"haproxy": "lb"}},
            "network_interfaces is false, and role_groups.haproxy asks for a subnet: set network_interfaces: true, or choose by"
            " name and tags.",
        ),
        (
            {"public_ips": False, "connect_with": "public_ip"},
            "public_ips is false, and connect_with public_ip needs them: set public_ips: true.",
        ),
        (
            {"list_by": "resource_group"},
            "list_by resource_group needs the exact names of the groups; expected resource_groups without * and ?: name them, or"
            " set list_by: subscription.",
        ),
        ({"list_by": "resource_group", "resource_groups": ["web*"]}, "list_by resource_group needs the exact names"),
        (
            {"backend": "resource_graph", "include_uniform_scale_sets": True},
            "backend resource_graph cannot do include_uniform_scale_sets: use backend: arm, or leave that option out.",
        ),
        (
            {"backend": "resource_graph", "list_by": "resource_group", "resource_groups": ["web"]},
            "backend resource_graph cannot do list_by resource_group: use backend: arm, or leave that option out.",
        ),
        ({"timeout": 0}, "timeout is 0; expected at least 1: raise it."),
        ({"retries": -1}, "retries is -1; expected at least 0: raise it."),
        ({"workers": 0}, "workers is 0; expected at least 1: raise it."),
        ({"nic_lookups": -1}, "nic_lookups is -1; expected at least 0: raise it."),
        ({"subscription_ids": ["x"]}, "subscription_ids has 'x'; expected the id of a subscription"),
        ({"endpoint": "http://example.org"}, "endpoint 'http://example.org' is plain http"),
    ],
)
def test_options_that_cannot_be_right_are_named(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as failure:
        make(**given)
    assert str(failure.value).startswith(sentence)


RECORDS: list[dict[str, Any]] = [{"name": "m", "tags": {"a": "ü"}, "zones": [], "public_ip": None}]


def test_the_cache_gives_back_what_went_in() -> None:
    made = make()
    packed = plan.pack(made, RECORDS)
    assert all(isinstance(value, int | str) for value in packed.values())
    assert plan.unpack(made, packed) == RECORDS


@pytest.mark.parametrize(
    "given",
    [
        {"subscription_ids": ["11111111-2222-3333-4444-555555555555"]},
        {"resource_groups": ["web"]},
        {"tags": {"a": "b"}},
        {"include_stopped": True},
        {"cloud": "china"},
        {"endpoint": "https://example.org"},
        {"client_id": "another"},
        {"subnet_prefixes": True},
        {"backend": "resource_graph"},
    ],
)
def test_options_that_decide_what_is_read_make_the_cache_void(given: dict[str, Any]) -> None:
    assert plan.unpack(make(**given), plan.pack(make(), RECORDS)) is None


@pytest.mark.parametrize(
    "given",
    [
        {"connect_with": "public_ip"},
        {"hostvar_prefix": ""},
        {"role_groups": {"haproxy": "lb"}},
        {"half_built": "keep"},
        {"client_secret": "renewed"},
        {"timeout": 5},
    ],
)
def test_other_options_work_on_the_cache(given: dict[str, Any]) -> None:
    assert plan.unpack(make(**given), plan.pack(make(), RECORDS)) == RECORDS


@pytest.mark.parametrize("cached", [None, [], "text", {}, {"format": 0}, [{"name": "of another plugin"}]])
def test_what_another_plugin_cached_is_no_inventory(cached: Any) -> None:
    assert plan.unpack(make(), cached) is None


@pytest.mark.parametrize("records", ["[{", None])
def test_a_broken_cache_is_read_anew(records: str | None) -> None:
    made = make()
    packed = {**plan.pack(made, RECORDS), "records": records}
    if records is None:
        del packed["records"]
    assert plan.unpack(made, packed) is None


def test_an_older_format_is_read_anew() -> None:
    made = make()
    assert plan.unpack(made, {**plan.pack(made, RECORDS), "format": plan.RECORD_FORMAT + 1}) is None


def test_secrets_do_not_decide_and_do_not_show() -> None:
    made = make(client_secret="hunter22")
    assert made.fingerprint == make().fingerprint
    assert "hunter22" not in repr(made)
    assert replace(made, backend="resource_graph").fingerprint != made.fingerprint


def test_every_host_variable_is_documented() -> None:
    from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import join, read

    text = " ".join(yaml.safe_load(azure_subnet.DOCUMENTATION)["description"])
    machine = read.machine({"id": "/x/m"})
    assert machine is not None
    for name in {**machine.facts, **join.NETWORK_FACTS}:
        assert f"C({name})" in text, name


def test_the_examples_are_inventories() -> None:
    for example in yaml.safe_load_all(azure_subnet.EXAMPLES):
        known = {"cache", "cache_plugin", "cache_connection", "cache_timeout", "keyed_groups", "compose", "groups"}
        assert set(example) <= set(DOCUMENTED) | known
        given = {name: value for name, value in example.items() if name in DOCUMENTED}
        make(**given)


def test_the_file_must_be_named_after_the_plugin(tmp_path: Path) -> None:
    plugin = azure_subnet.InventoryModule()
    for name, fits in (("azure_subnet.yml", True), ("prod.azure_subnet.yaml", True), ("azure.yml", False)):
        (tmp_path / name).write_text("plugin: x")
        assert plugin.verify_file(str(tmp_path / name)) is fits
    assert not plugin.verify_file(str(tmp_path / "missing.azure_subnet.yml"))
