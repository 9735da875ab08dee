#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let an old Redis or Valkey primary in again, as a replica."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_rejoin
short_description: Make an old Redis or Valkey primary a replica of the present one
description:
  - Runs on the host of the old primary. Where that one runs beside the present primary, it is compared and then follows it; where
    it is stopped or fenced (M(siteops.webcluster.redis_fence)), its data are looked at by a server that nobody else reaches, and the
    service is started as a replica.
  - A server that was left behind where the present primary went on has no keys of its own. Any other is compared key by key; what
    only it has, or has with another value, is named, exported to a file, and replaced only where O(allow_reseed) names the server.
    The value that is older counts as different too, as nobody can tell.
  - Needs no package there.
version_added: 0.3.0
author:
  - siteops contributors (@siteops)
options:
  name:
    description: Name of the member that is the old primary, on the host of which this runs.
    type: str
    required: true
  allow_reseed:
    description: Names of members whose own keys may go.
    type: list
    elements: str
    default: []
  wait:
    description: Seconds to wait until it is in step.
    type: int
    default: 600
  state_dir:
    description: Folder on the node, for root only, for the file with exported keys.
    type: path
    default: /var/lib/webcluster
extends_documentation_fragment:
  - siteops.webcluster.redis_members
attributes:
  check_mode:
    support: full
    description: Can run in check mode, refuses what it would refuse, and tells the plan; nothing is exported.
  diff_mode:
    support: none
    description: Shows no diff; RV(steps) tells what was done.
"""

EXAMPLES = r"""
- name: Let the old primary in again
  siteops.webcluster.redis_rejoin:
    name: redis1
    members:
      - {name: redis1, host: 10.0.0.36, login_user: admin, login_password: "{{ redis_server_admin_password }}"}
      - {name: redis2, host: 10.0.0.37, login_user: admin, login_password: "{{ redis_server_admin_password }}"}
"""

RETURN = r"""
plan:
  description: What was going to be done, in sentences.
  type: list
  elements: str
  returned: success
steps:
  description: What was done, in sentences.
  type: list
  elements: str
  returned: success
primary:
  description: Name of the primary that it follows.
  type: str
  returned: success
own_keys:
  description: How many keys only the old primary had, or had with another value.
  type: int
  returned: success
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.fence import FenceError, find_service
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import (
    MEMBERS_ARGUMENT,
    connect_all,
    named,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError, write_private
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.rejoin import rejoin
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.stopped import RealHost
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import StoppedError

# Seconds within which a server has to answer; comparing large values takes its time.
PATIENCE = 10


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    service = find_service()
    if service is None:
        raise RefusedError(
            f"{params['name']} has no server of ours; expected one that site.yml has set up: run site.yml."
        )
    members = connect_all(params["members"], PATIENCE)
    member = named(members, params["name"])

    def execute(command: Sequence[str]) -> tuple[int, str]:
        code, shown, said = module.run_command(list(command))
        return code, said or shown

    def keep(rows: list[dict[str, Any]]) -> Path:
        path = Path(params["state_dir"]) / f"redis-own-keys-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
        write_private(path, rows)
        return path

    plan, steps = rejoin(
        members,
        params["name"],
        RealHost(service, member.client.login, execute),
        params["allow_reseed"],
        keep,
        module.check_mode,
        params["wait"],
    )
    return {
        "changed": not plan.done,
        "plan": plan.text,
        "steps": steps,
        "primary": plan.primary_name,
        "own_keys": len(plan.own),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "members": MEMBERS_ARGUMENT,
            "name": {"type": "str", "required": True},
            "allow_reseed": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "int", "default": 600},
            "state_dir": {"type": "path", "default": "/var/lib/webcluster"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (RefusedError, StoppedError, FenceError, ValueError) as said:
        module.fail_json(msg=str(said))
    except OSError as error:
        module.fail_json(msg=f"The keys or the role cannot be kept: {error}. Mend that and run again.")
    except RedisError as error:
        module.fail_json(msg=f"A server stopped answering in the middle: {error.message}. Run again, it does the rest.")


if __name__ == "__main__":
    main()
