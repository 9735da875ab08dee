# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_errors
short_description: Which hosts of a web cluster cannot be worked on, and why
version_added: 0.1.0
author: siteops contributors (@siteops)
description:
  - Names each host that did not answer over SSH, that gave no facts, or that runs a system which the roles do not know;
    their files C(vars/<Distribution>_<release>.yml) are the list.
  - Names each variable that has no value although the facts are there.
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The C(hostvars) variable.
      - C(__webcluster_met) of each host holds the result of M(ansible.builtin.setup) with C(ignore_unreachable).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Stop on a host that cannot be worked on
  ansible.builtin.assert:
    that: (ansible_play_hosts_all | siteops.webcluster.host_errors(hostvars)) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence for each finding; empty where all is well.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _hosts, _variables


def host_errors(hosts: list[str], hostvars: t.Any) -> list[str]:
    met = {name: hostvars[name] for name in hosts}
    errors = _hosts.host_errors(hosts, met)
    if errors:
        return errors
    options = _variables.role_options(), _variables.read_options(_variables.PLAYBOOKS)
    return _variables.variable_errors(met, *options, facts_are_there=True)


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"host_errors": host_errors}
