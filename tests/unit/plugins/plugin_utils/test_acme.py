# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import stat
import threading
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError, AnsibleLookupError
from ansible_collections.siteops.webcluster.plugins.filter import acme_errors as errors
from ansible_collections.siteops.webcluster.plugins.filter.acme_thumbprint import acme_thumbprint
from ansible_collections.siteops.webcluster.plugins.lookup import rsa_key
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _acme
from ansible_collections.siteops.webcluster.tests.certificates import issue

KEY = _acme.new_key()
DIRECTORY = "https://acme.example:14000/dir"
SHOP: dict[str, t.Any] = {"name": "shop", "domains": ["shop.example", "www.shop.example"]}
# The example of RFC 7638.
MODULUS = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
    "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5ha"
    "jrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw=="
)


def test_the_thumbprint_is_that_of_the_standard() -> None:
    modulus = int.from_bytes(base64.urlsafe_b64decode(MODULUS), "big")
    assert _acme.thumbprint_of(65537, modulus) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert acme_thumbprint(KEY) == _acme.thumbprint(KEY) != _acme.thumbprint(_acme.new_key())


def problems(
    *certificates: dict[str, t.Any],
    key: str = KEY,
    directory: str = DIRECTORY,
    contact: str = "",
    authorities: str = "",
) -> list[str]:
    return errors.acme_errors(list(certificates), key, directory, contact, authorities)


def test_what_can_be_had_is_accepted() -> None:
    assert problems(SHOP, contact="web-admin@example.org", authorities=issue("root").certificate) == []
    # Nothing is wanted, so nothing is missing.
    assert problems(key="", directory="") == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (problems({**SHOP, "name": "../shop"}), "has the name '../shop', expected letters, digits, '_' and '-'"),
        (
            problems(SHOP, {**SHOP, "domains": ["a.example"]}),
            "haproxy_acme_certificates has shop twice, expected a name",
        ),
        (problems({**SHOP, "domains": []}), "shop has no domain, expected one at least"),
        (problems({**SHOP, "domains": ["*.shop.example"]}), "*.shop.example, for which HTTP-01 gives no certificate"),
        (
            problems({**SHOP, "domains": ["shop.example\n"]}),
            "shop has the domain 'shop.example\\n', expected a host name",
        ),
        (problems(SHOP, key=""), "haproxy_acme_account_key is empty, expected an RSA key in PEM, the same for all"),
        (problems(SHOP, key="text"), "haproxy_acme_account_key: holds no PEM private key"),
        (
            problems(SHOP, key=issue("elliptic").private_key),
            "haproxy_acme_account_key: it is no RSA key, which is the only",
        ),
        (
            problems(SHOP, directory="http://acme.example/dir"),
            "haproxy_acme_directory is 'http://acme.example/dir', expected",
        ),
        (problems(SHOP, directory='https://a/"; rm -r /; "'), "haproxy_acme_directory is"),
        (problems(SHOP, contact="a@b.example$(id)"), "haproxy_acme_contact is 'a@b.example$(id)', expected an e-mail"),
        (problems(SHOP, authorities="text"), "haproxy_acme_authorities holds no PEM certificate"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(found: list[str], words: str) -> None:
    [said] = found
    assert words in said
    assert "PRIVATE" not in said


def test_a_controller_without_the_package_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_acme, "MISSING", ImportError("No module named 'cryptography'"))
    with pytest.raises(AnsibleFilterError, match="needs the Python package cryptography on the controller"):
        problems(SHOP)
    with pytest.raises(AnsibleLookupError, match="needs the Python package cryptography on the controller"):
        look_up(tmp_path / "key")


def look_up(path: Path) -> str:
    [text] = rsa_key.LookupModule().run([str(path)])
    return str(text)


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "key.pem"
    first = look_up(path)
    assert _acme.thumbprint(first)
    assert look_up(path) == first == path.read_text(encoding="utf-8")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_workers_that_ask_at_the_same_time_get_the_same_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=10)

    def made() -> str:
        both.wait()
        return f"key of {threading.get_ident()}"

    monkeypatch.setattr(_acme, "new_key", made)
    found: list[str] = []
    workers = [threading.Thread(target=lambda: found.append(look_up(tmp_path / "key"))) for _number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_key_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AnsibleLookupError, match="cannot be read or made"):
        look_up(tmp_path)
