# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What accounts, PHP and the verdict make of a real MariaDB as a cloud serves it: over TLS only, its administrator without SUPER."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Failure, Snapshot
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import MysqlProbe
from ansible_collections.siteops.webcluster.plugins.modules import mysql_accounts
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import LEASE_PRIVILEGES
from ansible_collections.siteops.webcluster.tests.certificates import Issued, issue
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import PATIENCE, free_port
from ansible_collections.siteops.webcluster.tests.loopback_mariadb import RealMariadb
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT
from ansible_collections.siteops.webcluster.tests.services.test_cron import Job, need_php, served
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import Module, ModuleError
from cryptography import x509

# Without a DNS server here the certificate is for the address.
HOST = "127.0.0.1"
ADDRESS = [x509.IPAddress(ipaddress.ip_address(HOST))]
ADMIN = {"user": "ops", "password": "administrator"}
ADMIN_SQL = (CHECKOUT / "molecule/managed_mysql/files/admin.sql").read_text(encoding="utf-8")
SITE = CHECKOUT / "roles/apache_php/files/system/site/index.php"


@dataclass
class Endpoint:
    """A server that lets nobody in without TLS, and the file with the authority that has signed for it."""

    server: RealMariadb
    port: int
    authority: Path

    def login(
        self, user: str = ADMIN["user"], password: str = ADMIN["password"], authority: Path | None = None
    ) -> MysqlLogin:
        return MysqlLogin(
            host=HOST,
            port=self.port,
            user=user,
            password=password,
            ca_cert=str(authority or self.authority),
            tls="required",
            connect_timeout=PATIENCE,
        )

    def client(self, user: str = ADMIN["user"], password: str = ADMIN["password"]) -> MysqlClient:
        return MysqlClient(self.login(user, password), timeout=PATIENCE)

    def refusal(self, statement: str, user: str, password: str) -> str:
        """What the server says to it; empty where it does it."""
        client = self.client(user, password)
        _rows, error = client.try_query([statement])
        client.close()
        return error.message if error else ""

    def make(self, **params: Any) -> dict[str, Any]:
        """Run the module as the tier's task does."""
        accounts = [{"by_socket": False, "tls": "required", **account} for account in params.pop("accounts", [])]
        login = {"login_host": HOST, "login_port": self.port, "ca_cert": str(self.authority)}
        login |= {f"login_{key}": value for key, value in ADMIN.items()}
        given = {**login, "binary_log": True, "take_over": False, "accounts": accounts, **params}
        module = Module(mysql_accounts.ARGUMENTS, given)
        client = MysqlClient(mysql_accounts.login_of(module.params), timeout=PATIENCE)
        found: dict[str, Any] = mysql_accounts.run(module, client)
        client.close()
        return found


