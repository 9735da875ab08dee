# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rows of MySQL and MariaDB become facts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Row, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import AUTHORITY_FILE
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.compare import compare
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    Failure,
    Identity,
    Raw,
    version_info,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.report import report
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    CHECK_NAMES,
    STATES,
)
from ansible_collections.siteops.webcluster.tests.replication_cases import (
    OLD,
    OWN,
    UUID,
    FakeMysql,
    ask,
    judged,
    replica,
    rows,
    translate,
)
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import MysqlServer, RefusingServer
from hypothesis import given, settings
from hypothesis import strategies as st


def test_one_question_for_a_privileged_login() -> None:
    client = FakeMysql({})
    found = ask(client)
    assert len(client.runs) == 1
    assert set(found.rows) == {question.name for question in mysql.QUESTIONS}
    assert found.refused == {}


def test_refused_extras_are_left_out() -> None:
    denied = MysqlError("privilege", "SELECT command denied", 1142)
    client = FakeMysql({"replication_connection_status": denied, "Rpl_semi": MysqlError("other", "odd", 1)})
    found = ask(client)
    assert len(client.runs) == 3
    assert {name: error.message for name, error in found.refused.items()} == {
        "status": "odd",
        "links": "SELECT command denied",
    }
    assert set(found.rows) == {question.name for question in mysql.QUESTIONS} - {"status", "links"}


def test_indispensable_answers_are_not() -> None:
    with pytest.raises(MysqlError, match="denied"):
        ask(FakeMysql({"SHOW REPLICA STATUS": MysqlError("privilege", "denied", 1227)}))
    with pytest.raises(MysqlError, match="gone"):
        ask(FakeMysql({"Rpl_semi": MysqlError("unreachable", "gone", 2013)}))


def test_a_server_that_knows_only_the_old_statement() -> None:
    unknown = MysqlError("syntax", "You have an error", 1064)
    client = FakeMysql({"@siteops_sql = 'SHOW REPLICA STATUS'": unknown, "SHOW REPLICA STATUS": unknown})
    found = ask(client)
    assert [run[0] for run in client.runs[1:3]] == ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"]
    assert found.rows["channels"] == [{"n": "SHOW SLAV"}]
    assert "workers" in found.rows
    with pytest.raises(MysqlError, match="You have an error"):
        ask(FakeMysql({"STATUS": unknown}))


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"report_host": "db2", "bind_address": "10.0.0.21", "hostname": "h"}, "db2"),
        ({"report_host": "", "bind_address": "127.0.0.1,10.0.0.21", "hostname": "h"}, "10.0.0.21"),
        ({"bind_address": "::", "hostname": "h"}, "h"),
        ({"bind_address": "*", "hostname": ""}, None),
    ],
)
def test_identity(variables: Raw, host: str | None) -> None:
    snapshot = translate(rows(**variables))
    assert snapshot.identity == Identity(host=host, port=3306, server_id=21)


@pytest.mark.parametrize(
    ("schemas", "sees_all", "variables", "empty"),
    [
        ([], "1", {}, True),
        ([], "0", {}, None),
        (["shop"], "0", {}, False),
        ([], "1", {"gtid_binlog_state": "0-21-1"}, False),
        ([], "1", {"version": "9.7.4", "server_uuid": OWN, "gtid_executed": f"{OWN}:1"}, False),
        # What came from a primary can be lost as well.
        ([], "1", {"gtid_binlog_state": "0-20-1", "gtid_slave_pos": "0-20-1"}, False),
    ],
)
def test_empty(schemas: list[str], sees_all: str, variables: Raw, empty: bool | None) -> None:
    shown: Rows = [{"name": name, "sees_all": sees_all} for name in ("mysql", "sys", *schemas)]
    assert translate({**rows(**variables), "schemas": shown}).empty is empty
    assert translate(rows(**variables)).empty is None


GTID_LIST: Row = {"Event_type": "Gtid_list", "Info": "[]"}
FIRST: Row = {"Event_type": "Gtid", "Info": "BEGIN GTID 0-20-1 cid=12"}


