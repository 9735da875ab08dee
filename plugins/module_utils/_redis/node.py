# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the Redis or Valkey server of the node a module runs on: log in, what lies on its disk."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    Connector,
    RedisClient,
    RedisError,
    RedisLogin,
    Session,
)

# Where a host keeps the login by which its server let its modules in at last, and the names of its users.
LOGIN_FILE = "/etc/webcluster-redis.json"
# Where a host keeps its certificate, and the authority that it trusts.
TLS_FOLDER = "/etc/webcluster-redis-tls"
AUTHORITY_FILE = f"{TLS_FOLDER}/ca.pem"

LOGIN_ARGUMENTS: dict[str, dict[str, Any]] = {
    "login_host": {"type": "str", "default": "127.0.0.1"},
    "login_port": {"type": "int", "default": 6379},
    "login_unix_socket": {"type": "path"},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_file": {"type": "path", "default": LOGIN_FILE},
    "connect_timeout": {"type": "int", "default": 5},
    "data_dir": {"type": "path"},
}

# (program, file) -> its output
Runner = Callable[[Sequence[str]], str]


class RefusedError(Exception):
    """What the module will not do; the text is the sentence for the user."""


def login_from(params: Mapping[str, Any]) -> RedisLogin:
    return RedisLogin(
        host=params["login_host"],
        port=params["login_port"],
        unix_socket=params["login_unix_socket"],
        username=params["login_user"],
        password=params["login_password"],
        connect_timeout=params["connect_timeout"],
    )


@dataclass(frozen=True)
class Kept:
    """What a host keeps for itself: a login, and the names of the users that its server was given."""

    user: str | None
    password: str | None = field(repr=False)
    users: tuple[str, ...]


def read_kept(path: str | None) -> Kept | None:
    """Return what the host keeps in a file, None where there is no file."""
    if not path or not os.path.exists(path):
        return None
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    return Kept(found["user"], found["password"], tuple(found["users"]))


def kept_login(login: RedisLogin, kept: Kept | None) -> RedisLogin | None:
    return replace(login, username=kept.user, password=kept.password) if kept else None


def keep(login: RedisLogin, users: Iterable[str], path: str, check_mode: bool) -> bool:
    """Let the host keep this for itself; return whether it is something else than before."""
    then = Kept(login.username, login.password, tuple(sorted(users)))
    if not login.password or read_kept(path) == then:
        return False
    if not check_mode:
        write_private(Path(path), asdict(then))
    return True


def write_private(path: Path, found: Any) -> None:
    """Write a file as JSON in one step; nobody but root may read it at any moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # In the same folder, so that the change is one step.
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(found, file)
    os.replace(temporary, path)


def where(login: RedisLogin) -> str:
    return login.unix_socket or f"{login.host}:{login.port}"


def open_client(login: RedisLogin, connector: Connector | None = None, kept: RedisLogin | None = None) -> RedisClient:
    """Return a client that has logged in, by the kept login at worst, or without a name where the server knows no users."""
    client = RedisClient(login, connector, others=other_logins(login, kept))
    client.command("PING")
    return client


def other_logins(login: RedisLogin, kept: RedisLogin | None) -> list[RedisLogin]:
    """What is tried where a server of this host refuses a login: the one that it keeps, and none, as distributions set servers up."""
    return [*([kept] if kept else []), replace(login, username=None, password=None)]


def config_get(client: Session, name: str) -> str | None:
    """Return the value of one setting, None when the server does not know it."""
    reply = client.command("CONFIG", "GET", name)
    if isinstance(reply, list):
        pairs = dict(zip(reply[::2], reply[1::2]))
        value = pairs.get(name)
        if value is None and len(pairs) == 1:  # an old name that the server answers with its new one
            value = next(iter(pairs.values()))
        return value if isinstance(value, str) else None
    return None


def refuse_lost_keys(login: RedisLogin, error: RedisError, data_dir: str | None, run: Runner, program: str) -> None:
    """Raise when the restart of a server that did not let us in would lose keys."""
    if error.kind == "auth" and data_dir and not (Path(data_dir) / "appendonlydir").exists():
        raise RefusedError(
            f"The server at {where(login)} does not let us in ({error.message}) and has no append-only file, so that a restart"
            f" would start it empty. Nothing was changed: give it our user, ACL SETUSER {login.username} on '>...' ~* &* +@all,"
            " and run again."
        )
    refuse_lost_snapshot(data_dir, run, program)


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
