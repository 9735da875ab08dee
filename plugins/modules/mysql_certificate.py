#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a running MySQL or MariaDB server show the certificate of its files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_certificate
short_description: Let a running MySQL or MariaDB server show the certificate of its files
version_added: 0.3.0
description:
  - Compares the certificate that the server shows with that of M(siteops.webcluster.host_certificate), and lets it read its files
    again where they differ. No connection is closed, and nothing is written to the binary log.
  - MySQL takes the names of the files as well while it runs. MariaDB takes those at its start only, which RV(waits) tells.
  - The names themselves belong into an option file of the server.
options:
  path:
    description: Folder of C(server.pem), with key and certificate, and of C(ca.pem).
    type: path
    default: /etc/mysql/webcluster-tls
  login_unix_socket:
    description: Socket of the server. By default the usual ones are tried.
    type: path
attributes:
  check_mode:
    description: Can run in check_mode and return changed status without modifying the server.
    support: full
    details:
      - In check mode a server that is not there, or a certificate that is not, is reported as changed.
  diff_mode:
    description: Returns the fingerprints of both certificates.
    support: full
author:
  - siteops contributors (@siteops)
"""

EXAMPLES = r"""
- name: Give the server a certificate
  siteops.webcluster.host_certificate:
    path: /etc/mysql/webcluster-tls
    names: [db1, 10.0.0.20, localhost, 127.0.0.1]
    group: mysql
    authority_certificate: "{{ webcluster_ca_certificate }}"
    authority_private_key: "{{ webcluster_ca_private_key }}"

- name: Let the running server show it
  siteops.webcluster.mysql_certificate:
"""

RETURN = r"""
waits:
  description: Whether the server takes the files at its next start only.
  type: bool
  returned: success
statements:
  description: What the server was told, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [FLUSH LOCAL SSL]
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import server as servers
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.certificate import READ_SETTINGS, make_plan
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._pem import first_certificate

Connect = Callable[[MysqlLogin], MysqlClient]


def shown_certificate(connect: Connect, socket: str | None) -> str | None:
    """Return what the server shows whoever begins TLS; None where it knows no TLS."""
    client = connect(MysqlLogin(unix_socket=socket, tls="required"))
    try:
        return client.certificate()
    except MysqlError as error:
        if error.kind == "tls":
            return None
        raise
    finally:
        client.close()


def fingerprint(certificate: str | None) -> str:
    return f"SHA-256 {hashlib.sha256(bytes.fromhex(certificate)).hexdigest()}" if certificate else "none"


def run(module: AnsibleModule, connect: Connect) -> dict[str, Any]:
    """Return the module's result."""
    folder, socket = module.params["path"], module.params["login_unix_socket"]
    path = Path(folder) / "server.pem"
    client = connect(MysqlLogin(unix_socket=socket))
    try:
        own = first_certificate(path.read_text(encoding="utf-8"))
        rows = client.query([READ_SETTINGS])[0]
        variables = {str(row["Variable_name"]).lower(): row["Value"] or "" for row in rows}
        shown = shown_certificate(connect, socket)
        plan = make_plan(variables, folder, shown, own)
        if plan.statements and not module.check_mode:
            client.query(plan.statements)
            if shown_certificate(connect, socket) != own:
                module.fail_json(
                    msg=f"The server was told to read {path} again and shows another certificate: look into its log."
                )
    except (OSError, ValueError) as error:
        if module.check_mode and isinstance(error, FileNotFoundError):
            return {"changed": True, "waits": False, "statements": []}
        module.fail_json(
            msg=f"{path} cannot be read: {error}; expected key and certificate: let host_certificate make them."
        )
    except MysqlError as error:
        if module.check_mode and servers.is_absent(error):
            return {"changed": True, "waits": False, "statements": []}
        module.fail_json(msg=f"MySQL certificate: {error.message}", errno=error.errno, kind=error.kind)
    finally:
        client.close()
    diff = {"before": fingerprint(shown), "after": fingerprint(own)} if plan.statements else {}
    return {"changed": bool(plan.statements), "waits": plan.waits, "statements": [*plan.statements[1:]], "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": servers.TLS_FOLDER},
            "login_unix_socket": {"type": "path"},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module, MysqlClient))


if __name__ == "__main__":
    main()
