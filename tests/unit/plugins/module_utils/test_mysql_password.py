# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes against published vectors and against what real servers stored."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.password import (
    caching_sha2,
    native_password,
    new_salt,
    password_hash,
    sha256_crypt,
)

# The published vectors of SHA-crypt (Ulrich Drepper); salts longer than 16 characters are cut there as crypt(3) does.
VECTORS = [
    ("saltstring", 5000, "Hello world!", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    ("saltstringsaltst", 10000, "Hello world!", "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
    ("toolongsaltstrin", 5000, "This is just a test", "Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5"),
    (
        "anotherlongsalts",
        1400,
        "a very much longer text to encrypt.  This one even stretches over morethan one line.",
        "Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
    ),
    (
        "short",
        77777,
        "we have a short salt string but not a short password",
        "JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
    ),
    ("asaltof16chars..", 123456, "a short string", "gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD"),
    ("roundstoolow", 1000, "the minimum number is still observed", "yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC"),
]


@pytest.mark.parametrize(("salt", "rounds", "password", "digest"), VECTORS)
def test_sha256_crypt_agrees_with_the_published_vectors(salt: str, rounds: int, password: str, digest: str) -> None:
    assert sha256_crypt(password.encode(), salt.encode(), rounds) == digest


def test_native_password_is_what_the_server_computes() -> None:
    # SELECT PASSWORD('secret')
    assert native_password("secret") == b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"


def test_caching_sha2_has_the_stored_form() -> None:
    stored = caching_sha2("secret", b"01234567890123456789")
    assert stored.startswith(b"$A$005$01234567890123456789")
    assert len(stored) == 70


@pytest.mark.parametrize(("salt", "rounds"), [(b"short", 5000), (b"0" * 20, 4999), (b"0" * 20, 1000)])
def test_caching_sha2_refuses_what_the_server_would_not_accept(salt: bytes, rounds: int) -> None:
    with pytest.raises(ValueError, match=r"expected|needs"):
        caching_sha2("secret", salt, rounds)


def test_new_salts_differ_and_are_plain_characters() -> None:
    assert new_salt() != new_salt()
    assert len(new_salt()) == 20
    assert new_salt().isascii()


@pytest.mark.parametrize("rounds", [5000, 7000])
def test_the_same_password_keeps_the_stored_hash(rounds: int) -> None:
    stored = caching_sha2("secret", b"\x01\n$'\xffabcdefghijklmno", rounds)
    assert password_hash("caching_sha2_password", "secret", stored) == stored


@pytest.mark.parametrize("stored", [b"", b"garbage", caching_sha2("other", b"a" * 20), b"$A$001$" + b"a" * 63])
def test_another_password_gets_a_new_salt(stored: bytes) -> None:
    new = password_hash("caching_sha2_password", "secret", stored)
    assert new != stored
    assert new[7:27] != stored[7:27]
    assert password_hash("caching_sha2_password", "secret", new) == new


def test_an_unknown_plugin_is_refused() -> None:
    with pytest.raises(ValueError, match="parsec"):
        password_hash("parsec", "secret")
