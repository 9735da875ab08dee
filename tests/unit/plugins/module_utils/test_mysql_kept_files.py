# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import (
    MOVE,
    KeptFiles,
    read_only_text,
    unfinished_move,
)


def test_read_only_survives_a_restart(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path / "read-only.cnf")
    assert files.keep_closed(True, True)
    assert files.read_only_file.read_text(encoding="utf-8").endswith("[mysqld]\nread_only = ON\n")
    assert not files.keep_closed(True, True)
    assert read_only_text(False, True).endswith("read_only = ON\nsuper_read_only = ON\n")
    assert read_only_text(False, False).endswith("read_only = OFF\nsuper_read_only = OFF\n")


def test_what_is_kept_is_for_root_alone_and_can_be_forgotten(tmp_path: Path) -> None:
    files = KeptFiles(folder=tmp_path / "state")
    assert files.read(MOVE) == {}
    files.write(MOVE, {"to": "db2"})
    assert (tmp_path / "state/move.json").stat().st_mode & 0o777 == 0o600
    assert (unfinished_move(files) or "").startswith("this server closed itself for writes to hand over to db2")
    files.forget(MOVE)
    files.forget(MOVE)
    assert unfinished_move(files) is None
