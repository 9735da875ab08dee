# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of the copies: what they write, what they refuse, and a real store that lets nobody remove a copy."""

from __future__ import annotations

import json
import shlex
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from ssl import create_default_context
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.repository import Repository
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.settings import BackupError, parse
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

MYSQL = "a-long-and-random-password"
REDIS = "another-long-random-password"
CLIENT: dict[str, Any] = {
    "backup_client_tiers": ["mysql"],
    "backup_client_repository": "rest:https://10.0.0.40:8443",
    "backup_client_mysql_password": "for restic",
    "backup_client_mysql_store_password": MYSQL,
    "backup_client_certificate": "PEM\n",
}
NOTHING_THERE = {"stat": {"stat": {"exists": False}}}
STORE: dict[str, Any] = {
    "backup_store_bind_address": "127.0.0.1",
    "backup_store_users": [{"name": "mysql", "password": MYSQL}, {"name": "redis", "password": REDIS}],
}


def play(folder: Path, role: str, variables: dict[str, Any], release: str = "13", **answers: dict[str, Any]) -> Run:
    return play_role(role, {"host": Case(variables, release, {}, {**NOTHING_THERE, **answers})}, folder)


# --- backup_client ----------------------------------------------------------------------------------------------------


@pytest.fixture(name="client", scope="module")
def fixture_client(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play(tmp_path_factory.mktemp("client"), "backup_client", {**CLIENT, "backup_client_prune": False})


def test_the_program_reads_the_settings_that_the_role_writes(client: Run) -> None:
    file = client.file("host", "mysql.json")
    settings = parse(json.loads(file.content))
    assert (file.arguments["mode"], "content" in file.arguments) == ("0600", False)
    assert settings.repository == f"rest:https://mysql:{MYSQL}@10.0.0.40:8443/mysql"
    assert (settings.password, settings.jobs, settings.keep) == ("for restic", ("copy",), {})
    assert (settings.wait_minutes, settings.fresh_minutes, settings.max_age_hours) == (120, 1200, 26)
    assert settings.certificate == "/etc/webcluster-backup/store.pem"


def test_secrets_are_in_the_settings_only(client: Run) -> None:
    for call in client.calls:
        if call.module == "configured_service":
            for file in call.arguments["files"]:
                shown = file.get("content") or ""
                assert MYSQL not in shown
                assert "for restic" not in shown
    assert MYSQL not in client.output


def test_systemd_understands_the_units(client: Run, tmp_path: Path) -> None:
    need("systemd-analyze")
    unit = client.file("host", "webcluster-backup-mysql-copy@.service").content
    runnable = unit.replace("/usr/bin/python3", "/bin/true")
    answer = check(
        "systemd-analyze verify --man=no %s", runnable, tmp_path, "webcluster-backup-mysql-copy@timer.service"
    )
    assert "webcluster-backup" not in answer.stderr, answer.stderr
    exposed = "systemd-analyze security --offline=yes --no-pager --threshold=50 %s"
    answer = check(exposed, runnable, tmp_path, "webcluster-backup-mysql-copy@timer.service")
    assert answer.returncode == 0, answer.stdout
    timer = client.file("host", "webcluster-backup-mysql-copy.timer")
    assert check(timer.arguments["validate"], timer.content, tmp_path).returncode == 0
    broken = timer.content.replace("02:30:00", "25:30:00")
    assert check(timer.arguments["validate"], broken, tmp_path).returncode != 0


def test_a_store_keeps_and_proves_and_never_runs_as_root(tmp_path: Path) -> None:
    variables = {
        **CLIENT,
        "backup_client_jobs": ["keep", "drill"],
        "backup_client_repository": "/var/lib/webcluster-backup-store/repositories",
        "backup_client_user": "webcluster-backup-store",
    }
    run = play(tmp_path, "backup_client", variables)
    assert run.refusal("host") == ""
    unit = run.file("host", "webcluster-backup-mysql-drill@.service").content
    assert "User=webcluster-backup-store\n" in unit
    assert "CapabilityBoundingSet=\n" in unit
    assert "MemoryMax=1G\n" in unit
    assert [file["path"] for call in run.of("host", "configured_service") for file in call["files"]].count(
        "/etc/webcluster-backup/mysql.json"
    ) == 2
    files = [file for call in run.of("host", "configured_service") for file in call["files"]]
    settings = parse(json.loads(next(file for file in files if file["path"].endswith("mysql.json"))["secret_content"]))
    assert settings.repository == "/var/lib/webcluster-backup-store/repositories/mysql"
    assert settings.keep == {"hourly": 24, "daily": 7, "weekly": 4, "monthly": 6}
    # It never makes a repository that belongs to root.
    assert run.of("host", "backup_repository") == []


def test_nothing_happens_until_a_store_is_named(tmp_path: Path) -> None:
    run = play(tmp_path, "backup_client", {"backup_client_tiers": ["mysql"]})
    assert [call.module for call in run.calls if call.module != "ping"] == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param(
            {"backup_client_mysql_password": ""}, "The copies of mysql have no password; expected", id="password"
        ),
        pytest.param(
            {"backup_client_repository": "rest:http://10.0.0.40:8443"},
            "everybody between reads the store's",
            id="plain",
        ),
        pytest.param(
            {"backup_client_repository": "rest:https://me:word@10.0.0.40"}, "holds a login, expected none", id="login"
        ),
        pytest.param({"backup_client_user": "backup"}, "backup_client_user is backup, expected root", id="user"),
        pytest.param({"backup_client_tiers": ["postgres"]}, "backup_client_tiers", id="tier"),
    ],
)
def test_bad_input_is_one_sentence(variables: dict[str, Any], said: str, tmp_path: Path) -> None:
    run = play(tmp_path, "backup_client", {**CLIENT, **variables})
    assert said in run.refusal("host")
    assert run.of("host", "configured_service") == []


