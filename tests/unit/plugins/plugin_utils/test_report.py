# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import typing as t

from ansible_collections.siteops.webcluster.plugins.module_utils import _front_door
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _report, _topology

TOPOLOGY: _topology.Topology = {
    "errors": [],
    "notes": [],
    "addresses": {},
    "load_balancers": [{"name": "lb", "address": "10.0.0.52", "port": 1}],
    "web": [{"name": "web1", "address": "10.0.0.4", "port": 1}, {"name": "web2", "address": "10.0.0.5", "port": 1}],
    "mysql": {
        "primary": {"name": "db1", "address": "10.0.0.20", "port": 1},
        "replicas": [{"name": "db2", "address": "10.0.0.21", "port": 1}],
        "decided_by": "live",
    },
    "redis": {
        "primary": {"name": "r1", "address": "10.0.0.36", "port": 1},
        "replicas": [{"name": "r2", "address": "10.0.0.37", "port": 1}],
        "decided_by": "live",
    },
}
PRIMARY = {
    "healthy": True,
    "state": "healthy",
    "role": "primary",
    "flavor": "mariadb",
    "version": "11.8.6",
    "reasons": [],
}
REPLICA = {**PRIMARY, "role": "replica", "primary": {"host": "10.0.0.20"}, "lag": {"seconds": 0}}
HOSTVARS: dict[str, dict[str, t.Any]] = {
    "db1": {"__webcluster_mysql_verdict": PRIMARY},
    "db2": {"__webcluster_mysql_verdict": REPLICA},
    "r1": {"__webcluster_redis_verdict": PRIMARY},
    "r2": {
        "__webcluster_redis_verdict": {
            **REPLICA,
            "primary": {"host": "10.0.0.36"},
            "lag": {"seconds": None, "bytes": 12},
        }
    },
}
DOORS: dict[str, dict[str, t.Any]] = {
    "lb": {"url": "http://10.0.0.52/", "servers": {"web1": 3, "web2": 3}, "reasons": [], "item": {"id": 7}}
}


def report(hostvars: t.Any = None, doors: t.Any = None, topology: t.Any = None, outside: t.Any = ()) -> _report.Report:
    return _report.cluster_report(topology or TOPOLOGY, hostvars or HOSTVARS, doors or DOORS, outside)


def row(result: _report.Report, server: str) -> _report.Row:
    return next(row for row in result["servers"] if row["server"] == server)


def test_healthy_only_where_every_part_is() -> None:
    result = report()
    assert result["healthy"]
    assert result["reasons"] == []
    assert row(result, "db2")["source"] == "db1"
    assert row(result, "db2")["lag"] == "0 s"
    assert row(result, "r2")["lag"] == "12 B"
    assert row(result, "lb")["detail"] == "2 of 2 web servers answer at http://10.0.0.52/"
    assert result["item"] == {"id": 7}
    assert result["url"] == "http://10.0.0.52/"
    assert result["table"].endswith("VERDICT healthy")


def test_a_stopped_replica_is_named_with_its_reason_and_hint() -> None:
    hostvars = copy.deepcopy(HOSTVARS)
    hostvars["db2"]["__webcluster_mysql_verdict"] = {
        "healthy": False, "state": "unreachable", "role": None, "msg": "short",
        "reasons": [{"severity": "error", "message": "no socket (2)", "hint": "Start mariadb."}],
    }  # fmt: skip
    result = report(hostvars)
    assert not result["healthy"]
    assert result["reasons"] == ["db2: unreachable, no socket (2). Start mariadb."]
    assert "- db2: unreachable" in result["table"]


ITEM = {"written_to": "db1", "replica": {"host": "db2.example", "latency_ms": 9}}


