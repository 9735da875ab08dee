# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator expects, which primary, which position, and how the options that say so are read."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Channel, Raw


@dataclass(frozen=True)
class Expectation:
    """What a healthy server is.

    primary: any of these identities. max_lag None: lag is not judged. max_io_idle None: what the server's own period
    gives.
    """

    role: str = "any"
    primary: tuple[Raw, ...] = ()
    read_only: bool | None = None
    max_lag: int | None = 10
    max_lag_bytes: int | None = None
    max_io_idle: float | None = None
    min_replicas: int = 0
    allow_delay: bool = False
    allow_filters: bool = False
    require_gtid: bool = False
    require_tls: bool = False
    require_semi_sync: bool = False
    ignore_checks: tuple[str, ...] = ()


# --- expect_primary -----------------------------------------------------------------------------------------------

IDENTITY_KEYS = ("host", "port", "replid", "run_id", "server_id", "uuid")


def parse_expected_primary(value: Any) -> tuple[Raw, ...]:
    """Return the identities that expect_primary names: a host, host:port, UUID or replication id, a dict, or a list."""
    if value is None or value in ("", [], {}):
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(item for entry in value for item in parse_expected_primary(entry))
    if isinstance(value, Mapping):
        found = {key: item for key, item in value.items() if key in IDENTITY_KEYS and item not in (None, "")}
        if not found:
            raise ValueError(f"expect_primary needs at least one of {', '.join(IDENTITY_KEYS)}")
        for key in ("port", "server_id"):
            if key in found and not str(found[key]).isdigit():
                raise ValueError(f"expect_primary has {key} {found[key]!r}, expected a number")
        return (found,)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return (_identity_of(str(value).strip()),)
    raise ValueError("expect_primary is neither a string, a dictionary nor a list of these")


def _identity_of(text: str) -> Raw:
    if re.match(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z", text):
        return {"uuid": text}
    if re.match(r"[0-9a-f]{40}\Z", text):
        return {"replid": text}
    match = re.match(r"(\[[^\]]+\]|[^:]+):(\d+)\Z", text)
    if match:
        return {"host": match.group(1).strip("[]"), "port": int(match.group(2))}
    return {"host": text.strip("[]")}


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def follows(channel: Channel, expected: Mapping[str, Any]) -> bool | None:
    """Compare identities: ids where both sides know one, else host and port; None where nothing can be compared."""
    has_id = False
    for key in ("uuid", "replid", "server_id"):
        if expected.get(key):
            has_id = True
            actual = getattr(channel, key)
            if actual:
                return str(actual).lower() == str(expected[key]).lower()
    wanted, host = str(expected.get("host") or "").lower(), str(channel.host or "").lower()
    if not wanted:
        return None if has_id or not expected.get("port") else channel.port == int(expected["port"])
    if wanted != host:
        # A name and an address may be the same server; an id tells it as soon as the replica connects.
        return None if has_id and _is_address(wanted) != _is_address(host) else False
    return not expected.get("port") or channel.port == int(expected["port"])


# --- wait_for -----------------------------------------------------------------------------------------------------

KINDS = {"mysql": ("gtid", "mariadb_gtid", "file"), "redis": ("redis",)}
FORMS = {
    "mysql": "the position of a result, a GTID set, a MariaDB GTID position or {file, pos}",
    "redis": "the position of a result or {replid, offset}",
}


def _refuse(engine: str, value: Any) -> ValueError:
    return ValueError(f"wait_for is {str(value)[:80]!r}, expected {FORMS[engine]} for engine {engine}")


def parse_wait_for(value: Any, engine: str) -> Raw | None:
    """Return the position of an earlier result, or one that somebody typed; raises ValueError with a sentence."""
    if value is None or value in ("", {}):
        return None
    if isinstance(value, Mapping):
        return _position_of(value, engine)
    text = re.sub(r"\s+", "", str(value))
    match = re.match(r"([0-9a-f]{40}):(\d{1,19})\Z", text)
    if match and engine == "redis":
        return {"kind": "redis", "value": int(match.group(2)), "replid": match.group(1)}
    if engine == "mysql":
        match = re.match(r"([^:,]+\.\d+):(\d{1,19})\Z", text)
        if match:
            return {"kind": "file", "value": None, "file": match.group(1), "pos": int(match.group(2))}
        for kind, parse in (("gtid", gtid.parse_set), ("mariadb_gtid", gtid.parse_position)):
            try:
                parse(text)
            except ValueError:
                continue
            return {"kind": kind, "value": text}
    raise _refuse(engine, value)


def _position_of(value: Mapping[str, Any], engine: str) -> Raw:
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
