# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each trap on real MySQL or MariaDB servers: what replication_status says, what others say, and that the hint mends it."""

from __future__ import annotations

import contextlib
import http.client
import re
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.molecule.replication_status.tests.lab import (
    ADDRESSES,
    RELEASE,
    VARIABLES,
    Deaf,
    Frozen,
    Keep,
    Result,
    hints,
    module,
    on,
    shell,
    status,
)
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until

PRIMARY, REPLICA, OTHER = "rsdb1", "rsdb2", "rsdb3"
MYSQL = RELEASE == "sid"
UNIT = "mysql" if MYSQL else "mariadb"
CLIENT = "mysql" if MYSQL else "mariadb"
MONITOR = VARIABLES["mysql_server_monitor_password"]
ABOVE = {"login_host": ADDRESSES[PRIMARY], "login_user": "monitor", "login_password": MONITOR}
# MySQL's words, and MariaDB's for the same.
WORDS = {
    "START REPLICA": "START SLAVE",
    "STOP REPLICA": "STOP SLAVE",
    "RESET REPLICA ALL": "RESET SLAVE ALL",
    "CHANGE REPLICATION SOURCE TO": "CHANGE MASTER TO",
    "RESET BINARY LOGS AND GTIDS": "RESET MASTER",
    "SOURCE_": "MASTER_",
}


def sql(name: str, statements: str, check: bool = True) -> str:
    """Run statements in MySQL's words as root."""
    if not MYSQL:
        for new, old in WORDS.items():
            statements = statements.replace(new, old)
    command = f"{CLIENT} --batch --skip-column-names --execute {shlex.quote(statements)}"
    return shell(name, command) if check else str(on(name).run(command).stderr)


def column(name: str, *columns: str) -> str:
    """Return a column of the replica's status."""
    statement = "SHOW REPLICA STATUS" if MYSQL else "SHOW SLAVE STATUS"
    text = shell(name, f"{CLIENT} --vertical --execute {shlex.quote(statement)}")
    found = {name: value.strip() for name, _colon, value in (line.strip().partition(":") for line in text.splitlines())}
    return next((found[each] for each in columns if each in found), "")


# --- What others say ------------------------------------------------------------------------------------------------


def others(name: str = REPLICA) -> dict[str, str]:
    """Ask three well-known checks about the replica and put their answers into a word."""
    collection = "ansible.mysql.mysql" if MYSQL else "ansible.mariadb.mariadb"
    login: dict[str, Any] = {"login_unix_socket": "/run/mysqld/mysqld.sock", "login_user": "root"}
    found = module(name, f"{collection}_replication", mode="getreplica", **login)
    words = [f"{word}_{thread}_Running" for thread in ("IO", "SQL") for word in ("Replica", "Slave")]
    threads = [str(found[word]) for word in words if word in found]
    lag = column(name, "Seconds_Behind_Source", "Seconds_Behind_Master") or "NULL"
    nagios = on(name).run("/usr/lib/nagios/plugins/check_mysql -s /run/mysqld/mysqld.sock -u root -S -w 10 -c 30")
    said = re.split(r"[|:]", str(nagios.stdout).strip(), maxsplit=1)
    return {
        "module": f"well ({'/'.join(threads)})"
        if threads == ["Yes", "Yes"]
        else f"ill ({'/'.join(threads) or found.get('msg')})",
        "lag": "well (0)" if lag == "0" else f"ill ({lag})",
        "nagios": f"{'well' if nagios.rc == 0 else 'ill'} ({(said[1] if said[0] == 'ERROR' else said[0]).strip()[:60]})",
    }


Notes = Callable[[str, Result], None]


@pytest.fixture
def note(keep: Keep) -> Notes:
    return lambda trap, result: keep("MySQL" if MYSQL else "MariaDB", trap, result, others())


def said(name: str, path: str) -> int:
    """Ask the status service as HAProxy does."""
    connection = http.client.HTTPConnection(ADDRESSES[name], 9200, timeout=5)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status
    finally:
        connection.close()


