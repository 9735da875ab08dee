# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_plan
short_description: A role's sites with all that was left out, and the order of their names
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Gives each site of an option the defaults that the role's argument spec has for it.
  - Sorts the names of the sites so that a server which takes the first name that fits takes the most exact one.
options:
  _input:
    description: The value of the option.
    type: list
    elements: dict
    required: true
  option:
    description: The option, C(apache_php_sites) or C(haproxy_http_sites).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show which name leads where
  ansible.builtin.debug:
    msg: "{{ (apache_php_sites | siteops.webcluster.site_plan('apache_php_sites')).faces }}"
"""

RETURN = r"""
_value:
  description:
    - C(sites) are the sites with all their options, and for a web server with C(user), C(readers) (the group that Apache is in),
      C(home) and C(environment_file), C(default) the one that has the domain C(*), or nothing.
    - C(faces) lists C(site) and C(domains), names that lead to it; what has a C(*) comes after what has none.
  type: dict
"""

import typing as t
from collections.abc import Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _sites, _variables

ROLES = {"apache_php_sites": "apache_php", "haproxy_http_sites": "haproxy"}


def site_plan(sites: Sequence[_sites.SiteValues], option: str) -> dict[str, t.Any]:
    specs = {option: _variables.read_options(_variables.ROLES / ROLES[option])[option]}
    whole = _variables.Settings({"here": {option: sites}}, specs).value("here", option)
    if option == "apache_php_sites":
        whole = [_sites.placed(site) for site in whole]
    return {"sites": whole, "faces": _sites.faces(whole), "default": _sites.default_site(whole)}


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"site_plan": site_plan}
