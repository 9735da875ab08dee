# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down what each check says about the traps, for docs/replication-status.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / ".ansible" / "collections"))

from ansible_collections.siteops.webcluster.molecule.replication_status.tests.lab import RECORD


@pytest.fixture(scope="session")
def record() -> Iterator[dict[str, Any]]:
    """Collect what was said; a new run replaces what the former one said about the same trap."""
    found: dict[str, Any] = {}
    yield found
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    RECORD.write_text(json.dumps(before | found, indent=2) + "\n", encoding="utf-8")