# --- The pair, and how it is made whole again -----------------------------------------------------------------------


def judge(**params: Any) -> Result:
    return status(REPLICA, **{"expect_role": "replica", **params})


def well(**params: Any) -> Result:
    """Wait until the pair is whole, proven by a canary."""
    result = judge(primary=ABOVE, canary="both", timeout=60, fail_fast=False, **params)
    assert result["healthy"], hints(result)
    return result


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    """Whatever a test did, the next one finds a healthy pair."""
    yield
    well()


@contextlib.contextmanager
def changed(options: str, back: str) -> Iterator[None]:
    """Give the replica's connection other options for a while."""
    try:
        sql(REPLICA, f"STOP REPLICA; CHANGE REPLICATION SOURCE TO {options}; START REPLICA")
        yield
    finally:
        sql(REPLICA, f"STOP REPLICA; CHANGE REPLICATION SOURCE TO {back}; START REPLICA")


@contextlib.contextmanager
def setting(name: str, variable: str, value: str) -> Iterator[None]:
    before = sql(name, f"SELECT @@GLOBAL.{variable}")
    try:
        sql(name, f"SET GLOBAL {variable} = {value}")
        yield
    finally:
        sql(name, f"SET GLOBAL {variable} = {before}")


@contextlib.contextmanager
def writable(name: str = REPLICA) -> Iterator[None]:
    names = ["super_read_only", "read_only"] if MYSQL else ["read_only"]
    try:
        for each in names:
            sql(name, f"SET GLOBAL {each} = 0")
        yield
    finally:
        sql(name, f"SET GLOBAL {names[0]} = 1")


@contextlib.contextmanager
def running(statement: str = "START REPLICA") -> Iterator[None]:
    try:
        yield
    finally:
        sql(REPLICA, statement)


def silent(statement: str) -> str:
    """Return a statement that leaves no trace in the binary log."""
    return f"SET SESSION sql_log_bin = 0; {statement}"


def test_the_pair_is_healthy_and_each_canary_has_its_time(note: Notes) -> None:
    result = well(require_gtid=True)
    assert (result["canary"]["seen"], result["checks"]["canary"]["ok"]) == (True, True)
    assert 0 <= result["canary"]["latency_ms"] < 5000
    assert result["checks"]["heartbeat"]["ok"] is True
    assert (result["gtid"]["errant"], result["primary"]["host"]) == ("", ADDRESSES[PRIMARY])
    assert result["lag"]["source"] == "native"
    primary = status(PRIMARY, expect_role="primary", canary="both", min_replicas=1)
    assert primary["healthy"], hints(primary)
    assert ADDRESSES[REPLICA] in [replica["host"] for replica in primary["replicas"]]
    note("healthy", result)


def test_two_steps_need_no_login_for_another_host() -> None:
    sent = status(PRIMARY, expect_role="primary", canary="write")
    result = judge(
        expect_primary=sent["identity"],
        wait_for=sent["position"],
        canary="read",
        canary_token=sent["canary"]["token"],
        timeout=30,
    )
    assert result["healthy"], hints(result)
    assert result["canary"]["written_at"] == sent["canary"]["written_at"]
    assert result["checks"]["caught_up"]["ok"] is True
    assert result["checks"]["primary_identity"]["ok"] is True


def test_a_wrong_password(note: Notes) -> None:
    with changed(
        "SOURCE_PASSWORD = 'wrong'", f"SOURCE_PASSWORD = {literal(VARIABLES['mysql_server_replication_password'])}"
    ):
        assert until(lambda: column(REPLICA, "Last_IO_Errno") == "1045")
        result = judge(timeout=60)
        assert (result["state"], result["lag"]["seconds"]) == ("auth_failed", None)
        assert result["waited"] < 30
        assert "refuses the password or account of 'replication'" in result["msg"]
        assert re.search(r"CHANGE (MASTER|REPLICATION SOURCE) TO (MASTER|SOURCE)_PASSWORD = ", hints(result))
        note("wrong replication password", result)


def literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def test_a_frozen_primary(note: Notes) -> None:
    # The connection is given up after a minute only, as the servers do by default.
    variable = "replica_net_timeout" if MYSQL else "slave_net_timeout"
    with setting(REPLICA, variable, "60"), changed("SOURCE_HEARTBEAT_PERIOD = 1", "SOURCE_HEARTBEAT_PERIOD = 5"):
        well()
        with Frozen(PRIMARY, UNIT):
            time.sleep(4)
            result = judge()
            assert (result["state"], result["reasons"][0]["check"]) == ("connecting", "heartbeat"), hints(result)
            assert "nothing has come from" in result["msg"]
            assert "look at the primary" in hints(result)
            note("frozen primary (SIGSTOP)", result)
            # Seen from the primary's side too: it does not answer.
            asked = judge(primary={**ABOVE, "connect_timeout": 2}, max_io_idle=600)
            assert asked["checks"]["primary_reachable"]["ok"] is False
            assert not asked["healthy"]


def test_packets_that_are_dropped(note: Notes) -> None:
    variable = "replica_net_timeout" if MYSQL else "slave_net_timeout"
    with setting(REPLICA, variable, "60"), changed("SOURCE_HEARTBEAT_PERIOD = 1", "SOURCE_HEARTBEAT_PERIOD = 5"):
        well()
        with Deaf(PRIMARY, REPLICA):
            time.sleep(4)
            result = judge()
            assert (result["state"], result["reasons"][0]["check"]) == ("connecting", "heartbeat"), hints(result)
            note("packets between the hosts are dropped", result)


def test_a_primary_that_is_down(note: Notes) -> None:
    shell(PRIMARY, f"systemctl stop {UNIT}")
    try:
        assert until(lambda: column(REPLICA, "Replica_IO_Running", "Slave_IO_Running") == "Connecting")
        result = judge(primary=ABOVE)
        assert result["state"] == "connecting"
        assert result["checks"]["primary_reachable"]["value"] == "refused"
        assert "cannot be reached" in hints(result)
        note("primary down", result)
        # Reads do not die with the primary.
        assert said(REPLICA, "replica") == 200
        assert said(REPLICA, "status") == 503
    finally:
        shell(PRIMARY, f"systemctl start {UNIT}")


@pytest.mark.parametrize(("thread", "check"), [("IO_THREAD", "io"), ("SQL_THREAD", "sql")])
def test_a_stopped_thread_is_started_by_its_hint(note: Notes, thread: str, check: str) -> None:
    with running():
        sql(REPLICA, f"STOP REPLICA {thread}")
        result = judge()
        assert (result["state"], result["reasons"][0]["check"], result["lag"]["seconds"]) == ("stopped", check, None)
        note(f"{thread} stopped", result)
        sql(REPLICA, str(result["reasons"][0]["hint"]))
        assert judge(timeout=30)["healthy"]


def test_an_errant_write(note: Notes) -> None:
    strict = contextlib.nullcontext() if MYSQL else setting(REPLICA, "gtid_strict_mode", "0")
    with strict:
        try:
            with writable():
                sql(REPLICA, "CREATE TABLE demo.errant (id INT PRIMARY KEY)")
            # Hidden on MariaDB from the next event on, in every position but the binary log's state.
            for number in range(2):
                sql(PRIMARY, f"REPLACE INTO ansible_canary.probe VALUES ('errant-{number}', UTC_TIMESTAMP(6))")
            assert judge(timeout=5, ignore_checks=["errant"])["healthy"]
            alone = judge()
            assert (alone["state"], alone["gtid"]["errant_count"]) == ("diverged", 1), hints(alone)
            result = judge(primary=ABOVE)
            assert (result["state"], result["gtid"]["errant_count"]) == ("diverged", 1), hints(result)
            own = result["identity"]["uuid"] if MYSQL else str(result["identity"]["server_id"])
            assert own in result["gtid"]["errant"]
            assert judge(primary=ABOVE, allow_errant=[own])["healthy"]
            note("errant write on the replica", result)
        finally:
            sql(REPLICA, "STOP REPLICA")
            with writable():
                sql(REPLICA, silent("DROP TABLE IF EXISTS demo.errant"))
            forget_the_rest()
            sql(REPLICA, "START REPLICA")


