# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a Redis or Valkey tier, as those see them that move the primary: where each is, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
    parse_info,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import config_get
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import (
    Primary,
    Resolver,
    count_keys,
    resolve,
    same_primary,
)

# Answers of a server that lives, though it does not do what it is asked.
ALIVE = ("auth", "noperm", "loading", "other")

MEMBERS_ARGUMENT: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "required": True,
    "options": {
        "name": {"type": "str", "required": True},
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 6379},
        "login_user": {"type": "str", "required": True},
        "login_password": {"type": "str", "required": True, "no_log": True},
        "tls": {"type": "bool", "default": False},
        "ca_cert": {"type": "path"},
    },
}

Connect = Callable[[RedisLogin], RedisClient]


@dataclass(frozen=True)
class Member:
    """One server of the tier: its name in the inventory, and how it is asked."""

    name: str
    place: Primary
    client: RedisClient


@dataclass(frozen=True)
class Told:
    """What a primary says of one of its replicas."""

    place: Primary
    online: bool
    offset: int
    lag: int


@dataclass(frozen=True)
class State:
    """What a server says of itself; offsets count the bytes of the stream of writes."""

    name: str
    source: Primary | None
    link_up: bool = False
    syncing: bool = False
    # Seconds since the primary was heard, or the link to it was lost; -1 where there never was one.
    heard: int = -1
    offset: int = 0
    received: int = 0
    stream: str = ""
    former_stream: str = ""
    # The first byte that is not of the former stream.
    former_end: int = -1
    priority: int = 100
    read_only: bool = True
    keys: int = 0
    used_memory: int = 0
    memory_limit: int = 0
    # Seconds that it runs, and what its primary sent it meanwhile.
    uptime: int = 0
    sent_to_it: int = 0
    flavor: str = "redis"
    version: tuple[int, ...] = ()
    # What FAILOVER is doing: no-failover, waiting-for-sync or failover-in-progress.
    failover: str = "no-failover"
    # Why writes would be refused, were it the primary.
    write_problem: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    least_replicas: int = 0
    replicas: tuple[Told, ...] = ()

    @property
    def is_primary(self) -> bool:
        return self.source is None


def connect_all(members: Sequence[Mapping[str, Any]], timeout: float, connect: Connect | None = None) -> list[Member]:
    """Return the members; each is connected when it is asked first."""
    found = []
    for each in members:
        login = RedisLogin(
            host=each["host"],
            port=each["port"],
            username=each["login_user"],
            password=each["login_password"],
            connect_timeout=timeout,
            tls=each.get("tls") or False,
            ca_cert=each.get("ca_cert"),
        )
        client = connect(login) if connect else RedisClient(login, timeout=timeout)
        found.append(Member(each["name"], Primary(each["host"], each["port"]), client))
    return found


def named(members: Sequence[Member], name: str) -> Member:
    """Return the member of this name, or raise ValueError with a sentence."""
    found = next((member for member in members if member.name == name), None)
    if found is None:
        names = ", ".join(member.name for member in members)
        raise ValueError(f"{name} is no server of this tier; expected one of {names}")
    return found


def _number(info: Mapping[str, str], name: str, otherwise: int = 0) -> int:
    try:
        return int(info.get(name, otherwise))
    except ValueError:
        return otherwise


def _told(info: Mapping[str, str]) -> tuple[Told, ...]:
    """Translate slave0:ip=10.0.0.37,port=6379,state=online,offset=42,lag=0."""
    found = []
    for index in range(_number(info, "connected_slaves")):
        parts = dict(part.partition("=")[::2] for part in info.get(f"slave{index}", "").split(","))
        place = Primary(parts.get("ip", ""), _number(parts, "port"))
        found.append(Told(place, parts.get("state") == "online", _number(parts, "offset"), _number(parts, "lag", -1)))
    return tuple(found)


