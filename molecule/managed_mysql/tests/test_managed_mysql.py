# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site whose MySQL somebody else runs: what the application, the operator and the service see, until the service fails over."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.reporting import play, report, rows
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

# All of them use the host, so that they run in this order.
pytestmark = pytest.mark.usefixtures("host")

SCENARIO = "managed_mysql"
DOOR = "10.95.8.52"
FIRST, SECOND = "10.95.8.20", "10.95.8.21"
WRITER, READER = "shop.mysql.example:3306", "shop-r1.mysql.example:3306"


def ask(path: str) -> tuple[int, dict[str, Any]]:
    with closing(http.client.HTTPConnection(DOOR, timeout=10)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    return response.status, json.loads(body) if response.status == 200 else {}


def get(path: str) -> dict[str, Any]:
    status, found = ask(path)
    assert status == 200
    return found


def provider(host: Host, statement: str, server: str = "first") -> str:
    """Ask a server of the service as the one who runs it."""
    command = "mariadb --socket /var/lib/service/%s/socket --batch --skip-column-names --execute %s"
    return str(host.check_output(command, server, statement)).strip()


def customer(host: Host, statement: str, *options: str) -> tuple[int, str]:
    """Ask it as its customer's administrator."""
    words = " ".join(["%s"] * len(options))
    command = f"MYSQL_PWD=administrator mariadb --host %s --user ops {words} --batch --skip-column-names --execute %s"
    done = host.run(command, FIRST, *options, statement)
    return done.rc, f"{done.stdout}{done.stderr}".strip()


def test_php_writes_and_reads_over_tls_by_two_names() -> None:
    page = get("/?say=hello")
    assert (page["written"], page["servers"]) == ("hello", [1, 2])
    assert all(version.startswith("TLSv1.") for version in page["tls"])
    assert until(lambda: get("/")["read"] == "hello")


def test_the_service_is_as_strict_as_a_clouds(host: Host) -> None:
    code, said = customer(host, "DO 1", "--skip-ssl")
    assert (code, "insecure transport" in said) == (1, True), said
    assert customer(host, "DO 1", "--disable-ssl-verify-server-cert") == (0, "")
    for statement in ("SET SESSION sql_log_bin = OFF", "SET GLOBAL read_only = ON"):
        code, said = customer(host, statement, "--disable-ssl-verify-server-cert")
        assert (code, "Access denied" in said) == (1, True), said


def test_the_sites_accounts_need_tls_and_are_on_the_replica_too(host: Host) -> None:
    asked = "SELECT CONCAT(user, '@', host, ' ', ssl_type) FROM mysql.user WHERE user LIKE 'shop%' ORDER BY user"
    assert provider(host, asked).splitlines() == ["shop@% ANY", "shop-cron@% ANY"]
    assert provider(host, asked, "second") == provider(host, asked)
    granted = provider(host, "SHOW GRANTS FOR 'shop'@'%'")
    assert "ON `shop`.*" in granted
    assert "ALL PRIVILEGES" not in granted


def test_cron_jobs_are_agreed_upon_there(host: Host) -> None:
    assert until(lambda: int(get("/")["jobs"]) > 0)
    assert provider(host, "SELECT server FROM `shop-cron`.lease WHERE job = 'count'") == "mmweb1"


def test_status_judges_both_names_from_the_web_server() -> None:
    found = report(SCENARIO)
    assert found["healthy"] is True, found["reasons"]
    assert {name: row["state"] for name, row in rows(found, "mysql").items()} == {WRITER: "healthy", READER: "healthy"}
    reader = rows(found, "mysql")[READER]
    assert (reader["role"], reader["source"], reader["lag"]) == ("replica", WRITER, "0 s")
    assert reader["canary"].endswith(" ms")
    assert f"MySQL: {WRITER} (not run by us)" in found["summary"]


def test_status_says_that_the_replica_has_stopped(host: Host) -> None:
    provider(host, "STOP SLAVE SQL_THREAD", "second")
    try:
        found = report(SCENARIO)
        assert found["healthy"] is False
        assert rows(found, "mysql")[READER]["state"] == "stopped"
        assert rows(found, "mysql")[WRITER]["state"] == "healthy"
    finally:
        provider(host, "START SLAVE SQL_THREAD", "second")


@pytest.mark.parametrize("playbook", ["switchover", "promote", "rejoin"])
def test_its_primary_is_not_moved_from_here(playbook: str) -> None:
    code, said = play(SCENARIO, playbook, "-e", "tier=mysql", "-e", "to=mmservice")
    assert code != 0
    assert (
        "mysql is an endpoint (webcluster_mysql_external), whose provider promotes, moves and brings back its" in said
    )


def test_a_failover_of_the_service_is_followed_by_its_name(host: Host) -> None:
    """The last test: the first server is gone after it."""
    get("/?say=before")
    assert until(lambda: get("/")["read"] == "before")
    host.check_output("systemctl stop service@first")
    assert until(lambda: ask("/")[0] >= 500)
    found = report(SCENARIO)
    assert found["healthy"] is False
    assert [reason for reason in found["reasons"] if reason.startswith(f"{WRITER}: unreachable")]
    provider(host, "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF", "second")
    host.check_output("sed -i %s /etc/service/names", f"s/^{FIRST} /{SECOND} /")
    host.check_output("systemctl kill --signal HUP dnsmasq")
    assert until(lambda: ask("/")[0] == 200)
    page = get("/?say=after")
    assert (page["written"], page["servers"]) == ("after", [2, 2])
