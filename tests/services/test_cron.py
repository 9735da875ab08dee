# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that runs a site's cron jobs, in a real PHP, and servers that agree by a real MariaDB or Redis."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import LEASE_COMMANDS, LEASE_PRIVILEGES
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cron import parse
from ansible_collections.siteops.webcluster.tests.checkers import PATH, need
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from ansible_collections.siteops.webcluster.tests.loopback_redis import RealTier
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT

PROGRAM = CHECKOUT / "roles/apache_php/files/system/cron.php"
NAME = "shop-cron"
SECRET = "lease-s3cret"
SERVERS = ("web1", "web2", "web3")
UNTIL_STOPPED = 'echo start >>"$RAN"; until [ -e "$RAN.stop" ]; do sleep 0.1; done'
# All of a minute, so that it is no matter when the tests run.
GRACE = 60


class Page(BaseHTTPRequestHandler):
    """The site: it works at /up, by its name."""

    def do_GET(self) -> None:
        works = self.headers["Host"] == "shop.example"
        self.send_response({"/up": 200, "/gone": 301}.get(self.path, 500) if works else 404)
        self.end_headers()
        self.wfile.write(b"all is fine\n")

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@dataclass
class Job:
    """A site's job on one of its web servers."""

    folder: Path
    port: int
    lease: Mapping[str, Any]
    started: int = 0

    def start(self, server: str, name: str, script: str, **more: Any) -> subprocess.Popen[str]:
        health = {"host": "shop.example", "port": self.port, "path": "/up", "status": 200, "text": "fine"}
        job = {
            "command": ["sh", "-c", script],
            "timezone": more.get("timezone", "UTC"),
            "schedule": vars(parse(more.get("schedule", "* * * * *"))),
        }
        config = {
            "server": server,
            "grace": more.get("grace", GRACE),
            "jobs": {name: job},
            "lease": self.lease,
            "health": {**health, **more.get("health", {})},
        }
        file = self.folder / f"{server}-{name}.json"
        # In one step, as Ansible does: another run of it may be reading.
        new = self.folder / f"{server}-{name}.{self.started}"
        self.started += 1
        new.write_text(json.dumps(config), encoding="utf-8")
        new.rename(file)
        php = next(path for path in sorted(Path("/usr/bin").glob("php[0-9].[0-9]")))
        # As the unit calls it, with a php.ini that forbids pages to start programs.
        words = [str(php), "-d", "disable_functions=", "-d", "display_errors=stderr", str(PROGRAM), str(file), name]
        environment = {"PATH": PATH, "RAN": str(self.folder / "ran"), "SERVER": server}
        return subprocess.Popen(
            words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder
        )

    def run(
        self, server: str, name: str = "bill", script: str = 'echo "$WEBCLUSTER_TICK $SERVER" >>"$RAN"', **more: Any
    ) -> tuple[int, str]:
        process = self.start(server, name, script, **more)
        said, _nothing = process.communicate(timeout=60)
        return process.returncode, said

    def stop(self) -> None:
        """End what runs until it is stopped."""
        (self.folder / "ran.stop").touch()

    def ran(self) -> list[str]:
        path = self.folder / "ran"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def need_php(extension: str) -> None:
    need("php")
    if not list(Path("/usr/lib/php").glob(f"*/{extension}.so")):
        reason = f"PHP's {extension} is not installed here: run tools/checkers.sh as root"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def served() -> Iterator[int]:
    """The port of the site's page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    with served() as port:
        yield port


@pytest.fixture(scope="module", name="mysql")
def fixture_mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A MariaDB server with the account that the site's leases have, and its rights."""
    need("mariadbd")
    need_php("pdo_mysql")
    folder, port = tmp_path_factory.mktemp("mysql"), free_port()
    data, socket = folder / "data", folder / "socket"
    data.mkdir()
    user = ["--user=root"] if os.geteuid() == 0 else []
    program = str(shutil.which("mariadbd", path=PATH))
    # What mariadb-install-db does, which is in another package.
    tables = []
    for name in ("system_tables", "system_tables_data"):
        found = [path for share in ("mariadb", "mysql") for path in Path("/usr/share", share).glob(f"m*_{name}.sql")]
        tables.append(found[0].read_text(encoding="utf-8"))
    text = "\n".join(["CREATE DATABASE mysql;", "USE mysql;", *tables])
    made = [program, "--no-defaults", "--bootstrap", f"--datadir={data}", *user]
    subprocess.run(made, input=text, check=True, capture_output=True, text=True)
    init = folder / "init.sql"
    init.write_text(
        f"CREATE DATABASE `{NAME}`; CREATE USER `{NAME}`@`127.0.0.1` IDENTIFIED BY '{SECRET}';"
        f" GRANT {', '.join(LEASE_PRIVILEGES)} ON `{NAME}`.* TO `{NAME}`@`127.0.0.1`;\n".replace("; ", ";\n"),
        encoding="utf-8",
    )
    words = [
        str(shutil.which("mariadbd", path=PATH)),
        "--no-defaults",
        f"--datadir={data}",
        f"--socket={socket}",
        *user,
    ]
    words += [
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--init-file={init}",
        "--skip-name-resolve",
        "--innodb-buffer-pool-size=8M",
    ]
    with open(folder / "log", "wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        wait_for(lambda: b"ready for connections" in (folder / "log").read_bytes())
        yield {"engine": "mysql", "port": port, "name": NAME, "password": SECRET}
        process.terminate()


@pytest.fixture(scope="module", name="redis")
def fixture_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    need("redis-server")
    need_php("redis")
    with RealTier(tmp_path_factory.mktemp("redis"), "redis1") as tier:
        lease = lets_in(tier)
        # One that was started within this minute is not believed.
        time.sleep(62.5 - time.time() % 60)
        yield lease


@pytest.fixture(params=["mysql", "redis"])
def job(request: pytest.FixtureRequest, tmp_path: Path, page: int) -> Job:
    return Job(tmp_path, page, request.getfixturevalue(request.param))


def name_of(request: pytest.FixtureRequest) -> str:
    """A job of its own for each test; what was leased stays."""
    return f"job-{hashlib.sha256(request.node.name.encode()).hexdigest()[:16]}"


def test_of_all_servers_one_runs_it_and_none_twice(job: Job, request: pytest.FixtureRequest) -> None:
    name = name_of(request)
    for _round in range(3):
        script = 'echo "$WEBCLUSTER_TICK $SERVER" >>"$RAN"'
        processes = [job.start(server, name, script) for server in SERVERS for _twice in range(2)]
        said = [process.communicate(timeout=60)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * 6, said
        assert sum("Left to the server that has taken this tick" in text for text in said) >= 5
    ticks = Counter(line.split()[0] for line in job.ran())
    assert ticks
    assert set(ticks.values()) == {1}


def test_another_server_does_not_start_the_next_tick_while_it_still_runs(
    job: Job, request: pytest.FixtureRequest
) -> None:
    name = name_of(request)
    process = job.start("web1", name, UNTIL_STOPPED)
    wait_for(lambda: job.ran() == ["start"])
    # As if the next minute had come: the tick of the one that runs becomes a former one.
    forget_tick(job, name)
    code, said = job.run("web2", name)
    assert (code, "or still runs the one before" in said, len(job.ran())) == (0, True, 1)
    job.stop()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_job_that_has_ended_leaves_the_next_tick_to_anybody(job: Job, request: pytest.FixtureRequest) -> None:
    name = name_of(request)
    assert job.run("web1", name)[0] == 0
    forget_tick(job, name)
    code, said = job.run("web2", name)
    assert (code, len(job.ran())) == (0, 2), said


def test_the_next_tick_is_taken_by_another_one_when_the_server_has_died(
    job: Job, request: pytest.FixtureRequest
) -> None:
    name = name_of(request)
    process = job.start("web1", name, UNTIL_STOPPED)
    wait_for(lambda: job.ran() == ["start"])
    process.kill()
    process.wait(timeout=60)
    forget_tick(job, name)
    end_lease(job, name)
    code, said = job.run("web2", name)
    assert (code, len(job.ran())) == (0, 2), said
    job.stop()
    process.communicate(timeout=60)


def php(code: str, *words: str) -> str:
    done = subprocess.run(
        ["php", "-r", code, "--", *words],
        env={"PATH": PATH, "SECRET": SECRET},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def sql(job: Job, statement: str) -> str:
    """What MariaDB answers the account of the leases: the first value."""
    code = "$d = new PDO($argv[1], $argv[2], getenv('SECRET')); echo $d->query($argv[3])->fetchColumn();"
    return php(code, f"mysql:host=127.0.0.1;port={job.lease['port']};dbname={NAME}", NAME, statement)


def redis(job: Job, name: str, command: str, *words: str) -> str:
    """What Redis answers about the hash of a job, as the user of the leases: the first value."""
    code = (
        "$r = new Redis(); $r->connect('127.0.0.1', (int) $argv[1]); $r->auth([$argv[2], getenv('SECRET')]);"
        ' $a = $r->rawCommand($argv[4], "{$argv[2]}:{$argv[3]}", ...array_slice($argv, 5)); echo is_array($a) ? $a[0] : $a;'
    )
    return php(code, str(job.lease["port"]), NAME, name, command, *words)


def forget_tick(job: Job, name: str) -> None:
    if job.lease["engine"] == "mysql":
        sql(job, f"UPDATE lease SET tick = tick - 60 WHERE job = '{name}'")
    else:
        redis(job, name, "HSET", "tick", "1")


def end_lease(job: Job, name: str) -> None:
    if job.lease["engine"] == "mysql":
        sql(job, f"UPDATE lease SET ends = 1 WHERE job = '{name}'")
    else:
        redis(job, name, "HSET", "ends", "1")


def lease_ends(job: Job, name: str) -> float:
    if job.lease["engine"] == "mysql":
        return float(sql(job, f"SELECT ends FROM lease WHERE job = '{name}'"))
    return float(redis(job, name, "HMGET", "ends"))


def test_a_job_that_runs_renews_its_lease(job: Job, request: pytest.FixtureRequest) -> None:
    name = name_of(request)
    process = job.start("web1", name, UNTIL_STOPPED)
    wait_for(lambda: job.ran() == ["start"])
    end_lease(job, name)
    wait_for(lambda: lease_ends(job, name) > time.time())
    forget_tick(job, name)
    code, said = job.run("web2", name)
    job.stop()
    process.communicate(timeout=60)
    assert (code, "or still runs the one before" in said, len(job.ran())) == (0, True, 1)


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"path": "/gone"}, "the site's /gone on this one answers 301, expected 200."),
        ({"host": "other.example"}, "the site's /up on this one answers 404, expected 200."),
        ({"text": "dandy"}, "the site's /up on this one answers without the text 'dandy'."),
        ({"port": 1}, "the site's /up on this one does not answer."),
    ],
)
def test_a_server_whose_site_is_ill_leaves_it_to_the_others(
    job: Job, health: dict[str, Any], words: str, request: pytest.FixtureRequest
) -> None:
    name = name_of(request)
    code, said = job.run("web1", name, health=health)
    assert (code, said.strip()) == (0, f"Left to the other servers: {words}")
    assert job.run("web2", name)[0] == 0
    assert [line.split()[1] for line in job.ran()] == ["web2"]


