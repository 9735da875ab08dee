# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _hosts

DEBIAN = {"distribution": "Debian", "distribution_major_version": "13", "distribution_release": "trixie"}


@pytest.fixture
def roles(tmp_path: pathlib.Path) -> pathlib.Path:
    for role, systems in {
        "apache_php": ["Debian_12", "Debian_13", "Debian_sid"],
        "haproxy": ["Debian_13", "Debian_sid"],
        "mysql_server": ["Debian_12", "Debian_13", "Ubuntu_24"],
    }.items():
        folder = tmp_path / role / "vars"
        folder.mkdir(parents=True)
        for system in ["main", *systems]:
            (folder / f"{system}.yml").touch()
    return tmp_path


def met(group: str, **facts: str) -> dict[str, t.Any]:
    return {
        "group_names": ["webcluster", group],
        "ansible_facts": {**DEBIAN, **facts},
        "__webcluster_met": {"changed": False},
    }


def test_the_supported_systems_are_those_that_all_roles_of_a_host_have_variables_for(roles: pathlib.Path) -> None:
    hosts = {
        "good": met("apache_php"),
        "sid": met("apache_php", distribution_release="sid", distribution_major_version="n/a"),
        "ubuntu": met("mysql_master", distribution="Ubuntu", distribution_major_version="24"),
        # The data proxy beside it does not know Debian 12.
        "old": met("apache_php", distribution_major_version="12"),
    }
    assert _hosts.host_errors(list(hosts), hosts, roles) == [
        "Host old runs Debian 12; expected one of Debian 13, Debian sid: reinstall it with one of these."
    ]


def test_the_roles_of_the_collection_say_what_they_support() -> None:
    for role in ("apache_php", "haproxy", "mysql_server", "redis_server"):
        assert {"Debian_12", "Debian_13", "Debian_sid"} <= _hosts.supported_systems(role)


def test_f_hosts_that_cannot_be_worked_on_are_all_named(roles: pathlib.Path) -> None:
    hosts: dict[str, dict[str, t.Any]] = {
        "gone": {"ansible_host": "10.0.0.9", "__webcluster_met": {"unreachable": True, "msg": "ssh:\n no route"}},
        "sudo": {"__webcluster_met": {"failed": True, "msg": "Task failed: Missing sudo password"}},
        "sudo2": {"__webcluster_met": {"failed": True, "msg": "Task failed: Missing sudo password"}},
        "bare": {"__webcluster_met": {"failed": True, "msg": "no interpreter"}},
        "odd": {"group_names": ["apache_php"], "__webcluster_met": {"changed": False}},
    }
    assert _hosts.host_errors(list(hosts), hosts, roles) == [
        "Host gone cannot be reached over SSH at 10.0.0.9; expected a running host that accepts our key: start it, or"
        " leave it out with --limit. ssh: no route.",
        "Host odd runs an unknown system; expected one of Debian 13, Debian sid: reinstall it with one of these.",
        "sudo, sudo2 could not be looked at: Missing sudo password; expected a user that may use sudo without being asked:"
        " allow that, or give the password with --ask-become-pass, or leave them out with --limit.",
        "bare could not be looked at: no interpreter; expected Python 3 and a user that may use sudo without being asked:"
        " mend that, or leave them out with --limit.",
    ]


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"webcluster_address": "10.0.0.9", "ansible_host": "192.0.2.1"}, "10.0.0.9"),
        ({"ansible_host": "10.0.0.8"}, "10.0.0.8"),
        ({"ansible_host": "db1.example.org", "ansible_facts": {"default_ipv4": {"address": "10.0.0.7"}}}, "10.0.0.7"),
        ({"ansible_host": "db1.example.org"}, None),
    ],
)
def test_address_of_a_host(variables: dict[str, t.Any], address: str | None) -> None:
    assert _hosts.host_address("db1", variables) == address


def test_a_host_without_address_and_two_with_one_are_named() -> None:
    assert _hosts.address_errors({"web1": "10.0.0.4", "web2": "10.0.0.5"}) == []
    assert _hosts.address_errors({"web1": "10.0.0.4", "web2": None, "web3": "10.0.0.4"}) == [
        "Host web2 has no known address; expected an IP address: set webcluster_address for it.",
        "Hosts web1 and web3 have the same address, 10.0.0.4; expected one name for one machine: correct ansible_host or"
        " webcluster_address, or put one name into all groups of that machine.",
    ]
