# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration and the accounts of mysql_server on each release and engine, and the server's word on them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import make_authority
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Call, Case, Run, play_role

USUAL = {
    "mysql_server_bind_address": "10.0.0.20",
    "mysql_server_members": ["10.0.0.21"],
    "mysql_server_memory_mb": 1024,
    "mysql_server_application_databases": ["demo"],
    "mysql_server_replication_password": "replication-secret",
    "mysql_server_application_password": "application-secret",
    "mysql_server_application_hosts": ["10.0.0.4", "10.0.0.5"],
    "mysql_server_monitor_password": "monitor-secret",
    "mysql_server_status_hosts": ["10.0.0.4"],
}
AUTHORITY = dict(
    zip(("mysql_server_ca_certificate", "mysql_server_ca_private_key"), make_authority(datetime.now(UTC)), strict=True)
)
REPLICA = {"mysql_server_source_host": "10.0.0.20", "mysql_server_bind_address": "10.0.0.21"}
WAITS = {"mysql_certificate": {"waits": True}}
CASES = {
    "debian12": Case(USUAL, release="12"),
    "debian13": Case(USUAL),
    "replica": Case({**USUAL, **REPLICA}),
    "sid": Case({**USUAL, "mysql_server_flavor": "mysql"}, release="sid"),
    "settings": Case(
        {
            **USUAL,
            "mysql_server_server_id": 77,
            "mysql_server_settings": {"sort_buffer_size": "1M", "general_log": False},
        }
    ),
    "shops": Case(
        {
            **USUAL,
            "mysql_server_application_databases": ["shop", {"name": "archive", "character_set": "latin1"}],
            "mysql_server_application_accounts": [
                {
                    "name": "reports",
                    "password": "r",
                    "databases": ["archive"],
                    "privileges": ["SELECT"],
                    "hosts": ["10.0.0.9"],
                },
                {"name": "shop", "password": "s", "databases": ["shop"], "tls": "required"},
            ],
        }
    ),
    "sites": Case(
        {
            **USUAL,
            "mysql_server_application_databases": [],
            "mysql_server_application_password": "",
            "mysql_server_application_accounts": [
                {"name": "blog", "password": "b", "own_databases": [{"name": "blog"}]}
            ],
        }
    ),
    "adopted": Case(
        USUAL, answers={"preflight": {"missing_packages": ["python3-pymysql"], "findings": [], "adopts": True}}
    ),
    "encrypted": Case({**USUAL, **AUTHORITY, "mysql_server_certificate_names": ["db.example.org"]}, answers=WAITS),
    "encrypted_replica": Case({**USUAL, **REPLICA, **AUTHORITY}, answers=WAITS),
    "encrypted_sid": Case({**USUAL, **AUTHORITY, "mysql_server_flavor": "mysql"}, release="sid"),
    "encrypted_by_its_own": Case({**USUAL, **AUTHORITY, "mysql_server_settings": {"ssl_cert": "/etc/mysql/own.pem"}}),
    "restarted": Case(USUAL, answers={"configured_service": {"action": "tell"}}),
    "alone": Case(
        {
            "mysql_server_bind_address": "10.0.0.20",
            "mysql_server_replication_password": "replication-secret",
            "mysql_server_status_enabled": False,
        }
    ),
}
MARIADB = [name for name in CASES if not name.endswith("sid")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    played = play_role("mysql_server", CASES, tmp_path_factory.mktemp("mysql_server"))
    assert {name: played.refusal(name) for name in CASES} == dict.fromkeys(CASES, "")
    return played


def configuration(run: Run, name: str) -> Call:
    return run.file(name, "60-webcluster.cnf" if name in MARIADB else "webcluster.cnf")


def options(run: Run, name: str) -> dict[str, str]:
    """The options of the file; the last line of each counts."""
    lines = configuration(run, name).content.splitlines()
    return dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines if re.match(r"\w+\s*=", line))


def making(run: Run, name: str) -> dict[str, Any]:
    """What mysql_accounts was told where it makes accounts."""
    [made] = [arguments for arguments in run.of(name, "mysql_accounts") if "take_over" not in arguments]
    return made


def accounts(run: Run, name: str) -> dict[str, dict[str, Any]]:
    return {account["name"]: account for account in making(run, name)["accounts"]}


