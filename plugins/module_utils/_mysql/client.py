# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way to ask a MySQL or MariaDB server shares: the login, rows, errors, quoting."""

from __future__ import annotations

from typing import Optional

from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record

Row = dict[str, Optional[str]]
Rows = list[Row]


class MysqlError(Exception):
    """What went wrong, classified.

    kind: client_missing, unreachable, auth, tls, privilege, syntax (the server does not know the statement, column or
    variable) or other. detail: for client_missing and unreachable the word that checks.reachable.value shows.
    statement: index of the statement that failed. results: row lists of the statements before it.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        errno: int | None = None,
        detail: str | None = None,
        statement: int | None = None,
        results: list[Rows] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.errno = errno
        self.message = message
        self.detail = detail
        self.statement = statement
        self.results: list[Rows] = results or []


class MysqlLogin(Record):
    """How to log in; without any value: the operating system's root over the client's default unix socket."""

    host: str | None = None
    port: int = 3306
    unix_socket: str | None = None
    user: str | None = None
    password: str | None = None
    config_file: str | None = None
    connect_timeout: int = 5
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    tls: str = "auto"  # auto | required | disabled
    validate_certs: bool = True


# The session's sql_mode is fixed by the client, so backslash escapes always mean what quote() intends.
SESSION = "SET SESSION sql_mode='STRICT_ALL_TABLES'"

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"}


def quote(value: str) -> str:
    """Return value as an SQL string literal."""
    return "'" + "".join(_ESCAPES.get(char, char) for char in value) + "'"


def quote_name(name: str) -> str:
    """Return name as an SQL identifier."""
    if not name or "\0" in name:
        raise ValueError("an SQL name must not be empty or hold a NUL character")
    return "`" + name.replace("`", "``") + "`"
