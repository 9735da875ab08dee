# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a MySQL or MariaDB server through PyMySQL, for hosts that have this library and no command line client."""

from __future__ import annotations

import contextlib
import importlib
import ssl
from collections.abc import Sequence
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    SESSION,
    MysqlError,
    MysqlLogin,
    Rows,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.errors import classify, clean_message

DEFAULT_SOCKET = "/run/mysqld/mysqld.sock"


def text(value: Any) -> str | None:
    """Return a value as the command line client shows it."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)


def tls_options(login: MysqlLogin) -> dict[str, Any]:
    """Return what connect() takes for TLS."""
    if login.tls == "disabled":
        return {"ssl_disabled": True}
    if login.tls == "auto" and not login.ca_cert:
        return {}
    context = ssl.create_default_context(cafile=login.ca_cert)
    if not login.validate_certs or not login.ca_cert:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if login.client_cert:
        context.load_cert_chain(login.client_cert, login.client_key)
    return {"ssl": context}


class PymysqlClient:
    """One login and one connection for all queries."""

    def __init__(self, login: MysqlLogin, timeout: float = 15.0, library: Any = None) -> None:
        self.login = login
        self.timeout = timeout
        self._library = library
        self._connection: Any = None

    def _options(self) -> dict[str, Any]:
        login = self.login
        place: dict[str, Any] = {"host": login.host, "port": login.port}
        if login.unix_socket or not login.host:
            place = {"unix_socket": login.unix_socket or DEFAULT_SOCKET}
        options = {
            **place,
            "user": login.user or (None if login.config_file else "root"),
            "password": login.password,
            "read_default_file": login.config_file,
            "connect_timeout": login.connect_timeout,
            "read_timeout": self.timeout,
            "charset": "utf8mb4",
            "autocommit": True,
            "init_command": SESSION,
            **tls_options(login),
        }
        return {name: value for name, value in options.items() if value is not None}

    def _open(self) -> Any:
        if self._library is None:
            try:
                self._library = importlib.import_module("pymysql")
            except ImportError:
                message = "client is pymysql, but this host's Python has no PyMySQL: install it or use client: cli"
                raise MysqlError("client_missing", message, detail="not_installed") from None
        if self._connection is None:
            self._connection = self._library.connect(cursorclass=self._library.cursors.DictCursor, **self._options())
        return self._connection

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        """Run the statements; return the row lists up to the first error, and that error."""
        results: list[Rows] = []
        try:
            connection = self._open()
            # The library has no other way to change the limit of an open connection.
            connection._read_timeout = self.timeout
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                    rows = cursor.fetchall() or ()
                    results.append([{name: text(value) for name, value in row.items()} for row in rows])
        except MysqlError as error:
            return results, error
        except (OSError, ValueError) as error:
            self.close()
            return results, MysqlError("other", f"the connection cannot be opened: {error}")
        except Exception as error:
            if self._library is None or not isinstance(error, self._library.err.MySQLError):
                raise
            return results, self._error(error, len(results))
        return results, None

    def _error(self, error: Any, statement: int) -> MysqlError:
        errno = error.args[0] if error.args and isinstance(error.args[0], int) else None
        message = str(error.args[1]) if len(error.args) > 1 else str(error)
        kind, detail = classify(errno, message) if errno else ("other", None)
        if kind in ("unreachable", "auth", "tls"):
            self.close()
        return MysqlError(kind, clean_message(message, [self.login.password]), errno, detail, statement)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()
