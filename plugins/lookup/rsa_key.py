# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rsa_key
short_description: A private key that is made at first use
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Returns the text of a file on the controller. Where there is none yet, an RSA key of 2048 bits is made and put there, readable by its
    owner only. It is what P(ansible.builtin.password#lookup) is for passwords.
  - Several workers may ask at the same time; all get the same key.
requirements:
  - cryptography on the controller
options:
  _terms:
    description: Paths of the files.
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: One account for all load balancers
  ansible.builtin.set_fact:
    haproxy_acme_account_key: "{{ lookup('siteops.webcluster.rsa_key', inventory_dir ~ '/.secrets/acme_account.pem') }}"
"""

RETURN = r"""
_raw:
  description: The keys, in PEM.
  type: list
  elements: str
"""

import os
import tempfile
import typing as t
from pathlib import Path

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _acme


def key_of(path: Path) -> str:
    """The text of the file, which is made where it is missing."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whole under another name first, for its owner only; the first one to give it its name wins.
        handle, whole = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(_acme.new_key())
            try:
                os.link(whole, path)
            except FileExistsError:
                return path.read_text(encoding="utf-8")
        finally:
            os.unlink(whole)
    return path.read_text(encoding="utf-8")


class LookupModule(LookupBase):
    """Ansible lookup."""

    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        if _acme.MISSING:
            raise AnsibleLookupError(
                f"A key needs the Python package cryptography on the controller ({_acme.MISSING}): install it beside Ansible."
            )
        try:
            return [key_of(Path(term).expanduser()) for term in terms]
        except OSError as error:
            raise AnsibleLookupError(
                f"{error.filename} cannot be read or made ({error.strerror}); expected a file of yours: correct the path or its"
                " rights."
            ) from error
