# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read wait_for: the position of an earlier result, or one that somebody typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid, mariadb_gtid
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Raw

KINDS = {"mysql": ("gtid", "mariadb_gtid", "file"), "redis": ("redis",)}
FORMS = {
    "mysql": "the position of a result, a GTID set, a MariaDB GTID position or {file, pos}",
    "redis": "the position of a result or {replid, offset}",
}


def _refuse(engine: str, value: Any) -> ValueError:
    return ValueError(f"wait_for is {str(value)[:80]!r}, expected {FORMS[engine]} for engine {engine}")


def parse_wait_for(value: Any, engine: str) -> Raw | None:
    """Return a position that compare() understands; raises ValueError with a sentence."""
    if value is None or value in ("", {}):
        return None
    if isinstance(value, Mapping):
        return _from_mapping(value, engine)
    text = re.sub(r"\s+", "", str(value))
    match = re.match(r"([0-9a-f]{40}):(\d{1,19})\Z", text)
    if match and engine == "redis":
        return {"kind": "redis", "value": int(match.group(2)), "replid": match.group(1)}
    if engine == "mysql":
        match = re.match(r"([^:,]+\.\d+):(\d{1,19})\Z", text)
        if match:
            return {"kind": "file", "value": None, "file": match.group(1), "pos": int(match.group(2))}
        for kind, parse in (("gtid", gtid.parse_set), ("mariadb_gtid", mariadb_gtid.parse_position)):
            try:
                parse(text)
            except ValueError:
                continue
            return {"kind": kind, "value": text}
    raise _refuse(engine, value)


def _from_mapping(value: Mapping[str, Any], engine: str) -> Raw:
    found = dict(value)
    if "kind" in found:
        # The position of a server that has none yet is nothing to wait for.
        if found["kind"] is None or found["kind"] in KINDS[engine]:
            return found
    elif engine == "mysql" and re.match(r".+\.\d+\Z", str(found.get("file"))) and str(found.get("pos")).isdigit():
        return {"kind": "file", "value": None, "file": found["file"], "pos": int(found["pos"])}
    elif (
        engine == "redis"
        and re.match(r"[0-9a-f]{40}\Z", str(found.get("replid")))
        and str(found.get("offset")).isdigit()
    ):
        return {"kind": "redis", "value": int(found["offset"]), "replid": found["replid"]}
    raise _refuse(engine, value)
