#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Tell which copies of a data server there are, and whether the promise is kept
version_added: 0.3.0
description:
  - Asks the store of a tier which copies it has, and reads what became of the last runs of this host.
  - A store that cannot be asked is a broken promise, not a failure of the module.
  - Leaves no lock and no cache in the store.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Nothing is changed in either mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  tier:
    description: The tier whose copies are meant. The role C(backup_client) has written its settings.
    type: str
    choices: [mysql, redis]
    required: true
  timeout:
    description: Seconds within which the store has to answer.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Look at the copies of MySQL
  siteops.webcluster.backup_info:
    tier: mysql
  register: backups

- name: Stop where the promise is broken
  ansible.builtin.assert:
    that: backups.healthy
    fail_msg: "{{ backups.reasons | join(' ') }}"
"""

RETURN = r"""
configured:
  description: Whether this host makes or proves copies of the tier at all.
  returned: success
  type: bool
  sample: true
healthy:
  description: Whether there is a copy that is young enough, and no run of this host has failed since.
  returned: success
  type: bool
  sample: true
reasons:
  description: A sentence for each broken promise.
  returned: success
  type: list
  elements: str
  sample: ["the newest copy of MySQL is 27 h old, 26 h are promised."]
repository:
  description: Where the copies are, without a login.
  returned: success
  type: str
  sample: rest:https://10.0.0.40:8443/mysql
jobs:
  description: What this host does with copies.
  returned: success
  type: list
  elements: str
  sample: [copy]
copies:
  description: The copies, the oldest first. C(bytes) is 0 where the store's restic is older than 0.17.
  returned: success
  type: list
  elements: dict
  sample: [{id: 1f2e3d4c, time: "2026-11-27T02:30:04+00:00", host: centosmysql2, source: replica, bytes: 1205000000}]
age_seconds:
  description: Age of the newest copy, nothing without one.
  returned: success
  type: int
  sample: 31000
runs:
  description: The last run of each job on this host, nothing where there was none. C(ended) is in seconds since 1970.
  returned: success
  type: dict
  sample: {copy: {job: copy, result: done, message: copy 1f2e3d4c of the replica was stored, ended: 1795746604.0, seconds: 8.4}}
drill_age_seconds:
  description: Seconds since the last restore drill of this host that passed, nothing where the last one did not.
  returned: success
  type: int
  sample: 180000
"""

import time
import typing as t
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._backup import judge, record, settings
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.repository import Copy, Repository


def tell(path: Path, timeout: float, now: float) -> dict[str, t.Any]:
    """Return the module's result."""
    if not path.is_file():
        return {
            "configured": False,
            "healthy": True,
            "reasons": [],
            "repository": "",
            "jobs": [],
            "copies": [],
            "age_seconds": None,
            "runs": {},
            "drill_age_seconds": None,
        }
    found = settings.read(path)
    repository = Repository(found, look_only=True)
    copies: list[Copy] = []
    runs = {job: record.read(found.state, found.tier, job) for job in found.jobs}
    try:
        copies = repository.copies(timeout)
        reasons = judge.broken_promises(found, copies, list(runs.values()), now)
    except settings.BackupError as error:
        reasons = [str(error)]
    drill = runs.get("drill")
    return {
        "configured": True,
        "healthy": not reasons,
        "reasons": [f"{reason}." for reason in reasons],
        "repository": repository.name,
        "jobs": list(found.jobs),
        "copies": [copy.as_dict() for copy in copies],
        "age_seconds": int(now - copies[-1].time.timestamp()) if copies else None,
        "runs": {job: asdict(run) for job, run in runs.items() if run},
        "drill_age_seconds": int(now - drill.ended) if drill and drill.result == "done" else None,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "tier": {"type": "str", "choices": ["mysql", "redis"], "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    path = settings.FOLDER / f"{module.params['tier']}.json"
    try:
        module.exit_json(changed=False, **tell(path, module.params["timeout"], time.time()))
    except settings.BackupError as error:
        module.fail_json(msg=f"Backups: {error}.")


if __name__ == "__main__":
    main()
