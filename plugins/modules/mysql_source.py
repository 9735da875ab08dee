#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a MySQL or MariaDB server the replica of a given primary, or a primary that is open for writes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_source
short_description: Make a MySQL or MariaDB server the replica of a primary, or a primary
version_added: 0.1.0
description:
  - Makes the server on this host a replica of one primary by GTID, or a primary that is open for writes.
  - A replica is closed for writes (C(super_read_only) on MySQL, C(read_only) on MariaDB), a primary is opened.
    An option file keeps that over a restart.
  - Never removes data. A server that holds transactions or databases of its own is not made a replica, a server that
    follows another primary is not moved without O(allow_repoint), and a server that follows one is not made a primary.
    Each refusal is one sentence, and nothing has changed before it.
  - In check mode it can be asked for a refusal before anything else is done on a host.
  - The binary logs of a primary that holds data and had no logs (MariaDB) will begin with the second number of its own GTIDs, so that
    M(siteops.webcluster.replication_status) can tell that an empty replica would not get everything from them.
  - It does not wait until replication works; M(siteops.webcluster.replication_status) tells.
options:
  state:
    description: What the server has to be.
    type: str
    choices: [replica, primary]
    default: replica
  host:
    description: Address of the primary. Needed for O(state=replica).
    type: str
  port:
    description: Port of the primary.
    type: int
    default: 3306
  user:
    description:
      - Account on the primary with C(REPLICATION SLAVE).
      - When left out, a replica keeps the account that it has, and no server can be made one.
    type: str
  password:
    description: Password of that account, at most 32 characters (the servers' limit).
    type: str
  tls:
    description:
      - Whether the connection to the primary uses TLS.
      - V(auto) uses it where servers make their certificates themselves (MySQL, and MariaDB from 11.4 on), or have one of the
        cluster's authority, which is where C(ssl_ca) is C(/etc/mysql/webcluster-tls/ca.pem).
      - With that authority the primary's certificate is verified, its address included. Without it MariaDB from 11.4 on verifies
        it by the account's password, and MySQL does not.
      - Where a MariaDB primary gets its certificate at its next start only, a replica that did not verify it before goes on so, and
        RV(proven) is false.
    type: str
    choices: [auto, required, disabled]
    default: auto
  connect_retry:
    description: Seconds between two attempts to reach the primary.
    type: int
    default: 5
  retry_count:
    description: Number of such attempts. MySQL only; MariaDB takes its own option C(master_retry_count).
    type: int
    default: 86400
  heartbeat_period:
    description: Seconds without a transaction after which the primary sends a sign of life.
    type: float
    default: 5.0
  source_timeout:
    description:
      - Seconds within which the primary must let O(user) in, before anything is changed. V(0) does not ask it.
      - Of use where primary and replica are set up at the same moment. A password that the primary refuses ends the wait
        after 15 seconds, unless the replica is connected at present and only its password is to change.
    type: int
    default: 0
  allow_repoint:
    description: Whether a server that replicates from another primary may be moved to this one.
    type: bool
    default: false
  seeded:
    description:
      - Whether M(siteops.webcluster.mysql_seed) decides about data that the server holds, before anything is changed. They are no reason
        to refuse here then. In check mode only.
    type: bool
    default: false
    version_added: 0.3.0
  read_only_file:
    description:
      - Option file that holds C(read_only) for the next start. An empty text writes none.
      - Both flavors read this folder.
    type: str
    default: /etc/mysql/conf.d/webcluster-read-only.cnf
  state_folder:
    description:
      - Folder in which M(siteops.webcluster.mysql_primary) keeps that a move of the primary has begun.
      - A server that closed itself for such a move is not opened here.
    type: path
    default: /var/lib/webcluster-mysql
    version_added: 0.3.0
attributes:
  check_mode:
    description: Can run in check_mode and return changed status without modifying the server.
    support: full
    details:
      - In check mode a server that is not installed or not running is reported as changed.
  diff_mode:
    description: Returns what has changed, without passwords.
    support: full
extends_documentation_fragment:
  - siteops.webcluster.mysql_login
author:
  - siteops contributors (@siteops)
"""

EXAMPLES = r"""
- name: Replicate from the primary
  siteops.webcluster.mysql_source:
    host: 10.0.0.20
    user: replication
    password: "{{ replication_password }}"

- name: Ask first whether this server may become a replica of the primary
  siteops.webcluster.mysql_source:
    host: 10.0.0.20
  check_mode: true
  changed_when: false

- name: Open the primary for writes
  siteops.webcluster.mysql_source:
    state: primary
"""

RETURN = r"""
flavor:
  description: Which server answered.
  type: str
  returned: when a server answered
  sample: mariadb
in_place:
  description: Whether the server was already what it has to be; never where none answered.
  type: bool
  returned: success
server_id:
  description:
    - The C(server_id) that the server should have. Its own one where it has one and holds anything, otherwise a new one, which no
      server had before.
    - A replica skips what was once written under its own C(server_id). An empty server in the place of a former primary, with
      its number, would skip all of that without a word.
  type: int
  returned: success
  sample: 2714410383
proven:
  description: Whether the primary shows a certificate of the cluster's authority, as far as it was asked; true where there is none.
  type: bool
  returned: success
  version_added: 0.3.0
unlogged:
  description: Whether it was a MariaDB server that holds data and has no binary log.
  type: bool
  returned: success
statements:
  description: First words of the statements that were run, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [SET GLOBAL read_only, CHANGE MASTER TO, START SLAVE]
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import server as servers
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import source
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.channels import ask_channels
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    Client,
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.content import READ_SCHEMAS
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import (
    READ_ONLY_FILE,
    STATE_FOLDER,
    KeptFiles,
    read_only_text,
    read_text,
    replace_text,
    unfinished_move,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._primary_login import wait_for_primary

Connect = Callable[[MysqlLogin], Client]

ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["replica", "primary"], "default": "replica"},
    "host": {"type": "str"},
    "port": {"type": "int", "default": 3306},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "tls": {"type": "str", "choices": ["auto", "required", "disabled"], "default": "auto"},
    "connect_retry": {"type": "int", "default": 5},
    "retry_count": {"type": "int", "default": 86400},
    "heartbeat_period": {"type": "float", "default": 5.0},
    "source_timeout": {"type": "int", "default": 0},
    "allow_repoint": {"type": "bool", "default": False},
    "read_only_file": {"type": "str", "default": READ_ONLY_FILE},
    "state_folder": {"type": "path", "default": STATE_FOLDER},
    "seeded": {"type": "bool", "default": False},
    "login_unix_socket": {"type": "path"},
}
PASSWORD_LIMIT = 32


