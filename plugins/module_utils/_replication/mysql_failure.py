# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a MySQL or MariaDB server could not be looked at, and what mends that."""

from __future__ import annotations

import re

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import Failure
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import (
    Found,
    flavor_of,
    text,
    variables_of,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.words import grant

_UNREACHABLE_HINTS = {
    "not_installed": "Install the server, or run this on the database host.",
    "no_client": "apt install python3-pymysql",
    "no_socket": "Start the server (its log and 'df -h' tell why it ended), or give login_unix_socket or login_host.",
    "refused": "Start the server, and check login_host, login_port and its bind_address.",
    "timeout": "The server or the network does not answer: check the host, its disk ('df -h'), its load and its firewall.",
    "permission": "Run as root, or as a user who may open the server's socket.",
}


def _tls_hint(errno: int | None, message: str) -> str:
    if errno == 3159 or "require_secure_transport" in message:
        return "tls: required"
    if re.search(r"certificat|verif|self.signed|trusted", message, re.IGNORECASE):
        return "ca_cert: <the file of the CA that signed the server's certificate>, or validate_certs: false"
    if re.search(r"not support|but is required|doesn't", message, re.IGNORECASE):
        return "tls: disabled, or give the server a certificate (ssl_cert, ssl_key)"
    return "Check tls, ca_cert, client_cert and validate_certs against what the server offers."


def _login_hint(errno: int | None) -> str:
    if errno in (2059, 2061, 1251):
        return "tls: required (the account's plugin takes a password over an encrypted connection only)"
    return "Check login_user and login_password; without them the module logs in as root over the unix socket."


def failure(error: MysqlError, found: Found | None = None) -> Failure:
    """Turn a client error into the verdict's words; found: what was answered before."""
    if error.detail == "timeout" and found and found.rows:
        return Failure(
            "broken",
            "hangs",
            f"the server lets us in but does not answer everything ({error.message})",
            "Something holds its binary log or its tables: look for a full disk ('df -h'), then at SHOW PROCESSLIST.",
        )
    if error.kind in ("client_missing", "unreachable"):
        value = error.detail or "failed"
        return Failure("unreachable", value, error.message, _UNREACHABLE_HINTS.get(value), error.errno)
    if error.kind == "auth":
        return Failure("auth_failed", "auth", error.message, _login_hint(error.errno), error.errno)
    if error.kind == "tls":
        return Failure("unreachable", "tls", error.message, _tls_hint(error.errno, error.message), error.errno)
    if error.kind == "privilege":
        variables = variables_of(found.rows if found else {})
        flavor = flavor_of(variables.get("version"), variables.get("version_comment"))
        hint = grant(flavor, text(variables.get("account")), error.message)
        return Failure("auth_failed", "privilege", error.message, hint, error.errno)
    return Failure(
        "unsupported",
        error.kind,
        error.message,
        "The server does not know what was asked: check that it is MySQL, Percona Server or MariaDB.",
        error.errno,
    )
