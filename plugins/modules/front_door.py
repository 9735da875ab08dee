#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: front_door
short_description: Look at the web cluster through its load balancer
version_added: 0.1.0
description:
  - Asks C(/healthz) through the load balancer until every expected web server has answered, which the header C(X-Served-By) tells.
  - With O(item_check) it also writes an item through the demo application and reads it back from the MySQL replica and from Redis.
  - Runs wherever the load balancer can be reached, usually on the controller. It never uses a proxy and never follows a redirect.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: The servers are looked at as always; O(item_check) is left out, because it writes.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  platform:
    description: Target operating systems.
    support: full
    platforms: posix
options:
  url:
    description: Address of the load balancer, for example C(http://10.0.0.52/). A path is put before C(/healthz) and C(/api).
    type: str
    required: true
  expect_servers:
    description:
      - Names that must be seen in C(X-Served-By).
      - Leave it empty when one answer of any server is enough, or where visitors stick to a server by their address.
    type: list
    elements: str
    default: []
  timeout:
    description: Limit for one whole request, in seconds.
    type: float
    default: 5
  attempts:
    description: How many requests are answered at least before a server counts as missing.
    type: int
    default: 30
  wait:
    description:
      - How long to go on asking for a missing server, in seconds, and how long to wait for an item to appear.
      - A load balancer needs some seconds after a start to find its servers.
    type: float
    default: 15
  item_check:
    description:
      - Write an item through the page and read it back from the replica and from Redis.
      - This leaves one item in the demo's table, which keeps its newest 100 only. RV(ignore:changed) stays false nevertheless.
    type: bool
    default: false
  item_host:
    version_added: 0.3.0
    description: Host name by which O(item_check) asks; empty for that of O(url).
    type: str
    default: ""
  expect_replica:
    description:
      - With O(item_check), whether the read port must lead to a server that refuses writes.
      - Set it to false for a cluster without replica.
    type: bool
    default: true
  sites:
    version_added: 0.3.0
    description: Sites to ask for, each by its own name. A site that answers otherwise for three seconds is an error.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      host:
        description: Host name to ask by; empty for that of O(url).
        type: str
        default: ""
      path:
        description: Path to ask for.
        type: str
        default: /
      status:
        description: Status code of a site that works.
        type: int
        default: 200
      text:
        description: Text that its answer holds.
        type: str
        default: ""
      release:
        description: Release that it runs; empty for any. It is looked for with O(own_view) only.
        type: str
        default: ""
  own_view:
    version_added: 0.3.0
    description:
      - Also ask what each site sees itself - the release it runs, and MySQL and Redis as its own users.
      - Web servers of M(siteops.webcluster.site_release) tell it to programs on the same host only, so O(url) has to be C(127.0.0.1).
    type: bool
    default: false
  mounts:
    version_added: 0.3.0
    description:
      - Folders of sites on this host that other servers hold. One that is not mounted, does not answer, or takes nothing from its
        site is an error of the site. Needs root.
    type: list
    elements: dict
    default: []
    suboptions:
      site:
        description: Name of the site.
        type: str
        required: true
      folder:
        description: What the site calls the folder.
        type: str
        required: true
      path:
        description: Where it is mounted.
        type: str
        required: true
      user:
        description: User of the site.
        type: str
        required: true
      unit:
        description: Name of its unit, without C(.mount).
        type: str
        required: true
  certificates:
    version_added: 0.3.0
    description: Host names that are asked for over HTTPS, each with the certificates of which one must be shown.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Host name.
        type: str
        required: true
      fingerprints:
        description:
          - SHA-256 fingerprints in hexadecimal, small letters without colons.
          - Without one any certificate will do that a browser trusts, and of whose life more than a fifth is left.
        type: list
        elements: str
        required: true
      authorities:
        description: Certificates of authorities, in PEM, that are trusted beside those of the system.
        type: str
        default: ""
      ends:
        description: When the certificate ends, as the cluster's plan says; what is shown is judged by the fingerprints.
        type: str
        default: ""
  https_port:
    version_added: 0.3.0
    description: Port on which O(certificates) are asked for, at the host of O(url).
    type: int
    default: 443
  validate_certs:
    description: Whether the certificate of an C(https) address must be valid.
    type: bool
    default: true
  fail:
    description: Fail when something is wrong. When false, only RV(ok) and RV(reasons) tell.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Every web server answers through the load balancer
  siteops.webcluster.front_door:
    url: http://10.0.0.52/
    expect_servers: [centosweb1, centosweb2, centosweb3]
  delegate_to: localhost
  become: false
  run_once: true

- name: An item goes all the way
  siteops.webcluster.front_door:
    url: http://10.0.0.52/
    item_check: true
    fail: false
  delegate_to: localhost
  become: false
  run_once: true
  register: door

- name: Each site works on this web server, and reaches its data
  siteops.webcluster.front_door:
    url: http://127.0.0.1/
    sites:
      - name: shop
        host: shop.example
        text: Basket
    own_view: true

- name: Everybody is shown the certificate of today
  siteops.webcluster.front_door:
    url: http://10.0.0.52/
    certificates:
      - name: www.example.org
        fingerprints: [2f0c7c7d1d5b8a0e5b0a3a4a2b6f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b]

- name: Show how long replication took
  ansible.builtin.debug:
    msg: "{{ door.item.replica.host }} had the item after {{ door.item.replica.latency_ms }} ms"
  when: door.ok
"""

RETURN = r"""
ok:
  description: Whether nothing is wrong; warnings do not count.
  returned: always
  type: bool
  sample: true
reasons:
  description: What is wrong or worth a look, errors and warnings.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: Which check found it.
      type: str
      choices: [reachable, servers, answers, strangers, item_write, item_replica, item_cache, site, certificate]
    severity:
      description: V(error) makes RV(ok) false.
      type: str
      choices: [error, warning]
    message:
      description: What was seen, in one sentence.
      type: str
    hint:
      description: What to do.
      type: str
  sample:
    - check: servers
      severity: error
      message: "Web servers that did not answer: centosweb3; 30 requests were answered by centosweb1, centosweb2."
      hint: Look at the load balancer's statistics page, and at /healthz on the missing servers themselves.
servers:
  description: Number of good answers by web server.
  returned: always
  type: dict
  sample: {centosweb1: 2, centosweb2: 1, centosweb3: 1}
missing:
  description: Expected web servers that did not answer.
  returned: always
  type: list
  elements: str
  sample: []
requests:
  description: Number of requests to C(/healthz).
  returned: always
  type: int
  sample: 4
failures:
  description: Number of requests that failed, by what was seen.
  returned: always
  type: dict
  sample: {"status 503": 1}
item:
  description: The way of the item. Empty without O(item_check) and in check mode.
  returned: always
  type: dict
  contains:
    text:
      description: Text of the item.
      type: str
    id:
      description: Number of the item.
      type: int
    written_by:
      description: Web server that took the item.
      type: str
    written_to:
      description: MySQL server that took the item.
      type: str
    replica:
      description: Whether the item was seen behind the read port (C(seen)), after how many milliseconds (C(latency_ms)), on which
        MySQL server (C(host)), and whether that is a replica or the primary (C(role)).
      type: dict
    cache:
      description: Whether the item was seen in Redis (C(seen)) and after how many milliseconds (C(latency_ms)).
      type: dict
  sample:
    text: front door check 5f2a77c0a1de
    id: 12
    written_by: centosweb2
    written_to: centosmysql1
    replica: {seen: true, latency_ms: 9, host: centosmysql2, role: replica}
    cache: {seen: true, latency_ms: 6}
sites:
  description:
    - What was seen of each of O(sites), by name.
    - C(ok), C(problem) and C(status), and with O(own_view) in C(own) the site's C(release), its C(user), and C(looks) at its data.
  returned: always
  type: dict
  version_added: 0.3.0
  sample:
    shop: {ok: true, problem: "", status: 200, own: {}}
certificates:
  description: For each name of O(certificates) what is wrong with what is shown, empty when nothing is.
  returned: always
  type: dict
  version_added: 0.3.0
  sample: {www.example.org: ""}
url:
  description: Address that was asked.
  returned: always
  type: str
  sample: http://10.0.0.52/
"""

import time
import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._front_door import (
    HttpAsk,
    Look,
    check_url,
    distrust,
    look_at_certificates,
    look_at_item,
    look_at_mounts,
    look_at_servers,
    look_at_sites,
    shown_fingerprint,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mounts import MountedFolder, problem_of


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "expect_servers": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 5},
            "attempts": {"type": "int", "default": 30},
            "wait": {"type": "float", "default": 15},
            "item_check": {"type": "bool", "default": False},
            "item_host": {"type": "str", "default": ""},
            "expect_replica": {"type": "bool", "default": True},
            "sites": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "host": {"type": "str", "default": ""},
                    "path": {"type": "str", "default": "/"},
                    "status": {"type": "int", "default": 200},
                    "text": {"type": "str", "default": ""},
                    "release": {"type": "str", "default": ""},
                },
            },
            "own_view": {"type": "bool", "default": False},
            "mounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    name: {"type": "str", "required": True} for name in ("site", "folder", "path", "user", "unit")
                },
            },
            "certificates": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "fingerprints": {"type": "list", "elements": "str", "required": True},
                    "authorities": {"type": "str", "default": ""},
                    "ends": {"type": "str", "default": ""},
                },
            },
            "https_port": {"type": "int", "default": 443},
            "validate_certs": {"type": "bool", "default": True},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    options: dict[str, t.Any] = module.params
    problem = check_url(options["url"])
    if not problem and options["timeout"] <= 0:
        problem = f"timeout is {options['timeout']:g}, expected more than 0 seconds: raise it."
    if not problem and options["attempts"] < 1:
        problem = f"attempts is {options['attempts']}, expected at least 1: raise it."
    if not problem and options["wait"] < 0:
        problem = f"wait is {options['wait']:g}, expected at least 0 seconds: raise it."
    if problem:
        module.fail_json(msg=problem)
    clock = Clock()
    ask = HttpAsk(options["url"], options["timeout"], options["validate_certs"], clock)
    look = Look()
    look_at_servers(ask, look, options["expect_servers"], options["attempts"], options["wait"], clock)
    if options["item_check"] and look.servers and not module.check_mode:
        look_at_item(ask, look, options["wait"], clock, options["expect_replica"], host=options["item_host"])
    if look.servers:
        look_at_sites(ask, look, options["sites"], options["own_view"], options["wait"], clock)
    look_at_mounts(problem_of, look, [MountedFolder(**folder) for folder in options["mounts"]])

    door = urlsplit(options["url"]).hostname or "", options["https_port"]

    def fingerprint(name: str) -> str:
        return shown_fingerprint(*door, name, options["timeout"])

    def distrusted(name: str, authorities: str) -> str:
        return distrust(*door, name, authorities, options["timeout"], time.time())

    look_at_certificates(fingerprint, distrusted, look, options["certificates"])
    result: dict[str, t.Any] = {
        "changed": False,
        "ok": look.ok,
        "reasons": [reason.as_dict() for reason in look.reasons],
        "servers": look.servers,
        "missing": look.missing,
        "requests": look.requests,
        "failures": look.failures,
        "item": look.item,
        "sites": look.sites,
        "certificates": look.certificates,
        "url": options["url"],
    }
    if options["fail"] and not look.ok:
        errors = " ".join(f"{reason.message} {reason.hint}" for reason in look.reasons if reason.severity == "error")
        module.fail_json(msg=f"{options['url']}: {errors}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