def test_a_server_that_comes_too_late_for_the_minute_leaves_it_out(job: Job, request: pytest.FixtureRequest) -> None:
    name = name_of(request)
    code, said = job.run("web1", name, grace=-1)
    assert (code, said.strip(), job.ran()) == (0, "Left out: it was started too late for its minute.", [])
    never = f"0 0 {(time.gmtime().tm_mday + 14) % 28 + 1} * *"
    assert "too late for its minute" in job.run("web1", name, schedule=never)[1]
    assert job.ran() == []


def test_what_the_job_says_and_ends_with_is_the_units(job: Job, request: pytest.FixtureRequest) -> None:
    name = name_of(request)
    code, said = job.run("web1", name, "echo out; echo err >&2; pwd; cat; exit 7")
    assert code == 7
    assert said.splitlines() == ["out", "err", str(job.folder)]
    assert job.run("web1", f"{name}-killed", "kill -9 $$")[0] == 137
    assert SECRET not in said


def test_nobody_runs_what_nobody_can_lease_and_the_password_is_not_told(job: Job) -> None:
    lost = Job(job.folder, job.port, {**job.lease, "port": 1})
    code, said = lost.run("web1")
    assert (code, job.ran()) == (1, [])
    assert said.startswith("Not run, since it is not known whether another server does: ")
    wrong = Job(job.folder, job.port, {**job.lease, "password": "other-s3cret"})
    code, said = wrong.run("web1")
    assert (code, job.ran(), "s3cret" in said) == (1, [], False)


