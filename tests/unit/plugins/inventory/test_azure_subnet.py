# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user gets, from a server that is not Azure but answers in its forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible_collections.siteops.webcluster.tests.loopback_arm import (
    SUBSCRIPTION,
    TOKEN,
    TUTORIAL,
    Estate,
    Fault,
    LoopbackArm,
    serving,
    tutorial,
)

Run = Callable[..., Any]
OTHER = "22222222-2222-3333-4444-555555555555"
ROLES: dict[str, Any] = {
    "haproxy": "lb",
    "apache_php": "web",
    "mysql_master": {"subnet": "mysql", "name": "*mysql1"},
    "mysql_replica": {"subnet": "mysql", "otherwise": True},
    "redis_master": {"subnet": "redis", "name": "*redis1"},
    "redis_replica": {"subnet": "redis", "otherwise": True},
}
WEB = ["centosweb1", "centosweb2", "centosweb3"]


def refused(run: Run, server: LoopbackArm | None, **options: Any) -> str:
    with pytest.raises(AnsibleParserError) as failure:
        run(server, **options)
    return str(failure.value)


# --- Grouping


def test_the_tutorial_comes_out_in_its_subnets_and_roles(run: Run, arm: LoopbackArm) -> None:
    result = run(arm, role_groups=ROLES)
    assert set(result.hosts) == {name for name, _subnet, _number in TUTORIAL}
    assert result.children("webcluster") == ["apache_php", "haproxy", "mysql", "redis"]
    assert result.children("mysql") == ["mysql_master", "mysql_replica"]
    assert {role: result.members(role) for role in ROLES} == {
        "haproxy": ["centoshaproxy"],
        "apache_php": WEB,
        "mysql_master": ["centosmysql1"],
        "mysql_replica": ["centosmysql2"],
        "redis_master": ["centosredis1"],
        "redis_replica": ["centosredis2"],
    }
    assert result.children("vnet_webcluster_vnet") == [
        f"subnet_webcluster_vnet_{name}" for name in ("lb", "mysql", "redis", "web")
    ]
    assert result.members("subnet_webcluster_vnet_web") == WEB
    assert result.hosts["centosmysql2"]["ansible_host"] == "10.0.0.21"
    assert result.hosts["centosmysql2"]["azure_subnet_name"] == "mysql"
    assert result.warnings == []


def test_roles_are_there_even_when_nobody_has_them(run: Run, arm: LoopbackArm) -> None:
    result = run(arm, role_groups={"haproxy": "nowhere"}, no_role="ignore")
    assert result.members("haproxy") == []
    assert result.children("webcluster") == ["haproxy"]


def test_own_roles_may_have_own_parents(run: Run, arm: LoopbackArm) -> None:
    result = run(arm, role_groups={"front": "lb"}, role_parents={"edge": ["front"]}, no_role="ignore")
    assert result.children("edge") == ["front"]
    assert "webcluster" not in result.data.groups


def test_machines_without_a_role_are_named(run: Run, arm: LoopbackArm) -> None:
    roles = {**ROLES, "apache_php": {"subnet": "web", "name": "*web[12]"}}
    sentence = (
        "role_groups gives no role to centosweb3; expected one each: add a rule, leave them out with resource_groups,"
        " or set no_role: ignore."
    )
    result = run(arm, role_groups=roles)
    assert result.warnings == [sentence]
    assert "centosweb3" in result.hosts
    assert run(arm, role_groups=roles, no_role="ignore").warnings == []
    assert refused(run, arm, role_groups=roles, no_role="fail") == f"azure_subnet: {sentence}"


def test_machines_of_two_roles_are_named(run: Run, arm: LoopbackArm) -> None:
    roles = {**ROLES, "redis_replica": {"name": "centosredis*"}}
    sentence = (
        "role_groups gives several roles to centosredis1 (redis_master, redis_replica); expected one each: make the rules"
        " narrower by name or tags."
    )
    assert refused(run, arm, role_groups=roles) == f"azure_subnet: {sentence}"
    result = run(arm, role_groups=roles, two_roles="warn")
    assert result.warnings == [f"{sentence} They get none of them."]
    assert result.members("redis_master") == []
    assert result.members("redis_replica") == ["centosredis2"]


