# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labs that this repository's own tests make: addresses, keys and connections of their own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.lab.cluster import find_cluster

CHECKOUT = Path(__file__).resolve().parents[3]
CONNECTIONS = sorted(
    path
    for pattern in ("molecule/*/inventory/group_vars", "tests/error_budget/*/group_vars", "inventory/lab/group_vars")
    for path in CHECKOUT.glob(f"{pattern}/**/*.yml")
    if "ssh_config" in path.read_text()
)

COMPOSED = ("lab_prefix", "ansible_ssh_common_args", "ansible_control_path")


def folders() -> list[Path]:
    return sorted(
        path for pattern in ("molecule/*/*", "tests/error_budget/*") for path in CHECKOUT.glob(f"{pattern}/hosts.yml")
    )


def test_prefixes_are_unique() -> None:
    prefixes = {
        str(path.parent): find_cluster(path.parent, {"LAB_PREFIX": "10.0.0"}).prefix
        for path in [*folders(), CHECKOUT / "inventory/lab/hosts.yml"]
    }
    for path in [*CHECKOUT.glob("tools/*.sh"), *CHECKOUT.glob("tests/*/*.py")]:
        for number, prefix in enumerate(
            re.findall(r"""(?:^|_|\W)PREFIX ?= ?["']?(\d+\.\d+\.\d+)\b""", path.read_text(), re.M)
        ):
            prefixes[f"{path}:{number}"] = prefix
    assert len(prefixes) > 10
    twins = {prefix: [place for place, other in prefixes.items() if other == prefix] for prefix in prefixes.values()}
    assert [places for places in twins.values() if len(places) > 1] == []


def test_every_scenario_has_a_connection_of_its_own() -> None:
    assert len(CONNECTIONS) == len(folders()) + 1


@pytest.mark.parametrize("path", CONNECTIONS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_an_open_connection_of_another_lab_is_never_taken_over(path: Path) -> None:
    text = path.read_text()
    assert "{{ inventory_dir }}/" in text
    assert """ansible_control_path: "%(directory)s/{{ (inventory_dir ~ ansible_host) | hash('sha1') }}\"""" in text


def test_how_a_host_is_reached_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As templates with lookups these cost some 30 ms in each task of each host."""
    monkeypatch.setenv("LAB_PREFIX", "10.77.8")
    program, inventory = str(Path(sys.executable).with_name("ansible-inventory")), str(CHECKOUT / "inventory/lab")
    command = [program, "-i", inventory, "--list"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    hosts = json.loads(listed)["_meta"]["hostvars"]
    # What constructed has composed is marked as coming from outside, what is still a template is not.
    composed = {
        name: [variables[key]["__ansible_unsafe"] for key in COMPOSED if isinstance(variables[key], dict)]
        for name, variables in hosts.items()
    }
    assert len(composed) == 8
    for prefix, arguments, control_path in composed.values():
        assert prefix == "10.77.8"
        assert arguments == f"-F '{inventory}/.lab/10.77.8/ssh_config'"
        assert control_path.startswith("%(directory)s/")
    assert len({control_path for _prefix, _arguments, control_path in composed.values()}) == 8


def test_no_file_writes_out_where_the_keys_lie() -> None:
    places = [*CHECKOUT.glob("molecule/**/*"), *CHECKOUT.glob("tools/*"), *CHECKOUT.glob("inventory/lab/**/*")]
    found = [path for path in places if path.is_file() and ".cache/webcluster-lab" in path.read_text(errors="replace")]
    assert found == []
