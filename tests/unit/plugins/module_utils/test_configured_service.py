# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._configured_service import (
    Stamp,
    parse_time,
    parse_unit,
    read_files,
    read_stamp,
    write_stamp,
)

SHOWN = """LoadState=loaded
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no
InvocationID=aa
InactiveExitTimestamp=Thu 2026-11-26 14:16:39.250000 UTC
"""


def test_reads_what_systemctl_shows() -> None:
    unit = parse_unit(SHOWN)
    assert (unit.present, unit.active, unit.enabled, unit.masked, unit.stale) == (True, True, True, False, False)
    assert (unit.invocation, unit.started) == ("aa", 1795702599.25)


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ("loaded", "not-found", "present", False),
        ("loaded", "masked", "masked", True),
        ("=active", "=failed", "active", False),
        ("=active", "=activating", "active", False),
        ("=active", "=reloading", "active", True),
        ("=enabled", "=disabled", "enabled", False),
        ("=enabled", "=static", "enabled", True),
        ("Reload=no", "Reload=yes", "stale", True),
    ],
)
def test_reads_each_state(old: str, new: str, field: str, value: bool) -> None:
    assert old in SHOWN
    assert getattr(parse_unit(SHOWN.replace(old, new)), field) is value


@pytest.mark.parametrize("text", ["", "n/a"])
def test_a_service_that_never_ran_has_no_time(text: str) -> None:
    assert parse_time(text) == 0.0


def test_the_sum_depends_on_texts_and_names_only(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = read_files([str(tmp_path)])
    (tmp_path / "a").touch()
    touched = read_files([str(tmp_path)])
    assert touched.sum == first.sum
    assert touched.changed >= first.changed > 0
    (tmp_path / "a").rename(tmp_path / "b")
    assert read_files([str(tmp_path)]).sum != first.sum
    assert read_files([str(tmp_path / "absent")]).changed == 0.0


def test_a_stamp_is_for_root_only_and_a_broken_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "stamps" / "service.json"
    assert read_stamp(str(path)) is None
    stamp = Stamp(("/etc/a", "/etc/b"), "aa", "bb")
    write_stamp(str(path), stamp)
    assert read_stamp(str(path)) == stamp
    assert path.stat().st_mode & 0o777 == 0o600
    for text in ("", "{", "[]", "{}"):
        path.write_text(text)
        assert read_stamp(str(path)) is None
