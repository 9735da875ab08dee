# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose data does a server hold? Values as MySQL 9.7 and MariaDB 10.11 and 11.8 gave them."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.content import Content, read_content

SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
OWN = "ad8f0f69-e65b-11f1-9195-02fc00000001"
OTHER = "511c0cf4-e659-11f1-a016-02fc00000001"


def holding(version: str, *schemas: str, sees_all: str = "1", **variables: str) -> Content:
    uuid = {} if "maria" in version.lower() else {"server_uuid": OWN}
    names = (*SYSTEM, *schemas)
    return read_content(
        {"version": version, "server_id": "2", **uuid, **variables},
        [{"name": name, "sees_all": sees_all} for name in names],
    )


@pytest.mark.parametrize(("bare", "empty"), [("1", True), ("0", False)])
def test_a1_a_schema_test_without_a_table_is_no_data(bare: str, empty: bool) -> None:
    found = read_content({"version": "11.8.6-MariaDB"}, [{"name": "test", "bare": bare, "sees_all": "1"}])
    assert found.empty is empty


@pytest.mark.parametrize(
    "found",
    [
        holding("9.7.4-2"),
        holding("9.7.4-2", "#mysql50#lost+found"),
        # What it has came from another server.
        holding("9.7.4-2", "demo", gtid_executed=f"{OTHER}:1-19"),
        holding("11.8.6-MariaDB"),
        holding("11.8.6-MariaDB", "demo", gtid_binlog_state="0-1-270", gtid_slave_pos="0-1-270"),
    ],
)
def test_a_server_without_data_of_its_own(found: Content) -> None:
    assert found.own is None


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (holding("9.7.4-2", "a", "b", "c", "d"), "schemas that did not come by replication (a, b, c ...)"),
        (holding("11.8.6-MariaDB", "demo"), "schemas that did not come by replication (demo)"),
        (
            holding("9.7.4-2", "demo", gtid_executed=f"{OTHER}:1-19,\n{OWN.upper()}:1-3"),
            f"transactions written here ({OWN.upper()}:1-3)",
        ),
        # Its own number among those of the source.
        (
            holding("11.8.6-MariaDB", gtid_binlog_state="0-1-270,0-2-271", gtid_slave_pos="0-1-270"),
            "transactions written here (0-1-270,0-2-271)",
        ),
        # Written under an earlier server_id.
        (
            holding("10.11.19-MariaDB", gtid_binlog_state="0-7-3", gtid_slave_pos=""),
            "transactions written here (0-7-3)",
        ),
    ],
)
def test_a_server_with_data_of_its_own(found: Content, reason: str) -> None:
    assert found.own == reason


@pytest.mark.parametrize("version", ["9.7.4-2", "11.8.6-MariaDB"])
def test_only_a_server_with_nothing_at_all_is_empty(version: str) -> None:
    assert holding(version).empty is True
    assert holding(version, "#mysql50#lost+found").empty is True
    assert holding(version, "demo").empty is False
    # Who may not see the schemas cannot tell, unless there is something.
    assert holding(version, sees_all="0").empty is None
    assert holding(version, "demo", sees_all="0").empty is False


@pytest.mark.parametrize(
    "found",
    [
        holding("9.7.4-2", gtid_executed=f"{OWN}:1-3"),
        holding("9.7.4-2", gtid_executed=f"{OTHER}:1-3"),
        holding("11.8.6-MariaDB", gtid_binlog_state="0-2-4"),
        # Written under an earlier server_id: one that only compared ids called it empty.
        holding("11.8.6-MariaDB", gtid_binlog_state="0-7-4"),
        holding("11.8.6-MariaDB", gtid_slave_pos="0-1-270"),
    ],
)
def test_transactions_are_data_wherever_they_began(found: Content) -> None:
    assert found.empty is False
