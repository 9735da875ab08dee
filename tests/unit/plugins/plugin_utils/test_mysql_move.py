# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a primary is to move, for servers that say what mysql_primary found."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _mysql_move
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import (
    ADDRESSES,
    groups,
    hostvars,
    topology,
)

NOW = 1795341869.0
SILENT = {"answers": False, "said": "no answer within 5 seconds", "move": {}, "promotion": {}}


def server(source: str = "", closed: bool | None = None, **more: t.Any) -> dict[str, t.Any]:
    """A server that is well: the open primary, or a replica of one."""
    follows = {
        "host": ADDRESSES.get(source, source),
        "port": 3306,
        "receives": "Yes",
        "applies": "Yes",
        "error": "",
        "lag": 0,
        "delay": 0,
        "filters": {},
        "received": "0-1-7",
        "file": "binlog.000003",
        "file_position": 1234,
        "channels": 1,
    }
    usual = {
        "answers": True,
        "flavor": "mariadb",
        "version": [11, 8, 6],
        "server_id": len(source) + 1,
        "logs": True,
        "logs_received": True,
        "closed": bool(source) if closed is None else closed,
        "position": "0-1-7",
        "long_transactions": 0,
        "long_seconds": 0,
        "follows": {**follows, **more.pop("channel", {})} if source else None,
        "move": {},
        "promotion": {},
        "peer_problem": "",
    }
    return {**usual, **more}


PRIMARY = server(server_id=1)
REPLICA = server("db1", server_id=2)
THIRD = server("db1", server_id=3)
LAGGING = {"healthy": False, "state": "lagging", "reasons": [{"severity": "error", "message": "It is 90 s behind."}]}


def variables(
    servers: dict[str, dict[str, t.Any] | None], **more: dict[str, t.Any]
) -> tuple[t.Any, dict[str, dict[str, t.Any]]]:
    """The topology, and the hosts' variables; a host without a server is not reached."""
    of = groups()
    hosts = hostvars(of)
    for name, found in servers.items():
        hosts[name]["__webcluster_member"] = {"unreachable": True} if found is None else {"found": found}
    for name, values in more.items():
        hosts[name].update(values)
    return topology(of), hosts


def switchover(
    db1: dict[str, t.Any] | None = PRIMARY,
    db2: dict[str, t.Any] | None = REPLICA,
    db3: dict[str, t.Any] | None = THIRD,
    to: str = "db2",
    verdict: dict[str, t.Any] | None = None,
) -> _mysql_move.MovePlan:
    found, hosts = variables({"db1": db1, "db2": db2, "db3": db3})
    if verdict:
        hosts[to]["__webcluster_candidate"] = verdict
    return _mysql_move.switchover_plan(found, hosts, to)


def test_the_primary_moves_and_the_others_follow() -> None:
    plan = switchover(verdict={"healthy": True})
    assert plan["errors"] == []
    assert (plan["action"], plan["old"], plan["new"], plan["others"]) == ("hand_over", "db1", "db2", ["db3"])
    assert plan["text"][0].startswith("The primary moves from db1 to db2. Expected downtime: about 1 s for writers")
    assert plan["logins"]["db1"] == {
        "host": "10.0.0.20",
        "name": "db1",
        "port": 3306,
        "user": "replication",
        "tls": "auto",
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"db2": server("db9", server_id=2)}, "db2 replicates from db9, not from db1"),
        ({"db2": server("db1", server_id=2, logs=False)}, "db2 has no binary log"),
        ({"db2": server("db1", server_id=2, logs_received=False)}, "db2 does not log what it receives"),
        ({"db2": server("db1", server_id=2, version=[10, 11, 19])}, "db2 runs 10.11.19, which is older than 11.8.6 of db1"),
        ({"db2": server("db1", server_id=2, flavor="mysql")}, "db2 runs mysql, db1 runs mariadb"),
        ({"db2": server("db1", server_id=1)}, "db2 and db1 have the same server_id, 1"),
        ({"db2": server("db1", server_id=2, channel={"delay": 30})}, "db2 is 30 s behind on purpose"),
        ({"db2": server("db1", server_id=2, channel={"filters": {"Replicate_Do_DB": "a"}})}, "db2 replicates a part only"),
        ({"db2": server("db1", server_id=2, channel={"applies": "No", "error": "Duplicate entry"})}, "db2 does not apply what it receives: Duplicate entry"),
        ({"db1": server(server_id=1, long_transactions=2, long_seconds=90)}, "2 transactions on db1 have changed rows and go on for up to 90 s"),
        ({"db1": server(server_id=1, peer_problem="db2 refuses the user")}, "db1 could not replicate afterwards: db2 refuses the user."),
        ({"to": "db1"}, "db1 is the primary already; expected one of its replicas."),
        ({"db3": SILENT}, "MySQL on db3 does not answer: no answer within 5 seconds."),
        ({"db3": None}, "MySQL on db3 does not answer: its host cannot be reached."),
        ({"db2": server(server_id=2)}, "db1 and db2 both take writes as primaries"),
        ({"db1": server("db2", server_id=1)}, "No server of the tier is a primary"),
        ({"verdict": LAGGING}, "db2 is lagging: It is 90 s behind."),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_in_a_sentence(changed: dict[str, t.Any], said: str) -> None:
    plan = switchover(**changed)
    assert any(sentence.startswith(said) for sentence in plan["errors"]), plan["errors"]
    assert plan["text"] == []


