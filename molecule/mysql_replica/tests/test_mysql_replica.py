# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A primary and its replica, after a second run and a row of mistakes."""

from __future__ import annotations

import json
import shlex
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import testinfra
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import (
    issue,
    make_authority,
    read_authority,
)
from testinfra.host import Host

PRIMARY, REPLICA = "moleculemysql2", "moleculemysql3"
ADDRESSES = ("10.92.2.4", "10.92.2.5")
SSH_CONFIG = str(Path(__file__).resolve().parents[1] / "inventory/.lab/current/ssh_config")


def sql(host: Host, statement: str) -> list[str]:
    client = "mariadb" if host.exists("mariadb") else "mysql"
    return host.check_output(f"{client} --batch --skip-column-names --execute {shlex.quote(statement)}").splitlines()


def variable(host: Host, name: str) -> str:
    return sql(host, f"SELECT @@GLOBAL.{name}")[0]


@pytest.fixture
def primary(host: Host) -> Host:
    if host.backend.get_hostname() != PRIMARY:
        pytest.skip("looked at from the primary")
    return host


@pytest.fixture
def replica(host: Host) -> Host:
    if host.backend.get_hostname() != REPLICA:
        pytest.skip("looked at from the replica")
    return host


def is_mariadb(host: Host) -> bool:
    return "mariadb" in variable(host, "version").lower()


def status(host: Host) -> dict[str, str]:
    """Return the replica's status with MySQL's names."""
    mariadb = is_mariadb(host)
    client, statement = ("mariadb", "SHOW SLAVE STATUS") if mariadb else ("mysql", "SHOW REPLICA STATUS")
    text = host.check_output(f"{client} --vertical --execute '{statement}'")
    pairs = (line.strip().partition(":") for line in text.splitlines())
    return {
        key.replace("Slave_", "Replica_").replace("Master", "Source"): value.strip() for key, _colon, value in pairs
    }


def test_a_row_arrives(primary: Host) -> None:
    sql(primary, "CREATE TABLE IF NOT EXISTS demo.probe (id INT PRIMARY KEY, word VARCHAR(40) NOT NULL)")
    word = f"written {time.time()}"
    sql(primary, f"REPLACE INTO demo.probe VALUES (1, '{word}')")
    other = testinfra.get_host(f"ssh://{REPLICA}", ssh_config=SSH_CONFIG, sudo=True)

    def found() -> list[str]:
        return sql(other, "SELECT word FROM demo.probe WHERE id = 1") if sql(other, "SHOW TABLES FROM demo") else []

    assert until(lambda: found() == [word]), found()


def test_accounts_are_not_replicated(primary: Host) -> None:
    sql(primary, "DROP USER IF EXISTS 'probe'@'localhost'")
    sql(primary, "CREATE USER 'probe'@'localhost' IDENTIFIED BY 'molecule-Probe-1'")
    sql(primary, "CREATE TABLE IF NOT EXISTS demo.after (id INT PRIMARY KEY)")
    other = testinfra.get_host(f"ssh://{REPLICA}", ssh_config=SSH_CONFIG, sudo=True)
    assert until(lambda: "after" in sql(other, "SHOW TABLES FROM demo"))
    assert sql(other, "SELECT User FROM mysql.user WHERE User = 'probe'") == []
    sql(primary, "DROP USER 'probe'@'localhost'")


def test_primary_is_open_although_it_was_taken_for_a_replica(primary: Host) -> None:
    assert variable(primary, "read_only") == "0"
    assert primary.file("/etc/mysql/conf.d/webcluster-read-only.cnf").contains("^read_only = OFF$")


def test_replica_is_closed_and_stays_so(replica: Host) -> None:
    closed = ["read_only"] if is_mariadb(replica) else ["read_only", "super_read_only"]
    assert {name: variable(replica, name) for name in closed} == dict.fromkeys(closed, "1")
    for name in closed:
        assert replica.file("/etc/mysql/conf.d/webcluster-read-only.cnf").contains(f"^{name} = ON$")


