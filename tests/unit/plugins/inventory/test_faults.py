# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that were found by hand, kind by kind: names, links, options, subscriptions, filters and what obeys `strict`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible_collections.siteops.webcluster.tests.loopback_arm import (
    SUBSCRIPTION,
    TOKEN,
    Estate,
    Fault,
    LoopbackArm,
    interface,
    ip_configuration,
    public_address,
    serving,
    tutorial,
)

Run = Callable[..., Any]
STAGING = "22222222-2222-3333-4444-555555555555"
ROLES: dict[str, Any] = {
    "haproxy": "lb",
    "apache_php": "web",
    "mysql_master": {"subnet": "mysql", "name": "*mysql1"},
    "mysql_replica": {"subnet": "mysql", "otherwise": True},
    "redis_master": {"subnet": "redis", "name": "*redis1"},
    "redis_replica": {"subnet": "redis", "otherwise": True},
}
WEB = ["centosweb1", "centosweb2", "centosweb3"]
RENAME = 'set hostname, for example hostname: ["{{ azure_name }}-{{ azure_resource_group }}"].'
RENAMED = {"hostname": ["{{ azure_name }}-{{ azure_resource_group }}"]}


def refused(run: Run, server: LoopbackArm | None, **options: Any) -> str:
    with pytest.raises(AnsibleParserError) as failure:
        run(server, **options)
    return str(failure.value).removeprefix("azure_subnet: ")


# --- D1: hosts are never taken for groups


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("all", "a group that Ansible fills by itself"),
        ("ungrouped", "a group that Ansible fills by itself"),
        ("localhost", "Ansible's name for the machine that it runs on"),
        ("webcluster", "a group of site.yml"),
        ("mysql", "a group of site.yml"),
        ("haproxy", "a group of site.yml"),
        ("mysql_replica", "a group of site.yml"),
        ("subnet_webcluster_vnet_web", "the group of a subnet"),
        ("vnet_webcluster_vnet", "the group of a virtual network"),
        ("front", "a group of role_groups"),
        ("edge", "a group of role_parents"),
        ("databases", "a group of the option groups"),
        ("mine", "a group of another inventory source"),
    ],
)
def test_d1_a_machine_with_the_name_of_a_group_is_refused(run: Run, name: str, what: str) -> None:
    estate = tutorial()
    machine = estate.add(name, "web", "10.0.0.9")
    data = InventoryData()
    data.add_group("mine")
    options: dict[str, Any] = {
        "role_groups": {"front": "lb"},
        "role_parents": {"edge": ["front"]},
        "no_role": "ignore",
        "groups": {"databases": "azure_subnet_name == 'mysql'"},
    }
    with serving(estate) as server:
        assert refused(run, server, data=data, **options) == (
            f"The machine {machine['id']} would be called {name}, which is {what}, and Ansible would take one for the other;"
            f" expected another name: {RENAME}"
        )
        assert data.hosts == {}
        assert set(data.groups) == {"all", "ungrouped", "mine"}
        result = run(server, **options, **RENAMED)
    assert len(result.hosts) == 9
    assert result.members("front") == ["centoshaproxy-webcluster"]


def test_d1_without_any_role_groups_too(run: Run) -> None:
    """The plays of site.yml would run on a host of the group's name."""
    estate = tutorial()
    estate.add("redis", "web", "10.0.0.9")
    with serving(estate) as server:
        assert "would be called redis, which is a group of site.yml" in refused(run, server)


def test_d1_a_name_from_hostname_is_looked_at_too(run: Run) -> None:
    estate = tutorial()
    estate.machines[1]["tags"] = {"role": "haproxy"}
    with serving(estate) as server:
        said = refused(run, server, hostname=["azure_tags.role", "azure_name"])
    assert said.endswith("expected another name: change the expressions of hostname.")


