# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mysql_move_logins
short_description: How the servers of the MySQL tier ask each other
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - They ask by the login of the replication.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  hostvars:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the logins
  ansible.builtin.debug:
    msg: "{{ webcluster_topology | siteops.webcluster.mysql_move_logins(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Address, port, name, user and TLS of each server, by host.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _mysql_move


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mysql_move_logins": _mysql_move.move_logins}
