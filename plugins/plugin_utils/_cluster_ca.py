# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The cluster's own certificate authority, and the certificates of its servers; nothing here reads or writes a file."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from ansible_collections.siteops.webcluster.plugins.plugin_utils._certificates import (
    CertificateError,
    public_bytes,
    read_chain,
    read_key,
)

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

AUTHORITY_VALID = timedelta(days=3650)
VALID = timedelta(days=825)
# A run makes a new certificate in the last third, so that a cluster that is left alone for months does not stop.
RENEWED = VALID / 3
# Clocks differ.
EARLIER = timedelta(days=1)
SUCCESSOR = "give its successor, see 'A new authority' in docs/tls.md."


@dataclass(frozen=True)
class Authority:
    """Who signs. The first certificate of the text is its own; servers and clients trust every one."""

    text: str
    own: x509.Certificate
    key: t.Any


def missing_error() -> str:
    """Say that nothing can be signed, where that is so."""
    if not MISSING:
        return ""
    return f"The cluster's certificates need the Python package cryptography on the controller ({MISSING}): install it beside Ansible."


def _builder(subject: x509.Name, issuer: x509.Name, key: t.Any, now: datetime, ends: datetime) -> t.Any:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    # A common name has room for 64 characters; clients go by the alternative names.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _pem(key: t.Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def make_authority(now: datetime) -> tuple[str, str]:
    """Return the certificate and the private key of a new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A number in its name, so that nobody takes its successor's certificates for its own.
    name = _named(f"webcluster {x509.random_serial_number() % 16**8:08x}")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    own = (
        _builder(name, name, key, now, now + AUTHORITY_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, SHA256())
    )
    return own.public_bytes(Encoding.PEM).decode(), _pem(key)


def read_authority(certificate: str, private_key: str, now: datetime, of: str = "webcluster_ca") -> Authority:
    """Return the authority; raises CertificateError with what is wrong with it. of: how the two options begin that hold it."""
    try:
        own = read_chain(certificate)[0]
    except CertificateError:
        raise CertificateError(
            f"{of}_certificate holds no PEM certificate; expected the text of the authority that signs the servers'"
            " certificates: give it."
        ) from None
    name = own.subject.rfc4514_string()
    try:
        key = read_key(private_key)
    except CertificateError:
        raise CertificateError(
            f"{of}_private_key holds no PEM private key without a passphrase; expected the key of {name!r}: give its text."
        ) from None
    if public_bytes(key.public_key()) != public_bytes(own.public_key()):
        raise CertificateError(
            f"{of}_private_key is not the key of {name!r}, the first certificate of {of}_certificate: give the"
            " two that belong together."
        )
    if not _may_sign(own):
        raise CertificateError(
            f"{name!r} in {of}_certificate may not sign certificates; expected an authority: give one."
        )
    if now >= own.not_valid_after_utc:
        raise CertificateError(
            f"{name!r} in {of}_certificate is not valid since {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: {SUCCESSOR}"
        )
    return Authority(certificate, own, key)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _alternative(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _signer(own: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        found = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key: t.Any = own.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)


def issue(authority: Authority, names: Sequence[str], now: datetime) -> str:
    """Return a new private key and the certificate for these host names and addresses, as one text."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = (
        _builder(_named(names[0]), authority.own.subject, key, now, min(now + VALID, authority.own.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(_alternative(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(_signer(authority.own), critical=False)
        # These keys have a hash of their own.
        .sign(authority.key, None if isinstance(authority.key, (Ed25519PrivateKey, Ed448PrivateKey)) else SHA256())
    )
    return _pem(key) + own.public_bytes(Encoding.PEM).decode()


def why_anew(text: str, authority: Authority, names: Sequence[str], now: datetime) -> str:
    """Say why a server needs another certificate than this one; empty where it does not."""
    try:
        own = read_chain(text)[0]
        own.verify_directly_issued_by(authority.own)
        found = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except CertificateError:
        return "it has none"
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return "another authority has signed it"
    if set(found) != set(_alternative(names)):
        return "it is for other names"
    ends = own.not_valid_after_utc
    # One that ends with its authority cannot be longer.
    if ends - now < RENEWED and ends < authority.own.not_valid_after_utc:
        return f"it ends on {ends:%Y-%m-%d}"
    return ""


def ends_of(text: str) -> datetime:
    """The moment at which a certificate ends."""
    return read_chain(text)[0].not_valid_after_utc