@pytest.mark.parametrize("name", ["centosweb2", "centoshaproxy", "localhost"])
@pytest.mark.parametrize(
    "made",
    [
        lambda name: {"keyed_groups": [{"key": f"'{name}'", "separator": ""}]},
        lambda name: {"keyed_groups": [{"key": "azure_location", "prefix": "at", "parent_group": name}]},
        lambda name: {
            "keyed_groups": [{"key": f"['a', '{name}'] if azure_name == 'centosweb1' else []", "separator": ""}]
        },
    ],
)
def test_d1_a_constructed_group_with_the_name_of_a_host_is_refused(
    run: Run, arm: LoopbackArm, name: str, made: Any
) -> None:
    data = InventoryData()
    said = refused(run, arm, data=data, role_groups=ROLES, **made(name))
    assert said.startswith(f"groups or keyed_groups make the group {name} for ")
    assert said.endswith("give the groups a prefix, or rename the host with hostname.")
    assert data.hosts == {}
    assert set(data.groups) == {"all", "ungrouped"}
    assert [group.name for group in data.groups["all"].child_groups] == ["ungrouped"]


def test_d1_the_host_of_another_source_is_no_group_either(run: Run, arm: LoopbackArm) -> None:
    data = InventoryData()
    data.add_host("mysql")
    assert refused(run, arm, data=data, role_groups=ROLES) == (
        "The host mysql of another inventory source has the name of a group of role_parents, and Ansible would take one for"
        " the other; expected another name: rename the host there."
    )
    assert set(data.hosts) == {"mysql"}


def test_d1_a_role_with_the_name_of_a_subnets_group_is_refused(run: Run, arm: LoopbackArm) -> None:
    roles = {"subnet_webcluster_vnet_web": "lb"}
    said = refused(run, arm, role_groups=roles, no_role="ignore")
    assert said.startswith("subnet_webcluster_vnet_web is a group of role_groups and the group of a subnet")


@pytest.mark.parametrize("group", ["all", "ungrouped"])
def test_d1_a_role_or_parent_that_ansible_fills_is_refused(run: Run, arm: LoopbackArm, group: str) -> None:
    assert f"role_groups has the group '{group}', which Ansible fills" in refused(run, arm, role_groups={group: "lb"})
    options = {"role_groups": {"front": "lb"}, "role_parents": {group: ["front"]}}
    assert f"role_parents has the group '{group}', which Ansible fills" in refused(run, arm, **options)


@pytest.mark.parametrize("name", ["../../etc/x", "web1,web2", "a b", "!all", "~.*", "a\\b"])
def test_d1_a_name_that_is_a_pattern_or_a_path_is_refused(run: Run, name: str) -> None:
    estate = tutorial()
    estate.machines[0]["tags"] = {"fqdn": name}
    with serving(estate) as server:
        said = refused(run, server, hostname=["azure_tags.fqdn", "azure_name"])
    assert f"would be called '{name}'; expected a name without white space, commas and slashes" in said


# --- D2: links are followed only to the host they were checked for


@pytest.mark.parametrize(
    "spelling",
    [
        "http://127.0.0.1:{other}/vms",
        "http://127.0.0.1:{other}\\@127.0.0.1:{port}/vms",
        "http://127.0.0.1:{other}#@127.0.0.1:{port}/vms",
        "http://127.0.0.1:{port}@127.0.0.1:{other}/vms",
        "http://127.1:{other}/vms",
        "http://localhost:{other}/vms",
        "http://[::ffff:127.0.0.1]:{other}/vms",
        "http://127.0.0.1:{port}\t@127.0.0.1:{other}/vms",
        "http://127.0.0.1%3A{other}/vms",
        "//127.0.0.1:{other}/vms",
        "http:\\\\127.0.0.1:{other}/vms",
        "\nhttp://127.0.0.1:{other}/vms",
    ],
)
def test_d2_no_spelling_of_a_link_carries_the_token_elsewhere(run: Run, arm: LoopbackArm, spelling: str) -> None:
    with serving(tutorial()) as elsewhere:
        link = spelling.format(port=arm.port, other=elsewhere.port)
        body = f'{{"value": [], "nextLink": {link!r}}}'.replace("'", '"').encode()
        arm.faults.append(Fault("machines", body=body))
        assert "cannot be trusted" in refused(run, arm)
        assert elsewhere.seen == []


def test_d2_our_own_host_in_other_spellings_is_followed(run: Run) -> None:
    with serving(tutorial(), pages={"compute": 4}) as server:
        server.url = f"HTTP://127.0.0.1.:0{server.port}" if server.port < 10_000 else f"HTTP://127.0.0.1.:{server.port}"
        assert len(run(server, endpoint=f"http://127.0.0.1:{server.port}").hosts) == 8


