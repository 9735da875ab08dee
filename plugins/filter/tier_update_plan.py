# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tier_update_plan
short_description: What a rolling update of a data tier is going to do
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Says in which order its servers are updated and whether the primary moves before, for the tasks and in sentences for people, or why
    it must not be done.
  - It is asked before the roles of the servers have looked what they would change, for what stops it, and after that for the plan.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  hostvars:
    description: The C(hostvars) variable, with the verdicts on the servers and with what their roles have found to change.
    type: dict
    required: true
  tier:
    description: The tier.
    type: str
    choices: [mysql, redis]
    required: true
  run:
    description: Names of the hosts of the run.
    type: list
    elements: str
    required: true
  elsewhere:
    description: Results of a loop of M(siteops.webcluster.replication_status) over servers outside of the run.
    type: list
    elements: dict
    default: []
  to:
    description: The replica that becomes the primary where that has to restart; the first one when empty.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Tell the plan
  ansible.builtin.debug:
    msg: "{{ (webcluster_topology | siteops.webcluster.tier_update_plan(hostvars, 'mysql', ansible_play_hosts_all)).text }}"
"""

RETURN = r"""
_value:
  description:
    - C(errors) are sentences about what makes it impossible, C(text) is the plan.
    - C(primary) is who is it now, C(replicas) are the replicas in their order, C(to) is the one that becomes the primary, empty where
      that stays, C(last) are the servers that are updated after it.
    - C(answering) are the hosts whose servers can be asked what an update would change, C(packages) is whether packages are upgraded,
      C(fresh) for how many seconds their lists count as fresh.
    - C(restarts) are the hosts whose servers have to be restarted, C(drain_timeout) for how many seconds the sessions of a replica are
      waited for before.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _tier_update


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"tier_update_plan": _tier_update.tier_update_plan}
