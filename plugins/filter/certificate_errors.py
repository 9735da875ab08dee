# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_errors
short_description: Which certificates cannot be served, and why
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Names each certificate that is no PEM text, whose private key is another one's or has a passphrase, whose chain is out of
    order, that is for no host name, or that is not valid any more.
  - Whether clients trust it, and which names it is for, is not looked at.
requirements:
  - cryptography on the controller
options:
  _input:
    description: The certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      certificate:
        description: The server's own certificate and after it those that signed it, in PEM.
        type: str
        required: true
      private_key:
        description: Its private key in PEM, without a passphrase.
        type: str
        required: true
  option:
    description: Name of the variable that holds them, for the sentences.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Stop on a certificate that cannot be served
  ansible.builtin.assert:
    that: (haproxy_https_certificates | siteops.webcluster.certificate_errors('haproxy_https_certificates')) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence for each certificate that cannot be served; empty where all is well.
  type: list
  elements: str
  sample:
    - "haproxy_https_certificates, number 1: private_key is not the key of 'CN=www.example.org': give the one that it was made for,
      and the server's own certificate first."
"""

import typing as t
from datetime import UTC, datetime

from ansible.errors import AnsibleFilterError
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _certificates


def certificate_errors(certificates: list[dict[str, str]], option: str) -> list[str]:
    if not certificates:
        return []
    if _certificates.MISSING:
        raise AnsibleFilterError(
            f"{option} needs the Python package cryptography on the controller ({_certificates.MISSING}): install it beside Ansible."
        )
    return list(_certificates.problems(option, certificates, datetime.now(UTC)))


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_errors": certificate_errors}