def forget_the_rest() -> None:
    """Let the replica's history hold nothing but what came from the primary."""
    if MYSQL:
        uuid = sql(PRIMARY, "SELECT @@server_uuid")
        sets = sql(REPLICA, "SELECT @@GLOBAL.gtid_executed").replace("\\n", "").split(",")
        kept = ",".join(part.strip() for part in sets if part.strip().startswith(uuid))
        with writable():
            sql(REPLICA, f"RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '{kept}'")
        return
    position = sql(REPLICA, "SELECT @@GLOBAL.gtid_slave_pos").split(",")
    kept = ",".join(part for part in position if part.startswith("0-"))
    sql(REPLICA, f"RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_slave_pos = '{kept}'")


def test_another_primary_than_the_right_one(note: Notes) -> None:
    right = status(OTHER, expect_role="primary")
    result = judge(expect_primary=right["identity"])
    assert result["state"] == "wrong_primary"
    assert f"follows {ADDRESSES[PRIMARY]}:3306, which is not the expected primary" in result["msg"]
    assert ADDRESSES[OTHER] in str(result["reasons"][0]["hint"])
    assert judge(expect_primary=ADDRESSES[OTHER])["state"] == "wrong_primary"
    assert judge(primary={**ABOVE, "login_host": ADDRESSES[OTHER]})["state"] == "wrong_primary"
    note("healthy link to the wrong primary", result)


def test_purged_binary_logs(note: Notes) -> None:
    sql(REPLICA, "STOP REPLICA")
    try:
        for number in range(2):
            sql(
                PRIMARY,
                f"REPLACE INTO ansible_canary.probe VALUES ('purged-{number}', UTC_TIMESTAMP(6)); FLUSH BINARY LOGS",
            )
        newest = sql(PRIMARY, "SHOW BINARY LOGS").splitlines()[-1].split()[0]
        sql(PRIMARY, f"PURGE BINARY LOGS TO '{newest}'")
        sql(REPLICA, "START REPLICA")
        assert until(lambda: column(REPLICA, "Last_IO_Errno") not in ("", "0"))
        result = judge(timeout=60)
        assert result["state"] == "needs_reseed", hints(result)
        assert result["waited"] < 30
        assert "no longer has the binary logs" in result["msg"]
        note("binary logs purged", result)
    finally:
        # What was purged were canaries, so the data are the same.
        sql(REPLICA, "STOP REPLICA")
        with writable():
            if MYSQL:
                everything = sql(PRIMARY, "SELECT @@GLOBAL.gtid_executed").replace("\\n", "")
                sql(REPLICA, f"RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '{everything}'")
            else:
                position = sql(PRIMARY, "SELECT @@GLOBAL.gtid_binlog_pos")
                sql(REPLICA, f"RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_slave_pos = '{position}'")
        sql(REPLICA, "START REPLICA")


def test_a_conflicting_row(note: Notes) -> None:
    sql(PRIMARY, "CREATE TABLE IF NOT EXISTS demo.conflict (id INT PRIMARY KEY)")
    well()
    with writable():
        sql(REPLICA, silent("INSERT INTO demo.conflict VALUES (1)"))
    try:
        sql(PRIMARY, "INSERT INTO demo.conflict VALUES (1)")
        assert until(lambda: column(REPLICA, "Last_SQL_Errno") == "1062")
        result = judge(timeout=60)
        assert (result["state"], result["reasons"][0]["errno"]) == ("broken", 1062)
        assert result["waited"] < 30
        assert "INSERT" not in hints(result)
        note("SQL error by a conflicting row", result)
    finally:
        with writable():
            sql(REPLICA, silent("DELETE FROM demo.conflict"))
        sql(REPLICA, "START REPLICA")
        sql(PRIMARY, "DROP TABLE demo.conflict")


