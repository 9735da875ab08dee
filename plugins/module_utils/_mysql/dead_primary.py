# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can still be done on the host of a primary that does not answer: read what it did not send, and keep it from writes."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from ansible_collections.siteops.webcluster.plugins.module_utils import _programs
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import KeptFiles

# mariadb-binlog writes "GTID 0-1-7 trans", mysqlbinlog sets the next one.
GTID = re.compile(rb"\tGTID (\d+-\d+-\d+)|GTID_NEXT= ?'([0-9a-f-]{36}(?::\w+)*:\d+)'")
READERS = (Path("/usr/bin/mariadb-binlog"), Path("/usr/bin/mysqlbinlog"))
MARIADB_SERVER = Path("/usr/sbin/mariadbd")
# Names of transactions that are told one by one.
TOLD = 20

Run = Callable[[Sequence[str]], int]
# Returns the lines that a command prints.
Read = Callable[[Sequence[str]], Iterator[bytes]]


class HostError(Exception):
    """A sentence that says what cannot be done on this host."""


def run(command: Sequence[str]) -> int:
    return _programs.run(command).returncode


def read(command: Sequence[str]) -> Iterator[bytes]:
    with _programs.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        if process.stdout is None or process.stderr is None:
            raise HostError(f"{command[0]} cannot be read")
        yield from process.stdout
        said = process.stderr.read().decode("utf-8", "replace").strip()
        if process.wait() != 0:
            raise HostError(f"{command[0]} failed: {said.splitlines()[-1] if said else process.returncode}")


def logs_from(index: Path, first: str) -> list[Path]:
    """Return the binary logs from one on, as the index names them."""
    if not index.is_file():
        raise HostError(f"{index} is not there")
    names = [line.strip() for line in index.read_text(encoding="utf-8").splitlines() if line.strip()]
    paths = [index.parent / name for name in names]
    found = [number for number, path in enumerate(paths) if path.name == first]
    if not found:
        raise HostError(f"{index} does not name {first} any more")
    return paths[found[0] :]


def transactions(lines: Iterable[bytes], keep: IO[bytes] | None = None) -> list[str]:
    """Return the names of the transactions in what a reader of binary logs prints; keep gets all of it."""
    names = []
    for line in lines:
        if keep:
            keep.write(line)
        found = GTID.search(line)
        if found:
            names.append((found[1] or found[2]).decode())
    return names


def unsent(index: Path, first: str, start: int, export: Path | None = None, reader: Read = read) -> list[str]:
    """Return the transactions after a place in the binary logs; export: write them there, as SQL."""
    programs = [path for path in READERS if path.exists()]
    if not programs:
        raise HostError(f"neither {READERS[0]} nor {READERS[1]} is there")
    logs = [str(path) for path in logs_from(index, first)]
    lines = reader([str(programs[0]), f"--start-position={start}", *logs])
    if export is None:
        return transactions(lines)
    export.parent.mkdir(mode=0o700, exist_ok=True)
    export.touch(mode=0o600)
    with export.open("wb") as file:
        return transactions(lines, file)


def export_path(files: KeptFiles, now: float) -> Path:
    """Name a new file for transactions."""
    return files.folder / time.strftime("unsent-%Y%m%dT%H%M%SZ.sql", time.gmtime(now))


def fence(files: KeptFiles, runner: Run = run) -> list[str]:
    """Let the server be closed after its next start, and end it where it runs without answering; return what was done."""
    mariadb = MARIADB_SERVER.exists()
    unit = "mariadb.service" if mariadb else "mysql.service"
    done = ["closed after its next start"] if files.keep_closed(mariadb, True) else []
    if runner(["systemctl", "is-active", "--quiet", unit]) == 0:
        # Not by a stop: a frozen server would be woken for it.
        runner(["systemctl", "kill", "--signal=KILL", unit])
        done.append("killed")
    return done


def start_closed(files: KeptFiles, runner: Run = run) -> list[str]:
    """Start a server that is down, closed for writes."""
    mariadb = MARIADB_SERVER.exists()
    files.keep_closed(mariadb, True)
    unit = "mariadb.service" if mariadb else "mysql.service"
    if runner(["systemctl", "start", unit]) != 0:
        raise HostError(f"{unit} does not start; see its log")
    return ["started closed"]