def test_a_role_across_two_networks_is_noticed(run: Run) -> None:
    estate = tutorial()
    estate.add("stray", "web", "10.9.0.4", vnet="staging")
    with serving(estate) as server:
        networks = (
            f"/subscriptions/{SUBSCRIPTION}/resourcegroups/webcluster/providers/microsoft.network/virtualnetworks"
        )
        sentence = (
            f"role_groups.apache_php has the subnet 'web', which stands for {networks}/staging/subnets/web,"
            f" {networks}/webcluster-vnet/subnets/web; expected one cluster: write it as vnet/subnet, such as staging/web"
        )
        assert refused(run, server, role_groups=ROLES) == f"azure_subnet: {sentence}; or set mixed_roles: warn."
        assert run(server, role_groups=ROLES, mixed_roles="warn").warnings == [f"{sentence}."]
        result = run(server, role_groups={**ROLES, "apache_php": "webcluster-vnet/web"}, no_role="ignore")
        assert result.warnings == []
        assert result.members("apache_php") == WEB


def test_short_groups_tell_when_they_merge_networks(run: Run) -> None:
    estate = tutorial()
    estate.add("stray", "web", "10.9.0.4", vnet="staging")
    with serving(estate) as server:
        result = run(server, short_subnet_groups=True)
    assert result.members("subnet_web") == [*WEB, "stray"]
    assert result.members("subnet_lb") == ["centoshaproxy"]
    (warning,) = result.warnings
    assert warning.startswith("The group subnet_web puts together /subscriptions/")
    assert "staging/subnets/web" in warning
    assert "webcluster-vnet/subnets/web" in warning


def test_two_networks_of_one_name_can_be_told_apart(run: Run) -> None:
    estate = tutorial()
    estate.add("stray", "web", "10.9.0.4", group="other")
    with serving(estate) as server:
        assert "Set vnet_names: qualified to tell them apart. Or set merged_groups: warn." in refused(run, server)
        (warning,) = run(server, merged_groups="warn").warnings
        assert warning.endswith("Set vnet_names: qualified to tell them apart.")
        result = run(server, vnet_names="qualified")
    assert result.warnings == []
    assert result.members("subnet_other_webcluster_vnet_web") == ["stray"]


# --- Variables, names, addresses


def test_variables_take_another_prefix_or_none(run: Run, arm: LoopbackArm) -> None:
    assert run(arm, hostvar_prefix="az_").hosts["centosweb1"]["az_subnet_name"] == "web"
    assert run(arm, hostvar_prefix="").hosts["centosweb1"]["subnet_name"] == "web"


def test_address_ranges_come_on_request(run: Run, arm: LoopbackArm) -> None:
    assert run(arm).hosts["centosweb1"]["azure_subnet_address_prefix"] is None
    assert "networks" not in arm.counts
    assert run(arm, subnet_prefixes=True).hosts["centosweb1"]["azure_subnet_address_prefix"] == "10.0.0.0/28"
    assert arm.counts["networks"] == 1


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("private_ip", "10.0.0.52"),
        ("public_ip", "192.0.2.52"),
        ("private_dns", "centoshaproxy.loopback.ax.internal.cloudapp.net"),
        ("name", "centoshaproxy"),
    ],
)
def test_the_address_is_chosen(run: Run, arm: LoopbackArm, way: str, value: str) -> None:
    assert run(arm, connect_with=way).hosts["centoshaproxy"]["ansible_host"] == value


def test_hosts_without_the_chosen_address_are_named(run: Run, arm: LoopbackArm) -> None:
    result = run(arm, connect_with="public_ip", resource_groups=["webcluster"], role_groups=None)
    assert "ansible_host" not in result.hosts["centosweb1"]
    (warning,) = result.warnings
    assert warning.startswith("connect_with is public_ip, and centosmysql1, centosmysql2, centosredis1,")
    assert warning.endswith("ansible_host is not set for them: add another way, or set ansible_host with compose.")


