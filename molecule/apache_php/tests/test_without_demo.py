# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second web server, which has no site, and on which a former release had installed the demo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Host:
    """Stand in for the verifier's host, which is the first web server."""
    return testinfra.get_host("ssh://moleculeweb2", ssh_config=request.config.getoption("ssh_config"), sudo=True)


def test_files_and_password_of_the_demo_are_gone(host: Host) -> None:
    assert not host.file("/var/www/webcluster/demo").exists
    assert not host.file("/etc/webcluster").exists


def test_a_neutral_page_is_served(ask: Ask) -> None:
    answer = ask("/")
    assert answer.status == 200
    assert "This web server is ready" in answer.text
    assert ask("/api/status").status == 404
    assert ask("/style.css").status == 404
    assert ask("/nothing/here.php").status == 404


def test_nobody_may_say_who_the_client_is(host: Host, ask: Ask) -> None:
    assert "remoteip" not in host.check_output("apache2ctl -M")
    ask("/?forged", headers={"X-Forwarded-For": "203.0.113.9"})
    assert host.check_output("tail -1 /var/log/apache2/access.log").startswith("127.0.0.1 ")
