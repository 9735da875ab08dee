# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs is what is on disk, although the run that wrote it ended before the server and its status service could read it."""

from __future__ import annotations

from ansible_collections.siteops.webcluster.molecule.utils.converging import (
    converge,
    leave_unread,
    read_by_the_next_run,
)
from testinfra.host import Host

OTHERS = {"mysql_server_settings": {"wait_timeout": 1234}, "mysql_server_status_port": 9201}


def running(host: Host) -> tuple[str, bool]:
    """The server's setting, and whether the status service listens at its other port."""
    client = "mariadb" if host.exists("mariadb") else "mysql"
    timeout = host.check_output(f"{client} --batch --skip-column-names --execute 'SELECT @@GLOBAL.wait_timeout'")
    return timeout, ":9201" in host.check_output("ss -Hltn")


def test_configuration_is_read_by_the_next_run(host: Host) -> None:
    folder = "mariadb.conf.d/60-" if host.exists("mariadb") else "mysql.conf.d/"
    paths = [f"/etc/mysql/{folder}webcluster.cnf", "/usr/local/lib/webcluster-status/config.json"]
    leave_unread(host, "mysql_master", OTHERS, paths)
    assert running(host) == ("3600", False)
    # The primary takes two tasks: the run says so before it is restarted.
    read_by_the_next_run("mysql_master", OTHERS, services=3)
    assert running(host) == ("1234", True)
    assert converge("mysql_master")[0] == 0
