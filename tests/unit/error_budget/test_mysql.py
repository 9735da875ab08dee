# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the run over the MySQL tier makes of what its program and its servers print."""

from __future__ import annotations

from ansible_collections.siteops.webcluster.tests.error_budget.load import Answer
from ansible_collections.siteops.webcluster.tests.error_budget.mysql import found_rows, longest_gap, read_answer


def test_a_line_of_the_program_is_an_answer() -> None:
    assert read_answer("write", "7\t100.2500\t0.0020\t") == Answer("write", 100.25, 0.002, 200, "", "7")
    refused = read_answer("write", "8\t100.5000\t0.0010\t1290 read only")
    assert (refused.good, refused.reason) == (False, "1290 read only")


def test_a_gap_is_a_failure_or_a_long_wait() -> None:
    good = [Answer("write", float(second), 0.1, 200) for second in range(3)]
    assert longest_gap(good) == 0.1
    assert longest_gap([*good, Answer("write", 3.0, 0.1, 0, "refused"), Answer("write", 4.5, 0.1, 200)]) == 2.5
    assert longest_gap([*good, Answer("write", 3.0, 1.8, 200)]) == 1.8
    assert longest_gap([]) == 0.0


def test_rows_are_counted_by_writer_and_number() -> None:
    assert found_rows("w1-kept\t1\t1\t0\nw1-kept\t2\t2\t1\n") == {("w1-kept", 1): (1, 0), ("w1-kept", 2): (2, 1)}
