# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real HAProxy with the role's haproxy.cfg does in front of real Redis servers of which the primary dies."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy
from ansible_collections.siteops.webcluster.tests.loopback_redis import (
    AUTHORITY,
    PASSWORD,
    STRANGER,
    RealTier,
    Secure,
)


def before(tier: RealTier, port: int, check: str, ports: Mapping[str, int] | None = None, **tls: Any) -> dict[str, Any]:
    """A data proxy before the tier. ports: where the servers speak TLS."""
    at = ports or {name: of.port for name, of in tier.servers.items()}
    servers = [{"name": name, "address": "127.0.0.1", "port": at[name]} for name in tier.servers]
    name = "reads" if check == "redis_replica" else "writes"
    service = {"name": name, "bind_port": port, "check": check, "servers": servers, "tls": bool(ports)}
    monitor = {"haproxy_redis_monitor_user": "", "haproxy_redis_monitor_password": PASSWORD}
    return {"haproxy_data_services": [service], "haproxy_stats_port": free_port(), **monitor, **tls}


@contextmanager
def proxied(
    folder: Path, tier: RealTier, ports: Mapping[str, int] | None = None, check: str = "redis_replica", **tls: Any
) -> Iterator[tuple[Proxy, RedisLogin]]:
    """A running data proxy before the tier, and the login for it."""
    port = free_port()
    folder.mkdir()
    proxy = Proxy(folder, before(tier, port, check, ports, **tls))
    try:
        yield proxy, RedisLogin("127.0.0.1", port, username="default", password=PASSWORD, connect_timeout=2)
    finally:
        proxy.stop()


def read(login: RedisLogin) -> str | None:
    """What a new connection reads; None where it is refused."""
    with closing(RedisClient(login, timeout=2)) as client, suppress(RedisError):
        return str(client.command("GET", "key"))
    return None


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[RealTier]:
    need("redis-server")
    with RealTier(tmp_path, "one", "two") as servers:
        servers.servers["one"].client.command("SET", "key", "value")
        servers.servers["one"].client.command("WAIT", "1", "5000")
        yield servers


def test_reads_go_on_while_there_is_no_primary(tmp_path: Path, tier: RealTier) -> None:
    with proxied(tmp_path / "proxy", tier) as (proxy, login):
        proxy.wait_for("reads/two", "UP")
        tier.servers["one"].kill()
        proxy.wait_for("reads/two", "DOWN")
        proxy.wait_for("reads_primary/one", "DOWN")
        wait_for(lambda: proxy.states()["reads_disconnected/two"] == "UP")
        assert read(login) == "value"
        # It becomes the primary: reads are its own again.
        tier.servers["two"].client.command("REPLICAOF", "NO", "ONE")
        proxy.wait_for("reads_primary/two", "UP")
        proxy.wait_for("reads_disconnected/two", "DOWN")
        assert read(login) == "value"


def test_a_replica_without_its_link_is_not_read_while_there_is_a_primary(tmp_path: Path, tier: RealTier) -> None:
    with proxied(tmp_path / "proxy", tier) as (proxy, login):
        proxy.wait_for("reads/two", "UP")
        tier.servers["two"].client.command("CONFIG", "SET", "masterauth", "wrong")
        tier.servers["two"].client.command("CLIENT", "KILL", "TYPE", "master")
        proxy.wait_for("reads/two", "DOWN")
        proxy.wait_for("reads_primary/one", "UP")
        tier.servers["one"].client.command("SET", "key", "newer")
        assert read(login) == "newer"


def test_a_replica_that_never_had_a_copy_is_not_read(tmp_path: Path, tier: RealTier) -> None:
    two = tier.servers["two"]
    tier.servers["one"].kill()
    two.client.command("REPLICAOF", "NO", "ONE")
    two.client.command("FLUSHALL")
    two.kill()
    two.start()
    two.client.command("REPLICAOF", "127.0.0.1", str(free_port()))
    with proxied(tmp_path / "proxy", tier) as (proxy, login):
        proxy.wait_for("reads_disconnected/two", "DOWN")
        wait_for(lambda: read(login) is None)


def secured(tier: RealTier, **changed: Secure) -> dict[str, int]:
    """Let every server speak TLS; where each does so."""
    of = {name: changed.get(name) or Secure(server) for name, server in tier.servers.items()}
    for each in of.values():
        each.offer()
    return {name: each.port for name, each in of.items()}


def test_a_program_without_tls_reads_over_it(tmp_path: Path, tier: RealTier) -> None:
    trusted = {"haproxy_data_ca_certificate": AUTHORITY.text}
    with proxied(tmp_path / "proxy", tier, secured(tier), **trusted) as (proxy, login):
        # The checks, which know the role, come over TLS as well.
        proxy.wait_for("reads/one", "DOWN")
        proxy.wait_for("reads/two", "UP")
        assert read(login) == "value"


def test_a_server_that_a_stranger_vouches_for_is_not_used(tmp_path: Path, tier: RealTier) -> None:
    ports = secured(tier, two=Secure(tier.servers["two"], STRANGER))
    with proxied(tmp_path / "proxy", tier, ports, haproxy_data_ca_certificate=AUTHORITY.text) as (proxy, login):
        proxy.wait_for("reads_primary/one", "UP")
        proxy.wait_for("reads/two", "DOWN")
        assert proxy.rows()["reads/two"]["check_status"] == "L6RSP"
        assert read(login) == "value"


def test_a_server_that_shows_the_certificate_of_another_is_not_used(tmp_path: Path, tier: RealTier) -> None:
    ports = secured(tier, two=Secure(tier.servers["two"], name="one"))
    with proxied(tmp_path / "proxy", tier, ports, haproxy_data_ca_certificate=AUTHORITY.text) as (proxy, _login):
        proxy.wait_for("reads_primary/one", "UP")
        proxy.wait_for("reads/two", "DOWN")
        assert proxy.rows()["reads/two"]["check_status"] == "L6RSP"


def test_writes_go_on_while_the_way_becomes_encrypted(tmp_path: Path, tier: RealTier) -> None:
    ports = secured(tier)
    with proxied(tmp_path / "proxy", tier, check="redis_primary") as (proxy, login):
        proxy.wait_for("writes/two", "DOWN")
        stop, acknowledged, refused = threading.Event(), list[str](), list[str]()

        def write() -> None:
            while not stop.wait(0.005):
                # Each of them has a connection of its own, as a request of PHP.
                with closing(RedisClient(login, timeout=5)) as client:
                    try:
                        client.command("RPUSH", "written", str(len(acknowledged)))
                        acknowledged.append(str(len(acknowledged)))
                    except RedisError as error:
                        refused.append(error.message)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            wait_for(lambda: len(acknowledged) > 20)
            encrypted = before(tier, login.port, "redis_primary", ports, haproxy_data_ca_certificate=AUTHORITY.text)
            proxy.configure(encrypted)
            proxy.reload()
            proxy.wait_for("writes/two", "DOWN")
            then = len(acknowledged)
            wait_for(lambda: len(acknowledged) > then + 50)
        finally:
            stop.set()
            thread.join()
        assert f" {ports['one']} " in proxy.ask("show servers state writes")
        assert refused == []
        assert tier.servers["one"].client.command("LRANGE", "written", "0", "-1") == acknowledged
