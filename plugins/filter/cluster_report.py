# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_report
short_description: One report over all tiers of a web cluster
version_added: 0.1.0
author: siteops contributors (@siteops)
description:
  - Joins the topology, the looks at each data server and the looks through the front doors into rows, reasons and a verdict.
options:
  _input:
    description: The result of P(siteops.webcluster.topology#filter).
    type: dict
    required: true
  hostvars:
    description:
      - The C(hostvars) variable.
      - C(__webcluster_verdicts) of each data host holds its results of M(siteops.webcluster.replication_status), from a loop over
        the host's entries of C(servers) of the topology.
      - C(__webcluster_services) of each host holds its result of M(siteops.webcluster.outdated_services), where it was asked.
    type: dict
    required: true
  doors:
    description: Results of M(siteops.webcluster.front_door), from a loop over C(doors) of the topology.
    type: list
    elements: dict
    required: true
  elsewhere:
    description: Results of a loop over members that are outside of a limited run.
    type: list
    elements: dict
    default: []
  now:
    description: The moment to judge certificates by; the present one by default.
    type: raw
  ports:
    description: Result of M(siteops.webcluster.azure_ports) with O(siteops.webcluster.azure_ports#module:fail=false), where the inventory is Azure's.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the report
  ansible.builtin.debug:
    msg: "{{ (webcluster_topology | siteops.webcluster.cluster_report(hostvars, doors.results)).table }}"
"""

RETURN = r"""
_value:
  description:
    - C(healthy) is the verdict, C(reasons) says why not, C(notes) what else to know.
    - C(servers) has one row for each server, C(table) the same for a terminal, C(item) the written item's way.
    - C(summary) says in a few lines what the cluster consists of.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _report


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cluster_report": _report.cluster_report}