def test_names_come_from_the_first_template_that_gives_one(run: Run) -> None:
    estate = tutorial()
    estate.machines[0]["tags"] = {"fqdn": "lb.example.org"}
    with serving(estate) as server:
        result = run(server, hostname=["azure_tags.fqdn", "{{ azure_name }}.{{ azure_resource_group }}"])
    assert "lb.example.org" in result.hosts
    assert "centosweb1.webcluster" in result.hosts
    assert len(result.hosts) == 8


def test_the_own_name_is_the_last_resort(run: Run, arm: LoopbackArm) -> None:
    assert "centosweb1" in run(arm, hostname=["azure_tags.fqdn", "{{ azure_public_ip or '' }}"]).hosts


def test_one_name_for_two_machines_is_refused(run: Run) -> None:
    estate = tutorial()
    estate.add("centosweb1", "web", "10.0.0.9", group="other", vnet_group="webcluster")
    with serving(estate) as server:
        said = refused(run, server)
        assert said.startswith(f"azure_subnet: Two machines would be called centosweb1: /subscriptions/{SUBSCRIPTION}/")
        assert said.endswith('set hostname, for example hostname: ["{{ azure_name }}-{{ azure_resource_group }}"].')
        result = run(server, hostname=["{{ azure_name }}-{{ azure_resource_group }}"])
    assert {"centosweb1-other", "centosweb1-webcluster"} <= set(result.hosts)


def test_constructed_variables_and_groups(run: Run, arm: LoopbackArm) -> None:
    result = run(
        arm,
        compose={"ansible_user": "azure_admin_username", "broken": "azure_nothing.at.all"},
        groups={"databases": "azure_subnet_name == 'mysql'"},
        keyed_groups=[{"key": "azure_location", "prefix": "location"}],
    )
    assert result.hosts["centosweb1"]["ansible_user"] == "ops"
    assert "broken" not in result.hosts["centosweb1"]
    assert result.members("databases") == ["centosmysql1", "centosmysql2"]
    assert len(result.members("location_westeurope")) == 8


def test_a_strict_expression_that_fails_leaves_no_hosts_behind(run: Run, arm: LoopbackArm) -> None:
    data = InventoryData()
    data.add_host("mine")
    with pytest.raises(AnsibleError, match="Could not set broken for host centoshaproxy"):
        run(arm, data=data, compose={"broken": "azure_nothing.at.all"}, strict=True)
    assert set(data.hosts) == {"mine"}


def test_what_azure_holds_is_never_a_template(run: Run) -> None:
    estate = tutorial()
    estate.machines[0]["tags"] = {"evil": "{{ lookup('pipe', 'touch /tmp/evil') }}"}
    with serving(estate) as server:
        result = run(server, keyed_groups=[{"key": "azure_tags.evil", "prefix": "tag"}])
    from ansible._internal._datatag._tags import TrustedAsTemplate

    value = result.hosts["centoshaproxy"]["azure_tags"]["evil"]
    assert value.startswith("{{ lookup")
    assert not TrustedAsTemplate.is_tagged_on(value)


# --- Selection


def test_stopped_machines_come_by_option(run: Run) -> None:
    estate = tutorial()
    estate.add("asleep", "web", "10.0.0.9", power="deallocated")
    with serving(estate) as server:
        result = run(server)
        assert "asleep" not in result.hosts
        assert "leaves out asleep (WEBCLUSTER): it is deallocated, and include_stopped is false" in result.notes(2)
        woken = run(server, include_stopped=True).hosts["asleep"]
        assert woken["azure_power_state"] == "deallocated"
        unknown = run(server, power_states=False).hosts["asleep"]
    assert unknown["azure_power_state"] is None


