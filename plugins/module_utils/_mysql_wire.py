# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speak the protocol of MySQL and MariaDB over a unix socket: no client program, no library, answers bounded in size and time.

Only what a login on the server's own host needs: passwords of the usual plugins, and the operating system's user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    SESSION,
    MysqlError,
    MysqlLogin,
    Row,
    Rows,
)

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_asker import Asker

# Where distributions put it.
SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")
MAX_ANSWER = 16 * 1024 * 1024
MAX_COLUMNS = 4096
# Long passwords, long flags, protocol 4.1, transactions, secure connection, authentication plugins.
CAPABILITIES = 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x80000
UTF8MB4 = 45

# login -> connected socket
Connector = Callable[[str, float], Any]


class UnsupportedLoginError(MysqlError):
    """The server asks for a way to log in that only its own client knows."""

    def __init__(self, what: str) -> None:
        super().__init__("auth", f"the server wants {what}, which only its own client knows: give client cli")


def connect(path: str, timeout: float) -> Any:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(timeout)
    try:
        link.connect(path)
    except OSError:
        link.close()
        raise
    return link


def _account() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise UnsupportedLoginError("a user, and this process has none") from None


def _broken(what: str) -> MysqlError:
    return MysqlError("other", f"the server's answer is not the protocol of MySQL: {what}")


