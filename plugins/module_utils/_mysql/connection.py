# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyMySQL's connection with bounds: an answer has one limit of time and one of size, however many reads it takes."""

from __future__ import annotations

import socket
import time
import typing as t

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.errors import (
    NEEDS_TLS,
    TLS_FAILED,
    MysqlError,
    broken,
    lost,
    no_answer,
)


class NoLibraryError(Exception):
    """Stands for the library's errors where there is no library to raise them."""


LibraryError: type[Exception] = NoLibraryError
try:
    from pymysql import err
    from pymysql.connections import Connection
    from pymysql.constants import CLIENT

    HAS_PYMYSQL = True
    LibraryError = err.MySQLError
except ImportError:
    HAS_PYMYSQL = False
    Connection = object

MAX_BYTES = 16 * 1024 * 1024
# A packet is a row or the description of a column.
MAX_PACKETS = 100_000
# Plugins to which the password itself is sent.
_CLEAR = (b"mysql_clear_password", b"dialog")


class BoundedConnection(Connection):
    """Call begin() before each question. The overridden methods are the places where the library reads and writes."""

    require_tls = False

    def begin(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._bytes_left = MAX_BYTES
        self._packets_left = MAX_PACKETS

    def drop(self) -> None:
        """Close the connection without a word to the server."""
        self._force_close()

    def certificate(self) -> str:
        """Return what the server has shown at the begin of TLS, in DER as hexadecimal."""
        return str(self._sock.getpeercert(binary_form=True).hex())

    def _time_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise no_answer(self._seconds)
        return left

    def _read_packet(self, *args: t.Any) -> t.Any:
        self._packets_left -= 1
        if self._packets_left < 0:
            raise broken(f"it has more than {MAX_PACKETS} rows")
        return super()._read_packet(*args)

    def _read_bytes(self, num_bytes: int) -> bytes:
        self._bytes_left -= num_bytes
        if self._bytes_left < 0:
            raise broken(f"it is longer than {MAX_BYTES} bytes")
        data = bytearray()
        while len(data) < num_bytes:
            self._sock.settimeout(self._time_left())
            try:
                part = self._rfile.read1(num_bytes - len(data))
            except socket.timeout:
                raise no_answer(self._seconds) from None
            except OSError as error:
                raise lost(error.strerror or error) from None
            if not part:
                raise lost()
            data += part
        return bytes(data)

    def _write_bytes(self, data: bytes) -> None:
        self._sock.settimeout(self._time_left())
        try:
            self._sock.sendall(data)
        except socket.timeout:
            raise no_answer(self._seconds) from None
        except OSError as error:
            raise lost(error.strerror or error) from None

    def _request_authentication(self) -> None:
        if self.require_tls and not self.server_capabilities & CLIENT.SSL:
            # The library would go on without it.
            raise MysqlError("tls", "TLS is required, but the server does not support it", TLS_FAILED)
        super()._request_authentication()

    def _process_auth(self, plugin_name: bytes, auth_packet: t.Any) -> t.Any:
        if plugin_name in _CLEAR and not self._secure:
            name = plugin_name.decode("ascii")
            raise MysqlError(
                "auth", f"the server wants the password itself ({name}), over a connection without TLS", NEEDS_TLS
            )
        return super()._process_auth(plugin_name, auth_packet)