def test_oracles_mysql_is_refused(tmp_path: Path) -> None:
    run = play(tmp_path, "backup_client", CLIENT, stat={"stat": {"exists": True, "islnk": False}})
    assert "host runs MySQL, and only MariaDB is copied yet" in run.refusal("host")
    assert run.of("host", "configured_service") == []


# --- backup_store -----------------------------------------------------------------------------------------------------


@dataclass
class RealStore:
    """rclone as the role's unit starts it, at a loopback port."""

    port: int
    certificate: Path
    folder: Path

    def repository(self, user: str, password: str, name: str, state: Path) -> Repository:
        state.mkdir(exist_ok=True)
        return Repository(
            parse(
                {
                    "tier": "mysql",
                    "host": "db1",
                    "repository": f"rest:https://{user}:{password}@127.0.0.1:{self.port}/{name}",
                    "password": "for restic",
                    "certificate": str(self.certificate),
                    "state": str(state),
                    "keep": {"last": 1},
                }
            )
        )


@pytest.fixture(name="store", scope="module")
def fixture_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStore]:
    for program in ("rclone", "restic", "openssl"):
        need(program)
    folder = tmp_path_factory.mktemp("store")
    port = free_port()
    copies = folder / "copies"
    copies.mkdir()
    run = play(folder, "backup_store", {**STORE, "backup_store_port": port, "backup_store_path": str(copies)})
    assert run.refusal("host") == ""
    users, key, certificate = folder / "users", folder / "key", folder / "certificate.pem"
    users.write_text(run.file("host", "users").content, encoding="utf-8")
    words = list(run.one("host", "command")["argv"])
    words[words.index("-keyout") + 1], words[words.index("-out") + 1] = str(key), str(certificate)
    subprocess.run(words, check=True, capture_output=True)
    unit = run.file("host", "webcluster-backup-store.service").content
    [command] = [line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart=")]
    for place, path in (("127.0.0.1.pem", certificate), ("127.0.0.1.key", key), ("users", users)):
        command = command.replace(f"/etc/webcluster-backup-store/{place}", str(path))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(shlex.split(command), stdout=log, stderr=log)
    found = RealStore(port, certificate, copies)

    def answers() -> bool:
        with suppress(OSError):
            ask(found, "GET", "/", "mysql", MYSQL)
            return True
        return False

    try:
        wait_for(answers)
        yield found
    finally:
        server.kill()
        server.wait()


def ask(store: RealStore, method: str, path: str, user: str, password: str) -> int:
    context = create_default_context(cafile=str(store.certificate))
    link = HTTPSConnection("127.0.0.1", store.port, context=context, timeout=10)
    try:
        link.request(
            method, path, headers={"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}
        )
        return link.getresponse().status
    finally:
        link.close()


def test_copies_come_in_and_nobody_removes_them(store: RealStore, tmp_path: Path) -> None:
    repository = store.repository("mysql", MYSQL, "mysql", tmp_path / "state")
    assert not repository.exists()
    repository.create()
    for text in ("one", "two"):
        repository.store(["printf", "%s", text], {"PATH": "/usr/bin:/bin"}, "replica")
    names = [copy.id for copy in repository.copies()]
    assert len(names) == 2
    with pytest.raises(BackupError, match="old copies cannot be removed"):
        repository.forget()
    assert [copy.id for copy in repository.copies()] == names
    kept = next((store.folder / "mysql/snapshots").iterdir())
    assert ask(store, "DELETE", f"/mysql/snapshots/{kept.name}", "mysql", MYSQL) == 403
    assert kept.is_file()
    repository.save(repository.copies()[-1], tmp_path / "back")
    assert (tmp_path / "back").read_text(encoding="utf-8") == "two"


@pytest.mark.parametrize(
    ("user", "password", "name"),
    [
        pytest.param("mysql", "wrong", "mysql", id="wrong password"),
        pytest.param("redis", REDIS, "mysql", id="another tier's repository"),
        pytest.param("nobody", MYSQL, "nobody", id="unknown user"),
    ],
)
def test_others_are_not_let_in(user: str, password: str, name: str, store: RealStore, tmp_path: Path) -> None:
    repository = store.repository(user, password, name, tmp_path / "state")
    with pytest.raises(BackupError, match=r"401|403") as raised:
        repository.exists(timeout=5)
    assert password not in str(raised.value)
    assert ask(store, "GET", f"/{name}/config", user, password) in (401, 403)


def test_a_client_trusts_this_certificate_only(store: RealStore, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", "/CN=other", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "k")]
    subprocess.run([*words, "-out", str(other)], check=True, capture_output=True)
    stranger = RealStore(store.port, other, store.folder)
    with pytest.raises(BackupError, match="certificate"):
        stranger.repository("mysql", MYSQL, "mysql", tmp_path / "state").exists(timeout=5)


def test_systemd_understands_the_store(tmp_path: Path) -> None:
    need("systemd-analyze")
    run = play(tmp_path, "backup_store", STORE)
    unit = run.file("host", "webcluster-backup-store.service").content.replace("/usr/bin/rclone", "/bin/true")
    answer = check("systemd-analyze verify --man=no %s", unit, tmp_path, "webcluster-backup-store.service")
    assert "webcluster-backup" not in answer.stderr, answer.stderr
    exposed = "systemd-analyze security --offline=yes --no-pager --threshold=20 %s"
    assert check(exposed, unit, tmp_path, "webcluster-backup-store.service").returncode == 0


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param(
            {"backup_store_bind_address": "store.example"}, "expected an address such as 10.0.0.40", id="name"
        ),
        pytest.param(
            {"backup_store_users": [{"name": "../x", "password": MYSQL}]}, "expected names of small letters", id="user"
        ),
        pytest.param(
            {"backup_store_users": [{"name": "mysql", "password": "short"}]}, "at least 16 characters", id="short"
        ),
    ],
)
def test_a_store_refuses_bad_input_in_one_sentence(variables: dict[str, Any], said: str, tmp_path: Path) -> None:
    run = play(tmp_path, "backup_store", {**STORE, **variables})
    assert said in run.refusal("host")
    assert "short " not in run.refusal("host").replace("is short, ", "")
    assert run.of("host", "configured_service") == []


def test_a_release_without_support_is_refused(tmp_path: Path) -> None:
    for role, variables in (("backup_store", STORE), ("backup_client", CLIENT)):
        folder = tmp_path / role
        folder.mkdir()
        run = play(folder, role, variables, "sid")
        assert f"host runs Debian sid, but {role} supports Debian 12, Debian 13" in run.refusal("host")
