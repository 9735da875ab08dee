# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of real servers in a real restic repository, when they are made, and whether they come back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._backup import jobs, judge, record, repository
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.jobs import World
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.record import Record
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.repository import Copy, Repository
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.settings import (
    BackupError,
    Server,
    Settings,
    parse,
    read,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.standing import (
    STANDINGS,
    Standing,
    decide,
    parse_redis_standing,
)
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback_mariadb import RealMariadb
from ansible_collections.siteops.webcluster.tests.loopback_redis import PASSWORD, RealServer

REPLICA = Standing("replica")
PRIMARY = Standing("primary", replicas=1)
LONELY = Standing("primary")


def settings_of(folder: Path, tier: str = "mysql", **more: object) -> Settings:
    raw = {
        "tier": tier,
        "host": "db1",
        "repository": str(folder / "store"),
        "password": "a password",
        "state": str(folder / "state"),
    }
    (folder / "state").mkdir(exist_ok=True)
    return parse({**raw, **more})


def world_of(standing: Standing, clock: Callable[[], float] = time.time) -> World:
    return World(lambda _settings: standing, clock=clock, sleep=lambda _seconds: None)


@pytest.fixture(name="mariadb", scope="module")
def fixture_mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMariadb]:
    for program in ("restic", "mariadbd", "mariadb-backup", "mariadb-install-db"):
        need(program)
    server = RealMariadb(tmp_path_factory.mktemp("db"))
    try:
        server.start()
        server.run(
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, what TEXT) ENGINE=InnoDB",
            "INSERT INTO shop.orders SELECT seq, REPEAT('x', 200) FROM shop.seq_1_to_2000",
        )
        yield server
    finally:
        server.kill()


@pytest.fixture(name="redis")
def fixture_redis(tmp_path: Path) -> Iterator[RealServer]:
    for program in ("restic", "redis-server", "redis-cli"):
        need(program)
    server = RealServer("r", tmp_path / "redis")
    try:
        server.start()
        yield server
    finally:
        server.kill()


# --- A real MariaDB ---------------------------------------------------------------------------------------------------


def created(settings: Settings) -> Settings:
    """The same, with a repository in the store."""
    Repository(settings).create()
    return settings


def mysql_settings(folder: Path, server: RealMariadb) -> Settings:
    return created(settings_of(folder, server={"socket": server.socket}))


def test_every_row_that_was_acknowledged_before_the_copy_comes_back(mariadb: RealMariadb, tmp_path: Path) -> None:
    settings = mysql_settings(tmp_path, mariadb)
    acknowledged: list[int] = []
    over = threading.Event()
    other = RealMariadb.__new__(RealMariadb)
    other.client = type(mariadb.client)(mariadb.client.login, timeout=60)

    def write() -> None:
        while not over.is_set():
            number = 10_000 + len(acknowledged)
            other.run(f"INSERT INTO shop.orders VALUES ({number}, 'while the copy is made')")
            acknowledged.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(acknowledged) < 50:
            time.sleep(0.01)
        before = len(acknowledged)
        done = jobs.run(settings, "copy", world_of(REPLICA))
        after = len(acknowledged)
    finally:
        over.set()
        writer.join()
        other.client.close()
    assert (done.result, after > before) == ("done", True), done
    kept = tmp_path / "kept"
    proof = jobs.run(settings, "drill", world_of(REPLICA), kept=str(kept))
    assert proof.result == "done", proof
    rows = proof.figures["rows_of"]["shop.orders"]
    assert 2000 + before <= rows <= 2000 + len(acknowledged)
    assert proof.figures["position"].startswith("0-1-")
    assert proof.copy == done.copy
    assert (kept / "shop" / "orders.ibd").is_file()
    # Nothing of the scratch server is left.
    assert [path.name for path in Path(settings.state).iterdir() if path.name.startswith(("scratch-", "copy-"))] == []


def test_a_second_copy_adds_little(mariadb: RealMariadb, tmp_path: Path) -> None:
    settings = mysql_settings(tmp_path, mariadb)
    first = jobs.run(settings, "copy", world_of(REPLICA), now=True)
    second = jobs.run(settings, "copy", world_of(REPLICA), now=True)
    # Without deduplication it were as much again; a change stores its whole chunk anew, up to 8 MB of these 17.
    assert second.figures["added"] < first.figures["added"] * 3 / 4
    assert len(Repository(settings).copies()) == 2


