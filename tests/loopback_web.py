# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server under a systemd of its own: Apache and PHP-FPM with the files of the role, and what a script finds there."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import installed_php, need
from ansible_collections.siteops.webcluster.tests.loopback_systemd import boot, need_systemd
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, play_role

UNITS = "/etc/systemd/system/"
RELEASES = {"8.2": "12", "8.4": "13"}
# A script finds a page at /page.php: it tells who asked, and with wait=1 ends when there is a file go.
PAGE = """<?php
file_put_contents('/srv/pages/log/' . $_GET['name'], "begun\n", FILE_APPEND);
if ($_GET['half'] ?? 0) { echo str_pad('half', 9000), "\\n"; flush(); }
if ($_GET['wait'] ?? 0) { while (!file_exists('/srv/pages/log/go')) { usleep(20000); clearstatcache(); } }
echo 'done';
"""
# What comes before a script, in which each line said is a name and what was found.
BEGIN = r"""
say() { echo "$1: $2"; }
begun() { cat "/srv/pages/log/$1" 2>/dev/null | grep -c begun; }
wait_for() { for _ in $(seq 300); do "$@" >/dev/null 2>&1 && break; sleep 0.2; done; }
state() { systemctl show --property=ActiveState --value "$1"; }
is() { test "$($2)" "$1" "$3"; }

ip link set lo up
install -d -o www-data -g www-data /run/php; mkdir /srv/pages; install -d -o www-data /srv/pages/log
cp /given/php-fpm.conf /etc/php/VERSION/fpm/php-fpm.conf; cp /given/apache2.conf /etc/apache2/apache2.conf
mkdir -p /usr/local/lib/webcluster; cp /given/page.php /srv/pages/
install -m 0755 /given/php-fpm-with-sockets PROGRAM
systemctl start FPM apache2 || { journalctl --no-pager | tail -n 40 >&2; exit 1; }
"""
END = "systemctl stop apache2 FPM\necho 'end: reached'\n"


def look(
    folders: pytest.TempPathFactory, script: str, units: Mapping[str, str] | None = None, **given: str
) -> dict[str, str]:
    """Return what the script said, by name; FPM and VERSION in it, and in the names of further units, are those of this machine."""
    need_systemd()
    need("php-fpm")
    need("apache2ctl")
    version = installed_php()
    if version not in RELEASES:
        pytest.skip(f"needs the PHP of Debian 12 or 13, this machine has {version}")
    variables = {"apache_php_memory_mb": 1024, "apache_php_document_root": "/srv/pages"}
    run = play_role("apache_php", {"web": Case(variables, RELEASES[version])}, folders.mktemp("role"))
    files = {
        file["path"]: file["content"]
        for call in run.of("web", "configured_service")
        for file in call["files"]
        if file.get("content")
    }
    program = next(path for path in files if path.endswith("/php-fpm-with-sockets"))

    def here(text: str) -> str:
        return text.replace("PROGRAM", program).replace("FPM", f"php{version}-fpm").replace("VERSION", version)

    # What takes rights away needs what this systemd has none of; the scenario of the role shows that on a host.
    written = {path: text for path, text in files.items() if path.startswith(UNITS) and "hardening" not in path}
    found = {path.removeprefix(UNITS): text for path, text in written.items()}
    found.update((here(name), text) for name, text in (units or {}).items())
    texts = {os.path.basename(path): text for path, text in files.items() if not path.startswith(UNITS)}
    texts.update({"page.php": PAGE, **{name.replace("_", "."): text for name, text in given.items()}})
    said, errors = boot(folders.mktemp("systemd"), found, here(BEGIN + script + END), texts)
    assert said.endswith("end: reached\n"), said + errors
    return dict(line.split(": ", 1) for line in said.splitlines())
