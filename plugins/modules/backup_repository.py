#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_repository
short_description: Make the restic repository that the copies of a data server go to
version_added: 0.3.0
description:
  - Sees to it that the store of a tier can be reached and holds a repository that opens with our password.
  - Never touches one that does not.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode and tell what would change. A host without the settings would get a repository.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  tier:
    description: The tier whose repository is meant. The role C(backup_client) has written its settings.
    type: str
    choices: [mysql, redis]
    required: true
  timeout:
    description: Seconds within which the store has to answer.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Make the repository for the copies of MySQL
  siteops.webcluster.backup_repository:
    tier: mysql
"""

RETURN = r"""
repository:
  description: Where it is, without a login.
  returned: success
  type: str
  sample: rest:https://10.0.0.40:8443/mysql
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._backup import settings
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.repository import Repository


def make(path: Path, timeout: float, check_mode: bool) -> dict[str, t.Any]:
    """Return the module's result."""
    if check_mode and not path.is_file():
        return {"changed": True, "repository": ""}
    found = settings.read(path)
    there = Repository(found, look_only=True).exists(timeout)
    repository = Repository(found)
    if not there and not check_mode:
        Path(found.state).mkdir(mode=0o700, parents=True, exist_ok=True)
        repository.create()
    return {"changed": not there, "repository": repository.name}


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
        module.exit_json(**make(path, module.params["timeout"], module.check_mode))
    except settings.BackupError as error:
        module.fail_json(msg=f"Backups: {error}; correct backup_client_repository, or mend the store, and run again.")


if __name__ == "__main__":
    main()