def test_a_delayed_replica(note: Notes) -> None:
    with changed("SOURCE_DELAY = 3600", "SOURCE_DELAY = 0"):
        sent = status(PRIMARY, expect_role="primary", canary="write")
        asked: Result = {"wait_for": sent["position"], "canary": "read", "canary_token": sent["canary"]["token"]}
        assert until(lambda: judge(allow_delay=True, **asked)["healthy"])
        result = judge(**asked)
        assert result["state"] == "lagging"
        assert "stay 3600 s behind" in result["msg"]
        assert re.search(r"(MASTER|SOURCE)_DELAY = 0", str(result["reasons"][0]["hint"]))
        accepted = judge(allow_delay=True, **asked)
        assert accepted["healthy"], hints(accepted)
        assert (accepted["checks"]["caught_up"]["ok"], accepted["checks"]["canary"]["ok"]) == (True, None)
        note("delayed replica", result)


def test_a_filter_that_swallows_the_canary(note: Notes) -> None:
    def replace_filter(value: str) -> None:
        if MYSQL:
            listed = ", ".join(f"'{item}'" for item in value.split(","))
            sql(
                REPLICA,
                f"STOP REPLICA; CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE = ({listed}); START REPLICA",
            )
        else:
            sql(REPLICA, f"STOP REPLICA; SET GLOBAL replicate_wild_ignore_table = '{value}'; START REPLICA")

    replace_filter("mysql.%,ansible_canary.%")
    try:
        result = judge(timeout=5)
        assert (result["state"], result["reasons"][0]["check"]) == ("diverged", "filters")
        assert "ansible" in result["msg"]
        # Filters on the primary are not seen from here; the canary shows them all.
        proven = judge(primary=ABOVE, canary="both", allow_filters=True, timeout=10)
        assert (proven["state"], proven["reasons"][0]["check"]) == ("diverged", "canary"), hints(proven)
        assert proven["canary"]["seen"] is False
        note("filter that swallows the canary", proven)
    finally:
        replace_filter("mysql.%")


def test_a_canary_never_stops_replication(note: Notes) -> None:
    with writable():
        sql(REPLICA, silent("DROP TABLE ansible_canary.probe"))
    rows = sql(PRIMARY, "SELECT COUNT(*) FROM ansible_canary.probe")
    result = judge(primary=ABOVE, canary="both", timeout=10)
    assert (result["state"], result["reasons"][0]["check"]) == ("diverged", "canary"), hints(result)
    assert "has no canary table" in result["msg"]
    assert sql(PRIMARY, "SELECT COUNT(*) FROM ansible_canary.probe") == rows
    assert judge()["healthy"]
    note("table that only the replica lacks", result)
    with writable():
        sql(REPLICA, str(result["reasons"][0]["hint"]).split("binary log: ")[1])


@contextlib.contextmanager
def small_disk(name: str) -> Iterator[None]:
    """Put the data on a small file system and fill that."""
    shell(name, f"systemctl stop {UNIT}")
    shell(name, "mv /var/lib/mysql /var/lib/mysql.real && mkdir -m 0755 /var/lib/mysql")
    size = int(shell(name, "du -sm /var/lib/mysql.real").split()[0]) + 40
    try:
        shell(
            name, f"mount -t tmpfs -o size={size}m tmpfs /var/lib/mysql && cp -a /var/lib/mysql.real/. /var/lib/mysql/"
        )
        shell(
            name,
            "chown --reference=/var/lib/mysql.real /var/lib/mysql && chmod --reference=/var/lib/mysql.real /var/lib/mysql",
        )
        shell(name, f"systemctl start {UNIT}")
        shell(name, "dd if=/dev/zero of=/var/lib/mysql/filler bs=4k 2>/dev/null; true")
        # The last page of the binary log has room for a few more.
        row = "INSERT INTO ansible_canary.probe VALUES (UUID(), UTC_TIMESTAMP(6))"
        assert until(lambda: on(name).run(f"timeout 3 {CLIENT} --execute {shlex.quote(row)}").rc != 0)
        yield
    finally:
        shell(name, "rm -f /var/lib/mysql/filler")
        assert until(lambda: status(name, canary="write", timeout=0)["canary"]["seen"] is True)
        well()
        shell(name, f"systemctl stop {UNIT}")
        # What was written meanwhile is kept.
        shell(name, "rm -rf /var/lib/mysql.real/* && cp -a /var/lib/mysql/. /var/lib/mysql.real/")
        shell(name, "umount /var/lib/mysql && rmdir /var/lib/mysql && mv /var/lib/mysql.real /var/lib/mysql")
        shell(name, f"systemctl start {UNIT}")


