# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from ansible_collections.siteops.webcluster.plugins.module_utils import _front_door
from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _report, _topology
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, looks, topology

WITHOUT_SITES: dict[str, t.Any] = {"webcluster_sites": []}
TOPOLOGY = topology(groups(mysql_replica=["db2"]), webcluster=WITHOUT_SITES)
PRIMARY = {
    "healthy": True,
    "state": "healthy",
    "role": "primary",
    "flavor": "mariadb",
    "version": "11.8.6",
    "reasons": [],
}
REPLICA = {**PRIMARY, "role": "replica", "primary": {"host": "10.0.0.20"}, "lag": {"seconds": 0}}
VERDICTS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "db1": ("mysql", PRIMARY),
    "db2": ("mysql", REPLICA),
    "r1": ("redis", PRIMARY),
    "r2": ("redis", {**REPLICA, "primary": {"host": "10.0.0.36"}, "lag": {"seconds": None, "bytes": 12}}),
}
DOOR: dict[str, t.Any] = {
    "__webcluster_door": {"name": "lb"},
    "url": "http://10.0.0.52/",
    "servers": {"web1": 3, "web2": 3},
    "reasons": [],
    "item": {"id": 7},
}


def report(
    verdicts: dict[str, dict[str, t.Any]] | None = None,
    door: dict[str, t.Any] | None = None,
    of: _topology.Topology | None = None,
    outside: t.Any = (),
    doors: t.Any = None,
    services: dict[str, dict[str, t.Any]] | None = None,
) -> _report.Report:
    """The report of the usual cluster, with what is different in it."""
    hostvars: dict[str, dict[str, t.Any]] = {
        name: {"__webcluster_services": found} for name, found in (services or {}).items()
    }
    for host, (engine, usual) in VERDICTS.items():
        verdict = {**usual, **(verdicts or {}).get(host, {})}
        judged = {"__webcluster_verdicts": looks(engine, host, verdict)} if verdict.get("state") else {}
        hostvars.setdefault(host, {}).update(judged)
    return _report.cluster_report(of or TOPOLOGY, hostvars, doors or [{**DOOR, **(door or {})}], outside)


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
    assert result["summary"] == [
        "The site: http://10.0.0.52/ (answered by web1, web2)",
        "MySQL: db1 -> db2",
        "Redis: r1 -> r2",
        "Statistics: http://10.0.0.52:8404/stats (closed; webcluster_monitoring_sources opens it)",
    ]


def test_f_a_stopped_replica_is_named_with_its_reason_and_hint() -> None:
    stopped = {
        "healthy": False, "state": "unreachable", "role": None, "msg": "short",
        "reasons": [{"severity": "error", "message": "no socket (2)", "hint": "Start mariadb."}],
    }  # fmt: skip
    result = report({"db2": stopped})
    assert not result["healthy"]
    assert result["reasons"] == ["db2: unreachable, no socket (2). Start mariadb."]
    assert "- db2: unreachable" in result["table"]


def test_b5_a_service_that_runs_an_older_configuration_is_named() -> None:
    outdated = [{"service": "haproxy", "file": "/etc/haproxy/haproxy.cfg"}]
    result = report(services={"web1": {"outdated": outdated}, "db1": {"outdated": []}})
    assert not result["healthy"]
    assert result["reasons"] == [
        "web1: haproxy has not been given /etc/haproxy/haproxy.cfg as it is now and runs an older configuration. Run site.yml."
    ]


def test_p8_a_service_that_waits_for_its_next_start_is_noted() -> None:
    waiting = {"waiting": [{"service": "apache2", "file": "/etc/hardening.conf"}]}
    result = report(services={"web1": waiting, "web2": waiting, "db1": {"waiting": []}})
    assert result["healthy"]
    assert result["notes"] == [
        "apache2 (web1, web2) takes /etc/hardening.conf at its next start: restart it when a moment without it does no harm."
    ]


def test_b5_a_host_whose_services_nobody_sees_is_noted() -> None:
    result = report(services={"web2": {"failed": True, "msg": "Task failed: sudo: a password is required"}})
    assert result["healthy"]
    assert result["notes"] == ["web2: its services could not be looked at: sudo: a password is required."]
    assert "NOTE web2: its services" in result["table"]


