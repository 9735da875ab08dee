# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: release_request
short_description: Where the code of a release lies
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Finds the source of a version of a site, or says in sentences why there is none.
options:
  _input:
    description: What P(siteops.webcluster.topology#filter) returns.
    type: dict
    required: true
  site:
    description: Name of the site.
    type: str
    required: true
  version:
    description: Version that takes the place of C({version}) in the site's source, or that git checks out; otherwise only its name in the log.
    type: str
    default: ""
  source:
    description: Path on the controller; empty for the source of the site's entry.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Find the code of the release
  ansible.builtin.set_fact:
    request: "{{ webcluster_topology | siteops.webcluster.release_request('shop', '1.4') }}"
"""

RETURN = r"""
_value:
  description:
    - C(errors) are sentences about what makes it impossible, C(version) is what it is called.
    - C(pack) is what M(siteops.webcluster.site_archive) gets as C(sites), C(build) what is run before, with C(name), C(command) and
      C(folder), C(checkout) what git checks out before that, with C(name), C(url), C(key_file), C(version) and C(folder).
  type: dict
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _releases


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"release_request": _releases.release_request}
