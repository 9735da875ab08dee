# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values and names within SQL."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import quoting
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(deadline=None)
@given(st.text())
def test_quote_is_undone_by_the_server_s_rules(value: str) -> None:
    quoted = quoting.quote(value)
    assert quoted[0] == quoted[-1] == "'"
    letters = {"0": "\0", "n": "\n", "r": "\r", "Z": "\x1a"}
    found, rest = "", iter(quoted[1:-1])
    for char in rest:
        assert char != "'"
        found += letters.get(following := next(rest), following) if char == "\\" else char
    assert found == value
    assert not set(quoted) & {"\n", "\r", "\0"}


def test_names_are_quoted() -> None:
    assert quoting.quote_name("a`b") == "`a``b`"
    for bad in ("", "a\0"):
        with pytest.raises(ValueError, match="an SQL name"):
            quoting.quote_name(bad)
