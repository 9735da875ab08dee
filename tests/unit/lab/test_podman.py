# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.lab.image import recipe_digest
from ansible_collections.siteops.webcluster.lab.podman import has_pure_cgroup2, host_ulimits


@pytest.mark.parametrize(
    ("mounts", "pure"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", True),
        ("tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", False),
        ("tmpfs /sys/fs/cgroup tmpfs rw 0 0\nnone /sys/fs/cgroup cgroup2 rw 0 0\n", True),
        ("", False),
    ],
)
def test_a_pure_cgroup2_view_is_recognised(mounts: str, pure: bool) -> None:
    assert has_pure_cgroup2(mounts) is pure


def test_ulimits_never_exceed_what_the_machine_gives() -> None:
    assert all(int(limit.split("=")[1].split(":")[0]) <= 65536 for limit in host_ulimits())


def test_the_image_is_built_again_when_its_recipe_changes(tmp_path: Path) -> None:
    recipe = tmp_path / "build.sh"
    recipe.write_text("one")
    before = recipe_digest("13", [recipe])
    assert recipe_digest("12", [recipe]) != before
    recipe.write_text("two")
    assert recipe_digest("13", [recipe]) != before
