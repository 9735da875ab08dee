# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which option file of an adopted MySQL or MariaDB would win over ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.option_files import (
    overruling_findings,
)

DECIDED = ["bind_address", "log_bin", "server_id", "networking"]


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """Debian's my.cnf with two folders; ours goes into the second."""
    for name in ("conf.d", "mariadb.conf.d"):
        (tmp_path / name).mkdir()
    path = tmp_path / "my.cnf"
    path.write_text(
        f"[client-server]\nport = 3306\n!includedir {tmp_path}/conf.d/\n!includedir {tmp_path}/mariadb.conf.d/\n",
        encoding="utf-8",
    )
    return path


def findings(main: Path) -> list[str]:
    ours = main.parent / "mariadb.conf.d" / "60-webcluster.cnf"
    return overruling_findings(str(main), str(ours), DECIDED, "mysql_server_settings")


def test_b4_a_file_after_ours_is_named_with_its_line(main: Path) -> None:
    other = main.parent / "mariadb.conf.d" / "99-own.cnf"
    other.write_text(
        "# ours\n[mysqld]\nbind-address = 127.0.0.1 # only here\nsort_buffer_size = 4M\n", encoding="utf-8"
    )
    assert findings(main) == [
        f"{other} line 3 sets bind_address = 127.0.0.1, and is read after {main.parent}/mariadb.conf.d/60-webcluster.cnf, so"
        " it would win over what the cluster needs: remove the line, and put what you need otherwise into"
        " mysql_server_settings."
    ]


@pytest.mark.parametrize("line", ["skip-log-bin", "loose-server_id=7", 'log_bin = "mysql-bin"', "skip-networking"])
@pytest.mark.parametrize("group", ["mysqld", "server", "mariadb-11.8", "MARIADBD"])
def test_b4_every_way_to_set_an_option_counts(line: str, group: str, main: Path) -> None:
    (main.parent / "mariadb.conf.d" / "90-own.cnf").write_text(f"[{group}]\n{line}\n", encoding="utf-8")
    assert len(findings(main)) == 1


def test_b4_what_is_written_behind_the_folders_counts(main: Path) -> None:
    with main.open("a", encoding="utf-8") as file:
        file.write("[mysqld]\nserver-id = 7\n")
    [found] = findings(main)
    assert found.startswith(f"{main} line 6 sets server_id = 7, and is read after")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("50-server.cnf", "[mysqld]\nbind-address = 127.0.0.1\n"),
        ("90-client.cnf", "[mysql]\nbind-address = 127.0.0.1\n"),
        ("90-comment.cnf", "[mysqld]\n# server_id = 7\n;server_id = 7\n"),
        ("90-other.cnf", "[mysqld]\nskip_slave_start\nskip_name_resolve\n"),
        ("90-own.txt", "[mysqld]\nserver_id = 7\n"),
        ("60-webcluster.cnf", "[mysqld]\nserver_id = 7\n"),
    ],
)
def test_b4_what_does_not_win_is_left_alone(name: str, text: str, main: Path) -> None:
    (main.parent / "mariadb.conf.d" / name).write_text(text, encoding="utf-8")
    assert findings(main) == []


def test_b4_a_file_that_includes_itself_comes_to_an_end(main: Path) -> None:
    with main.open("a", encoding="utf-8") as file:
        file.write(f"!include {main}\n")
    assert findings(main) == []


def test_b4_a_host_without_a_server_has_no_finding(tmp_path: Path) -> None:
    assert findings(tmp_path / "my.cnf") == []