@pytest.mark.parametrize(
    ("variables", "first_log", "in_logs"),
    [
        ({"log_bin": "ON"}, [{"Event_type": "Format_desc", "Info": "Server ver: 11.8"}, GTID_LIST, FIRST], True),
        # Its logs began after it was filled with a copy, or were turned on after all that it holds was written.
        ({"log_bin": "ON"}, [GTID_LIST, {**FIRST, "Info": "GTID 0-20-501"}, FIRST], False),
        ({"log_bin": "ON"}, [GTID_LIST, {**FIRST, "Info": "GTID 0-20-11"}], False),
        ({"log_bin": "ON"}, [GTID_LIST], None),
        # Purged.
        ({"log_bin": "ON"}, [{**GTID_LIST, "Info": "[0-20-118]"}], False),
        ({"log_bin": "ON"}, [], None),
        # Its data were written before, or beside, any log.
        ({"log_bin": "OFF"}, [], False),
        ({"version": "9.7.4", "log_bin": "ON", "gtid_mode": "ON", "gtid_purged": ""}, [], True),
        ({"version": "9.7.4", "log_bin": "ON", "gtid_mode": "ON", "gtid_purged": f"{OWN}:1-5"}, [], False),
        ({"version": "9.7.4", "log_bin": "ON", "gtid_mode": "OFF", "gtid_purged": ""}, [], False),
    ],
)
def test_a2_whether_the_logs_hold_everything(variables: Raw, first_log: Rows, in_logs: bool | None) -> None:
    holds: Rows = [{"name": "shop", "sees_all": "1"}]
    assert translate({**rows(**variables), "schemas": holds, "first_log": first_log}).in_logs is in_logs
    nothing: Rows = [{"name": "mysql", "sees_all": "1"}]
    assert translate({**rows(**variables), "schemas": nothing, "first_log": first_log}).in_logs is None


class Logs(MysqlServer):
    """A server with binary logs, each with its first events."""

    def __init__(self, *logs: list[Row]) -> None:
        self.logs = logs
        self.asked: list[str] = []

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        self.asked += statements
        if statements == ["SHOW BINARY LOGS"]:
            return [[{"Log_name": f"binlog.{number}"} for number in range(len(self.logs))]]
        number = re.search(r"IN 'binlog\.(\d+)' LIMIT", statements[0])
        assert number
        return [list(self.logs[int(number[1])])]


def test_a2_the_first_transaction_may_be_in_a_later_log() -> None:
    logs = Logs([GTID_LIST], [GTID_LIST], [GTID_LIST, FIRST], [FIRST])
    answers = mysql.Answers({"first_log": [dict(GTID_LIST)]})
    mysql.go_on_to_the_first_transaction(logs, answers)
    assert answers.rows["first_log"][-1] == FIRST
    assert len(logs.asked) == 3
    # Nothing more is asked where it is known, or where the login may not look.
    for rows_ in ([FIRST], []):
        mysql.go_on_to_the_first_transaction(logs, mysql.Answers({"first_log": [dict(row) for row in rows_]}))
    assert len(logs.asked) == 3


def test_replicas_are_the_dump_threads() -> None:
    sees: Rows = [{"sees_processes": "1"}]
    threads: Rows = [{"HOST": "10.0.0.21:5000", "STATE": "sent all"}, {"HOST": "localhost"}]
    found = translate({**rows(), "threads": threads, "rights": sees}).replicas
    assert found is not None
    assert [(item.host, item.port) for item in found] == [("10.0.0.21", 5000), ("localhost", None)]
    assert translate({**rows(), "threads": [], "rights": sees}).replicas == []
    assert translate({**rows(), "threads": [], "rights": [{"sees_processes": "0"}]}).replicas is None
    assert translate(rows()).replicas is None


def test_replicas_have_their_uuid_where_the_server_knows_it() -> None:
    threads: Rows = [{"HOST": "10.0.0.21:5000", "COMMAND": "Binlog Dump GTID", "UUID": OWN}]
    found = translate({**rows(), "threads": threads}).replicas
    assert found is not None
    assert found[0].uuid == OWN


MARIADB_CHANNEL = {
    "Connection_name": "",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Slave_heartbeat_period": "5.000",
}
IO_THREAD = {"HOST": "", "USER": "system user", "COMMAND": "Slave_IO", "TIME_MS": "7400.5", "STATE": "Waiting"}


