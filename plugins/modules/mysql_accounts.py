#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make databases and accounts of a MySQL or MariaDB server exactly so."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_accounts
short_description: Make databases and accounts of a MySQL or MariaDB server
version_added: 0.1.0
description:
  - Makes databases, and accounts that are exactly so. Each named user has the listed hosts, password and privileges
    and no others.
  - Accounts are written without binary log, so every member of a cluster is given its own. Databases are written
    with it and reach the replicas by replication.
  - Passwords are sent as hashes only (C(mysql_native_password) on MariaDB, C(caching_sha2_password) on MySQL), so no
    log of the server ever holds a clear text.
  - On MySQL with C(super_read_only) it is opened for this session and closed again; C(read_only) stays on all the time.
options:
  databases:
    description:
      - Databases to make. Each is a name, or a dictionary of C(name), C(character_set) and C(collation).
      - The character set is utf8mb4 where neither is given.
      - One that is there stays as it is, but for a character set or collation that is given here and differs; new tables get
        that one, tables that are there keep theirs.
      - Leave it empty on a replica.
    type: list
    elements: raw
    default: []
  absent_databases:
    description: Names of databases to remove with all that is in them, on the replicas as well. Leave it empty on a replica.
    type: list
    elements: str
    default: []
    version_added: 0.3.0
  accounts:
    description: Users, each with all its hosts.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: User name. Another user's name than the server's own ones.
        type: str
        required: true
      hosts:
        description:
          - Addresses, names or patterns from which the user may come; servers write them in small letters.
          - The user is removed from every other host; with an empty list from all.
        type: list
        elements: str
        default: []
      password:
        description: Password. May be empty only where O(accounts[].hosts) is empty or O(accounts[].by_socket) is true.
        type: str
        default: ""
      by_socket:
        description:
          - Let the operating system's user of the same name in over the unix socket, without a password.
          - Its only host is C(localhost).
        type: bool
        default: false
      grants:
        description: All the privileges of the user. Others are revoked, on routines and roles and as proxy of another user as well.
        type: list
        elements: dict
        default: []
        suboptions:
          databases:
            description: Names of databases, not patterns; V(*) is for global privileges.
            type: list
            elements: str
            required: true
          privileges:
            description:
              - Names of privileges as C(SHOW GRANTS) writes them, for example C(REPLICATION SLAVE).
              - V(ALL) is for one database only.
            type: list
            elements: str
            required: true
      tls:
        description:
          - Whether the user must use TLS.
          - V(auto) requires it where the server makes its certificates itself (MySQL, and MariaDB from 11.4 on), or runs with one of the
            cluster's authority.
        type: str
        choices: [auto, required, optional]
        default: optional
  canary_schema:
    description:
      - Schema to make for the canary of M(siteops.webcluster.replication_status), with O(canary_table) in it.
      - Leave it out on a replica, which gets it by replication.
    type: str
  canary_table:
    description: Name of its table.
    type: str
    default: probe
  keep_former:
    description:
      - Leave a changed password, and the users that O(names_file) tells of, valid beside the new ones. RV(former) names them; the
        same call without it takes them back.
      - MySQL keeps one former password of an account, MariaDB all of them.
      - An account that is to require TLS and does not yet goes on so as well.
    type: bool
    default: false
  names_file:
    description:
      - File on the node in which the module keeps the names of its users, so that a user is removed whose name is not given any more.
      - Without it the users of former calls stay.
    type: path
  take_over:
    description:
      - Whether accounts that are there under a name of O(accounts) may be changed, although O(names_file) does not know the name.
      - One that already lets in as O(accounts) says is no stranger's, it came with a copy of another server for example.
    type: bool
    default: true
    version_added: 0.3.0
  remove_insecure:
    description:
      - Remove accounts without a name, root accounts for other hosts than this one, and a database C(test) that has
        no table.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check_mode and return changed status without modifying the server.
    support: full
    details:
      - In check mode a server that is not installed or not running, or a host without PyMySQL, is reported as changed.
  diff_mode:
    description: Returns what has changed, without passwords and hashes.
    support: full
extends_documentation_fragment:
  - siteops.webcluster.mysql_login
author:
  - siteops contributors (@siteops)
"""

EXAMPLES = r"""
- name: Make the application's database and both accounts
  siteops.webcluster.mysql_accounts:
    databases:
      - shop
      - name: archive
        character_set: latin1
        collation: latin1_german1_ci
    accounts:
      - name: app
        hosts: [10.0.0.4, 10.0.0.5]
        password: "{{ app_password }}"
        grants:
          - databases: [shop]
            privileges: [ALL]
      - name: reports
        hosts: [10.0.0.4]
        password: "{{ reports_password }}"
        grants:
          - databases: [shop, archive]
            privileges: [SELECT]
      - name: replication
        hosts: [10.0.0.21]
        password: "{{ replication_password }}"
        tls: auto
        grants:
          - databases: ["*"]
            privileges: [REPLICATION SLAVE]
    remove_insecure: true

- name: Remove a user everywhere
  siteops.webcluster.mysql_accounts:
    accounts:
      - name: olduser

