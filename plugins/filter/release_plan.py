# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: release_plan
short_description: What a release of a site, or going back to a former one, is going to do
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Says for the tasks and in sentences for people what happens on the web servers, or why it cannot be done.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  hostvars:
    description:
      - The C(hostvars) variable.
      - C(__webcluster_known_releases) of each web server holds its result of M(siteops.webcluster.site_release_info).
    type: dict
    required: true
  elsewhere:
    description: Results of a loop over the names of web servers that are outside of a limited run.
    type: list
    elements: dict
    required: true
  site:
    description: Name of the site.
    type: str
    required: true
  run:
    description: Names of the hosts of the run.
    type: list
    elements: str
    required: true
  forks:
    description: The C(ansible_forks) variable.
    type: int
    required: true
  check_mode:
    description: The C(ansible_check_mode) variable.
    type: bool
    required: true
  packed:
    description: What M(siteops.webcluster.site_archive) returned of the site; empty for a rollback.
    type: dict
    required: true
  version:
    description: What the release is called.
    type: str
    default: ""
  to:
    description: For a rollback, the release to go back to; empty for the one before.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Plan the rollback
  ansible.builtin.set_fact:
    plan: >-
      {{ webcluster_topology | siteops.webcluster.release_plan(hostvars, [], 'shop', ansible_play_hosts_all, ansible_forks,
      ansible_check_mode, {}) }}
"""

RETURN = r"""
_value:
  description:
    - C(errors) are sentences about what makes it impossible, C(text) is the plan, C(web) are the web servers, none in check mode.
    - The rest is what the tasks of the playbooks need.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _releases


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"release_plan": _releases.release_plan}
