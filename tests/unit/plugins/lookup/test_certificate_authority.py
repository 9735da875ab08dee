# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority is made at first use, for its owner alone, and is the same from then on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible_collections.siteops.webcluster.plugins.lookup import certificate_authority
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import read_authority


def ask(path: Path) -> dict[str, str]:
    found: dict[str, str] = lookup_loader.get("siteops.webcluster.certificate_authority").run([str(path)])[0]
    return found


def test_it_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / ".secrets" / "ca.pem"
    first = ask(path)
    assert ask(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["ca.pem"]
    assert read_authority(first["certificate"], first["private_key"], datetime.now(UTC)).text == first["certificate"]


def test_whoever_comes_second_gets_what_the_first_has_made(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    first = ask(path)
    certificate_authority.make(path)
    assert ask(path) == first


def test_a_file_that_is_no_authority_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing", encoding="utf-8")
    with pytest.raises(AnsibleLookupError, match=r"ca\.pem holds no private key and certificate after it; expected"):
        ask(path)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AnsibleLookupError, match="cannot be read or made"):
        ask(tmp_path / "file" / "ca.pem")
