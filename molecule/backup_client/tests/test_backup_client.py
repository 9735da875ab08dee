# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that copies, keeps and proves its own data, by the units that its timers start."""

from __future__ import annotations

import json

from ansible_collections.siteops.webcluster.molecule.utils.restricted import MOST_EXPOSED, exposure
from testinfra.host import Host

UNIT = "webcluster-backup-mysql-"


def last(host: Host, job: str) -> dict[str, object]:
    """What became of the last run of a job."""
    return dict(json.loads(host.check_output(f"cat /var/lib/webcluster-backup/mysql-{job}.json")))


def test_each_job_has_its_time(host: Host) -> None:
    for job in ("copy", "keep", "drill"):
        timer = host.service(f"{UNIT}{job}.timer")
        assert timer.is_enabled
        assert timer.is_running
        assert exposure(host, f"{UNIT}{job}@now.service") <= MOST_EXPOSED


def test_the_settings_are_for_root_only(host: Host) -> None:
    file = host.file("/etc/webcluster-backup/mysql.json")
    assert (file.user, file.mode) == ("root", 0o600)


def test_what_was_there_before_the_copy_comes_back(host: Host) -> None:
    rows = "CREATE OR REPLACE TABLE demo.kept AS SELECT seq FROM seq_1_to_500"
    host.check_output("mariadb demo --execute %s", rows)
    for job in ("copy", "keep", "drill"):
        host.check_output(f"systemctl start {UNIT}{job}@now")
        assert last(host, job)["result"] == "done"
    figures = last(host, "drill")["figures"]
    assert isinstance(figures, dict)
    assert figures["rows_of"]["demo.kept"] == 500
    assert host.check_output("ls /var/lib/webcluster-backup | grep --count scratch- || true") == "0"


def test_a_run_that_fails_says_why(host: Host) -> None:
    host.check_output("mv /usr/bin/mariadb-backup /usr/bin/mariadb-backup.away")
    try:
        assert host.run(f"systemctl start {UNIT}copy@now").rc != 0
        assert last(host, "copy")["result"] == "failed"
    finally:
        host.check_output("mv /usr/bin/mariadb-backup.away /usr/bin/mariadb-backup")
    host.check_output(f"systemctl start {UNIT}copy@now")
