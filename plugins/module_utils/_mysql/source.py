# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide how a server gets the wanted source of replication, or why it must not; nothing here talks to a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    Client,
    MysqlError,
    MysqlLogin,
    Row,
    Rows,
    quote,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server, own_data
from ansible_collections.siteops.webcluster.plugins.module_utils._source_login import Problem

READ_CHANNELS_MARIADB = "SHOW ALL SLAVES STATUS"
READ_CHANNELS_MYSQL = "SHOW REPLICA STATUS"
READ_PASSWORDS_MYSQL = "SELECT Channel_name, User_password, Heartbeat FROM mysql.slave_master_info"

AUTH_ERRORS = frozenset({1045, 1698, 1130, 1862, 2059, 2061})
HOST_NOT_ALLOWED = 1130


@dataclass(frozen=True)
class Wanted:
    """The source as it has to be; without a user the log-in that is there stays."""

    host: str
    port: int = 3306
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: str = "auto"  # auto | required | disabled
    connect_retry: int = 5
    retry_count: int = 86400
    heartbeat_period: float = 5.0


@dataclass(frozen=True)
class Channel:
    """One source that a server has; None: the server does not say."""

    name: str
    host: str
    port: int
    user: str
    tls: bool
    gtid: bool
    connect_retry: int
    retry_count: int | None
    heartbeat_period: float | None
    io_running: str
    sql_running: str
    io_errno: int
    io_error: str
    verify: bool = False
    password: str | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        return self.io_running != "No" and self.sql_running == "Yes"


@dataclass
class Plan:
    """Statements, or the sentence that says why there are none; both states in words, without secrets."""

    refusal: str | None = None
    # Whether the source lets this replica in at present.
    connected: bool = False
    statements: list[str] = field(default_factory=list)
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)


def _number(row: Row, key: str) -> int | None:
    value = row.get(key)
    return int(float(value)) if value else None


def _float(row: Row, key: str) -> float | None:
    value = row.get(key)
    return float(value) if value else None


def mariadb_channels(rows: Rows, master_info: str | None) -> list[Channel]:
    """Return MariaDB's sources. master_info: the text of the file that holds the unnamed source's password."""
    lines = (master_info or "").split("\n")
    return [
        Channel(
            name=row.get("Connection_name") or "",
            host=row["Master_Host"] or "",
            port=_number(row, "Master_Port") or 3306,
            user=row.get("Master_User") or "",
            # The sixth line of master.info; a source with a name has a file of its own.
            password=lines[5] if len(lines) > 5 and not row.get("Connection_name") else None,
            tls=row.get("Master_SSL_Allowed") == "Yes",
            verify=row.get("Master_SSL_Verify_Server_Cert") == "Yes",
            gtid=row.get("Using_Gtid") == "Slave_Pos",
            connect_retry=_number(row, "Connect_Retry") or 0,
            retry_count=None,
            heartbeat_period=_float(row, "Slave_heartbeat_period"),
            io_running=row.get("Slave_IO_Running") or "No",
            sql_running=row.get("Slave_SQL_Running") or "No",
            io_errno=_number(row, "Last_IO_Errno") or 0,
            io_error=row.get("Last_IO_Error") or "",
        )
        for row in rows
        if row.get("Master_Host")
    ]


def mysql_channels(rows: Rows, passwords: Rows) -> list[Channel]:
    """Return MySQL's sources; passwords: the answer to READ_PASSWORDS_MYSQL."""
    more = {row.get("Channel_name") or "": row for row in passwords}
    channels = []
    for row in rows:
        if not row.get("Source_Host"):
            continue
        name = row.get("Channel_Name") or ""
        extra = more.get(name, {})
        channels.append(
            Channel(
                name=name,
                host=row["Source_Host"] or "",
                port=_number(row, "Source_Port") or 3306,
                user=row.get("Source_User") or "",
                password=extra.get("User_password"),
                tls=row.get("Source_SSL_Allowed") == "Yes",
                gtid=row.get("Auto_Position") == "1",
                connect_retry=_number(row, "Connect_Retry") or 0,
                retry_count=_number(row, "Source_Retry_Count"),
                heartbeat_period=_float(extra, "Heartbeat"),
                io_running=row.get("Replica_IO_Running") or "No",
                sql_running=row.get("Replica_SQL_Running") or "No",
                io_errno=_number(row, "Last_IO_Errno") or 0,
                io_error=row.get("Last_IO_Error") or "",
            )
        )
    return channels