def test_replica_follows_by_gtid(replica: Host) -> None:
    found = status(replica)
    wanted = {
        "Source_Host": "10.92.2.4",
        "Replica_IO_Running": "Yes",
        "Replica_SQL_Running": "Yes",
        "Last_IO_Errno": "0",
        "Connect_Retry": "5",
        "Replicate_Wild_Ignore_Table": "mysql.%",
    }
    wanted |= (
        {"Using_Gtid": "Slave_Pos"} if is_mariadb(replica) else {"Auto_Position": "1", "Source_Retry_Count": "86400"}
    )
    # 10.11 makes no certificates.
    tls = not variable(replica, "version").startswith("10.11.")
    wanted["Source_SSL_Allowed"] = "Yes" if tls else "No"
    assert {key: found.get(key) for key in wanted} == wanted


def test_replica_wrote_nothing_itself(replica: Host) -> None:
    if is_mariadb(replica):
        assert f"-{variable(replica, 'server_id')}-" not in variable(replica, "gtid_binlog_state")
    else:
        assert variable(replica, "server_uuid") not in variable(replica, "gtid_executed")


def test_replica_was_filled_with_a_copy(replica: Host) -> None:
    if not is_mariadb(replica):
        pytest.skip("MySQL is not copied yet")
    progress = json.loads(replica.file("/var/lib/webcluster-seed/progress.json").content_string)
    assert progress["step"] == "done"
    assert progress["received"] > 1_000_000
    # Nothing of the copy is left but this, for root alone.
    assert sorted(replica.file("/var/lib/webcluster-seed").listdir()) == ["lock", "progress.json"]
    assert replica.file("/var/lib/webcluster-seed").mode == 0o700
    # Debian's start of the server writes these two as root, on a server that was never filled too.
    theirs = "-name mariadb_upgrade_info -o -name 'debian-*.flag'"
    foreign = f"-not -user mysql -not '(' {theirs} ')'"
    assert replica.check_output(f"find /var/lib/mysql -name '.webcluster-seed*' -o {foreign}") == ""
    # The primary's schemas came with it, as its logs had been purged.
    assert "ansible_canary" in sql(replica, "SHOW DATABASES")


def test_no_key_of_the_copy_is_left(primary: Host) -> None:
    if not is_mariadb(primary):
        pytest.skip("MySQL is not copied yet")
    assert primary.file("/var/lib/webcluster-seed").mode == 0o700
    assert primary.file("/var/lib/webcluster-seed").listdir() == []


def test_replica_goes_on_after_a_restart(replica: Host) -> None:
    service = "mariadb" if is_mariadb(replica) else "mysql"
    replica.check_output(f"systemctl restart {service}")
    assert until(lambda: status(replica)["Replica_IO_Running"] == "Yes")
    assert status(replica)["Replica_SQL_Running"] == "Yes"
    assert variable(replica, "read_only") == "1"


def test_replication_account_comes_from_the_other_server_only(host: Host) -> None:
    other = {PRIMARY: "10.92.2.5", REPLICA: "10.92.2.4"}[host.backend.get_hostname()]
    assert sql(host, "SELECT Host FROM mysql.user WHERE User = 'replication'") == [other]
    rows = sql(host, f"SHOW GRANTS FOR 'replication'@'{other}'")
    assert [row.removeprefix("GRANT ").split(" TO ")[0] for row in rows] == ["REPLICATION SLAVE ON *.*"]


def test_no_root_from_elsewhere(host: Host) -> None:
    assert sql(host, "SELECT Host FROM mysql.user WHERE User = 'root'") == ["localhost"]


AUTHORITY = make_authority(datetime.now(UTC))
TLS = dict(zip(("mysql_server_ca_certificate", "mysql_server_ca_private_key"), AUTHORITY, strict=True))
CA_FILE = "/etc/mysql/webcluster-tls/ca.pem"


def converged(wanted: int | None = None, **more: object) -> str:
    """What a run says that must succeed, and changes so much."""
    code, output = converge("mysql_replica", {**TLS, **more})
    assert code == 0, output
    assert wanted is None or changes(output) == wanted, output
    return output


def started(host: Host) -> str:
    unit = "mariadb" if is_mariadb(host) else "mysql"
    return str(host.check_output("systemctl show --property ExecMainStartTimestampMonotonic --value %s", unit))


