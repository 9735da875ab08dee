# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of two hosts in two subnets, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.lab.cluster import Cluster
from ansible_collections.siteops.webcluster.lab.inventory import load_hosts

Make = Callable[..., Cluster]


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    folder = tmp_path / "clone/inventory/lab"
    folder.mkdir(parents=True)
    (folder / "hosts.yml").write_text(
        "all:\n  hosts:\n"
        "    web1: {ansible_host: '{{ lab_prefix }}.4'}\n"
        "    db1: {ansible_host: '{{ lab_prefix }}.20'}\n"
    )
    return folder


@pytest.fixture
def make(inventory: Path) -> Make:
    def cluster(checkout: Path = inventory.parents[1], folder: Path = inventory, prefix: str = "10.90.1") -> Cluster:
        return Cluster(checkout, folder, tuple(load_hosts(inventory, prefix)))

    return cluster