# --- D3: unknown options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resource_group": ["a"]}, "The option resource_group does not exist here; did you mean resource_groups?"),
        ({"role_group": ROLES}, "The option role_group does not exist here; use role_groups."),
        ({"include_host_filters": ["a"]}, "use include_filters, whose variables have hostvar_prefix in front."),
        ({"default_host_filters": []}, "use include_stopped and exclude_provisioning_states."),
        ({"include_vm_resource_groups": ["a"]}, "use resource_groups, patterns allowed."),
        ({"regions": ["westeurope"]}, "use locations, a list."),
        ({"filters": {"tag:a": "b"}}, "use include_filters and exclude_filters"),
        ({"x-common": {}}, "expected one of those that 'ansible-doc"),
        ({"hostname": ["azure_name"], "hostnames": ["azure_name"]}, "hostname and hostnames are both set"),
    ],
)
def test_d3_an_option_that_does_not_exist_is_refused_before_anything_is_asked(
    run: Run, arm: LoopbackArm, options: dict[str, Any], words: str
) -> None:
    assert words in refused(run, arm, **options)
    assert arm.seen == []


@pytest.mark.parametrize("option", ["hostname", "hostnames"])
@pytest.mark.parametrize("given", ["{{ azure_name }}.{{ 'a,b'[0] }}", ["azure_tags.none", "azure_name ~ '.a'"]])
def test_d3_hostnames_is_taken_as_the_other_clouds_call_it(run: Run, arm: LoopbackArm, option: str, given: Any) -> None:
    assert "centosweb1.a" in run(arm, **{option: given}).hosts


def test_d3_default_means_the_machines_own_name(run: Run, arm: LoopbackArm) -> None:
    assert "centosweb1" in run(arm, hostnames=["azure_tags.fqdn", "default"], strict=False).hosts
    assert "centosweb1" in run(arm, hostnames=["default", "azure_location"], strict=True).hosts


@pytest.mark.parametrize("given", ["tag:Name", "private_ip", "name"])
def test_d3_an_expression_that_gives_no_machine_a_name_is_told(run: Run, arm: LoopbackArm, given: str) -> None:
    result = run(arm, hostnames=[given])
    assert "centosweb1" in result.hosts
    (warning,) = result.warnings
    assert warning.startswith(f"hostname '{given}' gives no name to any machine: ")
    assert "hostvar_prefix 'azure_' in front" in warning


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hostnames": [{"name": "tag:Name", "prefix": "x"}]}, "hostname has {"),
        ({"hostname": [7]}, "hostname has 7; expected an expression of Jinja"),
        ({"include_filters": [{"tag:Name": ["a"]}]}, "include_filters has {"),
        ({"exclude_filters": {"tag:Name": "a"}}, "exclude_filters has {"),
        ({"include_filters": ["", "true"]}, "include_filters has ''"),
        ({"connect_with": ["public", "private_ip"]}, "connect_with has 'public'; expected some of private_ip,"),
        ({"connect_with": []}, "connect_with is empty"),
        ({"auth": "servce_principal"}, "did you mean service_principal?"),
        ({"cloud": "moon"}, "cloud is 'moon'; expected one of public, china, us_government, AzureCloud,"),
        ({"exclude_provisioning_states": ["Creatin"]}, "exclude_provisioning_states has 'Creatin'; expected some of"),
    ],
)
def test_d3_values_of_other_plugins_are_refused(
    run: Run, arm: LoopbackArm, options: dict[str, Any], words: str
) -> None:
    assert words in refused(run, arm, **options)
    assert arm.seen == []


# --- D4: the same names in two subscriptions


def twice() -> tuple[Estate, Estate]:
    """Production and staging by one template."""
    production, staging = tutorial(), tutorial()
    moved = Estate(STAGING)
    for name in ("machines", "states", "nics", "public_ips"):
        setattr(moved, name, _moved(getattr(staging, name)))
    moved.networks = {key.replace(SUBSCRIPTION, STAGING): value for key, value in staging.networks.items()}
    return production, moved


