# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that other hosts mount: what is exported, to whom, and what root of another host may do with it."""

from __future__ import annotations

from testinfra.host import Host

FOLDER = "/srv/webcluster-folders/shop/uploads"


def test_only_version_4_is_served(host: Host) -> None:
    assert host.service("nfs-server").is_running
    assert host.socket("tcp://0.0.0.0:2049").is_listening
    assert "-3" in host.file("/proc/fs/nfsd/versions").content_string


def test_the_folder_is_exported_to_one_address_without_its_root(host: Host) -> None:
    found = host.check_output("exportfs -s")
    assert found.startswith(f"{FOLDER}  10.94.7.4(")
    assert "root_squash" in found.replace("no_root_squash", "")


def test_a_client_writes_as_the_folders_owner_and_not_as_root(host: Host) -> None:
    host.check_output("mkdir -p /mnt/uploads && mount -t nfs4 10.94.7.4:%s /mnt/uploads", FOLDER)
    try:
        owner = "setpriv --reuid=98172 --regid=98173 --clear-groups"
        host.check_output(f"{owner} touch /mnt/uploads/picture.png")
        assert host.run("touch /mnt/uploads/of-root").failed
        found = host.file(f"{FOLDER}/picture.png")
        assert (found.uid, found.gid) == (98172, 98173)
    finally:
        host.check_output("umount /mnt/uploads")
