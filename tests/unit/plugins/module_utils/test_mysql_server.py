# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server is."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server, new_id, read_server


def server(version: str) -> Server:
    return read_server([{"Variable_name": "version", "Value": version}], [])


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
    found = read_server(
        [{"Variable_name": "READ_ONLY", "Value": "ON"}],
        [{"name": "shop", "sees_all": "1"}, {"name": "mysql", "sees_all": "1"}],
    )
    assert found.is_on("read_only")
    assert not found.is_on("super_read_only")
    assert found.schemas == {"shop", "mysql"}
    assert found.content.schemas == ("shop",)


@pytest.mark.parametrize(
    ("own", "schemas", "lasting"),
    [("7", ["shop"], 7), ("1", ["shop"], None), ("7", [], None), ("", ["shop"], None)],
    ids=["known by it", "every server has it", "empty", "not told"],
)
def test_a2_an_empty_server_is_known_by_no_number(own: str, schemas: list[str], lasting: int | None) -> None:
    shown: Rows = [{"name": name, "sees_all": "1"} for name in ("mysql", *schemas)]
    found = read_server(
        [{"Variable_name": "server_id", "Value": own}, {"Variable_name": "version", "Value": "11.8-MariaDB"}],
        shown,
    )
    assert found.lasting_id == lasting


def test_a2_a_new_number_is_another_each_time() -> None:
    numbers = {new_id() for _time in range(50)}
    assert len(numbers) == 50
    assert all(1 < number < 2**32 for number in numbers)