def run_server(folder: Path, certificate: Issued, authority: Issued) -> Endpoint:
    server, port = RealMariadb(folder / "server"), free_port()
    for name, text in (
        ("cert.pem", certificate.certificate),
        ("key.pem", certificate.private_key),
        ("ca.pem", authority.certificate),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    words = [f"--port={port}", f"--bind-address={HOST}", "--skip-name-resolve", "--require-secure-transport=ON"]
    words += [f"--ssl-cert={folder}/cert.pem", f"--ssl-key={folder}/key.pem", f"--ssl-ca={folder}/ca.pem"]
    server.start(*words)
    server.run(*(statement for statement in ADMIN_SQL.split(";") if statement.strip()))
    return Endpoint(server, port, folder / "ca.pem")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    need("mariadbd")
    need("mariadb-install-db")
    authority = issue("authority")
    found = run_server(tmp_path_factory.mktemp("endpoint"), issue(HOST, authority, names=ADDRESS), authority)
    yield found
    found.server.kill()


def site(name: str = "shop", password: str = "s3cret'\"", privileges: tuple[str, ...] = ()) -> dict[str, Any]:
    """An account as the playbook asks for it."""
    rights = list(privileges or ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX"))
    return {
        "name": name,
        "password": password,
        "hosts": ["%"],
        "grants": [{"databases": [name], "privileges": rights}],
    }


def test_databases_and_accounts_need_no_more_than_a_cloud_gives(endpoint: Endpoint, tmp_path: Path) -> None:
    wanted = {"databases": ["shop"], "canary_schema": "ansible_canary", "names_file": str(tmp_path / "names")}
    made = endpoint.make(accounts=[site()], **wanted)
    assert (made["databases"], made["accounts"]) == (["shop", "ansible_canary"], ["shop@%"])
    assert endpoint.make(accounts=[site()], **wanted)["changed"] is False
    assert endpoint.refusal("CREATE TABLE shop.items (id INT)", "shop", "s3cret'\"") == ""
    assert "denied" in endpoint.refusal("SELECT * FROM mysql.user", "shop", "s3cret'\"")
    with pytest.raises(ModuleError, match="SUPER"):
        # As on servers of ours, whose accounts no binary log has.
        endpoint.make(accounts=[site("blog")], binary_log=False)


def test_a_password_changes_while_the_former_one_lets_in(endpoint: Endpoint, tmp_path: Path) -> None:
    names = {"names_file": str(tmp_path / "names")}
    endpoint.make(accounts=[site("desk", "first")], databases=["desk"], **names)
    changed = endpoint.make(accounts=[site("desk", "second")], keep_former=True, **names)
    assert changed["former"] == ["desk@%"]
    assert [endpoint.refusal("DO 1", "desk", word) for word in ("first", "second")] == ["", ""]
    endpoint.make(accounts=[site("desk", "second")], **names)
    assert "denied" in endpoint.refusal("DO 1", "desk", "first")
    assert endpoint.refusal("DO 1", "desk", "second") == ""


def test_an_account_that_somebody_else_made_is_not_taken(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.server.run("CREATE USER 'theirs'@'%' IDENTIFIED BY 'unknown to us'")
    with pytest.raises(ModuleError, match="theirs@% is an account that somebody else made here"):
        endpoint.make(accounts=[site("theirs")], names_file=str(tmp_path / "names"))


def test_nothing_is_told_to_a_server_that_cannot_be_trusted(endpoint: Endpoint, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text(issue("another authority").certificate, encoding="utf-8")
    client = MysqlClient(endpoint.login(authority=other), timeout=PATIENCE)
    with pytest.raises(MysqlError, match="certificate is not trusted"):
        client.query(["DO 1"])
    client.close()


def test_the_verdict_writes_its_canary_as_the_administrator(endpoint: Endpoint) -> None:
    endpoint.make(canary_schema="ansible_canary")
    probe = MysqlProbe(endpoint.client())
    look = probe.look(Canary("write", "token"))
    probe.close()
    assert isinstance(look.found, Snapshot), look
    assert (look.found.role, look.found.read_only) == ("standalone", False)
    assert look.canary
    assert (look.canary.seen, look.canary.refusal) == (True, None)


def test_the_verdict_says_that_a_password_is_refused(endpoint: Endpoint) -> None:
    probe = MysqlProbe(endpoint.client(password="wrong"))
    look = probe.look()
    probe.close()
    assert isinstance(look.found, Failure)
    assert look.found.state == "auth_failed"


def environment(endpoint: Endpoint, **changed: str) -> dict[str, str]:
    place = {"DB_HOST": HOST, "DB_PORT": str(endpoint.port), "DB_READ_HOST": HOST, "DB_READ_PORT": str(endpoint.port)}
    account = {"DB_DATABASE": "wiki", "DB_USERNAME": "wiki", "DB_PASSWORD": "s3cret"}
    return {**place, **account, "MYSQL_ATTR_SSL_CA": str(endpoint.authority), "SITE_NAME": "wiki", **changed}


def seen_by_php(endpoint: Endpoint, folder: Path, **changed: str) -> dict[str, Any]:
    """What a site sees of its databases, below the restriction of its pool."""
    endpoint.make(accounts=[site("wiki", "s3cret")], databases=["wiki"], names_file=str(folder / "names"))
    given = {name: value for name, value in environment(endpoint, **changed).items() if value}
    words = ["php", "-d", f"open_basedir={SITE.parent}/", str(SITE)]
    done = subprocess.run(words, env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True, check=True)
    looks: dict[str, Any] = json.loads(done.stdout)["looks"]
    return looks


def test_php_speaks_tls_with_it(endpoint: Endpoint, tmp_path: Path) -> None:
    need_php("pdo_mysql")
    looks = seen_by_php(endpoint, tmp_path)
    assert {name: (look["ok"], look.get("role")) for name, look in looks.items()} == {
        "mysql_write": (True, "primary"),
        "mysql_read": (True, "primary"),
    }


def test_the_demo_speaks_tls_with_it(endpoint: Endpoint, tmp_path: Path) -> None:
    need_php("pdo_mysql")
    endpoint.make(accounts=[site("wiki", "s3cret")], databases=["wiki"], names_file=str(tmp_path / "names"))
    script = (
        f"require '{CHECKOUT}/sites/demo/lib.php'; $store = new Demo\\Store(); $made = $store->add('a word');"
        " echo json_encode([$made['text'], $store->mysqlInfo('read')['role'],"
        " $store->item($made['id'], 'replica')['text']]);"
    )
    given = {**environment(endpoint), "REDIS_PREFIX": "wiki:", "PATH": os.environ["PATH"]}
    done = subprocess.run(["php", "-r", script], env=given, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["a word", "primary", "a word"]


@pytest.mark.parametrize("wrong", ["authority", "plain"])
def test_php_says_nothing_to_a_server_that_it_cannot_trust(endpoint: Endpoint, tmp_path: Path, wrong: str) -> None:
    need_php("pdo_mysql")
    other = tmp_path / "other.pem"
    other.write_text(issue("another authority").certificate, encoding="utf-8")
    looks = seen_by_php(endpoint, tmp_path, MYSQL_ATTR_SSL_CA=str(other) if wrong == "authority" else "")
    assert {look["ok"] for look in looks.values()} == {False}


def test_php_asks_for_the_name(tmp_path: Path) -> None:
    need("mariadbd")
    need("mariadb-install-db")
    need_php("pdo_mysql")
    authority = issue("authority")
    found = run_server(tmp_path, issue("other.example", authority), authority)
    try:
        given = environment(found, DB_USERNAME="ops", DB_PASSWORD="administrator", DB_DATABASE="mysql")
        done = subprocess.run(
            ["php", str(SITE)], env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True, check=True
        )
        assert {look["ok"] for look in json.loads(done.stdout)["looks"].values()} == {False}
    finally:
        found.server.kill()


def test_cron_jobs_are_agreed_upon_there(endpoint: Endpoint, tmp_path: Path) -> None:
    need_php("pdo_mysql")
    account = site("shop-cron", "lease", tuple(LEASE_PRIVILEGES))
    endpoint.make(accounts=[account], databases=["shop-cron"], names_file=str(tmp_path / "names"))
    place = {"engine": "mysql", "name": "shop-cron", "password": "lease", "host": HOST, "port": endpoint.port}
    with served() as port:
        job = Job(tmp_path, port, {**place, "ca_file": str(endpoint.authority)})
        said = [job.run(server) for server in ("web1", "web2")]
    assert [code for code, _words in said] == [0, 0], said
    assert len(job.ran()) == 1
