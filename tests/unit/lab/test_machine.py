# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.lab import machine
from ansible_collections.siteops.webcluster.lab.command import LabError, run


def test_missing_packages_are_listed_once() -> None:
    missing = machine.missing_packages(lambda _: None, lambda _: False)
    assert missing.count("openssh-client") == 1
    assert machine.missing_packages(lambda command: "/bin/" + command, lambda _: True) == []


def test_ubuntu_gets_the_keys_of_debians_packages() -> None:
    missing = machine.missing_packages(lambda command: "/bin/" + command, lambda path: "keyring" not in path)
    assert missing == ["debian-archive-keyring"]


def test_a_failed_command_becomes_one_sentence() -> None:
    with pytest.raises(LabError, match=r"'sh -c echo no >&2; exit 3 ...' failed: no"):
        run(["sh", "-c", "echo no >&2; exit 3"])


def test_kernel_settings_are_raised_never_lowered_and_given_back(tmp_path: Path) -> None:
    forward, watches = tmp_path / "net/ipv4/ip_forward", tmp_path / "fs/inotify/max_user_instances"
    for path, value in ((forward, "0\n"), (watches, "8192\n")):
        path.parent.mkdir(parents=True)
        path.write_text(value)
    kept = tmp_path / "kept"
    kept.mkdir()
    for _again in range(2):
        machine.tune_kernel(tmp_path, kept)
    assert (forward.read_text(), watches.read_text()) == ("1", "8192\n")
    machine.restore_kernel(tmp_path, kept)
    assert (forward.read_text(), watches.read_text()) == ("0\n", "8192\n")