ITEM = {"written_to": "db1", "replica": {"host": "db2.example", "latency_ms": 9}}


def test_each_canary_has_its_time() -> None:
    result = report(
        {
            "db1": {"canary": {"seen": True, "latency_ms": 3}},
            "db2": {"canary": {"seen": False, "latency_ms": None}},
            "r1": {"canary": {"seen": True, "latency_ms": None}},
            "r2": {"canary": None},
        }
    )
    assert [row(result, host)["canary"] for host in ("db1", "db2", "r1", "r2")] == ["3 ms", "not seen", "seen", "-"]
    assert result["table"].splitlines()[0].split() == [
        "SERVER", "TIER", "ROLE", "STATE", "SOURCE", "LAG", "CANARY", "DETAIL",
    ]  # fmt: skip


def test_the_read_write_split_is_a_row() -> None:
    result = report({"db2": {"raw": {"variables": {"hostname": "db2.example"}}}}, {"item": ITEM})
    split = result["servers"][-1]
    assert (split["tier"], split["state"], split["canary"]) == ("split", "working", "9 ms")
    assert split["detail"] == "an item written to db1 was read from db2.example"
    assert result["healthy"]
    # No item, no row.
    assert report()["servers"][-1]["tier"] == "redis"


def test_a_split_that_leads_elsewhere_is_a_reason() -> None:
    result = report(door={"item": {**ITEM, "written_to": "db2"}})
    assert not result["healthy"]
    assert result["reasons"] == [
        "lb: wrong, writes go to db2, the primary is db1; reads come from db2.example, which is none of the replicas"
    ]


def test_f_a_missing_web_server_is_named_with_what_to_do() -> None:
    reasons = [{"check": "servers", "severity": "error", "message": "Missing.", "hint": "Look at /healthz."}]
    result = report(door={"servers": {"web1": 6}, "reasons": reasons})
    assert result["reasons"] == ["web2: not serving, no answer of it came through lb. Look at /healthz."]


def test_f_web_servers_are_known_by_the_names_they_give_themselves() -> None:
    blue = topology(groups(mysql_replica=["db2"]), web1={"apache_php_server_name": "blue"}, webcluster=WITHOUT_SITES)
    assert report(of=blue)["reasons"] == ["web1: not serving, no answer of it came through lb."]
    assert report(of=blue, door={"servers": {"blue": 3, "web2": 3}})["healthy"]


def test_a_visitor_who_sticks_to_one_server_says_nothing_of_the_others() -> None:
    sticky = topology(groups(mysql_replica=["db2"]), lb={"haproxy_http_balance": "source"}, webcluster=WITHOUT_SITES)
    result = report(of=sticky, door={"servers": {"web1": 3}})
    assert (row(result, "web1")["state"], row(result, "web2")["state"]) == ("serving", "not seen")
    assert result["healthy"]


def test_a_dead_load_balancer_tells_why() -> None:
    reasons = [{"check": "reachable", "severity": "error", "message": "Refused."}]
    result = report(door={"servers": {}, "reasons": reasons})
    assert row(result, "lb")["state"] == "not serving"
    assert row(result, "lb")["detail"] == "Refused."
    assert not result["healthy"]


def test_an_item_that_does_not_arrive_is_a_reason() -> None:
    def refuse(method: str, path: str, data: t.Mapping[str, str] | None = None, host: str = "") -> t.NoReturn:
        asked = f"{host}{method} {path} with {data is not None and 'data'}"
        raise _front_door.FrontDoorError("refused", f"{asked} was refused")

    look = _front_door.Look()
    _front_door.look_at_item(refuse, look, 0, Clock())
    result = report(door={"reasons": [reason.as_dict() for reason in look.reasons]})
    assert not result["healthy"]
    assert result["reasons"][0].startswith(
        "lb: No item could be written through the page: POST /api/items with data was refused."
    )


def test_hosts_without_ssh_and_hosts_that_were_not_looked_at() -> None:
    result = report({"db2": {"unreachable": True, "msg": "no route"}, "r2": {"state": ""}})
    assert row(result, "db2")["detail"] == "cannot be reached over SSH"
    assert row(result, "r2")["detail"] == "was not looked at in this run"
    outside = looks("redis", "r2", VERDICTS["r2"][1])["results"]
    assert row(report({"r2": {"state": ""}}, outside=outside), "r2")["state"] == "healthy"