- name: Remove a database with its data
  siteops.webcluster.mysql_accounts:
    absent_databases: [oldshop]
"""

RETURN = r"""
flavor:
  description: Which server answered.
  type: str
  returned: when a server answered
  sample: mariadb
databases:
  description: Databases that were made, changed or removed.
  type: list
  elements: str
  returned: success
accounts:
  description: Accounts that were made, changed or removed, as user@host.
  type: list
  elements: str
  returned: success
  sample: [app@10.0.0.4]
former:
  description: Accounts that are let in by a former password, under a former name or without the TLS that they are to require, as user@host.
  type: list
  elements: str
  returned: success
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import accounts
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import server as servers
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    Client,
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.content import READ_SCHEMAS
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import SYSTEM_SCHEMAS

ARGUMENTS: dict[str, dict[str, Any]] = {
    "databases": {"type": "list", "elements": "raw", "default": []},
    "absent_databases": {"type": "list", "elements": "str", "default": []},
    "accounts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "password": {"type": "str", "default": "", "no_log": True},
            "by_socket": {"type": "bool", "default": False},
            "grants": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "databases": {"type": "list", "elements": "str", "required": True},
                    "privileges": {"type": "list", "elements": "str", "required": True},
                },
            },
            "tls": {"type": "str", "choices": ["auto", "required", "optional"], "default": "optional"},
        },
    },
    "canary_schema": {"type": "str"},
    "canary_table": {"type": "str", "default": "probe"},
    "keep_former": {"type": "bool", "default": False},
    "names_file": {"type": "path"},
    "take_over": {"type": "bool", "default": True},
    "remove_insecure": {"type": "bool", "default": False},
    "login_unix_socket": {"type": "path"},
}
LOCAL_ONLY = "SET SESSION sql_log_bin = OFF"
OPEN = "SET GLOBAL super_read_only = OFF"
CLOSE = "SET GLOBAL super_read_only = ON"


DATABASE_KEYS = ("name", "character_set", "collation")
DATABASE_WORD = r"[A-Za-z0-9_]{1,64}"


def database_error(entry: Any, seen: set[str]) -> str | None:
    """Say what is wrong with one entry of databases, or None; seen: the names before it."""
    values = entry if isinstance(entry, dict) else {"name": entry}
    if set(values) - set(DATABASE_KEYS):
        unknown = ", ".join(sorted(map(str, set(values) - set(DATABASE_KEYS))))
        return f"databases: an entry has {unknown}, expected a name, or a dictionary of {', '.join(DATABASE_KEYS)}"
    name = values.get("name")
    if not isinstance(name, str) or not name or len(name) > 64 or "\0" in name:
        return f"databases: {name!r} is no name, expected a text of 1 to 64 characters"
    if name in seen:
        return f"databases: {name!r} is given twice, expected one entry for each"
    seen.add(name)
    for key in DATABASE_KEYS[1:]:
        word = values.get(key)
        if word is not None and not re.fullmatch(DATABASE_WORD, str(word), re.ASCII):
            return f"databases: {name!r} has the {key} {word!r}, expected a name such as utf8mb4 or utf8mb4_bin"
    return None


def input_error(params: dict[str, Any]) -> str | None:
    """Say what is wrong with the arguments beyond their types, or None."""
    names: set[str] = set()
    for entry in params["databases"]:
        if error := database_error(entry, names):
            return error
    for name in params["absent_databases"]:
        if name in names or name.lower() in SYSTEM_SCHEMAS:
            what = "is wanted as well" if name in names else "is the server's own"
            return f"absent_databases: {name!r} {what}, expected one that nobody needs"
    seen = set()
    for user in params["accounts"]:
        name = user["name"]
        if name.lower() in accounts.RESERVED:
            return f"accounts: {name!r} is the server's own account, expected another name"
        if name in seen:
            return f"accounts: {name!r} is given twice, expected one entry with all its hosts"
        seen.add(name)
        # Without hosts it is taken away.
        if user["by_socket"] and user["hosts"] and [host.lower() for host in user["hosts"]] != ["localhost"]:
            return f"accounts: {name!r} comes by the unix socket, expected hosts to be [localhost]"
        if user["hosts"] and not user["password"] and not user["by_socket"]:
            return f"accounts: {name!r} has no password, expected one for a user with hosts"
        for grant in user["grants"]:
            names = {privilege.upper() for privilege in grant["privileges"]}
            if "*" in grant["databases"] and names & {"ALL", accounts.ALL}:
                return f"accounts: {name!r} would get ALL on every database, expected the single privileges it needs"
    return None


def wanted_databases(params: dict[str, Any]) -> list[accounts.Database]:
    entries = [entry if isinstance(entry, dict) else {"name": entry} for entry in params["databases"]]
    return [accounts.Database(**entry) for entry in entries]


