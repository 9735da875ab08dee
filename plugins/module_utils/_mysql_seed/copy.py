# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MariaDB's own hot copy: made and sent on the primary, unpacked and made consistent on the replica."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils import _programs
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.channel import (
    SeedError,
    connect,
    context,
    last_line,
    reason,
    send_end,
    send_output,
)

# Binary and relay logs are no part of a copy.
LOGS = ("binlog.", "relay.", "mysql-bin.", "mariadb-bin.", "ib_logfile")
# The file that names the copy's last transaction, by its newer and its older name.
POSITION_FILES = ("mariadb_backup_binlog_info", "xtrabackup_binlog_info")


def size_of(datadir: Path) -> int:
    """About how many bytes a copy has."""
    total = 0
    for parent, folders, files in os.walk(datadir):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = os.path.join(parent, name)
            if not name.startswith(LOGS) and os.path.isfile(path):
                # A table space with holes is unpacked without them.
                total += os.lstat(path).st_size
    return total


def send_copy(
    folder: Path, address: str, port: int, other: str, command: Callable[[str], list[str]] | None = None
) -> None:
    """Make a copy and send it; the replica hears as well why it could not be made."""
    connection = connect(address, port, context(folder, other, server=False))
    try:
        with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as said:
            send_output(connection, (command or backup_command)(scratch), said)
        send_end(connection)
    except (SeedError, OSError) as error:
        failure = reason(error)
        try:
            send_end(connection, failure)
        except OSError:
            raise SeedError(f"the connection to the replica was cut: {failure}") from None
        raise SeedError(failure) from None
    finally:
        connection.close()


def backup_command(scratch: str) -> list[str]:
    # At its end all commits wait until it has read the newest log. It looks each second, if nobody says otherwise.
    return ["mariadb-backup", "--backup", "--stream=xbstream", f"--target-dir={scratch}", "--log-copy-interval=50"]


def unpack_command(target: Path) -> list[str]:
    return ["mbstream", "--extract", f"--directory={target}"]


def unpack(chunks: Iterable[bytes], command: list[str], count: Callable[[int], None]) -> None:
    """Feed the copy to the program that unpacks it."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as said:
        try:
            process = _programs.start(command, stdin=reading, stdout=subprocess.DEVNULL, stderr=said)
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        try:
            with open(writing, "wb", buffering=0) as pipe:
                for chunk in chunks:
                    count(pipe.write(chunk) or 0)
            code = process.wait()
        except BrokenPipeError:
            code = process.wait() or 1
        finally:
            process.kill()
            process.wait()
        if code:
            said.seek(0)
            text = last_line(said.read().decode("utf-8", "replace"))
            raise SeedError(f"the copy could not be unpacked ({command[0]}: {text})")


def prepare(target: Path) -> None:
    """Bring the unpacked files to the state of one moment."""
    command = ["mariadb-backup", "--prepare", "--use-memory=128M", f"--target-dir={target}"]
    done = _programs.run(command)
    if done.returncode:
        raise SeedError(f"the copy could not be made consistent: {last_line(done.stderr)}")


def tidy(target: Path) -> None:
    """Remove what only the program that made the copy needs."""
    for path in target.iterdir():
        if path.name.startswith(("xtrabackup_", "mariadb_backup_")) or path.name == "backup-my.cnf":
            path.unlink()


def position_of(target: Path) -> str:
    """Return the GTID position of the copy."""
    for name in POSITION_FILES:
        path = target / name
        if path.is_file():
            # File, offset and position, between tabulators.
            parts = path.read_text(encoding="ascii").split()
            if len(parts) > 2:
                return parts[2]
    raise SeedError("the copy does not say its last transaction; the primary needs a binary log")
