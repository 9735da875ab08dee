# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The tiers that hold data, one row each; everything else about them follows from the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import AUTHORITY_FILE, LOGIN_FILE


@dataclass(frozen=True)
class Engine:
    """One kind of data server.

    Groups are called like the roles of primary and replica; `role` is the one whose options both share.
    """

    title: str
    role: str
    primary_group: str
    replica_group: str
    secrets: tuple[str, ...]
    # How a person makes a server the primary, on that server.
    promote: str
    # Option of replication_status: option of the role. How a server is asked on its own host; empty: over its unix socket.
    login: Mapping[str, str] = field(default_factory=dict)
    # Where the host keeps a login for a server that does not know the inventory's yet.
    login_file: str = ""
    # Whether a replica that is started takes over whatever its primary holds, nothing as well.
    copies_emptiness: bool = False
    # Switch and port of the service that tells the data proxies who takes what; without one they ask the server itself.
    status_switch: str = ""
    status_port: str = ""
    # Where a replica takes a copy of its primary's data; without one it comes over the usual port.
    copy_port: str = ""
    # Where other hosts reach it over TLS; without one its usual port speaks both.
    tls_port: str = ""
    # File on each of its hosts with the authority that they trust.
    authority_file: str = ""

    @property
    def groups(self) -> tuple[str, str]:
        return self.primary_group, self.replica_group

    def option(self, what: str) -> str:
        return f"{self.role}_{what}"


ENGINES = {
    "mysql": Engine(
        title="MySQL",
        role="mysql_server",
        primary_group="mysql_master",
        replica_group="mysql_replica",
        secrets=(
            "mysql_server_replication_password",
            "mysql_server_monitor_password",
        ),
        promote="on it: STOP REPLICA; RESET REPLICA ALL; SET GLOBAL read_only = OFF",
        status_switch="mysql_server_status_enabled",
        status_port="mysql_server_status_port",
        copy_port="mysql_replica_seed_port",
    ),
    "redis": Engine(
        title="Redis",
        role="redis_server",
        primary_group="redis_master",
        replica_group="redis_replica",
        secrets=(
            "redis_server_replication_password",
            "redis_server_monitor_password",
            "redis_server_admin_password",
        ),
        promote="on it: REPLICAOF NO ONE",
        copies_emptiness=True,
        login={
            "login_port": "redis_server_port",
            "login_user": "redis_server_monitor_user",
            "login_password": "redis_server_monitor_password",
        },
        login_file=LOGIN_FILE,
        tls_port="redis_server_tls_port",
        authority_file=AUTHORITY_FILE,
    ),
}
LOAD_BALANCERS = "haproxy"
WEB_SERVERS = "apache_php"
# Where copies of the data go.
BACKUP_STORES = "backup_store"
# Every group that a tier may have.
GROUPS = (
    LOAD_BALANCERS,
    WEB_SERVERS,
    *(group for engine in ENGINES.values() for group in engine.groups),
    BACKUP_STORES,
)
# Limits that the whole way of a request shares: webcluster_<limit> sets the option of each role on it.
LIMITS = {
    "request_time_limit": ("haproxy_http_request_time_limit", "apache_php_request_time_limit"),
    "upload_limit_mb": ("haproxy_http_upload_limit_mb", "apache_php_upload_limit_mb"),
}
# Options that upgrade a role's packages.
UPGRADES = ("haproxy_upgrade", "apache_php_upgrade")
# What the demo application cannot do without; see its entry in the default of webcluster_sites.
DEMO_ENGINES = ("mysql", "redis")
