# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches a guarded host: from the machine, which is outside, and from a neighbour."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.converging import CHECKOUT, changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.restricted import MOST_EXPOSED, exposure
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

INVENTORY = Path(__file__).parents[1] / "inventory"
SSH = ["ssh", "-F", str(INVENTORY / ".lab/current/ssh_config")]
GUARDED, NEIGHBOUR = "10.94.2.4", "10.94.2.5"
UNIT, TABLE = "webcluster-firewall", "inet siteops_webcluster"
# Opened to everybody, to the neighbour, to nobody, and by the role itself as SSH listens there.
EVERYBODYS, NEIGHBOURS, NOBODYS, SSH_TOO = 8080, 8081, 8082, 2222
# Prints which of the ports let in a connection.
KNOCK = """
import socket, sys
for port in map(int, sys.argv[2:]):
    try:
        socket.create_connection((sys.argv[1], port), 3).close()
        print(port)
    except OSError:
        pass
"""
# Takes packets at a port of the guarded host until nothing comes for a while, after an own one to a port of the neighbour.
TAKE = """
import socket, sys
port, asked = map(int, sys.argv[2:])
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.bind(("0.0.0.0", port))
here.settimeout(3)
if asked:
    here.sendto(b"question", (sys.argv[1], asked))
try:
    print(here.recvfrom(100)[0].decode())
except TimeoutError:
    print("nothing")
"""
# Sends packets from one port to another one for a second.
SEND = """
import socket, sys, time
port, to = map(int, sys.argv[2:])
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.bind(("0.0.0.0", port))
for _ in range(20):
    time.sleep(0.1)
    here.sendto(b"packet", (sys.argv[1], to))
"""


def on(name: str, *words: str) -> str:
    return subprocess.run([*SSH, name, shlex.join(words)], capture_output=True, text=True, check=True).stdout


def open_from_outside() -> list[int]:
    ports = map(str, (22, EVERYBODYS, NEIGHBOURS, NOBODYS))
    done = subprocess.run([sys.executable, "-c", KNOCK, GUARDED, *ports], capture_output=True, text=True, check=True)
    return [int(port) for port in done.stdout.split()]


def open_to_neighbour() -> list[int]:
    ports = map(str, (22, EVERYBODYS, NEIGHBOURS, NOBODYS))
    return [int(port) for port in on("neighbour", "python3", "-c", KNOCK, GUARDED, *ports).split()]


def table(host: Host) -> str:
    return str(host.run(f"nft --stateless list table {TABLE}").stdout)


def start_listeners(host: Host) -> None:
    for port in (EVERYBODYS, NEIGHBOURS, NOBODYS):
        if host.run(f"systemctl is-active listener-{port}").rc != 0:
            host.check_output(f"systemd-run --unit listener-{port} python3 -m http.server {port}")
    ports = (EVERYBODYS, NEIGHBOURS, NOBODYS)
    assert until(lambda: all(host.socket(f"tcp://0.0.0.0:{port}").is_listening for port in ports))


@pytest.fixture(autouse=True)
def listeners(host: Host) -> None:
    start_listeners(host)


@pytest.fixture
def foreign(host: Host) -> Iterator[str]:
    """A table of somebody else."""
    rules = "add table inet theirs; add chain inet theirs input; add rule inet theirs input tcp dport 7 counter drop"
    host.check_output(f"nft '{rules}'")
    yield host.check_output("nft list table inet theirs")
    host.check_output("nft delete table inet theirs")


def test_only_what_is_named_is_open(host: Host) -> None:
    assert open_from_outside() == [22, EVERYBODYS]
    assert open_to_neighbour() == [22, EVERYBODYS, NEIGHBOURS]
    # The host itself is not shut out of its own services.
    assert host.run(f"python3 -c '{KNOCK}' {GUARDED} {NOBODYS}").stdout.split() == [str(NOBODYS)]


def test_a_refusal_comes_at_once() -> None:
    with pytest.raises(OSError, match="No route to host"):
        socket.create_connection((GUARDED, NOBODYS), 10)


@pytest.mark.parametrize(
    ("port", "asked", "taken"),
    [(9001, 0, "packet"), (9002, 0, "nothing"), (9002, 9003, "packet")],
    ids=["named", "not named", "an answer"],
)
def test_packets_come_in_where_named_or_as_answers(port: int, asked: int, taken: str) -> None:
    sender = asked or 9004
    with subprocess.Popen([*SSH, "neighbour", shlex.join(["python3", "-c", SEND, GUARDED, str(sender), str(port)])]):
        assert on("guarded", "python3", "-c", TAKE, NEIGHBOUR, str(port), str(asked)).strip() == taken


