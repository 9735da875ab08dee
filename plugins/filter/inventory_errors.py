# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: inventory_errors
short_description: What is wrong with the groups and variables of a web cluster's inventory
version_added: 0.1.0
author: siteops contributors (@siteops)
description:
  - Checks the six groups of C(siteops.webcluster.site) and the secrets that its roles require, before a host is asked anything.
    A group may be empty where the cluster does without that tier.
  - A misspelt option of a role is an error, as is a value that the role would refuse, and one that only the whole cluster can tell.
  - What begins with C(webcluster_) must be an option of the playbooks.
  - A tier is hosts or an endpoint such as C(webcluster_redis_external), never both.
options:
  _input:
    description: The C(groups) variable.
    type: dict
    required: true
  hostvars:
    description: The C(hostvars) variable.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Stop on a wrong inventory
  ansible.builtin.assert:
    that: (groups | siteops.webcluster.inventory_errors(hostvars)) | length == 0
    fail_msg: "{{ groups | siteops.webcluster.inventory_errors(hostvars) | join(' ') }}"
"""

RETURN = r"""
_value:
  description: One sentence for each finding; empty where all is well.
  type: list
  elements: str
"""

import typing as t
from collections.abc import Mapping

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _external, _inventory, _sites, _variables


def inventory_errors(groups: dict[str, t.Any], hostvars: t.Any) -> list[str]:
    errors = _inventory.group_errors(groups)
    if errors:
        return errors
    hosts = {name: hostvars[name] for name in _inventory.cluster_hosts(groups)}
    # Without these nothing else can be told of a host.
    errors = _inventory.connection_errors(hosts) or _inventory.twin_errors(hosts)
    if errors:
        return errors
    roles, playbooks = _variables.role_options(), _variables.read_options(_variables.PLAYBOOKS)
    return [
        *_inventory.secret_errors(groups, hosts),
        *_inventory.derived_errors(
            hosts, {name: option for of_role in roles.values() for name, option in of_role.items()}
        ),
        *_variables.variable_errors(hosts, roles, playbooks),
        *_external.external_errors(groups, hosts, _variables.Settings(hosts, playbooks)),
        *_site_errors(hosts, playbooks),
    ]


def _site_errors(hosts: Mapping[str, t.Any], playbooks: _variables.Options) -> list[str]:
    """What is wrong with the sites, as the first host has them; a list of a wrong form was told as a wrong value."""
    settings = _variables.Settings(hosts, playbooks)
    return _sites.site_errors(settings.value(next(iter(hosts)), "webcluster_sites") or [])


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"inventory_errors": inventory_errors}
