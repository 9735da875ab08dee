# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong between us and a MySQL or MariaDB server, by kind."""

from __future__ import annotations

import errno as os_errno
import re
import socket
import ssl

_AUTH = {1045, 1698, 1130, 1862, 1820, 2058, 2059, 2061, 3118, 3955, 4151}
_TLS = {2026, 3159, 1759}
_UNREACHABLE = {1040, 1053, 1129, 1203, 1927, 2001, 2002, 2003, 2004, 2005, 2006, 2012, 2013, 2055, 3169, 4031}
_REFUSED = {1040, 1129, 1203}
_LOST = {1053, 1927, 2006, 2013, 2055, 3169, 4031}
_PRIVILEGE = {1044, 1095, 1142, 1143, 1227, 1370, 1419, 3230}
_SYNTAX = {1054, 1064, 1109, 1128, 1146, 1149, 1193, 1235, 1305, 1049}
_OS_DETAIL = {
    os_errno.ENOENT: "no_socket",
    os_errno.EAGAIN: "timeout",
    os_errno.EACCES: "permission",
    os_errno.ECONNRESET: "lost",
    os_errno.EPIPE: "lost",
    os_errno.ETIMEDOUT: "timeout",
    os_errno.ECONNREFUSED: "refused",
    os_errno.EHOSTUNREACH: "no_route",
    os_errno.ENETUNREACH: "no_route",
}
# The numbers that the servers' own client gives these.
TLS_FAILED = 2026
NEEDS_TLS = 2061
LOST = 2013
NO_SOCKET = 2002
NO_HOST = 2003


class MysqlError(Exception):
    """What went wrong, classified.

    kind: client_missing, unreachable, auth, tls, privilege, syntax (the server does not know the statement, column or
    variable) or other. detail: for client_missing and unreachable the word that checks.reachable.value shows.
    statement: index of the statement that failed.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        errno: int | None = None,
        detail: str | None = None,
        statement: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.errno = errno
        self.message = message
        self.detail = detail
        self.statement = statement


def classify(errno: int) -> tuple[str, str | None]:
    """Return (kind, detail) of a server's error."""
    if errno in _AUTH:
        return "auth", None
    if errno in _TLS:
        return "tls", None
    if errno in _UNREACHABLE:
        return "unreachable", "refused" if errno in _REFUSED else "lost" if errno in _LOST else "failed"
    if errno in _PRIVILEGE:
        return "privilege", None
    if errno in _SYNTAX:
        return "syntax", None
    return "other", None


def clean_message(message: str) -> str:
    """Return the error on one line, without the statement that a syntax error quotes: it may hold a password."""
    message = re.sub(r"( near )'.*", r"\1the statement's text", message, flags=re.DOTALL)
    return " ".join(message.split())


def server_error(errno: int, message: str) -> MysqlError:
    kind, detail = classify(errno)
    return MysqlError(kind, clean_message(message), errno, detail)


def no_answer(seconds: float) -> MysqlError:
    return MysqlError("unreachable", f"no answer within {seconds:g} seconds", detail="timeout")


def lost(reason: object = None) -> MysqlError:
    message = "the server closed the connection" + (f": {reason}" if reason else "")
    return MysqlError("unreachable", message, LOST, "lost")


def broken(what: object) -> MysqlError:
    return MysqlError("other", f"the server's answer is not the protocol of MySQL: {what}")


def cannot_connect(place: str, is_socket: bool, seconds: float, error: OSError) -> MysqlError:
    """Classify what the operating system or TLS says while a connection is opened."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return MysqlError("tls", f"the server's certificate is not trusted: {error.verify_message}", TLS_FAILED)
    if isinstance(error, socket.timeout):
        return no_answer(seconds)
    if isinstance(error, ssl.SSLError):
        return MysqlError("tls", f"TLS with {place} failed: {error.reason or error}", TLS_FAILED)
    reason = error.strerror or error
    if isinstance(error, socket.gaierror):
        return MysqlError("unreachable", f"{place} does not resolve: {reason}", NO_HOST, "unknown_host")
    detail = _OS_DETAIL.get(error.errno or 0, "failed")
    message = f"{place} cannot be connected to: {reason}"
    return MysqlError("unreachable", message, NO_SOCKET if is_socket else NO_HOST, detail)
