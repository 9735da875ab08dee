# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sentence about a mail relay that cannot be."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._mail import mail_findings

RELAY = {"host": "mail.example", "port": 587, "tls": "starttls", "from": "shop@shop.example"}
LOGIN = {"user": "shop", "password": "s3cret"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"host": "mail example"}, "mail.host holds mail example, expected the name or address of a mail server"),
        ({"host": "-x"}, "mail.host holds -x, expected"),
        ({"port": -1}, "mail.port holds -1, expected a number from 1 to 65535: correct it."),
        ({"port": 65_536}, "mail.port holds 65536, expected a number from 1 to 65535: correct it."),
        ({"from": "shop"}, "mail.from holds shop, expected one address such as shop@shop.example: correct it."),
        ({"from": "a@b.example\nx"}, "mail.from holds a@b.example\nx, expected one address"),
        ({"user": "shop"}, "mail.user is set without mail.password; expected both, or neither: set mail.password."),
        ({"password": "s3cret"}, "mail.password is set without mail.user; expected both, or neither"),
        ({**LOGIN, "user": 'a"b'}, "mail.user or mail.password holds a line break"),
        ({**LOGIN, "password": "s3\ncret"}, "mail.user or mail.password holds a line break"),
        ({**LOGIN, "tls": "none"}, "mail would tell mail.example a password that all on the way can read"),
    ],
)
def test_a_relay_that_cannot_be_is_one_sentence_without_its_login(more: dict[str, t.Any], words: str) -> None:
    found = list(mail_findings({**RELAY, **more}))
    assert len(found) == 1
    assert all(sentence.startswith(words) and "s3" not in sentence for sentence in found)


@pytest.mark.parametrize(
    "more",
    [
        {},
        LOGIN,
        {**LOGIN, "tls": "none", "host": "127.0.0.1"},
        {"host": "fd00::25", "tls": "none"},
        {**LOGIN, "user": "apikey@shop.example", "password": "with spaces, \"quotes\" and 'more' \\$"},
    ],
)
def test_a_relay_is_accepted(more: dict[str, t.Any]) -> None:
    assert not list(mail_findings({**RELAY, **more}))
