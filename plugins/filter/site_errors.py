# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_errors
short_description: What is wrong with a list of sites
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Names what makes no site, or no two sites side by side - a domain of two sites, a name that no user can have, a path that leads
    elsewhere, an extension that the system does not have.
  - Takes the entries of C(webcluster_sites), and of the options of the roles that hold parts of them.
options:
  _input:
    description: The sites.
    type: list
    elements: dict
    required: true
  extensions:
    description: PHP extensions that the system has, by their names; not given, none is looked for.
    type: list
    elements: str
  system:
    description: Name of that system, for the sentence.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Refuse sites that cannot be
  ansible.builtin.assert:
    that: (sites | siteops.webcluster.site_errors) | length == 0
    fail_msg: "{{ sites | siteops.webcluster.site_errors | join(' ') }}"
  vars:
    sites:
      - name: shop
        domains: [shop.example]
"""

RETURN = r"""
_value:
  description: One sentence for each finding; empty where all is well.
  type: list
  elements: str
"""

import typing as t
from collections.abc import Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _sites


def site_errors(
    sites: Sequence[_sites.SiteValues], extensions: Sequence[str] | None = None, system: str = ""
) -> list[str]:
    unknown = [] if extensions is None else _sites.unknown_extensions(sites, extensions, system)
    return [*_sites.site_errors(sites), *unknown]


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"site_errors": site_errors}
