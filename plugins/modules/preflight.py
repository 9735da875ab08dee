#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Look at a host before anything is changed
version_added: 0.2.0
description:
  - Tells in one look which packages are missing, and what would keep a service from running here - a port that
    another program has, an address that is not the host's, a directory that is not there.
  - Changes nothing and does not fail, so that a role can tell all its findings at once.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode; it never changes anything.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  packages:
    description:
      - Debian packages that have to be installed.
      - One that C(dpkg-query) does not know by its name, a virtual package for example, counts as missing.
    type: list
    elements: str
    default: []
  listen:
    description: Places where the service is going to listen.
    type: list
    elements: dict
    default: []
    suboptions:
      addresses:
        description: Addresses, or V(*) for every one. A host name is not looked at.
        type: list
        elements: str
        required: true
      port:
        description: TCP port.
        type: int
        required: true
      program:
        description: Path of the service's program, which may have the port already.
        type: path
        required: true
      option:
        description: Variable that chooses the port, for the sentence.
        type: str
        required: true
      address_option:
        description: Variable that chooses the address, for the sentence. O(listen[].option) when left out.
        type: str
  directories:
    description: Directories that have to be there.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      option:
        description: Variable that holds the path, for the sentence.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Look at the host
  siteops.webcluster.preflight:
    packages: [haproxy]
    listen:
      - addresses: ["*"]
        port: 80
        program: /usr/sbin/haproxy
        option: haproxy_http_bind_port
  register: look

- name: Install what is missing
  ansible.builtin.apt:
    name: "{{ look.missing_packages }}"
  when: look.missing_packages | length > 0
"""

RETURN = r"""
missing_packages:
  description: Those of O(packages) that are not installed.
  returned: always
  type: list
  elements: str
  sample: [haproxy]
findings:
  description: What would keep the service from running, one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - "Port 80 is already taken by nginx (pid 512): stop that program, or choose another port with haproxy_http_bind_port."
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._preflight import (
    Listen,
    directory_findings,
    listen_findings,
    missing_packages,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "listen": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "addresses": {"type": "list", "elements": "str", "required": True},
                    "port": {"type": "int", "required": True},
                    "program": {"type": "path", "required": True},
                    "option": {"type": "str", "required": True},
                    "address_option": {"type": "str"},
                },
            },
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "option": {"type": "str", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    packages = module.params["packages"]
    # It ends with 1 as soon as one name is unknown; the others are answered all the same.
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Abbrev}\n", *packages]
    answer = module.run_command(query)[1] if packages else ""
    places = [
        Listen(
            tuple(place["addresses"]),
            place["port"],
            place["program"],
            place["option"],
            place["address_option"] or place["option"],
        )
        for place in module.params["listen"]
    ]
    directories = [(each["path"], each["option"]) for each in module.params["directories"]]
    module.exit_json(
        changed=False,
        missing_packages=missing_packages(packages, answer),
        findings=listen_findings(places) + directory_findings(directories),
    )


if __name__ == "__main__":
    main()
