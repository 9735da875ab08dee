# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a web server's data proxy and the verdict make of a real Redis as a cloud serves it: over TLS only, and without CONFIG."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Failure, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.redis import RedisProbe
from ansible_collections.siteops.webcluster.tests.certificates import Issued, issue
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import PATIENCE, free_port, wait_for
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

NAME = "shop.redis.example"
USER, PASSWORD = "ops", "p4ss word"
# What a managed service keeps to itself.
FORBIDDEN = "-config -replicaof -slaveof -acl -debug -shutdown"


@dataclass
class Endpoint:
    """A server that speaks TLS only, with a certificate for a name."""

    folder: Path
    certificate: Issued
    authority: Issued
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "cert.pem").write_text(self.certificate.certificate, encoding="utf-8")
        (self.folder / "ca.pem").write_text(self.authority.certificate, encoding="utf-8")
        (self.folder / "key.pem").write_text(self.certificate.private_key, encoding="utf-8")
        lines = ["port 0", f"tls-port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", "tls-auth-clients no"]
        lines += [f"tls-cert-file {self.folder}/cert.pem", f"tls-key-file {self.folder}/key.pem"]
        lines += [f"logfile {self.folder}/log", "user default off"]
        lines += [f'user {USER} on ">{PASSWORD}" ~* &* +@all {FORBIDDEN}']
        (self.folder / "redis.conf").write_text("\n".join([*lines, ""]), encoding="utf-8")
        self.process = subprocess.Popen(["redis-server", str(self.folder / "redis.conf")], env={"LC_ALL": "C.UTF-8"})
        wait_for(lambda: self.ask("PING") == "PONG")

    def login(self, name: str = NAME) -> RedisLogin:
        return RedisLogin(
            "127.0.0.1",
            self.port,
            username=USER,
            password=PASSWORD,
            connect_timeout=PATIENCE,
            tls=True,
            ca_cert=str(self.folder / "ca.pem"),
            tls_server_name=name,
        )

    def ask(self, *words: str) -> object:
        with closing(RedisClient(self.login(), timeout=PATIENCE)) as client, suppress(RedisError):
            return client.command(*words)
        return None

    def server(self, **more: object) -> dict[str, Any]:
        return {"name": f"at{self.port}", "address": "127.0.0.1", "port": self.port, "tls_name": NAME, **more}

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def authority() -> Issued:
    """As an owner makes it, without the key usage that the strictest programs want."""
    return issue("authority")


@pytest.fixture(scope="module")
def certificate(authority: Issued) -> Issued:
    return issue(NAME, authority)


@pytest.fixture
def endpoint(tmp_path: Path, certificate: Issued, authority: Issued) -> Iterator[Endpoint]:
    need("redis-server")
    server = Endpoint(tmp_path / "writer", certificate, authority)
    server.start()
    yield server
    server.stop()


@contextmanager
def proxied(
    folder: Path, trusted: Issued, *servers: dict[str, Any], password: str = PASSWORD
) -> Iterator[tuple[Proxy, RedisLogin]]:
    """A data proxy before the servers, and the login of an application that speaks no TLS."""
    port = free_port()
    folder.mkdir()
    # The role wants it on the host; here that is the test's folder.
    authorities = folder / "authorities.pem"
    authorities.write_text(trusted.certificate, encoding="utf-8")
    service = {"name": "redis", "bind_port": port, "check": "redis_ping", "tls": True, "servers": list(servers)}
    monitor = {"haproxy_redis_monitor_user": USER, "haproxy_redis_monitor_password": password}
    variables = {"haproxy_data_services": [service], "haproxy_stats_port": free_port(), **monitor}
    proxy = TrustingProxy(folder, variables, authorities)
    try:
        yield proxy, RedisLogin("127.0.0.1", port, username=USER, password=PASSWORD, connect_timeout=PATIENCE)
    finally:
        proxy.stop()


class TrustingProxy(Proxy):
    """A proxy of a host whose system trusts the test's authorities."""

    def __init__(self, folder: Path, variables: dict[str, Any], authorities: Path) -> None:
        self.authorities = authorities
        super().__init__(folder, variables)

    def here(self, text: str) -> str:
        return super().here(text).replace("/etc/ssl/certs/ca-certificates.crt", str(self.authorities))


def answer(login: RedisLogin, *words: str) -> object:
    """What a new connection is told; None where it is cut off."""
    with closing(RedisClient(login, timeout=PATIENCE)) as client:
        try:
            return client.command(*words)
        except RedisError as error:
            return error.code if error.kind == "noperm" else None


def test_an_application_without_tls_reads_and_writes_through_the_proxy(
    tmp_path: Path, endpoint: Endpoint, authority: Issued
) -> None:
    with proxied(tmp_path / "proxy", authority, endpoint.server()) as (proxy, login):
        proxy.wait_for(f"redis/at{endpoint.port}", "UP")
        assert answer(login, "SET", "shop:key", "value") == "OK"
        assert endpoint.ask("GET", "shop:key") == "value"
        # The service forbids it, and neither the check nor the application needs it.
        assert answer(login, "CONFIG", "GET", "*") == "NOPERM"


@pytest.mark.parametrize("wrong", ["authority", "name", "password"])
def test_a_service_that_cannot_be_trusted_or_refuses_us_gets_nothing(
    tmp_path: Path, endpoint: Endpoint, authority: Issued, wrong: str
) -> None:
    trusted = issue(NAME) if wrong == "authority" else authority
    server = endpoint.server(**({"tls_name": "other.example"} if wrong == "name" else {}))
    password = "wrong" if wrong == "password" else PASSWORD
    with proxied(tmp_path / "proxy", trusted, server, password=password) as (proxy, login):
        proxy.wait_for(f"redis/at{endpoint.port}", "DOWN")
        assert answer(login, "SET", "shop:key", "value") is None
    assert endpoint.ask("GET", "shop:key") is None


def test_reads_go_to_the_writer_while_the_reader_is_away(
    tmp_path: Path, endpoint: Endpoint, certificate: Issued, authority: Issued
) -> None:
    reader = Endpoint(tmp_path / "reader", certificate, authority)
    reader.start()
    try:
        reader.ask("SET", "who", "reader")
        endpoint.ask("SET", "who", "writer")
        servers = [reader.server(), endpoint.server(backup=True)]
        with proxied(tmp_path / "proxy", authority, *servers) as (proxy, login):
            proxy.wait_for(f"redis/at{reader.port}", "UP")
            proxy.wait_for(f"redis/at{endpoint.port}", "UP")
            assert answer(login, "GET", "who") == "reader"
            reader.stop()
            proxy.wait_for(f"redis/at{reader.port}", "DOWN")
            assert answer(login, "GET", "who") == "writer"
    finally:
        reader.stop()


def test_the_verdict_needs_no_settings_of_the_service(endpoint: Endpoint) -> None:
    probe = RedisProbe(RedisClient(endpoint.login(), timeout=PATIENCE), NAME)
    look = probe.look(Canary("write", "token"))
    probe.close()
    assert isinstance(look.found, Snapshot), look
    assert (look.found.role, look.found.read_only) == ("standalone", False)
    assert look.canary
    assert (look.canary.seen, look.canary.refusal) == (True, None)
    assert endpoint.ask("EXISTS", "ansible:canary:token") == 1


def test_the_verdict_says_why_a_certificate_is_not_taken(endpoint: Endpoint) -> None:
    probe = RedisProbe(RedisClient(endpoint.login("other.example"), timeout=PATIENCE), NAME)
    look = probe.look()
    probe.close()
    assert isinstance(look.found, Failure)
    assert "certificate is not trusted" in look.found.message
