# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._preflight import (
    Holder,
    Listen,
    bind_error,
    directory_findings,
    holders,
    is_ours,
    listen_findings,
    missing_packages,
    offer_findings,
    offered_packages,
    told_by,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
STRANGER = Holder(99, "nginx")


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


def place(address: str = "10.0.0.4", port: int = 80, program: str = sys.executable) -> Listen:
    return Listen((address,), port, program, "web_port", "web_address")


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
    found = holders("127.0.0.1", 6379, make_proc(tmp_path, tcp, tcp6))
    assert [str(holder) for holder in found] == ["nginx (pid 99)"]


@pytest.mark.parametrize(
    "tcp",
    [
        "",
        row("0100007F:18EC"),  # another port
        row("0200007F:18EB"),  # another address
        row("0100007F:18EB", state="01"),  # a connection
        row("0100007F:18EB", inode="5"),  # nobody we can see
    ],
)
def test_port_has_no_holder(tmp_path: Path, tcp: str) -> None:
    assert holders("127.0.0.1", 6379, make_proc(tmp_path, tcp)) == []


def test_listening_everywhere_collides_with_any_address(tmp_path: Path) -> None:
    assert holders("::", 6379, make_proc(tmp_path, row("0200007F:18EB"))) == [STRANGER]


def test_own_socket_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert bind_error("127.0.0.1", port) == errno.EADDRINUSE
        assert [holder.pid for holder in holders("127.0.0.1", port)] == [os.getpid()]
    assert bind_error("127.0.0.1", port) is None
    assert bind_error("192.0.2.1", port) == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("listen", "problem", "known", "sentence"),
    [
        (
            place(),
            errno.EADDRINUSE,
            [STRANGER],
            "Port 80 of 10.0.0.4 is already taken by nginx (pid 99): stop that program, or choose another port with web_port.",
        ),
        (
            place("*"),
            errno.EADDRINUSE,
            [],
            "Port 80 is already taken by another program: stop that program, or choose another port with web_port.",
        ),
        (
            place(),
            errno.EADDRNOTAVAIL,
            [],
            "web_address is 10.0.0.4, which is no address of this host: give one of its own.",
        ),
        (place(port=0), None, [], "web_port is 0, expected a port from 1 to 65535: correct it."),
        (place(port=70000), None, [], "web_port is 70000, expected a port from 1 to 65535: correct it."),
    ],
)
def test_obstacle_is_told_in_one_sentence(
    listen: Listen, problem: int | None, known: list[Holder], sentence: str
) -> None:
    assert listen_findings([listen, listen], lambda _address, _port: problem, lambda _address, _port: known) == [
        sentence
    ]


@pytest.mark.parametrize(
    ("listen", "problem"),
    [
        (place(), None),
        # The service itself has it.
        (place(), errno.EADDRINUSE),
        # A host without IPv6.
        (place("*"), errno.EADDRNOTAVAIL),
        # The service resolves names.
        (place("web1.example.com"), errno.EADDRNOTAVAIL),
    ],
)
def test_no_obstacle(listen: Listen, problem: int | None) -> None:
    ours = Holder(7, Path(sys.executable).name)
    assert listen_findings([listen], lambda _address, _port: problem, lambda _address, _port: [ours]) == []


def test_a_program_that_is_not_installed_holds_nothing() -> None:
    assert is_ours(Holder(7, "a-very-long-nam"), "/nowhere/a-very-long-name") is False
    assert is_ours(Holder(7, "python"), "/nowhere/python") is False
    assert is_ours(Holder(7, Path(sys.executable).name), sys.executable) is True


def test_long_names_are_compared_as_the_kernel_cuts_them(tmp_path: Path) -> None:
    program = tmp_path / "a-very-long-name-of-a-program"
    program.touch()
    assert is_ours(Holder(7, "a-very-long-nam"), str(program)) is True


def test_missing_packages() -> None:
    answer = "haproxy ii \nheld hi \nremoved rc \nhalf iU \n"
    assert missing_packages(["haproxy", "held", "removed", "half", "absent"], answer) == ["removed", "half", "absent"]


def test_missing_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert directory_findings([(str(tmp_path), "web_root")]) == []
    for path in (tmp_path / "absent", tmp_path / "file"):
        assert directory_findings([(str(path), "web_root")]) == [
            f"web_root is {path}, which is no directory on this host: make it and put the files there, or correct the path."
        ]


POLICY = """\
php8.3-fpm:
  Installed: (none)
  Candidate: 8.3.20-1+0~deb13
  Version table:
     8.3.20-1+0~deb13 500
        500 https://packages.example/php trixie/main amd64 Packages
php8.3-redis:
  Installed: (none)
  Candidate: (none)
  Version table:
php8.4-fpm:
  Installed: 8.4.11-1
  Candidate: 8.4.11-1
  Version table:
"""


def test_packages_that_no_source_offers_are_told_with_what_could_be_chosen() -> None:
    offered = offered_packages(POLICY)
    assert offered == {"php8.3-fpm", "php8.4-fpm"}
    assert offer_findings(["php8.3-fpm"], offered, "php*-fpm", "apache_php_version") == []
    assert offer_findings(["php8.3-fpm", "php8.3-redis", "php8.3-gd"], offered, "php*-fpm", "apache_php_version") == [
        "The package sources of this host offer no php8.3-redis, php8.3-gd; expected apache_php_version to be one that they have"
        " (php8.3-fpm, php8.4-fpm): correct it, or add a source that has it and run apt-get update."
    ]
    [found] = offer_findings(["php8.3-fpm"], [], "php*-fpm", "apache_php_version")
    assert "expected apache_php_version to be one that they have: correct it" in found


def test_services_are_known_by_our_drop_in(tmp_path: Path) -> None:
    for name in (
        "php8.4-fpm.service.d/webcluster.conf",
        "php8.2-fpm.service.d/webcluster.conf",
        "x.service.d/other.conf",
    ):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert told_by(f"{tmp_path}/php*-fpm.service.d/webcluster.conf") == ["php8.2-fpm", "php8.4-fpm"]
    assert told_by("") == []
