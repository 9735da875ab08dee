# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real ansible-inventory as an operator runs it, against the loopback server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, Fault, LoopbackArm

CHECKOUT = Path(__file__).resolve().parents[4]
PROGRAM = Path(sys.executable).with_name("ansible-inventory")
# The oldest supported ansible-core beside the present one, where its environment has been made (make test-oldest).
PYTHONS = [python for python in (Path(sys.executable), CHECKOUT / ".venv-oldest/bin/python") if python.exists()]
GRAPH = """\
@all:
  |--@ungrouped:
  |--@webcluster:
  |  |--@haproxy:
  |  |  |--centoshaproxy
  |  |--@apache_php:
  |  |  |--centosweb1
  |  |  |--centosweb2
  |  |  |--centosweb3
  |  |--@mysql:
  |  |  |--@mysql_master:
  |  |  |  |--centosmysql1
  |  |  |--@mysql_replica:
  |  |  |  |--centosmysql2
  |  |--@redis:
  |  |  |--@redis_master:
  |  |  |  |--centosredis1
  |  |  |--@redis_replica:
  |  |  |  |--centosredis2
  |--@vnet_webcluster_vnet:
  |  |--@subnet_webcluster_vnet_lb:
  |  |  |--centoshaproxy
  |  |--@subnet_webcluster_vnet_mysql:
  |  |  |--centosmysql1
  |  |  |--centosmysql2
  |  |--@subnet_webcluster_vnet_redis:
  |  |  |--centosredis1
  |  |  |--centosredis2
  |  |--@subnet_webcluster_vnet_web:
  |  |  |--centosweb1
  |  |  |--centosweb2
  |  |  |--centosweb3
"""


def inventory(folder: Path, server: LoopbackArm, **options: Any) -> Path:
    """The file that this project ships, sent to the server."""
    shipped = yaml.safe_load((CHECKOUT / "inventory/azure/azure_subnet.yml").read_text(encoding="utf-8"))
    given = {**shipped, "endpoint": server.url, "subscription_ids": [SUBSCRIPTION], "retries": 0, **options}
    path = folder / "azure_subnet.yml"
    path.write_text(yaml.safe_dump(given), encoding="utf-8")
    return path


def command(
    path: Path, *options: str, python: tuple[str, ...] = (), program: Path = PROGRAM, **more: str
) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "AZURE_"))}
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_DEPRECATION_WARNINGS": "true", **more}
    return subprocess.run(
        [str(program.with_name("python")), *python, str(program), "-i", str(path), *options],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_shipped_file_gives_the_cluster_of_the_tutorial(arm: LoopbackArm, tmp_path: Path) -> None:
    done = command(inventory(tmp_path, arm), "--graph", AZURE_ACCESS_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.rstrip("\n") == GRAPH.rstrip("\n")
    assert arm.counts == {"machines": 1, "states": 1, "nics": 1, "public_ips": 1}


def test_a_failure_ends_the_command_with_the_reason(arm: LoopbackArm, tmp_path: Path) -> None:
    arm.faults.append(Fault("machines", status=403, code="AuthorizationFailed", message="No."))
    done = command(inventory(tmp_path, arm), "--list", AZURE_ACCESS_TOKEN=TOKEN)
    assert done.returncode != 0
    said = " ".join(done.stderr.split())
    assert f"Give the identity the role Reader on subscription {SUBSCRIPTION}, leave that out" in said
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("secret", "options"),
    [
        (TOKEN, {"access_token": TOKEN}),
        ("hunter22-secret", {"client_secret": "hunter22-secret", "access_token": TOKEN}),
        ("wrong-secret-token", {"access_token": "wrong-secret-token"}),
        ("spoilt secret token", {"access_token": "spoilt secret token"}),
    ],
)
def test_no_secret_is_shown_at_any_verbosity(
    arm: LoopbackArm, tmp_path: Path, secret: str, options: dict[str, str]
) -> None:
    log = tmp_path / "ansible.log"
    done = command(
        inventory(tmp_path, arm, **options), "--list", "-vvvvv", ANSIBLE_LOG_PATH=str(log), ANSIBLE_DEBUG="1"
    )
    assert "azure_subnet" in done.stdout + done.stderr
    for text in (done.stdout, done.stderr, log.read_text(encoding="utf-8")):
        assert secret not in text


def test_a_cached_run_imports_no_azure_package_and_needs_no_credentials(arm: LoopbackArm, tmp_path: Path) -> None:
    path = inventory(
        tmp_path, arm, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(tmp_path / "cache")
    )
    first = command(path, "--list", AZURE_ACCESS_TOKEN=TOKEN)
    assert first.returncode == 0, first.stderr
    asked = dict(arm.counts)
    second = command(path, "--list", python=("-X", "importtime"))
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout) == json.loads(first.stdout)
    assert arm.counts == asked
    imported = set(re.findall(r"\|\s+([\w.]+)$", second.stderr, re.MULTILINE))
    assert "ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.plan" in imported
    assert {name for name in imported if name.split(".")[0] in ("azure", "msal", "requests")} == set()
    # The same look finds them where they are needed.
    third = command(path, "--list", "--flush-cache", python=("-X", "importtime"), AZURE_ACCESS_TOKEN=TOKEN)
    assert re.search(r"\|\s+azure\.mgmt\.compute\._client$", third.stderr, re.MULTILINE)


