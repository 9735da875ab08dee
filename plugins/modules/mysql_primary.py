#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do one step of moving the primary from a MySQL or MariaDB server to another."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_primary
short_description: One step of moving the primary to another MySQL or MariaDB server
version_added: 0.3.0
description:
  - The steps of which switchover.yml, promote.yml and rejoin.yml consist; each runs on the host of one server, and asks the other server
    of the move by the login of the replication.
  - Each can be run again, finds what is done already and goes on from there. Only one runs on a host at a time.
  - No step removes data. A server that has transactions of its own is not made a replica.
options:
  step:
    description:
      - V(look) says what a plan needs to know, and changes nothing.
      - V(hand_over) closes the primary, waits until the other server is open, and follows it. Run it together with V(take_over).
      - V(take_over) waits until the other server is closed, applies what that one wrote, and opens this one.
      - V(withdraw) says whether this server has taken over; where it has not, it is the replica again that it was.
      - V(reopen) opens a primary again that closed itself. Only where V(withdraw) on the other server said that it did not take over.
      - V(follow) makes a server a replica of the other one, unless it has transactions of its own.
      - V(promote) opens a replica whose primary is dead, when it has applied all that it received.
      - V(unsent) counts the transactions in the binary logs of a primary that does not answer, after a place that its replica knows.
      - V(fence) lets a server that does not answer be closed after its next start, and kills it where it runs.
      - V(start_closed) starts a server that is down, closed for writes.
    type: str
    choices: [look, hand_over, take_over, withdraw, reopen, follow, promote, unsent, fence, start_closed]
    required: true
  host:
    description: Address of the other server.
    type: str
    default: ""
  name:
    description: What the other server is called in sentences; by default its address.
    type: str
    default: ""
  port:
    description: Port of the other server.
    type: int
    default: 3306
  user:
    description: Account of the replication.
    type: str
  password:
    description: Its password.
    type: str
  tls:
    description: Whether the connection between the two uses TLS, see M(siteops.webcluster.mysql_source).
    type: str
    choices: [auto, required, disabled]
    default: auto
  timeout:
    description: Seconds to wait for the other server, or until everything is applied.
    type: float
    default: 10.0
  fail:
    description: Whether a step that was not done fails the task; else RV(done) tells.
    type: bool
    default: true
  log_index:
    description: Index of the binary logs that V(unsent) reads.
    type: path
    default: /var/lib/mysql/binlog.index
  log_file:
    description: Name of the log of the place after which V(unsent) reads.
    type: str
    default: ""
  log_position:
    description: The place in it.
    type: int
    default: 4
  export:
    description: Whether V(unsent) writes the transactions into a file of O(state_folder), as SQL.
    type: bool
    default: false
  read_only_file:
    description: Option file that holds C(read_only) for the next start.
    type: path
    default: /etc/mysql/conf.d/webcluster-read-only.cnf
  state_folder:
    description: Folder of this host that keeps that a move has begun, what a promotion found, and exported transactions.
    type: path
    default: /var/lib/webcluster-mysql
attributes:
  check_mode:
    description: Can run in check_mode and return changed status without modifying the server.
    support: full
    details:
      - In check mode every step that changes something is skipped and reported as changed.
  diff_mode:
    description: Returns no diff.
    support: none
extends_documentation_fragment:
  - siteops.webcluster.mysql_login
author:
  - siteops contributors (@siteops)
"""

EXAMPLES = r"""
- name: Move the primary from db1 to db2
  siteops.webcluster.mysql_primary:
    step: "{{ 'take_over' if inventory_hostname == 'db2' else 'hand_over' }}"
    host: "{{ '10.0.0.20' if inventory_hostname == 'db2' else '10.0.0.21' }}"
    user: replication
    password: "{{ replication_password }}"
"""

RETURN = r"""
done:
  description: Whether the step was done, now or before.
  type: bool
  returned: always
msg:
  description: Why it was not done, and where that leaves the server.
  type: str
  returned: when it was not done
own_writes:
  description: Transactions of its own, for which a server is not made a replica.
  type: str
  returned: when it was not done
found:
  description: What O(step=look) found.
  type: dict
  returned: when asked for
opened:
  description: Whether this server took over; of O(step=withdraw).
  type: bool
  returned: when asked for
position:
  description: How far the transactions go with which a server was opened.
  type: str
  returned: when a server was opened
seconds:
  description: For how long neither server took writes; of O(step=hand_over).
  type: float
  returned: when a primary closed itself
transactions:
  description: How many transactions O(step=unsent) found.
  type: int
  returned: when asked for
gtids:
  description: The first of them.
  type: list
  elements: str
  returned: when asked for
file:
  description: Where they were exported to.
  type: str
  returned: when asked for
