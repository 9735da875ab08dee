# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Whether certificates can be served: each with its chain and its key, before a server is touched."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from operator import attrgetter

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None


class CertificateError(ValueError):
    """A certificate that cannot be served; the text is for the operator."""


class NameOfCertificate(t.TypedDict):
    """A host name, and what a client that asks for it must be shown."""

    name: str
    # SHA-256 in hexadecimal; two where there is a certificate of each kind of key, none where any will do that browsers trust.
    fingerprints: list[str]
    # Those that are trusted beside the system's, in PEM.
    authorities: str
    # The first moment, in ISO 8601, at which a client may refuse one of them; empty where only who shows it knows.
    ends: str


def public_bytes(key: t.Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def read_chain(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise CertificateError(
            "certificate holds no PEM certificate; expected the server's own, and after it those that signed it:"
            " give the text of the file, for example with lookup('ansible.builtin.file', ...)."
        ) from None


def read_key(text: str) -> t.Any:
    try:
        return load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise CertificateError(
            "private_key has a passphrase, which HAProxy cannot be asked for: remove it, and keep the key in a vault."
        ) from None
    except ValueError:
        raise CertificateError(
            "private_key holds no PEM private key; expected the one that the certificate was made for: give its text."
        ) from None


def names_of(certificate: x509.Certificate) -> list[str]:
    """The host names and addresses that clients accept it for, as they stand in a Host header."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [
        f"[{address}]" if address.version == 6 else str(address)
        for address in found.get_values_for_type(x509.IPAddress)
    ]
    return [*(name.lower() for name in found.get_values_for_type(x509.DNSName)), *addresses]


def check_chain(chain: Sequence[x509.Certificate]) -> None:
    """Each certificate is signed by the next one, as clients that know the last one's signer want it."""
    for signed, signer in pairwise(chain):
        if signed.issuer != signer.subject:
            raise CertificateError(
                f"certificate holds {signer.subject.rfc4514_string()!r} after {signed.subject.rfc4514_string()!r}, but"
                f" {signed.issuer.rfc4514_string()!r} has signed that: order them, the server's own first."
            )


def check(certificate: Mapping[str, str], now: datetime) -> None:
    """Raise what is wrong with one certificate."""
    chain = read_chain(certificate["certificate"])
    key = read_key(certificate["private_key"])
    if public_bytes(key.public_key()) != public_bytes(chain[0].public_key()):
        raise CertificateError(
            f"private_key is not the key of {chain[0].subject.rfc4514_string()!r}: give the one that it was made for, and the"
            " server's own certificate first."
        )
    if not names_of(chain[0]):
        raise CertificateError(
            f"{chain[0].subject.rfc4514_string()!r} is for no host name (subjectAltName), so every client refuses it: have it made"
            " with the names of the site."
        )
    check_chain(chain)
    for one in chain:
        if now >= one.not_valid_after_utc:
            raise CertificateError(
                f"{one.subject.rfc4514_string()!r} is not valid since {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: give its"
                " successor."
            )


def names(certificates: Sequence[Mapping[str, str]]) -> list[str]:
    """Every name that a certificate is for, each once."""
    return list(dict.fromkeys(name for one in certificates for name in names_of(read_chain(one["certificate"])[0])))


def shown(certificates: Sequence[Mapping[str, str]]) -> list[NameOfCertificate]:
    """What clients are shown for each host name; `www` stands for every name below a wildcard. Empty where none can be read."""
    found: dict[str, list[list[x509.Certificate]]] = {}
    try:
        for one in certificates:
            chain = read_chain(one["certificate"])
            for name in names_of(chain[0]):
                # A client tells the name it asks for, but no address.
                if not name.startswith("[") and not name.replace(".", "").isdigit():
                    found.setdefault(name, []).append(chain)
    except CertificateError:
        return []
    return [
        {
            "name": name.replace("*", "www"),
            "fingerprints": [chain[0].fingerprint(SHA256()).hex() for chain in chains],
            "authorities": "",
            "ends": min(map(attrgetter("not_valid_after_utc"), (one for chain in chains for one in chain))).isoformat(),
        }
        for name, chains in found.items()
    ]


def trusted_name(name: str, authorities: str) -> NameOfCertificate:
    """A host name whose certificate its load balancer gets by itself."""
    return {"name": name, "fingerprints": [], "authorities": authorities, "ends": ""}


def problems(option: str, certificates: Sequence[Mapping[str, str]], now: datetime) -> Iterator[str]:
    """One sentence for each certificate that cannot be served."""
    for number, certificate in enumerate(certificates, 1):
        try:
            check(certificate, now)
        except CertificateError as problem:
            yield f"{option}, number {number}: {problem}"
