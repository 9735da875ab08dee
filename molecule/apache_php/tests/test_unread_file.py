# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs is what is on disk, although the run that wrote it ended before Apache and PHP-FPM could read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.siteops.webcluster.molecule.utils.converging import (
    converge,
    leave_unread,
    read_by_the_next_run,
)
from testinfra.host import Host

OTHERS = {
    "apache_php_extra_config": "Header always set X-Read yes",
    "apache_php_ini_settings": {"expose_php": True},
}
# The second web server has no site.
ONE = "--limit=moleculeweb1"


def test_configuration_is_read_by_the_next_run(host: Host, ask: Callable[..., Any]) -> None:
    version = "8.2" if host.system_info.release.startswith("12") else "8.4"
    paths = ["/etc/apache2/apache2.conf", f"/etc/php/{version}/fpm/conf.d/90-webcluster.ini"]
    leave_unread(host, "apache_php", OTHERS, paths, ONE)
    assert not {"x-read", "x-powered-by"} & ask("/healthz").headers.keys()
    read_by_the_next_run("apache_php", OTHERS, 2, ONE)
    assert {"x-read", "x-powered-by"} <= ask("/healthz").headers.keys()
    assert converge("apache_php", None, ONE)[0] == 0