def test_mariadb_tells_silence_by_its_thread() -> None:
    found: Any = {**rows(), "channels": [MARIADB_CHANNEL], "threads": [IO_THREAD]}
    snapshot = translate(found)
    assert (snapshot.channels[0].io.heartbeat_age, snapshot.channels[0].io.heartbeat_period) == (7.4, 5.0)
    assert snapshot.replicas is None
    # Which thread belongs to which connection is not told.
    two: Any = {**found, "channels": [MARIADB_CHANNEL, {**MARIADB_CHANNEL, "Connection_name": "b"}]}
    two["threads"] = [IO_THREAD, {**IO_THREAD, "TIME_MS": "100"}]
    snapshot = translate(two)
    assert snapshot.link_ages == [7.4, 0.1]
    assert snapshot.channels[0].io.heartbeat_age is None
    assert translate(two, "b").link_ages == []


def test_mysql_5_6_tells_silence_by_its_status() -> None:
    found: Any = {
        **rows(version="5.6.24-log"),
        "versions": [{"version": "5.6.24-log", "now": "2026-11-25 13:00:40", "account": "root@localhost"}],
        "channels": [{"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes", "Master_Host": "h"}],
        "status": [
            {"Variable_name": "Slave_last_heartbeat", "Value": "2026-11-25 13:00:05"},
            {"Variable_name": "Slave_heartbeat_period", "Value": "10.000"},
        ],
    }
    snapshot = translate(found)
    assert (snapshot.channels[0].io.heartbeat_age, snapshot.channels[0].io.heartbeat_period) == (35.0, 10.0)
    assert (snapshot.dialect, snapshot.account) == ("master", "root@localhost")
    found["status"][0]["Value"] = "0000-00-00 00:00:00"
    assert translate(found).channels[0].io.heartbeat_age is None


@pytest.mark.parametrize(
    ("variables", "channel", "dialect"),
    [
        ({"version": "11.8.6-MariaDB"}, {}, "mariadb"),
        ({"version": "9.7.4"}, {"Source_Host": "h"}, "source"),
        ({"version": "8.0.21"}, {"Master_Host": "h"}, "master"),
        ({"version": "9.7.4", "knows_source": "1"}, None, "source"),
        ({"version": "8.0.21"}, None, "master"),
    ],
)
def test_the_dialect_is_what_the_server_shows(variables: Raw, channel: Raw | None, dialect: str) -> None:
    found: Any = {**rows(), "versions": [variables], "channels": [] if channel is None else [channel]}
    assert translate(found).dialect == dialect


def test_writers_are_those_of_others_than_the_server_itself() -> None:
    listed: Rows = [
        {"account": "'root'@'localhost'", "privileges": "SUPER,READ_ONLY ADMIN"},
        {"account": "'mariadb.sys'@'localhost'", "privileges": "SUPER"},
        {"account": "'shop'@'%'", "privileges": "SUPER,READ_ONLY ADMIN"},
        {"account": "'old'@'%'", "privileges": "SUPER"},
    ]
    assert translate({**rows(), "writers": listed}).writers == ["'shop'@'%'"]
    assert translate({**rows(), "writers": listed[3:]}).writers == ["'old'@'%'"]


@pytest.mark.parametrize(
    ("error", "retries", "attempts"),
    [
        ("error connecting to source 'r@h:1' - retry-time: 60 retries: 3 message: Access denied", "10", "3 of 10"),
        ("error connecting to master 'r@h:1' - retry-time: 60  retries: 2", None, "2"),
        ("error connecting to master 'r@h:1' - retry-time: 60  maximum-retries: 100000  message: x", "", None),
        ("", "10", None),
    ],
)
def test_attempts_are_taken_from_the_server_s_message(error: str, retries: str | None, attempts: str | None) -> None:
    status: Any = {"Source_Host": "h", "Last_IO_Error": error, "Source_Retry_Count": retries}
    assert translate({**rows(), "channels": [status]}).channels[0].io.attempts == attempts


