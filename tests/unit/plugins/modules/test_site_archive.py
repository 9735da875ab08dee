# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module: what it returns, keeps and refuses."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.modules import site_archive

Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    root = tmp_path / "code"
    root.mkdir()
    (root / "index.php").write_text("one")
    return root


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def once(source: Path, check: bool = False, **more: str) -> dict[str, t.Any]:
        sites = [{"name": "shop", "source": str(source), **more}]
        args = {"sites": sites, "folder": str(tmp_path / "kept"), "_ansible_check_mode": check}
        with patch_module_args(args), pytest.raises(SystemExit):
            site_archive.main()
        found: dict[str, t.Any] = json.loads(capsys.readouterr().out)
        return found

    return once


def test_a_second_run_changes_nothing(run: Run, code: Path) -> None:
    first, second = run(code), run(code)
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["archives"] == second["archives"]
    shop = first["archives"]["shop"]
    assert (Path(shop["path"]).name, shop["files"], shop["bytes"]) == (f"shop-{shop['release']}.tar.gz", 1, 3)
    assert Path(shop["path"]).is_file()


def test_check_mode_names_the_release_and_writes_nothing(run: Run, code: Path, tmp_path: Path) -> None:
    checked = run(code, check=True)
    assert (checked["changed"], (tmp_path / "kept").exists()) == (True, False)
    assert checked["archives"] == run(code)["archives"]


def test_the_last_ones_are_kept(run: Run, code: Path, tmp_path: Path) -> None:
    for number in range(site_archive.KEPT + 3):
        (code / "index.php").write_text(f"release {number}")
        last = run(code)
    kept = list((tmp_path / "kept").iterdir())
    assert len(kept) == site_archive.KEPT
    assert Path(last["archives"]["shop"]["path"]) in kept


def test_a_release_that_is_known_is_taken_from_the_cache_or_from_a_source_that_holds_it(run: Run, code: Path) -> None:
    first = run(code)["archives"]["shop"]
    Path(first["path"]).unlink()
    assert run(code, release=first["release"])["archives"]["shop"] == first
    (code / "index.php").write_text("two")
    cached = run(code, release=first["release"])
    assert (cached["changed"], cached["archives"]["shop"]["path"]) == (False, first["path"])
    Path(first["path"]).unlink()
    refused = run(code, release=first["release"])
    assert f"Site shop: a web server lacks release {first['release']}, which the others serve" in refused["msg"]
    assert "its source is not there: bring all" in run(code / "none", release=first["release"])["msg"]


@pytest.mark.parametrize(
    ("source", "words"),
    [("none", "which is no absolute path of something that is there"), ("text", "neither a folder nor an archive")],
)
def test_bad_input_is_one_sentence(run: Run, tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "text").write_text("x")
    result = run(tmp_path / source)
    assert result["failed"]
    assert result["msg"].startswith("Site shop: source ")
    assert words in result["msg"]
