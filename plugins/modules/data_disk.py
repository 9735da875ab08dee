#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_disk
short_description: Give the data of a service a disk of their own
version_added: 0.3.0
description:
  - Makes an ext4 file system on a blank disk, mounts it, and lets the services that need it start only with it.
  - A disk with an ext4 or xfs file system is mounted as it is, so that a machine made anew finds the data of the former one.
  - Never formats a disk on which anything lies, never hides data that lie in the directory, and never moves a mount. Each of these ends with one
    sentence, and nothing is changed.
  - The mount is a unit of systemd that knows the disk by its UUID. A disk that somebody else has mounted at the directory is left as it is.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode and tell what it would do.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  device:
    description:
      - Names of the disk; the first that exists is taken. Azure calls its disks differently by the controller that they are at.
    type: list
    elements: path
    required: true
  path:
    description: Directory of the data.
    type: path
    required: true
  services:
    description: Units of systemd that must not start without the disk, whether they are installed already or not.
    type: list
    elements: str
    default: []
  format:
    description: Make a file system on a blank disk; else a blank disk is left alone.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Put the data of MariaDB on the first data disk of a machine in Azure
  siteops.webcluster.data_disk:
    device: [/dev/disk/azure/scsi1/lun0, /dev/disk/azure/data/by-lun/0]
    path: /var/lib/mysql
    services: [mariadb.service]
"""

RETURN = r"""
device:
  description: The disk as the kernel calls it.
  returned: success
  type: str
  sample: /dev/sdc
action:
  description: C(format) for a blank disk, C(mount) for one with a file system, C(nothing) where it is mounted, or blank and left alone.
  returned: success
  type: str
  sample: mount
filesystem:
  description: The file system; empty on a disk that is blank still.
  returned: success
  type: str
  sample: ext4
"""

from collections.abc import Sequence
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._data_disk import DataDisk, DiskError, Wanted

UNITS = Path("/etc/systemd/system")
MOUNTS = Path("/proc/self/mounts")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "device": {"type": "list", "elements": "path", "required": True},
            "path": {"type": "path", "required": True},
            "services": {"type": "list", "elements": "str", "default": []},
            "format": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )

    def run(command: Sequence[str]) -> tuple[int, str]:
        # Whoever logs in may have no sbin in the path.
        program = module.get_bin_path(command[0])
        if program is None:
            raise DiskError(
                f"{command[0]} is not installed; expected it, since every Debian has it: install its package."
            )
        code, shown, said = module.run_command([program, *command[1:]])
        return code, shown or said

    given = module.params
    wanted = Wanted(given["device"], given["path"].rstrip("/"), given["services"], given["format"])
    try:
        done = DataDisk(run, UNITS, lambda: MOUNTS.read_text(encoding="utf-8")).ensure(wanted, module.check_mode)
    except DiskError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**done)


if __name__ == "__main__":
    main()
