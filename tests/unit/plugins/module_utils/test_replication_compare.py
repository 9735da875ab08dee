# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replica held against a position of its primary."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import Comparison, compare
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Raw,
)
from ansible_collections.siteops.webcluster.tests.replication_cases import (
    OLD,
    OWN,
    UUID,
    replica,
)


def held(executed: str, position: Raw | None, allow: Sequence[str] = ()) -> Comparison:
    return compare(replica(executed=executed, gtid_mode="ON"), position, allow)


def test_mysql_position() -> None:
    position = {"kind": "gtid", "value": f"{UUID}:1-10,{OLD}:1-5", "uuid": UUID, "server_id": 20, "sources": []}
    done = held(f"{UUID}:1-12,\n{OLD}:1-5", position)
    assert (done.reached, done.errant, done.exact) == (True, "", True)
    behind = held(f"{UUID}:1-7,{OLD}:1-5", position)
    assert (behind.reached, behind.missing, behind.behind_transactions) == (False, f"{UUID}:8-10", 3)
    # a former primary's last writes that only this replica received
    lost = held(f"{UUID}:1-10,{OLD}:1-7", position)
    assert (lost.errant, lost.errant_count) == (f"{OLD}:6-7", 2)
    # the same are only newer where the primary still receives them itself
    assert held(f"{UUID}:1-10,{OLD}:1-7", {**position, "sources": [OLD]}).errant == ""
    # own writes of the time as primary are none, as the new primary has them
    former = {**position, "value": f"{UUID}:1-10,{OWN}:1-3"}
    assert held(f"{UUID}:1-10,{OWN}:1-3", former).errant == ""
    assert held(f"{UUID}:1-10,{OWN}:1-4", former).errant == f"{OWN}:4"
    assert held(f"{UUID}:1-10,{OWN}:1-4", former, [OWN]).errant == ""
    assert held(f"{UUID}:1-10,{OWN}:1-4", None).errant == f"{OWN}:1-4"


def mariadb_compare(state: str, slave: str, position: Raw | None, allow: Sequence[str] = ()) -> Comparison:
    return compare(replica("mariadb", executed=slave, binlog_state=state), position, allow)


def test_mariadb_position() -> None:
    position = {"kind": "mariadb_gtid", "value": "0-20-10", "state": "0-19-4,0-20-10", "server_id": 20, "sources": []}
    done = mariadb_compare("0-19-4,0-20-11", "0-20-11", position)
    assert (done.reached, done.errant, done.exact) == (True, "", True)
    behind = mariadb_compare("0-19-4,0-20-8", "0-20-8", position)
    assert (behind.reached, behind.missing, behind.behind_transactions) == (False, "0-20-10", 2)
    # trap 6: hidden in every position, visible in the binlog state only
    assert mariadb_compare("0-21-9,0-20-10", "0-20-10", position).errant == "0-21-9"
    assert mariadb_compare("0-21-9,0-20-10", "0-20-10", None).errant == "0-21-9"
    assert mariadb_compare("0-21-9,0-20-10", "0-20-10", position, ["21"]).errant == ""
    assert mariadb_compare("0-21-9,0-20-10", "0-20-10", None, ["21"]).errant == ""
    assert mariadb_compare("0-21-3,0-20-10", "0-20-10", {**position, "state": "0-21-3,0-20-10"}).errant == ""
    assert mariadb_compare("0-19-6,0-20-10", "0-20-10", position).errant == "0-19-6"


def test_file_position_is_ordered_by_number() -> None:
    snapshot = replica("mariadb", c_gtid_mode="No", c_file="binlog.1000000", c_pos=4)
    before = {"kind": "file", "file": "binlog.999999", "pos": 900}
    assert compare(snapshot, before).reached is True
    here = compare(snapshot, {"kind": "file", "file": "binlog.1000000", "pos": 100})
    assert (here.reached, here.behind_bytes, here.missing) == (False, 96, "binlog.1000000:100")
    assert compare(snapshot, None).reached is None
    assert compare(replica(gtid_mode="OFF"), None).why


def test_a_position_that_is_none_is_no_crash() -> None:
    for value in ("nonsense", 5, None, [1]):
        for kind in ("gtid", "mariadb_gtid", "file", "redis", None):
            for flavor in ("mysql", "mariadb"):
                snapshot = replica(flavor, executed="0-1-2" if flavor == "mariadb" else f"{UUID}:1")
                compare(snapshot, {"kind": kind, "value": value, "state": value, "sources": None})
    assert compare(replica(executed="garbage"), None).why
