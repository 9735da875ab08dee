# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_names
short_description: The host names that certificates are for
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Lists the names and addresses that clients accept the certificates for, their subjectAltName.
  - Expects certificates that P(siteops.webcluster.certificate_errors#filter) finds nothing wrong with.
requirements:
  - cryptography on the controller
options:
  _input:
    description: The certificates, as O(siteops.webcluster.certificate_errors#filter:_input) describes them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell which names are served over HTTPS
  ansible.builtin.debug:
    msg: "{{ haproxy_https_certificates | siteops.webcluster.certificate_names }}"
"""

RETURN = r"""
_value:
  description: Names in small letters, each once; C(*.example.org) is every name one level below.
  type: list
  elements: str
  sample: [www.example.org, "*.shop.example.org"]
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _certificates


def certificate_names(certificates: list[dict[str, str]]) -> list[str]:
    return _certificates.names(certificates)


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_names": certificate_names}
