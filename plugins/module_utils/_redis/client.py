# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speak RESP2 with a Redis or Valkey server over TCP, TLS or a unix socket; replies are bounded in size and time."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Callable, Protocol, Union

# A list holds replies again; spelled without recursion for old type checkers.
Reply = Union[str, int, None, list[Any]]

MAX_BULK = 16 * 1024 * 1024
MAX_ITEMS = 100_000
MAX_DEPTH = 16
MAX_LINE = 64 * 1024


class RedisError(Exception):
    """What went wrong, classified.

    kind: unreachable, auth, tls, noperm, loading, protocol or other. detail: for unreachable the word that
    checks.reachable.value shows. code: first word of the server's error reply.
    """

    def __init__(self, kind: str, message: str, detail: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.detail = detail
        self.code = code


@dataclass(frozen=True)
class RedisLogin:
    host: str = "127.0.0.1"
    port: int = 6379
    unix_socket: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connect_timeout: float = 5
    tls: bool = False
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    tls_server_name: str | None = None


class Client(Protocol):
    """What those need who ask a server."""

    def command(self, *args: str) -> Reply: ...


class Session(Client, Protocol):
    """What those need who change a server; login is the one that it took."""

    login: RedisLogin

    def log_in_as(self, login: RedisLogin) -> None: ...

    def info(self, section: str) -> dict[str, str]:
        """Return the fields of one INFO section."""
        reply = self.command("INFO", section)
        if not isinstance(reply, str):
            raise RedisError("protocol", f"INFO {section} did not answer with a text")
        return parse_info(reply)


# login -> connected socket (or anything with sendall, recv, settimeout, close)
Connector = Callable[[RedisLogin], Any]

_CODES = {
    "NOAUTH": "auth",
    "WRONGPASS": "auth",
    "NOPERM": "noperm",
    "LOADING": "loading",
}


def server_error(text: str) -> RedisError:
    """Classify an error reply."""
    code = text.split(" ", 1)[0]
    kind = _CODES.get(code, "other")
    if kind == "other" and code == "ERR" and ("invalid password" in text or "AUTH" in text):
        kind = "auth"
    return RedisError(kind, text, code=code)


def connect(login: RedisLogin) -> Any:
    """Open the connection; raises OSError, which the errors of TLS are too."""
    if login.unix_socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(login.connect_timeout)
        try:
            link.connect(login.unix_socket)
        except OSError:
            link.close()
            raise
        return link
    plain = socket.create_connection((login.host, login.port), timeout=login.connect_timeout)
    if not login.tls:
        return plain
    import ssl

    try:
        context = ssl.create_default_context(cafile=login.ca_cert)
        if not login.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if login.client_cert:
            context.load_cert_chain(login.client_cert, login.client_key)
        return context.wrap_socket(plain, server_hostname=login.tls_server_name or login.host)
    except Exception:
        plain.close()
        raise


def shown_certificate(login: RedisLogin, port: int) -> str | None:
    """Return the certificate that the server of this host shows at a port, in DER as hexadecimal; None where it speaks no TLS there."""
    if not port:
        return None
    try:
        with connect(replace(login, port=port, unix_socket=None, tls=True, validate_certs=False)) as link:
            return str(link.getpeercert(binary_form=True).hex())
    except OSError:
        return None


def end_of_certificate(link: Any) -> str:
    """Return when the certificate ends that the server of a connection has shown, as OpenSSL writes it."""
    return str(link.getpeercert()["notAfter"])


def _reason(error: OSError, name: str) -> str:
    """Return the library's short reason; errors that were not raised by OpenSSL itself have none."""
    return str(getattr(error, name, None) or error)


def connection_error(error: OSError) -> RedisError:
    """Classify what the operating system or TLS says."""
    # Loaded only for a connection with TLS; without it no error can be one of its.
    tls = sys.modules.get("ssl")
    if tls and isinstance(error, tls.SSLCertVerificationError):
        return RedisError("tls", f"the server's certificate is not trusted: {_reason(error, 'verify_message')}")
    if isinstance(error, socket.timeout):
        return RedisError("unreachable", "no answer in time", "timeout")
    if tls and isinstance(error, tls.SSLError):
        return RedisError("tls", f"TLS failed: {_reason(error, 'reason')}")
    if isinstance(error, socket.gaierror):
        return RedisError("unreachable", f"the host name does not resolve: {error.strerror}", "unknown_host")
    details = {
        errno.ENOENT: "no_socket",
        errno.ECONNREFUSED: "refused",
        errno.ECONNRESET: "refused",
        errno.EPIPE: "refused",
        errno.ETIMEDOUT: "timeout",
        errno.EHOSTUNREACH: "no_route",
        errno.ENETUNREACH: "no_route",
        errno.EACCES: "permission",
    }
    return RedisError("unreachable", error.strerror or str(error), details.get(error.errno or 0, "failed"))


def encode(args: tuple[str | bytes, ...]) -> bytes:
    """Return a command as RESP array of bulk strings."""
    parts = [arg.encode("utf-8", "surrogateescape") if isinstance(arg, str) else arg for arg in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def parse_info(text: str) -> dict[str, str]:
    """Return the fields of an INFO reply."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, mark, value = line.partition(":")
        if mark and not line.startswith("#"):
            fields[name.strip()] = value.strip()
    return fields


class Reader:
    """Read RESP2 replies from anything with recv()."""

    def __init__(self, link: Any, timeout: float = 5) -> None:
        self.link = link
        self.timeout = timeout
        self.buffer = bytearray()
        self.deadline = time.monotonic() + timeout
        self.items = 0

    def _more(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        self.link.settimeout(left)
        data = self.link.recv(65536)
        if not data:
            raise RedisError("unreachable", "the server closed the connection", "closed")
        self.buffer += data

    def _line(self) -> bytes:
        while True:
            end = self.buffer.find(b"\r\n")
            if end >= 0:
                line = bytes(self.buffer[:end])
                del self.buffer[: end + 2]
                return line
            if len(self.buffer) > MAX_LINE:
                raise RedisError("protocol", "the server's reply is not RESP: a line without an end")
            self._more()

    @staticmethod
    def _number(text: bytes, low: int, high: int) -> int:
        digits = text[1:] if text[:1] in (b"-", b"+") else text
        if not digits.isdigit() or len(digits) > 19 or not low <= int(text) <= high:
            raise RedisError("protocol", f"the server's reply is not RESP: bad number {text[:20]!r}")
        return int(text)

    def read(self) -> Reply:
        """Return one reply; an error reply raises RedisError."""
        self.deadline = time.monotonic() + self.timeout
        self.items = 0
        return self._read(0)

    def _read(self, depth: int) -> Reply:
        line = self._line()
        mark, rest = line[:1], line[1:]
        if mark == b"+":
            return rest.decode("utf-8", "surrogateescape")
        if mark == b"-":
            error = server_error(rest.decode("utf-8", "replace"))
            if depth:
                return error.message
            raise error
        if mark == b":":
            return self._number(rest, -(2**63), 2**63 - 1)
        if mark == b"$":
            size = self._number(rest, -1, MAX_BULK)
            if size < 0:
                return None
            while len(self.buffer) < size + 2:
                self._more()
            if self.buffer[size : size + 2] != b"\r\n":
                raise RedisError("protocol", "the server's reply is not RESP: a string without an end")
            text = self.buffer[:size].decode("utf-8", "surrogateescape")
            del self.buffer[: size + 2]
            return text
        if mark == b"*":
            count = self._number(rest, -1, MAX_ITEMS)
            if count < 0:
                return None
            self.items += count
            if depth >= MAX_DEPTH or self.items > MAX_ITEMS:
                raise RedisError("protocol", "the server's reply is nested too deep or too long")
            return [self._read(depth + 1) for _index in range(count)]
        raise RedisError("protocol", f"the server's reply is not RESP: it begins with {line[:20]!r}")


class RedisClient(Session):
    """One connection, opened at the first command. Use it as a context manager or call close().

    others: logins for a server that does not know the given one yet; one without a password for a server that knows no users.
    """

    def __init__(
        self,
        login: RedisLogin,
        connector: Connector | None = None,
        timeout: float = 10.0,
        others: Sequence[RedisLogin] = (),
    ) -> None:
        self.login = login
        self.others = others
        self.connector: Connector = connector or connect
        self.timeout = timeout
        # When the certificate ends that the server has shown, as OpenSSL writes it; only where it was checked.
        self.certificate_ends: str | None = None
        self._link: Any = None
        self._reader: Reader | None = None

    def __enter__(self) -> RedisClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        link, self._link, self._reader = self._link, None, None
        if link is not None:
            with contextlib.suppress(OSError):
                link.close()

    def log_in_as(self, login: RedisLogin) -> None:
        """Go on under another login."""
        self.close()
        self.login, self.others = login, ()

    def _open(self) -> tuple[Any, Reader]:
        if self._link is not None and self._reader is not None:
            return self._link, self._reader
        try:
            return self._log_in(self.login)
        except RedisError as refusal:
            found = self._log_in_otherwise() if refusal.kind == "auth" else None
            if found is None:
                raise
            return found

    def _log_in(self, login: RedisLogin) -> tuple[Any, Reader]:
        self._link = link = self.connector(login)
        self.certificate_ends = end_of_certificate(link) if login.tls and login.validate_certs else None
        self._reader = reader = Reader(link, self.timeout)
        if login.password is not None:
            user = (login.username,) if login.username else ()
            link.sendall(encode(("AUTH", *user, login.password)))
            reader.read()
        return link, reader

    def _log_in_otherwise(self) -> tuple[Any, Reader] | None:
        """Go on under the first of the other logins that the server takes."""
        for login in self.others:
            self.close()
            try:
                link, reader = self._log_in(login)
                if login.password is None:
                    # Only a command tells whether the server wants a name.
                    link.sendall(encode(("PING",)))
                    reader.read()
            except RedisError:
                continue
            self.login, self.others = login, ()
            return link, reader
        return None

    def command(self, *args: str | bytes) -> Reply:
        """Send one command and return its reply; an error reply raises RedisError and keeps the connection."""
        try:
            link, reader = self._open()
            link.settimeout(self.timeout)
            link.sendall(encode(args))
            return reader.read()
        except RedisError as error:
            if error.kind in ("unreachable", "protocol", "auth"):
                self.close()
            if self.login.password and self.login.password in error.message:
                text = error.message.replace(self.login.password, "********")
                raise RedisError(error.kind, text, error.detail, error.code) from None
            raise
        except (OSError, ValueError) as error:
            self.close()
            if isinstance(error, OSError):
                raise connection_error(error) from None
            raise RedisError("other", f"the connection cannot be opened: {error}") from None
