#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_server_info
short_description: Tell what HAProxy knows of its servers
version_added: 0.3.0
description:
  - Asks HAProxy over its runtime socket for the state, the weight, the health and the sessions of every server.
  - Runs on the host of the load balancer. Nothing is changed.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Nothing is changed in either mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
extends_documentation_fragment:
  - siteops.webcluster.haproxy_socket
seealso:
  - module: siteops.webcluster.haproxy_server
"""

EXAMPLES = r"""
- name: Look at the servers
  siteops.webcluster.haproxy_server_info:
  register: haproxy

- name: Show which web servers are out
  ansible.builtin.debug:
    msg: "{{ haproxy.backends.web | dict2items | rejectattr('value.state', 'eq', 'ready') | map(attribute='key') }}"
"""

RETURN = r"""
backends:
  description: Each backend with its servers by name.
  returned: success
  type: dict
  contains:
    state:
      description: What was set, V(ready), V(drain) or V(maint).
      type: str
    weight:
      description: Share of the requests, from 0 to 256.
      type: int
    status:
      description: What HAProxy says of the server's health, such as C(UP), C(DOWN), C(DRAIN), C(MAINT) or C(no check).
      type: str
    up:
      description: Whether requests go to it and its last health check was good.
      type: bool
    sessions:
      description: Requests that it has, or that wait for it.
      type: int
  sample:
    web:
      centosweb1: {state: ready, weight: 100, status: UP, up: true, sessions: 3}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.change import look
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.client import (
    SOCKET_ARGUMENTS,
    HaproxyError,
    RuntimeSocket,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.servers import by_backend


def main() -> None:
    module = AnsibleModule(argument_spec=SOCKET_ARGUMENTS, supports_check_mode=True)
    try:
        module.exit_json(changed=False, backends=by_backend(look(RuntimeSocket(module.params["socket"]))))
    except HaproxyError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