def _moved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _moved(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_moved(one) for one in value]
    return value.replace(SUBSCRIPTION, STAGING) if isinstance(value, str) else value


BOTH = {"subscription_ids": [SUBSCRIPTION, STAGING]}
APART = {"hostname": ["{{ azure_name }}-{{ azure_subscription_id }}"], "vnet_names": "subscription"}


def test_d4_hosts_of_one_name_are_refused_with_what_tells_them_apart(run: Run) -> None:
    with serving(*twice()) as server:
        said = refused(run, server, **BOTH)
        assert said.startswith(f"Two machines would be called centoshaproxy: /subscriptions/{SUBSCRIPTION}/")
        assert said.endswith('set hostname, for example hostname: ["{{ azure_name }}-{{ azure_subscription_id }}"].')
        said = refused(run, server, **BOTH, **RENAMED)
        assert said.endswith("they differ in azure_subscription_id: put it into the expressions of hostname.")


@pytest.mark.parametrize("vnet_names", ["short", "qualified"])
@pytest.mark.parametrize("every", ["primary", "all"])
def test_d4_networks_of_one_name_are_refused_and_told_apart(run: Run, vnet_names: str, every: str) -> None:
    options = {**BOTH, **APART, "group_by_subnet": every}
    with serving(*twice()) as server:
        said = refused(run, server, **{**options, "vnet_names": vnet_names})
        assert said.startswith("The group vnet_")
        assert said.endswith("Set vnet_names: subscription to tell them apart. Or set merged_groups: warn.")
        (warning,) = run(server, **{**options, "vnet_names": vnet_names, "merged_groups": "warn"}).warnings
        assert warning.endswith("Set vnet_names: subscription to tell them apart.")
        result = run(server, **options)
    assert result.warnings == []
    safe = STAGING.replace("-", "_")
    web = [f"{name}-{STAGING}" for name in WEB]
    assert result.members(f"subnet_{safe}_webcluster_webcluster_vnet_web") == web
    assert len(result.members(f"vnet_{safe}_webcluster_webcluster_vnet")) == 8


def test_d4_names_that_no_option_can_tell_apart_name_none(run: Run) -> None:
    estate = tutorial()
    estate.add("a", "x-y", "10.0.0.9")
    estate.add("b", "x_y", "10.0.0.10")
    with serving(estate) as server:
        for vnet_names in ("short", "qualified", "subscription"):
            said = refused(run, server, vnet_names=vnet_names)
            assert "vnet_names" not in said
            assert "rename one of them, or use keyed_groups." in said


@pytest.mark.parametrize(
    ("web", "advice"),
    [
        (
            "web",
            f"write it as subscription/resource_group/vnet/subnet, such as {SUBSCRIPTION}/webcluster/webcluster-vnet/web",
        ),
        ("webcluster-vnet/web", "write it as subscription/resource_group/vnet/subnet, such as "),
        ("webcluster/webcluster-vnet/web", "write it as subscription/resource_group/vnet/subnet, such as "),
        ("we?", "write it as subscription/resource_group/vnet/subnet, such as "),
        ("*/web", "write it as subscription/resource_group/vnet/subnet, such as "),
        ({"name": "*web*"}, "give the rule a subnet as subscription/resource_group/vnet/subnet"),
        ({"tags": {"tier": "web"}}, "give the rule a subnet as subscription/resource_group/vnet/subnet"),
        ([{"subnet": "no"}, {"subnet": "web"}], "write it as subscription/resource_group/vnet/subnet, such as "),
    ],
)
def test_d4_a_role_of_two_subscriptions_is_refused(run: Run, web: Any, advice: str) -> None:
    estates = twice()
    for estate in estates:
        for machine in estate.machines:
            if "web" in machine["name"]:
                machine["tags"] = {"tier": "web"}
    options = {**BOTH, **APART, "role_groups": {"apache_php": web}, "no_role": "ignore"}
    with serving(*estates) as server:
        said = refused(run, server, **options)
        assert said.startswith("role_groups.apache_php ")
        assert advice in said
        assert said.endswith("; or set mixed_roles: warn.")
        (warning,) = run(server, **options, mixed_roles="warn").warnings
        assert "mixed_roles" not in warning