def test_selection_comes_before_the_join_and_is_logged(run: Run) -> None:
    estate = tutorial()
    estate.add("elsewhere", "web", "10.0.0.9", group="mc_kubernetes", location="northeurope")
    with serving(estate) as server:
        result = run(server, exclude_resource_groups=["MC_*"])
        assert "elsewhere" not in result.hosts
        assert result.notes(2) == [
            "leaves out elsewhere (MC_KUBERNETES): its resource group MC_KUBERNETES is in exclude_resource_groups"
        ]
        assert set(run(server, locations=["North Europe"]).hosts) == {"elsewhere"}
        assert set(run(server, resource_groups=["mc_kubernetes"]).hosts) == {"elsewhere"}
        assert run(server, tags={"any": "*"}).hosts == {}


def test_machines_that_are_left_out_are_not_joined(run: Run) -> None:
    """Their interfaces are missing, and nobody asks for them one by one."""
    estate = tutorial()
    for number in range(5):
        estate.add(f"x{number}", "web", f"10.0.1.{number}", group="other")
    estate.nics = [nic for nic in estate.nics if "/other/" not in nic["id"]]
    with serving(estate) as server:
        assert len(run(server, exclude_resource_groups=["other"], nic_lookups=0).hosts) == 8
        assert "nic" not in server.counts


# --- Half-built machines


def test_half_built_machines_never_break_the_rest(run: Run) -> None:
    estate = tutorial()
    estate.add("raw", "web", "10.0.0.9")["properties"].pop("networkProfile")
    estate.nics.pop()
    estate.machines.append({"location": "westeurope"})
    estate.machines.append({"name": "nameless-id"})
    with serving(estate) as server:
        result = run(server)
        assert len(result.hosts) == 8
        assert sorted(result.warnings) == [
            "Azure lists a virtual machine without an id (location westeurope): it is left out, it may still be in the making.",
            "Azure lists a virtual machine without an id (name nameless-id): it is left out, it may still be in the making.",
            "raw in resource group webcluster is left out, because none of its network interfaces is known; it may still be in"
            " the making (see half_built).",
        ]
        kept = run(server, half_built="keep")
    assert "ansible_host" not in kept.hosts["raw"]
    assert kept.hosts["raw"]["azure_private_ip"] is None
    assert [warning for warning in kept.warnings if "without an id" not in warning] == [
        "raw in resource group webcluster is kept without an address, because none of its network interfaces is known; it may"
        " still be in the making."
    ]


def test_many_half_built_machines_are_counted(run: Run) -> None:
    estate = tutorial()
    for number in range(14):
        estate.add(f"raw{number:02d}", "web", f"10.0.1.{number}")["properties"].pop("networkProfile")
        estate.nics.pop()
    with serving(estate) as server:
        result = run(server)
    assert len(result.warnings) == 11
    assert result.warnings[-1] == "So it goes for 4 more machines; -vv names them."
    assert any("raw13 in resource group webcluster is left out" in note for note in result.notes(2))


# --- Calls


def test_eight_machines_take_four_requests(run: Run, arm: LoopbackArm) -> None:
    result = run(arm, role_groups=ROLES)
    assert arm.counts == {"machines": 1, "states": 1, "nics": 1, "public_ips": 1}
    assert re.fullmatch(r"8 machines from 4 requests in [0-9.]+ s \([0-9.]+ s of CPU\)", result.notes(1)[-1])


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({"public_ips": False}, {"machines", "states", "nics"}),
        ({"power_states": False}, {"machines", "nics", "public_ips"}),
        ({"network_interfaces": False, "connect_with": "name"}, {"machines", "states"}),
    ],
)
def test_lists_that_are_not_wanted_are_not_asked_for(
    run: Run, arm: LoopbackArm, options: dict[str, Any], kinds: set[str]
) -> None:
    assert len(run(arm, **options).hosts) == 8
    assert set(arm.counts) == kinds


