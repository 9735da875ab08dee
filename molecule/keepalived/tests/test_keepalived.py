# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has the address that two load balancers share, as one of them fails, comes back, and is configured."""

from __future__ import annotations

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import testinfra
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.restricted import MOST_EXPOSED, exposure, of_process
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

SCENARIO = "keepalived"
SSH_CONFIG = Path(__file__).parents[1] / "inventory/.lab/current/ssh_config"
SHARED, NAMES = "10.94.5.9", ("first", "second")
# What keepalived says when its check answers again, and the seconds after which two have long agreed.
GOOD, AGREED = "VRRP_Script(haproxy) succeeded", 10.0
CONFIG = "/etc/keepalived/keepalived.conf"
# Whether HAProxy lets clients keep their connections.
SWITCH = "echo 'show servers state kept_connections' | socat - /run/haproxy/admin.sock"


@pytest.fixture(scope="module")
def hosts() -> dict[str, Host]:
    return {name: testinfra.get_host(f"ssh://{name}", ssh_config=str(SSH_CONFIG), sudo=True) for name in NAMES}


def holders(hosts: dict[str, Host]) -> list[str]:
    """Who has the address, by the host's own word."""
    return [name for name in NAMES if f" {SHARED}/" in hosts[name].check_output("ip -4 -oneline address")]


def answers() -> bool:
    """Whether HAProxy answers at the address."""
    with suppress(OSError), socket.create_connection((SHARED, 2222), 5) as connection:
        return connection.recv(8).startswith(b"SSH-2.0")
    return False


def asked(kept: http.client.HTTPConnection | None = None) -> int:
    """What the site answers, on a connection that is kept or on one of its own."""
    connection = kept or http.client.HTTPConnection(SHARED, timeout=30)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    answer.read()
    if not kept:
        connection.close()
    return answer.status


def is_at(hosts: dict[str, Host], name: str) -> bool:
    return until(lambda: holders(hosts) == [name] and answers())


@pytest.fixture
def holder(hosts: dict[str, Host]) -> Iterator[str]:
    """Who has the address; all is as it was afterwards, wherever it is."""
    assert until(lambda: len(holders(hosts)) == 1 and answers())
    yield holders(hosts)[0]
    for host in hosts.values():
        host.check_output("systemctl start haproxy keepalived")
    assert until(lambda: len(holders(hosts)) == 1 and answers())


def other(name: str) -> str:
    return next(each for each in NAMES if each != name)


def states(host: Host) -> str:
    """What keepalived has said of itself."""
    return str(host.check_output("journalctl --unit keepalived --output cat"))


def test_one_of_them_has_the_address(hosts: dict[str, Host], holder: str) -> None:
    assert holders(hosts) == [holder]
    for host in hosts.values():
        assert host.service("keepalived").is_enabled


@pytest.mark.parametrize(
    ("gone", "back"),
    [
        ("systemctl stop haproxy", "systemctl start haproxy"),
        ("systemctl kill --signal STOP haproxy", "systemctl kill --signal CONT haproxy"),
        ("systemctl stop keepalived", "systemctl start keepalived"),
    ],
)
def test_another_one_takes_it_and_keeps_it(hosts: dict[str, Host], holder: str, gone: str, back: str) -> None:
    hosts[holder].check_output(gone)
    assert is_at(hosts, other(holder))
    good = states(hosts[holder]).count(GOOD)
    hosts[holder].check_output(back)
    # From then on it could want the address.
    assert until(lambda: states(hosts[holder]).count(GOOD) > good)
    assert not until(lambda: holders(hosts) != [other(holder)], seconds=AGREED)


