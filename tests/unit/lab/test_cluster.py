# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.lab.cluster import chosen_prefix, find_cluster
from ansible_collections.siteops.webcluster.lab.command import LabError

from .conftest import Make


def test_another_checkout_inventory_or_prefix_is_another_lab(make: Make, tmp_path: Path) -> None:
    labs = [make(), make(checkout=tmp_path), make(folder=tmp_path), make(prefix="10.90.2")]
    for names in ([lab.name for lab in labs], [lab.container(lab.hosts[0]) for lab in labs]):
        assert len(set(names)) == 4
    assert len({lab.network(lab.subnets[0]) for lab in labs}) == 4
    assert make().name == make().name
    assert make().name.startswith("lab-")


def test_labs_never_share_a_state_folder(make: Make, tmp_path: Path) -> None:
    assert len({make().state, make(folder=tmp_path).state, make(prefix="10.90.2").state}) == 3


def test_a_scenarios_lab_is_called_by_the_scenario(make: Make) -> None:
    assert make(folder=Path("/clone/molecule/mysql_replica/inventory")).name.startswith("mysql-replica-")


def test_a_forgotten_prefix_means_the_lab_of_this_inventory(make: Make, inventory: Path) -> None:
    assert chosen_prefix(inventory, {}) == "10.0.0"
    make().state.mkdir(parents=True)
    make().set_current()
    assert find_cluster(inventory, {}).prefix == "10.90.1"
    assert find_cluster(inventory, {"LAB_PREFIX": "10.90.2"}).prefix == "10.90.2"


def test_addresses_written_out_are_not_moved(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all:\n  hosts:\n    db1: {ansible_host: 10.93.1.4}\n")
    assert find_cluster(tmp_path, {"LAB_PREFIX": "10.90.2"}).prefix == "10.93.1"


@pytest.mark.parametrize("prefix", ["10.0", "10.0.0.0", "10.0.256", "ten.0.0"])
def test_a_prefix_that_is_none_is_named(inventory: Path, prefix: str) -> None:
    with pytest.raises(LabError, match=f"LAB_PREFIX is '{prefix}'; expected the first three numbers"):
        chosen_prefix(inventory, {"LAB_PREFIX": prefix})
