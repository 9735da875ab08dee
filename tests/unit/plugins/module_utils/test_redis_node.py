# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module sees of its own node: who listens, what lies on the disk, whether it is let in."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError, RedisLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import (
    RefusedError,
    listener,
    missing_address,
    open_client,
    refuse_lost_snapshot,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, state: str = "0A", inode: str = "4711") -> str:
    return f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000   106        0 {inode} 1\n"


def make_proc(root: Path, tcp: str = "", tcp6: str = "") -> str:
    (root / "net").mkdir()
    (root / "net" / "tcp").write_text(HEAD + tcp)
    (root / "net" / "tcp6").write_text(HEAD + tcp6)
    (root / "99" / "fd").mkdir(parents=True)
    (root / "99" / "comm").write_text("nginx\n")
    (root / "99" / "fd" / "6").symlink_to("socket:[4711]")
    return str(root)


@pytest.mark.parametrize(
    ("tcp", "tcp6"),
    [
        (row("0100007F:18EB"), ""),  # 127.0.0.1
        (row("00000000:18EB"), ""),  # everywhere
        ("", row("00000000000000000000000000000000:18EB")),
        ("", row("0000000000000000FFFF00000100007F:18EB")),  # 127.0.0.1 in IPv6 notation
    ],
)
def test_holder_of_the_port_is_named(tmp_path: Path, tcp: str, tcp6: str) -> None:
    found = listener(6379, ["127.0.0.1", "10.0.0.36"], make_proc(tmp_path, tcp, tcp6))
    assert str(found) == "nginx (pid 99)"


@pytest.mark.parametrize(
    "tcp",
    [
        "",
        row("0100007F:18EC"),  # another port
        row("0200007F:18EB"),  # another address
        row("0100007F:18EB", state="01"),  # a connection
    ],
)
def test_port_is_free(tmp_path: Path, tcp: str) -> None:
    assert listener(6379, ["127.0.0.1"], make_proc(tmp_path, tcp)) is None


def test_holder_that_cannot_be_seen_is_still_one(tmp_path: Path) -> None:
    assert str(listener(6379, ["127.0.0.1"], make_proc(tmp_path, row("0100007F:18EB", inode="5")))) == "another program"


def test_listening_everywhere_collides_with_any_address(tmp_path: Path) -> None:
    assert listener(6379, ["::"], make_proc(tmp_path, row("0200007F:18EB"))) is not None


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
def test_own_socket_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = listener(server.getsockname()[1], ["127.0.0.1"])
    assert found is not None
    assert found.pid == os.getpid()


def test_address_of_another_host_is_found() -> None:
    assert missing_address(["127.0.0.1"]) is None
    assert missing_address(["127.0.0.1", "192.0.2.1"]) == "192.0.2.1"


def check_rdb(output: str) -> Any:
    def run(command: Sequence[str]) -> str:
        assert command[0] == "redis-check-rdb"
        return output

    return run


def test_snapshot_that_would_be_ignored_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0011")
    with pytest.raises(RefusedError, match=r"dump\.rdb holds 12 keys .* would start empty"):
        refuse_lost_snapshot(str(tmp_path), check_rdb("[info] 12 keys read"), "redis-check-rdb")
    with pytest.raises(RefusedError, match="an unknown number of"):
        refuse_lost_snapshot(str(tmp_path), check_rdb(""), "redis-check-rdb")
    refuse_lost_snapshot(str(tmp_path), check_rdb("[info] 0 keys read"), "redis-check-rdb")
    (tmp_path / "appendonlydir").mkdir()
    refuse_lost_snapshot(str(tmp_path), check_rdb("[info] 12 keys read"), "redis-check-rdb")


def test_no_snapshot_is_no_loss(tmp_path: Path) -> None:
    refuse_lost_snapshot(None, check_rdb("12 keys read"), "redis-check-rdb")
    refuse_lost_snapshot(str(tmp_path), check_rdb("12 keys read"), "redis-check-rdb")


class FakeLink:
    """A server that asks for a name or lets everybody in."""

    def __init__(self, open_door: bool) -> None:
        self.open_door = open_door
        self.answer = b""

    def settimeout(self, _seconds: float) -> None:
        pass

    def sendall(self, data: bytes) -> None:
        if b"AUTH" in data:
            self.answer = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        else:
            self.answer = b"+PONG\r\n" if self.open_door else b"-NOAUTH Authentication required.\r\n"

    def recv(self, _size: int) -> bytes:
        return self.answer

    def close(self) -> None:
        pass


def test_server_without_users_is_entered_without_a_name() -> None:
    client = open_client(RedisLogin(username="admin", password="secret"), lambda _login: FakeLink(open_door=True))
    assert client.login.username is None


def test_wrong_password_is_an_error() -> None:
    with pytest.raises(RedisError, match="WRONGPASS") as caught:
        open_client(RedisLogin(username="admin", password="secret"), lambda _login: FakeLink(open_door=False))
    assert caught.value.kind == "auth"
