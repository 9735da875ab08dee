# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command is run in its folder, with the site's environment and no other."""

from __future__ import annotations

import json
import os
import pwd
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.modules import site_command

USER = pwd.getpwuid(os.getuid()).pw_name


def run(command: str, folder: Path, capsys: pytest.CaptureFixture[str], **more: t.Any) -> dict[str, t.Any]:
    env = folder / "shop.env"
    env.write_text("# made by us\nDB_PASSWORD='it'\\''s # 5$'\nSITE_NAME='shop'\n")
    args = {"name": "shop", "command": command, "folder": str(folder), "home": "/srv/shop", "user": USER}
    with patch_module_args({**args, "environment_file": str(env), **more}), pytest.raises(SystemExit):
        site_command.main()
    found: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return found


def test_it_runs_with_the_sites_environment_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_ROOT", "1")
    found = run("sh -c 'env | sort; pwd'", tmp_path, capsys)
    assert found["changed"] is True
    lines = [line for line in found["lines"] if not line.startswith(("PWD=", "SHLVL=", "_=", "OLDPWD="))]
    assert lines == [
        "DB_PASSWORD=it's # 5$",
        "HOME=/srv/shop",
        "LANG=C.UTF-8",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "SITE_NAME=shop",
        f"USER={USER}",
        str(tmp_path),
    ]


@pytest.mark.parametrize(
    ("command", "more", "words"),
    [
        ("sh -c 'echo first; echo no table >&2; exit 3'", {}, "ended with 3: first no table"),
        ("/no/such/program", {}, "could not be run: [Errno 2] No such file or directory"),
        ("sh -c 'never", {}, "could not be run: No closing quotation"),
        ("true", {"user": "nobody-yet"}, "could not be run: \"getpwnam(): name not found: 'nobody-yet'\""),
        ("sleep 5", {"timeout": 0.1}, "was ended after 0.1 s"),
    ],
)
def test_what_fails_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, more: dict[str, t.Any], words: str
) -> None:
    found = run(command, tmp_path, capsys, **more)
    assert found["failed"]
    assert words in found["msg"]
    assert found["msg"].startswith(f"Site shop: '{command}' ")


def test_only_the_end_of_what_it_says_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("seq 100", tmp_path, capsys)["lines"] == [str(number) for number in range(81, 101)]


def test_check_mode_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("touch made", tmp_path, capsys, _ansible_check_mode=True)["changed"] is True
    assert not (tmp_path / "made").exists()
