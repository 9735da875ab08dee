# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.lab.command import LabError
from ansible_collections.siteops.webcluster.lab.inventory import load_hosts

CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_tutorial_cluster_has_its_names_addresses_and_four_subnets() -> None:
    hosts = load_hosts(CHECKOUT / "inventory/lab", "10.0.0")
    assert {host.name: str(host.address) for host in hosts} == {
        "centoshaproxy": "10.0.0.52",
        "centosweb1": "10.0.0.4",
        "centosweb2": "10.0.0.5",
        "centosweb3": "10.0.0.6",
        "centosmysql1": "10.0.0.20",
        "centosmysql2": "10.0.0.21",
        "centosredis1": "10.0.0.36",
        "centosredis2": "10.0.0.37",
    }
    assert sorted({str(host.subnet) for host in hosts}) == [
        "10.0.0.0/28",
        "10.0.0.16/28",
        "10.0.0.32/28",
        "10.0.0.48/28",
    ]


def test_the_prefix_moves_every_host() -> None:
    assert {host.prefix for host in load_hosts(CHECKOUT / "inventory/lab", "10.77.8")} == {"10.77.8"}


def test_a_host_made_anew_has_the_hardware_address_that_its_neighbours_know(inventory: Path) -> None:
    macs = {host.name: host.mac for host in load_hosts(inventory, "10.90.1")}
    assert macs == {"web1": "02:57:0a:5a:01:04", "db1": "02:57:0a:5a:01:14"}


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ("db1:", "Lab host db1 has ansible_host ''; expected an IPv4 address"),
        (
            "{db1: {ansible_host: 10.1.1.4}, db2: {ansible_host: 10.1.1.4}}",
            "db1 and db2 both have the address 10.1.1.4",
        ),
        (
            "{db1: {ansible_host: 10.1.1.4}, db2: {ansible_host: 10.1.2.4}}",
            "begin with 10.1.1 and 10.1.2; a lab has one",
        ),
        ("{}", "names no host"),
    ],
)
def test_an_inventory_that_makes_no_lab_is_told_why(tmp_path: Path, hosts: str, sentence: str) -> None:
    (tmp_path / "hosts.yml").write_text(f"all:\n  hosts:\n    {hosts}\n")
    with pytest.raises(LabError, match=sentence):
        load_hosts(tmp_path, "10.0.0")


def test_a_folder_without_inventory_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not exist"):
        load_hosts(tmp_path, "10.0.0")
