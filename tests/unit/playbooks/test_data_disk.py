# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks with the data of former machines: mounted before anybody is asked what a tier holds, and made only by the role."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    FRESH,
    HEALTHY,
    INVENTORY,
    answers,
)

DEVICES = ["/dev/disk/azure/scsi1/lun0", "/dev/disk/azure/data/by-lun/0"]


def test_former_data_are_there_before_anybody_is_asked_what_a_tier_holds(tmp_path: Path) -> None:
    inventory: dict[str, Any] = copy.deepcopy(INVENTORY)
    inventory["webcluster"]["vars"]["mysql_server_data_device"] = ["/dev/sdc"]
    run = run_playbook(CHECKOUT / "site.yml", inventory, answers(dict.fromkeys(HEALTHY, FRESH), HEALTHY), tmp_path)
    assert run.code == 0, run.output
    modules = [(call.host, call.module) for call in run.calls]
    for host in ("db1", "db2"):
        former, made = run.of(host, "data_disk")
        assert (former.pop("format"), made.pop("format")) == (False, True)
        assert former == made
        assert modules.index((host, "data_disk")) < modules.index((host, "replication_status"))
    assert {host for host, module in modules if module == "data_disk"} == {"db1", "db2"}


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ({"azure_tags": {"siteops-estate": "webcluster"}, "azure_data_disks": [{"lun": 0, "name": "data"}]}, DEVICES),
        ({"azure_tags": {"siteops-estate": "webcluster"}, "azure_data_disks": []}, []),
        ({"azure_tags": {}, "azure_data_disks": [{"lun": 0, "name": "somebody's"}]}, []),
        ({}, []),
    ],
    ids=["ours", "without", "of others", "no machine of Azure"],
)
def test_the_inventory_of_azure_names_the_disk_of_its_own_machines_only(
    machine: dict[str, Any], expected: list[str]
) -> None:
    path = CHECKOUT / "inventory/azure/group_vars/mysql/data_disk.yml"
    given = yaml.safe_load(path.read_text(encoding="utf-8"))["mysql_server_data_device"]
    templar = Templar(loader=DataLoader(), variables=machine)
    assert templar.template(trust_as_template(given)) == expected
