# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: update_errors
short_description: Why web servers may not be taken out of the load balancers now
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Every other web server must serve on every load balancer, but for those that an interrupted run has left drained and that still have
    their turn. One at least must serve.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  looks:
    description: Results of a loop of M(siteops.webcluster.haproxy_server_info) over C(load_balancers).
    type: list
    elements: dict
    required: true
  batch:
    description: Names of the web servers that are to be taken out.
    type: list
    elements: str
    required: true
  run:
    description: Names of all web servers of the run.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Stop unless the others serve
  ansible.builtin.assert:
    that: (webcluster_topology | siteops.webcluster.update_errors(known.results, ['web1'], ['web1', 'web2'])) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence for each finding; empty where they may.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _update


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"update_errors": _update.update_errors}
