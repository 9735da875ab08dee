# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.at_rest import is_empty

HEADER = (
    b"REDIS0011"
    b"\xfa\x09redis-ver\x058.0.2"
    b"\xfa\x0aredis-bits\xc0@"
    # A time and a size may hold any byte, the one that begins a database as well.
    b"\xfa\x05ctime\xc2\xfe\xff\xfb\x65"
    b"\xfa\x08used-mem\xc2\x00\xfe\x10\x00"
)
CHECKSUM = b"\x00" * 8


def write(root: Path, name: str, content: bytes = b"") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return root


@pytest.mark.parametrize("engine", ["mysql", "redis"])
def test_a1_a_host_without_data_directory_is_empty(engine: str, tmp_path: Path) -> None:
    assert is_empty(engine, tmp_path) is True


def test_a1_a_fresh_mysql_directory_is_empty(tmp_path: Path) -> None:
    for name in (
        "ibdata1",
        "mysql/user.frm",
        "sys/x",
        "performance_schema/x",
        "lost+found/x",
        "#innodb_redo/x",
        "binlog.000001",
    ):
        write(tmp_path, f"var/lib/mysql/{name}", b"x")
    assert is_empty("mysql", tmp_path) is True


def test_a1_a_schema_test_without_a_table_is_no_data(tmp_path: Path) -> None:
    assert is_empty("mysql", write(tmp_path, "var/lib/mysql/test/db.opt")) is True
    assert is_empty("mysql", write(tmp_path, "var/lib/mysql/test/t.ibd")) is False


def test_a1_a_schema_is_data(tmp_path: Path) -> None:
    write(tmp_path, "var/lib/mysql/mysql/x")
    assert is_empty("mysql", write(tmp_path, "var/lib/mysql/shop/db.opt")) is False


@pytest.mark.parametrize("line", ["datadir=/srv/db", "  datadir = /srv/db", "[mysqld]\ndatadir\t= '/srv/db'"])
def test_a1_a_data_directory_may_be_elsewhere(line: str, tmp_path: Path) -> None:
    write(tmp_path, "etc/mysql/mariadb.conf.d/50-server.cnf", line.encode())
    assert is_empty("mysql", tmp_path) is True
    assert is_empty("mysql", write(tmp_path, "srv/db/shop/t.ibd")) is False


@pytest.mark.parametrize("folder", ["var/lib/redis", "var/lib/redis/appendonlydir", "var/lib/valkey"])
def test_a1_a_dump_without_keys_is_empty(folder: str, tmp_path: Path) -> None:
    assert is_empty("redis", write(tmp_path, f"{folder}/dump.rdb", HEADER + b"\xff" + CHECKSUM)) is True


@pytest.mark.parametrize(
    "content",
    [
        HEADER + b"\xfe\x00\xfb\x01\x00\x00\x01k\x01v\xff" + CHECKSUM,
        # Functions are of somebody's making too.
        HEADER + b"\xf5\x04code\xff" + CHECKSUM,
        HEADER,
        b"REDIS0011\xfa\xc3",
        b"?",
    ],
    ids=["a key", "a function", "cut off", "packed header", "no dump"],
)
def test_a1_a_dump_with_anything_in_it_is_data(content: bytes, tmp_path: Path) -> None:
    assert is_empty("redis", write(tmp_path, "var/lib/redis/dump.rdb", content)) is False


def test_a1_a_log_of_writes_is_data(tmp_path: Path) -> None:
    write(tmp_path, "etc/redis/redis.conf", b"# dir /nowhere\ndir /srv/cache\n")
    write(tmp_path, "srv/cache/appendonlydir/appendonly.aof.1.incr.aof")
    assert is_empty("redis", tmp_path) is True
    write(tmp_path, "srv/cache/appendonlydir/appendonly.aof.1.incr.aof", b"*2\r\n$6\r\nSELECT\r\n")
    assert is_empty("redis", tmp_path) is False


def test_a1_what_cannot_be_read_is_not_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "etc/mysql"
    path.parent.mkdir(parents=True)
    (path / "conf.d").mkdir(parents=True)
    # A configuration file that is a folder cannot be read by anybody, root included.
    (path / "conf.d/x.cnf").mkdir()
    assert is_empty("mysql", tmp_path) is None
