#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say whether replication of a MySQL, MariaDB, Redis or Valkey server is healthy, and if not, why."""

from __future__ import annotations

DOCUMENTATION = r"""
module: replication_status
short_description: Say whether replication is healthy, and if not, why
version_added: 0.1.0
author:
  - siteops contributors (@siteops)
description:
  - Looks once at a MySQL, Percona Server, MariaDB, Redis or Valkey server and judges its part in replication.
  - The lag counts only when both threads of a replica run; words such as C(Connecting) never count as running.
  - Shows errant transactions, a wrong primary, filters, a writable replica, lost binary logs, refused logins and
    a link on which nothing comes any more, each with a hint that names what mends it.
  - The return keys are the same for every engine and version.
  - Never changes anything on the server.
notes:
  - MySQL and MariaDB are asked through the C(mariadb) or C(mysql) client of the server, Redis and Valkey over a socket.
    Nothing needs to be installed on the host for this module.
  - Without login options MySQL and MariaDB are asked as the operating system's root over the unix socket.
  - "Privileges of a separate account: on MySQL C(REPLICATION CLIENT), C(PROCESS) and C(SELECT) on
    C(performance_schema); on MariaDB C(SLAVE MONITOR), C(BINLOG MONITOR) and C(PROCESS);
    on Redis and Valkey C(+info +role), and C(+config|get) for exact hints."
attributes:
  check_mode:
    description: Runs in check mode as always, since it never changes anything.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  engine:
    description: What kind of server to ask.
    type: str
    required: true
    choices: [mysql, redis]
  login_host:
    description:
      - Host to connect to over TCP.
      - Without it MySQL and MariaDB are asked over their unix socket, Redis and Valkey on V(127.0.0.1).
    type: str
  login_port:
    description: Port to connect to, V(3306) for O(engine=mysql) and V(6379) for O(engine=redis) by default.
    type: int
  login_unix_socket:
    description: Unix socket to connect to.
    type: path
  login_user:
    description: Account to log in with.
    type: str
  login_password:
    description: Password of the account. It is handed over in a private file or inside the connection.
    type: str
  config_file:
    description: Option file of the MySQL or MariaDB client to read the login from. Only for O(engine=mysql).
    type: path
  connect_timeout:
    description: Seconds to wait for the connection.
    type: int
    default: 5
  tls:
    description:
      - V(auto) lets the client decide for MySQL and MariaDB and means no TLS for Redis and Valkey.
      - V(required) fails without TLS.
      - V(disabled) never uses it.
    type: str
    choices: [auto, required, disabled]
    default: auto
  ca_cert:
    description: File with the CA that signed the server's certificate.
    type: path
  client_cert:
    description: File with the certificate to show to the server.
    type: path
  client_key:
    description: File with the key of O(client_cert).
    type: path
  validate_certs:
    description: Whether the server's certificate must be valid.
    type: bool
    default: true
  tls_server_name:
    description: Name that the server's certificate must hold, O(login_host) by default. Only for O(engine=redis).
    type: str
  channel:
    description: Judge only this channel (MySQL) or connection (MariaDB); all of them by default.
    type: str
  expect_role:
    description:
      - What the server should be. A replica that has replicas itself counts as V(replica).
      - V(any) accepts a replica and a primary with replicas, not a server without replication.
    type: str
    choices: [any, primary, replica, standalone]
    default: any
  expect_primary:
    description:
      - Which primary a replica should follow.
      - A host, V(host:port), UUID or replication id, a dictionary with any of C(host), C(port), C(server_id), C(uuid),
        C(replid) such as RV(identity) of a result on the primary, or a list of these of which one must match.
      - Ids decide where both sides know one, host and port otherwise.
    type: raw
  expect_read_only:
    description:
      - Whether the server should refuse writes. By default a replica should and a primary should not.
      - V(false) on a replica accepts that it is writable.
    type: bool
  max_lag:
    description: Seconds a replica may be behind, its intended delay not counted. V(-1) does not judge the lag.
    type: int
    default: 10
  max_lag_bytes:
    description: Bytes a replica may be behind, where the server shows them.
    type: int
  min_replicas:
    description: How many replicas must be connected and in sync. Meant for a primary.
    type: int
    default: 0
  allow_delay:
    description: Whether an intended delay of the replica is accepted.
    type: bool
    default: false
  allow_filters:
    description:
      - Whether replication and binary log filters are accepted.
      - Filters that only ignore the schemas mysql, sys, performance_schema and information_schema always are.
    type: bool
    default: false
  allow_errant:
    description: Server UUIDs (MySQL) or server ids (MariaDB) whose transactions may exist on the replica alone.
    type: list
    elements: str
    default: []
  primary_position:
    description:
      - RV(position) of a result on the primary, taken before this look.
      - With it the module tells exactly whether the replica has everything the primary had, and what only the replica
        has. Without it a replica that was the primary before cannot be told from one that was written to.
    type: dict
  fail_on:
    description:
      - States that make the task fail; all but V(healthy) by default.
      - An empty list never fails and only returns the facts.
    type: list
    elements: str
    choices:
      - unreachable
      - unsupported
      - wrong_primary
      - not_a_replica
      - auth_failed
      - needs_reseed
      - diverged
      - broken
      - stopped
      - connecting
      - syncing
      - no_replicas
      - writable_replica
      - lagging
      - catching_up
  ignore_checks:
    description: Names of checks, as in RV(checks), whose findings are dropped.
    type: list
    elements: str
    choices:
      - role
      - primary_identity
      - server_id
      - io
      - sql
      - lag
      - delay
      - caught_up
      - errant
      - read_only
      - filters
      - gtid
      - heartbeat
      - tls
      - semi_sync
      - replicas
      - canary
    default: []
"""

