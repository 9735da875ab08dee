# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop and start the server around the change of its data, and tell it from where its replication goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.siteops.webcluster.plugins.module_utils import _programs
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote, quote_name
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.channel import SeedError, last_line
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.place import Service

READ_EVENTS = "SELECT EVENT_SCHEMA AS space, EVENT_NAME AS name FROM information_schema.EVENTS WHERE STATUS = 'ENABLED'"


def systemctl(verb: str, service: str) -> None:
    done = _programs.run(["systemctl", verb, service])
    if done.returncode:
        raise SeedError(f"the service {service} does not {verb}: {last_line(done.stderr)}; see journalctl -u {service}")


def patiently(
    client: Client,
    statements: list[str],
    patience: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[list[dict[str, str | None]]]:
    """Ask a server that has only just been started."""
    deadline = clock() + patience
    while True:
        try:
            return client.query(statements)
        except MysqlError as error:
            if error.kind != "unreachable" or clock() > deadline:
                raise
        sleep(0.5)


def go_on_from(client: Client, position: str) -> None:
    """Set the copy's position; what the primary runs by itself must not run here too, as with events that were replicated."""
    (events,) = patiently(client, [READ_EVENTS])
    quiet = [
        f"ALTER EVENT {quote_name(row['space'] or '')}.{quote_name(row['name'] or '')} DISABLE ON SLAVE"
        for row in events
    ]
    client.query(["SET SESSION sql_log_bin = 0", *quiet, f"SET GLOBAL gtid_slave_pos = {quote(position)}"])
    client.close()


def service_of(client: Client) -> Service:
    return Service(
        stop=lambda name: systemctl("stop", name),
        start=lambda name: systemctl("start", name),
        go_on_from=lambda position: go_on_from(client, position),
    )