@pytest.mark.parametrize("web", ["{subscription}/webcluster/webcluster-vnet/web", "{id}", "{subscription}/*/*/web"])
def test_d4_a_subnet_with_its_subscription_is_one(run: Run, web: str) -> None:
    full = f"/subscriptions/{STAGING}/resourceGroups/webcluster/providers/Microsoft.Network/virtualNetworks/webcluster-vnet/subnets/web"
    options = {**BOTH, **APART, "no_role": "ignore"}
    with serving(*twice()) as server:
        result = run(server, **options, role_groups={"apache_php": web.format(subscription=STAGING, id=full)})
    assert result.members("apache_php") == [f"{name}-{STAGING}" for name in WEB]
    assert result.warnings == []


def test_d4_two_subnets_that_are_both_written_are_meant(run: Run) -> None:
    estate = tutorial()
    estate.add("more", "web2", "10.0.0.9")
    estate.add("far", "web", "10.9.0.9", vnet="second")
    with serving(estate) as server:
        for web in (["webcluster-vnet/web", "second/web", "web2"], "*/web*"):
            result = run(server, role_groups={"apache_php": web}, no_role="ignore")
            assert result.members("apache_php") == [*WEB, "far", "more"]
            assert result.warnings == []


def test_d4_a_second_inventory_file_does_not_overwrite_a_machine(run: Run) -> None:
    production, staging = twice()
    with serving(production, staging) as server:
        data = InventoryData()
        run(server, data=data)
        said = refused(run, server, data=data, subscription_ids=[STAGING])
        assert said.startswith(f"Two machines would be called centoshaproxy: /subscriptions/{STAGING}/")
        assert said.endswith(
            "of another inventory source; expected a name for each: set hostname, for example"
            ' hostname: ["{{ azure_name }}-{{ azure_subscription_id }}"].'
        )
        assert data.hosts["centoshaproxy"].vars["azure_subscription_id"] == SUBSCRIPTION
        # The same machine once more is no other one.
        assert len(run(server, data=data).hosts) == 8


def test_d4_a_second_inventory_file_does_not_mix_a_cluster(run: Run) -> None:
    with serving(*twice()) as server:
        data = InventoryData()
        run(server, data=data, role_groups=ROLES)
        options = {"subscription_ids": [STAGING], "role_groups": ROLES, "hostname": ["s-{{ azure_name }}"]}
        said = refused(run, server, data=data, **options)
    assert said.startswith(f"role_groups.apache_php takes machines of subscription {STAGING} beside centosweb1 (")
    assert len(data.hosts) == 8


@pytest.mark.parametrize(
    ("options", "named", "unnamed"),
    [
        ({}, "leave them out with resource_groups,", "exclude_"),
        ({"resource_groups": ["*"]}, "leave them out with exclude_resource_groups,", " resource_groups"),
        (
            {"resource_groups": ["*"], "exclude_resource_groups": ["x"], "locations": ["westeurope"]},
            "leave them out with tags,",
            "locations",
        ),
    ],
)
def test_d4_a_hint_names_no_option_that_is_set(
    run: Run, arm: LoopbackArm, options: dict[str, Any], named: str, unnamed: str
) -> None:
    (warning,) = run(arm, role_groups={"haproxy": "lb"}, **options).warnings
    assert named in warning
    assert unnamed not in warning


def test_d4_allow_partial_is_not_advised_where_it_is_set(run: Run, arm: LoopbackArm) -> None:
    arm.faults.append(Fault("public_ips", status=403, code="AuthorizationFailed"))
    assert "or set allow_partial: true" in refused(run, arm)
    (warning,) = run(arm, allow_partial=True).warnings
    assert "set allow_partial" not in warning


def test_d4_compose_is_not_advised_where_it_sets_the_address(run: Run, arm: LoopbackArm) -> None:
    result = run(arm, connect_with="public_ip", compose={"ansible_host": "azure_public_ip or azure_private_ip"})
    assert result.warnings == []
    assert result.hosts["centosweb1"]["ansible_host"] == "10.0.0.4"


# --- D5: filters, states, and ways to connect


