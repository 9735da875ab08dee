# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_files
short_description: The files from which HAProxy reads certificates
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Names each file by what is in it. So a new certificate never takes the place of one that a running configuration names.
options:
  _input:
    description: The certificates, as O(siteops.webcluster.certificate_errors#filter:_input) describes them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Bring the certificates
  siteops.webcluster.file_tree:
    path: /etc/haproxy/certificates
    secret_files: "{{ haproxy_https_certificates | siteops.webcluster.certificate_files }}"
    mode: "0600"
"""

RETURN = r"""
_value:
  description: Texts by the names of their files, in the order of the certificates.
  type: dict
  sample: {"3d1f7a0c9b2e4f58.pem": "-----BEGIN CERTIFICATE----- ... -----BEGIN PRIVATE KEY----- ..."}
"""

import hashlib
import typing as t


def certificate_files(certificates: list[dict[str, str]]) -> dict[str, str]:
    texts = [f"{one['certificate'].strip()}\n{one['private_key'].strip()}\n" for one in certificates]
    return {f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.pem": text for text in texts}


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_files": certificate_files}
