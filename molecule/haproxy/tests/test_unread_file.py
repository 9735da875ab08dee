# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs is what is on disk, although the run that wrote it ended before HAProxy could read it."""

from __future__ import annotations

from ansible_collections.siteops.webcluster.molecule.utils.converging import (
    converge,
    leave_unread,
    read_by_the_next_run,
)
from testinfra.host import Host

SPARE = {"haproxy_extra_config": "backend spare from http\n    server spare 10.94.1.9:80\n"}


def statistics(host: Host) -> str:
    program = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8404/stats;csv').read().decode())"
    return str(host.check_output("python3 -c %s", program))


def test_configuration_is_read_by_the_next_run(host: Host) -> None:
    leave_unread(host, "haproxy", SPARE, ["/etc/haproxy/haproxy.cfg"])
    assert "spare" not in statistics(host)
    read_by_the_next_run("haproxy", SPARE, services=1)
    assert "spare" in statistics(host)
    assert converge("haproxy")[0] == 0
