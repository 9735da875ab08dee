#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Desired state of a Redis or Valkey server's replication."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_source
short_description: Make a Redis or Valkey server a primary or the replica of a given one
description:
  - Sets C(masteruser), C(masterauth) and C(replicaof) of the server on the node and lets it write them to its own
    configuration file (C(CONFIG REWRITE)), so that they outlive a restart.
  - Never deletes keys. It refuses to make a server with keys of its own a replica, to take a primary away from its
    replicas, to re-point a replica and to promote one, unless told so.
  - Needs no package on the node.
version_added: 0.1.0
author:
  - siteops contributors (@siteops)
options:
  state:
    description: What the server shall be.
    type: str
    choices: [primary, replica]
    required: true
  source_host:
    description: Address of the primary, required for a replica.
    type: str
  source_port:
    description: Port of the primary.
    type: int
    default: 6379
  replication_user:
    description: ACL user with which a replica logs in at its primary. Left alone when absent.
    type: str
  replication_password:
    description: Password of O(replication_user). Left alone when absent.
    type: str
  source_timeout:
    description: >-
      Seconds within which the primary must let O(replication_user) in; asked before anything is changed, unless the
      link is up and stays as it is. A new replica's wrong password fails after 15 seconds. 0 does not ask.
    type: int
    default: 0
  allow_promote:
    description: Let O(state=primary) end the replication of a replica.
    type: bool
    default: false
  allow_repoint:
    description: Let a replica be re-pointed to another primary. Its keys become those of the new one.
    type: bool
    default: false
  tls:
    description:
      - Whether the server replicates over TLS, now or when it becomes a replica; O(source_port) speaks TLS then.
      - Without it the server's own C(tls-replication) stays as it is.
    type: bool
    version_added: 0.3.0
  ca_cert:
    description: File on the host with the authorities that may have signed the primary's certificate, for the login by which it is tried.
    type: path
    version_added: 0.3.0
  other_port:
    description: >-
      Another port of the same primary, without TLS or with it. A replica that follows it there moves to O(source_port) without
      O(allow_repoint) and keeps its keys.
    type: int
    default: 0
    version_added: 0.3.0
  acl_file:
    description: >-
      ACL file that the server is going to have, with the users O(acl_users). Where it has another one or none, and users that are
      not among these, the module fails.
    type: path
  acl_users:
    description: Names of these users.
    type: list
    elements: str
    default: []
  server_program:
    description: >-
      Path of the server's program. With it, a server that does not run yet is no error; instead the module fails when its
      first start would lose the keys of O(data_dir), or when M(siteops.webcluster.redis_fence) keeps it from starting.
    type: path
extends_documentation_fragment:
  - siteops.webcluster.redis_login
attributes:
  check_mode:
    support: full
    description: Can run in check mode and says what it would change.
  diff_mode:
    support: full
    description: Shows role and source; passwords are hidden.
"""

EXAMPLES = r"""
- name: Replicate from the primary
  siteops.webcluster.redis_source:
    state: replica
    source_host: 10.0.0.36
    replication_user: replication
    replication_password: "{{ redis_server_replication_password }}"
    login_user: admin
    login_password: "{{ redis_server_admin_password }}"

- name: Promote a replica whose primary is gone
  siteops.webcluster.redis_source:
    state: primary
    allow_promote: true
    login_user: admin
    login_password: "{{ redis_server_admin_password }}"
"""

RETURN = r"""
in_place:
  description: Whether the server was already what it has to be; never where it did not answer.
  type: bool
  returned: always
reachable:
  description: Whether the server answered. Only false with O(server_program).
  type: bool
  returned: always
role:
  description: C(primary) or C(replica), as the server is after the module, or would be in check mode.
  type: str
  returned: when reachable
source:
  description: Address and port of the primary, empty for a primary.
  type: str
  returned: when reachable
link_up:
  description: Whether the replication link was up when the module looked, before it changed anything.
  type: bool
  returned: when reachable
