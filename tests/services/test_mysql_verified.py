# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real MariaDB servers: a replica goes over to the certificate of the cluster's authority, and follows nobody else from then on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import server as servers
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.certificate import settings_of
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlClient
from ansible_collections.siteops.webcluster.plugins.modules import mysql_source
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import (
    Authority,
    issue,
    make_authority,
    read_authority,
)
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from ansible_collections.siteops.webcluster.tests.loopback_mariadb import RealMariadb
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import Module, ModuleError

NOW = datetime.now(UTC)
AUTHORITY = read_authority(*make_authority(NOW), NOW)
STRANGER = read_authority(*make_authority(NOW), NOW)
ACCOUNT = "'repl'@'127.0.0.1'"


class Pair:
    """A primary and a replica of it, whose hosts have the same folder of certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tls, self.port = folder, folder / "tls", free_port()
        self.tls.mkdir()
        (self.tls / "ca.pem").write_text(AUTHORITY.text, encoding="utf-8")
        self.vouch(AUTHORITY)
        self.primary, self.replica = RealMariadb(folder / "primary"), RealMariadb(folder / "replica")
        self.start_primary()
        self.primary.run(
            "SET SESSION sql_log_bin = OFF",
            f"CREATE USER {ACCOUNT} IDENTIFIED BY 'secret'",
            f"GRANT REPLICATION SLAVE ON *.* TO {ACCOUNT}",
            "SET SESSION sql_log_bin = ON",
        )

    def vouch(self, authority: Authority) -> None:
        names = ["db1", "127.0.0.1", "localhost"]
        (self.tls / "server.pem").write_text(issue(authority, names, NOW), encoding="utf-8")

    def options(self) -> list[str]:
        return [f"--{name.replace('_', '-')}={value}" for name, value in settings_of(str(self.tls)).items()]

    def start_primary(self, *options: str) -> None:
        self.primary.kill()
        network = ["--skip-networking=0", "--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve"]
        self.primary.start(*network, *options)

    def start_replica(self, *options: str) -> None:
        self.replica.kill()
        self.replica.start("--server-id=2", "--relay-log=relay", "--slave-net-timeout=2", "--read-only", *options)

    def run(self) -> dict[str, Any]:
        """The module on the replica's host."""
        given = {"host": "127.0.0.1", "port": self.port, "user": "repl", "password": "secret", "source_timeout": 5}
        files = {"read_only_file": str(self.folder / "read-only.cnf"), "state_folder": str(self.folder / "state")}
        module = Module(mysql_source.ARGUMENTS, {**given, **files, "connect_retry": 1})
        return mysql_source.run(module, self.replica.client, MysqlClient)

    def status(self) -> dict[str, str | None]:
        return self.replica.client.query(["SHOW SLAVE STATUS"])[0][0]

    def follows(self) -> bool:
        found = self.status()
        return (found["Slave_IO_Running"], found["Slave_SQL_Running"]) == ("Yes", "Yes")

    def verified(self) -> tuple[str | None, str | None]:
        found = self.status()
        return found["Master_SSL_CA_File"], found["Master_SSL_Verify_Server_Cert"]

    def reconnect(self) -> None:
        self.primary.run("FLUSH LOCAL SSL")
        self.replica.run("STOP SLAVE", "START SLAVE")


@pytest.fixture(name="pair")
def fixture_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    for program in ("mariadbd", "mariadb-install-db"):
        need(program)
    pair = Pair(tmp_path)
    monkeypatch.setattr(servers, "AUTHORITY_FILE", str(pair.tls / "ca.pem"))
    try:
        yield pair
    finally:
        pair.replica.kill()
        pair.primary.kill()


def test_a_replica_verifies_its_primary_as_soon_as_that_has_its_certificate(pair: Pair) -> None:
    pair.start_replica()
    assert pair.run()["changed"]
    wait_for(pair.follows)
    # The replica got its own first, as the primary waits for a start.
    pair.start_replica(*pair.options())
    wait_for(pair.follows)
    result = pair.run()
    assert (result["statements"], result["proven"]) == ([], False)
    pair.start_primary(*pair.options())
    result = pair.run()
    assert (result["statements"], result["proven"]) == (["STOP SLAVE", "CHANGE MASTER TO", "START SLAVE"], True)
    wait_for(pair.follows)
    assert pair.verified() == (str(pair.tls / "ca.pem"), "Yes")
    assert pair.run()["changed"] is False
    # Who insists on TLS lets it in.
    pair.primary.run(f"ALTER USER {ACCOUNT} REQUIRE SSL")
    pair.reconnect()
    wait_for(pair.follows)


def test_who_verified_its_primary_once_follows_no_stranger(pair: Pair) -> None:
    pair.start_primary(*pair.options())
    pair.start_replica(*pair.options())
    assert pair.run()["proven"] is True
    wait_for(pair.follows)
    pair.vouch(STRANGER)
    pair.reconnect()
    wait_for(lambda: pair.status()["Last_IO_Errno"] == "2026")
    assert pair.status()["Slave_IO_Running"] == "Connecting"
    # Its settings stay, also where something else has to be set again.
    pair.replica.run("STOP SLAVE", "CHANGE MASTER TO MASTER_CONNECT_RETRY=9", "START SLAVE")
    with pytest.raises(ModuleError, match="shows no certificate that is accepted here"):
        pair.run()
    assert pair.verified() == (str(pair.tls / "ca.pem"), "Yes")
    pair.vouch(AUTHORITY)
    pair.reconnect()
    wait_for(pair.follows)
    assert pair.run()["statements"] == ["STOP SLAVE", "CHANGE MASTER TO", "START SLAVE"]