def test_one_of_several_primaries() -> None:
    other = "11111111-e65b-11f1-9195-02fc00000001"
    both: Any = [
        {"Channel_Name": "a", "Source_Host": "h", "Source_UUID": UUID, "Source_Server_Id": "20"},
        {"Channel_Name": "b", "Source_Host": "i", "Source_UUID": other, "Source_Server_Id": "30"},
    ]
    found: Any = {**rows(version="8.4.1", gtid_executed=f"{UUID}:1-5,{other}:1-7", gtid_mode="ON"), "channels": both}
    position: Raw = {"kind": "gtid", "value": f"{UUID}:1-5", "uuid": UUID, "sources": []}
    # What comes from the other primary is not errant, whether its channel is judged or not.
    for channel in (None, "a"):
        snapshot = translate(found, channel)
        assert compare(snapshot, position).errant == ""
    single = translate({**found, "channels": both[:1]})
    assert compare(single, position).errant == f"{other}:1-7"
    mariadb: Any = {
        **rows(gtid_slave_pos="0-20-5,1-30-7", gtid_binlog_state="0-20-5,1-30-7"),
        "channels": [
            {"Connection_name": "a", "Master_Host": "h", "Master_Server_Id": "20"},
            {"Connection_name": "b", "Master_Host": "i", "Master_Server_Id": "30"},
        ],
    }
    position = {"kind": "mariadb_gtid", "value": "0-20-5", "state": "0-20-5", "server_id": 20, "sources": []}
    assert compare(translate(mariadb), position).errant == ""
    assert compare(translate(mariadb, "a"), position).errant == ""
    single = translate({**mariadb, "channels": mariadb["channels"][:1]})
    assert compare(single, position).errant == "1-30-7"


def test_a_position_to_wait_for_says_nothing_of_errant_transactions() -> None:
    snapshot = replica(executed=f"{UUID}:1-9,{OLD}:1-5", gtid_mode="ON")
    wanted = compare(snapshot, {"kind": "gtid", "value": f"{UUID}:9"})
    assert (wanted.reached, wanted.errant, wanted.exact) == (True, "", True)


def test_a_server_that_answers_half_of_the_questions_hangs() -> None:
    gone = MysqlError("unreachable", "no answer within 15 seconds", None, "timeout")
    found = mysql.failure(gone, mysql.Answers(rows={"versions": [{"version": "11.8.6-MariaDB"}]}))
    assert (found.state, found.value) == ("broken", "hangs")
    assert "full disk ('df -h')" in str(found.hint)
    assert mysql.failure(gone, mysql.Answers()).state == "unreachable"


def test_a_refused_privilege_is_granted_by_name() -> None:
    found = mysql.Answers(rows={"versions": [{"version": "11.8.6-MariaDB", "account": "m@10.0.0.%"}]})
    message = "Access denied; you need (at least one of) the SLAVE MONITOR privilege(s) for this operation"
    failed = mysql.failure(MysqlError("privilege", message, 1227), found)
    assert failed.hint == "GRANT SLAVE MONITOR, BINLOG MONITOR, PROCESS ON *.* TO `m`@`10.0.0.%`"
    denied = MysqlError("privilege", "SELECT command denied to user 'm'@'h' for table 'threads'", 1142)
    note = translate(found.rows, threads=denied).notes[0]
    assert note.hint == "GRANT SELECT ON performance_schema.* TO `m`@`10.0.0.%`"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (MysqlError("tls", "Connections using insecure transport are prohibited", 3159), "tls: required"),
        (MysqlError("tls", "certificate verify failed", 2026), "ca_cert: "),
        (MysqlError("tls", "SSL is required, but the server does not support it", 2026), "tls: disabled"),
        (MysqlError("tls", "odd", 2026), "Check tls"),
        (MysqlError("auth", "requires secure connection", 2061), "tls: required"),
        (MysqlError("auth", "denied", 1045), "Check login_user"),
    ],
)
def test_the_missing_login_option_is_named(error: MysqlError, hint: str) -> None:
    assert str(mysql.failure(error, mysql.Answers()).hint).startswith(hint)


