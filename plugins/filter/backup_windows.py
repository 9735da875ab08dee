# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: backup_windows
short_description: What can be restored, and what the last runs did
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Joins what the hosts tell of the copies into lines for people.
options:
  _input:
    description: The result of P(siteops.webcluster.topology#filter).
    type: dict
    required: true
  hostvars:
    description:
      - The C(hostvars) variable. C(__webcluster_backups) of each host holds its results of M(siteops.webcluster.backup_info), from a loop
        over the host's tiers.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell of the copies
  ansible.builtin.debug:
    msg: "{{ webcluster_topology | siteops.webcluster.backup_windows(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _backup_report


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"backup_windows": _backup_report.backup_windows}
