# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this host's server is the one to copy: a replica that is well, the primary only where none is."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._backup.settings import BackupError, Settings
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlClient, MysqlLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
    parse_info,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import service
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Failure
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import MysqlProbe


@dataclass(frozen=True)
class Standing:
    """What the server says of itself. replicas: how many are connected to it. why: what is wrong where it is not well."""

    role: str
    well: bool = True
    replicas: int = 0
    why: str = ""


def mysql_standing(settings: Settings) -> Standing:
    probe = MysqlProbe(MysqlClient(MysqlLogin(unix_socket=settings.server.socket or None)))
    try:
        found = probe.look().found
    finally:
        probe.close()
    if isinstance(found, Failure):
        raise BackupError(f"MySQL on {settings.host} does not answer: {found.message}")
    if found.flavor != "mariadb":
        raise BackupError(f"{settings.host} runs {found.flavor}, and only MariaDB is copied yet")
    judged = service.judge_look(0.0, found, service.Settings(), None)
    if found.channels:
        return Standing("replica", judged.up_to_date, 0, judged.replica.message)
    return Standing("primary", True, len(found.replicas or []))


def redis_standing(settings: Settings) -> Standing:
    server = settings.server
    client = RedisClient(RedisLogin(port=server.port, username=server.user, password=server.password))
    try:
        told = client.command("INFO", "replication")
    except RedisError as error:
        raise BackupError(f"Redis on {settings.host} does not answer: {error.message}") from error
    finally:
        client.close()
    return parse_redis_standing(parse_info(str(told)))


def parse_redis_standing(info: dict[str, str]) -> Standing:
    if info.get("role") == "master":
        online = [value for name, value in info.items() if name.startswith("slave") and "state=online" in value]
        return Standing("primary", True, len(online))
    well = info.get("master_link_status") == "up" and info.get("master_sync_in_progress", "0") == "0"
    return Standing("replica", well, 0, "" if well else "its link to the primary is down")


STANDINGS = {"mysql": mysql_standing, "redis": redis_standing}


def decide(settings: Settings, standing: Standing, age_minutes: float | None, waited: float, now: bool) -> str:
    """Return copy, wait or nothing; raises BackupError where this server must not be copied.

    age_minutes: of the newest copy in the store, None without one. waited: minutes since the run began. now: somebody wants a
    copy at once.
    """
    fresh = age_minutes is not None and age_minutes < settings.fresh_minutes
    if fresh and not now:
        return "nothing"
    if not standing.well:
        raise BackupError(f"the replica on {settings.host} is not well, and is not copied: {standing.why}")
    if standing.role == "replica" or not standing.replicas or now or waited >= settings.wait_minutes:
        return "copy"
    return "wait"
