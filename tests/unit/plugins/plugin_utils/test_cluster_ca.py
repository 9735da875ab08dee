# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's authority signs what servers need, once, and what is wrong with it is one sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _cluster_ca
from ansible_collections.siteops.webcluster.plugins.plugin_utils._certificates import CertificateError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
CERTIFICATE, KEY = _cluster_ca.make_authority(NOW)
OTHER_CERTIFICATE, OTHER_KEY = _cluster_ca.make_authority(NOW)
AUTHORITY = _cluster_ca.read_authority(CERTIFICATE, KEY, NOW)
NAMES = ["centosredis1", "10.0.0.36", "localhost", "127.0.0.1"]
SERVER = _cluster_ca.issue(AUTHORITY, NAMES, NOW)


def test_a_server_gets_a_certificate_once() -> None:
    assert _cluster_ca.why_anew("", AUTHORITY, NAMES, NOW) == "it has none"
    assert _cluster_ca.why_anew(SERVER, AUTHORITY, NAMES, NOW) == ""
    assert _cluster_ca.why_anew(SERVER, AUTHORITY, [*reversed(NAMES)], NOW) == ""
    assert _cluster_ca.ends_of(SERVER) == NOW + timedelta(days=825)


def test_another_name_needs_another_certificate() -> None:
    assert _cluster_ca.why_anew(SERVER, AUTHORITY, [*NAMES, "10.0.0.99"], NOW) == "it is for other names"


def test_the_last_third_of_its_time_needs_another_certificate() -> None:
    assert _cluster_ca.why_anew(SERVER, AUTHORITY, NAMES, NOW + timedelta(days=549)) == ""
    assert _cluster_ca.why_anew(SERVER, AUTHORITY, NAMES, NOW + timedelta(days=551)) == "it ends on 2029-03-01"


def test_a_certificate_never_outlives_its_authority_and_is_not_made_again_for_that() -> None:
    late = NOW + timedelta(days=3600)
    last = _cluster_ca.issue(AUTHORITY, NAMES, late)
    assert _cluster_ca.ends_of(last) == NOW + timedelta(days=3650)
    assert _cluster_ca.why_anew(last, AUTHORITY, NAMES, late + timedelta(days=1)) == ""


def test_an_authority_of_ones_own_may_be_made_otherwise() -> None:
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ours")])
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)
    )
    private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    authority = _cluster_ca.read_authority(own.public_bytes(Encoding.PEM).decode(), private_key, NOW)
    assert _cluster_ca.why_anew(_cluster_ca.issue(authority, NAMES, NOW), authority, NAMES, NOW) == ""


def test_another_authority_needs_another_certificate() -> None:
    other = _cluster_ca.read_authority(OTHER_CERTIFICATE, OTHER_KEY, NOW)
    assert _cluster_ca.why_anew(SERVER, other, NAMES, NOW) == "another authority has signed it"
    # The former one stays trusted beside it, and does not sign.
    both = _cluster_ca.read_authority(OTHER_CERTIFICATE + CERTIFICATE, OTHER_KEY, NOW)
    assert _cluster_ca.why_anew(SERVER, both, NAMES, NOW) == "another authority has signed it"


@pytest.mark.parametrize(
    ("certificate", "private_key", "words"),
    [
        ("", KEY, "webcluster_ca_certificate holds no PEM certificate; expected"),
        (
            CERTIFICATE,
            "",
            "webcluster_ca_private_key holds no PEM private key without a passphrase; expected the key of",
        ),
        (CERTIFICATE, OTHER_KEY, "webcluster_ca_private_key is not the key of"),
        (
            SERVER,
            SERVER,
            "'CN=centosredis1' in webcluster_ca_certificate may not sign certificates; expected an authority",
        ),
    ],
)
def test_a_wrong_authority_is_one_sentence(certificate: str, private_key: str, words: str) -> None:
    with pytest.raises(CertificateError) as error:
        _cluster_ca.read_authority(certificate, private_key, NOW)
    assert words in str(error.value)


def test_an_authority_that_has_ended_is_one_sentence() -> None:
    with pytest.raises(CertificateError, match=r"is not valid since 2036-11-24 12:00 UTC: give its successor"):
        _cluster_ca.read_authority(CERTIFICATE, KEY, NOW + timedelta(days=3650))
