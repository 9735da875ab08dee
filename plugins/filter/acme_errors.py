# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: acme_errors
short_description: Why an ACME authority could not give certificates
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Names each certificate that cannot be got over HTTP-01, and each setting of the account that cannot work.
  - The authority itself is not asked.
requirements:
  - cryptography on the controller
options:
  _input:
    description: The certificates that are wanted.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the certificate.
        type: str
        required: true
      domains:
        description: Host names that it is for.
        type: list
        elements: str
        required: true
  account_key:
    description: Private key of the account, in PEM.
    type: str
    required: true
  directory:
    description: Address of the authority's directory.
    type: str
    required: true
  contact:
    description: E-mail address for the authority; empty for none.
    type: str
    default: ""
  authorities:
    description: Certificates of a private authority, in PEM; empty for none.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Stop where no certificate could be got
  ansible.builtin.assert:
    that: >-
      (haproxy_acme_certificates | siteops.webcluster.acme_errors(haproxy_acme_account_key, haproxy_acme_directory)) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence for each thing that is wrong; empty where all is well, and where no certificate is wanted.
  type: list
  elements: str
  sample:
    - "haproxy_acme_certificates: shop has the domain *.shop.example, for which HTTP-01 gives no certificate; expected host names:
      write them out, or bring a certificate of your own."
"""

import typing as t
from collections.abc import Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _acme


def acme_errors(
    certificates: Sequence[_acme.Wanted], account_key: str, directory: str, contact: str = "", authorities: str = ""
) -> list[str]:
    if not certificates:
        return []
    if _acme.MISSING:
        raise AnsibleFilterError(
            f"haproxy_acme_certificates needs the Python package cryptography on the controller ({_acme.MISSING}): install it"
            " beside Ansible."
        )
    return list(_acme.problems(certificates, account_key, directory, contact, authorities))


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"acme_errors": acme_errors}
