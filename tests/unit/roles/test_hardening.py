# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services do without: systemd's word on the roles' files, beside a unit that restricts nothing itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Case, play_role

FILES = sorted((CHECKOUT / "roles").glob("*/files/systemd/hardening*.conf"))
UNIT = "[Service]\nExecStart=/bin/true\n"
# Times ten, as the option of systemd-analyze wants it.
MOST_EXPOSED = "50"
# What "systemctl edit" writes, which must be read later than ours.
EDITED = "override.conf"


def asked(command: str, drop_in: str, folder: Path) -> tuple[int, str]:
    """The answer of systemd-analyze to a unit with a drop-in."""
    need("systemd-analyze")
    change = folder / "web.service.d" / "hardening.conf"
    change.parent.mkdir()
    change.write_text(drop_in, encoding="utf-8")
    answer = check(f"systemd-analyze {command} %s", UNIT, folder, "web.service")
    return answer.returncode, answer.stdout + answer.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_systemd_understands_every_line(path: Path, tmp_path: Path) -> None:
    code, said = asked("verify --man=no", path.read_text(encoding="utf-8"), tmp_path)
    assert (code, "hardening.conf" in said) == (0, False), said


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_a_service_is_exposed_by_five_or_less(path: Path, tmp_path: Path) -> None:
    command = f"security --offline=yes --no-pager --threshold={MOST_EXPOSED}"
    code, said = asked(command, path.read_text(encoding="utf-8"), tmp_path)
    assert code == 0, said


def test_a_unit_that_restricts_nothing_is_exposed_by_more(tmp_path: Path) -> None:
    code, _said = asked(f"security --offline=yes --no-pager --threshold={MOST_EXPOSED}", "", tmp_path)
    assert code != 0


def test_each_role_writes_its_files_for_the_next_start(tmp_path: Path) -> None:
    mysql = {"mysql_server_bind_address": "10.0.0.20", "mysql_server_replication_password": "secret"}
    shared = {
        "keepalived_address": "10.0.0.60/28",
        "keepalived_host_address": "10.0.0.52",
        "keepalived_peers": ["10.0.0.53"],
        "keepalived_password": "secret",
    }
    eth0 = {"device": "eth0", "ipv4": {"address": "10.0.0.52"}}
    cases = {
        "haproxy": Case({"haproxy_http_backends": [{"name": "web1", "address": "10.0.0.4"}]}),
        "apache_php": Case({}),
        "mysql_server": Case(mysql),
        "keepalived": Case(shared, facts={"interfaces": ["eth0"], "eth0": eth0}),
    }
    units = {"haproxy": ["haproxy"], "apache_php": ["apache2", "php8.4-fpm"], "mysql_server": ["mariadb"]}
    units["keepalived"] = ["keepalived"]
    for role, case in cases.items():
        run = play_role(role, {"host": case}, tmp_path)
        assert run.refusal("host") == ""
        for unit in units[role]:
            file = run.file("host", f"{unit}.service.d/hardening.conf")
            assert file.arguments["at_start"]
            assert file.content in {path.read_text(encoding="utf-8") for path in FILES}
            assert Path(file.arguments["path"]).name < EDITED
