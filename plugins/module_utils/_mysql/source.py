# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide how a server is made a replica of the wanted primary, or why it must not; nothing here talks to a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    Client,
    MysqlError,
    MysqlLogin,
    Rows,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import Server
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import (
    ReplicaStatus,
    read_status,
    seconds,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._primary_login import Problem

READ_STORED_MYSQL = "SELECT Channel_name, User_password, Heartbeat FROM mysql.slave_master_info"

AUTH_ERRORS = frozenset({1045, 1698, 1130, 1862, 2059, 2061})
HOST_NOT_ALLOWED = 1130


@dataclass(frozen=True)
class Wanted:
    """The primary as it has to be; without a user the log-in that is there stays."""

    host: str
    port: int = 3306
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: str = "auto"  # auto | required | disabled
    connect_retry: int = 5
    retry_count: int = 86400
    heartbeat_period: float = 5.0
    # Whether the primary shows a certificate of the cluster's authority, as a server does after the start that gave it one.
    proven: bool = True

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Stored:
    """What a server keeps about a channel and its status does not show; None: nor can it be read elsewhere."""

    password: str | None = field(default=None, repr=False)
    heartbeat_period: float | None = None


@dataclass(frozen=True)
class Channel:
    """One primary that a server follows."""

    status: ReplicaStatus
    stored: Stored = Stored()

    @property
    def address(self) -> str:
        return f"{self.status.host}:{self.status.port or 3306}"

    @property
    def heartbeat_period(self) -> float | None:
        return self.status.heartbeat_period or self.stored.heartbeat_period

    @property
    def receives(self) -> str:
        return self.status.io_state or "No"

    @property
    def applies(self) -> str:
        return self.status.sql_state or "No"

    @property
    def running(self) -> bool:
        return self.receives != "No" and self.applies == "Yes"


@dataclass
class Plan:
    """Statements, or the sentence that says why there are none; both states in words, without secrets."""

    refusal: str | None = None
    # Whether the primary lets this replica in at present.
    connected: bool = False
    statements: list[str] = field(default_factory=list)
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)


def stored_by_mariadb(master_info: str | None) -> dict[str, Stored]:
    """Return what the file of the unnamed channel says; one with a name has a file of its own."""
    lines = (master_info or "").split("\n")
    return {"": Stored(password=lines[5])} if len(lines) > 5 else {}


def stored_by_mysql(rows: Rows) -> dict[str, Stored]:
    """Translate the answer to READ_STORED_MYSQL."""
    return {
        row.get("Channel_name") or "": Stored(row.get("User_password"), seconds(row.get("Heartbeat"))) for row in rows
    }


def read_channels(rows: Rows, stored: Mapping[str, Stored]) -> list[Channel]:
    """Return the primaries that a server follows; rows: the last result of status.READ_STATUS."""
    found = (read_status(row) for row in rows)
    return [Channel(status, stored.get(status.name, Stored())) for status in found if status.host]


def uses_tls(server: Server, wanted: Wanted) -> bool:
    """auto: where this server has a certificate, for then its source has one as well."""
    has_one = server.has_certificate if wanted.proven else server.makes_certificates
    return has_one if wanted.tls == "auto" else wanted.tls == "required"


def authority(server: Server, wanted: Wanted) -> str:
    """The file by which the primary's certificate is judged."""
    return server.authority if wanted.proven and uses_tls(server, wanted) else ""


def verifies(server: Server, wanted: Wanted) -> bool:
    """Without an authority MariaDB proves its own certificate by the account's password, from 11.4 on; MySQL cannot."""
    by_password = uses_tls(server, wanted) and server.is_mariadb and server.makes_certificates
    return by_password or bool(authority(server, wanted))