def shown(host: Host, address: str) -> str:
    """The certificate that a server shows, which the authority on this host must have signed for its address."""
    words = f"openssl s_client -starttls mysql -connect {address}:3306 -CAfile {CA_FILE} -verify_return_error -verify_ip {address}"
    return str(host.check_output(f"{words} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"))


def is_verified(host: Host) -> bool:
    found = status(host)
    assert (found["Replica_IO_Running"], found["Replica_SQL_Running"]) == ("Yes", "Yes"), found
    return (found["Source_SSL_CA_File"], found["Source_SSL_Verify_Server_Cert"]) == (CA_FILE, "Yes")


def test_no_primary_is_restarted_for_its_certificate(replica: Host) -> None:
    other = testinfra.get_host(f"ssh://{PRIMARY}", ssh_config=SSH_CONFIG, sudo=True)
    before = started(other)
    output = converged()
    assert started(other) == before
    assert variable(replica, "ssl_ca") == CA_FILE
    if is_mariadb(replica):
        assert f"{PRIMARY} is the primary and takes its certificate at its next start" in output
        # It is followed as before, and nothing is left to do until it starts.
        assert not is_verified(replica)
        converged(0)
        other.check_output("systemctl restart mariadb")
        converged()
    assert is_verified(replica)
    converged(0)
    assert "Fingerprint" in shown(replica, "10.92.2.4")
    assert "Fingerprint" in shown(replica, "10.92.2.5")
    assert sql(other, "SELECT ssl_type FROM mysql.user WHERE User = 'replication'") == ["ANY"]


def test_a_renewed_certificate_is_taken_while_the_server_runs(replica: Host) -> None:
    converged()
    servers = [testinfra.get_host(f"ssh://{PRIMARY}", ssh_config=SSH_CONFIG, sudo=True), replica]
    before = [(started(server), shown(server, address)) for server, address in zip(servers, ADDRESSES, strict=True)]
    position = sql(
        servers[0], "SELECT @@GLOBAL.gtid_binlog_pos" if is_mariadb(replica) else "SELECT @@GLOBAL.gtid_executed"
    )
    for server in servers:
        server.check_output("rm /etc/mysql/webcluster-tls/server.pem")
    converged()
    after = [(started(server), shown(server, address)) for server, address in zip(servers, ADDRESSES, strict=True)]
    assert [start for start, _shown in after] == [start for start, _shown in before]
    assert all(new != old for (_start, new), (_begin, old) in zip(after, before, strict=True))
    assert is_verified(replica)
    # Nothing of it reached the binary log.
    assert (
        sql(servers[0], "SELECT @@GLOBAL.gtid_binlog_pos" if is_mariadb(replica) else "SELECT @@GLOBAL.gtid_executed")
        == position
    )
    converged(0)


def test_a_primary_that_a_stranger_vouches_for_is_not_followed(replica: Host) -> None:
    if not is_mariadb(replica):
        pytest.skip("MySQL takes no certificate of another authority")
    converged()
    other = testinfra.get_host(f"ssh://{PRIMARY}", ssh_config=SSH_CONFIG, sudo=True)
    stranger = read_authority(*make_authority(datetime.now(UTC)), datetime.now(UTC))
    made = issue(stranger, [PRIMARY, "10.92.2.4"], datetime.now(UTC))
    good = other.check_output("cat /etc/mysql/webcluster-tls/server.pem")

    def follow(text: str) -> None:
        other.check_output("printf %%s %s > /etc/mysql/webcluster-tls/server.pem", text)
        for server, statement in ((other, "FLUSH LOCAL SSL"), (replica, "STOP SLAVE"), (replica, "START SLAVE")):
            sql(server, statement)

    follow(made)
    assert until(lambda: status(replica)["Last_IO_Errno"] == "2026"), status(replica)
    assert status(replica)["Replica_IO_Running"] == "Connecting"
    follow(good)
    assert until(lambda: status(replica)["Replica_IO_Running"] == "Yes"), status(replica)
    assert is_verified(replica)


def test_keys_are_for_the_server_alone(replica: Host) -> None:
    converged()
    for name in ("server.pem", "ca.pem"):
        file = replica.file(f"/etc/mysql/webcluster-tls/{name}")
        assert (file.user, file.group, file.mode) == ("root", "mysql", 0o640)
    assert replica.file("/etc/mysql/webcluster-tls").mode == 0o750
