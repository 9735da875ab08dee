#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emergency promotion of a replica of a Redis or Valkey tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_promote
short_description: Make a replica the primary of a Redis or Valkey tier whose primary is dead
description:
  - Asks the primary for some seconds, and every replica whether it still hears it. Then it ends the replication of O(to), lets it
    write its new role into its own configuration file, and points the other replicas to it.
  - Refuses while the primary lives, where the replica never had a whole copy or is empty, where another one is ahead of it, and where
    somebody was promoted within the last hour.
  - Says before how much could be lost, and keeps how far every server was in a file on the node.
  - Ended at any point and run again, it does the rest. Run it on the host of O(to). Needs no package there.
version_added: 0.3.0
author:
  - siteops contributors (@siteops)
options:
  to:
    description: Name of the member that becomes the primary.
    type: str
    required: true
  accept_data_loss:
    description:
      - Promote although another replica is ahead, although this one is empty, or although somebody was promoted within the last hour.
    type: bool
    default: false
  wait:
    description: Seconds to wait until the other replicas are in step with the new primary.
    type: int
    default: 60
  state_dir:
    description: Folder on the node, for root only, for the file with the coordinates.
    type: path
    default: /var/lib/webcluster
extends_documentation_fragment:
  - siteops.webcluster.redis_members
attributes:
  check_mode:
    support: full
    description: Can run in check mode, refuses what it would refuse, and tells the plan.
  diff_mode:
    support: none
    description: Shows no diff; RV(steps) tells what was done.
"""

EXAMPLES = r"""
- name: Promote the replica of a dead primary
  siteops.webcluster.redis_promote:
    to: redis2
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
dead:
  description: Name of the dead primary, empty where O(to) was the primary already.
  type: str
  returned: success
following:
  description: Names of the replicas that answer and follow O(to) now.
  type: list
  elements: str
  returned: success
coordinates:
  description: File on the node that tells how far every server was, empty where none was written.
  type: str
  returned: success
"""

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import (
    MEMBERS_ARGUMENT,
    connect_all,
    named,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError, write_private
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.promotion import carry_out, decide, watch
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import StoppedError

# Seconds within which a server has to answer that is not dead.
PATIENCE = 2


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    members = connect_all(params["members"], PATIENCE)
    named(members, params["to"])
    seen = watch(members, params["to"])
    plan = decide(seen, params["to"], params["accept_data_loss"])
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = Path(params["state_dir"]) / f"redis-promotion-{when}.json"
    steps: list[str] = []
    if not module.check_mode and not plan.done:
        steps = carry_out(seen, plan, params["wait"], lambda found: write_private(path, found), when)
    return {
        "changed": not plan.done,
        "plan": plan.text,
        "steps": steps,
        "dead": plan.dead,
        "following": [name for name in seen.states if name not in (plan.to, plan.dead)],
        "coordinates": str(path) if steps and plan.dead else "",
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "members": MEMBERS_ARGUMENT,
            "to": {"type": "str", "required": True},
            "accept_data_loss": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 60},
            "state_dir": {"type": "path", "default": "/var/lib/webcluster"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (RefusedError, StoppedError, ValueError) as said:
        module.fail_json(msg=str(said))
    except OSError as error:
        module.fail_json(
            msg=f"The coordinates cannot be kept: {error}. Nothing was changed: make room for them, and run again."
        )
    except RedisError as error:
        module.fail_json(msg=f"A server stopped answering in the middle: {error.message}. Run again, it does the rest.")


if __name__ == "__main__":
    main()
