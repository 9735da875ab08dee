# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each certificate that cannot be served is named, with what is wrong with it."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.siteops.webcluster.plugins.filter import certificate_errors as errors
from ansible_collections.siteops.webcluster.plugins.filter.certificate_files import certificate_files
from ansible_collections.siteops.webcluster.plugins.filter.certificate_names import certificate_names
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _certificates
from ansible_collections.siteops.webcluster.tests.certificates import issue
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

AUTHORITY = issue("Authority")
BETWEEN = issue("Between", AUTHORITY)
SITE = issue("www.example.org", BETWEEN)
OTHER = issue("shop.example.org", AUTHORITY)
LOCKED = SITE.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")).decode()
NAMELESS = issue("www.example.org", names=[])
OVER = issue("www.example.org", ends=timedelta(days=-1))


def test_chains_and_certificates_without_one_are_served() -> None:
    good = [SITE.variables(), OTHER.variables(), issue("alone.example.org").variables()]
    assert errors.certificate_errors(good, "certificates") == []
    assert errors.certificate_errors([], "certificates") == []


@pytest.mark.parametrize(
    ("certificate", "private_key", "words"),
    [
        ("no text", SITE.private_key, "number 2: certificate holds no PEM certificate; expected the server's own"),
        (SITE.certificate, "no text", "number 2: private_key holds no PEM private key; expected the one that"),
        (SITE.certificate, LOCKED, "number 2: private_key has a passphrase, which HAProxy cannot be asked for"),
        (SITE.certificate, OTHER.private_key, "private_key is not the key of 'CN=www.example.org': give the one"),
        (
            SITE.certificate.replace(BETWEEN.certificate, AUTHORITY.certificate),
            SITE.private_key,
            "holds 'CN=Authority' after 'CN=www.example.org', but 'CN=Between' has signed that: order them",
        ),
        (NAMELESS.certificate, NAMELESS.private_key, "'CN=www.example.org' is for no host name (subjectAltName)"),
        (OVER.certificate, OVER.private_key, "'CN=www.example.org' is not valid since 20"),
    ],
)
def test_what_is_wrong_is_named(certificate: str, private_key: str, words: str) -> None:
    [said] = errors.certificate_errors(
        [OTHER.variables(), {"certificate": certificate, "private_key": private_key}], "haproxy_https_certificates"
    )
    assert said.startswith("haproxy_https_certificates, number 2: ")
    assert words in said
    assert "PRIVATE" not in said


def test_a_controller_without_the_package_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_certificates, "MISSING", ImportError("No module named 'cryptography'"))
    with pytest.raises(AnsibleFilterError, match="needs the Python package cryptography on the controller"):
        errors.certificate_errors([SITE.variables()], "haproxy_https_certificates")
    assert errors.certificate_errors([], "haproxy_https_certificates") == []


def test_the_names_of_all_certificates_are_told_once() -> None:
    names = [
        x509.DNSName("WWW.example.org"),
        x509.DNSName("*.example.org"),
        x509.IPAddress(ip_address("10.0.0.52")),
        x509.IPAddress(ip_address("fd00::52")),
    ]
    several = issue("several", names=names)
    assert certificate_names([several.variables(), SITE.variables()]) == [
        "www.example.org",
        "*.example.org",
        "10.0.0.52",
        "[fd00::52]",
    ]


def test_a_new_certificate_has_a_file_of_its_own() -> None:
    files = certificate_files([SITE.variables(), OTHER.variables()])
    assert len(files) == 2
    assert all(name.endswith(".pem") and text.count("BEGIN PRIVATE KEY") == 1 for name, text in files.items())
    assert files.keys().isdisjoint(certificate_files([issue("www.example.org", BETWEEN).variables()]))
    # An editor's blank lines are no other certificate.
    spaced = {"certificate": SITE.certificate + "\n", "private_key": "\n" + SITE.private_key}
    assert certificate_files([spaced]) == certificate_files([SITE.variables()])


def test_p7_each_name_has_the_fingerprints_of_its_certificates_and_the_first_end_of_a_chain() -> None:
    short = issue("Short", AUTHORITY, ends=timedelta(hours=1))
    names = [x509.DNSName("*.shop.example"), x509.IPAddress(ip_address("10.0.0.52")), x509.IPAddress(ip_address("::1"))]
    both = [
        issue("a", short, ends=timedelta(days=5), names=names),
        issue("b", names=[x509.DNSName("*.shop.example"), x509.DNSName("b.example")]),
    ]
    found = _certificates.shown([one.variables() for one in both])
    prints = [one.own.fingerprint(SHA256()).hex() for one in both]
    assert [(one["name"], one["fingerprints"]) for one in found] == [
        ("www.shop.example", prints),
        ("b.example", prints[1:]),
    ]
    assert found[0]["ends"] == short.own.not_valid_after_utc.isoformat()


def test_what_cannot_be_read_is_left_to_the_check_that_says_so() -> None:
    assert _certificates.shown([SITE.variables(), {"certificate": "text", "private_key": "text"}]) == []