def test_a_server_that_stands_alone_is_a_primary_and_is_copied(mariadb: RealMariadb, tmp_path: Path) -> None:
    settings = mysql_settings(tmp_path, mariadb)
    assert STANDINGS["mysql"](settings) == LONELY
    assert jobs.run(settings, "copy", jobs.usual_world(settings)).figures["source"] == "primary"


def test_a_copy_that_was_cut_is_none(mariadb: RealMariadb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = mysql_settings(tmp_path, mariadb)
    program = "head -c 3000000 /dev/urandom; echo disk full >&2; exit 3"
    monkeypatch.setattr(jobs, "stream_command", lambda _settings, _folder: (["sh", "-c", program], {}))
    done = jobs.run(settings, "copy", world_of(REPLICA))
    assert (done.result, done.message) == ("failed", "sh failed, and nothing was stored: disk full")
    assert Repository(settings).copies() == []


def test_a_table_that_is_damaged_in_the_store_fails_the_drill(mariadb: RealMariadb, tmp_path: Path) -> None:
    settings = mysql_settings(tmp_path, mariadb)
    jobs.run(settings, "copy", world_of(REPLICA))
    for pack in (tmp_path / "store/data").rglob("*"):
        if pack.is_file() and pack.stat().st_size > 50_000:
            pack.chmod(0o600)
            data = bytearray(pack.read_bytes())
            data[20_000:20_100] = bytes(100)
            pack.write_bytes(data)
    shutil.rmtree(Path(settings.state) / "cache", ignore_errors=True)
    done = jobs.run(settings, "drill", world_of(REPLICA))
    assert done.result == "failed"
    assert record.read(settings.state, "mysql", "drill") == done
    assert "cannot be" in done.message or "damage" in done.message


def test_the_program_runs_with_the_code_beside_it_and_tells_a_failure_by_its_exit(
    mariadb: RealMariadb, tmp_path: Path
) -> None:
    checkout = Path(__file__).resolve().parents[2]
    raw: dict[str, Any] = {
        "tier": "mysql",
        "host": "db1",
        "repository": str(tmp_path / "store"),
        "password": "a password",
    }
    raw |= {"state": str(tmp_path / "state"), "server": {"socket": mariadb.socket}}
    file = tmp_path / "mysql.json"
    file.write_text(json.dumps(raw), encoding="utf-8")
    program = checkout / "roles/backup_client/files/backup/main.py"

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, str(program), *words],
            env={
                "PYTHONPATH": str(checkout / ".ansible/collections"),
                "PATH": "/usr/sbin:/usr/bin:/bin",
                "HOME": "/root",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    code, said = run("copy", str(file), "now")
    assert (code, said) == (1, f"MySQL: the store {tmp_path}/store has no repository yet: run site.yml.\n")
    Repository(read(file)).create()
    code, said = run("copy", str(file), "now")
    assert (code, "of the primary was stored" in said) == (0, True), said
    code, said = run("drill", str(file))
    assert (code, "was restored: " in said) == (0, True), said
    assert not (tmp_path / "state/kept-mysql").exists()
    code, said = run("drill", str(file), "keep")
    assert (code, (tmp_path / "state/kept-mysql/shop/orders.ibd").is_file()) == (0, True), said
    # What somebody kept is never written over.
    assert run("drill", str(file), "keep")[0] == 1
    file.write_text(json.dumps({**raw, "password": "another"}), encoding="utf-8")
    code, said = run("copy", str(file), "now")
    assert (code, said) == (
        1,
        f"MySQL: the store {tmp_path}/store is not ours: the password does not open it.\n",
    )
    assert run("copy", str(tmp_path / "none.json"))[0] == 2
    assert run("dance")[0] == 2


# --- A real Redis -----------------------------------------------------------------------------------------------------


def redis_settings(folder: Path, server: RealServer) -> Settings:
    login = {"port": server.port, "user": "default", "password": PASSWORD}
    return created(settings_of(folder, "redis", server=login, fresh_minutes=10, wait_minutes=5))


def test_redis_comes_back_with_all_of_its_keys(redis: RealServer, tmp_path: Path) -> None:
    settings = redis_settings(tmp_path, redis)
    for number in range(300):
        redis.client.command("SET", f"key{number}", "x" * 50)
    done = jobs.run(settings, "copy", jobs.usual_world(settings))
    assert (done.result, done.figures["source"]) == ("done", "primary"), done
    redis.client.command("FLUSHALL")
    proof = jobs.run(settings, "drill", jobs.usual_world(settings))
    assert (proof.result, proof.figures["keys"]) == ("done", 300), proof


def test_a_wrong_password_of_redis_stores_nothing(redis: RealServer, tmp_path: Path) -> None:
    settings = replace(redis_settings(tmp_path, redis), server=Server(redis.port, "default", "wrong"))
    done = jobs.run(settings, "copy", world_of(LONELY), now=True)
    assert done.result == "failed"
    assert "wrong" not in done.message
    assert Repository(settings).copies() == []


def test_what_redis_says_of_its_role() -> None:
    online = {"role": "master", "slave0": "ip=10.0.0.1,state=online", "slave1": "ip=10.0.0.2,state=wait_bgsave"}
    assert parse_redis_standing(online) == Standing("primary", True, 1)
    assert parse_redis_standing({"role": "slave", "master_link_status": "up"}).well
    assert not parse_redis_standing({"role": "slave", "master_link_status": "down"}).well
    assert not parse_redis_standing({"role": "slave", "master_link_status": "up", "master_sync_in_progress": "1"}).well


# --- Who copies, and when ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "age", "waited", "now", "decision"),
    [
        pytest.param(REPLICA, None, 0, False, "copy", id="replica"),
        pytest.param(REPLICA, 1300, 0, False, "copy", id="replica, old copy"),
        pytest.param(REPLICA, 100, 0, False, "nothing", id="replica, fresh copy"),
        pytest.param(REPLICA, 100, 0, True, "copy", id="replica, at once"),
        pytest.param(PRIMARY, 100, 0, False, "nothing", id="primary, the replica made one"),
        pytest.param(PRIMARY, 1300, 0, False, "wait", id="primary, the replica is at it"),
        pytest.param(PRIMARY, None, 119, False, "wait", id="primary, still"),
        pytest.param(PRIMARY, None, 120, False, "copy", id="primary, no replica made one"),
        pytest.param(PRIMARY, None, 0, True, "copy", id="primary, at once"),
        pytest.param(LONELY, None, 0, False, "copy", id="alone"),
    ],
)
def test_a_replica_is_copied_and_the_primary_only_where_none_made_a_copy(
    standing: Standing, age: float | None, waited: float, now: bool, decision: str, tmp_path: Path
) -> None:
    assert decide(settings_of(tmp_path), standing, age, waited, now) == decision


