# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask PHP-FPM for a page without a web server. Private to the collection: may change at any time."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# The protocol's numbers: https://fastcgi-archives.github.io/FastCGI_Specification.html
VERSION, REQUEST, RESPONDER = 1, 1, 1
BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
HEADER = struct.Struct("!BBHHBx")
LARGEST_PART = 65535
MAX_ANSWER = 1024 * 1024


class FastCgiError(Exception):
    """No answer; the text is for the operator."""


@dataclass(frozen=True)
class Page:
    """A complete answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def record(kind: int, content: bytes = b"") -> bytes:
    return HEADER.pack(VERSION, kind, REQUEST, len(content), 0) + content


def length(size: int) -> bytes:
    return bytes([size]) if size < 128 else struct.pack("!I", size | 0x80000000)


def stream(kind: int, content: bytes) -> Iterator[bytes]:
    """A stream in parts, and its end."""
    for at in range(0, len(content), LARGEST_PART):
        yield record(kind, content[at : at + LARGEST_PART])
    yield record(kind)


def request(params: Mapping[str, str]) -> bytes:
    """A request without a body."""
    pairs = [(name.encode(), value.encode()) for name, value in params.items()]
    packed = b"".join(length(len(name)) + length(len(value)) + name + value for name, value in pairs)
    begin = record(BEGIN, struct.pack("!HBxxxxx", RESPONDER, 0))
    return b"".join([begin, *stream(PARAMS, packed), *stream(STDIN, b"")])


def parse(text: bytes) -> Page:
    """Read what a program writes: headers, an empty line, the page."""
    head, separator, body = text.partition(b"\r\n\r\n")
    if not separator:
        raise FastCgiError("PHP ended without an answer")
    lines = [line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n")]
    headers = {name.strip().lower(): value.strip() for name, _colon, value in lines}
    status = headers.get("status", "200").split(" ")[0]
    return Page(int(status) if status.isdigit() else 0, headers, body)


def ask(path: str, params: Mapping[str, str], timeout: float) -> Page:
    """Send a request to the socket of a pool, and wait for the whole answer."""
    deadline = time.monotonic() + timeout
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(request(params))
            return parse(b"".join(_answer(connection, deadline)))
    except socket.timeout as error:
        raise FastCgiError(f"PHP gives no answer within {timeout:g} s") from error
    except OSError as error:
        raise FastCgiError(f"PHP-FPM cannot be asked at {path}: {error.strerror or error}") from error


def _answer(connection: socket.socket, deadline: float) -> Iterator[bytes]:
    size = 0
    while True:
        _version, kind, _request, content_length, padding = HEADER.unpack(_take(connection, HEADER.size, deadline))
        content = _take(connection, content_length + padding, deadline)[:content_length]
        if kind == END:
            return
        if kind == STDOUT:
            size += len(content)
            if size > MAX_ANSWER:
                raise FastCgiError(f"the answer is larger than {MAX_ANSWER} bytes")
            yield content


def _take(connection: socket.socket, size: int, deadline: float) -> bytes:
    parts = b""
    while len(parts) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        connection.settimeout(left)
        part = connection.recv(size - len(parts))
        if not part:
            raise FastCgiError("PHP-FPM closed the connection before the answer was whole")
        parts += part
    return parts
