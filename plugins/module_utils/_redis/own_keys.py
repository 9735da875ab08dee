# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys an old primary has that the present one has not, or has otherwise; and how they are kept."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import Client, RedisError, parse_info

# What we write ourselves: canaries, and the mark of a promotion.
OURS = "ansible:"
BATCH = 200
# The order in a set or hash is each server's own, so they are compared sorted; large ones as they are stored, which may say that
# they differ though they do not, and holds up the server for a moment only.
LARGEST = 20_000
DIGEST = """
local found = {}
local size = {hash = 'HLEN', set = 'SCARD', list = 'LLEN', zset = 'ZCARD'}
for index, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  local parts = {}
  if kind == 'none' then
    found[index] = ''
  else
    if not size[kind] or redis.call(size[kind], key) > tonumber(ARGV[1]) then
      parts[1] = kind == 'string' and redis.call('GET', key) or redis.call('DUMP', key)
    elseif kind == 'hash' then
      local flat = redis.call('HGETALL', key)
      for at = 1, #flat, 2 do parts[#parts + 1] = #flat[at] .. ':' .. flat[at] .. flat[at + 1] end
      table.sort(parts)
    elseif kind == 'set' then
      parts = redis.call('SMEMBERS', key)
      table.sort(parts)
    elseif kind == 'list' then
      parts = redis.call('LRANGE', key, 0, -1)
    else
      parts = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    end
    local text = {kind}
    for _, part in ipairs(parts) do text[#text + 1] = #part .. ':' .. part end
    found[index] = redis.sha1hex(table.concat(text))
  end
end
return found
"""


@dataclass(frozen=True)
class OwnKey:
    """A key that only the old primary has; differs: the present one has it with another value."""

    database: int
    name: str
    differs: bool


def _databases(client: Client) -> list[int]:
    reply = client.command("INFO", "keyspace")
    found = (re.fullmatch(r"db(\d+)", name) for name in parse_info(str(reply)))
    return [int(match[1]) for match in found if match]


def _names(client: Client) -> Iterator[list[str]]:
    """Every key of the selected database, some at a time."""
    cursor = "0"
    while True:
        reply = client.command("SCAN", cursor, "COUNT", str(BATCH))
        if not isinstance(reply, list) or len(reply) != 2:
            raise RedisError("protocol", "SCAN did not answer with a cursor and keys")
        cursor = str(reply[0])
        names = [str(name) for name in reply[1] if not str(name).startswith(OURS)]
        if names:
            yield names
        if cursor == "0":
            return


def _digests(client: Client, names: Sequence[str]) -> list[str]:
    reply = client.command("EVAL_RO", DIGEST, str(len(names)), *names, str(LARGEST))
    if not isinstance(reply, list) or len(reply) != len(names):
        raise RedisError("protocol", "EVAL_RO did not answer with a digest for each key")
    return [str(digest) for digest in reply]


def own_keys(old: Client, new: Client) -> list[OwnKey]:
    """Return what would be gone, were the old server filled from the new one. A key that is there on both is compared by value."""
    found: dict[tuple[int, str], OwnKey] = {}
    for database in _databases(old):
        for client in (old, new):
            client.command("SELECT", str(database))
        for names in _names(old):
            for name, here, there in zip(names, _digests(old, names), _digests(new, names)):
                # One that has expired since is nobody's.
                if here and here != there:
                    found[database, name] = OwnKey(database, name, bool(there))
    for client in (old, new):
        client.command("SELECT", "0")
    return list(found.values())


def export(old: Client, keys: Sequence[OwnKey]) -> list[dict[str, Any]]:
    """Return the keys as RESTORE takes them, their names and values in base64; milliseconds to live, 0 for ever."""
    rows = []
    for key in keys:
        old.command("SELECT", str(key.database))
        value, life = old.command("DUMP", key.name), old.command("PTTL", key.name)
        if isinstance(value, str):
            name = key.name.encode("utf-8", "surrogateescape")
            rows.append(
                {
                    "database": key.database,
                    "key": base64.b64encode(name).decode(),
                    "readable": name.decode("utf-8", "replace"),
                    "life_ms": max(life, 0) if isinstance(life, int) else 0,
                    "dump": base64.b64encode(value.encode("utf-8", "surrogateescape")).decode(),
                }
            )
    old.command("SELECT", "0")
    return rows


def told(keys: Sequence[OwnKey]) -> str:
    """Say which keys these are, in a few words."""
    parts = []
    for differs, what in ((False, "that the primary has not"), (True, "whose value differs there")):
        some = [key.name for key in keys if key.differs is differs]
        if some:
            first = ", ".join(name.encode("utf-8", "replace").decode() for name in sorted(some)[:5])
            parts.append(f"{len(some)} {what} ({first}{', ...' if len(some) > 5 else ''})")
    return " and ".join(parts)
