# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the login options of replication_status to a MySQL or MariaDB server that is asked."""

from __future__ import annotations

from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlClient, MysqlLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import KeptFiles
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import MysqlProbe


def mysql_login(options: dict[str, Any]) -> MysqlLogin:
    return MysqlLogin(
        host=options["login_host"],
        port=options["login_port"] or 3306,
        unix_socket=options["login_unix_socket"],
        user=options["login_user"],
        password=options["login_password"],
        connect_timeout=options["connect_timeout"],
        ca_cert=options["ca_cert"],
        client_cert=options["client_cert"],
        client_key=options["client_key"],
        tls=options["tls"],
        validate_certs=options["validate_certs"],
    )


def mysql_probe(options: dict[str, Any], channel: str | None = None) -> MysqlProbe:
    here = not options["login_host"]
    return MysqlProbe(MysqlClient(mysql_login(options)), channel, files=KeptFiles() if here else None)
