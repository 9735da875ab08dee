#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what a copy of this primary's data would be, and send one to a replica."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_seed_source
short_description: Send a copy of a MariaDB primary's data to a new replica
version_added: 0.3.0
description:
  - The primary's side of M(siteops.webcluster.mysql_seed). It changes nothing in the server.
  - The copy is made by C(mariadb-backup) while the server works, and goes as it is made over TLS to the replica, which listens.
    Each side takes the other's certificate of this one copy only; keys never leave their hosts.
  - It ends when the replica is gone, or does not listen within 90 seconds.
options:
  state:
    description:
      - V(described) tells what a replica needs to know to decide.
      - V(keyed) makes a key and returns its certificate, with which V(sent) then makes a copy and sends it.
    type: str
    choices: [described, keyed, sent]
    default: described
  host:
    description: Address at which the replica listens. Needed for O(state=keyed) and O(state=sent).
    type: str
  port:
    description: Port at which it listens.
    type: int
    default: 4444
  certificate:
    description: Certificate of the replica for this copy. Needed for O(state=sent).
    type: str
  timeout:
    description: Seconds to wait with O(state=described) for a primary that is stopped and holds data.
    type: int
    default: 60
attributes:
  check_mode:
    description: Can run in check mode; no copy is made then.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
extends_documentation_fragment:
  - siteops.webcluster.mysql_login
author:
  - siteops contributors (@siteops)
"""

EXAMPLES = r"""
- name: Ask the primary what a copy of it would be
  siteops.webcluster.mysql_seed_source:
  delegate_to: db1
  register: source

- name: Send a copy to the replica while it listens
  siteops.webcluster.mysql_seed_source:
    state: sent
    host: 10.0.0.21
    certificate: "{{ replica.certificate }}"
  delegate_to: db1
  async: 86400
  poll: 0
"""

RETURN = r"""
source:
  description: What the replica needs to know to decide, for O(state=described).
  type: dict
  returned: when it was asked
  sample: {flavor: mariadb, version: 11.8.6, in_logs: false, size: 268435456, written: 0-7-1200, schemas: [shop]}
certificate:
  description: Certificate of this side for one copy, for O(state=keyed).
  type: str
  returned: when one was made
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import server as servers
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    Client,
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.content import READ_SCHEMAS
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.channel import SeedError, make_identity
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.copy import send_copy, size_of
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.place import FOLDER, own_folder
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.at_rest import is_empty
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import MysqlProbe

ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["described", "keyed", "sent"], "default": "described"},
    "host": {"type": "str"},
    "port": {"type": "int", "default": 4444},
    "certificate": {"type": "str"},
    "timeout": {"type": "int", "default": 60},
    "login_unix_socket": {"type": "path"},
}


def describe(client: Client) -> dict[str, Any]:
    """Return the dictionary that mysql_seed takes."""
    server = servers.read_server(*client.query([servers.READ_VARIABLES, READ_SCHEMAS]))
    seen = MysqlProbe(client).look().found
    # A server that was filled with a copy has the older numbers in its position only.
    states = (server.variables.get(name, "") for name in ("gtid_binlog_state", "gtid_slave_pos", "gtid_executed"))
    return {
        "flavor": server.flavor,
        "version": ".".join(str(part) for part in server.version),
        "in_logs": getattr(seen, "in_logs", None),
        "size": size_of(Path(server.variables.get("datadir") or "/var/lib/mysql")),
        "written": ",".join("".join(state.split()) for state in states if state),
        "schemas": list(server.content.schemas),
        "own_id": (server.variables.get("server_uuid") or server.variables.get("server_id") or "").lower(),
    }


# A primary that the same run sets up beside its replica: it holds nothing that its logs are not going to have.
NOT_THERE_YET: dict[str, Any] = {
    "flavor": "",
    "version": "",
    "in_logs": None,
    "size": 0,
    "written": "",
    "schemas": [],
    "own_id": "",
}


def describe_soon(client: Client, timeout: float, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Describe the primary, or one that is not there yet; one that is stopped and holds data may be started by the same run."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return describe(client)
        except MysqlError as error:
            if not servers.is_absent(error):
                raise
            if is_empty("mysql"):
                return NOT_THERE_YET
            if time.monotonic() > deadline:
                raise
        sleep(1)


def send(params: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make a key, or a copy and send it; several replicas may be filled at once."""
    mine = own_folder(own_folder(folder) / f"to-{params['host'].replace('/', '-')}")
    if params["state"] == "keyed":
        return {"changed": True, "certificate": make_identity(mine)}
    try:
        send_copy(mine, params["host"], params["port"], params["certificate"])
    finally:
        shutil.rmtree(mine, ignore_errors=True)
    return {"changed": True}


def run(module: AnsibleModule, client: Client, folder: Path = FOLDER) -> dict[str, Any]:
    """Return the module's result."""
    params = module.params
    result: dict[str, Any] = {"changed": True}
    try:
        if params["state"] == "described":
            timeout = 0 if module.check_mode else params["timeout"]
            result = {"changed": False, "source": describe_soon(client, timeout)}
        elif not module.check_mode:
            result = send(params, folder)
    except MysqlError as error:
        if module.check_mode and servers.is_absent(error):
            return {"changed": False, "source": NOT_THERE_YET}
        module.fail_json(msg=f"MySQL: the primary does not answer: {error.message}; nothing was changed")
    except SeedError as error:
        module.fail_json(msg=f"MySQL: no copy was sent: {error}")
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_if=[("state", "keyed", ["host"]), ("state", "sent", ["host", "certificate"])],
    )
    os.umask(0o077)
    if module.params["state"] == "sent":
        # The primary's own work goes first.
        os.nice(10)
    client = MysqlClient(MysqlLogin(unix_socket=module.params["login_unix_socket"]))
    module.exit_json(**run(module, client))


if __name__ == "__main__":
    main()
