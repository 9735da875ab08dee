# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real HAProxy with the role's haproxy.cfg does in front of real Redis servers of which the primary dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy
from ansible_collections.siteops.webcluster.tests.loopback_redis import PASSWORD, RealTier


@contextmanager
def proxied(folder: Path, tier: RealTier) -> Iterator[tuple[Proxy, RedisLogin]]:
    """A data proxy before the tier, and the login for its reads."""
    port = free_port()
    servers = [{"name": name, "address": "127.0.0.1", "port": of.port} for name, of in tier.servers.items()]
    service = {"name": "reads", "bind_port": port, "check": "redis_replica", "servers": servers}
    monitor = {"haproxy_redis_monitor_user": "", "haproxy_redis_monitor_password": PASSWORD}
    folder.mkdir()
    proxy = Proxy(folder, {"haproxy_data_services": [service], "haproxy_stats_port": free_port(), **monitor})
    try:
        yield proxy, RedisLogin("127.0.0.1", port, username="default", password=PASSWORD, connect_timeout=0.5)
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
