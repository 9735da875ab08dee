# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One copy's way from host to host: TLS in which each side takes the other's certificate of this one copy, and no other.

The certificates travel through Ansible, the keys never leave their hosts, so there is no secret that a log could show.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ansible_collections.siteops.webcluster.plugins.module_utils import _programs

# What OpenSSL calls X509_V_FLAG_NO_CHECK_TIME: the certificate is named itself, and clocks of hosts may differ.
NO_CHECK_TIME = 0x200000
HEAD = struct.Struct("!cI")
DATA, ALIVE, END = b"d", b"a", b"e"
CHUNK = 256 * 1024
# Seconds: for the other side to come, between two signs of life, and until a silent other side is given up.
PATIENCE, BEAT, SILENCE = 90.0, 5.0, 60.0


class SeedError(Exception):
    """Why a copy cannot be made, in one sentence."""


def make_identity(folder: Path) -> str:
    """Make a key and a certificate for one copy; return the certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "7", "-subj", "/CN=webcluster-seed", "-keyout", str(key), "-out", str(certificate)]
    key.unlink(missing_ok=True)
    try:
        done = _programs.run(command, umask=0o077)
    except OSError as error:
        raise SeedError(f"openssl cannot be run: {error.strerror}; install the package openssl") from None
    if done.returncode:
        raise SeedError(f"openssl made no certificate: {last_line(done.stderr)}")
    return certificate.read_text(encoding="ascii")


def last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason given")


def reason(error: Exception) -> str:
    """Return what went wrong; the operating system's errors name a file where there is one."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def context(folder: Path, other: str, server: bool) -> ssl.SSLContext:
    """Return the TLS context that knows nobody but the other side."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    found.minimum_version = ssl.TLSVersion.TLSv1_3
    if server:
        # Whoever sends never reads, and what lies unread when it leaves would cut off what it sent last.
        found.num_tickets = 0
    found.check_hostname = False
    found.verify_mode = ssl.CERT_REQUIRED
    found.verify_flags |= NO_CHECK_TIME
    found.load_verify_locations(cadata=other)
    found.load_cert_chain(str(folder / "certificate.pem"), str(folder / "key.pem"))
    return found


def listen(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except OSError as error:
        raise SeedError(f"port {port} of {address} cannot be listened at for the copy: {error.strerror}") from None


def accept(listener: socket.socket, tls: ssl.SSLContext, patience: float = PATIENCE) -> ssl.SSLSocket:
    """Wait for the other side; whoever else comes is turned away."""
    deadline = time.monotonic() + patience
    address, port = listener.getsockname()[:2]
    while True:
        listener.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            plain, _peer = listener.accept()
        except socket.timeout:
            raise SeedError(
                f"the primary did not connect to port {port} of {address} within {patience:g} seconds; let it reach that port"
            ) from None
        plain.settimeout(10)
        try:
            connection = tls.wrap_socket(plain, server_side=True)
        except OSError:  # ssl.SSLError is one of them
            plain.close()
            continue
        connection.settimeout(SILENCE)
        return connection


def connect(address: str, port: int, tls: ssl.SSLContext, patience: float = PATIENCE) -> ssl.SSLSocket:
    """Reach the other side, which may begin to listen a little later."""
    deadline = time.monotonic() + patience
    while True:
        try:
            plain = socket.create_connection((address, port), timeout=10)
            connection = tls.wrap_socket(plain)
            connection.settimeout(SILENCE)
            return connection
        except OSError as error:
            if time.monotonic() > deadline:
                raise SeedError(f"the replica cannot be reached at {address} port {port}: {error}") from None
        time.sleep(0.5)


def send(connection: socket.socket, kind: bytes, content: bytes = b"") -> None:
    connection.sendall(HEAD.pack(kind, len(content)) + content)


def send_end(connection: socket.socket, failure: str = "") -> None:
    """Say that this was all, or why it was not, and let the other side leave first."""
    send(connection, END, json.dumps({"failure": failure}).encode())
    with contextlib.suppress(OSError):
        connection.recv(1)


def send_output(connection: socket.socket, command: Sequence[str], said: IO[bytes]) -> None:
    """Send what a program writes, then whether it ended well; said: the file for what it says besides."""
    reading, writing = os.pipe()
    try:
        process = _programs.start(command, stdout=writing, stderr=said)
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(reading, selectors.EVENT_READ)
            while True:
                if not selector.select(BEAT):
                    send(connection, ALIVE)
                    continue
                chunk = os.read(reading, CHUNK)
                if not chunk:
                    break
                send(connection, DATA, chunk)
        code = process.wait()
    finally:
        # Where the other side is gone, the program must not go on holding locks.
        process.kill()
        process.wait()
        os.close(reading)
    if code < 0:
        raise SeedError(f"{os.path.basename(command[0])} was ended by signal {-code}")
    if code:
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
        raise SeedError(f"{os.path.basename(command[0])} ended with code {code}: {last_line(text)}")


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        try:
            part = connection.recv(size - len(found))
        except socket.timeout:
            raise SeedError(f"the primary was silent for {SILENCE:g} seconds") from None
        except OSError as error:
            raise SeedError(f"the connection to the primary was cut: {error}") from None
        if not part:
            raise SeedError("the connection to the primary was cut before the copy was complete")
        found += part
    return bytes(found)


def received(connection: socket.socket, alive: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """Yield what the other side sends; ends where it says that this was all, and raises where it was not."""
    while True:
        kind, size = HEAD.unpack(_exactly(connection, HEAD.size))
        content = _exactly(connection, size)
        if kind == DATA:
            yield content
        elif kind == ALIVE:
            alive()
        else:
            end: dict[str, Any] = json.loads(content)
            if end["failure"]:
                raise SeedError(f"the primary could not send all: {end['failure']}")
            return
