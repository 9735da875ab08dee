# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replica status row of recorded servers, in the names of every version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import (
    ReplicaStatus,
    read_status,
    significant_filters,
)

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures" / "replication"


def recorded(name: str) -> ReplicaStatus:
    recording = json.loads((RECORDINGS / f"{name}.json").read_text())["healthy"]
    return read_status((recording.get("all_slaves_status") or recording["replica_status"])[0])


@pytest.mark.parametrize(
    ("name", "gtid_mode", "source_words"),
    [
        ("mysql-9.7.4", "auto_position", True),
        ("mariadb-10.11.19", "Slave_Pos", False),
        ("mariadb-11.8.6", "Slave_Pos", False),
    ],
)
def test_rows_of_real_servers(name: str, gtid_mode: str, source_words: bool) -> None:
    found = recorded(name)
    assert (found.gtid_mode, found.source_words) == (gtid_mode, source_words)
    assert (found.io_state, found.sql_state, found.io_errno, found.sql_errno) == ("Yes", "Yes", None, None)
    assert found.host == "127.0.0.1"
    for value in (found.port, found.server_id, found.connect_retry, found.read_pos, found.applied_pos):
        assert value
    assert found.read_file == found.applied_file
    assert found.lag_seconds == 0
    assert found.retrieved
    assert " " not in found.retrieved


def test_a_row_of_nothing() -> None:
    assert read_status({}) == ReplicaStatus()
    assert read_status({"Slave_IO_Running": "", "Master_Port": "x", "Last_IO_Errno": "0"}) == ReplicaStatus()


def test_what_an_error_quotes_is_left_out() -> None:
    row = {
        "Last_SQL_Error": "Duplicate entry '4' Default database: 'shop'. Query: 'INSERT secret'",
        "Last_Errno": "1062",
    }
    found = read_status(row)
    assert (found.sql_errno, found.sql_error) == (1062, "Duplicate entry '4'")


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"replicate_ignore_db": "mysql,sys"}, {}),
        ({"replicate_wild_ignore_table": "mysql.%,performance\\_schema.%"}, {}),
        ({"replicate_ignore_table": "mysql.user"}, {}),
        ({"replicate_ignore_db": "mysql,shop"}, {"Replicate_Ignore_DB": "mysql,shop"}),
        ({"replicate_do_db": "mysql"}, {"Replicate_Do_DB": "mysql"}),
        ({"replicate_ignore_server_ids": "3"}, {"Replicate_Ignore_Server_Ids": "3"}),
        ({"replicate_rewrite_db": "(a,b)"}, {"Replicate_Rewrite_DB": "(a,b)"}),
    ],
)
def test_filters_on_system_schemas_do_not_count(row: dict[str, Any], found: dict[str, Any]) -> None:
    assert significant_filters(row) == found
