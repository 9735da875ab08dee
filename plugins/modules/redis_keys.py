#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the keys of a Redis or Valkey server that begin with a prefix."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_keys
short_description: Remove the keys of a Redis or Valkey server that begin with a prefix
description:
  - Removes every key that begins with one of the prefixes, in all databases. Other clients have their turn in between.
  - Meant for the primary, from which the replicas take it over. A replica refuses, and the module fails.
version_added: 0.3.0
author:
  - siteops contributors (@siteops)
options:
  absent:
    description: Prefixes of the keys to remove, each meant as it is and at least one character long.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode and tells how many keys would be removed. A server that does not answer has none then.
    support: full
  diff_mode:
    description: Shows no diff.
    support: none
extends_documentation_fragment:
  - siteops.webcluster.redis_login
"""

EXAMPLES = r"""
- name: Remove what an application has left
  siteops.webcluster.redis_keys:
    absent: ["shop:"]
    login_user: admin
    login_password: "{{ redis_server_admin_password }}"
"""

RETURN = r"""
removed:
  description: How many keys of each prefix were removed, or would be in check mode.
  returned: success
  type: dict
  sample: {"shop:": 1200}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import (
    LOGIN_ARGUMENTS,
    kept_login,
    login_from,
    open_client,
    read_kept,
    where,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.prefixed_keys import remove_keys


def main() -> None:
    module = AnsibleModule(
        argument_spec={**LOGIN_ARGUMENTS, "absent": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    prefixes = list(dict.fromkeys(module.params["absent"]))
    if "" in prefixes:
        module.fail_json(
            msg="absent holds an empty prefix, which all keys begin with; expected one character at least."
        )
    login = login_from(module.params)
    removed: dict[str, int] = {}
    try:
        with open_client(login, kept=kept_login(login, read_kept(module.params["login_file"]))) as client:
            removed = {prefix: remove_keys(client, prefix, module.check_mode) for prefix in prefixes}
    except RedisError as error:
        # The first run of a cluster has not started it yet.
        if not (module.check_mode and error.kind == "unreachable"):
            module.fail_json(msg=f"The server at {where(login)} cannot be asked: {error.message}", kind=error.kind)
    module.exit_json(changed=any(removed.values()), removed=removed)


if __name__ == "__main__":
    main()