def test_a_channel_in_full() -> None:
    status: Any = {
        "Channel_Name": "a",
        "Source_Host": "h",
        "Source_Port": "3306",
        "Replica_IO_Running": "Yes",
        "Replica_SQL_Running": "No",
        "Last_SQL_Errno": "1062",
        "Last_SQL_Error": "see worker",
        "Seconds_Behind_Source": "0",
        "Executed_Gtid_Set": f"{UUID}:1-3,\n{OWN}:1",
        "Auto_Position": "1",
    }
    found: dict[str, Any] = {
        **rows(version="8.4.1", gtid_executed=f"{UUID}:1"),
        "channels": [status, {**status, "Channel_Name": "b"}],
        "links": [{"channel": "a", "heartbeat_age": "3", "heartbeat_period": "2.500"}],
        "workers": [{"channel": "a", "id": "1", "errno": "1062", "error": "Duplicate. Query: 'INSERT secret'"}],
        "binlog": [{"Binlog_Do_DB": "shop", "Binlog_Ignore_DB": "mysql,sys"}],
        "status": [{"Variable_name": "Rpl_semi_sync_replica_status", "Value": "ON"}],
    }
    snapshot = translate(found, "a")
    assert len(snapshot.channels) == 1
    channel = snapshot.channels[0]
    assert (channel.io.heartbeat_age, channel.io.heartbeat_period) == (3.0, 2.5)
    assert channel.sql.error == "Duplicate."
    assert channel.lag_seconds is None
    assert channel.gtid_mode == "auto_position"
    assert snapshot.executed == f"{UUID}:1-3,{OWN}:1"
    assert snapshot.binlog_filters == {"Binlog_Do_DB": "shop"}
    assert snapshot.semi_sync is True
    assert len(translate(found).channels) == 2


@pytest.mark.parametrize(
    ("ca", "ends"),
    [
        (AUTHORITY_FILE, "2029-03-02T08:00:52+00:00"),
        # One that the server makes itself is made anew at each start.
        ("", None),
        ("ca.pem", None),
    ],
)
def test_the_end_of_a_certificate_counts_that_the_clusters_authority_has_signed(ca: str, ends: str | None) -> None:
    shown = {"status": [{"Variable_name": "Ssl_server_not_after", "Value": "Mar  2 08:00:52 2029 GMT"}]}
    assert translate({**rows(version="11.8.6-MariaDB", ssl_ca=ca), **shown}).certificate_ends == ends
    assert translate(rows(version="11.8.6-MariaDB", ssl_ca=ca)).certificate_ends is None


cells = st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["Yes", "0", "1045", "-1", "1e9", "NULL"]))
names = st.sampled_from(
    ["Slave_IO_Running", "Master_Port", "Seconds_Behind_Master", "Last_IO_Error", "Gtid_IO_Pos", "SQL_Delay", "x",
     "Replicate_Do_DB", "Variable_name", "Value", "gtid_slave_pos", "version", "HOST", "channel", "errno"]
)  # fmt: skip
any_rows = st.lists(st.dictionaries(names, cells), max_size=2)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([question.name for question in mysql.QUESTIONS]), any_rows))
def test_any_rows_give_a_verdict(found: dict[str, Rows]) -> None:
    snapshot = translate(found)
    comparison = compare(snapshot, {"kind": "gtid", "value": "x"})
    verdict = judged(snapshot, comparison)
    assert verdict.state in STATES
    assert set(report("mysql", verdict, snapshot, comparison)["checks"]) == set(CHECK_NAMES)


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("11.8.6-MariaDB-0+deb13u1 from Debian-log", [11, 8, 6]),
        ("5.5.5-10.11.19-MariaDB", [10, 11, 19]),
        ("26.10.0", [26, 10, 0]),
        ("", []),
        (None, []),
    ],
)
def test_version_numbers(version: str | None, numbers: list[int]) -> None:
    assert version_info(version) == numbers


def test_flavor_is_a_word_not_a_number() -> None:
    assert mysql.flavor_of("26.10.0", "(Debian)") == "mysql"
    assert mysql.flavor_of("8.0.36-28", "Percona Server (GPL)") == "percona"
    assert mysql.flavor_of("5.5.5-10.4.1-MariaDB", None) == "mariadb"


def test_a2_who_may_not_look_comes_again_as_the_account_that_there_is_by_then() -> None:
    client = RefusingServer(MysqlError("privilege", "Access denied; you need the SLAVE MONITOR privilege", 1227))
    probe = mysql.MysqlProbe(client, questions=mysql.QUESTIONS[:1])
    assert isinstance(probe.look().found, Failure)
    assert client.closed == 1