def wanted_accounts(params: dict[str, Any], server: servers.Server) -> list[accounts.Wanted]:
    return [
        accounts.Wanted(
            user["name"],
            host,
            user["password"],
            accounts.wanted_grants(
                (database, grant["privileges"]) for grant in user["grants"] for database in grant["databases"]
            ),
            user["tls"] == "required" or (user["tls"] == "auto" and server.has_certificate),
            user["by_socket"],
        )
        for user in params["accounts"]
        # The servers keep host names in small letters.
        for host in dict.fromkeys(host.lower() for host in user["hosts"])
    ]


def read_plan(client: Client, params: dict[str, Any]) -> tuple[servers.Server, accounts.Plan]:
    """Ask the server and compare; nothing is changed."""
    wanted_schemas = wanted_databases(params)
    trials = [trial for database in wanted_schemas if (trial := database.trial)]
    canary = params["canary_schema"] or ""
    canary_tables = accounts.READ_TABLES.format(quote(canary), quote(params["canary_table"]))
    variables, schemas, databases, users, test_tables, tables = client.query(
        [
            servers.READ_VARIABLES,
            READ_SCHEMAS,
            accounts.READ_DATABASES,
            accounts.READ_ACCOUNTS,
            servers.READ_TEST_TABLES,
            canary_tables,
            *trials,
        ]
    )[:6]
    server = servers.read_server(variables, schemas)
    present = accounts.read_accounts(users)
    wanted = wanted_accounts(params, server)
    there = [want.name for want in wanted if want.name in present]
    answers = client.query([f"SHOW GRANTS FOR {accounts.account(name)}" for name in there]) if there else []
    grants = {
        name: accounts.parse_grants(value or "" for row in rows for value in row.values())
        for name, rows in zip(there, answers)
    }
    names = [user["name"] for user in params["accounts"]]
    if not params["take_over"]:
        others = accounts.made_by_others(
            server.is_mariadb, params["accounts"], present, known_names(params["names_file"])
        )
        if others:
            raise MysqlError("exists", accounts.taken(others))
    plan = accounts.plan_accounts(
        server.is_mariadb, names, wanted, present, grants, known_names(params["names_file"]), params["keep_former"]
    )
    accounts.plan_databases(plan, wanted_schemas, accounts.read_databases(databases))
    accounts.drop_databases(plan, params["absent_databases"], server.schemas)
    if canary:
        accounts.plan_canary(plan, canary, params["canary_table"], server.schemas, tables)
    if params["remove_insecure"]:
        accounts.drop_accounts(plan, accounts.insecure_accounts(present))
        if (
            "test" in server.schemas
            and "test" not in {database.name for database in wanted_schemas}
            and test_tables[0]["count"] == "0"
        ):
            accounts.drop_test_database(plan)
    return server, plan


def known_names(path: str | None) -> list[str]:
    """Return the users of former calls."""
    if not path or not os.path.exists(path):
        return []
    names: list[str] = json.loads(Path(path).read_text(encoding="utf-8"))
    return names


def keep_names(module: AnsibleModule, plan: accounts.Plan) -> bool:
    """Write the names of the users that are, and of those that still have to go; return whether they are others."""
    path = module.params["names_file"]
    if not path:
        return False
    former = {name.rpartition("@")[0] for name in plan.former}
    names = sorted({user["name"] for user in module.params["accounts"]} | former)
    if names == known_names(path):
        return False
    if not module.check_mode:
        # In the same folder, so that the change is one step.
        temporary = Path(f"{path}.new")
        temporary.write_text(json.dumps(names) + "\n", encoding="utf-8")
        temporary.replace(path)
    return True


def apply_plan(client: Client, server: servers.Server, plan: accounts.Plan) -> None:
    """Run the statements in one session."""
    statements = [*plan.logged, LOCAL_ONLY, *plan.local]
    if not server.is_on("super_read_only"):
        client.query(statements)
        return
    try:
        client.query([OPEN, *statements, CLOSE])
    except MysqlError:
        client.query([CLOSE])
        raise


def run(module: AnsibleModule, client: Client) -> dict[str, Any]:
    """Return the module's result."""
    try:
        server, plan = read_plan(client, module.params)
        if plan.changed and not module.check_mode:
            apply_plan(client, server, plan)
        new_names = keep_names(module, plan)
    except MysqlError as error:
        if module.check_mode and (servers.is_absent(error) or error.kind == "client_missing"):
            return {
                "changed": True,
                "databases": [],
                "accounts": [],
                "former": [],
                "msg": "No server can be asked yet.",
            }
        module.fail_json(msg=f"MySQL accounts: {error.message}", errno=error.errno, kind=error.kind)
    names = dict.fromkeys([*plan.before, *plan.after])
    return {
        "changed": plan.changed or new_names,
        "flavor": server.flavor,
        "databases": [name.split(" ", 1)[1] for name in names if name.startswith("database ")],
        "accounts": [name for name in names if not name.startswith(("database ", "table "))],
        "former": plan.former,
        "diff": {"before": plan.before, "after": plan.after},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    error = input_error(module.params)
    if error:
        module.fail_json(msg=error)
    client = MysqlClient(MysqlLogin(unix_socket=module.params["login_unix_socket"]))
    module.exit_json(**run(module, client))


if __name__ == "__main__":
    main()
