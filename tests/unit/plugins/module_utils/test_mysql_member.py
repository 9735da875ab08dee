# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far servers are, with positions as MariaDB 11.8 and MySQL 9.7 show them."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import member
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server

UUID_1, UUID_2 = "ad8f0f69-e65b-11f1-9195-02fc00000001", "ad8f0f69-e65b-11f1-9195-02fc00000002"


def server(version: str = "11.8.6-MariaDB-0+deb13u1", **variables: str) -> Server:
    values = {"version": version, **variables}
    return member.read_peer([{"Variable_name": name, "Value": value} for name, value in values.items()])


def mysql(executed: str) -> Server:
    return server("9.7.4-2", gtid_executed=executed)


@pytest.mark.parametrize(
    ("found", "position"),
    [
        (server(gtid_slave_pos="", gtid_binlog_pos="0-1-7"), "0-1-7"),
        # It was a replica up to 7, and has written since then.
        (server(gtid_slave_pos="0-1-7", gtid_binlog_pos="0-2-9"), "0-2-9"),
        (server(gtid_slave_pos="0-1-9,3-5-2", gtid_binlog_pos="0-1-8"), "0-1-9,3-5-2"),
        (mysql(f"{UUID_1}:1-7,\n{UUID_2}:1"), f"{UUID_1}:1-7,{UUID_2}:1"),
    ],
)
def test_the_position_holds_what_was_written_and_received(found: Server, position: str) -> None:
    assert member.position(found) == position


def test_a_replica_lacks_what_it_has_not_applied() -> None:
    behind = server(gtid_slave_pos="0-1-5", gtid_binlog_pos="0-1-5")
    assert (member.lacking(behind, "0-1-7"), member.distance(behind, "0-1-7")) == ("0-1-7", 2)
    assert (member.lacking(behind, "0-1-5"), member.distance(behind, "0-1-5")) == ("", 0)
    late = mysql(f"{UUID_1}:1-5")
    assert (member.lacking(late, f"{UUID_1}:1-7"), member.distance(late, f"{UUID_1}:1-7")) == (f"{UUID_1}:6-7", 2)


def test_own_writes_are_those_that_the_primary_has_not() -> None:
    # The server 1 wrote three more after the last one that the server 2 got, which has written two since.
    old = server(gtid_binlog_state="0-1-103", gtid_binlog_pos="0-1-103")
    new = server(gtid_binlog_state="0-1-100,0-2-102", gtid_binlog_pos="0-2-102")
    assert member.own_writes(old, new) == member.OwnWrites("0-1-103", 3)
    assert member.own_writes(mysql(f"{UUID_1}:1-9"), mysql(f"{UUID_1}:1-7")) == member.OwnWrites(f"{UUID_1}:8-9", 2)


def test_a_server_without_own_writes_has_none() -> None:
    old = server(gtid_binlog_state="0-1-100", gtid_binlog_pos="0-1-100")
    assert member.own_writes(old, server(gtid_binlog_state="0-1-100,0-2-102", gtid_binlog_pos="0-2-102")) is None
    # What a primary received in an earlier life stands in its position only.
    assert member.own_writes(old, server(gtid_slave_pos="0-1-100", gtid_binlog_state="", gtid_binlog_pos="")) is None
    assert member.own_writes(mysql(f"{UUID_1}:1-7"), mysql(f"{UUID_1}:1-9")) is None