def change_statement(server: Server, wanted: Wanted) -> str:
    tls = uses_tls(server, wanted)
    word = "MASTER" if server.is_mariadb else "SOURCE"
    parts = [
        f"{word}_HOST={quote(wanted.host)}",
        f"{word}_PORT={wanted.port}",
        f"{word}_CONNECT_RETRY={wanted.connect_retry}",
        f"{word}_HEARTBEAT_PERIOD={wanted.heartbeat_period:g}",
        f"{word}_SSL={int(tls)}",
        f"{word}_SSL_CA={quote(authority(server, wanted))}",
        f"{word}_SSL_VERIFY_SERVER_CERT={int(verifies(server, wanted))}",
    ]
    if wanted.user is not None:
        parts += [f"{word}_USER={quote(wanted.user)}", f"{word}_PASSWORD={quote(wanted.password or '')}"]
    if server.is_mariadb:
        parts.append("MASTER_USE_GTID=slave_pos")
        return "CHANGE MASTER TO " + ", ".join(parts)
    parts += [f"SOURCE_RETRY_COUNT={wanted.retry_count}", "SOURCE_AUTO_POSITION=1", "GET_SOURCE_PUBLIC_KEY=1"]
    return "CHANGE REPLICATION SOURCE TO " + ", ".join(parts)


def _describe(server: Server, channel: Channel, same_password: bool | None) -> dict[str, object]:
    status = channel.status
    words: dict[str, object] = {
        "primary": channel.address,
        "user": status.user,
        "tls": bool(status.tls),
        "tls_verified": bool(status.tls_verified),
        "authority": status.tls_authority or "",
        "gtid": status.gtid_mode in ("auto_position", "Slave_Pos"),
        "connect_retry": status.connect_retry,
        "heartbeat_period": channel.heartbeat_period,
    }
    if not server.is_mariadb:
        words["retry_count"] = status.retry_count
    if same_password is not None:
        words["password"] = "the given one" if same_password else "another"
    return words


def _wish(server: Server, wanted: Wanted, channel: Channel | None) -> dict[str, object]:
    """Describe the wanted primary in the words of _describe; what the server does not say is not compared."""
    words: dict[str, object] = {
        "primary": wanted.address,
        "user": wanted.user,
        "tls": uses_tls(server, wanted),
        "tls_verified": verifies(server, wanted),
        "authority": authority(server, wanted),
        "gtid": True,
        "connect_retry": wanted.connect_retry,
        "heartbeat_period": wanted.heartbeat_period,
        "password": "the given one",
    }
    if not server.is_mariadb:
        words["retry_count"] = wanted.retry_count
    if channel is not None:
        if wanted.user is None:
            words["user"] = channel.status.user
        if channel.heartbeat_period is None:
            words["heartbeat_period"] = None
        if wanted.password is None or wanted.user is None:
            del words["password"]
    return words


def _same_password(wanted: Wanted, channel: Channel) -> bool | None:
    """Compare with the stored password; where it cannot be read, a refused log-in counts as another one."""
    if wanted.user is None or wanted.password is None:
        return None
    if channel.stored.password is not None:
        return channel.stored.password == wanted.password
    return channel.status.io_errno not in AUTH_ERRORS


def _listens_at(server: Server, wanted: Wanted) -> bool:
    addresses = [part.strip() for part in server.variables.get("bind_address", "").split(",")]
    return wanted.host in addresses and str(wanted.port) == server.variables.get("port")


def refuse_replica(
    server: Server, channels: Sequence[Channel], wanted: Wanted, allow_repoint: bool, seeded: bool = False
) -> str | None:
    """Say why this server must not be made a replica of this primary, or None. seeded: mysql_seed decides about its data."""
    primary = wanted.address
    nothing = "nothing was changed"
    if _listens_at(server, wanted):
        return f"{primary} is this server itself, expected another server as its primary; {nothing}"
    for channel in channels:
        if channel.status.name:
            return (
                f"this server replicates from {channel.address} over the channel {channel.status.name!r}, expected {primary} "
                f"over the unnamed one; remove that channel first; {nothing}"
            )
        if channel.address != primary and not allow_repoint:
            return (
                f"this server replicates from {channel.address}, not from {primary}; give its real primary, or move it on "
                f"purpose (allow_repoint of the module mysql_source); {nothing}"
            )
    found = None if channels or seeded else server.content.own
    if found:
        return (
            f"this server holds {found}, expected an empty server or a copy of {primary}; save and remove its data, or "
            f"run the primary's role on it; {nothing}"
        )
    return None


