# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a MySQL server that says what a test wants, on a unix socket or a loopback port."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path

SEED = bytes(range(1, 21))
OK = b"\0\0\0\2\0\0\0"
EOF = b"\xfe\0\0\2\0"
# Protocol 4.1 with plugins, transactions and secure connections; TLS is the bit that hello() adds.
CAPABILITIES = 0x81FFF7FE
TLS = 0x800


def text(value: str | None) -> bytes:
    """Return a length-encoded string."""
    if value is None:
        return b"\xfb"
    data = value.encode()
    if len(data) < 251:
        return bytes([len(data)]) + data
    if len(data) < 1 << 16:
        return b"\xfc" + len(data).to_bytes(2, "little") + data
    return b"\xfd" + len(data).to_bytes(3, "little") + data


def hello(plugin: str = "mysql_native_password", tls: bool = False) -> bytes:
    flags = (CAPABILITIES | TLS if tls else CAPABILITIES & ~TLS).to_bytes(4, "little")
    return (
        b"\x0a11.8.3-MariaDB\0"
        + bytes(4)
        + SEED[:8]
        + b"\0"
        + flags[:2]
        + b"\x2d\2\0"
        + flags[2:]
        + bytes([21])
        + bytes(10)
        + SEED[8:]
        + b"\0"
        + plugin.encode()
        + b"\0"
    )


def refusal(errno: int, message: str) -> bytes:
    return b"\xff" + errno.to_bytes(2, "little") + b"#28000" + message.encode()


def table(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> list[bytes]:
    """Return the packets of a result whose columns are utf8mb4 texts."""
    columns = [
        b"".join(map(text, ("def", "s", "t", "t", name, name))) + b"\x0c\x2d\0" + bytes(4) + b"\xfd" + bytes(5)
        for name in names
    ]
    return [bytes([len(names)]), *columns, EOF, *(b"".join(text(value) for value in row) for row in rows), EOF]


class LoopbackMysql:
    """Says its turns, one after each packet that it gets, and remembers what it got; then it hangs up, or hangs.

    A turn is one packet or several. pause: seconds before each byte of the last turn. raw: bytes after it.
    """

    def __init__(
        self,
        *turns: bytes | Sequence[bytes],
        folder: Path | None = None,
        certificate: Path | None = None,
        raw: bytes = b"",
        pause: float = 0,
        hang: bool = False,
    ) -> None:
        self.turns = [[turn] if isinstance(turn, bytes) else list(turn) for turn in turns]
        self.raw, self.pause, self.hang, self.certificate = raw, pause, hang, certificate
        self.got: list[bytes] = []
        self.connections = 0
        self.encrypted = False
        self._over = threading.Event()
        if folder:
            self.path = str(folder / "mysqld.sock")
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(self.path)
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = int(self._listener.getsockname()[1])
        self._listener.listen()
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _address = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            link.settimeout(10)
            sequence = 0
            for number, turn in enumerate(self.turns, 1):
                last = number == len(self.turns)
                for payload in turn:
                    sequence = self._say(link, payload, sequence, self.pause if last else 0)
                if last:
                    link.sendall(self.raw)
                    if not self.hang:
                        break
                packet, sequence = self._hear(link)
                if number == 1 and self.certificate and len(packet) == 32:
                    # Nothing but flags: the client wants to encrypt, and says its name again afterwards.
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(self.certificate)
                    link = context.wrap_socket(link, server_side=True)
                    self.encrypted = True
                    packet, sequence = self._hear(link)
                self.got.append(packet)
            if self.hang:
                self._over.wait(10)
        link.close()

    def _say(self, link: socket.socket, payload: bytes, sequence: int, pause: float) -> int:
        for at in range(0, len(payload) + 1, 0xFFFFFF):
            part = payload[at : at + 0xFFFFFF]
            data = len(part).to_bytes(3, "little") + bytes([sequence & 0xFF]) + part
            if pause:
                for byte in data:
                    time.sleep(pause)
                    link.sendall(bytes([byte]))
            else:
                link.sendall(data)
            sequence += 1
        return sequence

    def _hear(self, link: socket.socket) -> tuple[bytes, int]:
        head = self._exactly(link, 4)
        return self._exactly(link, int.from_bytes(head[:3], "little")), head[3] + 1

    @staticmethod
    def _exactly(link: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = link.recv(size - len(data))
            if not part:
                raise OSError("gone")
            data += part
        return data
