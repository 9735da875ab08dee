# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: topology
short_description: Who is primary and who replicates, from the live servers first
version_added: 0.1.0
author: siteops contributors (@siteops)
description:
  - Joins the groups of the inventory with what M(siteops.webcluster.replication_status) found on each server.
  - A live primary stays primary, whatever the inventory says; the inventory decides only where no server answers.
options:
  _input:
    description: The C(groups) variable.
    type: dict
    required: true
  hostvars:
    description:
      - The C(hostvars) variable.
      - C(__webcluster_looks) of each data host holds its results of M(siteops.webcluster.replication_status), from a loop over the
        host's entries of P(siteops.webcluster.data_servers#filter).
    type: dict
    required: true
  elsewhere:
    description: Results of a loop over members that are outside of a limited run.
    type: list
    elements: dict
    default: []
  must_answer:
    description: Names of hosts whose look must be there; one that is missing, unreachable or failed is an error.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Decide who is who
  ansible.builtin.set_fact:
    webcluster_topology: "{{ groups | siteops.webcluster.topology(hostvars) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(errors) and C(notes) are lists of sentences, C(load_balancers) and C(web) lists of C(name), C(address) and C(port).
    - C(engines) holds C(title), C(primary), C(replicas), C(decided_by), which is V(live) or V(inventory), and C(disputed), whether
      the servers disagree, for each kind of data server that the inventory has.
    - C(external) holds C(title), C(write), C(read), C(user), C(ca_file) and C(asked_on), the web server that asks it, for each kind that
      is an endpoint in place of hosts.
    - C(tiers) says what each host is converged to, C(arguments) with which arguments of the roles,
      C(flows) which connections it must take, with C(protocol), C(port), C(sources) and C(purpose).
    - C(sites) lists what is served, C(removed) what may go of sites that were taken out of the list.
    - C(servers) lists the data servers and endpoints with what is expected of each, C(doors) the addresses at which visitors come in and
      what must be seen there, C(served_as) the name that each web server gives itself, C(statistics) the load balancers' pages.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _topology


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"topology": _topology.topology}