append_only:
  description: Whether the server writes an append-only file.
  type: bool
  returned: when reachable
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._primary_login import Problem, wait_for_primary
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.fence import FENCED, is_fenced
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import (
    LOGIN_ARGUMENTS,
    RefusedError,
    kept_login,
    login_from,
    open_client,
    read_kept,
    refuse_lost_keys,
    where,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.settings import refuse_own_users
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import (
    Found,
    Primary,
    Wanted,
    carry_out,
    decide,
    login_at_primary,
    look,
    primary_problem,
)


def state_of(found: Found) -> dict[str, str]:
    return {"role": "replica" if found.primary else "primary", "source": str(found.primary or "")}


def run(module: AnsibleModule, login: RedisLogin) -> dict[str, Any]:
    params = module.params
    try:
        client = open_client(login, kept=kept_login(login, read_kept(params["login_file"])))
    except RedisError as error:
        if not params["server_program"] or error.kind not in ("unreachable", "auth", "protocol"):
            raise
        if is_fenced():
            raise RefusedError(f"The server at {where(login)} does not run, {FENCED}. Nothing was changed.") from None
        refuse_lost_keys(
            login,
            error,
            params["data_dir"],
            lambda command: str(module.run_command(list(command))[1]),
            params["server_program"].replace("-server", "-check-rdb"),
        )
        return {"changed": False, "reachable": False, "in_place": False}
    primary = Primary(params["source_host"], params["source_port"]) if params["state"] == "replica" else None
    wanted = Wanted(
        primary,
        params["replication_user"],
        params["replication_password"],
        params["allow_promote"],
        params["allow_repoint"],
        params["tls"],
        params["ca_cert"],
        params["other_port"],
    )
    with client:
        if params["acl_file"]:
            refuse_own_users(client, params["acl_file"], params["acl_users"])
        found = look(client, lambda path: Path(path).read_text(encoding="utf-8", errors="replace"))
        plan = decide(found, wanted, where(login))
        if primary and params["source_timeout"] and (plan.commands or not found.link_up):
            as_replica = login_at_primary(login, primary, found, wanted)
            problem = wait_for_primary(lambda: ask_primary(as_replica), params["source_timeout"], found.link_up)
            if problem:
                raise RefusedError(f"{problem.text}. Nothing was changed.")
        if not module.check_mode:
            carry_out(client, plan)
    after = {"role": params["state"], "source": str(primary or "")}
    shown = [" ".join(command[:3]) for command in plan.commands] + (["CONFIG REWRITE"] if plan.rewrite else [])
    return {
        **after,
        "changed": plan.changed,
        "in_place": not plan.changed,
        "reachable": True,
        "link_up": found.link_up,
        "append_only": found.append_only,
        "diff": {"before": state_of(found), "after": {**after, **({"commands": shown} if shown else {})}},
    }


def ask_primary(login: RedisLogin) -> Problem | None:
    with RedisClient(login) as client:
        return primary_problem(client)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **LOGIN_ARGUMENTS,
            "state": {"type": "str", "choices": ["primary", "replica"], "required": True},
            "source_host": {"type": "str"},
            "source_port": {"type": "int", "default": 6379},
            "replication_user": {"type": "str"},
            "replication_password": {"type": "str", "no_log": True},
            "source_timeout": {"type": "int", "default": 0},
            "allow_promote": {"type": "bool", "default": False},
            "allow_repoint": {"type": "bool", "default": False},
            "tls": {"type": "bool"},
            "ca_cert": {"type": "path"},
            "other_port": {"type": "int", "default": 0},
            "acl_file": {"type": "path"},
            "acl_users": {"type": "list", "elements": "str", "default": []},
            "server_program": {"type": "path"},
        },
        required_if=[("state", "replica", ["source_host"])],
        supports_check_mode=True,
    )
    login = login_from(module.params)
    try:
        module.exit_json(**run(module, login))
    except RefusedError as refused:
        module.fail_json(msg=str(refused))
    except RedisError as error:
        module.fail_json(msg=f"The server at {where(login)} cannot be asked: {error.message}", kind=error.kind)


if __name__ == "__main__":
    main()
