# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Redis servers of this machine on loopback ports, which replicate, and can be killed and frozen."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import Member
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.settings import carry_out, make_plan
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import Primary
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import (
    Authority,
    issue,
    make_authority,
    read_authority,
)
from ansible_collections.siteops.webcluster.tests.loopback import PATIENCE, free_port, wait_for

PASSWORD = "secret"
NOW = datetime.now(UTC)
AUTHORITY = read_authority(*make_authority(NOW), NOW)
# One that nobody here trusts.
STRANGER = read_authority(*make_authority(NOW), NOW)


class RealServer:
    """One server, laid out below its folder as on a host of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.root = name, folder
        self.port = free_port()
        self.config = folder / "etc/redis/redis.conf"
        self.settings = folder / "etc/redis/webcluster.conf"
        data = folder / "var/lib/redis"
        self.config.parent.mkdir(parents=True)
        data.mkdir(parents=True)
        self.config.touch()
        lines = ["bind 127.0.0.1", f"port {self.port}", f"dir {data}", f"requirepass {PASSWORD}", "appendonly yes"]
        lines += ["masteruser default", f"masterauth {PASSWORD}", "repl-diskless-sync-delay 0", f"logfile {folder}/log"]
        self.settings.write_text("\n".join([*lines, ""]), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.client = RedisClient(self.login(), timeout=PATIENCE)
        self.clients = [self.client]

    def login(self) -> RedisLogin:
        return RedisLogin("127.0.0.1", self.port, username="default", password=PASSWORD, connect_timeout=PATIENCE)

    @property
    def place(self) -> Primary:
        return Primary("127.0.0.1", self.port)

    def member(self) -> Member:
        self.clients.append(RedisClient(self.login(), timeout=0.5))
        return Member(self.name, self.place, self.clients[-1])

    def start(self) -> None:
        words = ["redis-server", str(self.config), "--include", str(self.settings)]
        self.process = subprocess.Popen(words, env={"LC_ALL": "C.UTF-8"})
        wait_for(self.answers)

    def answers(self) -> bool:
        with suppress(RedisError):
            return self.client.command("PING") == "PONG"
        return False

    def follows(self) -> bool:
        return "master_link_status:up" in str(self.client.command("INFO", "replication"))

    def send(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        for client in self.clients:
            client.close()

    def written(self) -> list[str]:
        """The role in its own configuration file."""
        lines = self.config.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line.startswith("replicaof")]


class RealTier:
    """Servers of which all but the first replicate from it."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.servers = {name: RealServer(name, folder / name) for name in names}

    def __enter__(self) -> RealTier:
        first, *others = self.servers.values()
        for server in self.servers.values():
            server.start()
        for server in others:
            server.client.command("REPLICAOF", first.place.host, str(first.port))
            server.client.command("CONFIG", "REWRITE")
        for server in others:
            wait_for(server.follows)
        wait_for(lambda: str(first.client.command("INFO", "replication")).count("state=online") == len(others))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers.values():
            server.kill()

    def members(self) -> list[Member]:
        return [server.member() for server in self.servers.values()]


class Secure:
    """What a host of the tier has for TLS."""

    def __init__(self, server: RealServer, authority: Authority = AUTHORITY, name: str = "") -> None:
        self.server, self.port = server, free_port()
        self.authority, self.name = authority, name or server.name
        self.folder = server.root / "tls"
        self.folder.mkdir()
        (self.folder / "ca.pem").write_text(authority.text, encoding="utf-8")
        self.renew()

    def renew(self) -> None:
        (self.folder / "server.pem").write_text(issue(self.authority, [self.name, "127.0.0.1"], NOW), encoding="utf-8")

    def settings(self) -> dict[str, str]:
        pem = str(self.folder / "server.pem")
        return {
            "tls-port": str(self.port),
            "tls-cert-file": pem,
            "tls-key-file": pem,
            "tls-ca-cert-file": str(self.folder / "ca.pem"),
            "tls-auth-clients": "no",
        }

    def offer(self) -> None:
        """Let the running server speak TLS beside what it speaks already."""
        client = self.server.client
        carry_out(client, make_plan(client, self.settings(), None), client.login)

    def login(self, ca: str = "") -> RedisLogin:
        return replace(self.server.login(), port=self.port, tls=True, ca_cert=ca or str(self.folder / "ca.pem"))


@contextmanager
def writing(tier: RealTier) -> Iterator[list[int]]:
    """Append numbers to a list wherever one is let; what is yielded holds those that were acknowledged."""
    acknowledged: list[int] = []
    clients = [RedisClient(server.login(), timeout=2) for server in tier.servers.values()]
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.002):
            number += 1
            for client in clients:
                with suppress(RedisError):
                    client.command("RPUSH", "written", str(number))
                    acknowledged.append(number)
                    break

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()
        for client in clients:
            client.close()
