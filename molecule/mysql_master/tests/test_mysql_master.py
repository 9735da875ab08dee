# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The primary as another host sees it, after a second run and a row of mistakes."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.restricted import MOST_EXPOSED, exposure, of_process
from testinfra.host import Host

# As the servers write it.
APPLICATION = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES, CREATE VIEW,"
    " SHOW VIEW"
)


def sql(host: Host, statement: str) -> list[str]:
    client = "mariadb" if host.exists("mariadb") else "mysql"
    return host.check_output(f"{client} --batch --skip-column-names --execute {shlex.quote(statement)}").splitlines()


def variable(host: Host, name: str) -> str:
    return sql(host, f"SELECT @@GLOBAL.{name}")[0]


@pytest.fixture
def mariadb(host: Host) -> bool:
    return "mariadb" in variable(host, "version").lower()


def test_server_runs_and_starts_at_boot(host: Host, mariadb: bool) -> None:
    service = host.service("mariadb" if mariadb else "mysql")
    assert service.is_running
    assert service.is_enabled
    properties = host.check_output(f"systemctl show --property=After,Restart {service.name}")
    assert "network-online.target" in properties
    assert "Restart=on-failure" in properties


def test_p8_it_does_without_most_rights(host: Host, mariadb: bool) -> None:
    unit = "mariadb" if mariadb else "mysql"
    assert exposure(host, unit) <= MOST_EXPOSED
    assert exposure(host, "webcluster-status") <= MOST_EXPOSED
    assert (of_process(host, unit, "NoNewPrivs"), of_process(host, unit, "Seccomp")) == ("1", "2")


def test_it_listens_at_its_address_and_loopback_only(host: Host) -> None:
    sockets = host.check_output("ss -Hltn")
    found = sorted(line.split()[3] for line in sockets.splitlines() if line.split()[3].endswith((":3306", ":33060")))
    assert found == ["10.92.1.4:3306", "127.0.0.1:3306"]


def test_version_is_a_supported_one(host: Host, mariadb: bool) -> None:
    assert variable(host, "version").startswith(("10.11.", "11.8.") if mariadb else ("9.7.",))


def test_replication_is_by_gtid_and_safe(host: Host, mariadb: bool) -> None:
    wanted = {"sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1", "binlog_format": "ROW", "log_bin": "1"}
    wanted |= {"binlog_expire_logs_seconds": "604800", "skip_name_resolve": "1", "local_infile": "0"}
    wanted |= {"relay_log_recovery": "1"}
    wanted |= (
        {"gtid_strict_mode": "1", "log_slave_updates": "1", "slave_parallel_threads": "4", "log_warnings": "1"}
        if mariadb
        else {"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "log_replica_updates": "1"}
    )
    assert {name: variable(host, name) for name in wanted} == wanted
    # Not the one that every server has.
    assert int(variable(host, "server_id")) > 1


def test_sizes_fit_little_memory(host: Host) -> None:
    assert variable(host, "innodb_buffer_pool_size") == str(32 << 20)


def test_settings_of_the_user_win(host: Host) -> None:
    assert variable(host, "wait_timeout") == "3600"
    assert variable(host, "log_bin_trust_function_creators") == "1"


def test_primary_is_open_for_writes_and_stays_so(host: Host) -> None:
    assert variable(host, "read_only") == "0"
    assert host.file("/etc/mysql/conf.d/webcluster-read-only.cnf").contains("^read_only = OFF$")


def test_accounts_come_from_their_hosts_only(host: Host) -> None:
    rows = sql(host, "SELECT CONCAT(User, '@', Host) FROM mysql.user WHERE Host <> 'localhost' ORDER BY 1")
    assert rows == ["app@10.92.1.0/255.255.255.240", "app@127.0.0.1", "replication@10.92.1.5"]
    assert sql(host, "SELECT User FROM mysql.user WHERE User = ''") == []


@pytest.mark.parametrize(
    ("account", "grants"),
    [
        ("'replication'@'10.92.1.5'", ["REPLICATION SLAVE ON *.*"]),
        ("'app'@'127.0.0.1'", [f"{APPLICATION} ON `demo`.*", f"{APPLICATION} ON `my\\\\_shop`.*", "USAGE ON *.*"]),
    ],
)
def test_accounts_have_their_privileges_only(host: Host, account: str, grants: list[str]) -> None:
    rows = sql(host, f"SHOW GRANTS FOR {account}")
    assert sorted(row.removeprefix("GRANT ").split(" TO ")[0] for row in rows) == grants


def test_application_reaches_its_schemas_and_no_other(host: Host) -> None:
    client = "mariadb" if host.exists("mariadb") else "mysql"
    # In octal numbers, because sudo logs its command and the next test looks for the password there as well.
    password = r"""MYSQL_PWD="$(printf 'molecule\047\042\134application')" """
    login = f"{password} {client} --host=127.0.0.1 --user=app"
    assert host.run(f"{login} --execute 'CREATE OR REPLACE VIEW demo.v AS SELECT 1; DROP VIEW demo.v'").rc == 0
    assert host.run(f"{login} --execute 'SELECT * FROM mysql.user'").rc != 0
    # The underscore in a grant must not match any letter.
    assert "denied" in host.run(f"{login} --execute 'CREATE DATABASE myxshop'").stderr


def test_passwords_are_stored_as_hashes_of_the_right_kind(host: Host, mariadb: bool) -> None:
    plugin = "mysql_native_password" if mariadb else "caching_sha2_password"
    rows = sql(host, "SELECT DISTINCT plugin FROM mysql.user WHERE User IN ('app', 'replication')")
    assert rows == [plugin]


def test_no_clear_text_password_on_the_host(host: Host) -> None:
    # The word is put together so that the search does not find itself.
    found = host.run('grep -rlaF "$(printf \'molecule%s\' "\'")" /etc/mysql /var/lib/mysql /var/log /run')
    assert found.stdout == ""


def test_accounts_are_not_in_the_binary_log(host: Host, mariadb: bool) -> None:
    program = "mariadb-binlog" if mariadb else "mysqlbinlog"
    log = host.check_output(f"{program} /var/lib/mysql/binlog.000001")
    assert "CREATE DATABASE `demo`" in log
    assert "CREATE USER" not in log


def test_health_checks_leave_no_line_in_the_log(host: Host, mariadb: bool) -> None:
    host.check_output("timeout 5 bash -c ': < /dev/tcp/10.92.1.4/3306'")
    unit = "mariadb" if mariadb else "mysql"
    assert "Aborted connection" not in host.check_output(f"journalctl --unit {unit} --no-pager")
    assert host.run("grep -q 'Got an error reading communication packets' /var/log/mysql/error.log").rc != 0


def test_bad_option_did_not_replace_the_good_file(host: Host, mariadb: bool) -> None:
    path = "/etc/mysql/mariadb.conf.d/60-webcluster.cnf" if mariadb else "/etc/mysql/mysql.conf.d/webcluster.cnf"
    assert "no_such_option" not in host.file(path).content_string
