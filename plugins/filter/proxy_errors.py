# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxy_errors
short_description: What is wrong with a list of those who are believed
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Names entries that are no address and no network, and those that are everybody.
options:
  _input:
    description: Addresses and networks of load balancers that say who the client is.
    type: list
    elements: str
    required: true
  option:
    description: The variable that holds them, for the sentence.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse what is no address
  ansible.builtin.assert:
    that: (my_proxies | siteops.webcluster.proxy_errors('my_proxies')) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence for each finding; empty where all is well.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _networks


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"proxy_errors": _networks.proxy_errors}
