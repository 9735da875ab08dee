# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the server on this host which primaries it follows, with what it keeps about them."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.source import (
    READ_STORED_MYSQL,
    Channel,
    read_channels,
    stored_by_mariadb,
    stored_by_mysql,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import READ_STATUS


def ask_channels(client: Client, server: Server) -> list[Channel]:
    """Return the primaries that a server follows."""
    if server.is_mariadb:
        path = Path(server.variables.get("datadir", "/var/lib/mysql")) / "master.info"
        text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else None
        return read_channels(client.query(READ_STATUS)[-1], stored_by_mariadb(text))
    answers, error = client.try_query([*READ_STATUS, READ_STORED_MYSQL])
    # Without the table that has the password the status is still of use.
    if error and len(answers) < len(READ_STATUS):
        raise error
    rows, *stored = answers[len(READ_STATUS) - 1 :]
    return read_channels(rows, stored_by_mysql(stored[0] if stored else []))