steps:
  description: What O(step=fence) did.
  type: list
  elements: str
  returned: when asked for
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import dead_primary, source
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    Client,
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import (
    READ_ONLY_FILE,
    STATE_FOLDER,
    KeptFiles,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.move import MoveError, Mover
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import READ_VARIABLES, read_server

Connect = Callable[[MysqlLogin], Client]

LOCK = "/run/lock/webcluster-mysql-primary.lock"
# A step that an earlier run left behind ends by itself.
LOCK_SECONDS = 45.0
# Another server that takes longer to say who it is does not answer.
PEER_SECONDS = 5.0
READING = ("look", "unsent")
DEAD = ("unsent", "fence", "start_closed")

ARGUMENTS: dict[str, dict[str, Any]] = {
    "step": {
        "type": "str",
        "required": True,
        "choices": [
            "look",
            "hand_over",
            "take_over",
            "withdraw",
            "reopen",
            "follow",
            "promote",
            "unsent",
            "fence",
            "start_closed",
        ],
    },
    "host": {"type": "str", "default": ""},
    "name": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 3306},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "tls": {"type": "str", "choices": ["auto", "required", "disabled"], "default": "auto"},
    "timeout": {"type": "float", "default": 10.0},
    "fail": {"type": "bool", "default": True},
    "log_index": {"type": "path", "default": "/var/lib/mysql/binlog.index"},
    "log_file": {"type": "str", "default": ""},
    "log_position": {"type": "int", "default": 4},
    "export": {"type": "bool", "default": False},
    "read_only_file": {"type": "path", "default": READ_ONLY_FILE},
    "state_folder": {"type": "path", "default": STATE_FOLDER},
    "login_unix_socket": {"type": "path"},
}


@contextmanager
def alone(path: str = LOCK, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Wait until no other step runs on this host; the lock ends with the process."""
    with open(path, "w", encoding="utf-8") as file:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    raise MoveError(f"another step is running here since {seconds:g} s; nothing was changed") from None
            time.sleep(0.1)
        yield


def files_of(params: dict[str, Any]) -> KeptFiles:
    return KeptFiles(Path(params["read_only_file"]), Path(params["state_folder"]))


def mover(params: dict[str, Any], connect: Connect) -> Mover:
    """Return what does the steps; the other server is asked in the way of the replication."""
    client = connect(MysqlLogin(unix_socket=params["login_unix_socket"]))
    wanted = source.Wanted(params["host"], params["port"], params["user"], params["password"], params["tls"])
    try:
        server = read_server(client.query([READ_VARIABLES])[0], [])
    except MysqlError:
        # Only who is to look goes on, and says so.
        server = read_server([], [])
    peer = connect(source.primary_login(server, wanted))
    peer.timeout = PEER_SECONDS
    if wanted.host and not (wanted := source.judged(peer, server, wanted)).proven:
        peer = connect(source.primary_login(server, wanted))
        peer.timeout = PEER_SECONDS
    return Mover(client, peer, wanted, files_of(params), params["name"] or params["host"], params["timeout"])


def after_death(params: dict[str, Any]) -> dict[str, Any]:
    """Do one of the steps for a server that does not answer."""
    files = files_of(params)
    if params["step"] == "unsent":
        path = dead_primary.export_path(files, time.time()) if params["export"] else None
        names = dead_primary.unsent(Path(params["log_index"]), params["log_file"], params["log_position"], path)
        return {"transactions": len(names), "gtids": names[: dead_primary.TOLD], "file": str(path) if path else ""}
    steps = dead_primary.fence(files) if params["step"] == "fence" else dead_primary.start_closed(files)
    return {"steps": steps, "changed": bool(steps)}


def run(params: dict[str, Any], connect: Connect) -> dict[str, Any]:
    """Return the step's result."""
    step = params["step"]
    if step in DEAD:
        return after_death(params)
    moving = mover(params, connect)
    try:
        if step == "look":
            return {"found": moving.look()}
        found: dict[str, Any] = getattr(moving, step)()
        return {**found, "changed": bool(moving.done)}
    finally:
        moving.client.close()
        moving.peer.close()


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    step = module.params["step"]
    if module.check_mode and step not in READING:
        module.exit_json(changed=True, done=False, msg=f"would {step}")
    try:
        if step in READING:
            result = run(module.params, MysqlClient)
        else:
            with alone():
                result = run(module.params, MysqlClient)
    except (MoveError, dead_primary.HostError, MysqlError) as error:
        sentence = error.message if isinstance(error, MysqlError) else str(error)
        own = error.own_writes if isinstance(error, MoveError) else ""
        if module.params["fail"]:
            module.fail_json(msg=sentence, done=False, own_writes=own)
        module.exit_json(changed=False, done=False, msg=sentence, own_writes=own)
    module.exit_json(**{"changed": False, "done": True, **result})


if __name__ == "__main__":
    main()
