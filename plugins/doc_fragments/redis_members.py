# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that ask every Redis server of a tier."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  members:
    description: Every server of the tier, primary and replicas.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the server, as it is told to people.
        type: str
        required: true
      host:
        description: Address of the server, as the others know it.
        type: str
        required: true
      port:
        description: Port of the server.
        type: int
        default: 6379
      login_user:
        description: ACL user with all rights.
        type: str
        required: true
      login_password:
        description: Password of that user.
        type: str
        required: true
      tls:
        description: Whether O(members[].port) speaks TLS.
        type: bool
        default: false
        version_added: 0.3.0
      ca_cert:
        description: File with the authorities that may have signed the server's certificate, on the host on which the module runs.
        type: path
        version_added: 0.3.0
"""