def uses_tls(server: Server, tls: str) -> bool:
    """auto: where this server makes certificates itself, for then its source of the same kind has some as well."""
    return server.makes_certificates if tls == "auto" else tls == "required"


def verifies(server: Server, tls: bool) -> bool:
    """MariaDB proves its own certificate by the account's password, from 11.4 on; MySQL's would need a CA."""
    return tls and server.is_mariadb and server.makes_certificates


def change_statement(server: Server, wanted: Wanted) -> str:
    tls = uses_tls(server, wanted.tls)
    word = "MASTER" if server.is_mariadb else "SOURCE"
    parts = [
        f"{word}_HOST={quote(wanted.host)}",
        f"{word}_PORT={wanted.port}",
        f"{word}_CONNECT_RETRY={wanted.connect_retry}",
        f"{word}_HEARTBEAT_PERIOD={wanted.heartbeat_period:g}",
        f"{word}_SSL={int(tls)}",
    ]
    if wanted.user is not None:
        parts += [f"{word}_USER={quote(wanted.user)}", f"{word}_PASSWORD={quote(wanted.password or '')}"]
    if server.is_mariadb:
        parts += [f"MASTER_SSL_VERIFY_SERVER_CERT={int(verifies(server, tls))}", "MASTER_USE_GTID=slave_pos"]
        return "CHANGE MASTER TO " + ", ".join(parts)
    parts += [f"SOURCE_RETRY_COUNT={wanted.retry_count}", "SOURCE_AUTO_POSITION=1", "GET_SOURCE_PUBLIC_KEY=1"]
    return "CHANGE REPLICATION SOURCE TO " + ", ".join(parts)


def _describe(channel: Channel, same_password: bool | None) -> dict[str, object]:
    words: dict[str, object] = {
        "source": channel.source,
        "user": channel.user,
        "tls": channel.tls,
        "tls_verified": channel.verify,
        "gtid": channel.gtid,
        "connect_retry": channel.connect_retry,
        "retry_count": channel.retry_count,
        "heartbeat_period": channel.heartbeat_period,
    }
    if same_password is not None:
        words["password"] = "the given one" if same_password else "another"
    return words


def _wish(server: Server, wanted: Wanted, channel: Channel | None) -> dict[str, object]:
    """Describe the wanted source in the words of _describe; what the server does not say is not compared."""
    tls = uses_tls(server, wanted.tls)
    words: dict[str, object] = {
        "source": f"{wanted.host}:{wanted.port}",
        "user": wanted.user,
        "tls": tls,
        "tls_verified": verifies(server, tls),
        "gtid": True,
        "connect_retry": wanted.connect_retry,
        "retry_count": None if server.is_mariadb else wanted.retry_count,
        "heartbeat_period": wanted.heartbeat_period,
        "password": "the given one",
    }
    if channel is not None:
        if wanted.user is None:
            words["user"] = channel.user
        if channel.heartbeat_period is None:
            words["heartbeat_period"] = None
        if wanted.password is None or wanted.user is None:
            del words["password"]
    return words


def _same_password(wanted: Wanted, channel: Channel) -> bool | None:
    """Compare with the stored password; where it cannot be read, a refused log-in counts as another one."""
    if wanted.user is None or wanted.password is None:
        return None
    if channel.password is not None:
        return channel.password == wanted.password
    return channel.io_errno not in AUTH_ERRORS


def _listens_at(server: Server, wanted: Wanted) -> bool:
    addresses = [part.strip() for part in server.variables.get("bind_address", "").split(",")]
    return wanted.host in addresses and str(wanted.port) == server.variables.get("port")


def refuse_source(server: Server, channels: Sequence[Channel], wanted: Wanted, allow_repoint: bool) -> str | None:
    """Say why this server must not get this source, or None."""
    source = f"{wanted.host}:{wanted.port}"
    nothing = "nothing was changed"
    if _listens_at(server, wanted):
        return f"{source} is this server itself, expected another server as its source; {nothing}"
    for channel in channels:
        if channel.name:
            return (
                f"this server replicates from {channel.source} over the channel {channel.name!r}, expected {source} "
                f"over the unnamed one; remove that channel first; {nothing}"
            )
        if channel.source != source and not allow_repoint:
            return (
                f"this server replicates from {channel.source}, not from {source}; give its real source, or move it on "
                f"purpose (allow_repoint of the module mysql_source); {nothing}"
            )
    found = None if channels else own_data(server)
    if found:
        return (
            f"this server holds {found}, expected an empty server or a copy of {source}; save and remove its data, or "
            f"run the primary's role on it; {nothing}"
        )
    return None


