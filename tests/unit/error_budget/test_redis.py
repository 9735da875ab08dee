# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the load on Redis counts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.siteops.webcluster.tests.error_budget.redis_load import Client, Count, checksum, count

WRITER = "demo:load:1:0"


def entry(number: int) -> str:
    return f"{number} {checksum(WRITER, number)}"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([entry(1), entry(2)], Count(2, 0, 0, 0)),
        # One that was not acknowledged may be there.
        ([entry(1), entry(2), entry(3)], Count(2, 0, 0, 0)),
        ([entry(1)], Count(2, 1, 0, 0)),
        ([entry(1), entry(2), entry(2), entry(3), entry(3)], Count(2, 0, 2, 0)),
        ([entry(1), "2 0123456789abcdef"], Count(2, 1, 0, 1)),
        ([], Count(2, 2, 0, 0)),
    ],
)
def test_entries_are_compared_one_by_one(found: Sequence[str], wanted: Count) -> None:
    client = Client("write", True, WRITER, [1, 2], [(3, 0.5, "READONLY")], 0.1, 0.2)
    assert count([client], {WRITER: found}) == wanted