def tagged() -> Estate:
    estate = tutorial()
    for machine in estate.machines:
        if "web" in machine["name"]:
            machine["tags"] = {"role": "web", "Retired": "no"}
    estate.machines[3]["tags"]["retired"] = "yes"
    del estate.machines[3]["tags"]["Retired"]
    return estate


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        ({"include_filters": ["azure_tags.role | default('') == 'web'"]}, WEB),
        ({"include_filters": "azure_tags.role == 'web' and azure_location in ['westeurope', 'northeurope']"}, WEB),
        ({"include_filters": ["azure_name == 'centosweb1'", "azure_name == 'centosweb2'"]}, WEB[:2]),
        ({"include_filters": ["azure_subnet_name == 'web'"], "exclude_filters": ["'web1' in azure_name"]}, WEB[1:]),
        ({"include_filters": [True], "exclude_filters": ["azure_subnet_name != 'web'"]}, WEB),
        ({"include_filters": ["ansible_host == '10.0.0.5'"]}, WEB[1:2]),
        ({"include_filters": ["azure_private_ip is match('10.0.0.[45]$')"]}, WEB[:2]),
        ({"exclude_tags": {"retired": "yes"}, "include_filters": "azure_subnet_name == 'web'"}, WEB[:2]),
        ({"exclude_tags": {"RETIRED": ["n*"]}, "tags": {"role": "*"}}, WEB[2:]),
        ({"exclude_tags": {"retired": None, "other": "x"}, "tags": {"role": "*"}}, []),
    ],
)
@pytest.mark.parametrize("backend", ["arm", "resource_graph"])
def test_d5_machines_are_chosen(run: Run, options: dict[str, Any], hosts: list[str], backend: str) -> None:
    with serving(tagged()) as server:
        assert sorted(run(server, backend=backend, **options).hosts) == hosts


def test_d5_filters_see_the_prefix_and_extra_variables(
    run: Run, monkeypatch: pytest.MonkeyPatch, arm: LoopbackArm
) -> None:
    assert sorted(run(arm, hostvar_prefix="", include_filters=["subnet_name == 'web'"]).hosts) == WEB
    monkeypatch.setattr("ansible.plugins.inventory.load_extra_vars", lambda _loader: {"wanted": "web"})
    options = {"include_filters": ["azure_subnet_name == wanted"]}
    assert sorted(run(arm, use_extra_vars=True, **options).hosts) == WEB
    assert "'wanted' is undefined; expected an expression" in refused(run, arm, **options)


def test_d5_a_filter_that_fails_for_one_machine_counts_as_false_unless_strict(run: Run) -> None:
    with serving(tagged()) as server:
        result = run(server, exclude_filters=["azure_tags.role == 'web'"])
        assert len(result.hosts) == 5
        assert any("counts as false for centoshaproxy" in note for note in result.notes(2))
        assert (
            "leaves out centosweb1 (webcluster): exclude_filters 'azure_tags.role == 'web'' is true for it"
            in result.notes(2)
        )
        said = refused(run, server, exclude_filters=["azure_tags.role == 'web'"], strict=True)
    assert said.startswith("The filter 'azure_tags.role == 'web'' fails for centoshaproxy, and strict is true: ")


@pytest.mark.parametrize(
    "expression", ["azure_subnet = 'web'", "azure_nothing == 1", "azure_name", "subnet_name == 'web'", "1 +"]
)
@pytest.mark.parametrize("option", ["include_filters", "exclude_filters"])
def test_d5_a_filter_that_is_wrong_never_takes_or_leaves_all(
    run: Run, arm: LoopbackArm, option: str, expression: str
) -> None:
    said = refused(run, arm, **{option: [expression]})
    assert said.startswith(f"The filter '{expression}' fails for each machine: ")


def test_d5_filters_that_leave_nothing_say_so(run: Run, arm: LoopbackArm) -> None:
    (warning,) = run(arm, include_filters=["false"]).warnings
    assert warning == "include_filters and exclude_filters leave no machine; -vv tells why each one was left out."


def test_d5_filters_work_on_the_cache_at_once(run: Run, arm: LoopbackArm, tmp_path: Any) -> None:
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path)}
    assert len(run(arm, **cached).hosts) == 8
    assert sorted(run(arm, **cached, include_filters=["azure_subnet_name == 'web'"]).hosts) == WEB
    assert arm.counts["machines"] == 1