def test_each_canary_has_its_time() -> None:
    hostvars = copy.deepcopy(HOSTVARS)
    for host, engine, canary in (
        ("db1", "mysql", {"seen": True, "latency_ms": 3}),
        ("db2", "mysql", {"seen": False, "latency_ms": None}),
        ("r1", "redis", {"seen": True, "latency_ms": None}),
        ("r2", "redis", None),
    ):
        verdict = f"__webcluster_{engine}_verdict"
        hostvars[host][verdict] = {**hostvars[host][verdict], "canary": canary}
    result = report(hostvars)
    assert [row(result, host)["canary"] for host in ("db1", "db2", "r1", "r2")] == ["3 ms", "not seen", "seen", "-"]
    assert result["table"].splitlines()[0].split() == [
        "SERVER", "TIER", "ROLE", "STATE", "SOURCE", "LAG", "CANARY", "DETAIL",
    ]  # fmt: skip


def test_the_read_write_split_is_a_row() -> None:
    hostvars = copy.deepcopy(HOSTVARS)
    hostvars["db2"]["__webcluster_mysql_verdict"]["raw"] = {"variables": {"hostname": "db2.example"}}
    result = report(hostvars, doors={"lb": {**DOORS["lb"], "item": ITEM}})
    split = result["servers"][-1]
    assert (split["tier"], split["state"], split["canary"]) == ("split", "working", "9 ms")
    assert split["detail"] == "an item written to db1 was read from db2.example"
    assert result["healthy"]
    # No item, no row.
    assert report()["servers"][-1]["tier"] == "redis"


def test_a_split_that_leads_elsewhere_is_a_reason() -> None:
    result = report(doors={"lb": {**DOORS["lb"], "item": {**ITEM, "written_to": "db2"}}})
    assert not result["healthy"]
    assert result["reasons"] == [
        "lb: writes go to db2, the primary is db1; reads come from db2.example, which is none of the replicas"
    ]


def test_a_missing_web_server_is_named() -> None:
    result = report(doors={"lb": {**DOORS["lb"], "servers": {"web1": 6}}})
    assert result["reasons"] == ["web2: not serving, no answer of it came through lb"]


def test_a_dead_load_balancer_tells_why() -> None:
    door = {
        "url": "http://10.0.0.52/",
        "servers": {},
        "reasons": [{"check": "reachable", "severity": "error", "message": "Refused."}],
    }
    result = report(doors={"lb": door})
    assert row(result, "lb")["state"] == "not serving"
    assert row(result, "lb")["detail"] == "Refused."
    assert not result["healthy"]


def test_an_item_that_does_not_arrive_is_a_reason() -> None:
    def refuse(method: str, path: str, data: t.Mapping[str, str] | None = None) -> t.NoReturn:
        raise _front_door.FrontDoorError("refused", f"{method} {path} with {data is not None and 'data'} was refused")

    look = _front_door.Look()
    _front_door.look_at_item(refuse, look, 0, _front_door.Clock())
    reasons = [reason.as_dict() for reason in look.reasons]
    result = report(doors={"lb": {**DOORS["lb"], "reasons": reasons}})
    assert not result["healthy"]
    assert result["reasons"][0].startswith(
        "lb: No item could be written through the page: POST /api/items with data was refused."
    )


def test_hosts_without_ssh_and_hosts_that_were_not_looked_at() -> None:
    hostvars = copy.deepcopy(HOSTVARS)
    hostvars["db2"]["__webcluster_mysql_verdict"] = {"unreachable": True, "msg": "no route"}
    hostvars["r2"] = {}
    result = report(hostvars)
    assert row(result, "db2")["detail"] == "cannot be reached over SSH"
    assert row(result, "r2")["detail"] == "was not looked at in this run"
    outside = [{"item": "r2", **HOSTVARS["r2"]["__webcluster_redis_verdict"]}]
    assert row(report(hostvars, outside=outside), "r2")["state"] == "healthy"


def test_topology_errors_and_notes_are_told() -> None:
    result = report(topology={**TOPOLOGY, "errors": ["Two primaries."], "notes": ["db2 is live."]})
    assert result["reasons"] == ["Two primaries."]
    assert "NOTE db2 is live." in result["table"]
