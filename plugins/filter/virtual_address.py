# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: virtual_address
short_description: Whether a host can share an address with others, and by which network interface
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Looks for the network interface that has the host's own address, and names what keeps the host from sharing another one.
options:
  _input:
    description: The options of the role P(siteops.webcluster.keepalived#role), by their names.
    type: dict
    required: true
  facts:
    description: Facts of the host, those of its network interfaces among them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse what cannot be shared
  ansible.builtin.assert:
    that: (settings | siteops.webcluster.virtual_address(ansible_facts)).errors | length == 0
"""

RETURN = r"""
_value:
  description: C(interface), empty where no interface has the address, and C(errors), one sentence for each finding.
  type: dict
  sample: {"interface": "eth0", "errors": []}
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _virtual_address


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"virtual_address": _virtual_address.plan}