@pytest.mark.parametrize("backend", ["arm", "resource_graph"])
def test_d5_machines_that_azure_has_not_finished_are_left_out_and_named(run: Run, backend: str) -> None:
    estate = tutorial()
    for name, state in (("a", "Creating"), ("b", "Failed"), ("c", "Updating"), ("d", "Deleting")):
        estate.add(name, "web", f"10.0.0.{ord(name)}")["properties"]["provisioningState"] = state
    with serving(estate) as server:
        result = run(server, backend=backend)
        assert sorted(set(result.hosts) - {name for name in result.hosts if name.startswith("centos")}) == ["c"]
        assert result.warnings == [
            "Left out, because Azure has not finished making them: a in resource group WEBCLUSTER (Creating), b in resource group"
            " WEBCLUSTER (Failed) (see exclude_provisioning_states)."
        ]
        every = run(server, backend=backend, exclude_provisioning_states=[])
        assert {"a", "b", "c"} <= set(every.hosts)
        assert "d" not in every.hosts
        assert every.warnings == []
        assert {"a", "b"} <= set(run(server, backend=backend, exclude_provisioning_states=["updating"]).hosts)


@pytest.mark.parametrize(
    ("ways", "proxy", "web"),
    [
        (["public_ip", "private_ip"], "192.0.2.52", "10.0.0.4"),
        ("public_ip,private_ip", "192.0.2.52", "10.0.0.4"),
        ("{{ ['public_ip', 'private_ip'] }}", "192.0.2.52", "10.0.0.4"),
        ("{{ lookup('ansible.builtin.env', 'NO_WAY') | default('private_ip', true) }}", "10.0.0.52", "10.0.0.4"),
        (
            ["public_dns", "private_dns"],
            "centoshaproxy-ip.westeurope.cloudapp.azure.com",
            "centosweb1.loopback.ax.internal.cloudapp.net",
        ),
        (["public_ipv6", "private_ipv6", "name"], "centoshaproxy", "fd00::4"),
        (["public_ipv6", "private_ipv4"], "10.0.0.52", "2001:db8::4"),
    ],
)
def test_d5_ways_to_connect_stand_in_order(run: Run, ways: Any, proxy: str, web: str) -> None:
    estate = tutorial()
    nic = next(one for one in estate.nics if one["name"] == "centosweb1-nic")
    configurations = nic["properties"]["ipConfigurations"]
    subnet = configurations[0]["properties"]["subnet"]["id"]
    if web in ("fd00::4", "2001:db8::4"):
        configurations.append(ip_configuration(nic["id"], "fd00::4", subnet, primary=False, name="six"))
    if web == "2001:db8::4":
        public = (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/webcluster/providers/Microsoft.Network/publicIPAddresses/six"
        )
        configurations[-1]["properties"]["publicIPAddress"] = {"id": public}
        estate.public_ips.append(public_address(public, "2001:db8::4", "westeurope"))
    with serving(estate) as server:
        hosts = run(server, connect_with=ways).hosts
    assert hosts["centoshaproxy"]["ansible_host"] == proxy
    assert hosts["centosweb1"]["ansible_host"] == web


def test_d5_machines_without_any_of_the_ways_are_named(run: Run, arm: LoopbackArm) -> None:
    result = run(arm, connect_with=["public_ipv6", "public_ip"], resource_groups=["webcluster"])
    (warning,) = result.warnings
    assert warning.startswith("connect_with is public_ipv6, public_ip, and centosmysql1,")


# --- D6: strict, empty variables, conflicts


def test_d6_hostname_obeys_strict(run: Run, arm: LoopbackArm) -> None:
    options = {"hostname": ["azure_tags.fqdn", "azure_name"]}
    assert len(run(arm, **options).hosts) == 8
    said = refused(run, arm, **options, strict=True)
    assert said.startswith("hostname 'azure_tags.fqdn' fails for centoshaproxy, and strict is true: ")
    assert said.endswith("expected a name, or nothing, for each machine: correct it.")
    assert len(run(arm, hostname=["azure_tags.fqdn | default('')", "azure_name"], strict=True).hosts) == 8