def test_all_visible_subscriptions_take_one_more_request(run: Run) -> None:
    second = Estate(OTHER)
    second.add("far", "web", "10.5.0.4", vnet="far-vnet")
    with serving(tutorial(), second) as server:
        server.hidden_subscriptions.append(
            {"subscriptionId": "33333333-2222-3333-4444-555555555555", "state": "Disabled"}
        )
        result = run(server, subscription_ids=None)
        assert server.counts == {"subscriptions": 1, "machines": 2, "states": 2, "nics": 2, "public_ips": 2}
    assert result.hosts["far"]["azure_subscription_id"] == OTHER
    assert "leaves out subscription 33333333-2222-3333-4444-555555555555: it is Disabled" in result.notes(2)


def test_a_subscription_from_the_environment_is_taken(
    run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    assert len(run(arm, subscription_ids=None).hosts) == 8
    assert "subscriptions" not in arm.counts


def test_an_identity_that_sees_nothing_is_told_so(run: Run) -> None:
    with serving() as server:
        assert refused(run, server, subscription_ids=None) == (
            "azure_subnet: This identity sees no subscription; expected at least one: give it the role Reader on one, or check"
            " tenant_id and cloud."
        )


def test_pages_are_followed(run: Run) -> None:
    with serving(tutorial(), pages={"compute": 3, "network": 5}) as server:
        assert len(run(server).hosts) == 8
        assert server.counts == {"machines": 3, "states": 3, "nics": 2, "public_ips": 1}


def test_interfaces_that_the_list_lacks_are_asked_for_one_by_one(run: Run) -> None:
    with serving(tutorial(), unlisted_nics=2) as server:
        assert len(run(server).hosts) == 8
        assert server.counts["nic"] == 2
        said = refused(run, server, nic_lookups=1)
    assert said.startswith("azure_subnet: The lists of network interfaces lack 2 of them, such as /subscriptions/")
    assert said.endswith("at most 1 are asked for one by one. Add their resource groups, or raise nic_lookups.")


def test_an_interface_that_does_not_exist_makes_a_half_built_machine(run: Run) -> None:
    estate = tutorial()
    estate.nics.pop()
    with serving(estate) as server:
        result = run(server)
        assert server.counts["nic"] == 1
    assert len(result.hosts) == 7
    assert "centosredis2 in resource group webcluster is left out" in result.warnings[0]


def test_resource_groups_can_be_asked_by_themselves(run: Run) -> None:
    estate = tutorial()
    estate.add("other", "web", "10.0.0.9", group="elsewhere")
    with serving(estate) as server:
        options = {"list_by": "resource_group", "resource_groups": ["WebCluster"]}
        assert len(run(server, **options).hosts) == 8
        paths = [seen.path for seen in server.seen if seen.kind != "states"]
        assert all("/resourceGroups/WebCluster/" in path for path in paths)
        assert server.counts == {"machines": 1, "states": 1, "nics": 1, "public_ips": 1}
        said = refused(run, server, **{**options, "resource_groups": ["webcluster", "gone"]})
    assert said == (
        "azure_subnet: Resource group gone of resource_groups is in none of the subscriptions; expected an existing one: correct"
        " its name, or check subscription_ids."
    )


def test_a_resource_group_may_have_parentheses_in_its_name(run: Run) -> None:
    estate = Estate()
    estate.add("m", "web", "10.0.0.4", group="Web(old)")
    with serving(estate) as server:
        assert set(run(server, list_by="resource_group", resource_groups=["web(old)"]).hosts) == {"m"}


# --- Scale sets


def test_uniform_scale_sets_come_by_option(run: Run) -> None:
    estate = tutorial()
    estate.add_scale_set("pool", 2)
    estate.add_scale_set("flexible", 3, mode="Flexible")
    with serving(estate) as server:
        assert "pool_0" not in run(server).hosts
        server.seen.clear()
        result = run(server, include_uniform_scale_sets=True)
        assert server.counts == {
            "machines": 1, "states": 1, "nics": 1, "public_ips": 1, "scale_sets": 1,
            "instances": 1, "instance_nics": 1, "instance_public_ips": 1,
        }  # fmt: skip
        versions = {seen.query["api-version"] for seen in server.seen if seen.kind == "instance_nics"}
        assert versions == {"2018-10-01"}
        server.seen.clear()
        run(server, include_uniform_scale_sets=True, exclude_resource_groups=["webcluster"])
        assert "instances" not in server.counts
    assert set(result.hosts) >= {"pool_0", "pool_1"}
    assert "flexible_0" not in result.hosts
    assert result.hosts["pool_1"]["ansible_host"] == "10.0.0.101"
    assert result.hosts["pool_1"]["azure_scale_set"] == "pool"
    assert result.hosts["pool_1"]["azure_power_state"] == "running"
    assert "pool_1" in result.members("subnet_webcluster_vnet_web")


# --- Resource Graph


def test_the_graph_gives_the_same_inventory_in_three_requests(run: Run) -> None:
    estate = tutorial()
    estate.add("asleep", "web", "10.0.0.9", power="deallocated")
    second = Estate(OTHER)
    second.add("far", "web", "10.5.0.4", vnet="far-vnet")
    ids = [SUBSCRIPTION, OTHER]
    with serving(estate, second) as server:
        roles = {**ROLES, "apache_php": "webcluster-vnet/web"}
        lists = run(server, subscription_ids=ids, role_groups=roles, no_role="ignore")
        server.seen.clear()
        graph = run(server, subscription_ids=ids, role_groups=roles, no_role="ignore", backend="resource_graph")
        assert server.counts == {"graph": 3}
    assert "asleep" not in graph.hosts
    assert set(graph.hosts) == set(lists.hosts)
    for name, variables in lists.hosts.items():
        # The graph does not tell these two.
        for unknown in ("azure_os_name", "azure_os_version"):
            variables[unknown] = None
        assert graph.hosts[name] == variables
    assert graph.groups == lists.groups


# --- Cache


def cached(folder: Path) -> dict[str, Any]:
    return {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder)}


