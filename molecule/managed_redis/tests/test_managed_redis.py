# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site whose Redis somebody else runs: what the application, the operator and the service see, until the service fails over."""

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

SCENARIO = "managed_redis"
DOOR = "10.95.7.52"
FIRST, SECOND = "10.95.7.36", "10.95.7.37"
WRITER, READER = "shop.redis.example:10000", "shop-r1.redis.example:10000"


class Visitor:
    """Somebody with a cookie, through the load balancer."""

    def __init__(self) -> None:
        self.cookie = ""

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        with closing(http.client.HTTPConnection(DOOR, timeout=10)) as connection:
            connection.request("GET", path, headers={"Cookie": self.cookie} if self.cookie else {})
            response = connection.getresponse()
            self.cookie = (response.headers["Set-Cookie"] or self.cookie).partition(";")[0]
            body = response.read()
        return response.status, json.loads(body) if response.status == 200 else {}

    def get(self, path: str) -> dict[str, Any]:
        status, found = self.ask(path)
        assert status == 200
        return found


def provider(host: Host, *words: str, address: str = FIRST) -> str:
    """Ask a server of the service as the one who runs it."""
    client = (
        "REDISCLI_AUTH=provider redis-cli --no-auth-warning --user provider --tls --cacert /etc/service/ca.pem -p 10000"
    )
    return str(
        host.check_output(f"{client} --sni shop.redis.example -h {address} {' '.join(['%s'] * len(words))}", *words)
    ).strip()


def test_what_php_writes_without_tls_lies_at_the_service(host: Host) -> None:
    page = Visitor().get("/?say=hello")
    assert page["written"] == "hello"
    assert provider(host, "GET", "shop:said") == "hello"
    assert until(lambda: Visitor().get("/")["read"] == "hello")


def test_sessions_lie_there(host: Host) -> None:
    visitor = Visitor()
    assert [visitor.get("/")["visits"] for _visit in range(3)] == [1, 2, 3]
    assert provider(host, "KEYS", "shop:session:*")


def test_cron_jobs_are_agreed_upon_there(host: Host) -> None:
    assert until(lambda: int(Visitor().get("/")["jobs"]) > 0)
    assert provider(host, "HGET", "shop-cron:count", "server") == "mrweb1"


def test_the_service_is_as_strict_as_a_clouds(host: Host) -> None:
    plain = host.run("redis-cli -h %s -p 10000 PING", FIRST)
    assert "PONG" not in plain.stdout
    # The customers' password is for the one user, who sees no settings.
    said = provider(host, "ACL", "DRYRUN", "ops", "CONFIG", "GET", "*")
    assert "no permissions" in said


def test_status_judges_both_names_from_the_web_server() -> None:
    found = report(SCENARIO)
    assert found["healthy"] is True, found["reasons"]
    assert {name: row["state"] for name, row in rows(found, "redis").items()} == {WRITER: "healthy", READER: "healthy"}
    reader = rows(found, "redis")[READER]
    assert (reader["role"], reader["source"]) == ("replica", WRITER)
    assert reader["canary"].endswith(" ms")
    assert reader["lag"] != "-"
    assert f"Redis: {WRITER} (not run by us)" in found["summary"]


@pytest.mark.parametrize("playbook", ["switchover", "promote", "rejoin"])
def test_its_primary_is_not_moved_from_here(playbook: str) -> None:
    code, said = play(SCENARIO, playbook, "-e", "tier=redis", "-e", "to=mrservice")
    assert code != 0
    assert (
        "redis is an endpoint (webcluster_redis_external), whose provider promotes, moves and brings back its" in said
    )


def test_a_failover_of_the_service_is_followed_by_its_name(host: Host) -> None:
    """The last test: the first server is gone after it."""
    Visitor().get("/?say=before")
    assert until(lambda: provider(host, "GET", "shop:said", address=SECOND) == "before")
    host.check_output("systemctl stop redis-server@first")
    assert until(lambda: Visitor().ask("/")[0] >= 500)
    found = report(SCENARIO)
    assert found["healthy"] is False
    assert [reason for reason in found["reasons"] if reason.startswith(f"{WRITER}: unreachable")]
    provider(host, "REPLICAOF", "NO", "ONE", address=SECOND)
    host.check_output("sed -i %s /etc/service/names", f"s/^{FIRST} /{SECOND} /")
    host.check_output("systemctl kill --signal HUP dnsmasq")
    assert until(lambda: Visitor().ask("/")[0] == 200)
    assert Visitor().get("/?say=after")["written"] == "after"
    assert provider(host, "GET", "shop:said", address=SECOND) == "after"
