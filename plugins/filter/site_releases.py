# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_releases
short_description: Which release each site gets in a run of the whole cluster
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - What an operator has put in place stays, otherwise it is what the packed source holds.
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
  archives:
    description: What M(siteops.webcluster.site_archive) returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Decide which release each site gets
  ansible.builtin.set_fact:
    webcluster_releases: "{{ webcluster_topology | siteops.webcluster.site_releases(hostvars, [], packed.archives) }}"
"""

RETURN = r"""
_value:
  description: By the site's name its C(release), C(version), C(archive) and C(released), who put it in place.
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _releases


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"site_releases": _releases.site_releases}