class Packet:
    """Reads the parts of one packet; a part that is not there is one clear error."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        if size < 0 or len(part) != size:
            raise _broken("a packet is too short")
        self.at += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def line(self) -> bytes:
        """Return the bytes up to a NUL, or to the end."""
        end = self.data.find(b"\0", self.at)
        end = len(self.data) if end < 0 else end
        part = self.data[self.at : end]
        self.at = end + 1
        return part

    def rest(self) -> bytes:
        return self.data[self.at :]

    def length(self) -> int | None:
        """Return a length-encoded number, None for NULL."""
        first = self.number(1)
        if first < 0xFB:
            return first
        sizes = {0xFC: 2, 0xFD: 3, 0xFE: 8}
        if first == 0xFB:
            return None
        if first not in sizes:
            raise _broken("a length is none")
        return self.number(sizes[first])

    def text(self) -> str | None:
        size = self.length()
        return None if size is None else self.take(size).decode("utf-8", "replace")


class MysqlWire:
    """One login and one connection for all queries."""

    def __init__(self, login: MysqlLogin, connector: Connector = connect, timeout: float = 15.0) -> None:
        self.login = login
        self.connector = connector
        self.timeout = timeout
        self.path = login.unix_socket or SOCKETS[0]
        self._limit = timeout
        self._link: Any = None
        self._buffer = bytearray()
        self._sequence = 0
        self._deadline = 0.0
        self._received = 0

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(OSError):
                # Takes leave, so that the server logs no broken connection.
                link.sendall(b"\1\0\0\0\1")
            link.close()

    # --- Packets ----------------------------------------------------------------------------------------------------

    def _more(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        self._link.settimeout(left)
        data = self._link.recv(65536)
        if not data:
            raise MysqlError("unreachable", "the server closed the connection", 2013, "lost")
        self._received += len(data)
        if self._received > MAX_ANSWER:
            raise _broken(f"it is longer than {MAX_ANSWER} bytes")
        self._buffer += data

    def _receive(self) -> Packet:
        payload = b""
        while True:
            while len(self._buffer) < 4:
                self._more()
            size = int.from_bytes(self._buffer[:3], "little")
            while len(self._buffer) < 4 + size:
                self._more()
            self._sequence = (self._buffer[3] + 1) & 0xFF
            payload += bytes(self._buffer[4 : 4 + size])
            del self._buffer[: 4 + size]
            if size < 0xFFFFFF:
                return Packet(payload)

    def _send(self, payload: bytes) -> None:
        self._link.sendall(len(payload).to_bytes(3, "little") + bytes([self._sequence]) + payload)

    def _error(self, packet: Packet, statement: int | None = None) -> MysqlError:
        from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.errors import classify, clean_message

        packet.take(1)
        errno, message = packet.number(2), packet.rest().decode("utf-8", "replace")
        message = message[6:] if message.startswith("#") else message
        kind, detail = classify(errno, message)
        return MysqlError(kind, clean_message(message, [self.login.password]), errno, detail, statement)

    # --- Log-in -----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._limit = self.login.connect_timeout
        self._deadline = time.monotonic() + self._limit
        self._buffer.clear()
        self._received = self._sequence = 0
        self.path = self.login.unix_socket or next((path for path in SOCKETS if Path(path).exists()), SOCKETS[0])
        self._link = self.connector(self.path, self._limit)
        hello = self._receive()
        if hello.data[:1] == b"\xff":
            raise self._error(hello)
        if hello.number(1) != 10:
            raise _broken("it greets with another version")
        hello.line()
        hello.take(4)
        seed = hello.take(8)
        hello.take(1 + 2 + 1 + 2 + 2)
        size = hello.number(1)
        hello.take(10)
        seed += hello.take(max(13, size - 8))[:12]
        plugin = hello.line().decode("ascii", "replace")
        if plugin not in ("mysql_native_password", "caching_sha2_password"):
            plugin = "mysql_native_password"
        proof = self._proof(plugin, seed)
        user = (self.login.user or _account()).encode("utf-8")
        self._send(
            CAPABILITIES.to_bytes(4, "little")
            + MAX_ANSWER.to_bytes(4, "little")
            + bytes([UTF8MB4])
            + bytes(23)
            + user
            + b"\0"
            + bytes([len(proof)])
            + proof
            + plugin.encode("ascii")
            + b"\0"
        )
        self._authenticate(plugin)
        self._command(SESSION)

    def _proof(self, plugin: str, seed: bytes) -> bytes:
        """Return what proves the password; nothing where there is none."""
        if not self.login.password:
            return b""
        from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_proof import scramble

        return scramble(plugin, self.login.password, seed)

    def _authenticate(self, plugin: str) -> None:
        # A server asks for another plugin once, and for the password itself once.
        for _step in range(4):
            answer = self._receive()
            first = answer.data[:1]
            if first == b"\0":
                return
            if first == b"\xff":
                raise self._error(answer)
            if first == b"\xfe" and len(answer.data) > 1:
                answer.take(1)
                plugin = answer.line().decode("ascii", "replace")
                if plugin in ("auth_socket", "unix_socket"):
                    # The server knows who we are.
                    self._send(b"")
                elif plugin in ("mysql_native_password", "caching_sha2_password"):
                    self._send(self._proof(plugin, answer.rest()[:20]))
                else:
                    raise UnsupportedLoginError(f"the log-in plugin {plugin[:64]}")
            elif first == b"\1" and plugin == "caching_sha2_password":
                if answer.data[1:2] == b"\4":
                    # Nobody listens on a unix socket, so the server takes the password as it is.
                    self._send((self.login.password or "").encode("utf-8") + b"\0")
            else:
                raise UnsupportedLoginError("another kind of log-in")
        raise _broken("the log-in does not end")

    # --- Queries ----------------------------------------------------------------------------------------------------

    def _command(self, statement: str, index: int | None = None) -> Rows:
        self._sequence = 0
        self._send(b"\3" + statement.encode("utf-8", "surrogateescape"))
        head = self._receive()
        first = head.data[:1]
        if first == b"\0":
            return []
        if first == b"\xff":
            raise self._error(head, index)
        if first == b"\xfb":
            raise _broken("it asks for a file")
        count = head.length()
        if not count or count > MAX_COLUMNS:
            raise _broken("it has no columns, or too many")
        names = [self._column() for _column in range(count)]
        self._receive()
        rows: Rows = []
        while True:
            packet = self._receive()
            first = packet.data[:1]
            if first == b"\xfe" and len(packet.data) < 9:
                return rows
            if first == b"\xff":
                raise self._error(packet, index)
            row: Row = {name: packet.text() for name in names}
            rows.append(row)

    def _column(self) -> str:
        definition = self._receive()
        # Catalog, schema, table and the table's own name come before the name.
        return [definition.text() or "" for _part in range(5)][4]

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        """Run the statements; return the row lists up to the first error, and that error."""
        results: list[Rows] = []
        try:
            if self._link is None:
                self._open()
            self._limit = self.timeout
            self._deadline = time.monotonic() + self._limit
            self._received = 0
            for index, statement in enumerate(statements):
                results.append(self._command(statement.strip().rstrip(";"), index))
        except MysqlError as error:
            if error.kind in ("unreachable", "auth", "tls") or error.errno is None:
                self._drop()
            return results, error
        except OSError as error:
            self._drop()
            return results, self._lost(error)
        return results, None

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _lost(self, error: OSError) -> MysqlError:
        if isinstance(error, socket.timeout):
            return MysqlError("unreachable", f"no answer within {self._limit:g} seconds", None, "timeout")
        details = {2: "no_socket", 13: "permission", 111: "refused", 11: "timeout"}
        message = f"the server's socket {self.path} cannot be used: {error.strerror or error}"
        return MysqlError("unreachable", message, 2002, details.get(error.errno or 0, "lost"))


def fits(login: MysqlLogin) -> bool:
    """Whether everything about a login is known here, without the server's own client and its option files."""
    if login.host or login.config_file or login.tls == "required":
        return False
    if not login.user and login.password is None and Path("~/.my.cnf").expanduser().exists():
        return False
    return any(Path(path).is_socket() for path in ([login.unix_socket] if login.unix_socket else SOCKETS))


class MysqlAuto:
    """Asks over the socket, and through the server's own client where that alone knows how to log in."""

    def __init__(self, wire: MysqlWire, spare: Callable[[], Asker]) -> None:
        self.asker: Asker = wire
        self.spare = spare
        self._wire: MysqlWire | None = wire

    @property
    def timeout(self) -> float:
        return self.asker.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self.asker.timeout = seconds

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        wire, self._wire = self._wire, None
        if wire is not None:
            results, error = wire.try_query(statements)
            # The client's option files may know a user or a password.
            anonymous = not wire.login.user and wire.login.password is None
            refused = error is not None and error.kind == "auth"
            if not (refused and (anonymous or isinstance(error, UnsupportedLoginError))):
                return results, error
            self.asker = self.spare()
        return self.asker.try_query(statements)

    def close(self) -> None:
        self.asker.close()
