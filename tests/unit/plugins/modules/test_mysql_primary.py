# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thin part of mysql_primary: one step at a time, and what is done for a server that does not answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import dead_primary
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.move import MoveError
from ansible_collections.siteops.webcluster.plugins.modules import mysql_primary
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import RefusingServer

DOWN = RefusingServer(MysqlError("unreachable", "the server's socket cannot be connected to", detail="no_socket"))


def params(folder: Path, **given: Any) -> dict[str, Any]:
    usual = {name: spec.get("default") for name, spec in mysql_primary.ARGUMENTS.items()}
    places = {"read_only_file": str(folder / "read-only.cnf"), "state_folder": str(folder / "state")}
    return {**usual, **places, **given}


def test_one_step_runs_at_a_time(tmp_path: Path) -> None:
    lock = str(tmp_path / "lock")
    with mysql_primary.alone(lock), pytest.raises(MoveError, match=r"another step is running here since 0\.1 s"):
        mysql_primary.alone(lock, 0.1).__enter__()
    with mysql_primary.alone(lock, 0.1):
        pass


def test_a_look_at_a_server_that_is_down_says_so(tmp_path: Path) -> None:
    found = mysql_primary.run(params(tmp_path, step="look"), lambda _login: DOWN)["found"]
    assert found["answers"] is False
    assert found["move"] == {}


def test_a_step_on_a_server_that_is_down_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MysqlError, match="cannot be connected to"):
        mysql_primary.run(params(tmp_path, step="reopen"), lambda _login: DOWN)
    assert DOWN.closed


@pytest.mark.parametrize("export", [False, True])
def test_unsent_transactions_are_counted_and_exported(
    tmp_path: Path, export: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def unsent(*arguments: Any) -> list[str]:
        asked.extend(arguments)
        return ["0-1-8"] * 30

    monkeypatch.setattr(dead_primary, "unsent", unsent)
    index = str(tmp_path / "binlog.index")
    given = params(tmp_path, step="unsent", log_index=index, log_file="binlog.000003", log_position=1234, export=export)
    found = mysql_primary.run(given, lambda _login: DOWN)
    assert (found["transactions"], len(found["gtids"]), bool(found["file"])) == (30, 20, export)
    assert asked[:3] == [Path(index), "binlog.000003", 1234]
    assert (asked[3] is not None) is export


def test_the_documentation_names_every_option() -> None:
    choices = mysql_primary.ARGUMENTS["step"]["choices"]
    assert all(f"V({step})" in mysql_primary.DOCUMENTATION for step in choices)