def test_a_full_disk_on_the_primary(note: Notes) -> None:
    with small_disk(PRIMARY):
        result = status(PRIMARY, expect_role="primary", canary="both")
        # Servers hold their binary log while they wait for room, so that a part of the look, or the log-in, hangs already.
        found = (result["state"], result["reasons"][0]["check"])
        assert found in (("broken", "canary"), ("broken", "reachable"), ("broken", "writes")) or (
            MYSQL and found == ("unreachable", "reachable")
        )
        assert "df -h" in str(result["reasons"][0]["hint"])
        # MySQL may end itself when it cannot write its binary log; its replica has no primary then.
        assert (MYSQL and result["checks"]["reachable"]["value"] == "no_socket") or judge()["healthy"]
        assert until(lambda: said(PRIMARY, "primary") == 503)
        note("full disk on the primary", result)


def test_a_writable_replica_is_closed_by_its_hint(note: Notes) -> None:
    with writable():
        result = judge()
        assert (result["state"], result["reasons"][0]["check"]) == ("writable_replica", "read_only")
        note("replica that takes writes", result)
        sql(REPLICA, str(result["reasons"][0]["hint"]))
        assert judge()["healthy"]


def test_two_servers_with_one_id(note: Notes) -> None:
    with running("STOP REPLICA; START REPLICA"), setting(REPLICA, "server_id", sql(PRIMARY, "SELECT @@server_id")):
        sql(REPLICA, "STOP REPLICA; START REPLICA")
        assert until(lambda: column(REPLICA, "Replica_IO_Running", "Slave_IO_Running") == "No")
        result = judge()
        assert result["state"] == "broken", hints(result)
        assert "auto.cnf" in str(result["reasons"][0]["hint"])
        note("two servers with one server_id", result)


def test_file_positions(note: Notes) -> None:
    off, back = (
        ("SOURCE_AUTO_POSITION = 0", "SOURCE_AUTO_POSITION = 1")
        if MYSQL
        else ("MASTER_USE_GTID = no", "MASTER_USE_GTID = slave_pos")
    )
    with changed(off, back):
        result = judge(require_gtid=True, timeout=20)
        assert (result["state"], result["reasons"][0]["check"]) == ("broken", "gtid"), hints(result)
        assert judge(timeout=20)["healthy"]
        note("replication by file positions", result)
        sql(REPLICA, str(result["reasons"][0]["hint"]))
        assert judge(require_gtid=True, timeout=20)["healthy"]


def test_semi_synchronous_replication_that_is_not_in_use() -> None:
    result = judge(require_semi_sync=True)
    assert (result["state"], result["reasons"][0]["check"]) == ("broken", "semi_sync")
    assert re.search(r"rpl_semi_sync_(slave|replica)_enabled = 1", str(result["reasons"][0]["hint"]))


@pytest.fixture
def stranger() -> Iterator[str]:
    """An account that may log in and nothing else."""
    with writable():
        sql(REPLICA, silent("CREATE USER stranger@'localhost' IDENTIFIED BY 'molecule-1'"))
    yield "stranger"
    with writable():
        sql(REPLICA, silent("DROP USER stranger@'localhost'"))


