# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What an ACME authority needs to know, and whether it can give the certificates that are wanted."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _certificates
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import DOMAIN

try:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

# The least that authorities take.
KEY_BITS = 2048
# A certificate's name is that of files.
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
# Both stand in quotes in a file that a shell reads.
DIRECTORY = re.compile(r"https://[A-Za-z0-9._~:/?&=%@\[\]-]+\Z")
CONTACT = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+\Z")

Wanted = Mapping[str, t.Any]


def new_key() -> str:
    """A private key for an account, in PEM."""
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _encoded(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def thumbprint_of(exponent: int, modulus: int) -> str:
    """The SHA-256 thumbprint of a public key (RFC 7638)."""
    text = json.dumps({"e": _encoded(exponent), "kty": "RSA", "n": _encoded(modulus)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def thumbprint(account_key: str) -> str:
    """What tells an authority that a challenge is answered for this account."""
    key = _certificates.read_key(account_key)
    if not isinstance(key, RSAPrivateKey):
        raise _certificates.CertificateError(
            "it is no RSA key, which is the only kind that dehydrated knows on all supported systems: make one of 2048 bits."
        )
    numbers = key.public_key().public_numbers()
    return thumbprint_of(numbers.e, numbers.n)


def _key_problem(account_key: str) -> str:
    if not account_key:
        return (
            "haproxy_acme_account_key is empty, expected an RSA key in PEM, the same for all load balancers: take the one of"
            " lookup('siteops.webcluster.rsa_key', PATH), or set it from a vault."
        )
    try:
        thumbprint(account_key)
    except _certificates.CertificateError as problem:
        # The sentences of a certificate's key begin with the name of its option.
        return f"haproxy_acme_account_key: {str(problem).removeprefix('private_key ')}"
    return ""


def _authority_problem(authorities: str) -> str:
    try:
        if authorities:
            _certificates.read_chain(authorities)
    except _certificates.CertificateError:
        return (
            "haproxy_acme_authorities holds no PEM certificate; expected those of a private authority: give their text."
        )
    return ""


def _certificate_problems(certificates: Sequence[Wanted]) -> Iterator[str]:
    names = [one["name"] for one in certificates]
    for name in dict.fromkeys(names):
        if not NAME.match(name):
            yield f"haproxy_acme_certificates has the name {name!r}, expected letters, digits, '_' and '-': rename it."
        if names.count(name) > 1:
            yield f"haproxy_acme_certificates has {name} twice, expected a name for each certificate: rename one."
    for one in certificates:
        start = f"haproxy_acme_certificates: {one['name']}"
        if not one["domains"]:
            yield f"{start} has no domain, expected one at least: add it, or remove the certificate."
        for domain in one["domains"]:
            if domain.startswith("*"):
                yield (
                    f"{start} has the domain {domain}, for which HTTP-01 gives no certificate; expected host names: write them"
                    " out, or bring a certificate of your own."
                )
            elif not DOMAIN.match(domain):
                yield f"{start} has the domain {domain!r}, expected a host name in small letters: correct it."


def problems(
    certificates: Sequence[Wanted], account_key: str, directory: str, contact: str, authorities: str
) -> Iterator[str]:
    """One sentence for each thing for which no certificate could be got."""
    yield from _certificate_problems(certificates)
    if problem := _key_problem(account_key):
        yield problem
    if not DIRECTORY.match(directory):
        yield f"haproxy_acme_directory is {directory!r}, expected an address that begins with https://: correct it."
    if contact and not CONTACT.match(contact):
        yield f"haproxy_acme_contact is {contact!r}, expected an e-mail address, or nothing: correct it."
    if problem := _authority_problem(authorities):
        yield problem
