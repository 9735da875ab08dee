# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: acme_thumbprint
short_description: The thumbprint of an ACME account
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Computes what stands in the answer to each challenge of an account (RFC 7638). It is no secret.
  - Expects a key that P(siteops.webcluster.acme_errors#filter) finds nothing wrong with.
requirements:
  - cryptography on the controller
options:
  _input:
    description: Private key of the account, an RSA key in PEM.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what challenges are answered with
  ansible.builtin.debug:
    msg: "{{ haproxy_acme_account_key | siteops.webcluster.acme_thumbprint }}"
"""

RETURN = r"""
_value:
  description: SHA-256 of the public key in the form of a JSON Web Key, in base64 for addresses.
  type: str
  sample: NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs
"""

import typing as t

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _acme


def acme_thumbprint(account_key: str) -> str:
    return _acme.thumbprint(account_key)


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"acme_thumbprint": acme_thumbprint}
