# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down what each check says about the traps, for docs/replication-status.md."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ansible_collections.siteops.webcluster.molecule.replication_status.tests.lab import RECORD, Keep, Result


@pytest.fixture(scope="session")
def record() -> Iterator[Result]:
    """Collect what was said; a new run replaces what the former one said about the same trap."""
    found: Result = {}
    yield found
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    RECORD.write_text(json.dumps(before | found, indent=2) + "\n", encoding="utf-8")


@pytest.fixture
def keep(request: pytest.FixtureRequest, record: Result) -> Keep:
    """Keep for the documentation what each check says about a trap."""
    test = f"{request.node.path.name}::{request.node.originalname}"

    def kept(engine: str, trap: str, result: Result, others: dict[str, str]) -> None:
        reason = result["reasons"][0] if result["reasons"] else {"check": "", "message": result["msg"]}
        record[f"{engine}: {trap}"] = {
            "engine": engine,
            "version": ".".join(str(part) for part in result["version_info"]),
            "trap": trap,
            "test": test,
            "state": result["state"],
            "check": reason["check"],
            "message": reason["message"],
            "others": others,
        }

    return kept
