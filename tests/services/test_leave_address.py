# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load balancer does with its clients before a shared address moves, with a real HAProxy of the role's haproxy.cfg."""

from __future__ import annotations

import http.client
import importlib.util
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

PROGRAM = Path(__file__).parents[2] / "roles/keepalived/files/system/leave_address.py"
ADDRESS, PORT = "10.0.0.60", free_port()
HERE = f"2: eth0    inet {ADDRESS}/28 scope global secondary eth0"


@pytest.fixture
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("leave_address", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Kernel:
    """Stands for ip and nft: what was asked of them, and what they say."""

    def __init__(self, addresses: str = HERE) -> None:
        self.addresses, self.asked = addresses, list[tuple[str, ...]]()
        self.rules = ""

    def __call__(self, *words: str, stdin: str = "") -> str:
        self.asked.append(words)
        self.rules += stdin
        tables = "table ip webcluster_leaving\n" if self.rules else ""
        return {"ip": self.addresses, "nft": tables}[words[0]]


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    values: dict[str, Any] = {
        "haproxy_http_backends": [{"name": "web", "address": "127.0.0.1", "port": free_port()}],
        "haproxy_http_bind_address": "127.0.0.1",
        "haproxy_http_bind_port": PORT,
        "haproxy_stats_port": free_port(),
    }
    found = Proxy(tmp_path, values)
    found.wait_for("kept_connections/clients", "no check")
    yield found
    found.stop()


@pytest.fixture
def kept() -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    yield connection
    connection.close()


def ends(connection: http.client.HTTPConnection) -> bool:
    """Whether HAProxy ends a connection with its answer; which one does not matter here."""
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return answer.getheader("Connection") == "close"


def test_who_keeps_a_connection_is_told_to_come_back_before_nobody_is_let_in(
    program: ModuleType, proxy: Proxy, kept: http.client.HTTPConnection
) -> None:
    assert not ends(kept)
    said = list[str]()
    ended = list[bool]()

    def ask(command: str) -> str:
        answer = str(proxy.ask(command))
        # The client asks once more while HAProxy waits for it to go.
        if command == "show stat" and said == ["set server kept_connections/clients state maint"] and not ended:
            ended.append(ends(kept))
        said.extend([command] if command.startswith("set ") else [])
        return answer

    kernel = Kernel()
    assert program.leave(ADDRESS, ask, kernel, kept=60.0, under_way=60.0) == "Nobody is connected any more."
    assert ended == [True]
    assert kernel.asked == [("ip", "-4", "-oneline", "address"), ("nft", "-f", "-")]
    assert f"ip daddr {ADDRESS} tcp flags & (syn | ack) == syn drop" in kernel.rules
    # Others are let in at the host's own address as ever, until HAProxy itself is stopped.
    assert ends(kept)
    program.take_back(proxy.ask, kernel)
    assert kernel.asked[-1] == ("nft", "delete", "table", "ip", "webcluster_leaving")
    assert not ends(kept)


def test_who_stays_is_counted(program: ModuleType, proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", PORT)):
        assert program.leave(ADDRESS, proxy.ask, Kernel(), kept=0.0, under_way=0.0) == "1 connections are cut."


def test_who_has_not_got_the_address_leaves_at_once(program: ModuleType, proxy: Proxy) -> None:
    kernel = Kernel("2: eth0    inet 10.0.0.6/28 scope global eth0")
    assert program.leave(ADDRESS, proxy.ask, kernel) == f"{ADDRESS} is elsewhere."
    assert len(kernel.asked) == 1


def test_without_haproxy_nobody_has_to_go(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SOCKET", Path("/nowhere/admin.sock"))
    kernel = Kernel()
    assert program.leave(ADDRESS, program.ask_haproxy, kernel) == "HAProxy serves nobody here."
    program.take_back(program.ask_haproxy, kernel)
    assert kernel.asked[1:] == [("nft", "list", "tables")]


def test_the_rules_are_what_nft_takes(program: ModuleType) -> None:
    need("nft")
    rules = program.RULES.format(table=program.TABLE, address=ADDRESS)
    done = subprocess.run(["nft", "--check", "-f", "-"], input=rules, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [[], ["leave"], ["leave", ADDRESS, "now"]])
def test_wrong_words_are_named(program: ModuleType, words: list[str], caplog: pytest.LogCaptureFixture) -> None:
    assert program.main(words) == 2
    assert caplog.messages == ["Expected: leave or left, and the shared address."]


def test_a_command_that_fails_ends_the_leaving_with_its_words(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*words: str, **_more: str) -> str:
        raise subprocess.CalledProcessError(1, words, stderr="Operation not permitted")

    monkeypatch.setattr(program, "run", fail)
    assert program.main(["leave", ADDRESS]) == 1
    assert "Operation not permitted" in caplog.text
