# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and the certificate alone as others verify it."""

    key: Any
    own: x509.Certificate
    certificate: str
    private_key: str

    def variables(self) -> dict[str, str]:
        return {"certificate": self.certificate, "private_key": self.private_key}


def issue(
    name: str,
    signer: Issued | None = None,
    ends: timedelta = timedelta(days=1),
    names: Sequence[x509.GeneralName] | None = None,
) -> Issued:
    """A certificate for a name, or for several, signed by itself or by another one, whose chain it carries on."""
    wanted = [x509.DNSName(name)] if names is None else names
    extensions: list[x509.ExtensionType] = [x509.BasicConstraints(ca=True, path_length=None)]
    extensions += [x509.SubjectAlternativeName(wanted)] if wanted else []
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.own.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + ends)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    own = builder.sign(signer.key if signer else key, hashes.SHA256())
    text = own.public_bytes(Encoding.PEM).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Issued(key, own, text + (signer.certificate if signer else ""), private)