EXAMPLES = r"""
- name: Take the primary's position
  siteops.webcluster.replication_status:
    engine: mysql
    expect_role: primary
  register: __primary
  delegate_to: db1

- name: Check the replica against it
  siteops.webcluster.replication_status:
    engine: mysql
    expect_role: replica
    expect_primary: "{{ __primary.identity }}"
    primary_position: "{{ __primary.position }}"

- name: Ask a server who it is, whatever state it is in
  siteops.webcluster.replication_status:
    engine: redis
    login_user: admin
    login_password: "{{ redis_server_admin_password }}"
    fail_on: []
  register: __facts

- name: Accept a delayed replica that follows either of two primaries
  siteops.webcluster.replication_status:
    engine: mysql
    expect_role: replica
    expect_primary: ["10.0.0.20:3306", "10.0.0.21:3306"]
    allow_delay: true
    max_lag: 60
"""

RETURN = r"""
healthy:
  description: Whether RV(state) is V(healthy).
  returned: always
  type: bool
  sample: true
state:
  description:
    - The worst finding.
    - V(unreachable), no answer. V(auth_failed), a login is refused, the module's or the replica's.
      V(unsupported), the server does not understand the questions.
    - V(wrong_primary), the replica follows another server, or this server follows one and should not.
      V(not_a_replica), it does not replicate. V(no_replicas), a primary with too few.
    - V(connecting), the link is down and may come back, or nothing comes over it. V(syncing), first data are coming.
      V(stopped), somebody or a given-up connection stopped it. V(broken), an error stopped it.
    - V(needs_reseed), the primary no longer has the logs. V(diverged), the data differ from the primary's.
      V(writable_replica), it accepts writes. V(lagging), too far behind. V(catching_up), not yet at RV(position).
  returned: always
  type: str
  sample: healthy
msg:
  description: One sentence on the worst finding, or on the healthy server.
  returned: always
  type: str
  sample: this replica follows 10.0.0.20:3306, 0 s behind
reasons:
  description: All findings, the worst first.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check.
      type: str
    severity:
      description: V(error) makes the server unhealthy, V(warning) does not.
      type: str
    message:
      description: What was found.
      type: str
    hint:
      description: What mends it, if that is known.
      type: str
    errno:
      description: The server's error number, if there is one.
      type: int
  sample:
    - check: io
      severity: error
      message: "the primary 10.0.0.20:3306 refuses the password or account of 'replication' (error 1045: ...)"
      hint: "CHANGE MASTER TO MASTER_PASSWORD = '...'; check the account's host part on the primary."
      errno: 1045
checks:
  description:
    - Every check by name, with C(ok) (null where it was not judged), C(value) and C(expected).
    - The C(value) of C(reachable) is V(yes), V(loading), V(not_installed), V(no_socket), V(refused), V(timeout),
      V(no_route), V(unknown_host), V(permission), V(closed), V(lost), V(failed), V(tls), V(auth), V(noauth),
      V(wrongpass), V(noperm), V(privilege), V(syntax), V(protocol) or V(other).
  returned: always
  type: dict
  sample:
    io: {ok: true, value: "Yes", expected: "Yes"}
engine:
  description: O(engine).
  returned: always
  type: str
  sample: mysql
flavor:
  description: V(mysql), V(percona), V(mariadb), V(redis) or V(valkey); null without an answer.
  returned: always
  type: str
  sample: mariadb
version:
  description: What the server says; null without an answer.
  returned: always
  type: str
  sample: 11.8.6-MariaDB-0+deb13u1 from Debian-log
version_info:
  description: The numbers of RV(version).
  returned: always
  type: list
  elements: int
  sample: [11, 8, 6]
role:
  description:
    - V(replica) follows a primary. V(intermediate) does and has replicas itself. V(primary) has replicas.
      V(standalone) has neither. Null without an answer.
    - A primary whose replicas are all away shows as V(standalone).
  returned: always
  type: str
  sample: replica
read_only:
  description: Whether the server refuses writes of ordinary clients; null without an answer.
  returned: always
  type: bool
  sample: true
data:
  description: What the server holds.
  returned: always
  type: dict
  contains:
    empty:
      description:
        - Whether there is no user schema and no transaction of its own (MySQL, MariaDB), or no key (Redis, Valkey).
        - Null where the login may not see that.
      type: bool
  sample: {empty: false}
identity:
  description: Who the server is; keys that its engine does not know are null. Feed it to O(expect_primary).
  returned: always
  type: dict
  contains:
    host:
      description: Address it reports or listens on, or its name; never a loopback address.
      type: str
    port:
      description: Port it listens on.
      type: int
    server_id:
      description: Server id (MySQL, MariaDB).
      type: int
    uuid:
      description: Server UUID (MySQL).
      type: str
    run_id:
      description: Id of this run of the server (Redis, Valkey).
      type: str
    replid:
      description: Id of its replication history (Redis, Valkey).
      type: str
  sample: {host: 10.0.0.21, port: 3306, server_id: 21, uuid: null, run_id: null, replid: null}
primary:
  description: The primary that a replica follows, of its first channel; all keys null where there is none.
  returned: always
  type: dict
  contains:
    host:
      description: Host as the replica was told.
      type: str
    port:
      description: Port as the replica was told.
      type: int
    server_id:
      description: Server id, once it was connected.
      type: int
    uuid:
      description: Server UUID, once it was connected.
      type: str
    replid:
      description: Replication id, while the link is up.
      type: str
    user:
      description: Account that the replica logs in with.
      type: str
  sample: {host: 10.0.0.20, port: 3306, server_id: 20, uuid: null, replid: null, user: replication}
channels:
  description: Each connection to a primary with its threads, in the server's words.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the channel, empty for the usual one.
      type: str
    host:
      description: Host of the primary.
      type: str
    port:
      description: Port of the primary.
      type: int
    io:
      description:
        - The connection, with C(state), C(errno), C(error), C(since) and C(heartbeat_age) in seconds.
        - For Redis and Valkey C(state) is V(connected), V(sync), V(handshake), V(connecting) or V(connect).
      type: dict
    sql:
      description: The applier, with C(state), C(errno), C(error) and C(since).
      type: dict
    workers:
      description: Parallel appliers with their errors (MySQL).
      type: list
      elements: dict
    delay:
      description: Intended delay in seconds.
      type: int
    filters:
      description: Filters that keep user data away.
      type: dict
position:
  description:
    - How far this server is. Feed it to O(primary_position); its content may grow.
    - C(kind) is V(gtid), V(mariadb_gtid), V(file), V(redis) or null.
  returned: always
  type: dict
  sample: {kind: mariadb_gtid, value: 0-20-118}
lag:
  description: How far the replica is behind; null where that cannot be told.
  returned: always
  type: dict
  contains:
    seconds:
      description: Seconds behind. Null unless every thread runs.
      type: int
    source:
      description: Where it comes from, V(native) or V(position).
      type: str
    bytes:
      description: Bytes behind.
      type: int
    transactions:
      description: Transactions behind O(primary_position), or else behind what was received.
      type: int
  sample: {seconds: 0, source: native, bytes: 0, transactions: 0}
gtid:
  description: Global transaction ids (MySQL, MariaDB).
  returned: always
  type: dict
  contains:
    mode:
      description: gtid_mode (MySQL), or Using_Gtid of the first connection (MariaDB).
      type: str
    executed:
      description: gtid_executed (MySQL) or gtid_slave_pos (MariaDB).
      type: str
    retrieved:
      description: What was received.
      type: str
    missing:
      description: What is not applied yet of O(primary_position), or else of what was received.
      type: str
    errant:
      description: What did not come from the primary; empty if nothing, null if that cannot be told.
      type: str
    errant_count:
      description: Number of errant transactions (MySQL) or entries (MariaDB).
      type: int
replicas:
  description: Replicas that are connected to this server. An address may be that of a gateway.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: Address the replica connects from.
      type: str
    port:
      description: Port the replica listens on (Redis, Valkey) or connects from (MySQL, MariaDB).
      type: int
    state:
      description: The server's word for it.
      type: str
    offset:
      description: Last acknowledged offset (Redis, Valkey).
      type: int
    uuid:
      description: Not filled yet.
      type: str
    lag:
      description: Seconds since its last acknowledgement (Redis, Valkey).
      type: int
canary:
  description: An end-to-end write. Not done by this version, all keys are null.
  returned: always
  type: dict
  contains:
    token:
      description: What was written.
      type: str
    written_at:
      description: When.
      type: str
    seen:
      description: Whether it arrived.
      type: bool
    latency_ms:
      description: After how many milliseconds.
      type: int
    error:
      description: Why it could not be written or read.
      type: str
waited:
  description: Seconds spent waiting, V(0.0) in this version.
  returned: always
  type: float
  sample: 0.0
attempts:
  description: Number of looks, V(1) in this version.
  returned: always
  type: int
  sample: 1
raw:
  description: The server's answers, for people. It holds no password; its content depends on engine and version.
  returned: always
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_client import (
    MysqlClient,
    MysqlLogin,
    module_runner,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis_client import RedisClient, RedisLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import look
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.verdict import (
    CHECKS,
    UNHEALTHY,
    Expectation,
    parse_expected_primary,
)


def argument_spec() -> dict[str, dict[str, Any]]:
    return {
        "engine": {"type": "str", "required": True, "choices": ["mysql", "redis"]},
        "login_host": {"type": "str"},
        "login_port": {"type": "int"},
        "login_unix_socket": {"type": "path"},
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "config_file": {"type": "path"},
        "connect_timeout": {"type": "int", "default": 5},
        "tls": {"type": "str", "choices": ["auto", "required", "disabled"], "default": "auto"},
        "ca_cert": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "validate_certs": {"type": "bool", "default": True},
        "tls_server_name": {"type": "str"},
        "channel": {"type": "str"},
        "expect_role": {"type": "str", "choices": ["any", "primary", "replica", "standalone"], "default": "any"},
        "expect_primary": {"type": "raw"},
        "expect_read_only": {"type": "bool"},
        "max_lag": {"type": "int", "default": 10},
        "max_lag_bytes": {"type": "int"},
        "min_replicas": {"type": "int", "default": 0},
        "allow_delay": {"type": "bool", "default": False},
        "allow_filters": {"type": "bool", "default": False},
        "allow_errant": {"type": "list", "elements": "str", "default": []},
        "primary_position": {"type": "dict"},
        "fail_on": {"type": "list", "elements": "str", "choices": list(UNHEALTHY)},
        "ignore_checks": {"type": "list", "elements": "str", "choices": list(CHECKS[1:]), "default": []},
    }


def expectation(params: dict[str, Any]) -> Expectation:
    """Return what the parameters expect; raises ValueError with a sentence."""
    return Expectation(
        role=params["expect_role"],
        primary=parse_expected_primary(params["expect_primary"]),
        read_only=params["expect_read_only"],
        max_lag=params["max_lag"] if params["max_lag"] >= 0 else None,
        max_lag_bytes=params["max_lag_bytes"],
        min_replicas=params["min_replicas"],
        allow_delay=params["allow_delay"],
        allow_filters=params["allow_filters"],
        ignore_checks=tuple(params["ignore_checks"]),
    )


def mysql_login(params: dict[str, Any]) -> MysqlLogin:
    return MysqlLogin(
        host=params["login_host"],
        port=params["login_port"] or 3306,
        unix_socket=params["login_unix_socket"],
        user=params["login_user"],
        password=params["login_password"],
        config_file=params["config_file"],
        connect_timeout=params["connect_timeout"],
        ca_cert=params["ca_cert"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        tls=params["tls"],
        validate_certs=params["validate_certs"],
    )


def redis_login(params: dict[str, Any]) -> RedisLogin:
    return RedisLogin(
        host=params["login_host"] or "127.0.0.1",
        port=params["login_port"] or 6379,
        unix_socket=params["login_unix_socket"],
        username=params["login_user"],
        password=params["login_password"],
        connect_timeout=params["connect_timeout"],
        tls=params["tls"] == "required",
        ca_cert=params["ca_cert"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        validate_certs=params["validate_certs"],
        tls_server_name=params["tls_server_name"],
    )


def looker(params: dict[str, Any], run_command: Callable[..., Any]) -> look.Looker:
    """Return the look that fits the engine."""
    if params["engine"] == "mysql":
        return look.MysqlLooker(MysqlClient(mysql_login(params), module_runner(run_command)), params["channel"])
    return look.RedisLooker(RedisClient(redis_login(params)), params["login_host"])


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        mutually_exclusive=[("login_host", "login_unix_socket")],
        required_by={"client_key": "client_cert"},
        supports_check_mode=True,
    )
    params = module.params
    try:
        expect = expectation(params)
    except ValueError as error:
        module.fail_json(msg=f"{error}.")
    result = look.once(
        looker(params, module.run_command), params["engine"], expect, params["primary_position"], params["allow_errant"]
    )
    fail_on = UNHEALTHY if params["fail_on"] is None else params["fail_on"]
    if result["state"] in fail_on:
        hint = result["reasons"][0]["hint"]
        result["msg"] = f"{result['state']}: {result['msg']}" + (f" - {hint}" if hint else "")
        module.fail_json(changed=False, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
