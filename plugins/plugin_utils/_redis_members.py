# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The servers of the Redis tier, as the modules want them that move its primary."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import AUTHORITY_FILE
from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import Tiers, members
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, all_options, resolve


class RedisMember(t.TypedDict):
    """A server and how an administrator logs in there."""

    name: str
    host: str
    port: int
    login_user: str
    login_password: str
    tls: bool
    # On each host of the tier.
    ca_cert: str


def redis_members(tiers: Tiers, hostvars: Mapping[str, Mapping[str, t.Any]]) -> list[RedisMember]:
    """Return every server of the tier, its primary first."""
    found = members(tiers["engines"]["redis"])
    settings = Settings({member["name"]: hostvars[member["name"]] for member in found}, all_options())
    engine = ENGINES["redis"]
    return [
        {
            "name": member["name"],
            "host": member["address"],
            "port": member["port"],
            "login_user": settings.value(member["name"], engine.option("admin_user")),
            "login_password": resolve(hostvars[member["name"]], engine.option("admin_password")),
            "tls": tiers["engines"]["redis"]["tls"],
            "ca_cert": AUTHORITY_FILE,
        }
        for member in found
    ]
