# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that azure_estate made, azure_subnet found and site.yml built."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
from testinfra.host import Host

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
INVENTORY = CHECKOUT / "molecule/azure/inventory"
MEMBERS = {
    "haproxy": ["azurelb"],
    "apache_php": ["azureweb1", "azureweb2", "azureweb3"],
    "mysql_master": ["azuremysql1"],
    "mysql_replica": ["azuremysql2"],
    "redis_master": ["azureredis1"],
    "redis_replica": ["azureredis2"],
    "subnet_webcluster_vnet_lb": ["azurelb"],
    "subnet_webcluster_vnet_mysql": ["azuremysql1", "azuremysql2"],
    "subnet_webcluster_vnet_redis": ["azureredis1", "azureredis2"],
    "subnet_webcluster_vnet_web": ["azureweb1", "azureweb2", "azureweb3"],
}
PORTS = {"azurelb": 80, "azureweb": 80, "azuremysql": 3306, "azureredis": 6379}


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    # molecule's own settings would hide the checkout's ansible.cfg.
    # As an operator would run it; only the inventory must find its stand-in for Azure.
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment = mine | {"MOLECULE_SCENARIO_DIRECTORY": str(INVENTORY.parent)}
    environment["MOLECULE_SCENARIO_DIRECTORY"] = str(INVENTORY.parent)
    program = pathlib.Path(sys.executable).with_name("ansible-inventory")
    done = subprocess.run(
        [str(program), "-i", str(INVENTORY), "--list"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_hosts_and_groups_come_from_the_plugin(listed: dict[str, Any]) -> None:
    assert {group: sorted(listed[group]["hosts"]) for group in MEMBERS} == MEMBERS
    assert sorted(listed["webcluster"]["children"]) == ["apache_php", "haproxy", "mysql", "redis"]
    for variables in listed["_meta"]["hostvars"].values():
        assert "/virtualMachines/" in variables["azure_id"]
        assert variables["ansible_host"] == variables["azure_private_ip"]


def test_nothing_else_in_the_inventory_names_a_host() -> None:
    files = sorted(path.name for path in INVENTORY.iterdir() if not path.name.startswith("."))
    assert files == ["azure_subnet.yml", "group_vars"]


def test_each_host_serves_where_azure_says_it_is(host: Host, listed: dict[str, Any]) -> None:
    name = host.check_output("hostname")
    address = listed["_meta"]["hostvars"][name]["azure_private_ip"]
    assert address in host.check_output("hostname -I").split()
    port = PORTS[name.rstrip("0123456789")]
    assert host.socket(f"tcp://{address}:{port}").is_listening or host.socket(f"tcp://0.0.0.0:{port}").is_listening


def test_the_site_answers_through_the_load_balancer_of_the_inventory(listed: dict[str, Any]) -> None:
    (front,) = listed["haproxy"]["hosts"]
    door = listed["_meta"]["hostvars"][front]["ansible_host"]
    seen = set()
    for _again in range(12):
        connection = http.client.HTTPConnection(door, timeout=10)
        connection.request("GET", "/api/status")
        seen.add(json.load(connection.getresponse())["server"])
        connection.close()
    assert seen == set(MEMBERS["apache_php"])


def test_status_finds_the_cluster_healthy() -> None:
    # As an operator would run it; only the inventory must find its stand-in for Azure.
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment = mine | {"MOLECULE_SCENARIO_DIRECTORY": str(INVENTORY.parent)}
    done = subprocess.run(
        [sys.executable, "tools/status.py", "--inventory", str(INVENTORY), "--format", "json"],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["healthy"] is True
    # With the login of the inventory's own file, of the live topology, and of what azure_estate has made.
    (ports,) = [row for row in report["servers"] if row["tier"] == "ports"]
    assert (ports["state"], ports["detail"]) == ("open", "29 of 29 connections are allowed")
