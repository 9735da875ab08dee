# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.modules import apache_modules

# Name: what Debian's file says above its LoadModule line, and whether the module has settings.
MODULES = {
    "alias": ("", True),
    "lbmethod_byrequests": ("# Depends: proxy_balancer\n", False),
    "mpm_prefork": ("# Conflicts: mpm_event mpm_worker\n", True),
    "php8.4": ("# Conflicts: php5\n# Depends: mpm_prefork\n", True),
    "proxy": ("", True),
    "proxy_balancer": ("# Depends: proxy alias slotmem_shm\n", True),
    "slotmem_shm": ("", False),
}
LOADED = ["mpm_event", "alias", "proxy"]


@pytest.fixture
def available(tmp_path: Path) -> Path:
    for name, (head, settings) in MODULES.items():
        (tmp_path / f"{name}.load").write_text(f"{head}LoadModule {name}_module mod_{name}.so\n")
        if settings:
            (tmp_path / f"{name}.conf").touch()
    return tmp_path


def run(available: Path, capsys: pytest.CaptureFixture[str], *names: str) -> dict[str, Any]:
    with patch_module_args({"names": names, "loaded": LOADED, "path": str(available)}), pytest.raises(SystemExit):
        apache_modules.main()
    return dict(json.loads(capsys.readouterr().out))


def test_what_a_module_depends_on_is_loaded_before_it_and_once(
    available: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(available, capsys, "lbmethod_byrequests", "proxy_balancer", "alias")
    assert [Path(file).name for file in result["files"]] == [
        "slotmem_shm.load",
        "proxy_balancer.load",
        "proxy_balancer.conf",
        "lbmethod_byrequests.load",
    ]
    assert result["changed"] is False


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("proxy_balance", "There is no Apache module 'proxy_balance' in FOLDER: did you mean proxy_balancer?"),
        ("nothing", "There is no Apache module 'nothing' in FOLDER: install its package or correct the name."),
        ("../alias", "There is no Apache module '../alias'"),
        ("php8.4", "The Apache module mpm_prefork cannot run beside mpm_event: leave it out."),
    ],
)
def test_a_module_that_cannot_be_loaded_is_named(
    available: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    result = run(available, capsys, name)
    assert result["failed"]
    assert words.replace("FOLDER", str(available)) in result["msg"]
