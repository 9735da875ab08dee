# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module sees of its own node: what lies on the disk, whether it is let in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError, RedisLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import (
    Kept,
    RefusedError,
    keep,
    kept_login,
    open_client,
    other_logins,
    read_kept,
    refuse_lost_keys,
    refuse_lost_snapshot,
)


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


def test_b3_the_host_keeps_its_login_for_root_only(tmp_path: Path) -> None:
    path = str(tmp_path / "login.json")
    login = RedisLogin(port=6400, username="admin", password="sec'ret")
    assert (read_kept(path), read_kept(None), kept_login(login, None)) == (None, None, None)
    assert keep(login, ["b", "a"], path, check_mode=True)
    assert not Path(path).exists()
    assert keep(login, ["b", "a"], path, check_mode=False)
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert not keep(login, ["a", "b"], path, check_mode=False)
    kept = read_kept(path)
    assert kept == Kept("admin", "sec'ret", ("a", "b"))
    assert "sec'ret" not in repr(kept)
    assert kept_login(RedisLogin(port=6400, username="boss", password="new"), kept) == login
    assert keep(login, ["a"], path, check_mode=False)
    # Nobody has to log in where there is no password.
    assert not keep(RedisLogin(), [], path, check_mode=False)
    assert [file.name for file in tmp_path.iterdir()] == ["login.json"]


class Server:
    """A server that knows one password."""

    def __init__(self, password: bytes) -> None:
        self.password = password
        self.answer = b""

    def settimeout(self, _seconds: float) -> None:
        pass

    def sendall(self, data: bytes) -> None:
        if b"AUTH" in data:
            self.answer = b"+OK\r\n" if self.password in data else b"-WRONGPASS no such user or password.\r\n"
        elif self.answer != b"+OK\r\n":
            self.answer = b"-NOAUTH Authentication required.\r\n"

    def recv(self, _size: int) -> bytes:
        return self.answer

    def close(self) -> None:
        pass


def test_b3_a_server_that_does_not_know_the_new_password_yet_is_entered_by_the_kept_one() -> None:
    new, old = RedisLogin(username="admin", password="new"), RedisLogin(username="boss", password="old")
    assert open_client(new, lambda _login: Server(b"old"), old).login == old
    assert open_client(new, lambda _login: Server(b"new"), old).login == new
    with pytest.raises(RedisError, match="WRONGPASS"):
        open_client(new, lambda _login: Server(b"another"), old)


def test_b4_a_server_that_knows_no_users_is_entered_even_where_the_kept_login_is_of_the_one_before_it() -> None:
    new, old = RedisLogin(username="admin", password="new"), RedisLogin(username="admin", password="old")
    assert other_logins(new, None) == [RedisLogin()]
    assert open_client(new, lambda _login: FakeLink(open_door=True), old).login == RedisLogin()


def test_b4_a_server_that_lets_nobody_in_is_not_restarted_without_an_append_only_file(tmp_path: Path) -> None:
    login, refused = RedisLogin(username="admin", password="secret"), RedisError("auth", "WRONGPASS")
    # Its keys may be in memory only.
    with pytest.raises(
        RefusedError, match=r"127.0.0.1:6379 does not let us in \(WRONGPASS\) .* ACL SETUSER admin on '>...'"
    ):
        refuse_lost_keys(login, refused, str(tmp_path), check_rdb(""), "redis-check-rdb")
    refuse_lost_keys(login, RedisError("unreachable", "refused"), str(tmp_path), check_rdb(""), "redis-check-rdb")
    (tmp_path / "appendonlydir").mkdir()
    refuse_lost_keys(login, refused, str(tmp_path), check_rdb(""), "redis-check-rdb")
