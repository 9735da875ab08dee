# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a MySQL or MariaDB server through PyMySQL; what makes SQL of values is here as well."""

from __future__ import annotations

import os
import pwd
import shutil
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Protocol

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.connection import (
    HAS_PYMYSQL,
    BoundedConnection,
    LibraryError,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.errors import (
    NEEDS_TLS,
    MysqlError,
    broken,
    cannot_connect,
    clean_message,
    server_error,
)

Row = dict[str, Optional[str]]
Rows = list[Row]

# Where distributions put it.
SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")
# Not every user has these folders in PATH.
SERVER_PATH = os.pathsep.join(("/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"))
# The session's sql_mode is fixed, so backslash escapes always mean what quoting.quote() intends.
SESSION = "SET SESSION sql_mode='STRICT_ALL_TABLES'"


@dataclass(frozen=True)
class MysqlLogin:
    """How to log in; without any value: the operating system's user over the usual unix socket."""

    host: str | None = None
    port: int = 3306
    unix_socket: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    connect_timeout: float = 5
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    tls: str = "auto"  # auto | required | disabled
    validate_certs: bool = True

    @property
    def over_tcp(self) -> bool:
        return bool(self.host) and not self.unix_socket


class Client(Protocol):
    """Stays connected between the questions and gives up on one after timeout seconds."""

    timeout: float = 15.0

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        """Run the statements as one question; return the row lists up to the first error, and that error."""

    def query(self, statements: Sequence[str]) -> list[Rows]:
        """Run the statements as one question; return one row list for each, [] where it has no rows."""
        results, error = self.try_query(statements)
        if error is not None:
            raise error
        return results

    def close(self) -> None:
        """Take leave of the server; the next question connects again."""


def text(value: Any) -> str | None:
    """Return a value of a row as text; only what is binary comes as bytes."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def socket_path(login: MysqlLogin) -> str:
    return login.unix_socket or next((path for path in SOCKETS if Path(path).is_socket()), SOCKETS[0])


def server_is_installed() -> bool:
    return any(shutil.which(name, path=SERVER_PATH) for name in ("mariadbd", "mysqld"))


def library_missing(login: MysqlLogin) -> MysqlError:
    """Say what to install, or that there is nothing to ask."""
    if login.over_tcp or Path(socket_path(login)).is_socket() or server_is_installed():
        message = (
            f"this host's Python ({sys.executable}) has no PyMySQL, through which MySQL and MariaDB are asked: install "
            "the package python3-pymysql"
        )
        return MysqlError("client_missing", message, detail="no_client")
    return MysqlError("client_missing", "neither MySQL nor MariaDB is installed", detail="not_installed")


def tls_context(login: MysqlLogin) -> ssl.SSLContext | None:
    """Return how to encrypt, where the server can or must; over a unix socket nobody listens."""
    if login.tls == "disabled" or (login.tls == "auto" and not login.over_tcp and not login.ca_cert):
        return None
    try:
        # Not Python's default context: that reads all CAs of the system, and is stricter with a CA than servers' clients are.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if login.ca_cert:
            context.load_verify_locations(login.ca_cert)
        if not login.validate_certs or not login.ca_cert:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if login.client_cert:
            context.load_cert_chain(login.client_cert, login.client_key)
    except OSError as error:
        raise MysqlError(
            "tls", f"ca_cert, client_cert or client_key cannot be used: {error.strerror or error}"
        ) from None
    return context


def account() -> str:
    """Return the operating system's user, as which the server knows whoever is at its socket."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise MysqlError("auth", f"no login_user, and the process's user {os.geteuid()} has no name") from None


class MysqlClient(Client):
    """One login and one connection for all questions; after an error that may have broken it a new one."""

    def __init__(self, login: MysqlLogin, timeout: float = 15.0) -> None:
        self.login = login
        self.timeout = timeout
        self._connection: BoundedConnection | None = None

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        results: list[Rows] = []
        try:
            connection = self._connection = self._connection or self._connect()
            connection.begin(self.timeout)
            for index, statement in enumerate(statements):
                try:
                    results.append(self._rows(connection, statement))
                except MysqlError as error:
                    error.statement = index
                    raise
        except MysqlError as error:
            if error.kind in ("unreachable", "auth", "tls") or error.errno is None:
                self._drop()
            return results, error
        return results, None

    def certificate(self) -> str:
        """Return the certificate that the server shows, in DER as hexadecimal; the login must require TLS."""
        self._connection = self._connection or self._connect()
        return self._connection.certificate()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.begin(1.0)
            connection.close()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()

    def _connect(self) -> BoundedConnection:
        if not HAS_PYMYSQL:
            raise library_missing(self.login)
        login, path = self.login, None if self.login.over_tcp else socket_path(self.login)
        connection = BoundedConnection(
            unix_socket=path,
            host=login.host,
            port=login.port,
            user=login.user or account(),
            # The library would write a text as Latin-1.
            password=(login.password or "").encode("utf-8"),
            connect_timeout=login.connect_timeout,
            ssl=tls_context(login),
            charset="utf8mb4",
            # Values stay as the server writes them.
            conv={},
            autocommit=True,
            defer_connect=True,
        )
        connection.require_tls = login.tls == "required"
        connection.begin(login.connect_timeout)
        try:
            self._open(connection, path)
            self._rows(connection, SESSION)
        except MysqlError:
            connection.drop()
            raise
        return connection

    def _open(self, connection: BoundedConnection, path: str | None) -> None:
        try:
            connection.connect()
        except MysqlError:
            raise
        except LibraryError as error:
            cause = getattr(error, "original_exception", None)
            if not isinstance(cause, OSError):
                raise _classified(error) from None
            place = f"the server's socket {path}" if path else f"{self.login.host}, port {self.login.port},"
            found = cannot_connect(place, bool(path), self.login.connect_timeout, cause)
            if found.detail == "no_socket" and not self.login.unix_socket and not server_is_installed():
                found = MysqlError("client_missing", "neither MySQL nor MariaDB is installed", detail="not_installed")
            raise found from None
        except RuntimeError:
            # It needs one more library for passwords without TLS.
            raise MysqlError("auth", "the account's plugin takes a password over TLS only", NEEDS_TLS) from None
        except Exception as error:
            # It trusts the server to keep to the protocol, and trips over one that does not in many ways.
            raise broken(repr(error)) from error

    @staticmethod
    def _rows(connection: BoundedConnection, statement: str) -> Rows:
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, map(text, row))) for row in cursor.fetchall() or ()]
        except MysqlError:
            raise
        except LibraryError as error:
            raise _classified(error) from None
        except Exception as error:
            raise broken(repr(error)) from error


def _classified(error: Exception) -> MysqlError:
    """Return the library's error as ours; its arguments are a number and a text, or a text alone."""
    number, message = (*error.args, "", "")[:2]
    if not isinstance(number, int):
        return broken(clean_message(str(error)))
    return server_error(number, str(message))
