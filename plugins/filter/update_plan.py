# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: update_plan
short_description: What a rolling update of web servers and load balancers is going to do
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Says in which order and how many at a time, for the tasks and in sentences for people, or why it cannot be done.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  hostvars:
    description: The C(hostvars) variable.
    type: dict
    required: true
  looks:
    description: Results of a loop of M(siteops.webcluster.haproxy_server_info) over C(load_balancers).
    type: list
    elements: dict
    required: true
  run:
    description: Names of the hosts of the run.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Tell the plan
  ansible.builtin.debug:
    msg: "{{ (webcluster_topology | siteops.webcluster.update_plan(hostvars, known.results, ansible_play_hosts_all)).text }}"
"""

RETURN = r"""
_value:
  description:
    - C(errors) are sentences about what makes it impossible, C(text) is the plan.
    - C(web) and C(load_balancers) are the hosts in their order, C(serial) how many web servers at a time, C(tiers) what each host is
      converged to, C(urls) where each host is asked itself.
    - C(drain) is whether web servers are taken out, C(drain_timeout) for how many seconds their sessions are waited for, C(packages)
      whether packages are upgraded.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _update


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"update_plan": _update.update_plan}
