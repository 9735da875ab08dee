# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many works side by side: a failure ends none of the others, and waiting costs no time of a test."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Engine, Work
from ansible_collections.siteops.webcluster.tests.loopback_estate import Clock


def work(name: str, *waits: float, fails: bool = False) -> Work[str]:
    yield from waits
    if fails:
        raise InventoryError(f"{name} failed.")
    return name


def test_waits_run_side_by_side() -> None:
    clock = Clock()
    begin = clock()
    with Engine(2, clock, clock.sleep) as engine:
        assert engine.run([work(str(number), 3, 4) for number in range(50)]) == [str(number) for number in range(50)]
    assert clock() - begin == 7


def test_each_comes_to_its_end_though_another_fails() -> None:
    clock = Clock()
    with Engine(2, clock, clock.sleep) as engine:
        ends = engine.run([work("a", 1, fails=True), work("b", 9), work("c")])
    assert [str(one) for one in ends] == ["a failed.", "b", "c"]
    assert isinstance(ends[0], InventoryError)


def test_a_mistake_of_ours_is_no_sentence() -> None:
    def broken() -> Work[str]:
        yield 1
        raise ZeroDivisionError

    clock = Clock()
    with Engine(2, clock, clock.sleep) as engine, pytest.raises(ZeroDivisionError):
        engine.run([broken()])


def test_reading_raises_the_first_failure() -> None:
    clock = Clock()

    def fail() -> str:
        raise InventoryError("No.")

    with Engine(2, clock, clock.sleep) as engine:
        assert engine.all([lambda: "a", lambda: "b"]) == ["a", "b"]
        with pytest.raises(InventoryError, match="No"):
            engine.all([lambda: "a", fail])
