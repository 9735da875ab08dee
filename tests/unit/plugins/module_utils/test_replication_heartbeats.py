# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Heartbeats that are only counted: an idle primary is told from a dead one by the next look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Channel, Snapshot, Thread
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.heartbeats import Heartbeats
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import MysqlProbe


def look(
    heard: Heartbeats, now: float, *counts: int | None, age: float | None = 100.0, links: Sequence[float] = ()
) -> Any:
    """Return the ages after a look at channels with these counts of heartbeats, and the connections left over."""
    channels = [
        Channel(name=str(index), io=Thread("Yes", heartbeat_age=age, heartbeat_period=5.0, heartbeats=count))
        for index, count in enumerate(counts)
    ]
    snapshot = Snapshot("mysql", "mariadb", channels=channels, link_ages=list(links))
    heard.listen(snapshot, now)
    ages = [channel.io.heartbeat_age for channel in channels]
    return (ages, snapshot.link_ages) if links else ages


def test_one_more_heartbeat_is_a_sign_of_life_from_then_on() -> None:
    heard = Heartbeats()
    assert look(heard, 10, 7) == [100.0]
    assert look(heard, 11, 7, age=101.0) == [101.0]
    assert look(heard, 12, 8, age=102.0) == [0]
    assert look(heard, 15, 8, age=105.0) == [3]
    assert look(heard, 40, 8, age=130.0) == [28]


def test_an_event_that_came_later_counts_more() -> None:
    heard = Heartbeats()
    look(heard, 10, 7)
    look(heard, 11, 8)
    assert look(heard, 20, 8, age=2.0) == [2.0]


def test_a_new_connection_counts_anew() -> None:
    heard = Heartbeats()
    look(heard, 10, 7)
    assert look(heard, 11, 0, age=100.0) == [0]


def test_a_server_that_does_not_count_is_left_alone() -> None:
    heard = Heartbeats()
    assert look(heard, 10, None, age=3.0) == look(heard, 11, None, age=3.0) == [3.0]


def test_each_of_several_connections_must_be_heard() -> None:
    heard = Heartbeats()
    first = look(heard, 10, 7, 3, age=None, links=[100, 101])
    assert first == ([None, None], [100, 101])
    assert look(heard, 11, 8, 3, age=None, links=[101, 102]) == ([0, None], [101, 102])
    assert look(heard, 13, 8, 4, age=None, links=[103, 104]) == ([2, 0], [])


class Idle(Client):
    """A MariaDB 10 server that counts one heartbeat more at each look, after 100 s without an event."""

    timeout = 15.0

    def __init__(self) -> None:
        self.beats = 0

    def answer(self, statement: str, last: str) -> Rows:
        if statement.startswith("SELECT VERSION"):
            return [{"version": "10.11.19-MariaDB-log"}]
        if statement == "EXECUTE siteops_look" and "SLAVES" in last:
            row = {"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes", "Slave_heartbeat_period": "5.000"}
            return [{**row, "Slave_received_heartbeats": str(self.beats)}]
        if statement == "EXECUTE siteops_look" and "PROCESSLIST" in last:
            return [{"COMMAND": "Slave_IO", "TIME_MS": "100000.5"}]
        return []

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        self.beats += 1
        return [self.answer(item, statements[max(0, index - 2)]) for index, item in enumerate(statements)], None

    def close(self) -> None:
        """Nothing is open."""


def test_a_probe_remembers_from_look_to_look() -> None:
    probe = MysqlProbe(Idle(), clock=iter([10.0, 11.0]).__next__)
    ages = []
    for _look in range(2):
        found = probe.look().found
        assert isinstance(found, Snapshot)
        ages.append(found.channels[0].io.heartbeat_age)
    assert ages == [pytest.approx(100), 0]
