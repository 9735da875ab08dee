# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis tier that is not there: servers that replicate, hand over and forget what they have not written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import Member
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import Primary

PORT = 6379


class KilledError(Exception):
    """Whoever moves the primary was killed."""


@dataclass
class Server:
    """What one server is and has; fields holds what a test wants INFO to say otherwise."""

    address: str
    source: str = ""
    written: str = ""
    offset: int = 1000
    keys: dict[str, str] = field(default_factory=lambda: {"demo:1": "one"})
    fields: dict[str, str] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=lambda: {"masteruser": "replication", "masterauth": "secret"})
    # Why it does not answer.
    silence: str = ""
    silence_kind: str = "unreachable"
    # What it does when it is told to hand over: takes, refuses, or never ends.
    failover: str = "takes"
    holds_back: bool = False
    link: bool = True


class Client(RedisClient):
    """Speaks with one server of a tier."""

    def __init__(self, tier: FakeTier, name: str) -> None:
        super().__init__(RedisLogin(tier.servers[name].address, username="admin", password="secret"))
        self.tier, self.name = tier, name

    def command(self, *args: str | bytes) -> Any:
        return self.tier.command(self.name, tuple(str(arg) for arg in args))


class FakeTier:
    """The servers by name; the first is the primary."""

    def __init__(self, *names: str) -> None:
        self.servers = {name: Server(f"10.0.0.{36 + index}") for index, name in enumerate(names)}
        for name in names[1:]:
            self.servers[name].source = self.servers[name].written = self.servers[names[0]].address
        self.sent: list[str] = []
        self.now = 100.0
        # Commands that change something, after which we are killed.
        self.left: int | None = None

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def members(self) -> list[Member]:
        return [
            Member(name, Primary(server.address, PORT), Client(self, name)) for name, server in self.servers.items()
        ]

    def changes(self) -> list[str]:
        """What was sent that changes something."""
        quiet = ("INFO", "CONFIG GET", "ROLE", "GET", "PING", "SCAN", "SELECT", "EVAL_RO", "DUMP", "PTTL")
        return [each for each in self.sent if not each.split(": ", 1)[1].startswith(quiet)]

    def roles(self) -> dict[str, tuple[str, str]]:
        """Whom each one follows, and whom it would follow after a start."""
        return {name: (server.source, server.written) for name, server in self.servers.items()}

    def at(self, address: str) -> Server | None:
        return next((server for server in self.servers.values() if server.address == address), None)

    def followers(self, address: str) -> Iterator[Server]:
        return (server for server in self.servers.values() if server.source == address and not server.silence)

    def command(self, name: str, words: tuple[str, ...]) -> Any:
        server = self.servers[name]
        if server.silence:
            raise RedisError(server.silence_kind, server.silence, "timeout")
        said = f"{name}: {' '.join(words)}"
        self.sent.append(said)
        if self.left is not None and said in self.changes():
            if self.left == 0:
                raise KilledError(said)
            self.left -= 1
        return getattr(self, f"_{words[0].lower()}")(server, words[1:])

    def _info(self, server: Server, _words: Sequence[str]) -> str:
        source = self.at(server.source)
        live = source is not None and not source.silence and server.link
        fields = {
            "role": "slave" if server.source else "master",
            "redis_version": "8.0.2",
            "master_replid": "stream",
            "master_failover_state": "waiting-for-sync" if server.holds_back else "no-failover",
            "uptime_in_seconds": "100",
            "total_net_repl_input_bytes": "5000",
            "db0": f"keys={len(server.keys)},expires=0",
        }
        if server.source:
            fields |= {
                "master_host": server.source,
                "master_port": str(PORT),
                "master_link_status": "up" if live else "down",
                "master_last_io_seconds_ago": "1" if live else "-1",
                "master_link_down_since_seconds": "-1" if live else "20",
                "slave_repl_offset": str(server.offset),
                "slave_read_repl_offset": str(server.offset),
                "slave_priority": "100",
            }
        else:
            fields["master_repl_offset"] = str(server.offset)
            followers = [each for each in self.followers(server.address) if each.link]
            fields["connected_slaves"] = str(len(followers))
            for index, each in enumerate(followers):
                place = f"ip={each.address},port={PORT}"
                fields[f"slave{index}"] = f"{place},state=online,offset={each.offset},lag=0"
        if not server.keys:
            del fields["db0"]
        return "".join(f"{name}:{value}\r\n" for name, value in (fields | server.fields).items())

    def _config(self, server: Server, words: Sequence[str]) -> Any:
        if words[0] == "GET":
            return [words[1], server.config.get(words[1], "")]
        assert words[0] == "REWRITE"
        server.written = server.source
        return "OK"

    def _role(self, server: Server, _words: Sequence[str]) -> list[Any]:
        return ["slave" if server.source else "master"]

    def _failover(self, server: Server, words: Sequence[str]) -> str:
        if words[0] == "ABORT":
            server.holds_back = False
            return "OK"
        new = self.at(words[1])
        assert new is not None
        if server.failover == "takes":
            new.source, server.source = "", new.address
            new.offset = server.offset
        server.holds_back = server.failover == "never ends"
        return "OK"

    def _replicaof(self, server: Server, words: Sequence[str]) -> str:
        server.source = "" if words[0] == "NO" else words[0]
        source = self.at(server.source)
        if source is not None:
            server.offset, server.keys = source.offset, dict(source.keys)
        return "OK"

    def _set(self, server: Server, words: Sequence[str]) -> str:
        server.keys[words[0]] = words[1]
        for each in self.followers(server.address):
            each.keys[words[0]] = words[1]
        return "OK"

    def _get(self, server: Server, words: Sequence[str]) -> str | None:
        return server.keys.get(words[0])

    def _client(self, server: Server, words: Sequence[str]) -> str:
        server.holds_back = words[0] == "PAUSE"
        return "OK"

    def _select(self, _server: Server, _words: Sequence[str]) -> str:
        return "OK"

    def _scan(self, server: Server, _words: Sequence[str]) -> list[Any]:
        return ["0", list(server.keys)]

    def _eval_ro(self, server: Server, words: Sequence[str]) -> list[str]:
        return [server.keys.get(name, "") for name in words[2:-1]]

    def _dump(self, server: Server, words: Sequence[str]) -> str:
        return server.keys[words[0]]

    def _pttl(self, _server: Server, _words: Sequence[str]) -> int:
        return -1