@pytest.mark.parametrize("unit", ["haproxy", "keepalived"])
def test_no_client_is_cut_where_it_is_told_to_stop(hosts: dict[str, Host], holder: str, unit: str) -> None:
    assert until(lambda: asked() == 200)
    stopped = threading.Thread(target=hosts[holder].check_output, args=(f"systemctl stop {unit}",))
    kept = http.client.HTTPConnection(SHARED, timeout=30)
    found = Counter[int]()
    stopped.start()
    while stopped.is_alive() or holders(hosts) != [other(holder)]:
        # One that keeps its connection for as long as it may, and one that comes anew.
        found.update((asked(kept), asked()))
    stopped.join()
    found.update((asked(kept), asked()))
    assert set(found) == {200}
    # Nobody is kept out later on.
    hosts[holder].check_output("systemctl start haproxy keepalived")
    assert "webcluster_leaving" not in hosts[holder].check_output("nft list tables")
    # The administrative state of its only server: none.
    assert hosts[holder].check_output(SWITCH).splitlines()[-1].split()[6] == "0"


def test_a_keepalived_that_was_killed_comes_back(hosts: dict[str, Host], holder: str) -> None:
    hosts[holder].check_output("systemctl kill --signal KILL keepalived")
    assert until(lambda: hosts[holder].service("keepalived").is_running)
    assert until(lambda: len(holders(hosts)) == 1 and answers())


def test_a_changed_setting_leaves_the_address_where_it_is(hosts: dict[str, Host], holder: str) -> None:
    entered = {name: states(host).count("Entering MASTER STATE") for name, host in hosts.items()}
    started = {
        name: host.check_output("systemctl show --property InvocationID keepalived") for name, host in hosts.items()
    }
    for variables in ({"keepalived_check_url": "http://127.0.0.1:8404/metrics"}, {}):
        code, output = converge(SCENARIO, variables)
        assert code == 0, output
        assert changes(output) == len(NAMES)
        assert holders(hosts) == [holder]
    for name, host in hosts.items():
        assert host.check_output("systemctl show --property InvocationID keepalived") == started[name]
        assert states(host).count("Entering MASTER STATE") == entered[name]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"keepalived_address": "10.94.5.4/28"}, "which is the own address of"),
        ({"keepalived_address": "10.94.6.9/28"}, "expected all that share it in the network 10.94.6.0/28"),
        ({"keepalived_password": "l0nger-than-8"}, "keepalived_password is none of 1 to 8 letters and digits"),
    ],
)
def test_what_cannot_be_changes_nothing(
    hosts: dict[str, Host], holder: str, variables: dict[str, str], words: str
) -> None:
    before = [host.check_output("sha256sum %s", CONFIG) for host in hosts.values()]
    code, output = converge(SCENARIO, variables)
    assert code != 0
    assert words in output
    assert changes(output) == 0
    assert [host.check_output("sha256sum %s", CONFIG) for host in hosts.values()] == before
    assert holders(hosts) == [holder]


def test_b8_password_and_rights(hosts: dict[str, Host], holder: str) -> None:
    for host in hosts.values():
        assert (host.file(CONFIG).mode, host.file(CONFIG).user) == (0o600, "root")
        assert exposure(host, "keepalived") <= MOST_EXPOSED
        assert (of_process(host, "keepalived", "NoNewPrivs"), of_process(host, "keepalived", "Seccomp")) == ("1", "2")
        assert "m0lecule" not in states(host)
    # The check is nobody.
    trace = "for i in $(seq 300); do ps -o user= -C curl; sleep 0.02; done"
    assert set(hosts[holder].check_output(trace).split()) == {"nobody"}


@pytest.mark.usefixtures("holder")
def test_taken_out_of_the_settings_it_goes_and_comes_again(hosts: dict[str, Host]) -> None:
    code, output = converge(SCENARIO, {"keepalived_address": ""})
    assert code == 0, output
    assert holders(hosts) == []
    for host in hosts.values():
        assert not host.service("keepalived").is_running
        assert not host.service("keepalived").is_enabled
        assert not host.file(CONFIG).exists
    assert changes(converge(SCENARIO, {"keepalived_address": ""})[1]) == 0
    code, output = converge(SCENARIO)
    assert code == 0, output
    assert until(lambda: len(holders(hosts)) == 1 and answers())
