# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which primary a replica should follow: read expect_primary, and hold a channel against it."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Channel, Raw

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import Bench


def parse_expected_primary(value: Any) -> tuple[Raw, ...]:
    """Return the identities that expect_primary names: a host, host:port, UUID or replication id, a dict, or a list."""
    if value is None or value in ("", [], {}):
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(item for entry in value for item in parse_expected_primary(entry))
    if isinstance(value, Mapping):
        known = {"host", "port", "server_id", "uuid", "run_id", "replid"}
        found = {key: item for key, item in value.items() if key in known and item not in (None, "")}
        if not found:
            raise ValueError(f"expect_primary needs at least one of {', '.join(sorted(known))}")
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


def matches(expected: Mapping[str, Any], channel: Channel) -> bool | None:
    """Compare identities: ids where both sides know one, else host and port; None where nothing can be compared."""
    strong = False
    for key in ("uuid", "replid", "server_id"):
        if expected.get(key):
            strong = True
            actual = getattr(channel, key)
            if actual:
                return str(actual).lower() == str(expected[key]).lower()
    wanted, host = str(expected.get("host") or "").lower(), str(channel.host or "").lower()
    if not wanted:
        return None if strong or not expected.get("port") else channel.port == int(expected["port"])
    if wanted != host:
        # A name and an address may be the same server; an id tells it as soon as the replica connects.
        return None if strong and _is_address(wanted) != _is_address(host) else False
    return not expected.get("port") or channel.port == int(expected["port"])


def check(bench: Bench, places: Sequence[str], value: Any) -> None:
    """Judge whom the server follows. places: the primaries of its channels; value: the same, as it is shown."""
    expected, channels = bench.expect.primary, bench.snapshot.channels
    answers = [[matches(item, channel) for item in expected] for channel in channels]
    wanted = [{key: item[key] for key in sorted(item)} for item in expected]
    shown = wanted[0] if len(wanted) == 1 else wanted
    ok = True if any(True in row for row in answers) else None if any(None in row for row in answers) else False
    bench.set("primary_identity", ok, value, shown)
    if ok is False:
        bench.findings.wrong_primary(places, wanted[0])
