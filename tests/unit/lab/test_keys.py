# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.lab.command import LabError, run
from ansible_collections.siteops.webcluster.lab.keys import drop_keys, ssh_argv, write_keys

from .conftest import Make


def test_ssh_takes_the_key_and_the_known_hosts_of_this_lab_only(make: Make) -> None:
    lab = make()
    write_keys(lab, os.getuid())
    told = run(["ssh", "-G", "-F", str(lab.ssh_config), "web1"]).stdout.splitlines()
    assert f"identityfile {lab.state}/id_ed25519" in told
    assert f"userknownhostsfile {lab.state}/known_hosts" in told
    assert {"globalknownhostsfile none", "stricthostkeychecking true", "hostname 10.90.1.4"} <= set(told)
    assert (lab.state / "id_ed25519").stat().st_mode & 0o777 == 0o600
    before = (lab.state / "id_ed25519").read_text()
    write_keys(lab, os.getuid())
    assert (lab.state / "id_ed25519").read_text() == before


def test_a_second_lab_of_the_inventory_leaves_the_keys_of_the_first(make: Make, inventory: Path) -> None:
    first, second = make(), make(prefix="10.90.2")
    write_keys(first, os.getuid())
    before = {path.name: path.read_bytes() for path in first.state.iterdir()}
    write_keys(second, os.getuid())
    assert {path.name: path.read_bytes() for path in first.state.iterdir()} == before
    drop_keys(inventory, second.prefix)
    assert {path.name: path.read_bytes() for path in first.state.iterdir()} == before
    assert (inventory / ".lab/current/prefix").read_text() == "10.90.1"
    drop_keys(inventory, first.prefix)
    assert not (inventory / ".lab").exists()


def test_a_lab_that_is_not_up_is_named(make: Make, inventory: Path) -> None:
    with pytest.raises(LabError, match=f"The lab of {inventory} with prefix 10.90.1 is not up: run lab-up first"):
        ssh_argv(make(), "web1")