def test_a_cached_run_asks_nothing(run: Run, arm: LoopbackArm, tmp_path: Path) -> None:
    first = run(arm, **cached(tmp_path), role_groups=ROLES)
    second = run(arm, **cached(tmp_path), role_groups=ROLES)
    assert arm.counts["machines"] == 1
    assert second.hosts == first.hosts
    assert second.groups == first.groups
    assert second.notes(1)[-1].startswith("8 machines from the cache in ")


def test_no_credentials_are_needed_for_it(run: Run, arm: LoopbackArm, tmp_path: Path) -> None:
    run(arm, **cached(tmp_path))
    assert len(run(arm, **cached(tmp_path), access_token=None, auth="auto").hosts) == 8


def test_flushing_reads_anew(run: Run, arm: LoopbackArm, tmp_path: Path) -> None:
    run(arm, **cached(tmp_path))
    run(arm, reuse=False, **cached(tmp_path))
    assert arm.counts["machines"] == 2


def test_options_that_decide_what_is_read_void_it(run: Run, arm: LoopbackArm, tmp_path: Path) -> None:
    run(arm, **cached(tmp_path))
    assert run(arm, **cached(tmp_path), tags={"no": "such"}).hosts == {}
    assert arm.counts["machines"] == 2


def test_the_cache_holds_no_secret(run: Run, arm: LoopbackArm, tmp_path: Path) -> None:
    run(arm, **cached(tmp_path / "cache"))
    (kept,) = (tmp_path / "cache").iterdir()
    assert TOKEN not in kept.read_text()


# --- Clouds


@pytest.mark.parametrize("cloud", ["china", "us_government"])
def test_another_cloud_that_lacks_our_versions_is_served_all_the_same(run: Run, cloud: str) -> None:
    with serving(tutorial(), versions={"compute": ["2019-07-01", "2020-12-01"], "network": ["2019-09-01"]}) as server:
        result = run(server, cloud=cloud, subscription_ids=[SUBSCRIPTION], workers=1)
        assert len(result.hosts) == 8
        assert server.counts == {"machines": 2, "states": 1, "nics": 2, "public_ips": 1}
    assert any("offers 2020-12-01: set api_versions.compute to it" in note for note in result.notes(1))


