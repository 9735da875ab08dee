# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mysql_rejoin_plan
short_description: How a former MySQL primary becomes a replica
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Whether it has writes of its own is asked by M(siteops.webcluster.mysql_primary) when both are at hand.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  hostvars:
    description: The variables of all hosts, C(hostvars), with what M(siteops.webcluster.mysql_primary) found as C(__webcluster_member).
    type: dict
    required: true
  to:
    description: Name of the server.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ webcluster_topology | siteops.webcluster.mysql_rejoin_plan(hostvars, 'db1') }}"
"""

RETURN = r"""
_value:
  description: What is going to happen (C(action), C(old), C(new), C(others), C(logins)), C(text) for people, and C(errors), a sentence for each finding.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _mysql_move


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mysql_rejoin_plan": _mysql_move.rejoin_plan}
