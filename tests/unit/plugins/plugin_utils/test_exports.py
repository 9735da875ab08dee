# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of sites that one host of the cluster holds for all web servers."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _topology
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, topology

PATH = "/srv/webcluster-folders/shop/public+files"


def shop(host: str) -> dict[str, t.Any]:
    mount = {"folder": "public/files", "host": host}
    return {"name": "shop", "domains": ["shop.example"], "shared_folders": ["public/files"], "mounts": [mount]}


def cluster(host: str) -> _topology.Topology:
    of = {**groups(), "folders": ["db3"]}
    return topology(of, (), webcluster={"webcluster_sites": [shop(host)]})


def mounts(found: _topology.Topology, host: str) -> t.Any:
    return found["arguments"][host]["apache_php_sites"][0]["mounts"]


@pytest.mark.parametrize("word", ["db3", "folders"])
def test_a_host_holds_the_folder_for_the_web_servers_and_for_nobody_else(word: str) -> None:
    found = cluster(word)
    assert found["errors"] == []
    assert found["arguments"]["db3"]["nfs_server_exports"] == [
        {"path": PATH, "user": 98172, "group": 98173, "clients": ["10.0.0.4", "10.0.0.5"]}
    ]
    for web in ("web1", "web2"):
        assert mounts(found, web) == [
            {"folder": "public/files", "src": f"10.0.0.22:{PATH}", "fstype": "nfs4", "opts": ""}
        ]
    opened = {(host, flow["port"]): flow["sources"] for host, flows in found["flows"].items() for flow in flows}
    assert opened["db3", 2049] == ["10.0.0.4", "10.0.0.5"]
    assert [host for host, port in opened if port == 2049] == ["db3"]
    assert "nfs_server" in found["waves"][0]["db3"]


def test_one_host_is_called_a_single_point() -> None:
    assert (
        "public/files of shop is on db3 only, a single point: while that host is away, nobody has the folder."
        in (cluster("db3")["notes"])
    )


def test_a_web_server_that_holds_the_folder_needs_no_network_for_it() -> None:
    found = cluster("web1")
    assert found["arguments"]["web1"]["nfs_server_exports"][0]["clients"] == ["10.0.0.5"]
    assert mounts(found, "web1") == [{"folder": "public/files", "src": PATH, "fstype": "none", "opts": "bind"}]
    assert mounts(found, "web2")[0]["src"] == f"10.0.0.4:{PATH}"
    tiers = found["waves"][0]["web1"]
    assert tiers.index("nfs_server") < tiers.index("apache_php")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("nas", "Site shop: mounts[public/files].host is nas, which is no host of this cluster; expected one of db1"),
        ("apache_php", "mounts[public/files].host is apache_php, a group of 2 hosts; expected one that holds"),
    ],
)
def test_a_host_that_cannot_be_is_one_sentence(host: str, words: str) -> None:
    [error] = cluster(host)["errors"]
    assert words in error