def test_given_versions_are_used(run: Run, arm: LoopbackArm) -> None:
    run(arm, api_versions={"compute": "2020-12-01"})
    assert {seen.query["api-version"] for seen in arm.seen if seen.kind in ("machines", "states")} == {"2020-12-01"}


# --- Failures


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Fault("machines", status=403, code="AuthorizationFailed", message="No authorization over scope."),
            "Cannot list virtual machines of subscription {subscription}: Azure answered 403 AuthorizationFailed (No authorization"
            " over scope.) at {url}/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01."
            " Give the identity the role Reader on subscription {subscription}, leave that out, or set allow_partial: true.",
        ),
        (Fault("nics", cut=200), "the answer broke off before its end after 3 tries in"),
        (Fault("nics", body=b'{"value": ['), "cannot be trusted"),
        (
            Fault("public_ips", body=b"[]"),
            "is not a JSON object. Run it again; when it stays so, a proxy or the endpoint",
        ),
        (Fault("states", status=502, code="BadGateway"), "Azure answered 502 BadGateway after 3 tries in"),
        (Fault("states", delay=30.0), "no answer within 1 s after 2 tries in"),
        (
            Fault("machines", status=429, code="TooManyRequests", headers={"Retry-After": "3600"}),
            "Azure answered 429 TooManyRequests and asked us to wait 3600 s more",
        ),
    ],
)
def test_a_list_that_fails_fails_the_inventory(run: Run, arm: LoopbackArm, fault: Fault, words: str) -> None:
    arm.faults.append(fault)
    said = refused(run, arm, timeout=1 if fault.delay else 5, retries=1 if fault.delay else 2)
    assert words.format(url=arm.url, subscription=SUBSCRIPTION) in said
    assert arm.url in said
    assert TOKEN not in said


@pytest.mark.parametrize(
    "fault",
    [
        Fault("machines", times=1, status=429, headers={"Retry-After": "0"}),
        Fault("nics", times=2, status=503),
        Fault("states", times=1, cut=100),
        Fault("public_ips", times=1, cut=0),
        Fault("machines", times=1, status=500),
    ],
)
def test_what_passes_is_asked_again_and_nothing_is_lost_or_doubled(run: Run, arm: LoopbackArm, fault: Fault) -> None:
    arm.faults.append(fault)
    result = run(arm)
    assert len(result.hosts) == 8
    assert all(len(variables["azure_private_ips"]) == 1 for variables in result.hosts.values())
    assert result.warnings == []
    assert any(re.search("tries [23]", note) for note in result.notes(3))


def test_a_bad_gateway_behind_the_last_page_is_not_an_end_of_the_list(run: Run) -> None:
    with serving(tutorial(), pages={"compute": 4}, trailing_link="machines") as server:
        server.faults.append(Fault("machines", page=3, status=502))
        assert "Azure answered 502 after 3 tries in" in refused(run, server)
        server.faults[:] = [Fault("machines", page=3, status=502, times=1)]
        assert len(run(server).hosts) == 8


def test_a_server_that_trickles_is_ended_by_the_deadline(run: Run) -> None:
    with serving(tutorial()) as server:
        server.faults.append(Fault("machines", dribble=0.3))
        said = refused(run, server, deadline=1, timeout=5)
    assert said.startswith(
        "azure_subnet: Azure did not finish within the 1 s of deadline; still missing: virtual machines of"
    )


def test_a_server_that_is_not_there(run: Run) -> None:
    with serving() as server:
        gone = server.url
    said = refused(run, None, endpoint=gone, retries=0)
    assert ": the connection was refused at http://127.0.0.1:" in said
    assert "Check the endpoint option, the proxy and the network, or raise timeout, retries or retry_time." in said


def test_a_provider_is_never_registered(run: Run, arm: LoopbackArm) -> None:
    """The SDK would do it by itself, and change the subscription."""
    arm.faults.append(
        Fault(
            "machines",
            status=409,
            code="MissingSubscriptionRegistration",
            message="The subscription is not registered to use namespace 'Microsoft.Compute'.",
        )
    )
    assert run(arm).hosts == {}
    assert {seen.method for seen in arm.seen} == {"GET"}


