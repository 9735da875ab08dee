# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the traps share: commands and modules on the lab's hosts, and ways to harm them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible
import testinfra
import yaml
from testinfra.host import Host

SCENARIO = Path(__file__).resolve().parents[1]
CHECKOUT = SCENARIO.parents[1]
SSH_CONFIG = SCENARIO / "inventory/.lab/current/ssh_config"
RELEASE = os.environ.get("LAB_RELEASE") or "13"
VARIABLES = yaml.safe_load((SCENARIO / "inventory/group_vars/all.yml").read_text(encoding="utf-8"))
ADDRESSES: dict[str, str] = {
    name: variables["ansible_host"]
    for group in yaml.safe_load((SCENARIO / "inventory/hosts.yml").read_text(encoding="utf-8")).values()
    for name, variables in group["hosts"].items()
}
# What the checks said, for docs/replication-status.md; see tools/trap_table.py.
RECORD = CHECKOUT / ".cache" / "replication-traps" / f"{RELEASE}.json"
# Where our modules lie on the hosts, and what of Ansible they need.
MODULES = "/opt/modules"
ANSIBLE_ON_HOSTS = ("__init__.py", "release.py", "_vendor", "module_utils")

Result = dict[str, Any]
# (engine, trap, what replication_status says, what other checks say)
Keep = Callable[[str, str, Result, dict[str, str]], None]


def on(name: str) -> Host:
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(SSH_CONFIG), sudo=True)


def shell(name: str, command: str) -> str:
    """Run a shell command as root; it must succeed."""
    return str(on(name).check_output(command)).strip()


def module(name: str, fqcn: str, **params: Any) -> Result:
    """Run a module on a host and return its result, failed or not."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment |= {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    program = str(Path(sys.executable).with_name("ansible"))
    command = [program, name, "-i", str(SCENARIO / "inventory"), "-b", "-m", fqcn, "-a", json.dumps(params)]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    result: Result = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"][name]
    assert not result.get("unreachable"), result
    return result


@functools.cache
def with_our_modules(name: str) -> tuple[str, ...]:
    """How to start a program on a host that finds our modules, and Ansible's part for them; both are copied there once."""
    ssh = ("ssh", "-F", str(SSH_CONFIG), name, "sudo")
    packing = [
        "tar",
        "--create",
        "--exclude=__pycache__",
        "--transform=s|^plugins|ansible_collections/siteops/webcluster/plugins|",
    ]
    packing += [
        "--directory",
        str(Path(ansible.__file__).parents[1]),
        *(f"ansible/{part}" for part in ANSIBLE_ON_HOSTS),
    ]
    packing += ["--directory", str(CHECKOUT), "plugins/modules", "plugins/module_utils"]
    packed = subprocess.run(packing, capture_output=True, check=True).stdout
    subprocess.run([*ssh, f"rm -rf {MODULES} && sudo mkdir {MODULES}"], check=True)
    subprocess.run([*ssh, "tar", "--extract", "--directory", MODULES], input=packed, check=True)
    return (*ssh, "env", f"PYTHONPATH={MODULES}", "LC_ALL=C.UTF-8", "python3", "-m")


def status(name: str, engine: str = "mysql", **params: Any) -> Result:
    """Run replication_status; it never fails and never changes anything."""
    # Started as Ansible's guide for developers does: some hundred looks through Ansible's command line took 20 minutes, these take 9.
    start = with_our_modules(name)
    arguments = {"ANSIBLE_MODULE_ARGS": {"engine": engine, "fail_on": [], **params}}
    program = "ansible_collections.siteops.webcluster.plugins.modules.replication_status"
    done = subprocess.run([*start, program], input=json.dumps(arguments), capture_output=True, text=True, check=False)
    assert done.stdout.strip().startswith("{"), done.stdout + done.stderr
    result: Result = json.loads(done.stdout)
    assert "state" in result, result
    assert result["changed"] is False
    return result


def hints(result: Result) -> str:
    return " | ".join(f"{reason['check']}: {reason['message']} -> {reason['hint']}" for reason in result["reasons"])


class Deaf:
    """Drops every packet from one host to another: it is told a wrong hardware address."""

    def __init__(self, speaker: str, listener: str) -> None:
        self.speaker, self.address = speaker, ADDRESSES[listener]

    def __enter__(self) -> None:
        shell(self.speaker, f"ip neigh replace {self.address} lladdr 02:00:00:00:00:99 dev eth0 nud permanent")

    def __exit__(self, *_args: object) -> None:
        shell(self.speaker, f"ip neigh del {self.address} dev eth0")


class Frozen:
    """Stops a process without ending it."""

    def __init__(self, name: str, unit: str) -> None:
        self.name, self.unit = name, unit

    def __enter__(self) -> None:
        shell(self.name, f"systemctl kill --signal=STOP --kill-whom=main {self.unit}")

    def __exit__(self, *_args: object) -> None:
        shell(self.name, f"systemctl kill --signal=CONT --kill-whom=main {self.unit}")