PLAIN = {
    "ansible_host": "10.0.0.4",
    "azure_name": "centosweb1",
    "azure_computer_name": "centosweb1",
    "azure_admin_username": "ops",
    "azure_location": "westeurope",
    "azure_resource_group": "webcluster",
    "azure_subscription_id": SUBSCRIPTION,
    "azure_power_state": "running",
    "azure_provisioning_state": "Succeeded",
    "azure_private_ip": "10.0.0.4",
    "azure_private_ips": ["10.0.0.4"],
    "azure_private_dns_name": "centosweb1.loopback.ax.internal.cloudapp.net",
    "azure_mac_address": "00-0D-3A-00-00-01",
    "azure_subnet_name": "web",
    "azure_vnet_name": "webcluster-vnet",
    "azure_size": "Standard_B2s",
    "azure_created": "2026-01-05T08:00:00.0000000+00:00",
}


@pytest.mark.parametrize("python", PYTHONS)
def test_g3_the_export_is_plain_where_the_plugin_has_checked_it(arm: LoopbackArm, tmp_path: Path, python: Path) -> None:
    """As AWX reads it: {"__ansible_unsafe": ...} is a dictionary to it, and no filter on hosts can match one."""
    estate = next(iter(arm.estates.values()))
    estate.machines[1]["tags"] = {"role": "web", "evil": "{{ lookup('pipe', 'id') }}"}
    path = inventory(tmp_path, arm, compose={"ansible_host": "azure_public_ip or azure_private_ip"})
    done = command(path, "--list", "--export", AZURE_ACCESS_TOKEN=TOKEN, program=python.with_name("ansible-inventory"))
    assert done.returncode == 0, done.stderr
    hosts = json.loads(done.stdout)["_meta"]["hostvars"]
    variables = hosts["centosweb1"]
    assert {name: variables[name] for name in PLAIN} == PLAIN
    assert variables["azure_id"].endswith("/providers/Microsoft.Compute/virtualMachines/centosweb1")
    assert variables["azure_network_interfaces"][0]["ip_configurations"][0]["private_ip"] == "10.0.0.4"
    assert variables["azure_subnets"][0]["name"] == "web"
    assert hosts["centoshaproxy"]["ansible_host"] == "192.0.2.52"
    # What others write freely stays untrusted.
    assert variables["azure_tags"]["evil"] == {"__ansible_unsafe": "{{ lookup('pipe', 'id') }}"}
    assert variables["azure_tags"]["role"] == {"__ansible_unsafe": "web"}
    assert variables["azure_os_name"] == {"__ansible_unsafe": "debian"}
    unsafe = {name for one in hosts.values() for name, value in one.items() if "__ansible_unsafe" in json.dumps(value)}
    assert unsafe == {"azure_tags", "azure_os_name", "azure_os_version"}


def test_the_documentation_is_complete(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(PROGRAM.with_name("ansible-doc")), "-t", "inventory", "siteops.webcluster.azure_subnet"],
        cwd=CHECKOUT, env={**os.environ, "COLUMNS": "200", "HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for word in (
        "role_groups",
        "AZURE_ACCESS_TOKEN",
        "keyed_groups",
        "cache_connection",
        "subnet_name",
        "Reader",
        "EXAMPLES",
    ):
        assert word in done.stdout, word