def _write_problem(info: Mapping[str, str], config: Mapping[str, str | None]) -> str:
    if info.get("aof_last_write_status", "ok") != "ok":
        return "its append-only file cannot be written"
    if (
        info.get("rdb_last_bgsave_status", "ok") != "ok"
        and config["save"]
        and config["stop-writes-on-bgsave-error"] == "yes"
    ):
        return "its last snapshot failed, and it refuses writes therefore"
    return ""


SETTINGS = ("masteruser", "masterauth", "min-replicas-to-write", "save", "stop-writes-on-bgsave-error")


def look(member: Member) -> State:
    """Ask a server for all that the moves want to know."""
    reply = member.client.command("INFO")
    if not isinstance(reply, str):
        raise RedisError("protocol", "INFO did not answer with a text")
    info = parse_info(reply)
    config = {name: config_get(member.client, name) for name in SETTINGS}
    is_replica = info.get("role") == "slave"
    version = info.get("valkey_version") or info.get("redis_version", "")
    return State(
        name=member.name,
        source=Primary(info.get("master_host", ""), _number(info, "master_port")) if is_replica else None,
        link_up=info.get("master_link_status") == "up",
        syncing=info.get("master_sync_in_progress", "0") != "0",
        heard=max(_number(info, "master_last_io_seconds_ago", -1), _number(info, "master_link_down_since_seconds", -1)),
        offset=_number(info, "slave_repl_offset" if is_replica else "master_repl_offset"),
        received=_number(info, "slave_read_repl_offset", _number(info, "slave_repl_offset")),
        stream=info.get("master_replid", ""),
        former_stream=info.get("master_replid2", ""),
        former_end=_number(info, "second_repl_offset", -1),
        priority=_number(info, "slave_priority", 100),
        read_only=info.get("slave_read_only", "1") != "0",
        keys=count_keys(info),
        used_memory=_number(info, "used_memory"),
        memory_limit=_number(info, "maxmemory"),
        uptime=_number(info, "uptime_in_seconds"),
        sent_to_it=_number(info, "total_net_repl_input_bytes"),
        flavor="valkey" if info.get("valkey_version") else "redis",
        version=tuple(int(part) for part in version.split(".") if part.isdigit()),
        failover=info.get("master_failover_state", "no-failover"),
        write_problem=_write_problem(info, config),
        user=config["masteruser"] or "",
        password=config["masterauth"] or "",
        least_replicas=_number({"least": config["min-replicas-to-write"] or "0"}, "least"),
        replicas=_told(info),
    )


def try_look(member: Member) -> State | RedisError:
    """Ask a server that may be dead."""
    try:
        return look(member)
    except RedisError as error:
        return error


def role_of(member: Member) -> str:
    """Return what ROLE says: primary, replica, or nothing where there is no answer."""
    try:
        reply = member.client.command("ROLE")
    except RedisError:
        return ""
    return {"master": "primary", "slave": "replica"}.get(str(reply[0]) if isinstance(reply, list) and reply else "", "")


def member_at(members: Sequence[Member], place: Primary | None, resolver: Resolver = resolve) -> str:
    """Return the name of the member that is meant by an address, else the address."""
    for member in members:
        if place is not None and same_primary(member.place, place, resolver):
            return member.name
    return str(place or "")


def told_of(primary: State, member: Member, resolver: Resolver = resolve) -> Told | None:
    """Return what the primary says of this replica."""
    return next((told for told in primary.replicas if same_primary(told.place, member.place, resolver)), None)


def follow(member: Member, primary: Primary) -> None:
    """Let a server replicate from this primary, now and after its next start."""
    member.client.command("REPLICAOF", primary.host, str(primary.port))
    keep_role(member)


def keep_role(member: Member) -> None:
    """Let a server write down what it is, for its next start."""
    member.client.command("CONFIG", "REWRITE")


def how_many(number: int) -> str:
    """Bytes for people."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"
