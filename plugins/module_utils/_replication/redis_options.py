# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the login options of replication_status to a Redis or Valkey server that is asked."""

from __future__ import annotations

from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisClient, RedisLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import kept_login, other_logins, read_kept
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.redis import RedisProbe


def redis_login(options: dict[str, Any]) -> RedisLogin:
    return RedisLogin(
        host=options["login_host"] or "127.0.0.1",
        port=options["login_port"] or 6379,
        unix_socket=options["login_unix_socket"],
        username=options["login_user"],
        password=options["login_password"],
        connect_timeout=options["connect_timeout"],
        tls=options["tls"] == "required",
        ca_cert=options["ca_cert"],
        client_cert=options["client_cert"],
        client_key=options["client_key"],
        validate_certs=options["validate_certs"],
        tls_server_name=options["tls_server_name"],
    )


def redis_probe(options: dict[str, Any]) -> RedisProbe:
    given = redis_login(options)
    file = options.get("login_file")
    others = other_logins(given, kept_login(given, read_kept(file))) if file else []
    return RedisProbe(RedisClient(given, others=others), options["login_host"])