def test_topology_errors_and_notes_are_told() -> None:
    result = report(of={**TOPOLOGY, "errors": ["Two primaries."], "notes": ["db2 is live."]})
    assert result["reasons"] == ["Two primaries."]
    assert "NOTE db2 is live." in result["table"]
    assert result["table"].count("db2 is live.") == 1
    assert not [line for line in result["summary"] if "db2 is live." in line]


def test_a3_there_is_one_hint_for_a_tier_that_disagrees() -> None:
    disputed: t.Any = {**TOPOLOGY["engines"]["redis"], "disputed": True}
    of: t.Any = {
        **TOPOLOGY,
        "errors": ["Redis has 2 primaries."],
        "engines": {**TOPOLOGY["engines"], "redis": disputed},
    }
    wrong = {
        "healthy": False, "state": "wrong_role",
        "reasons": [{"severity": "error", "message": "It is a primary", "hint": "REPLICAOF 10.0.0.36 6379"}],
    }  # fmt: skip
    result = report({"r2": wrong}, of=of)
    assert result["reasons"] == ["Redis has 2 primaries.", "r2: wrong_role, It is a primary."]
    assert "REPLICAOF" not in result["table"]


def test_without_redis_and_without_replica_the_rest_is_judged() -> None:
    small = topology(groups(mysql_replica=[], redis_master=[], redis_replica=[]))
    result = report(of=small, door={"item": {}})
    assert result["healthy"]
    assert {line["tier"] for line in result["servers"]} == {"lb", "web", "mysql"}
    assert result["summary"][1:3] == ["MySQL: db1 (no replica)", "Redis: none in this inventory"]


def test_without_load_balancer_each_web_server_is_judged_by_its_own_answer() -> None:
    alone = topology(groups(haproxy=[], mysql_replica=["db2"]), webcluster=WITHOUT_SITES)
    doors = [
        {"__webcluster_door": {"name": "web1"}, "url": "http://10.0.0.4/", "servers": {"web1": 1}, "reasons": []},
        {
            "__webcluster_door": {"name": "web2"},
            "url": "http://10.0.0.5/",
            "servers": {},
            "reasons": [{"check": "reachable", "severity": "error", "message": "Refused", "hint": "Start it"}],
        },
    ]
    result = report(of=alone, doors=doors)
    assert result["reasons"] == ["web2: not serving, Refused. Start it."]
    assert [line["tier"] for line in result["servers"]][:2] == ["web", "web"]
    assert "Load balancer: none in this inventory; visitors come to the web servers themselves" in result["summary"]


def test_data_servers_alone_are_a_cluster() -> None:
    result = _report.cluster_report(
        topology(groups(haproxy=[], apache_php=[])), {host: {} for host in ("db1", "db2", "db3", "r1", "r2")}, []
    )
    assert result["summary"][0] == "The site: no web server in this inventory"
    assert result["url"] == ""


WITH_SITE = topology(
    groups(mysql_replica=["db2"]), (), webcluster={"webcluster_sites": [{"name": "shop", "domains": ["shop.example"]}]}
)
WORKS: dict[str, t.Any] = {"ok": True, "problem": "", "status": 200, "own": {"release": "abc"}}


def site_report(door: dict[str, t.Any] | None = None, **on: dict[str, t.Any]) -> _report.Report:
    """The report of a cluster with one site, as the front door and each web server see it."""
    hostvars: dict[str, dict[str, t.Any]] = {
        host: {"__webcluster_verdicts": looks(engine, host, usual)} for host, (engine, usual) in VERDICTS.items()
    }
    for host in ("web1", "web2"):
        hostvars[host] = {"__webcluster_site_looks": {"sites": {"shop": {**WORKS, **on.get(host, {})}}}}
    seen = {**DOOR, "sites": {"shop": {**WORKS, "own": {}, **(door or {})}}}
    return _report.cluster_report(WITH_SITE, hostvars, [seen])


def test_a_site_that_works_everywhere_is_serving_one_release() -> None:
    result = site_report()
    assert result["healthy"]
    assert row(result, "shop")["state"] == "serving"
    assert row(result, "shop")["detail"] == "release abc on web1, web2"


