# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator is told when something is wrong; each case ends with the cluster as it was."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
INVENTORY = CHECKOUT / "molecule/site/inventory"
SSH = ["ssh", "-F", str(CHECKOUT / "molecule/site/inventory/.lab/current/ssh_config")]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    # molecule's own settings would hide the checkout's ansible.cfg.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


def playbook(name: str, inventory: pathlib.Path = INVENTORY, *options: str) -> tuple[int, str]:
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    result = run(str(program), "-i", str(inventory), *options, name)
    return result.returncode, " ".join((result.stdout + result.stderr).split())


def status(*options: str) -> tuple[int, str]:
    result = run(sys.executable, "tools/status.py", "--inventory", str(INVENTORY), *options)
    return result.returncode, result.stdout + result.stderr


@contextlib.contextmanager
def stopped(host: str, unit: str) -> Iterator[None]:
    subprocess.run([*SSH, host, "sudo", "systemctl", "stop", unit], check=True)
    try:
        yield
    finally:
        subprocess.run([*SSH, host, "sudo", "systemctl", "start", unit], check=True)


@pytest.fixture
def inventory(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the scenario's inventory that a test may spoil."""
    run("cp", "-rL", str(INVENTORY), str(tmp_path / "inventory"))
    return tmp_path / "inventory"


def spoil(inventory: pathlib.Path, group: str, hosts: dict[str, dict[str, str]]) -> None:
    path = inventory / "hosts.yml"
    tree = yaml.safe_load(path.read_text())
    children = tree["webcluster"]["children"]
    parent = children if group in children else children[group.split("_")[0]]["children"]
    parent[group]["hosts"] = hosts
    path.write_text(yaml.safe_dump(tree))


def test_status_is_healthy() -> None:
    code, output = status("--format", "json")
    assert code == 0, output
    assert json.loads(output)["healthy"] is True


def test_status_names_a_stopped_replica_and_the_reason() -> None:
    with stopped("sitemysql2", "mariadb"):
        code, output = status()
    assert code == 1
    assert "sitemysql2: unreachable" in output
    assert "VERDICT not healthy" in output


def test_status_names_a_web_server_that_is_down() -> None:
    with stopped("siteweb2", "apache2"):
        code, output = status()
    assert code == 1
    assert "siteweb2: not serving, no answer of it came through sitelb" in output


def test_status_names_an_item_that_cannot_be_written() -> None:
    account = "for a in $(sudo mariadb -Ne \"SELECT Host FROM mysql.user WHERE User='demo'\"); do sudo mariadb -e"
    subprocess.run([*SSH, "sitemysql1", f"{account} \"ALTER USER demo@'$a' ACCOUNT LOCK\"; done"], check=True)
    try:
        code, output = status()
    finally:
        subprocess.run([*SSH, "sitemysql1", f"{account} \"ALTER USER demo@'$a' ACCOUNT UNLOCK\"; done"], check=True)
    assert code == 1
    assert "sitelb: No item could be written through the page: status 503" in output


@pytest.mark.parametrize(
    ("group", "hosts", "sentence"),
    [
        ("apache_php", {}, "Group haproxy has hosts, but group apache_php has none; expected a web server to balance"),
        ("redis_master", {}, "Group redis_replica has siteredis2, but group redis_master has no host;"),
        (
            "mysql_master",
            {"sitemysql1": {}, "sitemysql2": {}},
            "Group mysql_master names 2 hosts (sitemysql1, sitemysql2); expected one first-day primary",
        ),
    ],
)
def test_wrong_groups_stop_before_any_host_is_asked(
    inventory: pathlib.Path, group: str, hosts: dict[str, dict[str, str]], sentence: str
) -> None:
    spoil(inventory, group, hosts)
    code, output = playbook("site.yml", inventory)
    assert code != 0
    assert sentence in output
    assert changes(output) == 0
    assert "TASK [Meet the host]" not in output


def test_a_host_that_cannot_be_reached_is_named_and_nothing_is_changed(inventory: pathlib.Path) -> None:
    hosts = {"siteweb1": {"ansible_host": "10.96.0.4"}, "siteweb9": {"ansible_host": "10.96.0.13"}}
    spoil(inventory, "apache_php", hosts)
    code, output = playbook("site.yml", inventory)
    assert code != 0
    assert "Host siteweb9 cannot be reached over SSH at 10.96.0.13; expected a running host" in output
    assert changes(output) == 0


def test_the_live_primary_wins_over_the_inventory(inventory: pathlib.Path) -> None:
    spoil(inventory, "mysql_master", {"sitemysql2": {"ansible_host": "10.96.0.21"}})
    spoil(inventory, "mysql_replica", {"sitemysql1": {"ansible_host": "10.96.0.20"}})
    code, output = playbook("site.yml", inventory, "--tags", "mysql")
    assert code == 0, output
    assert "MySQL: sitemysql1 is the live primary and stays it; the inventory says sitemysql2." in output
    assert changes(output) == 0


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"haproxy_http_bind_port": "eighty"},
            "Variable haproxy_http_bind_port (sitelb, siteweb1 and 5 more hosts) has",
        ),
        ({"mysql_server_memry_mb": 512}, "is no option of the roles; did you mean mysql_server_memory_mb?"),
        ({"webcluster_adress": "10.96.0.4"}, "is no option of the playbooks; did you mean webcluster_address?"),
        (
            {"haproxy_http_backends": []},
            "is set, but follows from the whole cluster; expected none: remove it, the web servers",
        ),
    ],
)
def test_a_wrong_variable_is_named_before_any_host_is_asked(variables: dict[str, object], sentence: str) -> None:
    code, output = playbook("site.yml", INVENTORY, "-e", json.dumps(variables))
    assert code != 0
    assert sentence in output
    assert "TASK [Meet the host]" not in output


def test_check_mode_on_the_converged_cluster_changes_nothing() -> None:
    code, output = playbook("site.yml", INVENTORY, "--check", "--diff")
    assert code == 0, output
    assert changes(output) == 0
