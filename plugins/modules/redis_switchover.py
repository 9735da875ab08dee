#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned move of the primary of a Redis or Valkey tier."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_switchover
short_description: Move the primary of a Redis or Valkey tier to one of its replicas without losing a write
description:
  - Lets the primary hold back writes until the replica is level with it, and then change roles with it (C(FAILOVER)); lets both
    write that into their own configuration files (C(CONFIG REWRITE)), points the other replicas to the new primary, and waits
    until all of them are in step with it.
  - Refuses before anything is changed where the replica is no replica of the primary, is broken, behind or still syncing, runs an
    older version, has less room, takes writes of its own or would refuse them, and where a server is silent or two are primaries.
  - A replica that does not come level in time is no failure of the tier, the primary takes writes again. Ended at any point and
    run again, it does the rest.
  - Runs on one host that reaches every server. Needs no package there.
version_added: 0.3.0
author:
  - siteops contributors (@siteops)
options:
  to:
    description: Name of the member that becomes the primary.
    type: str
    required: true
  timeout:
    description: Seconds for which the primary holds back writes at most.
    type: float
    default: 1
  wait:
    description: Seconds to wait until every replica is in step with the new primary.
    type: int
    default: 60
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
- name: Move the primary
  siteops.webcluster.redis_switchover:
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
old:
  description: Name of the former primary, empty where O(to) was the primary already.
  type: str
  returned: success
paused_ms:
  description: For how many milliseconds the servers took no writes.
  type: int
  returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.members import (
    MEMBERS_ARGUMENT,
    connect_all,
    named,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.switchover import (
    Moved,
    StoppedError,
    carry_out,
    decide,
    look_at_all,
)

# Seconds within which a server has to answer.
PATIENCE = 5


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    members = connect_all(params["members"], PATIENCE)
    named(members, params["to"])
    tier = look_at_all(members)
    plan = decide(tier, params["to"], params["timeout"])
    moved = Moved() if module.check_mode or plan.done else carry_out(tier, plan, params["wait"])
    return {
        "changed": not plan.done,
        "plan": plan.text,
        "steps": moved.steps,
        "old": plan.old,
        "paused_ms": moved.paused_ms,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "members": MEMBERS_ARGUMENT,
            "to": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 1},
            "wait": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (RefusedError, StoppedError, ValueError) as said:
        module.fail_json(msg=str(said))
    except RedisError as error:
        module.fail_json(msg=f"A server stopped answering in the middle: {error.message}. Run again, it does the rest.")


if __name__ == "__main__":
    main()
