# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the Redis or Valkey server of the node a module runs on: log in, who listens, what lies on its disk."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    Connector,
    RedisClient,
    RedisError,
    RedisLogin,
)

LOGIN_ARGUMENTS: dict[str, dict[str, Any]] = {
    "login_host": {"type": "str", "default": "127.0.0.1"},
    "login_port": {"type": "int", "default": 6379},
    "login_unix_socket": {"type": "path"},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "connect_timeout": {"type": "int", "default": 5},
    "data_dir": {"type": "path"},
}

# (program, file) -> its output
Runner = Callable[[Sequence[str]], str]


class RefusedError(Exception):
    """What the module will not do; the text is the sentence for the user."""


@dataclass(frozen=True)
class Listener:
    """Who holds a port; pid 0 and no name when the kernel does not tell."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid else "another program"


def login_from(params: Mapping[str, Any]) -> RedisLogin:
    return RedisLogin(
        host=params["login_host"],
        port=params["login_port"],
        unix_socket=params["login_unix_socket"],
        username=params["login_user"],
        password=params["login_password"],
        connect_timeout=params["connect_timeout"],
    )


def where(login: RedisLogin) -> str:
    return login.unix_socket or f"{login.host}:{login.port}"


def open_client(login: RedisLogin, connector: Connector | None = None) -> RedisClient:
    """Return a client that has logged in, without a name where the server knows no users yet."""
    client = RedisClient(login, connector)
    try:
        client.command("PING")
    except RedisError as error:
        if error.kind != "auth" or login.password is None:
            raise
        open_door = RedisClient(replace(login, username=None, password=None), connector)
        try:
            open_door.command("PING")
        except RedisError:
            open_door.close()
            raise error from None
        return open_door
    return client


def config_get(client: RedisClient, name: str) -> str | None:
    """Return the value of one setting, None when the server does not know it."""
    reply = client.command("CONFIG", "GET", name)
    if isinstance(reply, list):
        pairs = dict(zip(reply[::2], reply[1::2]))
        value = pairs.get(name)
        if value is None and len(pairs) == 1:  # an old name that the server answers with its new one
            value = next(iter(pairs.values()))
        return value if isinstance(value, str) else None
    return None


def _local_address(text: str) -> tuple[str, int]:
    """Decode an address of /proc/net/tcp or tcp6."""
    address, _colon, port = text.partition(":")
    raw = bytes.fromhex(address)
    words = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    if len(words) == 4:
        return socket.inet_ntop(socket.AF_INET, words), int(port, 16)
    plain = socket.inet_ntop(socket.AF_INET6, words)
    return plain[len("::ffff:") :] if plain.startswith("::ffff:") else plain, int(port, 16)


def _overlap(address: str, addresses: Sequence[str]) -> bool:
    """Tell whether a listener at address is in the way of one at the addresses."""
    return address in addresses or any(ipaddress.ip_address(each).is_unspecified for each in (address, *addresses))


def listener(port: int, addresses: Sequence[str], proc: str = "/proc") -> Listener | None:
    """Return who listens on the port at one of the addresses or at all of them."""
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        path = Path(proc, "net", table)
        lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
        for fields in (line.split() for line in lines):
            if len(fields) > 9 and fields[3] == "0A":  # LISTEN
                address, number = _local_address(fields[1])
                if number == port and _overlap(address, addresses):
                    inodes.add(fields[9])
    if not inodes:
        return None
    targets = {f"socket:[{inode}]" for inode in inodes}
    for process in Path(proc).glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in targets for link in Path(process, "fd").iterdir()):
                name = Path(process, "comm").read_text(encoding="utf-8", errors="replace").strip()
                return Listener(int(process.name), name)
        except OSError:  # it ended while we looked, or is not ours to see
            continue
    return Listener(0, "")


def missing_address(addresses: Sequence[str]) -> str | None:
    """Return the first address that this node does not have."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((address, 0))
            except OSError:
                return address
    return None


def refuse_lost_snapshot(data_dir: str | None, run: Runner, program: str) -> None:
    """Raise when a start with an append-only file would ignore the keys of dump.rdb."""
    if not data_dir:
        return
    folder = Path(data_dir)
    snapshot = folder / "dump.rdb"
    if (folder / "appendonlydir").exists() or not snapshot.exists() or snapshot.stat().st_size == 0:
        return
    found = re.search(r"(\d+) keys read", run((program, str(snapshot))))
    keys = found.group(1) if found else "an unknown number of"
    if keys != "0":
        raise RefusedError(
            f"{snapshot} holds {keys} keys and there is no append-only file beside it: the server would start empty"
            " and overwrite them. Start the old service, so that the role can turn appendonly on while it runs,"
            " or move the file away."
        )
