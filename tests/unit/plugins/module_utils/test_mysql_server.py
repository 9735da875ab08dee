# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose data does a server hold? Values as MySQL 9.7 and MariaDB 10.11 and 11.8 gave them."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server, own_data, read_server

SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
OWN = "ad8f0f69-e65b-11f1-9195-02fc00000001"
OTHER = "511c0cf4-e659-11f1-a016-02fc00000001"


def server(version: str, *schemas: str, **variables: str) -> Server:
    defaults = {"server_uuid": OWN} if "maria" not in version.lower() else {}
    return Server({"version": version, "server_id": "2", **defaults, **variables}, frozenset({*SYSTEM, *schemas}))


@pytest.mark.parametrize(
    ("version", "flavor", "numbers", "certificates"),
    [
        ("9.7.4-2", "mysql", (9, 7, 4), True),
        ("10.11.19-MariaDB-0+deb12u1-log", "mariadb", (10, 11, 19), False),
        ("11.8.6-MariaDB-0+deb13u1 from Debian-log", "mariadb", (11, 8, 6), True),
        ("5.5.5-10.11.19-MariaDB", "mariadb", (10, 11, 19), False),
        ("unknown", "mysql", (), True),
    ],
)
def test_version(version: str, flavor: str, numbers: tuple[int, ...], certificates: bool) -> None:
    found = server(version)
    assert (found.flavor, found.version, found.makes_certificates) == (flavor, numbers, certificates)


def test_read_server_takes_names_in_any_case() -> None:
    found = read_server([{"Variable_name": "READ_ONLY", "Value": "ON"}], [{"name": "shop"}, {"name": "mysql"}])
    assert found.is_on("read_only")
    assert not found.is_on("super_read_only")
    assert found.user_schemas == ["shop"]


@pytest.mark.parametrize(
    "found",
    [
        server("9.7.4-2"),
        server("9.7.4-2", "#mysql50#lost+found"),
        # What it has came from another server.
        server("9.7.4-2", "demo", gtid_executed=f"{OTHER}:1-19"),
        server("11.8.6-MariaDB"),
        server("11.8.6-MariaDB", "demo", gtid_binlog_state="0-1-270", gtid_slave_pos="0-1-270"),
    ],
)
def test_a_server_without_data_of_its_own(found: Server) -> None:
    assert own_data(found) is None


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (server("9.7.4-2", "a", "b", "c", "d"), "schemas that did not come by replication (a, b, c ...)"),
        (server("11.8.6-MariaDB", "demo"), "schemas that did not come by replication (demo)"),
        (
            server("9.7.4-2", "demo", gtid_executed=f"{OTHER}:1-19,\n{OWN.upper()}:1-3"),
            f"transactions written here ({OWN.upper()}:1-3)",
        ),
        # Its own number among those of the source.
        (
            server("11.8.6-MariaDB", gtid_binlog_state="0-1-270,0-2-271", gtid_slave_pos="0-1-270"),
            "transactions written here (0-1-270,0-2-271)",
        ),
        # Written under an earlier server_id.
        (server("10.11.19-MariaDB", gtid_binlog_state="0-7-3", gtid_slave_pos=""), "transactions written here (0-7-3)"),
    ],
)
def test_a_server_with_data_of_its_own(found: Server, reason: str) -> None:
    assert own_data(found) == reason
