# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads where something is wrong: one sentence that names it and says what to do."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    DOOR,
    HEALTHY,
    INVENTORY,
    answers,
    replica,
)

PLAYBOOKS = ["site.yml", "playbooks/status.yml"]
LOOKING = {"setup", "replication_status", "front_door", "outdated_services"}


def inventory(host: str = "", **variables: Any) -> dict[str, Any]:
    """The usual inventory with more variables of one host, or of all."""
    found: dict[str, Any] = copy.deepcopy(INVENTORY)
    cluster = found["webcluster"]
    homes = [group["hosts"][host] for group in cluster["children"].values() if host in group["hosts"]]
    for home in homes or [cluster["vars"]]:
        home.update(variables)
    return found


def played(
    playbook: str, hosts: dict[str, Any], folder: Path, told: list[Answer] | None = None, *options: str
) -> tuple[Run, str]:
    """A run and what it printed, in one line."""
    run = run_playbook(CHECKOUT / playbook, hosts, told or answers(HEALTHY, HEALTHY), folder, *options)
    return run, " ".join(run.output.split())


@pytest.mark.parametrize(
    ("playbook", "words"),
    [
        (
            "site.yml",
            "web1, web2 and 5 more hosts could not be looked at: sudo: a password is required; expected a user that may use"
            " sudo without being asked: allow that, or give the password with --ask-become-pass",
        ),
        ("playbooks/status.yml", "db1: unreachable, could not be looked at: sudo: a password is required"),
    ],
)
def test_f_sudo_that_needs_a_password_on_every_host(playbook: str, words: str, tmp_path: Path) -> None:
    refused = {"failed": True, "msg": "Task failed: sudo: a password is required"}
    asked = ("setup", "replication_status", "outdated_services")
    told = [*(Answer(module, refused) for module in asked), Answer("front_door", DOOR)]
    run, said = played(playbook, inventory(), tmp_path, told)
    assert run.code != 0
    assert words in said
    assert "unknown system" not in said
    assert "start MySQL" not in said
    assert {call.module for call in run.calls} <= LOOKING


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_f_two_hosts_with_one_address_are_no_two_primaries(playbook: str, tmp_path: Path) -> None:
    run, said = played(playbook, inventory("db2", ansible_host="10.0.0.20"), tmp_path)
    assert run.code != 0
    assert "Hosts db1 and db2 have the same address, 10.0.0.20; expected one name for one machine" in said
    assert "primaries" not in said
    assert run.calls == []


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_f_an_inventory_without_the_cluster_names_the_group_that_was_meant(playbook: str, tmp_path: Path) -> None:
    run, said = played(playbook, {"all": {"children": {"web_cluster": INVENTORY["webcluster"]}}}, tmp_path)
    assert run.code != 0
    assert "Group web_cluster is none of ours and group webcluster has no host; did you mean webcluster?" in said


@pytest.mark.parametrize(
    ("host", "variables", "words"),
    [
        (
            "web1",
            {"ansible_host": "{{ nowhere }}"},
            "No value for ansible_host (web1): 'nowhere' is undefined: set it.",
        ),
        (
            "",
            {"mysql_server_settings": {"sort_buffer_size": "{{ nowhere }}M"}},
            "Variable mysql_server_settings (web1, web2 and 5 more hosts) has no value: 'nowhere' is undefined; correct",
        ),
        (
            "",
            {"redis_server_admin_password": "{{ nowhere }}"},
            "No value for redis_server_admin_password: 'nowhere' is undefined: set it.",
        ),
    ],
    ids=["connection", "part", "secret"],
)
def test_f_an_undefined_part_names_the_variable(
    host: str, variables: dict[str, Any], words: str, tmp_path: Path
) -> None:
    run, said = played("site.yml", inventory(host, **variables), tmp_path)
    assert run.code != 0
    assert words in said
    assert {call.module for call in run.calls} <= {"setup"}


class Vaulted(str):
    """An encrypted text, as !vault in a file."""


yaml.SafeDumper.add_representer(Vaulted, lambda dumper, text: dumper.represent_scalar("!vault", str(text), style="|"))


@pytest.mark.parametrize("name", ["mysql_server_monitor_password", "ansible_become_password"])
def test_f_an_inline_vault_without_its_password_is_named(name: str, tmp_path: Path) -> None:
    locked = Vaulted(VaultLib([("default", VaultSecret(b"key"))]).encrypt("secret").decode())
    run, said = played("site.yml", inventory(**{name: locked}), tmp_path)
    assert run.code != 0
    assert f"No value for {name}" in said
    assert "give the vault's password (--vault-password-file)" in said
    assert "marker" not in said
    assert run.calls == []


def test_f_a_run_limited_to_a_repaired_replica_ends_healthy(tmp_path: Path) -> None:
    stopped = {**replica("db1"), "healthy": False, "state": "stopped", "msg": "The SQL thread is stopped."}
    told = answers({**HEALTHY, "db2": stopped}, HEALTHY)
    run, said = played("site.yml", inventory(), tmp_path, told, "--limit", "db2")
    assert run.code == 0, run.output
    assert "VERDICT healthy" in said


def test_f_a_run_limited_to_a_replica_does_not_hide_the_others(tmp_path: Path) -> None:
    stopped = {**replica("redis1"), "healthy": False, "state": "stopped", "msg": "The link is down."}
    told = answers(HEALTHY, {**HEALTHY, "redis2": stopped})
    run, said = played("site.yml", inventory(), tmp_path, told, "--limit", "db2")
    assert run.code != 0
    assert "redis2: stopped, The link is down." in said


def test_f_web_servers_call_themselves_as_the_inventory_does(tmp_path: Path) -> None:
    named = inventory()
    named["webcluster"]["children"]["apache_php"]["hosts"] = {"shop-a": {"ansible_host": "10.0.0.4"}}
    door = Answer("front_door", {**DOOR, "servers": {"shop-a": 3}})
    told = [door, *answers(HEALTHY, HEALTHY)]
    run, _said = played("site.yml", named, tmp_path, told, "--tags", "apache_php")
    assert run.code == 0, run.output
    assert 'Header always set X-Served-By "shop-a"' in run.file("shop-a", "apache2.conf").content
    assert run.of("localhost", "front_door")[0]["expect_servers"] == ["shop-a"]


def from_elsewhere(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that knows nothing of the checkout."""
    subprocess.run([CHECKOUT / "tools/link_collection.sh"], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_f_playbooks_run_from_another_folder(playbook: str, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ansible-playbook")
    done = from_elsewhere(
        program, "--syntax-check", "-i", CHECKOUT / "inventory/lab", CHECKOUT / playbook, folder=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_f_the_status_command_runs_from_another_folder(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("mysql-master: {hosts: {db1: {}}}\n", encoding="utf-8")
    done = from_elsewhere(sys.executable, CHECKOUT / "tools/status.py", "--inventory", "hosts.yml", folder=tmp_path)
    assert done.returncode == 2
    assert (
        "Group mysql-master is none of ours and group mysql_master has no host; did you mean mysql_master?"
        in done.stderr
    )
