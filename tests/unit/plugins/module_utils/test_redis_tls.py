# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Redis servers that run without TLS move to it, one after the other, and take new certificates, under a steady load."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._pem import first_certificate
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    shown_certificate,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import connect_all
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.settings import (
    carry_out,
    make_plan,
    plan_certificate,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import (
    Primary,
    Wanted,
    decide,
    login_at_primary,
    look,
    primary_problem,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import carry_out as follow
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import carry_out as switch_over
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import decide as plan_move
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import look_at_all
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.certificate import ends_at
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import ends_of
from ansible_collections.siteops.webcluster.tests.loopback_redis import (
    PASSWORD,
    STRANGER,
    RealServer,
    RealTier,
    Secure,
    free_port,
    wait_for,
    writing,
)

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not here")


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[RealTier]:
    with RealTier(tmp_path, "first", "second") as servers:
        yield servers


def move(replica: Secure, primary: Secure, other_port: int | None = None) -> None:
    """Let a replica follow its primary over TLS, as redis_source does."""
    wanted = Wanted(
        Primary("127.0.0.1", primary.port),
        tls=True,
        ca_cert=str(replica.folder / "ca.pem"),
        other_port=primary.server.port if other_port is None else other_port,
    )
    client = replica.server.client
    found = look(client, lambda path: Path(path).read_text(encoding="utf-8"))
    follow(client, decide(found, wanted, "here"))


def has_all(server: RealServer, wanted: list[str]) -> bool:
    return server.client.command("LRANGE", "written", "0", "-1") == wanted


def full_copies(server: RealServer) -> str:
    found = re.search(r"sync_full:(\d+)", str(server.client.command("INFO", "stats")))
    assert found
    return found.group(1)


def test_a_running_tier_moves_to_tls_and_loses_nothing(tier: RealTier) -> None:
    first, second = (Secure(server) for server in tier.servers.values())
    copies = full_copies(first.server)
    with writing(tier) as acknowledged:
        first.offer()
        second.offer()
        move(second, first)
        wait_for(second.server.follows)
        wait_for(lambda: len(acknowledged) > 200)
    assert f"master_port:{first.port}" in str(second.server.client.command("INFO", "replication"))
    # The primary knows the replica by the port at which it speaks TLS.
    wait_for(lambda: f"port={second.port},state=online" in str(first.server.client.command("INFO", "replication")))
    assert second.server.written() == [f"replicaof 127.0.0.1 {first.port}"]
    # It went on from where it was.
    assert full_copies(first.server) == copies
    wanted = [str(number) for number in acknowledged]
    wait_for(partial(has_all, second.server, wanted))
    assert has_all(first.server, wanted)


def test_it_stays_encrypted_over_a_restart_of_either(tier: RealTier) -> None:
    first, second = (Secure(server) for server in tier.servers.values())
    for each in (first, second):
        each.offer()
        each.server.settings.write_text(
            each.server.settings.read_text(encoding="utf-8")
            + "".join(f"{name} {value}\n" for name, value in each.settings().items()),
            encoding="utf-8",
        )
    move(second, first)
    wait_for(second.server.follows)
    for each in (second, first):
        each.server.kill()
        each.server.start()
    wait_for(second.server.follows)
    assert second.server.client.command("CONFIG", "GET", "tls-replication") == ["tls-replication", "yes"]


def test_a_new_certificate_is_taken_while_the_link_stays_up(tier: RealTier) -> None:
    first, second = (Secure(server) for server in tier.servers.values())
    first.offer()
    second.offer()
    move(second, first)
    wait_for(second.server.follows)
    client = first.server.client
    before = shown_certificate(client.login, first.port)
    plan = make_plan(client, first.settings(), None)
    plan_certificate(first.settings(), plan, before)
    assert plan.after == {}
    first.renew()
    plan = make_plan(client, first.settings(), None)
    plan_certificate(first.settings(), plan, before)
    assert list(plan.after) == ["certificate"]
    copies, heard = full_copies(first.server), str(client.command("INFO", "replication"))
    carry_out(client, plan, client.login)
    now = shown_certificate(client.login, first.port)
    assert now != before
    assert now == first_certificate((first.folder / "server.pem").read_text(encoding="utf-8"))
    assert second.server.follows()
    assert full_copies(first.server) == copies
    assert re.findall("slave0:ip=.*?,port=.*?,", heard) == re.findall(
        "slave0:ip=.*?,port=.*?,", str(client.command("INFO", "replication"))
    )


def test_a_client_that_trusts_another_authority_is_told_so(tier: RealTier, tmp_path: Path) -> None:
    first, _second = (Secure(server) for server in tier.servers.values())
    first.offer()
    with RedisClient(first.login()) as client:
        assert client.command("PING") == "PONG"
        assert (
            ends_at(client.certificate_ends)
            == ends_of((first.folder / "server.pem").read_text(encoding="utf-8")).isoformat()
        )
    other = tmp_path / "other.pem"
    other.write_text(STRANGER.text, encoding="utf-8")
    with RedisClient(first.login(str(other))) as client, pytest.raises(RedisError, match="certificate is not trusted"):
        client.command("PING")


def test_a_replica_is_not_sent_to_a_primary_that_it_would_not_trust(tier: RealTier, tmp_path: Path) -> None:
    first, second = (Secure(server) for server in tier.servers.values())
    first.offer()
    other = tmp_path / "other.pem"
    other.write_text(STRANGER.text, encoding="utf-8")
    place = Primary("127.0.0.1", first.port)
    wanted = Wanted(place, "default", tls=True, ca_cert=str(other), other_port=first.server.port)
    client = second.server.client
    found = look(client, lambda path: Path(path).read_text(encoding="utf-8"))
    with RedisClient(login_at_primary(client.login, place, found, wanted)) as asked:
        problem = primary_problem(asked)
    assert problem
    assert f"The primary 127.0.0.1:{first.port} answers: the server's certificate is not trusted" in problem.text
    assert not problem.may_heal


def test_another_server_is_still_another_server(tier: RealTier) -> None:
    first, second = (Secure(server) for server in tier.servers.values())
    with pytest.raises(RefusedError, match="is not re-pointed to"):
        move(second, first, other_port=first.server.port + 1)
    with pytest.raises(RefusedError, match="is not re-pointed to"):
        move(second, first, other_port=0)


def test_a_server_without_tls_shows_no_certificate(tier: RealTier) -> None:
    first = tier.servers["first"]
    assert shown_certificate(first.client.login, 0) is None
    assert shown_certificate(first.client.login, free_port()) is None
    assert shown_certificate(first.client.login, first.port) is None


def test_the_primary_moves_there_and_back_over_tls(tier: RealTier) -> None:
    first, second = (Secure(server) for server in tier.servers.values())
    for each in (first, second):
        each.offer()
    move(second, first)
    # It replicates over TLS on the day on which it is a replica.
    found = look(first.server.client, lambda path: Path(path).read_text(encoding="utf-8"))
    follow(first.server.client, decide(found, Wanted(None, tls=True), "here"))
    wait_for(second.server.follows)
    members = [
        {
            "name": each.server.name,
            "host": "127.0.0.1",
            "port": each.port,
            "login_user": "default",
            "login_password": PASSWORD,
            "tls": True,
            "ca_cert": str(each.folder / "ca.pem"),
        }
        for each in (first, second)
    ]
    with writing(tier) as acknowledged:
        for to in ("second", "first"):
            connected = connect_all(members, 5)
            looked = look_at_all(connected)
            switch_over(looked, plan_move(looked, to, 5), 20)
            for member in connected:
                member.client.close()
    wanted = [str(number) for number in acknowledged]
    for each in (first, second):
        wait_for(partial(has_all, each.server, wanted))
    assert second.server.written() == [f"replicaof 127.0.0.1 {first.port}"]