def plan_replica(
    server: Server, channels: Sequence[Channel], wanted: Wanted, allow_repoint: bool = False, seeded: bool = False
) -> Plan:
    """Lead the server to replicate from the wanted primary, read only."""
    plan = Plan(refusal=refuse_replica(server, channels, wanted, allow_repoint, seeded))
    if plan.refusal:
        return plan
    mariadb = server.is_mariadb
    word = "SLAVE" if mariadb else "REPLICA"
    channel = channels[0] if channels else None
    plan.connected = channel is not None and channel.receives == "Yes"
    before = _describe(server, channel, _same_password(wanted, channel)) if channel else {}
    after = _wish(server, wanted, channel)
    before["running"], after["running"] = bool(channel and channel.running), True
    plan_read_only(plan, server, True)
    changes = {key for key in after if key != "running" and before.get(key) != after[key]}
    if changes and channel is None and (wanted.user is None or wanted.password is None):
        plan.refusal = "user and password are needed to make a server a replica that is none yet"
        return plan
    if changes:
        if channel and (channel.receives != "No" or channel.applies != "No"):
            plan.statements.append(f"STOP {word}")
        plan.statements.append(change_statement(server, wanted))
    if changes or not before["running"]:
        plan.statements.append(f"START {word}")
    plan.before.update(before)
    plan.after.update(after)
    return plan


def primary_login(server: Server, wanted: Wanted) -> MysqlLogin:
    """Return the log-in that the replication is going to use."""
    return MysqlLogin(
        host=wanted.host,
        port=wanted.port,
        user=wanted.user,
        password=wanted.password,
        # Without TLS MySQL's replication gets the primary's public key for its password, and our client cannot.
        tls="required" if uses_tls(server, wanted) else "disabled" if server.is_mariadb else "auto",
        ca_cert=authority(server, wanted) or None,
    )


def follows_by_authority(channels: Sequence[Channel]) -> bool:
    return any(channel.status.tls_authority for channel in channels)


def judged(client: Client, server: Server, wanted: Wanted, channels: Sequence[Channel] = ()) -> Wanted:
    """Ask the primary, over a client with primary_login, for its certificate; return how it can be followed at present.

    A MariaDB that was not started since it got its certificate shows the one that it makes itself, or none. Who followed it by the
    authority once is not content with less.
    """
    if not server.is_mariadb or not authority(server, wanted) or follows_by_authority(channels):
        return wanted
    _answers, error = client.try_query(["DO 1"])
    return replace(wanted, proven=False) if error and error.kind == "tls" else wanted


def primary_problem(client: Client, login: MysqlLogin) -> Problem | None:
    """Log in at the primary as the replication does, and see whether it may replicate."""
    name = f"the primary {login.host}:{login.port}"
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
        if error.kind == "tls" and login.ca_cert:
            # It gets its certificate in the same run.
            return Problem(f"{name} shows no certificate that is accepted here: {error.message}", True)
        return Problem(f"{name} answers: {error.message}", False)
    if not any("REPLICATION SLAVE" in grant or grant.startswith("GRANT ALL PRIVILEGES ON *.*") for grant in grants):
        return Problem(
            f"{name} does not let the user {login.user!r} replicate: GRANT REPLICATION SLAVE is missing", True
        )
    return None


def skipped(client: Client, server: Server, wanted: Wanted) -> str | None:
    """Say that this empty server would skip transactions of the primary's logs, as they bear its own server_id, or None.

    Only MariaDB tells the numbers that its logs hold.
    """
    if not server.is_mariadb or not server.content.empty:
        return None
    own = server.variables.get("server_id", "")
    state = (client.query(["SELECT @@GLOBAL.gtid_binlog_state AS state"])[0][0]["state"] or "").split(",")
    if own not in [gtid.split("-")[1] for gtid in state if gtid.count("-") == 2]:
        return None
    return (
        f"the binary logs of the primary {wanted.address} hold transactions under server_id {own}, which is this server's, so it"
        " would skip them: give it a number that no server had"
    )


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
            f"this server is a replica of {channel.address} (receiving: {channel.receives}, applying: "
            f"{channel.applies}), expected one that follows no other; promote it first, or run the replica's role "
            "on it; nothing was changed"
        )
        return plan
    plan_read_only(plan, server, False)
    if server.is_unlogged:
        # Its logs, once there are any, begin with the number after it, by which they are seen to lack a part.
        number = f"{server.variables.get('gtid_domain_id') or 0}-{server.variables['server_id']}-1"
        plan.statements.append(f"SET GLOBAL gtid_slave_pos = {quote(number)}")
        plan.before["logs_begin_after"], plan.after["logs_begin_after"] = "", number
    return plan
