# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: firewall_openings
short_description: Join what several lists let in to a host
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Makes one entry for each protocol and port, with the networks of all lists, none within another one.
  - The order of the lists does not matter, so that a file made of the result changes only where the meaning does.
options:
  _input:
    description:
      - Entries with C(port), and C(protocol), which is V(tcp) when left out, C(sources), addresses and networks, everybody when
        left out, and C(purpose). Where several lists have a purpose for a port, this one's counts.
    type: list
    elements: dict
    required: true
  more:
    description: More such entries.
    type: list
    elements: dict
    default: []
seealso:
  - plugin: siteops.webcluster.firewall_errors
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what a host lets in
  ansible.builtin.debug:
    msg: "{{ [{'port': 80}] | siteops.webcluster.firewall_openings([{'port': 3306, 'sources': ['10.0.0.4', '10.0.0.5']}]) }}"
"""

RETURN = r"""
_value:
  description: Entries with C(protocol), C(port), C(sources) and C(purpose), in the order of protocol and port.
  type: list
  elements: dict
  sample:
    - {protocol: tcp, port: 80, sources: [0.0.0.0/0, "::/0"], purpose: ""}
    - {protocol: tcp, port: 3306, sources: [10.0.0.4/31], purpose: ""}
"""

import typing as t
from collections.abc import Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _firewall


def firewall_openings(
    entries: Sequence[_firewall.Entry], more: Sequence[_firewall.Entry] = ()
) -> list[_firewall.Opening]:
    return _firewall.openings(entries, more)


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"firewall_openings": firewall_openings}
