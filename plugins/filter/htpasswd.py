# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: htpasswd
short_description: A password as a file of Apache's htpasswd holds it
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Gives the same text for the same password each time, which the formats with a salt do not.
  - For long random passwords only, as the format C({SHA}) has no salt.
options:
  _input:
    description: The password.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write who may come
  ansible.builtin.copy:
    content: "mysql:{{ password | siteops.webcluster.htpasswd }}\n"
    dest: /etc/store/users
    mode: "0600"
"""

RETURN = r"""
_value:
  description: What stands behind the name and the colon.
  type: str
"""

import base64
import hashlib
import typing as t


def htpasswd(password: str) -> str:
    """Hash a password in the format {SHA}."""
    digest = hashlib.sha1(password.encode("utf-8"), usedforsecurity=False).digest()
    return "{SHA}" + base64.b64encode(digest).decode("ascii")


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"htpasswd": htpasswd}
