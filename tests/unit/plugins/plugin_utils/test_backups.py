# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who copies the data, who keeps and proves the copies, and what status tells of them."""

from __future__ import annotations

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _backup_report
from ansible_collections.siteops.webcluster.plugins.plugin_utils._backup_report import BackupReport
from ansible_collections.siteops.webcluster.plugins.plugin_utils._report import cluster_report
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import (
    Groups,
    groups,
    hostvars,
    look,
    looks,
    topology,
)

URL = {"backup_client_repository": "s3:https://s3.example/copies"}


def with_store(**more: list[str]) -> Groups:
    return groups(backup_store=["store1"], **more)


def test_without_a_store_nobody_makes_copies() -> None:
    found = topology()
    assert (found["backups"], found["copied"], found["errors"]) == ({}, {}, [])


def test_a_store_keeps_and_proves_what_the_data_hosts_bring() -> None:
    found = topology(with_store())
    assert found["errors"] == []
    assert set(found["backups"]) == {"db1", "db2", "db3", "r1", "r2", "store1"}
    assert found["backups"]["db2"] == {
        "tiers": ["mysql"],
        "jobs": ["copy"],
        "repository": "rest:https://10.0.0.68:8443",
        "store": "store1",
        "bind_address": "",
        "prune": False,
        "redis_port": 6379,
        "redis_user": "admin",
    }
    assert found["backups"]["store1"] == {
        "tiers": ["mysql", "redis"],
        "jobs": ["keep", "drill"],
        "repository": "/var/lib/webcluster-backup-store/repositories",
        "store": "store1",
        "bind_address": "10.0.0.68",
        "prune": False,
        "redis_port": 6379,
        "redis_user": "admin",
    }


def test_only_the_data_hosts_reach_the_store() -> None:
    data = ["10.0.0.20", "10.0.0.21", "10.0.0.22", "10.0.0.36", "10.0.0.37"]
    assert topology(with_store())["flows"]["store1"] == [
        {"protocol": "tcp", "port": 8443, "sources": data, "purpose": "copies of the data"}
    ]


def test_a_store_elsewhere_is_named_by_the_inventory_alone() -> None:
    found = topology(mysql_master=URL, mysql_replica=URL)
    assert set(found["backups"]) == {"db1", "db2", "db3"}
    # It may hold a login.
    assert found["backups"]["db1"]["repository"] == ""
    assert found["backups"]["db1"]["jobs"] == ["copy", "drill"]
    assert found["backups"]["db1"]["prune"] is True


def test_a_copy_of_redis_logs_in_where_and_as_the_inventory_says() -> None:
    own = {"redis_server_port": 6400, "redis_server_admin_user": "root"}
    found = topology(with_store(), redis_replica=own)["backups"]["r2"]
    assert (found["redis_port"], found["redis_user"]) == (6400, "root")


def test_a_replica_is_copied_at_once_and_the_primary_where_none_is_well() -> None:
    assert topology(with_store())["copied"] == {"mysql": "db2", "redis": "r2"}
    primary = {"__webcluster_looks": looks("mysql", "db1", look("primary", empty=False, healthy=True))}

    def replica(name: str, well: bool) -> dict[str, t.Any]:
        said = look("replica", "10.0.0.20", empty=False, healthy=well, state="healthy" if well else "stopped")
        return {"__webcluster_looks": looks("mysql", name, said)}

    found = topology(with_store(), db1=primary, db2=replica("db2", False), db3=replica("db3", True))
    assert found["copied"]["mysql"] == "db3"
    found = topology(with_store(), db1=primary, db2=replica("db2", False), db3=replica("db3", False))
    assert found["copied"]["mysql"] == "db1"


def test_what_cannot_be_meant_is_told() -> None:
    assert topology(with_store(mysql_replica=["store1"]))["errors"] == [
        "Host store1 is in group backup_store and holds MySQL; expected a store on a machine of its own, as copies are lost"
        " with the machine that they lie on: move it."
    ]
    assert topology(with_store(), db1=URL)["errors"] == [
        "Variable backup_client_repository (db1) is set, and group backup_store has store1; expected one of them: remove"
        " the other."
    ]
    assert "Group backup_store names 2 hosts (store1, all1); expected one" in " ".join(
        topology(groups(backup_store=["store1", "all1"]))["errors"]
    )