def test_a_move_that_ended_after_the_closing_goes_on() -> None:
    refused = {"severity": "error", "check": "canary", "message": "The primary is read only."}
    plan = switchover(server(closed=True, server_id=1), verdict={"healthy": False, "reasons": [refused]})
    assert (plan["errors"], plan["action"], plan["old"]) == ([], "hand_over", "db1")
    assert plan["text"][0].startswith("db1 is closed for writes already, by a run that was interrupted")


def test_a_move_that_ended_after_the_closing_is_taken_back() -> None:
    plan = switchover(server(closed=True, server_id=1), to="db1")
    assert (plan["errors"], plan["action"]) == ([], "reopen")


def test_a_move_that_ended_after_the_opening_goes_on() -> None:
    plan = switchover(server(closed=True, server_id=1), server(server_id=2))
    assert (plan["errors"], plan["action"], plan["others"]) == ([], "follow", ["db1", "db3"])


def test_a_move_that_ended_between_leaving_and_opening_goes_on() -> None:
    plan = switchover(server(closed=True, server_id=1), server(closed=True, server_id=2))
    assert (plan["errors"], plan["action"], plan["old"], plan["others"]) == ([], "hand_over", "db1", ["db3"])


def test_another_move_waits_until_the_first_one_has_ended() -> None:
    begun = (server(closed=True, server_id=1), server(server_id=2))
    assert switchover(*begun, to="db1")["errors"] == [
        "The move to db2 has not ended, db1 does not follow it yet; end it first, with -e to=db2."
    ]
    assert switchover(*begun, to="db3")["errors"] == [
        "A move between db1 and db2 has not ended; end it first, with -e to=db2."
    ]


def promotion(
    unsent: dict[str, t.Any] | None = None, accept: bool = False, **said: dict[str, t.Any] | None
) -> _mysql_move.MovePlan:
    """The plan to promote db2, with what the servers say where it is not the usual."""
    found, hosts = variables(
        {"db1": SILENT, "db2": REPLICA, "db3": THIRD, **said}, db1={"__webcluster_unsent": unsent or {}}
    )
    return _mysql_move.promotion_plan(found, hosts, "db2", NOW, accept)


NONE_LOST = {"done": True, "transactions": 0, "gtids": []}
LOST = {"done": True, "transactions": 2, "gtids": ["0-1-8", "0-1-9"]}


def test_a_replica_of_a_dead_primary_is_promoted() -> None:
    plan = promotion(unsent=NONE_LOST)
    assert plan["errors"] == []
    assert (plan["action"], plan["old"], plan["others"], plan["reach_old"], plan["count_unsent"]) == (
        "promote",
        "db1",
        ["db3"],
        True,
        True,
    )
    assert plan["text"][0] == "Nothing is lost: db2 has all transactions that are in the binary logs of db1."