def wanted_primary(params: dict[str, Any]) -> source.Wanted:
    return source.Wanted(
        params["host"],
        params["port"],
        params["user"],
        params["password"],
        params["tls"],
        params["connect_retry"],
        params["retry_count"],
        params["heartbeat_period"],
    )


def make_plan(
    client: Client, params: dict[str, Any], connect: Connect, asking: bool
) -> tuple[servers.Server, source.Wanted, source.Plan]:
    """Ask the server and decide. asking: only a refusal is of interest, so a log-in need not be given."""
    wanted = wanted_primary(params)
    server = servers.read_server(*client.query([servers.READ_VARIABLES, READ_SCHEMAS]))
    channels = ask_channels(client, server)
    if params["state"] == "primary":
        refusal = unfinished_move(KeptFiles(folder=Path(params["state_folder"])))
        return server, wanted, source.Plan(refusal=refusal) if refusal else source.plan_primary(server, channels)
    if asking and wanted.user is None:
        refusal = source.refuse_replica(server, channels, wanted, params["allow_repoint"], params["seeded"])
        return server, wanted, source.Plan(refusal=refusal)

    def plan() -> source.Plan:
        return source.plan_replica(server, channels, wanted, params["allow_repoint"], params["seeded"])

    found = plan()
    if found.statements and wanted.user and source.authority(server, wanted):
        primary = connect(source.primary_login(server, wanted))
        wanted = source.judged(primary, server, wanted, channels)
        primary.close()
        found = found if wanted.proven else plan()
    return server, wanted, found


