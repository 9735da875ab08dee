# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store takes copies over TLS, lets nobody remove one, and removes old ones itself."""

from __future__ import annotations

from ansible_collections.siteops.webcluster.molecule.utils.restricted import MOST_EXPOSED, exposure
from testinfra.host import Host

UNIT = "webcluster-backup-store"
RESTIC = (
    "RESTIC_PASSWORD=molecule-copies restic --no-cache --cacert /etc/webcluster-backup-store/10.94.4.4.pem"
    " --repo rest:https://redis:molecule-store-password@10.94.4.4:8443/redis"
)


def test_the_service_has_few_rights(host: Host) -> None:
    assert host.service(UNIT).is_running
    assert exposure(host, UNIT) <= MOST_EXPOSED
    assert host.file("/etc/webcluster-backup-store/users").mode == 0o640
    assert host.file("/etc/webcluster-backup-store/10.94.4.4.key").mode == 0o640


def test_copies_come_in_and_go_by_the_store_alone(host: Host) -> None:
    assert host.run(f"{RESTIC} cat config").rc == 0 or host.run(f"{RESTIC} init").rc == 0
    assert host.run(f"printf no-rdb | {RESTIC} backup --stdin --stdin-filename redis.rdb").rc == 0
    assert "403" in host.run(f"{RESTIC} forget latest").stderr
    assert host.run("systemctl start webcluster-backup-redis-keep@now").rc == 0
    # What is stored here is no snapshot of Redis, and the drill says so.
    assert host.run("systemctl start webcluster-backup-redis-drill@now").rc != 0
    assert "the copy is damaged" in host.file("/var/lib/webcluster-backup/redis-drill.json").content_string