def test_what_is_lost_is_told_and_has_to_be_accepted() -> None:
    lost = "2 transactions in the binary logs of db1 did not arrive at db2 (0-1-8, 0-1-9)."
    assert promotion(unsent=LOST)["errors"] == [
        f"{lost} Bring db1 back, or accept the loss with -e accept_data_loss=true."
    ]
    plan = promotion(unsent=LOST, accept=True)
    assert (plan["errors"], plan["text"][0]) == ([], lost)


def test_what_cannot_be_counted_has_to_be_accepted_as_well() -> None:
    plan = promotion(db1=None)
    assert plan["errors"][0].startswith("How many transactions of db1 did not arrive at db2 cannot be told")
    assert not plan["reach_old"]
    assert "db1 cannot be fenced, as its host is not reached" in plan["text"][1]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"db1": PRIMARY}, "The primary db1 lives and answers; move it by switchover.yml"),
        ({"db2": SILENT}, "MySQL on db2 does not answer"),
        ({"db2": server(server_id=2)}, "db2 is a primary already, and open for writes"),
        ({"db3": server(server_id=3)}, "db3 is a primary already; expected none that lives."),
        ({"db2": server("db9", server_id=2)}, "db2 replicates from db9, which is none of the tier"),
        ({"db2": server("db1", server_id=2, channel={"applies": "No"})}, "db2 does not apply what it receives: its applier is stopped."),
        (
            {
                "db2": server("db1", server_id=2, channel={"file": "binlog.999999"}),
                "db3": server("db1", server_id=3, channel={"file": "binlog.1000000"}),
            },
            "db3 received more from the dead primary than db2; promote db3 instead.",
        ),
        ({"db3": server("db1", server_id=3, channel={"file_position": 1400})}, "db3 received more from the dead primary than db2; promote db3 instead."),
        ({"db3": {**THIRD, "promotion": {"at": NOW - 600}}}, "A server of this tier was promoted 10 minutes ago"),
    ],
)  # fmt: skip
def test_a_promotion_is_refused_in_a_sentence(changed: dict[str, t.Any], said: str) -> None:
    found = promotion(unsent=NONE_LOST, **changed)["errors"]
    assert any(sentence.startswith(said) for sentence in found), found


def test_of_a_primary_that_answers_only_that_is_told() -> None:
    # Its binary logs were not read, as a run does it where there is a primary.
    assert promotion(db1=PRIMARY, unsent={"skipped": True, "changed": False})["errors"] == [
        "The primary db1 lives and answers; move it by switchover.yml, which loses nothing, or stop it first."
    ]


def test_an_interrupted_promotion_goes_on() -> None:
    left = server(server_id=2, closed=True, promotion={"former_primary": "db1", "at": NOW - 5})
    plan = promotion(db2=left, accept=True)
    assert (plan["errors"], plan["old"], plan["count_unsent"]) == ([], "db1", False)


def rejoin(
    db1: dict[str, t.Any] | None, db2: dict[str, t.Any] | None = None, db3: dict[str, t.Any] | None = None
) -> _mysql_move.MovePlan:
    found, hosts = variables({"db1": db1, "db2": db2 or server(server_id=2), "db3": db3 or server("db2", server_id=3)})
    return _mysql_move.rejoin_plan(found, hosts, "db1")


@pytest.mark.parametrize(
    ("db1", "action", "starts"),
    [
        (server(server_id=1), "follow", False),
        (server(server_id=1, closed=True), "follow", False),
        (SILENT, "follow", True),
        (server("db2", server_id=1), "nothing", False),
        (server("db3", server_id=1), "follow", False),
    ],
)
def test_an_old_primary_follows_the_present_one(db1: dict[str, t.Any], action: str, starts: bool) -> None:
    plan = rejoin(db1)
    assert (plan["errors"], plan["action"], plan["old"], plan["new"]) == ([], action, "db1", "db2")
    assert plan["start_old"] is starts


def test_without_one_primary_nobody_rejoins() -> None:
    assert rejoin(server(server_id=1), db2=server("db1", server_id=2))["errors"] == [
        "Expected one primary that db1 could follow: no other server takes writes."
    ]
    assert rejoin(server(server_id=1), db3=server(server_id=3))["errors"] == [
        "Expected one primary that db1 could follow: db2 and db3 take writes."
    ]
    assert rejoin(None)["errors"] == ["The host db1 cannot be reached over SSH."]
