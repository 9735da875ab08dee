# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done on the host of a dead primary, with programs that only say something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import dead_primary
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import KeptFiles

# As mariadb-binlog 11.8 and mysqlbinlog 9.7 print it.
MARIADB = b"#261127 14:00:01 server id 1378003594  end_log_pos 1411 CRC32 0x5a \tGTID 0-1378003594-8 trans\n"
MYSQL = b"SET @@SESSION.GTID_NEXT= 'ad8f0f69-e65b-11f1-9195-02fc00000001:9'/*!*/;\n"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "binlog.index"
    path.write_text("./binlog.000009\n./binlog.000010\n./binlog.000011\n", encoding="utf-8")
    return path


def test_logs_are_read_from_the_place_on_and_exported(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_primary, "READERS", (Path("/bin/sh"),))
    asked: list[Sequence[str]] = []

    def read(command: Sequence[str]) -> Iterator[bytes]:
        asked.append(command)
        yield from (MARIADB, b"BEGIN\n", MYSQL)

    export = tmp_path / "state/unsent.sql"
    found = dead_primary.unsent(index, "binlog.000010", 1234, export, read)
    assert found == ["0-1378003594-8", "ad8f0f69-e65b-11f1-9195-02fc00000001:9"]
    logs = [str(tmp_path / name) for name in ("binlog.000010", "binlog.000011")]
    assert asked == [["/bin/sh", "--start-position=1234", *logs]]
    assert export.read_bytes() == MARIADB + b"BEGIN\n" + MYSQL
    assert export.stat().st_mode & 0o777 == 0o600


def test_logs_that_are_gone_are_told(index: Path) -> None:
    with pytest.raises(dead_primary.HostError, match=r"does not name binlog\.000008 any more"):
        dead_primary.logs_from(index, "binlog.000008")
    with pytest.raises(dead_primary.HostError, match="is not there"):
        dead_primary.logs_from(index.with_name("other.index"), "binlog.000010")


def test_a_reader_that_fails_is_told() -> None:
    with pytest.raises(dead_primary.HostError, match="failed: it broke"):
        list(dead_primary.read(["sh", "-c", "echo line; echo it broke >&2; exit 1"]))


@pytest.mark.parametrize(
    ("running", "done"), [(0, ["closed after its next start", "killed"]), (3, ["closed after its next start"])]
)
def test_a_server_is_fenced(tmp_path: Path, running: int, done: list[str]) -> None:
    files = KeptFiles(tmp_path / "read-only.cnf", tmp_path)
    ran: list[str] = []

    def run(command: Sequence[str]) -> int:
        ran.append(command[1])
        return running

    assert dead_primary.fence(files, run) == done
    assert ran == (["is-active", "kill"] if running == 0 else ["is-active"])
    assert "read_only = ON" in files.read_only_file.read_text(encoding="utf-8")


def test_a_server_is_started_closed(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path / "read-only.cnf", tmp_path)
    assert dead_primary.start_closed(files, lambda _command: 0) == ["started closed"]
    assert "read_only = ON" in files.read_only_file.read_text(encoding="utf-8")
    with pytest.raises(dead_primary.HostError, match="does not start"):
        dead_primary.start_closed(files, lambda _command: 1)
