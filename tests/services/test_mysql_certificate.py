# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real MariaDB takes a renewed certificate while it runs, and other files at its start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.certificate import settings_of
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlClient, MysqlLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._pem import first_certificate
from ansible_collections.siteops.webcluster.plugins.modules import mysql_certificate
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import (
    issue,
    make_authority,
    read_authority,
)
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback_mariadb import RealMariadb
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import Module, ModuleError

NOW = datetime.now(UTC)
AUTHORITY = read_authority(*make_authority(NOW), NOW)


class Host:
    """A server with a folder of certificates."""

    def __init__(self, folder: Path) -> None:
        self.server = RealMariadb(folder / "server")
        self.tls = folder / "tls"
        self.tls.mkdir()
        (self.tls / "ca.pem").write_text(AUTHORITY.text, encoding="utf-8")
        self.renew()

    def renew(self) -> None:
        (self.tls / "server.pem").write_text(issue(AUTHORITY, ["db1", "localhost"], NOW), encoding="utf-8")

    def own(self) -> str:
        return first_certificate((self.tls / "server.pem").read_text(encoding="utf-8"))

    def login(self, login: MysqlLogin) -> MysqlClient:
        return MysqlClient(MysqlLogin(unix_socket=self.server.socket, user="root", tls=login.tls), timeout=60)

    def module(self, check_mode: bool = False) -> dict[str, Any]:
        given = Module({}, {"path": str(self.tls), "login_unix_socket": self.server.socket}, check_mode)
        return mysql_certificate.run(given, self.login)

    def shown(self) -> str | None:
        return mysql_certificate.shown_certificate(self.login, self.server.socket)

    def written(self) -> object:
        return self.server.client.query(["SHOW MASTER STATUS"])[0]

    def start(self) -> None:
        self.server.start(
            *(f"--{name.replace('_', '-')}={value}" for name, value in settings_of(str(self.tls)).items())
        )


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path) -> Iterator[Host]:
    for program in ("mariadbd", "mariadb-install-db"):
        need(program)
    host = Host(tmp_path)
    try:
        yield host
    finally:
        host.server.kill()


def test_a_server_that_runs_without_the_files_waits_for_its_start(host: Host) -> None:
    host.server.start()
    result = host.module()
    assert (result["changed"], result["waits"], result["statements"]) == (False, True, [])
    host.server.kill()
    host.start()
    assert host.shown() == host.own()
    result = host.module()
    assert (result["changed"], result["waits"]) == (False, False)


def test_a_renewed_certificate_is_shown_without_a_start_and_no_replica_hears_of_it(host: Host) -> None:
    host.start()
    connected = host.login(MysqlLogin(tls="required"))
    number = connected.query(["SELECT CONNECTION_ID() AS id"])
    before, position = host.shown(), host.written()
    host.renew()
    assert host.module(check_mode=True)["statements"] == ["FLUSH LOCAL SSL"]
    assert host.shown() == before
    result = host.module()
    assert (result["changed"], result["statements"]) == (True, ["FLUSH LOCAL SSL"])
    assert host.shown() == host.own() != before
    assert host.module()["changed"] is False
    # Who was connected is so still, and nothing was written for replicas.
    assert connected.query(["SELECT CONNECTION_ID() AS id"]) == number
    assert host.written() == position
    connected.close()


def test_a_certificate_that_cannot_be_used_is_told_and_the_former_one_stays(host: Host) -> None:
    host.start()
    before = host.shown()
    key = issue(AUTHORITY, ["db1"], NOW).partition("-----BEGIN CERTIFICATE")[0]
    certificate = issue(AUTHORITY, ["db1"], NOW).partition("-----END PRIVATE KEY-----\n")[2]
    (host.tls / "server.pem").write_text(key + certificate, encoding="utf-8")
    with pytest.raises(ModuleError):
        host.module()
    assert host.shown() == before
    (host.tls / "server.pem").unlink()
    with pytest.raises(ModuleError, match="expected key and certificate: let host_certificate make them"):
        host.module()
    assert host.module(check_mode=True)["changed"] is True
