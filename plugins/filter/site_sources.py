# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_sources
short_description: Which code a run of the whole cluster packs
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - A release that an operator has put in place stays, and is packed only where a web server of the run lacks it. Other sites get what
    their source holds.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  hostvars:
    description:
      - The C(hostvars) variable.
      - C(__webcluster_known_releases) of each web server holds its result of M(siteops.webcluster.site_release_info).
    type: dict
    required: true
  elsewhere:
    description: Results of a loop over the names of web servers that are outside of a limited run.
    type: list
    elements: dict
    required: true
  run:
    description: Names of the hosts of the run.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Find the code of each site
  ansible.builtin.set_fact:
    sources: "{{ webcluster_topology | siteops.webcluster.site_sources(hostvars, [], ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description:
    - C(pack) is what M(siteops.webcluster.site_archive) gets as C(sites), C(build) what is run before, with C(name), C(command) and
      C(folder), C(checkout) what git checks out before that, with C(name), C(url), C(key_file), C(version) and C(folder),
      C(notes) sentences about the releases that stay.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _releases


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"site_sources": _releases.site_sources}
