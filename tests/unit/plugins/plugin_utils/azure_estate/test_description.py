# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description: the tutorial's by default, and one sentence for each thing that cannot be right."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.azure_estate.sample import host, wanted

TUTORIAL = {
    "centoshaproxy": "10.0.0.52", "centosweb1": "10.0.0.4", "centosweb2": "10.0.0.5", "centosweb3": "10.0.0.6",
    "centosmysql1": "10.0.0.20", "centosmysql2": "10.0.0.21", "centosredis1": "10.0.0.36", "centosredis2": "10.0.0.37",
}  # fmt: skip


def test_the_addresses_are_those_of_the_tutorial() -> None:
    assert {one.name: one.address for one in wanted().hosts} == TUTORIAL


def test_a_machine_that_is_added_at_the_end_moves_no_other() -> None:
    hosts = [host(name, "apache_php" if "web" in name else "haproxy") for name in ("lb1", "web1", "web2")]
    before = {one.name: one.address for one in wanted(hosts=hosts).hosts}
    after = {one.name: one.address for one in wanted(hosts=[*hosts, host("web3", "apache_php")]).hosts}
    assert after == {**before, "web3": "10.0.0.6"}


def test_a_given_address_is_nobody_elses() -> None:
    hosts = [host("lb1", "haproxy"), host("web1", "apache_php"), host("web2", "apache_php", address="10.0.0.4")]
    assert {one.name: one.address for one in wanted(hosts=hosts).hosts}["web1"] == "10.0.0.5"


def test_two_load_balancers_stand_behind_azures() -> None:
    assert not wanted().load_balancer
    assert wanted(hosts=[host("lb1", "haproxy"), host("lb2", "haproxy")]).load_balancer


def test_only_mysql_has_a_data_disk() -> None:
    assert {one.name for one in wanted().hosts if one.data_disk_gb} == {"centosmysql1", "centosmysql2"}
    hosts = [host("lb1", "haproxy"), host("redis1", "redis_master", data_disk_gb=32)]
    assert [one.data_disk_gb for one in wanted(hosts=hosts).hosts] == [0, 32]


def test_the_load_balancer_may_be_the_way_in_for_ssh() -> None:
    assert wanted().admin_sources == ["203.0.113.0/24", "10.0.0.48/28"]
    assert wanted(jump_host=False).admin_sources == ["203.0.113.0/24"]


LB = [host("lb1", "haproxy")]
SMALL = {"web": "10.0.0.0/28", "mysql": "10.0.0.16/28", "redis": "10.0.0.32/28", "lb": "10.0.0.48/29"}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "my_estate"}, "name is 'my_estate'; expected 1 to 40 letters"),
    ({"name": "x" * 41}, "name is 'xxx"),
    ({"resource_group": "dot."}, "resource_group is 'dot.'; expected up to 90"),
    ({"subscription_id": ""}, "subscription_id is empty; expected the id"),
    ({"subscription_id": "mine"}, "subscription_ids has 'mine'"),
    ({"location": ""}, "location is ''; expected a region"),
    ({"admin_cidrs": []}, "admin_cidrs is empty, and nobody could reach"),
    ({"admin_cidrs": ["0.0.0.0/0"]}, "admin_cidrs has 0.0.0.0/0, which is as good as the whole Internet"),
    ({"admin_cidrs": ["Internet"]}, "admin_cidrs has 'Internet', the whole Internet"),
    ({"admin_cidrs": ["10.0.0.1/24"]}, "admin_cidrs has '10.0.0.1/24' (10.0.0.1/24 has host bits set)"),
    ({"ssh_public_key": ""}, "ssh_public_key is empty; machines are reached by key only"),
    ({"ssh_public_key": "~/.ssh/id_ed25519.pub"}, "ssh_public_key is no key that Azure takes"),
    ({"ssh_public_key": "ecdsa-sha2-nistp256 " + "A" * 68}, "ssh_public_key is no key that Azure takes"),
    ({"admin_user": "root"}, "admin_user is 'root', which Azure or Linux refuses"),
    ({"image": "debian-13"}, "image is 'debian-13'; expected publisher:offer:sku:version"),
    ({"public_ports": []}, "public_ports is empty"),
    ({"public_ports": [80, 80]}, "public_ports has 80; expected different numbers"),
    ({"network": {"prefixes": ["10.0.0.0/28"]}}, "network.subnets.mysql is 10.0.0.16/28, outside of network.prefixes"),
    ({"network": {"prefixes": ["ten"]}}, "network.prefixes has 'ten'"),
    ({"network": {"subnets": {"web": "10.0.0.0/28"}}}, "network.subnets has no 'lb'"),
    ({"network": {"subnets": {**SMALL, "lb": "10.0.0.48/30"}}}, "network.subnets.lb is 10.0.0.48/30; Azure keeps five"),
    ({"network": {"subnets": {**SMALL, "lb": "10.0.0.40/29"}}}, "network.subnets.lb (10.0.0.40/29) and redis (10.0.0.32/28)"),
    ({"network": {"subnets": SMALL}, "hosts": [host(f"lb{n}", "haproxy") for n in range(4)]},
     "The subnet lb (10.0.0.48/29) has no address left for lb3; it holds 3 machines"),
    ({"hosts": [host("web1", "apache_php")]}, "hosts has no machine of the group haproxy"),
    ({"hosts": [*LB, host("LB1", "haproxy")]}, "hosts has lb1 twice"),
    ({"hosts": [*LB, host("web_1", "apache_php")]}, "hosts has the name 'web_1'"),
    ({"hosts": [*LB, host("db1", "database")]}, "The group of db1 is 'database'; expected one of haproxy"),
    ({"hosts": [host("lb1", "haproxy", address="10.0.0.4")]}, "The address 10.0.0.4 of lb1 is outside of its subnet lb"),
    ({"hosts": [host("lb1", "haproxy", address="10.0.0.51")]}, "The address 10.0.0.51 of lb1 is one of the five"),
    ({"hosts": [host("lb1", "haproxy", address="10.0.0.63")]}, "The address 10.0.0.63 of lb1 is one of the five"),
    ({"hosts": [host("lb1", "haproxy", address="here")]}, "The address of lb1 is 'here'"),
    ({"hosts": [host("lb1", "haproxy", address="10.0.0.52"), host("lb2", "haproxy", address="10.0.0.52")]},
     "The address 10.0.0.52 of lb1 is also that of lb2"),
    ({"hosts": [host("lb1", "haproxy", zone="1")], "zones": "none"}, "lb1 asks for zone 1, and zones is none"),
    ({"hosts": [*LB, host("lb2", "haproxy")], "front": "vm_ip"}, "front is vm_ip, and lb1 and lb2 are both load balancers"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "sentence"), BAD, ids=[sentence[:40] for _options, sentence in BAD])
def test_what_cannot_be_right_is_told_in_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as failure:
        wanted(**options)
    assert str(failure.value).startswith(sentence)
    assert "\n" not in str(failure.value)


def test_keepalived_is_refused_with_the_reason() -> None:
    with pytest.raises(SettingsError, match=r"\(keepalived\) does not work in Azure, whose network ignores"):
        wanted(hosts=[host("lb1", "haproxy"), host("lb2", "haproxy")], front="vm_ip")
