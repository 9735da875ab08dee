# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_arguments
short_description: An argument of a role that holds secrets of the sites
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Joins what the topology knows of the sites with the passwords and settings that stay in the inventory until a role needs them.
  - What the inventory says of the same option is kept.
options:
  _input:
    description: The result of P(siteops.webcluster.topology#filter).
    type: dict
    required: true
  option:
    description: The role's option; or C(mysql_endpoint_databases) and C(mysql_endpoint_accounts), what a service has that somebody else runs.
    type: str
    choices:
      - apache_php_sites
      - haproxy_https_certificates
      - mysql_endpoint_accounts
      - mysql_endpoint_databases
      - mysql_server_application_accounts
      - redis_server_extra_users
    required: true
  host:
    description: Name of the host that gets it.
    type: str
    required: true
  variables:
    description: Variables of that host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Give the web server its sites
  ansible.builtin.include_role:
    name: siteops.webcluster.apache_php
  vars:
    apache_php_sites: >-
      {{ webcluster_topology | siteops.webcluster.site_arguments('apache_php_sites', inventory_hostname, hostvars[inventory_hostname]) }}
"""

RETURN = r"""
_value:
  description: The value of the option.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _cluster_sites


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"site_arguments": _cluster_sites.site_arguments}
