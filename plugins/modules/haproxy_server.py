#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_server
short_description: Take a server out of HAProxy, give it back, or change its weight
version_added: 0.3.0
description:
  - Sets the administrative state and the weight of a server over HAProxy's runtime socket, in one backend or in all that have it,
    and waits until its sessions have ended or until its health check is good.
  - Runs on the host of the load balancer. For all of them delegate a loop, as in the examples.
  - HAProxy keeps what is set here until it is set again or HAProxy is restarted; with the role P(siteops.webcluster.haproxy#role)
    it outlives a reload.
  - A process that a reload left behind takes no commands and still sends its last requests to any server. With
    O(master_socket) it is waited for as well, as far as it has sessions of the server or clients that may send one more request.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Tells what would change, and does not wait.
    support: full
  diff_mode:
    description: Shows state and weight in each backend.
    support: full
options:
  server:
    description: Name of the server in HAProxy's configuration.
    type: str
    required: true
  backend:
    description: Backend in which to change it. Without it, every backend that has a server of this name.
    type: str
  state:
    description:
      - V(drain) sends no new requests to the server and goes on with its health checks; clients that stick to it by a cookie still
        reach it.
      - V(maint) sends it nothing at all, not even health checks.
      - V(ready) sends requests to it again while its health check is good. After V(maint) HAProxy takes a server for up until a
        check says otherwise, so this one waits for a check.
      - Without it the state stays as it is.
    type: str
    choices: [ready, drain, maint]
  weight:
    description:
      - Share of the requests, from 0 to 256; 0 is no new requests. Without it the weight stays as it is.
      - A backend whose C(balance) is static, such as C(static-rr), refuses it.
    type: int
  timeout:
    description:
      - Seconds to wait, with O(state=drain) and O(state=maint) for the sessions to end, with O(state=ready) for the health check.
        V(0) looks once.
      - A server that is down is not waited for; RV(notes) says so.
    type: float
    default: 60
  on_timeout:
    description:
      - What happens when the time is over. V(fail) fails, V(continue) goes on, and RV(notes) says what is lacking.
      - The state stays set in both cases, so that the same task waits on when it is run again.
    type: str
    choices: [fail, continue]
    default: fail
  master_socket:
    description:
      - Socket of HAProxy's master process, for the processes that a reload left behind. Debian's package makes it.
      - Where it is not there, these processes are not seen.
    type: path
    default: /run/haproxy-master.sock
extends_documentation_fragment:
  - siteops.webcluster.haproxy_socket
seealso:
  - module: siteops.webcluster.haproxy_server_info
"""

EXAMPLES = r"""
- name: Take a web server out of all load balancers
  siteops.webcluster.haproxy_server:
    server: "{{ inventory_hostname }}"
    backend: web
    state: drain
  loop: "{{ groups.haproxy }}"
  delegate_to: "{{ item }}"

- name: Give it back, and go on if its health check needs more than ten seconds
  siteops.webcluster.haproxy_server:
    server: "{{ inventory_hostname }}"
    state: ready
    timeout: 10
    on_timeout: continue
  loop: "{{ groups.haproxy }}"
  delegate_to: "{{ item }}"

- name: Let a small server have half of the others' requests
  siteops.webcluster.haproxy_server:
    server: centosweb3
    backend: web
    weight: 50
"""

RETURN = r"""
backends:
  description: What became of the server in each backend; in check mode, what would become of it.
  returned: success, and when the time was over
  type: dict
  contains:
    before:
      description: RV(ignore:state) and RV(ignore:weight) before.
      type: dict
    after:
      description: RV(ignore:state) and RV(ignore:weight) after.
      type: dict
    status:
      description: What HAProxy says of the server's health, such as C(UP), C(DOWN), C(DRAIN), C(MAINT) or C(no check).
      type: str
    sessions:
      description: Requests that the server still has, or that wait for it.
      type: int
  sample:
    web:
      before: {state: ready, weight: 100}
      after: {state: drain, weight: 100}
      status: DRAIN
      sessions: 0
sessions_left:
  description: The sessions of all backends, and those of processes that a reload left behind.
  returned: success, and when the time was over
  type: int
  sample: 0
waited:
  description: Seconds that the module waited.
  returned: success, and when the time was over
  type: float
  sample: 0.104
notes:
  description: Sentences about what was not waited for, or not reached.
  returned: success, and when the time was over
  type: list
  elements: str
  sample: ["web/centosweb2 was DOWN already: nothing was waited for."]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.change import (
    Outcome,
    change,
    look,
    see,
    wait,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.client import (
    SOCKET_ARGUMENTS,
    Haproxy,
    HaproxyError,
    open_sockets,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._haproxy.servers import (
    MAX_WEIGHT,
    STATES,
    Server,
    Wanted,
    commands,
    find,
)

ARGUMENTS = {
    **SOCKET_ARGUMENTS,
    "server": {"type": "str", "required": True},
    "backend": {"type": "str"},
    "state": {"type": "str", "choices": list(STATES)},
    "weight": {"type": "int"},
    "timeout": {"type": "float", "default": 60},
    "on_timeout": {"type": "str", "choices": ["fail", "continue"], "default": "fail"},
    "master_socket": {"type": "path", "default": "/run/haproxy-master.sock"},
}


def settings(server: Server) -> dict[str, Any]:
    return {"state": server.state, "weight": server.weight}


def wished(server: Server, wanted: Wanted) -> dict[str, Any]:
    given = {name: value for name, value in vars(wanted).items() if value is not None}
    return {**settings(server), **given}


def describe(before: list[Server], outcome: Outcome, wanted: Wanted, notes: list[str]) -> dict[str, Any]:
    """Return the module's result."""
    now = {server.backend: server for server in outcome.seen.servers}
    backends = {
        server.backend: {
            "before": settings(server),
            "after": wished(server, wanted),
            "status": now.get(server.backend, server).status,
            "sessions": now.get(server.backend, server).sessions,
        }
        for server in before
    }
    return {
        "changed": any(commands(server, wanted) for server in before),
        "backends": backends,
        "sessions_left": outcome.seen.sessions,
        "waited": outcome.waited,
        "notes": notes,
        "diff": {when: {backend: found[when] for backend, found in backends.items()} for when in ("before", "after")},
    }


def run(module: AnsibleModule, haproxy: Haproxy, clock: Clock) -> dict[str, Any]:
    params = module.params
    wanted = Wanted(params["state"], params["weight"])
    before = find(look(haproxy.serving), params["backend"], params["server"])
    notes = []
    if wanted.state in ("drain", "maint"):
        notes += [
            f"{server.path} was {server.status} already: nothing was waited for." for server in before if server.down
        ]
    if module.check_mode:
        return describe(before, Outcome(see(haproxy, before), 0.0), wanted, notes)
    change(haproxy.serving, before, wanted)
    if wanted.state is None:
        return describe(before, Outcome(see(haproxy, before), 0.0), wanted, notes)
    outcome = wait(haproxy, before, wanted, params["timeout"], clock)
    result = describe(before, outcome, wanted, [*notes, *outcome.lacking])
    if outcome.lacking and params["on_timeout"] == "fail":
        module.fail_json(
            msg=f"{' '.join(outcome.lacking)} After {params['timeout']:g} s that is an error; the state {wanted.state} stays"
            " set: run the task again to wait on, raise timeout, or set on_timeout to continue.",
            **result,
        )
    return result


def problem(params: dict[str, Any]) -> str:
    """Say what is wrong with the options; empty where nothing is."""
    if params["weight"] is not None and not 0 <= params["weight"] <= MAX_WEIGHT:
        return f"weight is {params['weight']}, expected 0 to {MAX_WEIGHT}: correct it."
    if params["timeout"] < 0:
        return f"timeout is {params['timeout']:g}, expected at least 0 seconds: raise it."
    return ""


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, required_one_of=[("state", "weight")], supports_check_mode=True)
    wrong = problem(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    try:
        module.exit_json(**run(module, open_sockets(module.params["socket"], module.params["master_socket"]), Clock()))
    except HaproxyError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