def test_missing_privileges_are_granted_by_the_hints(stranger: str) -> None:
    login: Result = {
        "login_user": stranger,
        "login_password": "molecule-1",
        "login_unix_socket": "/run/mysqld/mysqld.sock",
    }
    assert judge(**{**login, "login_password": "wrong"})["state"] == "auth_failed"
    result = judge(**login)
    assert (result["state"], result["checks"]["reachable"]["value"]) == ("auth_failed", "privilege")
    for _grant in range(4):
        wanting = [reason for reason in result["reasons"] if str(reason["hint"]).startswith("GRANT")]
        if not wanting:
            break
        with writable():
            sql(REPLICA, silent(str(wanting[0]["hint"])))
        result = judge(**login)
    assert result["healthy"], hints(result)
    assert result["reasons"] == [], hints(result)
    token = well()["canary"]["token"]
    refused = judge(**login, canary="read", canary_token=token)
    assert (refused["state"], refused["reasons"][0]["check"]) == ("auth_failed", "canary")
    with writable():
        sql(REPLICA, silent(str(refused["reasons"][0]["hint"])))
    assert judge(**login, canary="read", canary_token=token)["canary"]["seen"] is True


def login_below() -> str:
    password = literal(VARIABLES["mysql_server_replication_password"])
    gtid = "SOURCE_AUTO_POSITION = 1" if MYSQL else "MASTER_USE_GTID = slave_pos"
    tls = 0 if RELEASE == "12" else 1
    return f"SOURCE_USER = 'replication', SOURCE_PASSWORD = {password}, SOURCE_SSL = {tls}, {gtid}"


@contextlib.contextmanager
def second_source() -> Iterator[tuple[str, str]]:
    """rsdb2 follows rsdb3 as well; gives the statements that stop and start that."""
    host = f"SOURCE_HOST = '{ADDRESSES[OTHER]}', {login_below()}"
    if MYSQL:
        # Both primaries made the same schemas, so what the second one did so far is taken as done.
        done = sql(OTHER, "SELECT @@GLOBAL.gtid_executed").replace("\\n", "")
        with writable():
            sql(REPLICA, f"STOP REPLICA; SET GLOBAL gtid_purged = '+{done}'; START REPLICA")
        make, suffix, drop = f"CHANGE REPLICATION SOURCE TO {host} FOR CHANNEL 'second'", " FOR CHANNEL 'second'", ""
    else:
        # Two that write at the same time need a domain each.
        sql(OTHER, "SET GLOBAL gtid_domain_id = 3; RESET MASTER")
        make, suffix, drop = f"CHANGE MASTER 'second' TO {host}", " 'second'", " ALL"
    sql(REPLICA, f"{make}; START REPLICA{suffix}")
    try:
        yield f"STOP REPLICA{suffix}", f"START REPLICA{suffix}"
    finally:
        reset = f"RESET REPLICA ALL{suffix}" if not drop else f"RESET SLAVE{suffix}{drop}"
        sql(REPLICA, f"STOP REPLICA{suffix}; {reset}")
        sql(REPLICA, "STOP REPLICA")
        forget_the_rest()
        sql(REPLICA, "START REPLICA")


def test_a_replica_of_two_primaries() -> None:
    with second_source() as (stop, start):
        for name in (PRIMARY, OTHER):
            sent = status(name, expect_role="primary", canary="write")
            result = judge(wait_for=sent["position"], canary="read", canary_token=sent["canary"]["token"], timeout=60)
            assert result["healthy"], (name, hints(result))
            assert result["gtid"]["errant"] == ""
        assert {channel["name"] for channel in result["channels"]} == {"", "second"}
        assert result["checks"]["heartbeat"]["ok"] is True
        sql(REPLICA, stop)
        result = judge()
        assert result["state"] == "stopped"
        assert result["msg"].startswith("channel 'second': ")
        assert result["lag"]["seconds"] is None
        assert judge(channel="")["healthy"]
        assert judge(channel="second")["state"] == "stopped"
        assert result["reasons"][0]["hint"] == (start if MYSQL else start.replace("REPLICA", "SLAVE"))
        sql(REPLICA, str(result["reasons"][0]["hint"]))
        assert judge(timeout=30)["healthy"]


