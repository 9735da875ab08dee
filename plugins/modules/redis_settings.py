#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a running Redis or Valkey server to its files without a restart."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_settings
short_description: Bring a running Redis or Valkey server to its configuration and ACL files
description:
  - Compares the running server with its files and sends C(CONFIG SET) and C(ACL SETUSER) for what differs. No
    connection is closed and nothing is restarted.
  - All of it is changed, or nothing where the server refuses a part of it.
  - Returns in RV(restart) what only a restart can change; the caller restarts the service then. Check mode tells the same.
  - ACL users that the file does not name are removed from the running server, as a restart would do. A file without the user
    C(default) is refused, because a restart would then let everybody in.
  - Keeps its login for the host (O(login_file)), so that a later call is let in that brings another user or password.
  - The files of C(tls-cert-file), C(tls-key-file) and C(tls-ca-cert-file) are read again every time; it is a change where the
    server showed another certificate until then.
  - Works with Redis from 7.0 and with Valkey.
version_added: 0.1.0
author:
  - siteops contributors (@siteops)
options:
  config_file:
    description: Configuration file whose settings the server shall have. Settings that it does not name are left alone.
    type: path
  settings:
    description:
      - Settings in the place of O(config_file) and O(acl_file), for a server that has to have them before it may be started with
        its files; C(appendonly) above all, without which a start with an append-only file ignores the keys of C(dump.rdb).
      - The users stay as they are.
    type: dict
  acl_file:
    description: ACL file whose users the server shall have.
    type: path
  service:
    description: Name of the systemd service, which is known then to have been given its files as they are.
    type: str
  keep_former:
    description:
      - Leave former passwords, and users of former calls that the file does not name any more, valid beside the new ones, and
        write them into the file, so that a restart keeps them.
      - RV(former) names them; the same call without it, and with the file as it is to be, takes them back.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for an append-only file that was just turned on.
    type: int
    default: 300
extends_documentation_fragment:
  - siteops.webcluster.redis_login
attributes:
  check_mode:
    support: full
    description: Can run in check mode and says what it would change.
  diff_mode:
    support: full
    description: Shows settings and rules; passwords and their hashes are hidden.
"""

EXAMPLES = r"""
- name: Bring the running server to its files
  siteops.webcluster.redis_settings:
    config_file: /etc/redis/webcluster.conf
    acl_file: /etc/redis/users.acl
    service: redis-server
    data_dir: /var/lib/redis
    login_user: admin
    login_password: "{{ redis_server_admin_password }}"
  register: redis_live

- name: Restart the server when that is the only way
  ansible.builtin.systemd_service:
    name: redis-server
    state: restarted
  when: redis_live.restart | length > 0
"""

RETURN = r"""
restart:
  description: What only a restart can change, names of settings or one sentence; empty when none is needed.
  type: list
  elements: str
  returned: always
former:
  description: Users that are let in by a former password or under a former name.
  type: list
  elements: str
  returned: always
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._configured_service import (
    Stamp,
    parse_unit,
    read_files,
    show,
    stamp_of,
    write_stamp,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    RedisError,
    RedisLogin,
    shown_certificate,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import (
    LOGIN_ARGUMENTS,
    RefusedError,
    keep,
    kept_login,
    login_from,
    open_client,
    read_kept,
    refuse_lost_keys,
    where,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.settings import (
    CERTIFICATE_FILES,
    carry_out,
    keep_former_users,
    make_plan,
    parse_config,
    parse_users,
    plan_certificate,
    refuse_open_door,
    wait_for_aof,
)

_CHECKERS = ("/usr/bin/redis-check-rdb", "/usr/bin/valkey-check-rdb")


def check_restart(module: AnsibleModule, login: RedisLogin, error: RedisError) -> None:
    """Refuse a restart that would lose keys."""
    checker = next((path for path in _CHECKERS if Path(path).exists()), _CHECKERS[0])
    data_dir = module.params["data_dir"]
    refuse_lost_keys(login, error, data_dir, lambda command: str(module.run_command(list(command))[1]), checker)


def remember(module: AnsibleModule) -> None:
    """Leave word for status that the running server is as its files say."""
    params = module.params
    unit = parse_unit(module.run_command(show([params["service"]]))[1])
    files = read_files([params["config_file"], params["acl_file"]])
    write_stamp(stamp_of(params["service"]), Stamp(files.paths, unit.invocation, files.sum))


def run(module: AnsibleModule, login: RedisLogin) -> dict[str, Any]:
    params = module.params
    users: dict[str, list[str]] | None = None
    if params["settings"]:
        settings = {name: str(value) for name, value in params["settings"].items()}
    else:
        settings = parse_config(Path(params["config_file"]).read_text(encoding="utf-8"))
        users = parse_users(Path(params["acl_file"]).read_text(encoding="utf-8"))
        refuse_open_door(users, params["acl_file"])
    kept = read_kept(params["login_file"])
    known = kept.users if kept else ()
    try:
        client = open_client(login, kept=kept_login(login, kept))
    except RedisError as error:
        if users is None or error.kind not in ("unreachable", "auth"):
            raise
        check_restart(module, login, error)
        return {
            # After the restart it is the login.
            "changed": keep(login, {*known, *users}, params["login_file"], module.check_mode),
            "restart": [f"the server at {where(login)} does not let us in: {error.message}"],
            "former": [],
        }
    with client:
        plan = make_plan(client, settings, users, known if params["keep_former"] else None)
        # What was not set for the first time may be another text of the same name.
        if settings.get("tls-cert-file") and not plan.settings.keys() & {"tls-port", *CERTIFICATE_FILES}:
            plan_certificate(settings, plan, shown_certificate(login, int(settings.get("tls-port", "0"))))
        if not module.check_mode:
            if plan.former:
                keep_former_users(params["acl_file"], plan.former)
            carry_out(client, plan, login)
            if (plan.restart or "appendonly" in plan.settings) and settings.get("appendonly") == "yes":
                wait_for_aof(client, params["timeout"])
            if users is not None and not plan.restart:
                remember(module)
    return {
        "changed": (users is not None and keep(login, {*users, *plan.former}, params["login_file"], module.check_mode))
        or bool(plan.after),
        "restart": plan.restart,
        "former": list(plan.former),
        "diff": {"before": plan.before, "after": plan.after},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **LOGIN_ARGUMENTS,
            "config_file": {"type": "path"},
            "acl_file": {"type": "path"},
            "service": {"type": "str"},
            "settings": {"type": "dict"},
            "keep_former": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 300},
        },
        required_one_of=[("config_file", "settings")],
        required_together=[("config_file", "acl_file", "service")],
        mutually_exclusive=[("config_file", "settings")],
        supports_check_mode=True,
    )
    login = login_from(module.params)
    try:
        module.exit_json(**run(module, login))
    except RefusedError as refused:
        module.fail_json(msg=str(refused))
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"The server's files cannot be read: {error}")
    except RedisError as error:
        module.fail_json(msg=f"The server at {where(login)} cannot be asked: {error.message}", kind=error.kind)


if __name__ == "__main__":
    main()
