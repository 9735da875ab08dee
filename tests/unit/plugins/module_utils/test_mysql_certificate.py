# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running server is told of its certificate, and what only a start gives it."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.certificate import (
    LOCAL_ONLY,
    Plan,
    make_plan,
    settings_of,
)

FOLDER = "/etc/mysql/webcluster-tls"
MARIADB, MYSQL = "11.8.6-MariaDB", "9.7.4"


def plan(version: str, shown: str | None, **settings: str) -> Plan:
    return make_plan({"version": version, **settings}, FOLDER, shown, "aa")


@pytest.mark.parametrize("version", [MARIADB, MYSQL])
def test_a_server_that_shows_what_is_in_its_file_is_told_nothing(version: str) -> None:
    assert plan(version, "aa", **settings_of(FOLDER)) == Plan()


@pytest.mark.parametrize(("version", "words"), [(MARIADB, "FLUSH LOCAL SSL"), (MYSQL, "ALTER INSTANCE RELOAD TLS")])
def test_a_renewed_certificate_is_read_again_and_no_replica_hears_of_it(version: str, words: str) -> None:
    assert plan(version, "bb", **settings_of(FOLDER)) == Plan((LOCAL_ONLY, words))


def test_mariadb_takes_other_files_at_its_start_only() -> None:
    assert plan(MARIADB, None) == Plan(waits=True)
    assert plan(MARIADB, "aa", **{**settings_of(FOLDER), "ssl_ca": ""}) == Plan(waits=True)


def test_mysql_takes_other_files_while_it_runs() -> None:
    own = {"ssl_ca": "ca.pem", "ssl_cert": "server-cert.pem", "ssl_key": "server-key.pem"}
    found = plan(MYSQL, "bb", **own)
    assert found.waits is False
    assert found.statements == (
        LOCAL_ONLY,
        "SET GLOBAL ssl_ca = '/etc/mysql/webcluster-tls/ca.pem'",
        "SET GLOBAL ssl_cert = '/etc/mysql/webcluster-tls/server.pem'",
        "SET GLOBAL ssl_key = '/etc/mysql/webcluster-tls/server.pem'",
        "ALTER INSTANCE RELOAD TLS",
    )