@pytest.mark.parametrize("made", ["azure_tags", "azure_zones", "azure_name == 'x'", "{{ azure_tags }}"])
def test_d6_what_is_no_text_is_no_name(run: Run, arm: LoopbackArm, made: str) -> None:
    assert "expected text or a number: correct it." in refused(run, arm, hostname=[made])


@pytest.mark.parametrize("value", ["", " "])
def test_d6_empty_variables_of_the_environment_are_none(
    run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    for name in ("AZURE_CLOUD_ENVIRONMENT", "ANSIBLE_AZURE_AUTH", "AZURE_SUBSCRIPTION_ID", "AZURE_AUTHORITY_HOST"):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_ACCESS_TOKEN", TOKEN)
    assert len(run(arm, access_token=None).hosts) == 8


def test_d6_an_empty_variable_does_not_hide_the_other_name_of_it(
    run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_TENANT", ""),
        ("AZURE_CLIENT_SECRET", "secret"),
        ("AZURE_SECRET", ""),
    ):
        monkeypatch.setenv(name, value)
    said = refused(run, arm, access_token=None, auth="service_principal")
    assert said.startswith("auth service_principal needs client_id, which is not set")


@pytest.mark.parametrize(
    "name",
    [
        "AzureCloud",
        "AzurePublicCloud",
        "AZURE_US_GOVERNMENT",
        "azureusgovernment",
        "AzureChinaCloud",
        "China",
        "AZURE_PUBLIC_CLOUD",
    ],
)
def test_d6_clouds_are_known_by_the_names_of_other_tools(
    run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AZURE_CLOUD_ENVIRONMENT", name)
    assert len(run(arm).hosts) == 8


def test_d6_a_conflict_on_a_network_card_is_asked_again(run: Run) -> None:
    with serving(tutorial(), unlisted_nics=1) as server:
        server.faults.append(Fault("nic", times=2, status=409, code="AnotherOperationInProgress"))
        assert len(run(server).hosts) == 8
        server.faults[:] = [
            Fault("nic", status=409, code="AnotherOperationInProgress", message="Another operation is in progress.")
        ]
        said = refused(run, server)
    assert said.startswith("Cannot read the network interface /subscriptions/")
    assert (
        "centosredis2-nic: Azure answered 409 AnotherOperationInProgress (Another operation is in progress.) after 3 tries in"
        in said
    )
    assert said.endswith(
        "Another operation changes it at this moment, which no option can help: run it again when that has ended, or raise"
        " retries and retry_time."
    )


@pytest.mark.parametrize("kind", ["machines", "states", "nics", "public_ips"])
def test_d6_a_conflict_on_a_list_is_asked_again_too(run: Run, arm: LoopbackArm, kind: str) -> None:
    arm.faults.append(Fault(kind, times=1, status=409, code="Conflict"))
    assert len(run(arm).hosts) == 8


def test_d6_a_provider_that_is_not_registered_is_asked_once(run: Run, arm: LoopbackArm) -> None:
    arm.faults.append(Fault("machines", status=409, code="MissingSubscriptionRegistration", message="Not registered."))
    assert run(arm).hosts == {}
    assert arm.counts["machines"] == 1


# --- An error leaves nothing behind


def test_d1_an_error_takes_back_the_groups_too(run: Run, arm: LoopbackArm) -> None:
    data = InventoryData()
    data.add_group("mysql")
    with pytest.raises(AnsibleError, match="Could not set broken"):
        run(arm, data=data, role_groups=ROLES, compose={"broken": "azure_nothing.at.all"}, strict=True)
    assert set(data.groups) == {"all", "ungrouped", "mysql"}
    assert data.groups["mysql"].child_groups == []


def test_d5_a_second_interface_counts_for_filters(run: Run) -> None:
    estate = tutorial()
    machine = estate.machines[0]
    nic_id = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/webcluster/providers/Microsoft.Network/networkInterfaces/second"
    )
    subnet = estate.nics[1]["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    estate.nics.append(interface(nic_id, machine["id"], [ip_configuration(nic_id, "10.0.0.99", subnet)]))
    machine["properties"]["networkProfile"]["networkInterfaces"].append({"id": nic_id})
    with serving(estate) as server:
        hosts = run(server, include_filters=["'web' in azure_subnets | map(attribute='name')"]).hosts
    assert sorted(hosts) == ["centoshaproxy", *WEB]
