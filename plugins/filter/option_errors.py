# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: option_errors
short_description: What is wrong with the values of a role's options
version_added: 0.2.0
author: siteops contributors (@siteops)
description:
  - Names what the validation of a role's arguments lets through, because it only tries to convert a value and the role still gets
    the one that was given, for example a list as C("a,b"), a password as a number, an empty value, or a port of 70000.
options:
  _input:
    description: Name of the role.
    type: str
    required: true
  values:
    description: The values by the names of the options.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse what cannot be meant
  ansible.builtin.assert:
    that: "'haproxy' | siteops.webcluster.option_errors({'haproxy_stats_port': haproxy_stats_port}) | length == 0"
"""

RETURN = r"""
_value:
  description: One sentence for each finding; empty where all is well.
  type: list
  elements: str
"""

import typing as t
from collections.abc import Mapping

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _variables


def option_errors(role: str, values: Mapping[str, t.Any]) -> list[str]:
    options = _variables.read_options(_variables.ROLES / role)
    # A value as a template has it is computed part by part, and is slow and loud to copy.
    plain = {name: _variables.resolve(values, name) for name in values if name in options}
    found = {name: _variables.value_error(name, value, options[name]) for name, value in plain.items()}
    return [f"Variable {name} has a wrong value: {problem}; correct it." for name, problem in found.items() if problem]


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"option_errors": option_errors}