@pytest.mark.parametrize("now", [True, False])
def test_a_replica_that_is_not_well_is_never_copied(now: bool, tmp_path: Path) -> None:
    unwell = Standing("replica", False, why="its SQL thread has stopped")
    with pytest.raises(BackupError, match="the replica on db1 is not well, and is not copied: its SQL thread"):
        decide(settings_of(tmp_path), unwell, None, 0, now)


class Store(Repository):
    """Holds nothing, and remembers what it was given."""

    def __init__(self, settings: Settings, stored: list[str]) -> None:
        super().__init__(settings)
        self.stored = stored

    def copies(self, timeout: float = 60) -> list[Copy]:
        assert timeout
        return []

    def store(self, command: Sequence[str], environment: dict[str, str], source: str) -> repository.Stored:
        assert (command[0], bool(environment)) == ("mariadb-backup", True)
        self.stored.append(source)
        return repository.Stored("abcdef01", 10, 1)


def test_a_primary_waits_for_its_replicas_and_says_when_it_made_the_copy_itself(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    stored: list[str] = []
    slept = [0.0]
    world = World(
        lambda _settings: PRIMARY,
        lambda given: Store(given, stored),
        clock=lambda: 1_000_000.0 + sum(slept),
        sleep=slept.append,
    )
    done = jobs.run(settings, "copy", world)
    assert sum(slept) == 7200
    assert stored == ["primary"]
    assert (
        done.message == "copy abcdef01 of the primary was stored, from the primary, as none of its 1 replicas made one"
    )


# --- The store --------------------------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_told_without_its_login(tmp_path: Path) -> None:
    need("restic")
    settings = settings_of(tmp_path, repository="rest:http://mysql:secret@127.0.0.1:9/mysql")
    done = jobs.run(settings, "copy", world_of(REPLICA))
    assert done.result == "failed"
    assert "127.0.0.1:9" in done.message
    assert "secret" not in done.message
    # It is away, which is not the same as empty.
    assert "no repository yet" not in done.message


def test_a_store_without_a_repository_is_told_so(tmp_path: Path) -> None:
    need("restic")
    settings = settings_of(tmp_path)
    assert not Repository(settings).exists()
    Repository(settings).create()
    assert Repository(settings).exists()


def store_text(settings: Settings, text: str) -> str:
    return Repository(settings).store(["printf", "%s", text], {"PATH": "/usr/bin:/bin"}, "replica").id


def test_old_copies_go_as_promised_even_with_a_lock_left_behind(tmp_path: Path) -> None:
    need("restic")
    settings = settings_of(tmp_path, keep={"last": 2})
    Repository(settings).create()
    for text in ("one", "two", "three"):
        store_text(settings, text)
    done = jobs.run(settings, "keep", world_of(REPLICA))
    assert (done.result, done.figures) == ("done", {"copies": 2}), done


def test_a_look_leaves_nothing_in_the_store(tmp_path: Path) -> None:
    need("restic")
    settings = settings_of(tmp_path)
    Repository(settings).create()
    name = store_text(settings, "one")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    looks = Repository(settings, look_only=True).copies()
    assert [(copy.id, copy.host, copy.source) for copy in looks] == [(name, "db1", "replica")]
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_no_secret_is_an_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    def run(words: list[str], **_how: object) -> subprocess.CompletedProcess[str]:
        given.append(words)
        return subprocess.CompletedProcess(words, 0, "[]", "")

    monkeypatch.setattr(repository._programs, "run", run)
    settings = settings_of(tmp_path, repository="rest:https://mysql:hiddenword@store/mysql", certificate="/c.pem")
    Repository(settings).copies()
    assert given == [["restic", "--cacert", "/c.pem", "snapshots", "--json"]]
    assert "hiddenword" not in repr(settings)
    assert "a password" not in repr(settings)


# --- What is told -----------------------------------------------------------------------------------------------------


def copy_at(seconds: float) -> Copy:
    return Copy(
        "abcdef01", repository.datetime.fromtimestamp(seconds, repository.datetime.now().astimezone().tzinfo), "db2"
    )


HOUR = 3600.0
NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("copies", "records", "said"),
    [
        pytest.param([NOW - HOUR], [], [], id="well"),
        pytest.param([], [], ["the store has no copy of MySQL yet: run backup.yml"], id="none"),
        pytest.param([NOW - 27 * HOUR], [], ["the newest copy of MySQL is 27 h old, 26 h are promised"], id="too old"),
        pytest.param(
            [NOW - 9 * HOUR],
            [Record("copy", "failed", "disk full", NOW - HOUR)],
            ["the copy of MySQL failed 60 min ago: disk full"],
            id="failed",
        ),
        pytest.param([NOW - HOUR], [Record("copy", "failed", "disk full", NOW - 2 * HOUR)], [], id="made good since"),
        pytest.param(
            [NOW - HOUR],
            [Record("drill", "failed", "damaged", NOW - 2 * HOUR)],
            ["the restore drill of MySQL failed 2 h ago: damaged"],
            id="drill failed",
        ),
        pytest.param(
            [NOW - HOUR],
            [Record("drill", "done", "well", NOW - 9 * 24 * HOUR)],
            ["the last restore drill of MySQL passed 9 d ago, 8 d are promised"],
            id="drill too old",
        ),
        pytest.param([NOW - HOUR], [Record("drill", "done", "well", NOW - 7 * 24 * HOUR), None], [], id="drilled"),
    ],
)
def test_a_broken_promise_is_told(
    copies: list[float], records: list[Record | None], said: list[str], tmp_path: Path
) -> None:
    found = judge.broken_promises(settings_of(tmp_path), [copy_at(at) for at in copies], records, NOW)
    assert found == said


def test_settings_that_are_none_of_ours(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="none of ours: colour"):
        settings_of(tmp_path, colour="red")
    with pytest.raises(BackupError, match="none of ours: postgres"):
        settings_of(tmp_path, "postgres")
    file = tmp_path / "broken.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(BackupError, match=r"broken.json cannot be read"):
        read(file)
