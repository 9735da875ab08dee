# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status service of mysql_server gets the code it imports, and no more."""

from __future__ import annotations

import ast
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
CODE = ROOT / "plugins/module_utils"
PACKAGE = "ansible_collections.siteops.webcluster.plugins.module_utils"


def imported(path: Path) -> set[Path]:
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(PACKAGE):
            continue
        parts = (node.module or "").removeprefix(PACKAGE).strip(".").split(".")
        for names in (parts, *([*parts, alias.name] for alias in node.names)):
            found.add(CODE.joinpath(*names).with_suffix(".py"))
    return {path for path in found if path.exists()}


def test_the_service_gets_what_it_imports() -> None:
    wanted: set[Path] = set()
    waiting = [ROOT / "roles/mysql_server/files/status/main.py"]
    while waiting:
        new = imported(waiting.pop()) - wanted
        wanted |= new
        waiting += new
    parts = yaml.safe_load((ROOT / "roles/mysql_server/vars/main.yml").read_text())["__mysql_server_status_parts"]
    assert parts == sorted(str(path.relative_to(CODE)) for path in wanted)