def test_b4_an_adopted_server_is_asked_for_strangers_before_anything_of_its_own_is_changed(run: Run) -> None:
    modules = [call.module for call in run.calls if call.host == "adopted"]
    asked, made = run.of("adopted", "mysql_accounts")
    assert (asked["take_over"], asked["accounts"]) == (False, made["accounts"])
    assert "take_over" not in made
    assert modules.index("mysql_accounts") < modules.index("configured_service")


@pytest.mark.parametrize("name", ["debian13", "sid"])
def test_b4_the_look_knows_the_file_and_what_it_decides(run: Run, name: str) -> None:
    file = run.one(name, "preflight")["option_file"]
    assert file["path"] == configuration(run, name).arguments["path"]
    # Others are switches that the file leaves as they are.
    switches = {"networking", "grant_tables", "read_only", "super_read_only", "log_replica_updates"}
    assert set(file["decides"]) - switches <= set(options(run, name))


@pytest.mark.parametrize("name", MARIADB)
def test_mariadb_accepts_the_configuration(run: Run, name: str, tmp_path: Path) -> None:
    need("mariadbd")
    written = configuration(run, name)
    asked = check(written.arguments["validate"], written.content, tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert "unknown" not in asked.stderr


def test_mariadb_refuses_a_broken_configuration_by_the_same_command(run: Run, tmp_path: Path) -> None:
    need("mariadbd")
    written = configuration(run, "debian13")
    asked = check(written.arguments["validate"], written.content + "no_such_option = 1\n", tmp_path)
    assert asked.returncode != 0
    assert "no_such_option" in asked.stderr


@pytest.mark.parametrize("name", CASES)
def test_no_acknowledged_commit_is_lost_by_a_crash(run: Run, name: str) -> None:
    found = options(run, name)
    assert (found["innodb_flush_log_at_trx_commit"], found["sync_binlog"]) == ("1", "1")


@pytest.mark.parametrize("name", CASES)
def test_every_server_can_become_the_primary(run: Run, name: str) -> None:
    wanted = {"log_bin": "binlog", "relay_log_recovery": "ON", "replicate_wild_ignore_table": "mysql.%"}
    if name not in MARIADB:
        wanted |= {"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "mysqlx": "OFF"}
    else:
        wanted |= {"gtid_strict_mode": "ON", "log_slave_updates": "ON", "binlog_format": "ROW"}
    assert wanted.items() <= options(run, name).items()


def test_a2_a_server_has_the_number_that_its_data_are_known_by_or_the_one_that_is_set(run: Run) -> None:
    assert options(run, "debian13")["server_id"] == "3120"
    assert options(run, "settings")["server_id"] == "77"


def test_server_listens_at_its_own_address_and_at_loopback(run: Run) -> None:
    assert options(run, "debian13")["bind_address"] == "10.0.0.20,127.0.0.1"
    assert options(run, "debian13")["local_infile"] == "OFF"


def test_buffer_pool_leaves_memory_to_the_server(run: Run) -> None:
    # (1024 - 384) MiB * 0.65, down to a multiple of 16.
    assert options(run, "debian13")["innodb_buffer_pool_size"] == "416M"
    assert options(run, "debian13")["innodb_log_file_size"] == "104M"
    assert options(run, "sid")["innodb_redo_log_capacity"] == "104M"


def test_own_settings_win(run: Run) -> None:
    found = options(run, "settings")
    assert (found["sort_buffer_size"], found["general_log"]) == ("1M", "OFF")


@pytest.mark.parametrize(
    ("name", "file"), [("encrypted", "60-webcluster-tls.cnf"), ("encrypted_sid", "webcluster-tls.cnf")]
)
def test_a_server_with_an_authority_gets_a_certificate_for_its_next_start(run: Run, name: str, file: str) -> None:
    written = run.file(name, file)
    assert "ssl_cert = /etc/mysql/webcluster-tls/server.pem" in written.content.splitlines()
    assert "ssl_ca = /etc/mysql/webcluster-tls/ca.pem" in written.content.splitlines()
    assert written.arguments["at_start"] is True
    certificate = run.one(name, "host_certificate")
    assert (certificate["path"], certificate["group"]) == ("/etc/mysql/webcluster-tls", "mysql")
    assert "authority_private_key" not in certificate
    assert run.one(name, "mysql_certificate") == {"path": "/etc/mysql/webcluster-tls"}


def test_a_certificate_is_for_the_names_of_its_server(run: Run) -> None:
    names = ["encrypted", "db.example.org", "10.0.0.20", "localhost", "127.0.0.1"]
    assert run.one("encrypted", "host_certificate")["names"] == names


def test_mariadb_accepts_the_files_of_a_certificate(run: Run, tmp_path: Path) -> None:
    need("mariadbd")
    written = run.file("encrypted", "60-webcluster-tls.cnf")
    asked = check(written.arguments["validate"], written.content, tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert check(written.arguments["validate"], f"{written.content}ssl_cart = x\n", tmp_path).returncode != 0


def test_a_replica_that_waits_for_its_certificate_is_restarted_and_a_primary_is_not(run: Run) -> None:
    assert [one["state"] for one in run.of("encrypted_replica", "systemd_service")] == ["restarted"]
    assert run.of("encrypted", "systemd_service") == run.of("encrypted_sid", "systemd_service") == []
    assert "encrypted is the primary and takes its certificate at its next start" in " ".join(run.output.split())


@pytest.mark.parametrize("name", ["debian13", "encrypted_by_its_own"])
def test_without_an_authority_or_with_own_files_nothing_is_made(run: Run, name: str) -> None:
    assert run.of(name, "host_certificate") == run.of(name, "mysql_certificate") == []
    told = run.of(name, "configured_service")[0]
    assert not [file["path"] for file in told["files"] if file["path"].endswith("-tls.cnf")]
    # One of a former run goes.
    assert told["owns"] == ["/etc/mysql/mariadb.conf.d/60-webcluster-tls.cnf"]


@pytest.mark.parametrize("name", ["debian12", "debian13", "replica", "sid"])
def test_replication_account_may_read_the_log_and_nothing_else(run: Run, name: str) -> None:
    account = accounts(run, name)["replication"]
    assert account["grants"] == [{"databases": ["*"], "privileges": ["REPLICATION SLAVE"]}]
    assert (account["password"], account["hosts"], account["tls"]) == ("replication-secret", ["10.0.0.21"], "auto")


@pytest.mark.parametrize("name", ["debian12", "debian13", "sid"])
def test_b8_application_may_work_and_migrate_in_its_own_databases(run: Run, name: str) -> None:
    account = accounts(run, name)["app"]
    [grant] = account["grants"]
    assert grant["databases"] == ["demo"]
    assert {"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX"} < set(grant["privileges"])
    # Code that the server runs by itself has to be asked for; the rest reaches beyond the databases.
    beyond = {"ALL", "EVENT", "TRIGGER", "CREATE ROUTINE", "EXECUTE", "GRANT OPTION", "FILE", "SUPER", "PROCESS"}
    assert not beyond & set(grant["privileges"])
    assert (account["password"], account["hosts"]) == ("application-secret", ["10.0.0.4", "10.0.0.5"])
    assert run.one(name, "mysql_accounts")["databases"] == ["demo"]


def test_an_application_without_a_database_has_no_account(run: Run) -> None:
    assert "app" not in accounts(run, "sites")
    assert accounts(run, "sites")["blog"]["hosts"] == ["10.0.0.4", "10.0.0.5"]
    assert run.one("sites", "mysql_accounts")["databases"] == [{"name": "blog"}]


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("debian13", [{"databases": ["*"], "privileges": ["BINLOG MONITOR", "PROCESS", "SLAVE MONITOR"]}]),
        (
            "sid",
            [
                {"databases": ["*"], "privileges": ["PROCESS", "REPLICATION CLIENT"]},
                {"databases": ["performance_schema"], "privileges": ["SELECT"]},
            ],
        ),
    ],
)
def test_monitor_and_status_service_may_look(run: Run, name: str, look: list[dict[str, Any]]) -> None:
    monitor, service = accounts(run, name)["monitor"], accounts(run, name)["webcluster-status"]
    canary = {"databases": ["ansible_canary"], "privileges": ["SELECT", "INSERT", "DROP"]}
    assert monitor["grants"] == [*look, canary]
    assert (monitor["password"], monitor["hosts"]) == ("monitor-secret", ["10.0.0.21"])
    assert service["grants"] == look
    assert (service["by_socket"], service["hosts"]) == (True, ["localhost"])


def test_there_are_no_other_accounts(run: Run) -> None:
    for name in set(CASES) - {"shops"}:
        applications = {"sites": {"blog"}, "alone": set()}.get(name, {"app"})
        assert set(accounts(run, name)) == {"replication", "monitor", "webcluster-status"} | applications
        assert making(run, name)["remove_insecure"] is True


def test_a_server_alone_is_open_to_nobody(run: Run) -> None:
    assert {name: account["hosts"] for name, account in accounts(run, "alone").items()} == {
        "replication": [],
        "monitor": [],
        "webcluster-status": [],
    }
    assert run.of("alone", "user") == []


def test_a_replica_makes_no_databases(run: Run) -> None:
    arguments = run.one("replica", "mysql_accounts")
    assert arguments["databases"] == []
    assert "canary_schema" not in arguments
    assert run.one("debian13", "mysql_accounts")["canary_schema"] == "ansible_canary"


def test_status_service_is_told_whom_to_answer_and_no_password(run: Run) -> None:
    [service] = run.of("debian13", "file_tree")
    config = json.loads(service["files"]["config.json"])
    assert (config["address"], config["port"], config["allow"]) == ("10.0.0.20", 9200, ["10.0.0.4"])
    assert "secret" not in json.dumps(config)


def test_systemd_accepts_the_unit_of_the_status_service(run: Run, tmp_path: Path) -> None:
    need("systemd-analyze")
    unit = run.file("debian13", "webcluster-status.service")
    asked = check("systemd-analyze verify --man=no %s", unit.content, tmp_path, "webcluster-status.service")
    assert "webcluster-status.service:" not in asked.stderr
    assert asked.returncode == 0, asked.stderr
    assert "ProtectSystem=strict" in unit.content
    assert "User=webcluster-status" in unit.content


def test_b2_a_primary_is_restarted_after_the_run_has_said_so(run: Run) -> None:
    how = [call["on_change"] for call in run.of("restarted", "configured_service") if call["name"] == "mariadb"]
    assert how == ["tell"]
    said = " ".join(run.output.split())
    assert said.count("is the primary and mariadb on it has to be restarted") == 1
    assert said.index("restarted is the primary and mariadb on it has to be restarted") < said.index(
        ": Restart the primary]"
    )
    assert run.one("restarted", "systemd_service")["state"] == "restarted"
    assert run.of("debian13", "systemd_service") == []


def test_b2_a_replica_is_restarted_without_a_word(run: Run) -> None:
    how = [call["on_change"] for call in run.of("replica", "configured_service") if call["name"] == "mariadb"]
    assert how == ["restart"]


def test_e1_several_applications_have_their_own_accounts_and_databases(run: Run) -> None:
    found = accounts(run, "shops")
    assert run.one("shops", "mysql_accounts")["databases"] == ["shop", {"name": "archive", "character_set": "latin1"}]
    assert found["app"]["grants"][0]["databases"] == ["shop", "archive"]
    assert found["reports"]["grants"] == [{"databases": ["archive"], "privileges": ["SELECT"]}]
    assert (found["reports"]["tls"], found["shop"]["tls"]) == ("optional", "required")
    assert (found["reports"]["hosts"], found["shop"]["hosts"]) == (
        ["10.0.0.9"],
        USUAL["mysql_server_application_hosts"],
    )
    assert found["shop"]["grants"] == [{"databases": ["shop"], "privileges": found["app"]["grants"][0]["privileges"]}]


def test_the_disk_of_the_data_is_mounted_before_the_server_is_installed(tmp_path: Path) -> None:
    case = Case(
        {**USUAL, "mysql_server_data_device": ["/dev/one", "/dev/other"]},
        answers={"preflight": {"missing_packages": ["mariadb-server"], "findings": [], "adopts": False}},
    )
    played = play_role("mysql_server", {"disk": case}, tmp_path)
    assert played.one("disk", "data_disk") == {
        "device": ["/dev/one", "/dev/other"],
        "path": "/var/lib/mysql",
        "services": ["mariadb.service", "mysql.service"],
        "format": True,
    }
    modules = [call.module for call in played.calls]
    assert modules.index("preflight") < modules.index("data_disk") < modules.index("apt")


def test_without_a_disk_of_their_own_the_data_stay_where_the_package_puts_them(run: Run) -> None:
    assert run.of("debian13", "data_disk") == []