def test_a_site_that_answers_otherwise_somewhere_is_not_healthy() -> None:
    broken = {"ok": False, "problem": "/ answers 404, expected 200"}
    result = site_report(broken, web2=broken)
    assert not result["healthy"]
    assert result["reasons"] == ["shop: not serving, / answers 404, expected 200 (through lb, on web2)."]


def test_two_releases_of_a_site_are_not_healthy() -> None:
    result = site_report(web2={"own": {"release": "def"}})
    assert not result["healthy"]
    assert row(result, "shop")["state"] == "mixed"
    assert result["reasons"] == [
        "shop: mixed, release abc on web1, release def on web2. Run again what was interrupted: release.yml, rollback.yml or site.yml."
    ]


def test_a_site_that_nobody_asked_for_is_not_healthy() -> None:
    hostvars = {
        host: {"__webcluster_verdicts": looks(engine, host, usual)} for host, (engine, usual) in VERDICTS.items()
    }
    result = _report.cluster_report(WITH_SITE, hostvars, [DOOR])
    assert "shop: not serving, was not looked at" in result["reasons"]


def certified(problem: str | None, now: str, ends: str = "2026-12-31T00:00:00+00:00") -> _report.Report:
    """The report of a cluster whose balancer has a certificate until the end of the year."""
    of = topology(groups(mysql_replica=["db2"]), webcluster=WITHOUT_SITES)
    of["doors"][0]["certificates"] = [
        {"name": "www.example.org", "fingerprints": ["ab"], "authorities": "", "ends": ends}
    ]
    hostvars = {
        host: {"__webcluster_verdicts": looks(engine, host, usual)} for host, (engine, usual) in VERDICTS.items()
    }
    seen = DOOR if problem is None else {**DOOR, "certificates": {"www.example.org": problem}}
    return _report.cluster_report(of, hostvars, [seen], now=datetime.fromisoformat(now).replace(tzinfo=UTC))


def test_p7_status_says_until_when_a_certificate_is_good() -> None:
    result = certified("", "2026-11-30")
    assert (result["healthy"], result["notes"]) == (True, [])
    assert row(result, "www.example.org")["detail"] == "until 2026-12-31, 31 days left"


def test_p7_a_certificate_that_ends_soon_is_noted_and_one_that_ended_is_a_reason() -> None:
    soon = certified("", "2026-12-20")
    assert soon["healthy"]
    assert soon["notes"] == [
        "The certificate of www.example.org ends on 2026-12-31, in 11 days: put its successor into the inventory and run site.yml."
    ]
    late = certified("", "2026-12-31")
    assert late["notes"] == []
    assert late["reasons"] == ["www.example.org: ended, its certificate ended on 2026-12-31: give its successor."]


def test_a_certificate_that_renews_itself_is_judged_by_what_is_shown() -> None:
    fine = certified("", "2026-12-31", ends="")
    assert (fine["healthy"], fine["notes"]) == (True, [])
    assert row(fine, "www.example.org")["detail"] == "renewed by the load balancers themselves"
    late = certified("its certificate ends in 3.1 days and was not renewed", "2026-12-31", ends="")
    assert late["reasons"] == [
        "www.example.org: wrong, its certificate ends in 3.1 days and was not renewed (through lb). Run site.yml."
    ]


def test_p7_a_certificate_that_is_not_shown_is_a_reason_once() -> None:
    wrong = certified("another certificate is shown, 00aa...", "2026-11-30")
    assert wrong["reasons"] == [
        "www.example.org: wrong, another certificate is shown, 00aa... (through lb). Run site.yml."
    ]
    assert certified(None, "2026-11-30")["reasons"] == [
        "www.example.org: wrong, was not looked at (through lb). Run site.yml."
    ]


def flow(verdict: str, advice: str = "") -> dict[str, t.Any]:
    return {"source": "web1", "target": "db1", "port": 3306, "verdict": verdict, "advice": advice}


def with_ports(**ports: t.Any) -> _report.Report:
    hostvars = {
        host: {"__webcluster_verdicts": looks(engine, host, usual)} for host, (engine, usual) in VERDICTS.items()
    }
    return _report.cluster_report(TOPOLOGY, hostvars, [DOOR], ports=ports)


