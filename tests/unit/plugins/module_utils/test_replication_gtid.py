# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GTID arithmetic against a slow, obvious model: sets of single transactions."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid
from hypothesis import given, settings
from hypothesis import strategies as st

# A busy machine is not a slow function.
unhurried = settings(deadline=None)

UUIDS = [f"{digit * 8}-0000-0000-0000-000000000000" for digit in "abc"]
KEYS = [*UUIDS, f"{UUIDS[0]}:blue"]
Slow = set[tuple[str, int]]

slow_sets = st.sets(st.tuples(st.sampled_from(KEYS), st.integers(1, 25)))
positions = st.lists(st.builds(gtid.MariadbGtid, st.integers(0, 2), st.integers(1, 3), st.integers(1, 9)), max_size=6)


def fast(slow: Slow) -> gtid.GtidSet:
    """Write the set in the clumsiest way and read it."""
    return gtid.parse_set(",\n".join(f"{key.upper()}:{number}" for key, number in sorted(slow)))


def slow(found: gtid.GtidSet) -> Slow:
    return {(key, number) for key, parts in found.items() for first, last in parts for number in range(first, last + 1)}


@unhurried
@given(slow_sets)
def test_reading_and_writing(left: Slow) -> None:
    assert slow(fast(left)) == left
    assert gtid.parse_set(gtid.format_set(fast(left))) == fast(left)
    assert gtid.count(fast(left)) == len(left)
    for parts in fast(left).values():
        assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(parts))


@unhurried
@given(slow_sets, slow_sets)
def test_set_arithmetic(left: Slow, right: Slow) -> None:
    assert slow(gtid.subtract(fast(left), fast(right))) == left - right
    assert slow(gtid.union(fast(left), fast(right))) == left | right


@unhurried
@given(slow_sets, slow_sets, st.sets(st.sampled_from(UUIDS)), st.sets(st.sampled_from(UUIDS)))
def test_errant(executed: Slow, primary: Slow, in_flight: set[str], allowed: set[str]) -> None:
    newest = {key: max(number for other, number in primary if other == key) for key, _number in primary}
    expected = {
        (key, number)
        for key, number in executed - primary
        if gtid.source_of(key) not in allowed and not (gtid.source_of(key) in in_flight and number > newest.get(key, 0))
    }
    assert slow(gtid.errant_set(fast(executed), fast(primary), in_flight, allowed)) == expected


@pytest.mark.parametrize("text", [None, "", " ,\n", f"{UUIDS[0]}:5-3"])
def test_nothing(text: str | None) -> None:
    assert gtid.parse_set(text) == {}


def test_intervals_and_tags_of_one_entry() -> None:
    assert gtid.parse_set(f"{UUIDS[0]}:1-3:4:9-9:blue:2:red:1") == {
        UUIDS[0]: [(1, 4), (9, 9)],
        f"{UUIDS[0]}:blue": [(2, 2)],
        f"{UUIDS[0]}:red": [(1, 1)],
    }


def complaint(parse: Callable[[str], object], text: str) -> str | None:
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None


@unhurried
@given(st.text())
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    for parse in (gtid.parse_set, gtid.parse_position):
        assert (complaint(parse, text) or "not a ").startswith("not a ")


@pytest.mark.parametrize("text", ["1-2", UUIDS[0], f"{UUIDS[0]}:", f"{UUIDS[0]}:0", f"{UUIDS[0]}:1-2-3", "x:1"])
def test_bad_sets(text: str) -> None:
    with pytest.raises(ValueError, match="not a GTID set"):
        gtid.parse_set(text)


@unhurried
@given(positions, positions)
def test_positions(target: list[gtid.MariadbGtid], current: list[gtid.MariadbGtid]) -> None:
    expected = []
    for wanted in target:
        here = [have for have in current if have.domain == wanted.domain]
        same = any((have.server_id, have.sequence) == (wanted.server_id, wanted.sequence) for have in here)
        larger = any(have.sequence > wanted.sequence for have in here)
        if not same and not larger:
            expected.append(wanted)
    missing = gtid.position_missing(target, current)
    assert missing == expected
    assert (gtid.position_distance(target, current) == 0) == (not expected)
    assert gtid.parse_position(gtid.format_position(target)) == target


@unhurried
@given(positions, positions, st.sets(st.integers(1, 3)), st.sets(st.integers(1, 3)))
def test_mariadb_errant(
    state: list[gtid.MariadbGtid],
    primary: list[gtid.MariadbGtid],
    in_flight: set[int],
    allowed: set[int],
) -> None:
    def covered(item: gtid.MariadbGtid) -> bool:
        if item.server_id in allowed | in_flight:
            return True
        return any(
            (known.domain, known.server_id) == (item.domain, item.server_id) and known.sequence >= item.sequence
            for known in primary
        )

    assert gtid.errant_positions(state, primary, in_flight, allowed) == [item for item in state if not covered(item)]
