# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mysql_certificate on a server that says it has read its files and shows what it likes; tests/services has a real one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.certificate import READ_SETTINGS, settings_of
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.modules import mysql_certificate
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import (
    issue,
    make_authority,
    read_authority,
)
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import Module, ModuleError, MysqlServer

NOW = datetime.now(UTC)
AUTHORITY = read_authority(*make_authority(NOW), NOW)


class Stubborn(MysqlServer):
    """A MariaDB with these files that shows this certificate, whatever it is told."""

    def __init__(self, folder: Path, shown: str, error: MysqlError | None = None) -> None:
        self.settings, self.shown, self.error = settings_of(str(folder)), shown, error

    def answer(self, statements: Any) -> list[Rows]:
        if self.error:
            raise self.error
        values = {"version": "11.8.6-MariaDB", **self.settings}
        rows: Rows = [{"Variable_name": name, "Value": value} for name, value in values.items()]
        return [rows if statement == READ_SETTINGS else [] for statement in statements]

    def certificate(self) -> str:
        return self.shown


def run(folder: Path, server: Any, check_mode: bool = False) -> dict[str, Any]:
    given = Module({}, {"path": str(folder), "login_unix_socket": None}, check_mode)
    return mysql_certificate.run(given, lambda _login: server)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    (tmp_path / "server.pem").write_text(issue(AUTHORITY, ["db1"], NOW), encoding="utf-8")
    return tmp_path


def test_a_server_that_shows_another_certificate_all_the_same_is_told(folder: Path) -> None:
    with pytest.raises(ModuleError, match=r"was told to read .*server\.pem again and shows another certificate"):
        run(folder, Stubborn(folder, "bb"))
    assert run(folder, Stubborn(folder, "bb"), check_mode=True)["changed"] is True


def test_a_server_that_is_not_there_is_a_change_in_check_mode_and_a_failure_otherwise(folder: Path) -> None:
    absent = Stubborn(folder, "", MysqlError("client_missing", "neither is installed", detail="not_installed"))
    assert run(folder, absent, check_mode=True) == {"changed": True, "waits": False, "statements": []}
    with pytest.raises(ModuleError, match="MySQL certificate: neither is installed"):
        run(folder, absent)
