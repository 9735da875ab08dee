# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: data_servers
short_description: The data servers of a web cluster, and how to ask each of them
version_added: 0.1.0
author: siteops contributors (@siteops)
description:
  - Lists every data server of the inventory with the login that M(siteops.webcluster.replication_status) needs on the server's own host.
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
- name: Show how each data server is asked
  ansible.builtin.debug:
    msg: "{{ groups | siteops.webcluster.data_servers(hostvars) }}"
"""

RETURN = r"""
_value:
  description:
    - One entry for each server, with C(host), C(engine), C(login_user) and C(login_port).
    - C(login_password) is the name of the variable that holds the password, C(login_file) where the host keeps a login.
    - A server that is asked over its unix socket has empty ones.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _topology


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"data_servers": _topology.data_servers}