def keep_read_only(module: AnsibleModule, server: servers.Server, diff: dict[str, dict[str, object]]) -> bool:
    """Write the option file if it is not as it has to be, and say so."""
    if not module.params["read_only_file"]:
        return False
    path = Path(module.params["read_only_file"])
    text = read_only_text(server.is_mariadb, module.params["state"] == "replica")
    present = read_text(path)
    if present == text:
        return False
    if present is not None:
        diff["before"][str(path)] = present
    diff["after"][str(path)] = text
    if not module.check_mode:
        replace_text(path, text)
    return True


def first_words(statement: str) -> str:
    return statement.split("=")[0].rsplit(" ", 1)[0] if "=" in statement else statement


def primary_refusal(
    server: servers.Server,
    wanted: source.Wanted,
    plan: source.Plan,
    params: dict[str, Any],
    connect: Connect,
    asking: bool,
) -> str | None:
    """Say why this replica would not get what the primary has, or None; a log-in that is not given cannot be tried."""
    if not params["source_timeout"] or not params["user"] or not plan.statements:
        return None
    login = source.primary_login(server, wanted)
    client = connect(login)
    problem = wait_for_primary(lambda: source.primary_problem(client, login), params["source_timeout"], plan.connected)
    refusal = problem.text if problem else None
    # Who only asks has not configured the server's number yet.
    if not problem and not asking:
        refusal = source.skipped(client, server, wanted)
    client.close()
    return f"{refusal}; the replication here was not touched" if refusal else None


def run(module: AnsibleModule, client: Client, connect: Connect) -> dict[str, Any]:
    """Return the module's result."""
    params = module.params
    try:
        server, wanted, plan = make_plan(client, params, connect, module.check_mode)
        if plan.refusal:
            module.fail_json(msg=plan.refusal, flavor=server.flavor)
        if params["state"] == "replica":
            refusal = primary_refusal(server, wanted, plan, params, connect, module.check_mode)
            if refusal:
                module.fail_json(msg=refusal, flavor=server.flavor)
        if plan.statements and not module.check_mode:
            client.query(plan.statements)
    except MysqlError as error:
        if module.check_mode and servers.is_absent(error):
            absent = {"changed": True, "in_place": False, "statements": [], "msg": "No server answers yet."}
            return {**absent, "server_id": servers.new_id(), "unlogged": False, "proven": True}
        module.fail_json(msg=f"MySQL source: {error.message}", errno=error.errno, kind=error.kind)
    diff = {"before": plan.before, "after": plan.after}
    wrote = keep_read_only(module, server, diff)
    changed = bool(plan.statements) or wrote
    return {
        "changed": changed,
        "in_place": not changed,
        "flavor": server.flavor,
        "server_id": server.lasting_id or servers.new_id(),
        "unlogged": server.is_unlogged,
        "proven": wanted.proven,
        "statements": [first_words(statement) for statement in plan.statements],
        "diff": diff,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_if=[("state", "replica", ["host"])],
        required_together=[("user", "password")],
    )
    if module.params["seeded"] and not module.check_mode:
        module.fail_json(msg="seeded is true, expected it in check mode only: what mysql_seed made needs no exception")
    password = module.params["password"] or ""
    if len(password) > PASSWORD_LIMIT or "\n" in password:
        module.fail_json(msg=f"password has {len(password)} characters, expected one line of at most {PASSWORD_LIMIT}")
    client = MysqlClient(MysqlLogin(unix_socket=module.params["login_unix_socket"]))
    module.exit_json(**run(module, client, MysqlClient))


if __name__ == "__main__":
    main()
