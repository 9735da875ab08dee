#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_info
short_description: Look at what a host's firewall must leave open, and at what it is now
version_added: 0.3.0
description:
  - Finds the ports of SSH, and the connection by which the run came, whatever port and user it took; so that a firewall can leave
    both open.
  - Tells whether nftables is installed, whether a table is loaded, and what a file of openings says.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Nothing is changed in either mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  table:
    description: Family and name of the table.
    type: str
    required: true
  openings_file:
    description: File with the openings that were given to the table, as JSON.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Look at the firewall
  siteops.webcluster.firewall_info:
    table: inet siteops_webcluster
    openings_file: /etc/webcluster-firewall/openings.json
  register: look
"""

RETURN = r"""
nftables:
  description: Whether nftables is installed.
  returned: success
  type: bool
loaded:
  description: Whether the table is loaded.
  returned: success
  type: bool
openings:
  description: What O(openings_file) says; nothing where it is not there or cannot be read.
  returned: success
  type: list
  elements: dict
ssh_ports:
  description: Ports at which SSH listens, and the one by which the run came; 22 where neither is known.
  returned: success
  type: list
  elements: int
  sample: [22]
connection:
  description: Where the run comes from and the port it came to, as this host sees it; nothing where it came by no port.
  returned: success
  type: dict
  sample: {address: 192.0.2.7, port: 22}
listening:
  description: TCP ports that are open beyond the host itself, each with the program that has it.
  returned: success
  type: list
  elements: dict
  sample: [{port: 22, program: sshd}]
"""

import json
import shutil
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._firewall import connection, listeners, ssh_ports


def openings(path: str) -> list[t.Any] | None:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, list) else None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "table": {"type": "str", "required": True},
            "openings_file": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    program = shutil.which("nft", path="/usr/sbin:/sbin")
    asked = [program or "", "list", "table", *module.params["table"].split()]
    came_by, listening = connection(), listeners()
    module.exit_json(
        changed=False,
        nftables=bool(program),
        loaded=bool(program) and module.run_command(asked)[0] == 0,
        openings=openings(module.params["openings_file"]),
        ssh_ports=ssh_ports(listening, came_by),
        connection={"address": came_by.remote_address, "port": came_by.port} if came_by else None,
        listening=[{"port": port, "program": name} for port, name in listening],
    )


if __name__ == "__main__":
    main()