def test_a_replica_of_a_replica() -> None:
    # It holds the same schemas; the rows of the past do not matter here.
    if MYSQL:
        past = sql(
            REPLICA, f"SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{sql(OTHER, 'SELECT @@GLOBAL.gtid_executed')}')"
        )
        sql(OTHER, f"SET GLOBAL gtid_purged = '+{past}'")
    else:
        past = sql(REPLICA, "SELECT @@GLOBAL.gtid_slave_pos")
        sql(OTHER, f"SET GLOBAL gtid_domain_id = 0; RESET MASTER; SET GLOBAL gtid_slave_pos = '{past}'")
    sql(OTHER, f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{ADDRESSES[REPLICA]}', {login_below()}; START REPLICA")
    try:
        own = status(OTHER)["identity"]
        result = status(
            OTHER,
            expect_role="replica",
            expect_primary=ADDRESSES[REPLICA],
            primary=ABOVE,
            canary="both",
            timeout=60,
            # It was a primary of its own before.
            allow_errant=[str(own["uuid"] or own["server_id"])],
            expect_read_only=False,
        )
        assert result["healthy"], hints(result)
        assert result["canary"]["seen"] is True
        assert judge()["role"] == "intermediate"
    finally:
        sql(OTHER, "STOP REPLICA; RESET REPLICA ALL")


@pytest.mark.skipif(not MYSQL, reason="MariaDB has no such plugin")
def test_a_password_that_only_the_cache_lets_in(note: Notes) -> None:
    sql(PRIMARY, silent("CREATE USER plain@'10.98.1.%' IDENTIFIED WITH caching_sha2_password BY 'molecule-1'"))
    sql(PRIMARY, silent("GRANT REPLICATION SLAVE ON *.* TO plain@'10.98.1.%'"))
    password = literal(VARIABLES["mysql_server_replication_password"])
    back = f"SOURCE_USER = 'replication', SOURCE_PASSWORD = {password}, SOURCE_SSL = 1, GET_SOURCE_PUBLIC_KEY = 1"
    try:
        with changed(
            "SOURCE_USER = 'plain', SOURCE_PASSWORD = 'molecule-1', SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 0", back
        ):
            assert until(lambda: column(REPLICA, "Last_IO_Errno") == "2061")
            result = judge()
            assert (result["state"], result["reasons"][0]["errno"]) == ("auth_failed", 2061)
            assert "SOURCE_SSL = 1" in hints(result)
            note("caching_sha2_password without TLS", result)
            sql(REPLICA, str(result["reasons"][0]["hint"]).partition("; or, without TLS")[0])
            assert judge(timeout=30, require_tls=True)["healthy"]
    finally:
        sql(PRIMARY, silent("DROP USER plain@'10.98.1.%'"))


@pytest.mark.skipif(RELEASE != "12", reason="the other releases replicate over TLS")
def test_a_connection_without_tls() -> None:
    result = judge(require_tls=True)
    assert (result["state"], result["reasons"][0]["check"]) == ("broken", "tls")
    assert "MASTER_SSL = 1" in hints(result)


def test_the_status_service_sees_the_same() -> None:
    assert until(lambda: (said(PRIMARY, "primary"), said(REPLICA, "replica")) == (200, 200))
    assert (said(PRIMARY, "replica"), said(REPLICA, "primary")) == (404, 503)
    with running():
        sql(REPLICA, "STOP REPLICA SQL_THREAD" if MYSQL else "STOP SLAVE SQL_THREAD")
        assert until(lambda: said(REPLICA, "replica") == 503)
    assert until(lambda: said(REPLICA, "replica") == 200)
    sql(PRIMARY, "SET GLOBAL read_only = 1")
    try:
        assert until(lambda: said(PRIMARY, "primary") == 503)
    finally:
        sql(PRIMARY, "SET GLOBAL read_only = 0")
    assert until(lambda: said(PRIMARY, "primary") == 200)
    # A server that hangs is not served as a good one.
    with Frozen(PRIMARY, UNIT):
        assert until(lambda: said(PRIMARY, "primary") == 503)
    assert until(lambda: said(PRIMARY, "primary") == 200)
