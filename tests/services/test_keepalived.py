# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real keepalived with the role's files, each in a network of its own that a cable joins: who has the shared address."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import PATH, need
from ansible_collections.siteops.webcluster.tests.loopback import wait_for
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, play_role

ADDRESSES = {"first": "10.0.0.52", "second": "10.0.0.53"}
SHARED = "10.0.0.60"
MASTER, GOOD = "Entering MASTER STATE", "VRRP_Script(haproxy) succeeded"
# Several times what one takes to tell the other that it wants the address.
AGREED = 5.0


class Host:
    """A network with a program that stands for HAProxy, and keepalived as the unit runs it."""

    def __init__(self, stack: ExitStack, folder: Path, config: str) -> None:
        self.stack, self.folder = stack, folder
        self.config = folder / "keepalived.conf"
        self.config.write_text(config, encoding="utf-8")
        self.config.chmod(0o600)
        self.log = folder / "keepalived.log"
        self.network = self._begin("unshare", "--net", "sleep", "infinity")
        wait_for(lambda: os.readlink(f"/proc/{self.network.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        self.keepalived = self.network

    def _begin(self, *words: str) -> subprocess.Popen[bytes]:
        with open(self.log, "ab") as log:
            process = subprocess.Popen(words, env={"PATH": PATH}, stdout=log, stderr=log)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def words(self, *words: str) -> tuple[str, ...]:
        return ("nsenter", f"--target={self.network.pid}", "--net", *words)

    def run(self, *words: str) -> str:
        return subprocess.run(
            self.words(*words), env={"PATH": PATH}, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def start_haproxy(self) -> None:
        (self.folder / "livez").touch()
        folder = f"--directory={self.folder}"
        self._begin(*self.words("python3", "-m", "http.server", "--bind=127.0.0.1", folder, "8404"))

    def answer(self, well: bool) -> None:
        """Let the program that stands for HAProxy answer well, or with 404."""
        (self.folder / "livez").touch() if well else (self.folder / "livez").unlink()

    def start(self) -> None:
        files = {"--use-file": "conf", "--pid": "pid", "--vrrp_pid": "vrrp", "--checkers_pid": "checkers"}
        own = [f"{option}={self.folder}/keepalived.{ending}" for option, ending in files.items()]
        self.keepalived = self._begin(*self.words("keepalived", "--dont-fork", "--log-console", *own))

    def stop(self) -> None:
        self.keepalived.terminate()
        self.keepalived.wait(timeout=60)

    def reload(self, old: str, new: str) -> None:
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")
        before = self.said("Reload complete")
        self.keepalived.send_signal(signal.SIGHUP)
        wait_for(lambda: self.said("Reload complete") > before, self.told)

    def told(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def said(self, words: str) -> int:
        return self.told().count(words)

    def has_it(self) -> bool:
        return f" {SHARED}/" in self.run("ip", "-4", "-oneline", "address")


Pair = tuple[Host, Host]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """The one that has the address, and the other one."""
    for program in ("keepalived", "curl"):
        need(program)
    if os.geteuid() != 0:
        pytest.skip("networks are for root to make")
    cases = {}
    for place, (name, own) in enumerate(ADDRESSES.items()):
        settings = {
            "keepalived_address": f"{SHARED}/28",
            "keepalived_host_address": own,
            "keepalived_peers": [other for other in ADDRESSES.values() if other != own],
            "keepalived_priority": 200 - place,
            "keepalived_password": "s3cretVR",
        }
        facts = {"interfaces": ["eth0"], "eth0": {"device": "eth0", "ipv4": {"address": own}}}
        cases[name] = Case(settings, facts=facts)
    run = play_role("keepalived", cases, tmp_path)
    with ExitStack() as stack:
        for name in ADDRESSES:
            (tmp_path / name).mkdir()
        first, second = (Host(stack, tmp_path / name, run.file(name, "keepalived.conf").content) for name in ADDRESSES)
        first.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(second.network.pid))
        for host, own in zip((first, second), ADDRESSES.values(), strict=True):
            for words in (f"address add {own}/28 dev eth0", "link set eth0 up", "link set lo up"):
                host.run("ip", *words.split())
            host.start_haproxy()
            host.start()
        wait_for(lambda: first.has_it() != second.has_it(), lambda: first.told() + second.told())
        yield (first, second) if first.has_it() else (second, first)


def keeps(has: Host, rival: Host) -> bool:
    """Whether the address stays for long enough to be wanted by the rival."""
    moves = has.said(MASTER), rival.said(MASTER)
    time.sleep(AGREED)
    return (has.said(MASTER), rival.said(MASTER)) == moves and has.has_it() and not rival.has_it()


def test_the_address_moves_where_haproxy_does_not_answer_and_stays_there(pair: Pair) -> None:
    holder, other = pair
    holder.answer(well=False)
    wait_for(lambda: other.has_it() and not holder.has_it(), other.told)
    good = holder.said(GOOD)
    holder.answer(well=True)
    wait_for(lambda: holder.said(GOOD) > good, holder.told)
    assert keeps(other, holder)


def test_the_address_moves_where_keepalived_ends_and_stays_there(pair: Pair) -> None:
    holder, other = pair
    holder.stop()
    assert not holder.has_it()
    wait_for(other.has_it, other.told)
    good = holder.said(GOOD)
    holder.start()
    wait_for(lambda: holder.said(GOOD) > good, holder.told)
    assert keeps(other, holder)


def test_a_reload_moves_nothing_whatever_the_priorities(pair: Pair) -> None:
    holder, other = pair
    priority = {True: "priority 200", False: "priority 199"}
    first = priority[True] in holder.config.read_text(encoding="utf-8")
    holder.reload(priority[first], "priority 100")
    other.reload(priority[not first], "priority 250")
    assert keeps(holder, other)


def test_a_packet_of_somebody_else_does_not_count(pair: Pair) -> None:
    holder, other = pair
    # The other one speaks up from an address that is none of those whom the holder knows.
    other.stop()
    other.run("ip", "address", "add", "10.0.0.54/28", "dev", "eth0")
    own = ADDRESSES["second" if other.config.parent.name == "second" else "first"]
    text = other.config.read_text(encoding="utf-8")
    text = text.replace(f"unicast_src_ip {own}", "unicast_src_ip 10.0.0.54").replace("nopreempt", "")
    other.config.write_text(text.replace("priority 199", "priority 250").replace("priority 200", "priority 250"))
    other.start()
    wait_for(lambda: other.said(MASTER) > 0, other.told)
    moves = holder.said(MASTER)
    time.sleep(AGREED)
    # Heard, it would have made the holder give the address up.
    assert (holder.said(MASTER), holder.has_it()) == (moves, True)
