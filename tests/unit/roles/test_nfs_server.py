# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host of shared folders is told, and what exportfs says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

UPLOADS: dict[str, Any] = {
    "path": "/srv/webcluster-folders/shop/uploads",
    "user": 98172,
    "group": 98173,
    "clients": ["10.0.0.4", "fd00::5"],
}
ALONE: dict[str, Any] = {**UPLOADS, "path": "/exports/alone", "clients": []}
CASES = {
    "two": Case({"nfs_server_exports": [UPLOADS, ALONE]}),
    "two12": Case({"nfs_server_exports": [UPLOADS, ALONE]}, release="12"),
    "own": Case({"nfs_server_exports": [ALONE]}),
    "name": Case({"nfs_server_exports": [{**UPLOADS, "clients": ["web1"]}]}),
    "root": Case({"nfs_server_exports": [{**UPLOADS, "path": "/exports"}]}),
}
EXPORTS = "webcluster.exports"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play_role("nfs_server", CASES, tmp_path_factory.mktemp("nfs"))


def lines(run: Run, name: str, file: str) -> list[str]:
    return [line for line in run.file(name, file).content.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("name", ["two", "two12"])
def test_a_folder_is_exported_to_named_addresses_without_their_root(run: Run, name: str) -> None:
    options = "(rw,sync,no_subtree_check,root_squash,sec=sys)"
    # A line without an address would be for the whole world.
    assert lines(run, name, EXPORTS) == [f"{UPLOADS['path']} 10.0.0.4{options} fd00::5{options}"]
    assert lines(run, "own", EXPORTS) == []


def test_a_folder_belongs_to_the_numbers_of_the_site_and_nobody_here_reaches_it(run: Run) -> None:
    assert lines(run, "two", "webcluster-exports.conf") == [
        "d /srv/webcluster-folders 0700 root root -",
        "d /srv/webcluster-folders/shop/uploads 2755 98172 98173 -",
        "d /exports/alone 2755 98172 98173 -",
    ]
    # A folder of somebody else's making stays as it is.
    assert lines(run, "own", "webcluster-exports.conf") == ["d /exports/alone 2755 98172 98173 -"]


def test_exportfs_accepts_the_exports_and_refuses_others(run: Run, tmp_path: Path) -> None:
    need("exportfs")
    written = run.file("two", EXPORTS)
    asked = check(written.arguments["validate"], written.content, tmp_path)
    assert (asked.returncode, asked.stderr) == (0, "")
    for wrong in ("/srv 10.0.0.4(rw,no_such_option)\n", "/srv 10.0.0.4(rw\n"):
        asked = check(written.arguments["validate"], wrong, tmp_path)
        assert asked.returncode != 0
        assert f"{EXPORTS}:1: " in asked.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("name", "nfs_server_exports lets web1 in, expected addresses such as 10.0.0.4"),
        ("root", "nfs_server_exports holds the path /exports, expected absolute paths of two folders at least"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_changed(run: Run, name: str, words: str) -> None:
    assert words in run.refusal(name)
    assert not run.of(name, "configured_service")
