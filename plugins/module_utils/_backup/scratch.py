# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy restored into a server of its own: on a socket that nobody else reaches, looked at as a whole, and removed again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils import _programs
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.repository import Copy, Repository, last_line
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.settings import BackupError, Settings
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    SERVER_PATH,
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote_name
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.channel import SeedError
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.copy import (
    position_of,
    prepare,
    unpack_command,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
    parse_info,
)

# Room that a restored copy takes beside its own bytes, such as the new server's logs.
SPARE_BYTES = 256 * 1024 * 1024
# Seconds within which a server has to answer on what it was given.
START_SECONDS = 600
OWN_SCHEMAS = ("information_schema", "performance_schema", "sys")
COUNT_ROWS = "SELECT COUNT(*) AS found FROM "
TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"


def redis_program(kind: str) -> str:
    """The program of whichever of the two servers is installed: cli, or check-rdb, which is the server under another name."""
    for name in (f"redis-{kind}", f"valkey-{kind}"):
        path = shutil.which(name)
        if path:
            return path
    raise BackupError(f"neither redis-{kind} nor valkey-{kind} is installed")


@contextmanager
def running(command: list[str], folder: Path, answers: Callable[[], bool], **how: Any) -> Iterator[None]:
    """Run a server until the caller has seen enough."""
    log = folder / "log"
    with log.open("wb") as said:
        server = _programs.start(command, stdout=said, stderr=subprocess.STDOUT, **how)
    try:
        end = time.monotonic() + START_SECONDS
        while not answers():
            if server.poll() is not None or time.monotonic() > end:
                text = last_line(log.read_text(encoding="utf-8", errors="replace"))
                raise BackupError(f"no server starts on the copy: {text}")
            time.sleep(0.2)
        yield
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def look_at_mysql(client: MysqlClient) -> dict[str, Any]:
    """Read every table as a whole; one that is damaged is an error."""
    tables = []
    for row in client.query([TABLES])[0]:
        values = {name.lower(): value or "" for name, value in row.items()}
        if values["table_schema"] not in OWN_SCHEMAS:
            tables.append((values["table_schema"], values["table_name"]))
    rows: dict[str, int] = {}
    for schema, table in tables:
        name = ".".join(map(quote_name, (schema, table)))
        checked, counted = client.query(["CHECK TABLE " + name + " EXTENDED", COUNT_ROWS + name])
        verdict = checked[-1]
        if (verdict["Msg_type"] == "status" and verdict["Msg_text"] != "OK") or verdict["Msg_type"] == "error":
            raise BackupError(f"table {schema}.{table} of the copy is damaged: {verdict['Msg_text']}")
        rows[f"{schema}.{table}"] = int(counted[0]["found"] or 0)
    users = {name: count for name, count in rows.items() if not name.startswith("mysql.")}
    return {"tables": len(users), "rows": sum(users.values()), "rows_of": users}


def prove_mysql(repository: Repository, copy: Copy, folder: Path) -> dict[str, Any]:
    data = folder / "data"
    data.mkdir(mode=0o700)
    repository.dump(copy, unpack_command(data))
    try:
        position = position_of(data)
    except SeedError:
        # A server without a binary log has none.
        position = ""
    try:
        prepare(data)
    except SeedError as error:
        raise BackupError(str(error)) from error
    program = shutil.which("mariadbd", path=SERVER_PATH)
    if not program:
        raise BackupError("MariaDB's server is not installed here")
    socket = str(folder / "s")
    # What the copy's files were made with stands in its own file; nothing else of this host's is read.
    command = [program, f"--defaults-file={data}/backup-my.cnf", f"--datadir={data}", f"--socket={socket}"]
    command += [
        "--skip-networking",
        "--skip-grant-tables",
        "--skip-slave-start",
        "--skip-log-bin",
        f"--tmpdir={folder}",
    ]
    command += ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF"]
    command += [f"--pid-file={folder}/pid"] + (["--user=root"] if os.geteuid() == 0 else [])
    client = MysqlClient(MysqlLogin(unix_socket=socket, user="root"), timeout=86400)

    def answers() -> bool:
        _rows, error = client.try_query(["SELECT 1"])
        return error is None

    try:
        with running(command, folder, answers):
            found = look_at_mysql(client)
            client.close()
    except MysqlError as error:
        raise BackupError(f"the copy cannot be read: {error.message}") from error
    return {**found, "position": position, "holds": f"{found['rows']} rows in {found['tables']} tables"}


def prove_redis(repository: Repository, copy: Copy, folder: Path) -> dict[str, Any]:
    data = folder / "data"
    data.mkdir(mode=0o700)
    file = data / "dump.rdb"
    repository.save(copy, file)
    program = redis_program("check-rdb")
    done = _programs.run([program, str(file)])
    if done.returncode:
        raise BackupError(f"the copy is damaged: {last_line(done.stdout or done.stderr)}")
    socket = str(folder / "s")
    client = RedisClient(RedisLogin(unix_socket=socket), timeout=60)

    def ask() -> dict[str, str]:
        return parse_info(str(client.command("INFO", "keyspace")))

    def answers() -> bool:
        try:
            ask()
        except RedisError:
            return False
        return True

    options = ["--port", "0", "--unixsocket", socket, "--dir", str(data), "--save", "", "--appendonly", "no"]
    options += ["--daemonize", "no", "--protected-mode", "no"]
    # Debian's server is this program under another name.
    name = f"{Path(program).name.partition('-')[0]}-server"
    with running([name, *options], folder, answers, executable=program, env={**os.environ, "LC_ALL": "C.UTF-8"}):
        bases = {name: value for name, value in ask().items() if name.startswith("db")}
        client.close()
    keys = sum(int(value.partition("keys=")[2].partition(",")[0]) for value in bases.values())
    return {"keys": keys, "holds": f"{keys} keys"}


PROOFS = {"mysql": prove_mysql, "redis": prove_redis}


def prove(settings: Settings, repository: Repository, copy: Copy, kept: str = "") -> dict[str, Any]:
    """Restore a copy, look at it, and remove it again. kept: a folder that must not be there, to leave the data in."""
    if kept and Path(kept).exists():
        raise BackupError(f"{kept} exists already: name a folder that does not")
    free = shutil.disk_usage(settings.state).free
    if copy.bytes and free < copy.bytes + SPARE_BYTES:
        raise BackupError(
            f"{settings.host} has {free // 2**20} MiB free below {settings.state}, and the copy needs"
            f" {(copy.bytes + SPARE_BYTES) // 2**20} MiB"
        )
    with tempfile.TemporaryDirectory(dir=settings.state, prefix="scratch-") as name:
        found = PROOFS[settings.tier](repository, copy, Path(name))
        if kept:
            shutil.move(str(Path(name) / "data"), kept)
    return found
