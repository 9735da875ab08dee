# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Password hashes as MySQL and MariaDB store them, so that a clear text never reaches a statement or a server log."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SALT_LENGTH = 20  # of caching_sha2_password; crypt(3) would cut at 16
DEFAULT_ROUNDS = 5000

# "$A$" + rounds in thousands, three hexadecimal digits + "$" + 20 bytes of salt + 43 characters of digest
_CACHING_SHA2 = re.compile(rb"\$A\$([0-9A-Fa-f]{3})\$(.{20})([./0-9A-Za-z]{43})", re.DOTALL)

# Order in which SHA-crypt writes the bytes of the digest, three at a time.
_ORDER = (
    (0, 10, 20),
    (21, 1, 11),
    (12, 22, 2),
    (3, 13, 23),
    (24, 4, 14),
    (15, 25, 5),
    (6, 16, 26),
    (27, 7, 17),
    (18, 28, 8),
    (9, 19, 29),
)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _repeat(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _base64(value: int, count: int) -> str:
    return "".join(ALPHABET[value >> 6 * place & 63] for place in range(count))


def sha256_crypt(password: bytes, salt: bytes, rounds: int = DEFAULT_ROUNDS) -> str:
    """Return the 43 characters of the SHA-256 crypt digest (Ulrich Drepper's SHA-crypt); the salt is used whole."""
    alternate = _sha256(password + salt + password)
    mixed = password + salt + _repeat(alternate, len(password))
    length = len(password)
    while length:
        mixed += alternate if length & 1 else password
        length >>= 1
    digest = _sha256(mixed)
    p_bytes = _repeat(_sha256(password * len(password)), len(password))
    s_bytes = _repeat(_sha256(salt * (16 + digest[0])), len(salt))
    for number in range(rounds):
        odd = number & 1
        data = p_bytes if odd else digest
        if number % 3:
            data += s_bytes
        if number % 7:
            data += p_bytes
        data += digest if odd else p_bytes
        digest = _sha256(data)
    text = "".join(_base64(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _ORDER)
    return text + _base64(digest[31] << 8 | digest[30], 3)


def native_password(password: str) -> bytes:
    """Return what mysql_native_password stores."""
    # The server fixes the algorithm; nothing here relies on SHA-1 being strong.
    inner = hashlib.sha1(password.encode("utf-8"), usedforsecurity=False).digest()
    return b"*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper().encode("ascii")


def new_salt() -> bytes:
    return "".join(secrets.choice(ALPHABET) for _place in range(SALT_LENGTH)).encode("ascii")


def caching_sha2(password: str, salt: bytes, rounds: int = DEFAULT_ROUNDS) -> bytes:
    """Return what caching_sha2_password stores."""
    if len(salt) != SALT_LENGTH:
        raise ValueError(f"the salt has {len(salt)} bytes, caching_sha2_password needs {SALT_LENGTH}")
    if rounds % 1000 or not 5000 <= rounds <= 4095000:
        raise ValueError(f"{rounds} rounds: expected a multiple of 1000 from 5000 to 4095000")
    digest = sha256_crypt(password.encode("utf-8"), salt, rounds)
    return b"$A$%03X$" % (rounds // 1000) + salt + digest.encode("ascii")


def password_hash(plugin: str, password: str, stored: bytes = b"") -> bytes:
    """Return the hash to store; it equals stored when that one already belongs to the password."""
    if plugin == "mysql_native_password":
        return native_password(password)
    if plugin != "caching_sha2_password":
        raise ValueError(f"no hash is known for the authentication plugin {plugin}")
    found = _CACHING_SHA2.fullmatch(stored)
    if found:
        rounds = int(found.group(1), 16) * 1000
        if rounds >= DEFAULT_ROUNDS:
            candidate = caching_sha2(password, found.group(2), rounds)
            if hmac.compare_digest(candidate, stored):
                return candidate
    return caching_sha2(password, new_salt())
