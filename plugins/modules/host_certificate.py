#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_certificate
short_description: Give a server a certificate that the cluster's own authority has signed
version_added: 0.3.0
description:
  - Looks at the certificate that lies on the host, and brings a new one where there is none, another authority has signed it, it
    is for other names, or the last third of its 825 days has begun.
  - The controller makes key and certificate and keeps neither. The authority's private key never leaves the controller.
  - Key and certificate are one file, C(server.pem), which is replaced in one step; beside it lies the authority, C(ca.pem).
  - The service is not told; a server that takes new certificates while it runs needs no restart.
author:
  - siteops contributors (@siteops)
requirements:
  - cryptography on the controller
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description: Shows the authority; key and certificate are not shown.
    support: full
  platform:
    description: Target operating systems.
    support: full
    platforms: posix
options:
  path:
    description: Directory of the two files. It is created when missing.
    type: path
    required: true
  names:
    description: Host names and addresses for which clients accept the certificate, the server's own name first.
    type: list
    elements: str
    required: true
  group:
    description: Group that may read the files, by name or number.
    type: str
  authority_certificate:
    description: Certificates of the authority in PEM. The first one signs, all are trusted by the server.
    type: str
    required: true
  authority_private_key:
    description: Private key of the first of them in PEM, without a passphrase. It is not sent to the host.
    type: str
"""

EXAMPLES = r"""
- name: Give the server its certificate
  siteops.webcluster.host_certificate:
    path: /etc/webcluster-redis-tls
    names: ["{{ inventory_hostname }}", "{{ ansible_host }}", localhost, 127.0.0.1]
    group: redis
    authority_certificate: "{{ webcluster_ca_certificate }}"
    authority_private_key: "{{ webcluster_ca_private_key }}"
"""

RETURN = r"""
reason:
  description: Why there is a new certificate; empty where the present one stays.
  returned: success
  type: str
  sample: it ends on 2027-03-01
ends:
  description: The moment at which the server's certificate ends, in ISO 8601; empty in check mode where a new one would be made.
  returned: success
  type: str
  sample: "2029-03-01T10:00:00+00:00"
certificate:
  description: The certificate that lay on the host, in PEM; empty where there was none.
  returned: always
  type: str
  sample: ""
authority:
  description: The certificates of the authority that lay beside it.
  returned: always
  type: str
  sample: ""
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._pem import certificates


def certificates_of(path: Path) -> str:
    return certificates(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "group": {"type": "str"},
            "authority_certificate": {"type": "str", "required": True},
            "authority_private_key": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    folder = Path(module.params["path"])
    module.exit_json(
        changed=False,
        certificate=certificates_of(folder / "server.pem"),
        authority=certificates_of(folder / "ca.pem"),
    )


if __name__ == "__main__":
    main()
