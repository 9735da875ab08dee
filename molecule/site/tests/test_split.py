# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the data proxy sends writes and reads while MySQL's roles change, without a new configuration."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until

DOOR = "10.96.0.52"
SSH = ["ssh", "-F", str(Path(__file__).resolve().parents[1] / "inventory/.lab/current/ssh_config")]
DELAY = "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {}; START REPLICA"


def sql(host: str, statement: str) -> None:
    """Run a statement in MySQL's words."""
    older = statement.replace("REPLICATION SOURCE", "MASTER").replace("SOURCE_", "MASTER_")
    command = f'if command -v mariadb; then sudo mariadb -e "{older}"; else sudo mysql -e "{statement}"; fi'
    subprocess.run([*SSH, host, command], check=True, capture_output=True)


def ask(path: str, data: str | None = None) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(DOOR, timeout=15)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if data else {}
    try:
        connection.request("POST" if data else "GET", path, body=data, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or "{}")
    finally:
        connection.close()


def write() -> tuple[int, object]:
    status, answer = ask("/api/items", "text=from+the+split")
    return status, answer.get("written_to")


def reader(item: object) -> object:
    return ask(f"/api/items/{item}?from=replica")[1].get("mysql_host")


@contextlib.contextmanager
def meanwhile(host: str, statement: str, back: str) -> Iterator[None]:
    sql(host, statement)
    try:
        yield
    finally:
        sql(host, back)


@pytest.fixture(scope="module")
def item() -> object:
    assert until(lambda: write() == (201, "sitemysql1")), write()
    return ask("/api/items", "text=to+be+read")[1]["id"]


def test_a_read_only_primary_gets_no_writes(item: object) -> None:
    assert item
    with meanwhile("sitemysql1", "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"):
        assert until(lambda: write()[0] != 201)
        time.sleep(2)
        # Refused at the proxy, in time, and not by the server.
        assert {write()[0] for _again in range(3)} == {503}
    assert until(lambda: write() == (201, "sitemysql1")), write()


def test_a_stopped_replica_gets_no_reads(item: object) -> None:
    assert until(lambda: reader(item) == "sitemysql2"), reader(item)
    with meanwhile("sitemysql2", "STOP REPLICA SQL_THREAD", "START REPLICA SQL_THREAD"):
        assert until(lambda: reader(item) == "sitemysql1"), reader(item)
    assert until(lambda: reader(item) == "sitemysql2"), reader(item)


def test_a_lagging_replica_gets_no_reads(item: object) -> None:
    assert until(lambda: reader(item) == "sitemysql2"), reader(item)
    with meanwhile("sitemysql2", DELAY.format(3600), DELAY.format(0)):
        assert until(lambda: reader(item) == "sitemysql1"), reader(item)
    assert until(lambda: reader(item) == "sitemysql2"), reader(item)


def served_by() -> set[str]:
    """The web servers that the balancer gives traffic to."""
    found = set()
    for _again in range(9):
        connection = http.client.HTTPConnection(DOOR, timeout=15)
        connection.request("GET", "/livez")
        found.add(connection.getresponse().getheader("X-Served-By", ""))
        connection.close()
    return found


def test_a_web_server_without_its_data_proxy_gets_no_traffic() -> None:
    assert until(lambda: "siteweb2" in served_by())
    subprocess.run([*SSH, "siteweb2", "sudo", "systemctl", "stop", "haproxy"], check=True)
    try:
        # Not one page fails while its health check has not seen it yet.
        assert {ask("/api/items")[0] for _again in range(20)} == {200}
        assert until(lambda: "siteweb2" not in served_by())
    finally:
        subprocess.run([*SSH, "siteweb2", "sudo", "systemctl", "start", "haproxy"], check=True)
    assert until(lambda: "siteweb2" in served_by())