def plan_replica(server: Server, channels: Sequence[Channel], wanted: Wanted, allow_repoint: bool = False) -> Plan:
    """Lead the server to replicate from the wanted source, read only."""
    plan = Plan(refusal=refuse_source(server, channels, wanted, allow_repoint))
    if plan.refusal:
        return plan
    mariadb = server.is_mariadb
    word = "SLAVE" if mariadb else "REPLICA"
    channel = channels[0] if channels else None
    plan.connected = channel is not None and channel.io_running == "Yes"
    before = _describe(channel, _same_password(wanted, channel)) if channel else {}
    after = _wish(server, wanted, channel)
    before["running"], after["running"] = bool(channel and channel.running), True
    plan_read_only(plan, server, True)
    changes = {key for key in after if key != "running" and before.get(key) != after[key]}
    if changes and channel is None and (wanted.user is None or wanted.password is None):
        plan.refusal = "user and password are needed to set the source of a server that has none"
        return plan
    if changes:
        if channel and (channel.io_running != "No" or channel.sql_running != "No"):
            plan.statements.append(f"STOP {word}")
        plan.statements.append(change_statement(server, wanted))
    if changes or not before["running"]:
        plan.statements.append(f"START {word}")
    plan.before.update(before)
    plan.after.update(after)
    return plan


def source_login(server: Server, wanted: Wanted) -> MysqlLogin:
    """Return the log-in that the replication is going to use."""
    return MysqlLogin(
        host=wanted.host,
        port=wanted.port,
        user=wanted.user,
        password=wanted.password,
        tls="required" if uses_tls(server, wanted.tls) else "disabled",
    )


def source_problem(client: Client, login: MysqlLogin) -> Problem | None:
    """Log in at the source as the replication does, and see whether it may replicate."""
    name = f"the source {login.host}:{login.port}"
    try:
        grants = [str(value) for row in client.query(["SHOW GRANTS"])[0] for value in row.values()]
    except MysqlError as error:
        if error.errno == HOST_NOT_ALLOWED:
            return Problem(f"{name} has no account for this host: {error.message}", True)
        if error.kind == "auth":
            return Problem(
                f"{name} refuses the user {login.user!r}: wrong replication password or no such user ({error.message})",
                False,
            )
        if error.kind == "unreachable":
            return Problem(f"{name} cannot be reached: {error.message}", True)
        return Problem(f"{name} answers: {error.message}", False)
    if not any("REPLICATION SLAVE" in grant or grant.startswith("GRANT ALL PRIVILEGES ON *.*") for grant in grants):
        return Problem(
            f"{name} does not let the user {login.user!r} replicate: GRANT REPLICATION SLAVE is missing", True
        )
    return None


def plan_read_only(plan: Plan, server: Server, read_only: bool) -> None:
    """Open or close the server for writes; MySQL's root is stopped by super_read_only only."""
    closing = "read_only" if server.is_mariadb else "super_read_only"
    now = server.is_on(closing)
    if read_only and not now:
        plan.statements.append(f"SET GLOBAL {closing} = ON")
    elif not read_only and (now or server.is_on("read_only")):
        # On MySQL this opens super_read_only as well.
        plan.statements.append("SET GLOBAL read_only = OFF")
    plan.before["read_only"] = now if read_only else now or server.is_on("read_only")
    plan.after["read_only"] = read_only


def plan_primary(server: Server, channels: Sequence[Channel]) -> Plan:
    """Open the server for writes, unless it is somebody's replica."""
    plan = Plan()
    if channels:
        channel = channels[0]
        plan.refusal = (
            f"this server is a replica of {channel.source} (receiving: {channel.io_running}, applying: "
            f"{channel.sql_running}), expected a server without a source; promote it first, or run the replica's role "
            "on it; nothing was changed"
        )
        return plan
    plan_read_only(plan, server, False)
    return plan


def read_only_file(server: Server, read_only: bool) -> str:
    """Return the option file that keeps a server's openness over a restart."""
    lines = ["# Written by siteops.webcluster.mysql_source: is the server open for writes after a start?", "[mysqld]"]
    lines.append(f"read_only = {'ON' if read_only else 'OFF'}")
    if not server.is_mariadb:
        lines.append(f"super_read_only = {'ON' if read_only else 'OFF'}")
    return "\n".join(lines) + "\n"
