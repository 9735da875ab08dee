# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a MySQL or MariaDB replica against a position of its primary."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Comparison, Snapshot


def ids(values: Any) -> tuple[set[str], set[int]]:
    """Split a list of UUIDs and server ids."""
    items = [str(item).strip().lower() for item in values or []]
    return {item for item in items if not item.isdigit()}, {int(item) for item in items if item.isdigit()}


def compare(snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str] = ()) -> Comparison:
    """Hold a replica against a position of its primary; without one only what the replica itself shows."""
    position = primary or {}
    try:
        if position.get("kind") == "file":
            from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql_compare_file

            return mysql_compare_file.compare(snapshot, position)
        if snapshot.flavor == "mariadb":
            from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql_compare_positions

            return mysql_compare_positions.compare(snapshot, position, allow_errant)
        from ansible_collections.siteops.webcluster.plugins.module_utils._replication import mysql_compare_sets

        return mysql_compare_sets.compare(snapshot, position, allow_errant)
    except (ValueError, TypeError) as error:
        return Comparison(why=str(error))


def whole(primary: Mapping[str, Any]) -> bool:
    """Whether a position tells everything its server has, not only what to wait for."""
    return bool(primary.get("uuid") or primary.get("server_id"))


def under_way(primary: Mapping[str, Any], sources: set[Any], own: Any) -> set[Any]:
    """Return whose newer transactions may be just that; none where the primary was asked after the replica."""
    return set() if primary.get("in_flight") is False else sources - {own}
