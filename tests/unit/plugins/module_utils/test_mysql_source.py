# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a server gets a source, and when it must not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, MysqlLogin, Row, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import (
    AUTHORITY_FILE,
    Server,
    read_server,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.source import (
    Channel,
    Stored,
    Wanted,
    change_statement,
    judged,
    plan_primary,
    plan_replica,
    primary_login,
    primary_problem,
    read_channels,
    refuse_replica,
    skipped,
    stored_by_mariadb,
    stored_by_mysql,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import ReplicaStatus
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import MysqlServer

OWN = "ad8f0f69-e65b-11f1-9195-02fc00000001"
SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
WANTED = Wanted("10.0.0.20", 3306, "repl", "pa'ss")


def server(version: str, **variables: str) -> Server:
    values = {"version": version, "server_id": "2", "port": "3306", **variables}
    return read_server(
        [{"Variable_name": name, "Value": value} for name, value in values.items()],
        [{"name": name, "sees_all": "1"} for name in SYSTEM],
    )


MARIADB = server("11.8.6-MariaDB", read_only="ON")
OLD_MARIADB = server("10.11.19-MariaDB", read_only="ON")
MYSQL = server("9.7.4-2", read_only="ON", super_read_only="ON", server_uuid=OWN)


def with_authority(here: Server) -> Server:
    return replace(here, variables={**here.variables, "ssl_ca": AUTHORITY_FILE})


SERVERS = pytest.mark.parametrize("here", [MARIADB, OLD_MARIADB, MYSQL], ids=["11.8", "10.11", "9.7"])


def channel(here: Server, password: str | None = "pa'ss", **status: Any) -> Channel:
    """Return the channel as it is after plan_replica() was carried out."""
    usual = ReplicaStatus(
        host="10.0.0.20",
        port=3306,
        user="repl",
        tls=here is not OLD_MARIADB,
        tls_verified=here is MARIADB,
        gtid_mode="Slave_Pos" if here.is_mariadb else "auto_position",
        connect_retry=5,
        retry_count=None if here.is_mariadb else 86400,
        heartbeat_period=5.0,
        io_state="Yes",
        sql_state="Yes",
    )
    return Channel(replace(usual, **status), Stored(password))


def test_an_empty_mariadb_gets_its_primary() -> None:
    plan = plan_replica(MARIADB, [], WANTED)
    assert plan.statements == [
        "CHANGE MASTER TO MASTER_HOST='10.0.0.20', MASTER_PORT=3306, MASTER_CONNECT_RETRY=5, MASTER_HEARTBEAT_PERIOD=5, "
        "MASTER_SSL=1, MASTER_SSL_CA='', MASTER_SSL_VERIFY_SERVER_CERT=1, MASTER_USER='repl', MASTER_PASSWORD='pa\\'ss', "
        "MASTER_USE_GTID=slave_pos",
        "START SLAVE",
    ]


def test_an_empty_mysql_gets_its_primary() -> None:
    plan = plan_replica(MYSQL, [], WANTED)
    assert plan.statements == [
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='10.0.0.20', SOURCE_PORT=3306, SOURCE_CONNECT_RETRY=5, "
        "SOURCE_HEARTBEAT_PERIOD=5, SOURCE_SSL=1, SOURCE_SSL_CA='', SOURCE_SSL_VERIFY_SERVER_CERT=0, SOURCE_USER='repl', "
        "SOURCE_PASSWORD='pa\\'ss', SOURCE_RETRY_COUNT=86400, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1",
        "START REPLICA",
    ]


def test_old_mariadb_has_no_tls_unless_asked_for() -> None:
    assert "MASTER_SSL=0" in change_statement(OLD_MARIADB, WANTED)
    assert "MASTER_SSL_VERIFY_SERVER_CERT=0" in change_statement(OLD_MARIADB, WANTED)
    assert "MASTER_SSL=1" in change_statement(OLD_MARIADB, replace(WANTED, tls="required"))
    assert "SOURCE_SSL=0" in change_statement(MYSQL, replace(WANTED, tls="disabled"))


@SERVERS
def test_a_server_with_the_authority_verifies_its_primary_by_it(here: Server) -> None:
    own = with_authority(here)
    plan = plan_replica(own, [channel(here)], WANTED)
    assert [statement.split()[0] for statement in plan.statements] == ["STOP", "CHANGE", "START"]
    for setting in ("_SSL=1", f"_SSL_CA='{AUTHORITY_FILE}'", "_SSL_VERIFY_SERVER_CERT=1"):
        assert setting in plan.statements[1]
    verified = channel(here, tls=True, tls_verified=True, tls_authority=AUTHORITY_FILE)
    assert plan_replica(own, [verified], WANTED).statements == []
    assert (primary_login(own, WANTED).tls, primary_login(own, WANTED).ca_cert) == ("required", AUTHORITY_FILE)


@SERVERS
def test_a_primary_that_has_no_proof_yet_is_followed_as_before(here: Server) -> None:
    own, unproven = with_authority(here), replace(WANTED, proven=False)
    assert plan_replica(own, [channel(here)], unproven).statements == []
    assert primary_login(own, unproven).ca_cert is None


def test_the_authority_of_somebody_else_is_none() -> None:
    other = server("11.8.6-MariaDB", ssl_ca="/etc/mysql/own-ca.pem")
    assert "MASTER_SSL_CA=''" in change_statement(other, WANTED)
    assert "MASTER_SSL=0" in change_statement(with_authority(OLD_MARIADB), replace(WANTED, tls="disabled"))
    assert "MASTER_SSL_CA=''" in change_statement(with_authority(OLD_MARIADB), replace(WANTED, tls="disabled"))


class Shown(MysqlServer):
    """A primary that is asked for its certificate only."""

    def __init__(self, error: MysqlError | None) -> None:
        self.error = error

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        if self.error:
            raise self.error
        return [[] for _statement in statements]


@pytest.mark.parametrize(
    ("here", "error", "followed", "proven"),
    [
        (MARIADB, None, {}, True),
        (MARIADB, MysqlError("tls", "not trusted", 2026), {}, False),
        (OLD_MARIADB, MysqlError("tls", "no TLS", 2026), {}, False),
        # Who verified it once is not content with less.
        (MARIADB, MysqlError("tls", "not trusted", 2026), {"tls_authority": AUTHORITY_FILE}, True),
        # It takes its certificate while it runs.
        (MYSQL, MysqlError("tls", "not trusted", 2026), {}, True),
        (MARIADB, MysqlError("unreachable", "gone", 2002), {}, True),
    ],
)
def test_only_a_mariadb_that_was_not_started_since_is_followed_without_proof(
    here: Server, error: MysqlError | None, followed: dict[str, Any], proven: bool
) -> None:
    found = judged(Shown(error), with_authority(here), WANTED, [channel(here, **followed)])
    assert found.proven is proven


@SERVERS
def test_a_second_run_changes_nothing(here: Server) -> None:
    plan = plan_replica(here, [channel(here)], WANTED)
    assert plan.refusal is None
    assert plan.statements == []
    assert plan.before == {key: plan.before[key] for key in plan.after} == plan.after


@SERVERS
def test_no_secret_is_shown(here: Server) -> None:
    plan = plan_replica(here, [channel(here, "old")], WANTED)
    assert plan.before["password"] == "another"
    assert "pa'ss" not in repr((plan.before, plan.after))
    assert "pa'ss" not in repr((WANTED, channel(here)))


@SERVERS
@pytest.mark.parametrize(
    "change",
    [
        {"password": "old"},
        {"password": None, "io_errno": 1045, "io_state": "Connecting"},
        {"user": "other"},
        {"gtid_mode": "No"},
        {"connect_retry": 60},
        {"heartbeat_period": 30.0},
    ],
    ids=str,
)
def test_what_differs_is_set_again(here: Server, change: dict[str, Any]) -> None:
    plan = plan_replica(here, [channel(here, **change)], WANTED)
    assert [statement.split()[0] for statement in plan.statements] == ["STOP", "CHANGE", "START"]


@SERVERS
def test_what_the_server_does_not_say_is_not_compared(here: Server) -> None:
    silent = channel(here, None, heartbeat_period=None)
    assert plan_replica(here, [silent], WANTED).statements == []


@SERVERS
def test_without_a_login_the_one_that_is_there_stays(here: Server) -> None:
    assert plan_replica(here, [channel(here)], Wanted("10.0.0.20")).statements == []
    assert "user and password are needed" in (plan_replica(here, [], Wanted("10.0.0.20")).refusal or "")


@SERVERS
@pytest.mark.parametrize("change", [{"io_state": "No"}, {"sql_state": "No"}], ids=str)
def test_a_stopped_replica_is_started(here: Server, change: dict[str, str]) -> None:
    plan = plan_replica(here, [channel(here, **change)], WANTED)
    assert plan.statements == ["START SLAVE" if here.is_mariadb else "START REPLICA"]


@SERVERS
def test_one_that_is_trying_to_connect_is_left_alone(here: Server) -> None:
    assert plan_replica(here, [channel(here, io_state="Connecting", io_errno=2003)], WANTED).statements == []


@pytest.mark.parametrize(
    ("here", "statement"),
    [
        (server("11.8.6-MariaDB", read_only="OFF"), "SET GLOBAL read_only = ON"),
        (
            server("9.7.4-2", read_only="ON", super_read_only="OFF", server_uuid=OWN),
            "SET GLOBAL super_read_only = ON",
        ),
    ],
)
def test_a_replica_is_closed_before_it_starts(here: Server, statement: str) -> None:
    plan = plan_replica(here, [], WANTED)
    assert plan.statements[0] == statement
    assert plan.before["read_only"] is False
    assert plan.after["read_only"] is True


@SERVERS
def test_another_primary_is_refused(here: Server) -> None:
    other = channel(here, host="10.0.0.99")
    assert "replicates from 10.0.0.99:3306, not from 10.0.0.20:3306" in (
        refuse_replica(here, [other], WANTED, False) or ""
    )
    plan = plan_replica(here, [other], WANTED)
    assert plan.statements == []
    moved = plan_replica(here, [other], WANTED, allow_repoint=True)
    assert [statement.split()[0] for statement in moved.statements] == ["STOP", "CHANGE", "START"]


@SERVERS
def test_a_channel_with_a_name_is_refused(here: Server) -> None:
    refusal = refuse_replica(here, [channel(here, name="ch1")], WANTED, True)
    assert "over the channel 'ch1'" in (refusal or "")


def test_data_of_its_own_is_refused() -> None:
    here = server("11.8.6-MariaDB", gtid_binlog_state="0-2-4")
    plan = plan_replica(here, [], WANTED)
    assert "holds transactions written here (0-2-4), expected an empty server" in (plan.refusal or "")
    assert plan.statements == []


def test_a_server_is_not_its_own_primary() -> None:
    here = server("11.8.6-MariaDB", bind_address="10.0.0.20,127.0.0.1")
    assert "is this server itself" in (refuse_replica(here, [], WANTED, False) or "")


@SERVERS
def test_a_replica_is_not_made_the_primary(here: Server) -> None:
    plan = plan_primary(here, [channel(here, io_state="Connecting")])
    assert "is a replica of 10.0.0.20:3306 (receiving: Connecting, applying: Yes)" in (plan.refusal or "")
    assert "promote it first" in (plan.refusal or "")
    assert plan.statements == []


@SERVERS
def test_a_closed_primary_is_opened(here: Server) -> None:
    assert plan_primary(here, []).statements == ["SET GLOBAL read_only = OFF"]


def test_an_open_primary_stays() -> None:
    assert plan_primary(server("9.7.4-2", read_only="OFF", super_read_only="OFF"), []).statements == []


def test_mariadb_rows() -> None:
    rows: Rows = [
        {
            "Connection_name": "",
            "Master_Host": "10.0.0.20",
            "Master_Port": "3306",
            "Master_User": "repl",
            "Connect_Retry": "5",
            "Using_Gtid": "Slave_Pos",
            "Master_SSL_Allowed": "Yes",
            "Master_SSL_Verify_Server_Cert": "Yes",
            "Slave_heartbeat_period": "5.000",
            "Slave_IO_Running": "Yes",
            "Slave_SQL_Running": "Yes",
            "Last_IO_Errno": "0",
            "Last_IO_Error": "",
        },
        {"Connection_name": "", "Master_Host": ""},
    ]
    info = "33\nbinlog.000001\n330\n10.0.0.20\nrepl\npa'ss\n3306\n5\n1\n"
    assert read_channels([*rows], stored_by_mariadb(info)) == [channel(MARIADB)]
    assert read_channels([*rows], stored_by_mariadb(None))[0].stored.password is None


def test_mysql_rows() -> None:
    row: Row = {
        "Source_Host": "10.0.0.20",
        "Source_Port": "3306",
        "Source_User": "repl",
        "Connect_Retry": "5",
        "Source_Retry_Count": "86400",
        "Auto_Position": "1",
        "Source_SSL_Allowed": "Yes",
        "Replica_IO_Running": "Yes",
        "Replica_SQL_Running": "Yes",
        "Last_IO_Errno": "0",
        "Last_IO_Error": "",
        "Channel_Name": "",
    }
    stored: Row = {"Channel_name": "", "User_password": "pa'ss", "Heartbeat": "5.000"}
    (found,) = read_channels([row], stored_by_mysql([stored]))
    bare = channel(MYSQL, heartbeat_period=None, tls_verified=None, source_words=True)
    assert found == replace(bare, stored=Stored("pa'ss", 5.0))
    assert found.heartbeat_period == 5.0
    assert read_channels([row], {})[0].stored.password is None


LOGIN = MysqlLogin("10.0.0.20", user="repl", password="pa'ss")


class Primary(MysqlServer):
    """Answers SHOW GRANTS, or does not let us in."""

    def __init__(self, grants: list[str] | MysqlError) -> None:
        self.grants = grants

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        assert statements == ["SHOW GRANTS"]
        if isinstance(self.grants, MysqlError):
            raise self.grants
        return [[{"Grants for repl@%": grant} for grant in self.grants]]


@pytest.mark.parametrize(
    ("answer", "text", "may_heal"),
    [
        (MysqlError("auth", "Host '10.0.0.21' is not allowed", 1130), "has no account for this host", True),
        (MysqlError("auth", "Access denied", 1045), "refuses the user 'repl': wrong replication password", False),
        (MysqlError("unreachable", "Can't connect", 2002, "refused"), "cannot be reached: Can't connect", True),
        (MysqlError("tls", "SSL is required", 2026), "answers: SSL is required", False),
        (["GRANT USAGE ON *.* TO `repl`@`%`"], "GRANT REPLICATION SLAVE is missing", True),
    ],
)
def test_a_primary_that_does_not_let_us_in_is_described(
    answer: list[str] | MysqlError, text: str, may_heal: bool
) -> None:
    problem = primary_problem(Primary(answer), LOGIN)
    assert problem is not None
    assert problem.text.startswith("the primary 10.0.0.20:3306 ")
    assert text in problem.text
    assert problem.may_heal is may_heal


@pytest.mark.parametrize(
    "grant",
    ["GRANT REPLICATION SLAVE ON *.* TO `repl`@`10.0.0.21`", "GRANT ALL PRIVILEGES ON *.* TO `repl`@`%`"],
)
def test_a_primary_that_lets_us_in_is_no_problem(grant: str) -> None:
    assert primary_problem(Primary([grant]), LOGIN) is None


@pytest.mark.parametrize(("here", "tls"), [(MARIADB, "required"), (OLD_MARIADB, "disabled"), (MYSQL, "required")])
def test_the_primary_is_asked_the_way_the_replication_goes(here: Server, tls: str) -> None:
    assert primary_login(here, WANTED).tls == tls
    assert primary_login(MYSQL, replace(WANTED, tls="disabled")).tls == "auto"


class Logs(MysqlServer):
    """A primary whose binary logs hold transactions of some servers."""

    def __init__(self, state: str) -> None:
        self.state = state

    def answer(self, _statements: Sequence[str]) -> list[Rows]:
        return [[{"state": self.state}]]


def test_a2_an_empty_server_does_not_skip_what_was_written_under_its_number() -> None:
    said = skipped(Logs("0-3-5,0-2-376"), MARIADB, WANTED)
    assert said == (
        "the binary logs of the primary 10.0.0.20:3306 hold transactions under server_id 2, which is this server's, so it would"
        " skip them: give it a number that no server had"
    )
    # Nothing of its own in the logs; it has data already, and goes on where it was; MySQL does not tell.
    assert skipped(Logs("0-22-5,2-3-2"), MARIADB, WANTED) is None
    assert skipped(Logs("0-2-5"), server("11.8.6-MariaDB", gtid_slave_pos="0-3-1"), WANTED) is None
    assert skipped(Logs("0-2-5"), MYSQL, WANTED) is None


def adopted(**variables: str) -> Server:
    values = {"version": "11.8.6-MariaDB", "server_id": "1", "log_bin": "OFF", "gtid_domain_id": "0", **variables}
    return read_server(
        [{"Variable_name": name, "Value": value} for name, value in values.items()], [{"name": "shop", "sees_all": "1"}]
    )


def test_b4_the_logs_of_a_server_that_had_none_begin_after_its_data() -> None:
    plan = plan_primary(adopted(), [])
    assert plan.statements == ["SET GLOBAL gtid_slave_pos = '0-1-1'"]
    assert plan.after["logs_begin_after"] == "0-1-1"


@pytest.mark.parametrize("variables", [{"log_bin": "ON"}, {"gtid_slave_pos": "0-1-1"}, {"version": "9.7.4-2"}])
def test_b4_it_is_told_once_and_only_where_logs_are_missing(variables: dict[str, str]) -> None:
    assert plan_primary(adopted(**variables), []).statements == []
    assert plan_primary(server("11.8.6-MariaDB", log_bin="OFF"), []).statements == []
