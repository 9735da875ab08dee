# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.tests.bench import status
from ansible_collections.siteops.webcluster.tests.bench.status import Cost, Http

CHEAP_CHECK = Http(check=0.5, service_second=5.0, server_second=5.0)


def cost(cpu: float, start: float = 100.0) -> Cost:
    return Cost(start_cpu=start, start_wall=start, cpu=cpu, wall=cpu, server=1.0)


def costs(own: float) -> dict[str, dict[str, Cost]]:
    return {"MariaDB": {"replication_status": cost(own), "mariadb_replication": cost(200), "mariadb_info": cost(300)}}


def test_one_and_a_half_times_the_cheapest_is_enough() -> None:
    assert status.complaints(costs(300), CHEAP_CHECK) == []


@pytest.mark.parametrize(
    ("own", "http", "complaint"),
    [
        (302, CHEAP_CHECK, "MariaDB: one look needs 1.51 times the CPU of mariadb_replication, at most 1.5 is allowed"),
        (100, Http(10.5, 5.0, 5.0), "an HTTP check needs 10.5 ms CPU, at most 10 are allowed"),
    ],
)
def test_broken_bound_is_named(own: float, http: Http, complaint: str) -> None:
    assert status.complaints(costs(own), http) == [complaint]


def test_table_tells_the_part_of_the_look_and_the_bound() -> None:
    lines = status.table("MariaDB", costs(150)["MariaDB"]).splitlines()
    assert lines[2].split() == ["replication_status", "100", "50", "150", "100", "50", "150", "1.0"]
    assert lines[-1].strip() == "one look needs 0.75 times the CPU of mariadb_replication (at most 1.5)"


def test_medians_join_a_module_with_its_start() -> None:
    found = {"m start": [[10.0, 5.0, 0.0]] * 3, "m": [[30.0, 20.0, 1.0], [90.0, 80.0, 9.0], [31.0, 21.0, 2.0]]}
    assert status.median_costs(found) == {"m": Cost(5.0, 10.0, 21.0, 31.0, 2.0)}


def test_a_check_costs_what_it_adds_to_the_looks_without_it() -> None:
    found = {"idle": [100.0, 50.0, 10.0], "asked": [400.0, 60.0, 10.0], "requests": 300}
    assert status.http_cost(found) == Http(check=1.0, service_second=10.0, server_second=5.0)
