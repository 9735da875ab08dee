# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: firewall_errors
short_description: What is wrong with the openings of a firewall
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Names entries that no firewall could follow, and says where the run would lock itself out.
options:
  _input:
    description: Lists of entries as P(siteops.webcluster.firewall_openings#filter) takes them, by the variables that hold them.
    type: dict
    required: true
  connection:
    description: How the run came to the host, as M(siteops.webcluster.firewall_info) tells it; nothing where it did not come over a port.
    type: dict
"""

EXAMPLES = r"""
- name: Refuse what would lock this run out
  ansible.builtin.assert:
    that: "({'my_openings': my_openings} | siteops.webcluster.firewall_errors(look.connection)) | length == 0"
"""

RETURN = r"""
_value:
  description: One sentence for each finding; empty where all is well.
  type: list
  elements: str
"""

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _firewall


def firewall_errors(
    lists: Mapping[str, Sequence[_firewall.Entry]], connection: _firewall.Connection | None = None
) -> list[str]:
    errors = [error for variable, entries in lists.items() for error in _firewall.entry_errors(variable, entries)]
    return errors or list(_firewall.lock_out_errors(_firewall.openings(*lists.values()), connection))


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"firewall_errors": firewall_errors}
