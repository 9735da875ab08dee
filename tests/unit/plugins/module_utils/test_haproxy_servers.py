# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from the recorded words of HAProxy's releases, and how long a server is waited for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.change import PAUSE, send, wait
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.client import (
    Haproxy,
    HaproxyError,
    UnreachableError,
    old_processes,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.servers import (
    SHOW_STATES,
    SHOW_STATISTICS,
    Server,
    Wanted,
    commands,
    find,
    left_behind,
    parse_servers,
)

RECORDINGS = Path(__file__).parents[2] / "fixtures/haproxy"
# web1 has a request, was drained and made lighter; web3 is disabled in the configuration, web4 by hand.
SERVERS = [
    Server("web", "web1", "drain", 50, "DRAIN", 1),
    Server("web", "web2", "ready", 100, "DOWN", 0),
    Server("web", "web3", "maint", 100, "MAINT", 0),
    Server("web", "web4", "maint", 100, "MAINT", 0),
    Server("api", "web1", "ready", 1, "no check", 0),
    Server("api", "follower", "ready", 1, "MAINT (via web/web4)", 0),
]
READY, DRAIN = Wanted("ready"), Wanted("drain")


@pytest.fixture(params=sorted(RECORDINGS.iterdir()), ids=lambda path: path.stem)
def recording(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a HAProxy said after a reload whose former process has a request of web1 and an idle client."""
    told = json.loads(request.param.read_text(encoding="utf-8"))
    return {question: "".join(f"{line}\n" for line in lines) for question, lines in told.items()}


class Told:
    """A HAProxy that answers from a table, whose servers are seen one after the other; the last one stays."""

    def __init__(self, *seen: Server | UnreachableError, behind: str = "") -> None:
        self.seen = list(seen)
        self.behind = behind
        self.time = 0.0

    def serving(self, command: str) -> str:
        server = self.seen[0]
        if command == SHOW_STATES and len(self.seen) > 1:
            self.seen.pop(0)
        if isinstance(server, UnreachableError):
            raise server
        flags = {"ready": 0, "maint": 1, "drain": 8}[server.state]
        if command == SHOW_STATES:
            self.now = server
            return (
                "1\n# be_id be_name srv_id srv_name srv_admin_state srv_uweight\n"
                f"3 {server.backend} 1 {server.name} {flags} {server.weight}\n"
            )
        assert command == SHOW_STATISTICS
        server = self.now
        return f"# pxname,svname,qcur,scur,status\n{server.backend},{server.name},0,{server.sessions},{server.status}\n"

    def master(self, command: str) -> str:
        if command == "show proc":
            return "# workers\n8 worker 0 0d 3.0\n# old workers\n7 worker 1 0d 3.0\n"
        assert command == f"@!7 {SHOW_STATISTICS}"
        return self.behind or "Can't find the target PID matching the prefix '@!7'\n"

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def wait(self, before: Server, wanted: Wanted, seconds: float = 10) -> list[str]:
        clock = Clock(lambda: self.time, self.sleep)
        return list(wait(Haproxy(self.serving, self.master), [before], wanted, seconds, clock).lacking)


def server(state: str, status: str, sessions: int = 0) -> Server:
    return Server("web", "web1", state, 100, status, sessions)


def test_the_servers_are_read(recording: dict[str, str]) -> None:
    assert parse_servers(recording["states"], recording["statistics"]) == SERVERS


def test_the_process_before_a_reload_is_read(recording: dict[str, str]) -> None:
    assert len(old_processes(recording["processes"])) == 1
    one = f"@!{old_processes(recording['processes'])[0]}"
    assert one.removeprefix("@!") in recording["processes"]
    # Its request of web1, and a client that may ask once more.
    assert left_behind(recording["old_statistics"], SERVERS[:1]) == 2
    assert left_behind(recording["old_statistics"], SERVERS[1:2]) == 1


def test_the_process_before_a_reload_takes_no_commands(recording: dict[str, str]) -> None:
    assert recording["old_drain"] == "Proxy is disabled.\n\n"


def test_a_process_that_has_ended_meanwhile_has_nothing_left(recording: dict[str, str]) -> None:
    def master(command: str) -> str:
        return recording["processes" if command == "show proc" else "gone"]

    assert list(Haproxy(master, master).old_answers(SHOW_STATISTICS)) == []


def test_without_a_reload_there_is_no_old_process() -> None:
    assert old_processes("# workers\n8 worker 0 0d 3.0\n# programs\n") == []


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (Wanted("drain", 50), []),
        (Wanted("ready", None), ["set server web/web1 state ready"]),
        (Wanted(None, 0), ["set server web/web1 weight 0"]),
        (Wanted("maint", 100), ["set server web/web1 weight 100", "set server web/web1 state maint"]),
    ],
)
def test_only_what_differs_is_sent(wanted: Wanted, sent: list[str]) -> None:
    assert commands(SERVERS[0], wanted) == sent


def test_a_server_is_found_in_one_backend_or_in_all() -> None:
    assert [found.path for found in find(SERVERS, None, "web1")] == ["web/web1", "api/web1"]
    assert [found.path for found in find(SERVERS, "api", "web1")] == ["api/web1"]


def test_a_socket_that_may_only_look_is_named() -> None:
    with pytest.raises(HaproxyError, match=r"its socket needs 'level admin' in the configuration"):
        send(lambda _command: "Permission denied\n", "set server web/web1 state drain")


def test_a_drained_server_is_waited_for_until_its_last_session() -> None:
    told = Told(server("drain", "DRAIN", 2), server("drain", "DRAIN", 1), server("drain", "DRAIN"))
    assert told.wait(server("ready", "UP", 2), DRAIN) == []
    assert told.time == pytest.approx(2 * PAUSE)


def test_the_waiting_ends_where_the_server_goes_down() -> None:
    told = Told(server("drain", "DRAIN", 2), server("drain", "DOWN", 2))
    assert told.wait(server("ready", "UP", 2), DRAIN) == []


def test_the_limit_ends_the_waiting() -> None:
    told = Told(server("drain", "DRAIN", 2))
    assert told.wait(server("ready", "UP", 2), DRAIN, 3) == ["web/web1 still has 2 session(s)."]
    assert 3 <= told.time < 4


@pytest.mark.parametrize(
    ("state", "status"),
    [("drain", "DOWN"), ("maint", "MAINT")],
)
def test_what_a_server_has_that_was_down_is_not_waited_for(state: str, status: str) -> None:
    told = Told(server(state, status, 2), behind="# pxname,svname,qcur,scur\nwww,FRONTEND,,1\n")
    assert told.wait(server("ready", "DOWN 1/2", 2), Wanted(state)) == []
    assert told.time == 0


def test_an_idle_client_of_the_process_before_a_reload_is_waited_for() -> None:
    told = Told(server("drain", "DRAIN"), behind="# pxname,svname,qcur,scur\nwww,FRONTEND,,1\n")
    assert told.wait(server("ready", "UP"), DRAIN, 1) == [
        "The process before a reload still has 1 session(s) or idle client(s)."
    ]


def test_a_server_is_ready_when_a_check_says_so() -> None:
    told = Told(server("ready", "UP 1/2"), server("ready", "UP"))
    assert told.wait(server("maint", "MAINT"), READY) == []
    assert told.time == pytest.approx(PAUSE)
    assert Told(server("ready", "DOWN")).wait(server("drain", "DOWN"), READY, 1) == ["web/web1 is DOWN, not UP."]


def test_a_reload_under_way_is_waited_for() -> None:
    told = Told(UnreachableError("refused"), server("drain", "DRAIN"))
    assert told.wait(server("ready", "UP"), DRAIN) == []
    with pytest.raises(UnreachableError, match="refused"):
        Told(UnreachableError("refused")).wait(server("ready", "UP"), DRAIN, 1)
