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
    another program has, an address that is not the host's, a directory that is not there, files that a mount would hide.
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
  offered:
    version_added: 0.3.0
    description: Packages that a choice of the user's needs, of which the package sources of the host have to offer each.
    type: dict
    suboptions:
      packages:
        description: Names of the packages.
        type: list
        elements: str
        required: true
      like:
        description: Pattern of the packages that tell what could be chosen, such as C(php[0-9]*-fpm).
        type: str
        required: true
      option:
        description: Variable that holds the choice, for the sentence.
        type: str
        required: true
  told:
    version_added: 0.3.0
    description: Pattern of the drop-in of a role, such as C(/etc/systemd/system/php*-fpm.service.d/webcluster.conf).
    type: str
    default: ""
  mounts:
    version_added: 0.3.0
    description: Folders that something is going to be mounted on. Where nothing is mounted yet, they have to be empty.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      site:
        description: Name of the site, for the sentence.
        type: str
        required: true
  accounts:
    version_added: 0.3.0
    description: Users and groups that have to have these numbers where they are there already.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user, or of the group.
        type: str
        required: true
      kind:
        description: What it is.
        type: str
        choices: [user, group]
        required: true
      number:
        description: Its number.
        type: int
        required: true
      site:
        description: Name of the site, for the sentence.
        type: str
        required: true
  paths:
    version_added: 0.3.0
    description: Files that a role goes by, to be told which of them are there.
    type: list
    elements: path
    default: []
  option_file:
    version_added: 0.3.0
    description: An option file of MySQL or MariaDB that is going to be written, among those that are there.
    type: dict
    suboptions:
      path:
        description: Absolute path of the file.
        type: path
        required: true
      main:
        description: The file that the server reads first, and that includes the others.
        type: path
        default: /etc/mysql/my.cnf
      decides:
        description: Options of the server, by the names of its variables, that no file after O(option_file.path) may set.
        type: list
        elements: str
        required: true
      option:
        description: Variable that takes further options, for the sentence.
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
adopts:
  description: Whether the server was configured by somebody else, because O(option_file.main) is there and O(option_file.path) is not.
  returned: always
  type: bool
  version_added: 0.3.0
told_by:
  description: The services that have a drop-in like O(told).
  returned: always
  type: list
  elements: str
  version_added: 0.3.0
  sample: [php8.4-fpm]
configured:
  description: Services of this host that M(siteops.webcluster.configured_service) has brought and not taken away.
  returned: always
  type: list
  elements: str
  version_added: 0.3.0
  sample: [haproxy, keepalived]
present:
  description: Those of O(paths) that are there.
  returned: always
  type: list
  elements: str
  version_added: 0.3.0
findings:
  description: What would keep the service from running, one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - "Port 80 is already taken by nginx (pid 512): stop that program, or choose another port with haproxy_http_bind_port."
"""

import fnmatch
import grp
import os
import pwd
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._configured_service import read_stamps
from ansible_collections.siteops.webcluster.plugins.module_utils._mounts import (
    Account,
    account_findings,
    hidden_findings,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.option_files import overruling_findings
from ansible_collections.siteops.webcluster.plugins.module_utils._preflight import (
    Listen,
    directory_findings,
    listen_findings,
    missing_packages,
    offer_findings,
    offered_packages,
    told_by,
)


def user_number(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def group_number(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def look_at_sources(module: AnsibleModule, choice: dict[str, t.Any]) -> set[str]:
    """What apt could install, of what is needed and of what is like it."""
    beginning = re.split(r"[*?\[]", choice["like"])[0]
    out = module.run_command(["apt-cache", "pkgnames", beginning])[1]
    names = [*choice["packages"], *fnmatch.filter(out.split(), choice["like"])]
    command = ["apt-cache", "policy", *dict.fromkeys(names)]
    return offered_packages(module.run_command(command, environ_update={"LC_ALL": "C"})[1])


NUMBER_OF = {"user": user_number, "group": group_number}


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
            "offered": {
                "type": "dict",
                "options": {
                    "packages": {"type": "list", "elements": "str", "required": True},
                    "like": {"type": "str", "required": True},
                    "option": {"type": "str", "required": True},
                },
            },
            "told": {"type": "str", "default": ""},
            "paths": {"type": "list", "elements": "path", "default": []},
            "mounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "site": {"type": "str", "required": True},
                },
            },
            "accounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "kind": {"type": "str", "choices": ["user", "group"], "required": True},
                    "number": {"type": "int", "required": True},
                    "site": {"type": "str", "required": True},
                },
            },
            "option_file": {
                "type": "dict",
                "options": {
                    "path": {"type": "path", "required": True},
                    "main": {"type": "path", "default": "/etc/mysql/my.cnf"},
                    "decides": {"type": "list", "elements": "str", "required": True},
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
    findings = listen_findings(places) + directory_findings(directories)
    choice = module.params["offered"]
    if choice:
        findings += offer_findings(
            choice["packages"], look_at_sources(module, choice), choice["like"], choice["option"]
        )
    findings += hidden_findings([(each["path"], each["site"]) for each in module.params["mounts"]])
    for kind, number_of in NUMBER_OF.items():
        accounts = [
            Account(each["name"], each["number"], each["site"])
            for each in module.params["accounts"]
            if each["kind"] == kind
        ]
        findings += account_findings(accounts, number_of)
    file = module.params["option_file"]
    if file:
        findings += overruling_findings(file["main"], file["path"], file["decides"], file["option"])
    module.exit_json(
        changed=False,
        adopts=bool(file) and os.path.exists(file["main"]) and not os.path.exists(file["path"]),
        missing_packages=missing_packages(packages, answer),
        told_by=told_by(module.params["told"]),
        configured=sorted(read_stamps()),
        present=[path for path in module.params["paths"] if os.path.lexists(path)],
        findings=findings,
    )


if __name__ == "__main__":
    main()
