#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a dead Redis or Valkey primary from coming back as one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_fence
short_description: Keep a dead Redis or Valkey primary from coming back as one
description:
  - Ends the server that the role C(redis_server) has set up on the node, at once, and masks its service, so that neither a restart of
    the node nor a person brings it back as a second primary. Its data stay as they are.
  - M(siteops.webcluster.redis_rejoin) lets it in again, as a replica.
version_added: 0.3.0
author:
  - siteops contributors (@siteops)
options:
  state:
    description: V(fenced) ends and masks the service, V(free) takes the mask away and starts nothing.
    type: str
    choices: [fenced, free]
    default: fenced
attributes:
  check_mode:
    support: full
    description: Can run in check mode and says whether it would change anything.
  diff_mode:
    support: none
    description: Shows no diff.
"""

EXAMPLES = r"""
- name: Keep the dead primary from coming back as one
  siteops.webcluster.redis_fence:
"""

RETURN = r"""
service:
  description: The service, empty where the role has set up none.
  type: str
  returned: success
"""

from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.fence import (
    FenceError,
    fence,
    find_service,
    release,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={"state": {"type": "str", "choices": ["fenced", "free"], "default": "fenced"}},
        supports_check_mode=True,
    )

    def run(command: Sequence[str]) -> tuple[int, str]:
        code, shown, said = module.run_command(list(command))
        return code, said or shown

    service = find_service()
    act = fence if module.params["state"] == "fenced" else release
    try:
        changed = service is not None and act(service, run, module.check_mode)
    except FenceError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, service=service.unit if service else "")


if __name__ == "__main__":
    main()
