# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only an old server of MySQL needs, or one that does not know the statement that its version chose."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Rows

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client

# Asked one after the other where a server rejects the statement that its own version chose.
CHANNEL_FALLBACKS = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS", "SHOW ALL SLAVES STATUS")


def read_channels(client: Client, first: MysqlError) -> Rows:
    error = first
    for statement in CHANNEL_FALLBACKS:
        results, failed = client.try_query([statement])
        if failed is None:
            return results[0]
        error = failed
        if failed.kind != "syntax":
            break
    raise error


def seconds_between(earlier: Any, later: Any) -> float | None:
    """Return the seconds between two of the server's times; None where one of them is none."""
    if not earlier or not later:
        return None
    try:
        begin, end = (datetime.strptime(str(value)[:19], "%Y-%m-%d %H:%M:%S") for value in (earlier, later))
    except ValueError:
        return None
    return max(0.0, (end - begin).total_seconds())
