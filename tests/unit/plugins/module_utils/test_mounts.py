# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a folder that another server holds is there, told without waiting for a server that is away."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils import _front_door, _mounts

PATH = "/srv/webcluster/shop/shared/files"
FOLDER = _mounts.MountedFolder("shop", "files", PATH, "site-shop", "srv-webcluster-shop-shared-files")
MOUNTINFO = f"""\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
90 22 0:40 / {PATH} rw,relatime shared:40 - autofs systemd-1 rw,fd=51
"""
NFS = f"95 90 0:47 / {PATH} rw,nosuid shared:47 master:1 - nfs4 nas.example:/exports/shop rw,vers=4.2\n"


class Host:
    """Answers the question whether the site may write, or never."""

    def __init__(self, folder: Path, mountinfo: str, code: int | None = 0) -> None:
        self.path, self.code = folder / "mountinfo", code
        self.path.write_text(mountinfo)
        self.asked: list[t.Sequence[str]] = []

    def run(self, command: t.Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        self.asked.append(command)
        if self.code is None:
            raise subprocess.TimeoutExpired(list(command), timeout)
        return subprocess.CompletedProcess(list(command), self.code, "", "")

    def problem(self) -> str:
        return _mounts.problem_of(FOLDER, self.run, lambda: _mounts.mounted(str(self.path)))


def test_what_is_mounted_is_read_with_what_stands_before_it(tmp_path: Path) -> None:
    host = Host(tmp_path, MOUNTINFO + NFS)
    assert _mounts.mounted(str(host.path)) == {"/": ["ext4"], PATH: ["autofs", "nfs4"]}


def test_a_folder_that_is_mounted_and_takes_files_is_well(tmp_path: Path) -> None:
    host = Host(tmp_path, MOUNTINFO + NFS)
    assert host.problem() == ""
    # As the site itself, since a server gives nothing to root; with the dot, which mounts it.
    assert host.asked == [
        ["setpriv", "--reuid=site-shop", "--regid=site-shop", "--init-groups", "test", "-w", f"{PATH}/."]
    ]


@pytest.mark.parametrize(
    ("mountinfo", "code", "words"),
    [
        (
            MOUNTINFO,
            1,
            "its folder files is not mounted (see 'systemctl status srv-webcluster-shop-shared-files.mount')",
        ),
        # Whoever may write to what lies below must not be believed.
        (MOUNTINFO, 0, "its folder files is not mounted"),
        ("", 1, "its folder files is not mounted"),
        (MOUNTINFO + NFS, 1, "its folder files is mounted, and site-shop may not write to it"),
        (MOUNTINFO + NFS, None, "its folder files does not answer within 5 s"),
    ],
)
def test_a_folder_that_is_away_is_named(tmp_path: Path, mountinfo: str, code: int | None, words: str) -> None:
    problem = Host(tmp_path, mountinfo, code).problem()
    assert words in problem
    look = _front_door.Look(sites={"shop": {"ok": True, "problem": "", "status": 200, "own": {}}})
    _front_door.look_at_mounts(lambda _folder: problem, look, [FOLDER])
    assert (look.ok, look.sites["shop"]["ok"], look.sites["shop"]["problem"]) == (False, False, problem)
    assert look.reasons[0].message == f"Site shop does not work: {problem}."


def test_a_site_whose_folders_are_there_stays_as_it_was_found() -> None:
    look = _front_door.Look(sites={"shop": {"ok": False, "problem": "/ answers 404", "status": 404, "own": {}}})
    _front_door.look_at_mounts(lambda _folder: "", look, [FOLDER])
    assert look.sites["shop"]["problem"] == "/ answers 404"


def test_files_that_a_mount_would_hide_are_named(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "picture.png").touch()
    (tmp_path / "empty").mkdir()
    folders = [(str(tmp_path / name), "shop") for name in ("full", "empty", "absent")]
    [found] = _mounts.hidden_findings(folders, dict)
    assert found.startswith(
        f"Site shop: {tmp_path}/full on this host holds files that the mount would hide; expected none"
    )
    assert _mounts.hidden_findings(folders, lambda: {str(tmp_path / "full"): ["nfs4"]}) == []


def test_a_user_with_another_number_is_named() -> None:
    numbers = {"site-shop": 998, "web-shop": 98173}
    accounts = [
        _mounts.Account("site-shop", 98172, "shop"),
        _mounts.Account("web-shop", 98173, "shop"),
        _mounts.Account("site-new", 66000, "new"),
    ]
    [found] = _mounts.account_findings(accounts, numbers.get)
    assert found.startswith(
        "Site shop: site-shop has the number 998 on this host, but the files on its mounts carry 98172"
    )
