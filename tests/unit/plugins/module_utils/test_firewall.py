# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run came to this host, by a /proc that is made up and by the real one."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._firewall import connection, listeners, ssh_ports

HEAD = "  sl  local_address rem_address   st\n"
LISTEN, ESTABLISHED = "0A", "01"
SSHD, SESSION, SHELL, PYTHON, NGINX = 10, 20, 30, 40, 50


@dataclass
class Proc:
    """A host: sshd at port 2222, a session of it, and the program that runs in it."""

    folder: Path

    def socket(self, local: str, remote: str, state: str, inode: int, table: str = "tcp") -> None:
        path = self.folder / "net" / table
        path.parent.mkdir(exist_ok=True)
        lines = path.read_text() if path.exists() else HEAD
        path.write_text(f"{lines}0: {local} {remote} {state} 0:0 0:0 0 0 0 {inode} 1\n")

    def process(self, pid: int, name: str, parent: int, *inodes: int) -> None:
        folder = self.folder / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(f"{name}\n")
        (folder / "status").write_text(f"Name:\t{name}\nPid:\t{pid}\nPPid:\t{parent}\n")
        for number, inode in enumerate(inodes):
            (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    made = Proc(tmp_path)
    made.socket("00000000:08AE", "00000000:0000", LISTEN, 1)  # *:2222
    made.socket("0100007F:0CEA", "00000000:0000", LISTEN, 2)  # 127.0.0.1:3306
    made.socket("0400000A:2104", "00000000:0000", LISTEN, 3)  # 10.0.0.4:8452
    made.process(SSHD, "sshd", 0, 1)
    made.process(NGINX, "nginx", 0, 2, 3)
    return made


def came_by_ssh(proc: Proc) -> None:
    proc.socket("0400000A:08AE", "0709000A:C001", ESTABLISHED, 4)  # from 10.0.9.7
    # A connection of the session's to somebody else is none by which we came.
    proc.socket("0400000A:C350", "0900000A:0CEA", ESTABLISHED, 5)
    proc.process(SESSION, "sshd-session", SSHD, 5, 4)
    proc.process(SHELL, "sudo", SESSION)
    proc.process(PYTHON, "python3", SHELL)


def test_the_connection_is_found_through_sudo_and_shell(proc: Proc) -> None:
    came_by_ssh(proc)
    found = connection(PYTHON, str(proc.folder))
    assert found
    assert (found.remote_address, found.port) == ("10.0.9.7", 2222)


def test_an_ipv6_socket_tells_the_plain_address(proc: Proc) -> None:
    mapped = "0000000000000000FFFF0000"
    proc.socket(f"{mapped}0400000A:08AE", f"{mapped}0709000A:C001", ESTABLISHED, 4, table="tcp6")
    proc.process(SESSION, "sshd-session", SSHD, 4)
    found = connection(SESSION, str(proc.folder))
    assert found
    assert found.remote_address == "10.0.9.7"


def test_who_came_by_no_port_has_no_connection(proc: Proc) -> None:
    proc.process(PYTHON, "python3", 0)
    assert connection(PYTHON, str(proc.folder)) is None


def test_what_listens_for_the_host_itself_is_left_out(proc: Proc) -> None:
    assert listeners(str(proc.folder)) == [(2222, "sshd"), (8452, "nginx")]


def test_ports_of_ssh_are_those_of_its_daemon_and_ours(proc: Proc) -> None:
    found = listeners(str(proc.folder))
    assert ssh_ports(found, None) == [2222]
    assert ssh_ports([(8452, "nginx")], None) == [22]
    came_by_ssh(proc)
    # By a socket of systemd, or another daemon: the port by which we came counts.
    assert ssh_ports([(22, "sshd"), (2222, "systemd")], connection(PYTHON, str(proc.folder))) == [22, 2222]


def test_a_real_connection_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _address = server.accept()
        with accepted:
            found = connection(os.getpid())
            assert found
            assert (found.port, found.remote_address) == (server.getsockname()[1], client.getsockname()[0])