def lets_in(tier: RealTier) -> dict[str, Any]:
    """Give a Redis server the user that the site's leases have, and its rights."""
    server = tier.servers["redis1"]
    rules = [f"~{NAME}:*", *(f"+{command}" for command in LEASE_COMMANDS)]
    server.client.command("ACL", "SETUSER", NAME, "on", f">{SECRET}", *rules)
    return {"engine": "redis", "port": server.port, "name": NAME, "password": SECRET}


def test_a_redis_that_was_started_within_the_tick_is_not_believed(tmp_path: Path, page: int) -> None:
    need("redis-server")
    need_php("redis")
    with RealTier(tmp_path, "redis1") as tier:
        job = Job(tmp_path, page, lets_in(tier))
        code, said = job.run("web1")
    assert (code, job.ran()) == (1, [])
    assert "Redis was started after this tick had begun, and may have forgotten who has run it" in said


def test_a_job_that_was_taken_out_a_moment_ago_is_no_failure(tmp_path: Path, page: int) -> None:
    need("php")
    job = Job(tmp_path, page, {"engine": "none"})
    assert job.run("web1", "kept")[0] == 0
    php = next(iter(sorted(Path("/usr/bin").glob("php[0-9].[0-9]"))))
    words = [str(php), str(PROGRAM), str(tmp_path / "web1-kept.json"), "gone"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (0, "Left out: it is no job of the site any more.")


def test_without_anything_to_agree_by_the_server_runs_it(tmp_path: Path, page: int) -> None:
    need("php")
    job = Job(tmp_path, page, {"engine": "none"})
    assert job.run("web1")[0] == 0
    assert len(job.ran()) == 1
