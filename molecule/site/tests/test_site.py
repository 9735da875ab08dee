# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The converged cluster, from outside and on each host."""

from __future__ import annotations

import http.client
import json
import shlex
import subprocess
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

DOOR = "10.96.0.52"
SERVICES = {
    "sitelb": ["haproxy"],
    "siteweb": ["apache2", "haproxy"],
    "sitemysql": ["mariadb|mysql"],
    "siteredis": ["redis-server"],
}

SECRETS = Path(__file__).parents[1] / "inventory/.secrets"
# Prints where one of the words stands that it reads: files for everybody, the web's and the logs' files, journal, commands.
SEARCH = """
import pathlib, subprocess, sys
words = sys.stdin.read()
probes = [pathlib.Path("/etc/webcluster-probe"), pathlib.Path("/var/log/webcluster-probe")]
grep = ["grep", "-rlsaF", "-f", "-"]
def ask(*command):
    return subprocess.run(command, input=words, text=True, capture_output=True).stdout
for probe in probes:
    probe.write_text(words.split()[0])
probes[0].chmod(0o644)
probes[1].chmod(0o600)
print(ask("su", "nobody", "-s", "/bin/sh", "-c", " ".join([*grep, "/etc", "/opt", "/run", "/srv", "/usr/local", "/var"])))
print(ask(*grep, "/var/www", "/var/log"))
for name, text in {"journal": ask("journalctl", "--no-pager", "--all"), "ps": ask("ps", "-eww", "-o", "args")}.items():
    print(*[name for word in words.split() if word in text])
for probe in probes:
    probe.unlink()
"""


def ask(path: str, data: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(DOOR, timeout=10)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if data else {}
    connection.request("POST" if data else "GET", path, body=data, headers=headers)
    return connection.getresponse()


def get(path: str, data: str | None = None) -> dict[str, object]:
    result: dict[str, object] = json.load(ask(path, data))
    return result


def test_every_service_runs_and_starts_at_boot(host: Host) -> None:
    name = host.check_output("hostname")
    for alternatives in SERVICES[name.rstrip("0123456789")]:
        units = [unit for unit in alternatives.split("|") if host.service(unit).exists]
        assert units, f"{name} has none of {alternatives}"
        assert host.service(units[0]).is_running
        assert host.service(units[0]).is_enabled


def test_no_host_has_a_failed_unit(host: Host) -> None:
    assert host.check_output("systemctl is-system-running || true") == "running"


def test_no_secret_is_readable_by_everybody(host: Host) -> None:
    secrets = [path.read_text().strip() for path in SECRETS.iterdir()]
    assert len(secrets) == 7
    # Through standard input: a command line with a password in it would end in the host's journal.
    command = ["ssh", "-F", str(host.backend.ssh_config), host.backend.get_hostname()]
    found = subprocess.run(
        [*command, shlex.join(["sudo", "python3", "-c", SEARCH])],
        input="\n".join([*secrets, *(secret.encode().hex() for secret in secrets)]),
        capture_output=True,
        text=True,
        check=True,
    )
    # What the search must find, or it would find nothing anywhere.
    assert found.stdout.split() == ["/etc/webcluster-probe", "/var/log/webcluster-probe"]


def test_an_item_goes_to_the_primary_and_comes_back_from_replica_and_cache() -> None:
    made = get("/api/items", "text=from+the+site+scenario")
    assert made["written_to"] == "sitemysql1"
    # The replica may be some milliseconds behind.
    assert until(lambda: "text" in get(f"/api/items/{made['id']}?from=replica"))
    seen = {source: get(f"/api/items/{made['id']}?from={source}") for source in ("replica", "primary", "auto", "cache")}
    assert seen["replica"]["mysql_host"] == "sitemysql2"
    assert {answer["text"] for answer in seen.values()} == {"from the site scenario"}


def test_both_web_servers_answer_through_the_load_balancer() -> None:
    assert {get("/api/status")["server"] for ask_again in range(10)} == {"siteweb1", "siteweb2"}


@pytest.mark.parametrize("path", ["/stats", "/metrics", "/server-status", "/phpinfo.php", "/info.php"])
def test_nothing_private_is_public(path: str) -> None:
    assert ask(path).status in (403, 404)
