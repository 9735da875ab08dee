# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the replication check: its tables, and that what it names exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tools import trap_table

PAGE = trap_table.PAGE.read_text(encoding="utf-8")
SCENARIO = trap_table.CHECKOUT / "molecule" / "replication_status" / "tests"


def entry(engine: str = "MariaDB", version: str = "11.8.6", **more: Any) -> dict[str, Any]:
    said = {"module": "well (Yes/Yes)", "lag": "well (0)", "nagios": "ill (no)"}
    return {
        "engine": engine,
        "version": version,
        "trap": "frozen primary",
        "test": "test_x.py::test_frozen",
        "state": "connecting",
        "check": "heartbeat",
        "message": "m",
        "others": said,
        **more,
    }


def test_servers_that_agree_share_a_line_and_fooled_checks_are_bold() -> None:
    old = entry(version="10.11.19", others={"module": "well (Yes/Yes)", "lag": "well (1)", "nagios": "ill (no)"})
    other = entry("MySQL", "9.7.4", state="lagging", check="lag")
    fine = entry(trap="healthy", state="healthy", check="")
    text = trap_table.section([{"a": entry(), "f": fine}, {"a": old}, {"b": other}])
    assert (
        "| frozen primary | MariaDB 10.11, MariaDB 11.8 | `connecting` (heartbeat)"
        " | **well (Yes/Yes)** | **well** | ill (no) | test_frozen |"
    ) in text
    assert "| frozen primary | MySQL 9.7 | `lagging` (lag) | **well (Yes/Yes)** | **well (0)** | ill (no) |" in text
    assert "| healthy | MariaDB 11.8 | `healthy` | well (Yes/Yes) | well (0) | **ill (no)** |" in text
    assert "Of 3 ill replicas called well, and of 1 healthy ones called ill: replication module 3 and 0" in text
    assert "check_mysql -S 0 and 1; replication_status 0 and 0" in text


def test_a_server_that_did_not_answer_has_the_version_of_its_engine() -> None:
    text = trap_table.section([{"a": entry(trap="full disk", version=""), "b": entry()}])
    assert "| full disk | MariaDB 11.8 |" in text


def test_a_release_without_a_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "12.json").write_text(json.dumps({}), encoding="utf-8")
    with pytest.raises(trap_table.TableError, match="LAB_RELEASE=13 make molecule ROLE=replication_status"):
        trap_table.load(tmp_path)


def test_a_page_without_the_marks_is_named() -> None:
    with pytest.raises(trap_table.TableError, match="has no lines"):
        trap_table.replaced("text", "table")


@pytest.mark.parametrize("file", sorted(SCENARIO.glob("test_*.py")), ids=lambda path: path.name)
def test_every_trap_of_the_scenario_stands_in_the_page(file: Path) -> None:
    traps = re.findall(r"\bnote\((?:pair, )?\"([^\"]+)\"", file.read_text(encoding="utf-8"))
    assert len(traps) > 10
    assert [trap for trap in traps if f"| {trap} |" not in PAGE] == []


def test_every_test_that_the_page_names_exists() -> None:
    folders = (SCENARIO, trap_table.CHECKOUT / "tests" / "unit" / "plugins" / "module_utils")
    known = {name for folder in folders for file in folder.glob("test_*.py") for name in defined(file)}
    assert set(re.findall(r"\btest_\w+\b", PAGE)) <= known


def defined(file: Path) -> list[str]:
    return re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