# --- status -----------------------------------------------------------------------------------------------------------

COPY = {"id": "abcdef01", "time": "2026-11-27T02:30:00+00:00", "host": "db2", "source": "replica", "bytes": 5}
WELL: dict[str, t.Any] = {
    "item": "mysql",
    "configured": True,
    "reasons": [],
    "copies": [COPY],
    "age_seconds": 9 * 3600,
    "drill_age_seconds": None,
    "runs": {
        "copy": {"job": "copy", "result": "done", "message": "copy abcdef01", "ended": 1_795_746_604, "seconds": 8.4}
    },
}


def reports(results: dict[str, list[dict[str, t.Any]]]) -> list[BackupReport]:
    return list(_backup_report.backup_reports(topology(with_store())["backups"], results))


def test_status_has_a_line_for_each_tier() -> None:
    found = reports({"db1": [WELL], "store1": [{**WELL, "drill_age_seconds": 3 * 86400}]})
    detail = "MySQL: newest copy 9 h old, of the replica db2, 1 in all; restored 3 d ago"
    assert found == [("store1", "healthy", detail)]
    assert reports({"db1": [WELL]})[0].detail.endswith("not restored yet")


def test_a_broken_promise_names_who_tells_of_it_once() -> None:
    broken = {**WELL, "reasons": ["the store has no copy of MySQL yet."], "copies": [], "age_seconds": None}
    found = reports({"db1": [broken], "db2": [broken], "db3": [{"item": "mysql", "failed": True, "msg": "no Python"}]})
    assert found == [
        (
            "store1",
            "broken",
            "db1, db2: the store has no copy of MySQL yet. db3: could not be looked at: no Python.",
        )
    ]


def test_a_host_that_is_away_is_no_broken_promise_where_others_tell_of_the_copies() -> None:
    away = {"item": "mysql", "unreachable": True, "msg": "no route"}
    assert reports({"db1": [away], "db2": [WELL]})[0].state == "healthy"
    assert reports({"db1": [away]})[0] == ("store1", "broken", "db1: was not looked at.")


def test_a_host_that_was_never_converged_is_told() -> None:
    lacking = {**WELL, "configured": False, "copies": [], "age_seconds": None}
    assert reports({"db1": [lacking], "db2": [WELL]})[0] == (
        "store1",
        "broken",
        "db1: makes no copies yet. Run site.yml.",
    )


def test_a_broken_promise_makes_the_cluster_unhealthy() -> None:
    of = with_store()
    broken = {**WELL, "reasons": ["the newest copy of MySQL is 27 h old, 26 h are promised."]}
    for result, row in ((WELL, "healthy"), (broken, "broken")):
        variables = hostvars(of, db2={"__webcluster_backups": {"results": [result]}})
        report = cluster_report(topology(of), variables, [])
        rows = [one for one in report["servers"] if one["tier"] == "backup"]
        assert [(one["server"], one["state"]) for one in rows] == [("store1", row)]
        assert any("27 h old" in reason for reason in report["reasons"]) == (row == "broken")


def test_the_windows_are_told_for_people() -> None:
    of = with_store()
    variables = hostvars(of, db2={"__webcluster_backups": {"results": [WELL]}})
    assert _backup_report.backup_windows(topology(of), variables) == [
        "store1: healthy: MySQL: newest copy 9 h old, of the replica db2, 1 in all; not restored yet",
        "MySQL can be restored to 2026-11-27 02:30 UTC to 2026-11-27 02:30 UTC, 1 copies:",
        "  abcdef01  2026-11-27 02:30 UTC  replica db2",
        "  db2, copy at 2026-11-27 02:30 UTC (8.4 s): done: copy abcdef01",
    ]