def test_the_host_reaches_others() -> None:
    assert on("guarded", "python3", "-c", KNOCK, NEIGHBOUR, "22").split() == ["22"]


def test_an_open_connection_outlives_restart_and_change(host: Host) -> None:
    with socket.create_connection((GUARDED, EVERYBODYS), 10) as connection:
        host.check_output(f"systemctl restart {UNIT}")
        # Closes the very port.
        assert converge("firewall", {"firewall_openings": []})[0] == 0
        assert open_from_outside() == [22]
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.0 200")
    assert converge("firewall")[0] == 0
    assert open_from_outside() == [22, EVERYBODYS]


@pytest.mark.parametrize(
    "steps",
    [
        f"systemctl restart {UNIT}",
        f"systemctl reload {UNIT}",
        "systemctl restart nftables",
        "systemctl reload nftables",
        "systemctl stop nftables",
    ],
)
def test_the_table_outlives(host: Host, steps: str) -> None:
    before = table(host)
    assert "policy drop" in before
    host.check_output(steps)
    assert table(host) == before
    assert open_from_outside() == [22, EVERYBODYS]


def test_a_table_that_was_flushed_is_loaded_by_the_next_run(host: Host) -> None:
    before = table(host)
    host.check_output("nft flush ruleset")
    assert open_from_outside() == [22, EVERYBODYS, NEIGHBOURS, NOBODYS]
    code, output = converge("firewall")
    assert code == 0, output
    assert changes(output) == 1
    assert table(host) == before


def test_a_run_that_would_lock_itself_out_is_refused(host: Host) -> None:
    before = table(host)
    code, output = converge("firewall", {"firewall_ssh_sources": [f"{NEIGHBOUR}/32"]})
    assert code == 2
    assert "from where this run comes to port 22, and nobody could log in from there again" in output
    assert changes(output) == 0
    assert table(host) == before


def test_ssh_is_open_wherever_it_listens(host: Host) -> None:
    host.check_output(f"systemd-run --unit ssh-too /usr/sbin/sshd -D -p {SSH_TOO}")
    try:
        assert converge("firewall")[0] == 0
        with socket.create_connection((GUARDED, SSH_TOO), 10) as connection:
            assert connection.recv(8).startswith(b"SSH-2.0")
    finally:
        host.check_output("systemctl stop ssh-too")
    code, output = converge("firewall")
    assert code == 0, output
    assert f"dport {SSH_TOO}" not in table(host)


def test_what_an_earlier_run_opened_stays_open_where_asked() -> None:
    code, output = converge("firewall", {"firewall_openings": [], "firewall_keep_former": True})
    assert code == 0, output
    assert open_from_outside() == [22, EVERYBODYS]
    assert changes(output) == 0


def test_switched_off_it_leaves_nothing_behind_and_others_tables_alone(host: Host, foreign: str) -> None:
    code, output = converge("firewall", {"firewall_enabled": False})
    assert code == 0, output
    assert table(host) == ""
    assert open_from_outside() == [22, EVERYBODYS, NEIGHBOURS, NOBODYS]
    assert host.run(f"ls -d /etc/{UNIT} /etc/systemd/system/{UNIT}.service").stdout == ""
    assert changes(converge("firewall", {"firewall_enabled": False})[1]) == 0
    code, output = converge("firewall")
    assert code == 0, output
    assert f"port {NOBODYS} (python3)" in output
    assert open_from_outside() == [22, EVERYBODYS]
    assert host.check_output("nft list table inet theirs") == foreign


def test_it_does_without_most_rights(host: Host) -> None:
    assert exposure(host, UNIT) <= MOST_EXPOSED


def test_it_comes_back_with_the_host(host: Host) -> None:
    before = table(host)
    host.run("systemctl poweroff")
    assert until(lambda: 22 not in open_from_outside())
    environment = {**os.environ, "LAB_PYTHON": sys.executable}
    command = [str(CHECKOUT / "lab/lab"), "up", "--inventory", str(INVENTORY)]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    assert until(lambda: host.run("systemctl is-active multi-user.target").rc == 0)
    assert table(host) == before
    start_listeners(host)
    assert open_from_outside() == [22, EVERYBODYS]
