# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_authority
short_description: The cluster's own certificate authority, made at first use
version_added: 0.3.0
author: siteops contributors (@siteops)
description:
  - Reads an authority that signs the certificates of a cluster's servers from a file on the controller, and makes it where there
    is no such file, as P(ansible.builtin.password#lookup) does for passwords.
  - The file has mode 0600 and is never written again. Two runs that begin at the same moment get the same authority.
  - A new one is valid for ten years and has a key on the curve P-256.
requirements:
  - cryptography on the controller
options:
  _terms:
    description: Path of the file.
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
# group_vars/webcluster/secrets.yml
webcluster_ca_certificate: "{{ lookup('siteops.webcluster.certificate_authority', webcluster_secrets ~ '/ca.pem').certificate }}"
webcluster_ca_private_key: "{{ lookup('siteops.webcluster.certificate_authority', webcluster_secrets ~ '/ca.pem').private_key }}"
"""

RETURN = r"""
_raw:
  description: The authority of each file.
  type: list
  elements: dict
  contains:
    certificate:
      description: Its certificates in PEM; the first one signs, all are trusted.
      type: str
    private_key:
      description: The private key of the first certificate in PEM.
      type: str
"""

import os
import tempfile
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _cluster_ca

BEGIN = "-----BEGIN CERTIFICATE-----"


def make(path: Path) -> None:
    """Make the file, unless somebody else has made it meanwhile; nobody sees half of it."""
    certificate, private_key = _cluster_ca.make_authority(datetime.now(UTC))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(private_key + certificate)
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)


def read(path: Path) -> dict[str, str]:
    """Return the two parts of the file; what they are worth is judged before they are used."""
    private_key, mark, certificates = path.read_text(encoding="utf-8").partition(BEGIN)
    if not mark or not private_key.strip():
        raise AnsibleLookupError(
            f"{path} holds no private key and certificate after it; expected the authority of this cluster: bring the file back, or"
            " remove it, and the next run makes a new authority."
        )
    return {"certificate": mark + certificates, "private_key": private_key}


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[dict[str, str]]:
        self.set_options(var_options=variables, direct=kwargs)
        missing = _cluster_ca.missing_error()
        if missing:
            raise AnsibleLookupError(missing)
        found = []
        for path in map(Path, terms):
            try:
                if not path.exists():
                    make(path)
                found.append(read(path))
            except (OSError, UnicodeDecodeError) as error:
                raise AnsibleLookupError(f"The authority {path} cannot be read or made: {error}") from None
        return found