def test_partial_inventories_come_by_option_and_warn(run: Run) -> None:
    second = Estate(OTHER)
    second.add("far", "web", "10.5.0.4", vnet="far-vnet")
    with serving(tutorial(), second, pages={"compute": 4}) as server:
        server.faults.append(Fault("machines", page=2, status=403, code="AuthorizationFailed"))
        result = run(server, subscription_ids=[SUBSCRIPTION, OTHER], allow_partial=True)
    assert len(result.hosts) == 5
    (warning,) = result.warnings
    assert warning.startswith(f"Cannot list virtual machines of subscription {SUBSCRIPTION}: Azure answered 403")
    assert warning.endswith("The inventory goes on without it, because allow_partial is true.")


def test_a_partial_inventory_is_not_kept_for_later_runs(run: Run, arm: LoopbackArm, tmp_path: Path) -> None:
    arm.faults.append(Fault("public_ips", status=403, times=1))
    first = run(arm, allow_partial=True, **cached(tmp_path))
    assert first.hosts["centoshaproxy"]["azure_public_ip"] is None
    second = run(arm, allow_partial=True, **cached(tmp_path))
    assert second.hosts["centoshaproxy"]["azure_public_ip"] == "192.0.2.52"
    assert second.warnings == []


def test_a_sign_in_page_of_a_proxy_is_not_followed(run: Run, arm: LoopbackArm) -> None:
    with serving() as elsewhere:
        arm.faults.append(Fault("machines", status=302, headers={"Location": f"{elsewhere.url}/sign-in"}))
        assert "Azure answered 302 at" in refused(run, arm)
        assert elsewhere.seen == []


def test_an_empty_inventory_says_so(run: Run, arm: LoopbackArm) -> None:
    assert run(arm, tags={"no": "such"}).warnings == ["No machine was found; -vv tells which were left out, and why."]


def test_a_proxy_of_the_environment_does_not_see_the_loopback_token(
    run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert len(run(arm).hosts) == 8
        assert proxy.seen == []


def test_a_wrong_token_is_told_without_showing_it(run: Run, arm: LoopbackArm) -> None:
    said = refused(run, arm, access_token="another-secret-token")
    assert "Azure answered 401 InvalidAuthenticationToken" in said
    assert "another-secret-token" not in said


def test_a_server_that_repeats_the_token_does_not_get_it_into_the_message(run: Run, arm: LoopbackArm) -> None:
    arm.faults.append(Fault("machines", status=400, code="Odd", message=f"You sent Bearer {TOKEN}"))
    assert "You sent Bearer ***" in refused(run, arm)
    result = run(arm, allow_partial=True)
    assert "You sent Bearer ***" in result.warnings[0]
    assert TOKEN not in str(result.display)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"endpoint": "http://10.0.0.1"}, "endpoint 'http://10.0.0.1' is plain http and would show the credentials"),
        ({"access_token": "a b"}, "access_token has white space or other characters that no token has"),
        ({"access_token": None, "auth": "access_token"}, "auth access_token needs access_token, which is empty"),
        (
            {"access_token": None, "auth": "service_principal"},
            "auth service_principal needs tenant_id, which is not set",
        ),
        ({"role_groups": {"a": {"sub": "x"}}}, "role_groups.a has 'sub'; expected only subnet, name, tags, otherwise"),
        ({"role_groups": {"a": ["x", 3]}}, "role_groups.a[1] is 3; expected a subnet, or a dictionary with"),
        ({"tags": {"a": [{}]}}, "tags.a is not text; expected a value, a list of values, or '*' for any."),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(
    run: Run, arm: LoopbackArm, options: dict[str, Any], sentence: str
) -> None:
    assert refused(run, arm, **options).startswith(f"azure_subnet: {sentence}")
    assert arm.seen == []


def test_options_may_be_templates(run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_TOKEN", TOKEN)
    template = "{{ lookup('ansible.builtin.env', 'THE_TOKEN') }}"
    assert len(run(arm, access_token=template).hosts) == 8