def test_a_port_that_azure_blocks_makes_the_cluster_not_healthy_and_says_what_to_add() -> None:
    closed = "Port 3306 of db1 (MySQL) is closed to web1 by the rule by-hand of db-nsg. Add to db-nsg a rule that lets them in."
    result = with_ports(flows=[flow("allowed"), flow("blocked")], blocked=[closed], excess=[])
    assert not result["healthy"]
    assert result["reasons"] == [f"azure: blocked, {closed}"]
    assert row(result, "azure")["tier"] == "ports"


def test_what_only_azure_can_judge_is_told_as_unknown_and_what_nobody_needs_as_a_warning() -> None:
    unknown = "The rule r of g has a source that only Azure can judge: look at the effective rules of db1 there."
    refused = "Cannot read the network interface db1-nic: Azure answered AuthorizationFailed. Its lists serve instead."
    excess = "Port 22 of db1 is open to the Internet by the rule r of g, and nobody needs it: close it."
    told = {
        "flows": [flow("allowed"), flow("unknown", unknown), flow("unknown", unknown)],
        "blocked": [],
        "excess": [excess],
        "not_asked": [refused],
    }
    result = with_ports(**told)
    assert result["healthy"]
    assert result["notes"] == [refused, unknown, excess]
    assert row(result, "azure")["detail"] == "1 of 3 connections are allowed, 2 can be judged by Azure only"


def test_whoever_cannot_ask_azure_is_told_so() -> None:
    result = with_ports(problem="The login failed.", changed=False)
    assert result["healthy"]
    assert (row(result, "azure")["state"], row(result, "azure")["detail"]) == (
        "not seen",
        "could not be looked at: The login failed.",
    )


def test_outside_of_azure_there_is_no_row() -> None:
    assert "azure" not in [one["server"] for one in with_ports(skipped=True, changed=False)["servers"]]
    assert "azure" not in [one["server"] for one in report()["servers"]]


def encrypted(*ends: str, **more: str) -> _report.Report:
    """Of a cluster whose Redis servers show certificates that end on these days, on the last day of November 2026."""
    shown = {**dict(zip(("r1", "r2"), ends, strict=True)), **more}
    hostvars = {
        host: {
            "__webcluster_verdicts": looks(
                engine,
                host,
                {
                    **usual,
                    "engine": engine,
                    "certificate": {"ends": shown.get(host)},
                    "channels": [{"tls": True}] if host == "db2" else [],
                },
            )
        }
        for host, (engine, usual) in VERDICTS.items()
    }
    return _report.cluster_report(TOPOLOGY, hostvars, [DOOR], now=datetime(2026, 11, 30, tzinfo=UTC))


def test_status_says_which_links_are_encrypted_and_until_when() -> None:
    result = encrypted("2029-03-01T00:00:00+00:00", "2029-03-02T00:00:00+00:00")
    assert (row(result, "r1")["detail"], row(result, "r2")["detail"]) == (
        "mariadb, TLS until 2029-03-01",
        "mariadb, TLS until 2029-03-02",
    )
    assert row(result, "db2")["detail"] == "mariadb, TLS to its primary"
    assert result["notes"] == []


def test_status_says_until_when_mysql_has_its_certificates() -> None:
    ends = "2029-03-01T00:00:00+00:00"
    result = encrypted(ends, ends, db1="2029-03-03T00:00:00+00:00", db2="2029-03-04T00:00:00+00:00")
    assert row(result, "db1")["detail"] == "mariadb, certificate until 2029-03-03"
    assert row(result, "db2")["detail"] == "mariadb, TLS to its primary, certificate until 2029-03-04"
    soon = encrypted(ends, ends, db2="2026-12-10T00:00:00+00:00")
    assert soon["notes"][0].startswith("The certificate of db2 ends on 2026-12-10, in 10 days")


def test_the_server_certificate_that_ends_next_is_noted_when_that_is_soon() -> None:
    result = encrypted("2026-12-20T00:00:00+00:00", "2026-12-10T00:00:00+00:00")
    assert result["notes"] == [
        "The certificate of r2 ends on 2026-12-10, in 10 days, and no other server's before: run site.yml, which makes another one."
    ]
    assert result["healthy"]


def test_a_server_without_tls_says_nothing_of_it() -> None:
    assert row(report(), "r2")["detail"] == "mariadb"
