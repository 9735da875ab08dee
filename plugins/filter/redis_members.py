# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: redis_members
short_description: The servers of the Redis tier, as the modules want them that move its primary
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Lists every Redis server of the cluster with its address and the login of its administrator, the primary first.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  hostvars:
    description: The C(hostvars) variable.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Move the primary
  siteops.webcluster.redis_switchover:
    to: redis2
    members: "{{ webcluster_topology | siteops.webcluster.redis_members(hostvars) }}"
"""

RETURN = r"""
_value:
  description: One entry for each server, with C(name), C(host), C(port), C(login_user), C(login_password), C(tls) and C(ca_cert).
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _redis_members


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"redis_members": _redis_members.redis_members}
