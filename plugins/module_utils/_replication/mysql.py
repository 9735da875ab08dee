# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read replication from MySQL, Percona Server and MariaDB, and say it in the words of the model.

read() asks (in one client process for a privileged login), normalise() translates the rows. Features decide, never a
version number: the server itself picks the statement it knows through executable comments, and columns are found by
any of their names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Row, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record, fresh
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Channel,
    Identity,
    Note,
    Raw,
    Replica,
    Snapshot,
    Thread,
    address_of,
)

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client

SYSTEM_SCHEMAS = frozenset({"mysql", "sys", "performance_schema", "information_schema"})

# MariaDB 10 and later skips /*!50700 ... */ up to /*!99999 ... */, MySQL skips /*M! ... */.
_SERVER = (
    "SELECT VERSION() AS version, @@version_comment AS version_comment, CURRENT_USER() AS account, NOW() AS now"
    " /*!80023 , 1 AS knows_source */"
)
_GTIDS = (
    "SELECT 1 AS gtids"
    " /*!50700 , @@GLOBAL.gtid_executed AS gtid_executed, @@GLOBAL.gtid_purged AS gtid_purged */"
    " /*M!100005 , @@GLOBAL.gtid_slave_pos AS gtid_slave_pos, @@GLOBAL.gtid_binlog_pos AS gtid_binlog_pos,"
    " @@GLOBAL.gtid_binlog_state AS gtid_binlog_state, @@GLOBAL.gtid_current_pos AS gtid_current_pos */"
)
_NAMES = (
    "bind_address",
    "gtid_domain_id",
    "gtid_executed",
    "gtid_mode",
    "gtid_strict_mode",
    "hostname",
    "log_bin",
    "log_replica_updates",
    "log_slave_updates",
    "port",
    "read_only",
    "report_host",
    "server_id",
    "server_uuid",
    "super_read_only",
)
_STATUS_NAMES = (
    "Rpl_semi_sync_master_status",
    "Rpl_semi_sync_replica_status",
    "Rpl_semi_sync_slave_status",
    "Rpl_semi_sync_source_status",
    # MySQL 5.6 tells these here only.
    "Slave_heartbeat_period",
    "Slave_last_heartbeat",
)


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def _chosen(old: str, *newer: tuple[str, str]) -> tuple[str, ...]:
    """Statements that run the newest of several that the server knows: (start of an executable comment, statement)."""
    choices = "".join(f" {mark} , @siteops_sql = '{sql}' */" for mark, sql in newer)
    return (
        f"SET @siteops_sql = '{old}'{choices}",
        "PREPARE siteops_look FROM @siteops_sql",
        "EXECUTE siteops_look",
    )


_LINKS = (
    "SELECT s.CHANNEL_NAME AS channel, s.SERVICE_STATE AS state, c.HEARTBEAT_INTERVAL AS heartbeat_period,"
    " TIMESTAMPDIFF(SECOND, GREATEST(s.LAST_HEARTBEAT_TIMESTAMP, {queued}), NOW()) AS heartbeat_age"
    " FROM performance_schema.replication_connection_status s"
    " LEFT JOIN performance_schema.replication_connection_configuration c USING (CHANNEL_NAME)"
)
_WORKERS = (
    "SELECT CHANNEL_NAME AS channel, WORKER_ID AS id, SERVICE_STATE AS state, LAST_ERROR_NUMBER AS errno,"
    " LAST_ERROR_MESSAGE AS error FROM performance_schema.replication_applier_status_by_worker"
)


class Step(Record):
    """Statements that belong together; the last result set counts. optional: the look goes on without it."""

    name: str
    statements: tuple[str, ...]
    optional: bool = True


# Threads that serve replicas, and MariaDB's connections to its primaries, whose time begins anew with each event.
_THREADS = (
    "SELECT HOST, USER, COMMAND, TIME, STATE FROM information_schema.PROCESSLIST WHERE COMMAND LIKE ''Binlog Dump%''"
)
_MARIADB_THREADS = (
    "SELECT HOST, USER, COMMAND, TIME_MS, STATE FROM information_schema.PROCESSLIST"
    " WHERE COMMAND LIKE ''Binlog Dump%'' OR COMMAND = ''Slave_IO''"
)
_MYSQL_THREADS = (
    "SELECT p.HOST, p.USER, p.COMMAND, p.TIME, p.STATE,"
    " (SELECT MAX(CAST(v.VARIABLE_VALUE AS CHAR)) FROM performance_schema.threads t"
    " JOIN performance_schema.user_variables_by_thread v USING (THREAD_ID) WHERE t.PROCESSLIST_ID = p.ID"
    " AND v.VARIABLE_NAME IN (''replica_uuid'', ''slave_uuid'')) AS UUID"
    " FROM performance_schema.processlist p WHERE p.COMMAND LIKE ''Binlog Dump%''"
)
_CONTENT = """SELECT
 (SELECT COUNT(*) FROM information_schema.SCHEMATA
  WHERE LOWER(SCHEMA_NAME) NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')) AS user_schemas,
 (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES
  WHERE PRIVILEGE_TYPE = 'SHOW DATABASES' AND REPLACE(GRANTEE, '''', '') = CURRENT_USER()) AS sees_schemas,
 (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES
  WHERE PRIVILEGE_TYPE = 'PROCESS' AND REPLACE(GRANTEE, '''', '') = CURRENT_USER()) AS sees_processes"""
# Who may write where read_only is on; without rights on the schema mysql a login sees itself only.
_WRITERS = (
    "SELECT GRANTEE AS account, GROUP_CONCAT(PRIVILEGE_TYPE) AS privileges FROM information_schema.USER_PRIVILEGES"
    " WHERE PRIVILEGE_TYPE IN ('SUPER', 'READ ONLY ADMIN', 'READ_ONLY ADMIN', 'CONNECTION_ADMIN') GROUP BY GRANTEE"
)

STEPS = (
    Step("versions", (_SERVER,), optional=False),
    Step("gtids", (_GTIDS,), optional=False),
    Step("variables", (f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_listed(_NAMES)})",), optional=False),
    Step(
        "channels",
        _chosen("SHOW SLAVE STATUS", ("/*!80022", "SHOW REPLICA STATUS"), ("/*M!100005", "SHOW ALL SLAVES STATUS")),
        optional=False,
    ),
    Step(
        "binlog",
        _chosen("SHOW MASTER STATUS", ("/*!80200", "SHOW BINARY LOG STATUS"), ("/*M!100502", "SHOW BINLOG STATUS")),
    ),
    Step("status", (f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_listed(_STATUS_NAMES)})",)),
    Step("content", (_CONTENT,)),
    Step("threads", _chosen(_THREADS, ("/*!80022", _MYSQL_THREADS), ("/*M!100005", _MARIADB_THREADS))),
    Step("writers", (_WRITERS,)),
    Step(
        "links",
        _chosen(
            "DO 0",
            ("/*!50700", _LINKS.format(queued="s.LAST_HEARTBEAT_TIMESTAMP")),
            ("/*!80001", _LINKS.format(queued="s.LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP")),
        ),
    ),
    Step("workers", _chosen("DO 0", ("/*!50700", _WORKERS))),
)


class Found(Record):
    """The rows of one look, by step, and the errors of the steps that were refused."""

    rows: dict[str, Rows] = fresh(factory=dict)
    refused: dict[str, MysqlError] = fresh(factory=dict)


def _first_unfinished(steps: Sequence[Step], results: Sequence[Rows], found: Found) -> int:
    """Store the finished steps' rows and return the index of the first step without all its results."""
    done = 0
    for index, step in enumerate(steps):
        if done + len(step.statements) > len(results):
            return index
        done += len(step.statements)
        found.rows[step.name] = results[done - 1]
    return len(steps)


def read(client: Client, steps: Sequence[Step] = STEPS, found: Found | None = None) -> Found:
    """Ask all steps; an optional step that is refused is noted and left out, the others raise MysqlError.

    found: what is filled, also where the reading ends with an error.
    """
    found = found if found is not None else Found()
    left = list(steps)
    while left:
        results, error = client.try_query([statement for step in left for statement in step.statements])
        stop = _first_unfinished(left, results, found)
        if error is None:
            return found
        failed, left = left[min(stop, len(left) - 1)], left[stop + 1 :]
        if error.kind not in ("privilege", "syntax", "other") or error.errno is None:
            raise error
        if failed.name == "channels" and error.kind == "syntax":
            from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql_odd import read_channels

            found.rows["channels"] = read_channels(client, error)
        elif not failed.optional:
            raise error
        else:
            found.refused[failed.name] = error
    return found


# Canonical name -> the column names of MySQL from 8.0.22 (Source, Replica), before it and of MariaDB (Master, Slave).
_COLUMNS = {
    "channel": ("Channel_Name", "Connection_name"),
    "host": ("Source_Host", "Master_Host"),
    "port": ("Source_Port", "Master_Port"),
    "user": ("Source_User", "Master_User"),
    "server_id": ("Source_Server_Id", "Master_Server_Id"),
    "uuid": ("Source_UUID", "Master_UUID"),
    "io_state": ("Replica_IO_Running", "Slave_IO_Running"),
    "io_text": ("Replica_IO_State", "Slave_IO_State"),
    "io_errno": ("Last_IO_Errno",),
    "io_error": ("Last_IO_Error",),
    "io_since": ("Last_IO_Error_Timestamp",),
    "sql_state": ("Replica_SQL_Running", "Slave_SQL_Running"),
    "sql_errno": ("Last_SQL_Errno", "Last_Errno"),
    "sql_error": ("Last_SQL_Error", "Last_Error"),
    "sql_since": ("Last_SQL_Error_Timestamp",),
    "lag": ("Seconds_Behind_Source", "Seconds_Behind_Master"),
    "delay": ("SQL_Delay",),
    "tls": ("Source_SSL_Allowed", "Master_SSL_Allowed"),
    "tls_verified": ("Source_SSL_Verify_Server_Cert", "Master_SSL_Verify_Server_Cert"),
    "retry_count": ("Source_Retry_Count", "Master_Retry_Count"),
    "retrieved": ("Retrieved_Gtid_Set", "Gtid_IO_Pos"),
    "executed": ("Executed_Gtid_Set",),
    "auto_position": ("Auto_Position",),
    "using_gtid": ("Using_Gtid",),
    "read_file": ("Source_Log_File", "Master_Log_File"),
    "read_pos": ("Read_Source_Log_Pos", "Read_Master_Log_Pos"),
    "exec_file": ("Relay_Source_Log_File", "Relay_Master_Log_File"),
    "exec_pos": ("Exec_Source_Log_Pos", "Exec_Master_Log_Pos"),
    "heartbeat_period": ("Slave_heartbeat_period",),
    "heartbeats": ("Slave_received_heartbeats",),
}
_FILTERS = (
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Table",
    "Replicate_Ignore_Table",
    "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table",
    "Replicate_Ignore_Server_Ids",
    "Replicate_Do_Domain_Ids",
    "Replicate_Ignore_Domain_Ids",
    "Replicate_Rewrite_DB",
)


def _lower(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in row.items()}


def column(row: Mapping[str, Any], name: str) -> Any:
    """Return a status column by its canonical name; None where this server has no such column."""
    for candidate in _COLUMNS[name]:
        if candidate.lower() in row:
            return row[candidate.lower()]
    return None


def integer(value: Any) -> int | None:
    """Return a whole number, or None for anything else."""
    digits = str(value).strip().partition(".")[0] if value is not None else ""
    plain = digits[1:] if digits[:1] == "-" else digits
    return int(digits) if plain.isascii() and plain.isdigit() and len(plain) <= 20 else None


def text(value: Any) -> str | None:
    """Return a text, or None for nothing."""
    found = "" if value is None else str(value)
    return found or None


def on(value: Any) -> bool | None:
    """Return a server variable as a boolean; anything that is neither off nor unknown is on."""
    if value is None or str(value) == "":
        return None
    return str(value).upper() not in ("0", "OFF", "NO", "FALSE")


def _squeezed(value: Any) -> str | None:
    return text("".join(str(value).split())) if value is not None else None


def error_text(value: Any) -> str | None:
    """Return a thread's error without the statement it may quote: that can hold data."""
    return text(re.split(r"\s(?:Default database|Query): '", str(value))[0].strip()) if value else None


def significant_filters(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the filters that keep user data away; ignoring system schemas is not one of them."""
    found: dict[str, str] = {}
    for name in _FILTERS:
        value = text(row.get(name.lower()))
        if value is None:
            continue
        schemas = [item.strip().strip("`").split(".")[0].replace("\\", "").lower() for item in value.split(",")]
        harmless = "Ignore" in name and not name.endswith("_Ids") and all(item in SYSTEM_SCHEMAS for item in schemas)
        if not harmless:
            found[name] = value
    return found


def _workers(rows: Rows, name: str) -> list[Raw]:
    return [
        {
            "id": integer(item.get("id")),
            "state": item.get("state"),
            "errno": integer(item.get("errno")) or None,
            "error": error_text(item.get("error")),
        }
        for item in rows
        if (item.get("channel") or "") == name
    ]


def _attempts(error: str | None, retry_count: int | None) -> str | None:
    """Return how often the connection was tried, where the server's message says it."""
    if not error or "maximum-retries" in error:
        return None
    tried = re.search(r"\bretries: (\d+)", error)
    if not tried:
        return None
    return f"{tried.group(1)} of {retry_count}" if retry_count else tried.group(1)


def _seconds(value: Any) -> float | None:
    return float(value) if re.match(r"\d{1,9}(\.\d+)?\Z", str(value)) else None


def _io_thread(row: Mapping[str, Any], link: Row) -> Thread:
    age, retries = integer(link.get("heartbeat_age")), integer(column(row, "retry_count"))
    error = error_text(column(row, "io_error"))
    return Thread(
        state=text(column(row, "io_state")),
        errno=integer(column(row, "io_errno")) or None,
        error=error,
        since=text(column(row, "io_since")),
        attempts=_attempts(error, retries),
        # A zero timestamp in performance_schema gives a NULL or an absurd age: nothing was received yet.
        heartbeat_age=float(age) if age is not None and 0 <= age < 10**8 else None,
        heartbeat_period=_seconds(link.get("heartbeat_period") or column(row, "heartbeat_period")),
        heartbeats=integer(column(row, "heartbeats")),
    )


def _channel(row: Mapping[str, Any], links: Rows, workers: Rows) -> Channel:
    name = str(column(row, "channel") or "")
    link: Row = next((item for item in links if (item.get("channel") or "") == name), {})
    own_workers = _workers(workers, name)
    failed = next((item for item in own_workers if item["errno"]), None)
    running = column(row, "io_state") == "Yes" and column(row, "sql_state") == "Yes"
    read_file, exec_file = column(row, "read_file"), column(row, "exec_file")
    read_pos, exec_pos = integer(column(row, "read_pos")), integer(column(row, "exec_pos"))
    using = text(column(row, "using_gtid"))
    if using is None and column(row, "auto_position") is not None:
        using = "auto_position" if on(column(row, "auto_position")) else "No"
    return Channel(
        name=name,
        host=text(column(row, "host")),
        port=integer(column(row, "port")),
        user=text(column(row, "user")),
        server_id=integer(column(row, "server_id")) or None,
        uuid=text(column(row, "uuid")),
        io=_io_thread(row, link),
        sql=Thread(
            state=text(column(row, "sql_state")),
            errno=integer(column(row, "sql_errno")) or None,
            error=error_text(failed["error"] if failed else column(row, "sql_error")),
            since=text(column(row, "sql_since")),
        ),
        workers=own_workers,
        delay=integer(column(row, "delay")) or 0,
        filters=significant_filters(row),
        lag_seconds=integer(column(row, "lag")) if running else None,
        lag_bytes=(
            max(0, read_pos - exec_pos)
            if running and read_file == exec_file and read_pos is not None and exec_pos is not None
            else None
        ),
        tls=on(column(row, "tls")),
        tls_verified=on(column(row, "tls_verified")),
        retry_count=integer(column(row, "retry_count")),
        gtid_mode=using,
        retrieved=_squeezed(column(row, "retrieved")),
        file=text(exec_file),
        pos=exec_pos,
    )


def _place_heartbeats(channels: list[Channel], threads: Rows, status: Mapping[str, Any], now: Any) -> list[float]:
    """Give the channels the ages that other places than performance_schema tell; return those without a channel."""
    ages = [float(item["time_ms"] or 0) / 1000 for item in threads if _seconds(item.get("time_ms")) is not None]
    running = [channel for channel in channels if channel.io.state == "Yes"]
    if len(running) == 1 and len(channels) == 1:
        io = running[0].io
        if io.heartbeat_age is None and len(ages) == 1:
            io.heartbeat_age = round(ages[0], 1)
        elif io.heartbeat_age is None and status.get("slave_last_heartbeat"):
            from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql_odd import (
                seconds_between,
            )

            io.heartbeat_age = seconds_between(status["slave_last_heartbeat"], now)
        io.heartbeat_period = io.heartbeat_period or _seconds(status.get("slave_heartbeat_period"))
        return []
    return [round(age, 1) for age in ages]


def _host(variables: Mapping[str, Any]) -> str | None:
    """Return the address under which the server is best known: what it reports, its own address, its name."""
    if text(variables.get("report_host")):
        return text(variables.get("report_host"))
    for item in str(variables.get("bind_address") or "").split(","):
        address = address_of(item.strip())
        if address:
            return address
    return text(variables.get("hostname"))


def flavor_of(version: str | None, comment: str | None) -> str:
    """Return mariadb, percona or mysql; numbers say nothing."""
    words = f"{version or ''} {comment or ''}".lower()
    if "mariadb" in words:
        return "mariadb"
    return "percona" if "percona" in words else "mysql"


def _replicas(found: Mapping[str, Rows], threads: Rows) -> list[Replica] | None:
    if "threads" not in found:
        return None
    content = (found.get("content") or [{}])[0]
    replicas = []
    for item in threads:
        if not str(item.get("command") or "Binlog Dump").startswith("Binlog Dump"):
            continue
        host, _mark, port = str(item.get("host") or "").rpartition(":")
        replicas.append(
            Replica(
                host=host or port or None,
                port=integer(port) if host else None,
                state=text(item.get("state")),
                uuid=text(item.get("uuid")),
            )
        )
    # Without PROCESS only own threads show, so an empty list would say nothing.
    return replicas if replicas or integer(content.get("sees_processes")) else None


# Accounts of the server itself and of the system's administrator.
_OWN_WRITERS = r"'(root|mysql|mariadb\.sys|mysql\.\w+|debian-sys-maint)'@'(localhost|127\.0\.0\.1|::1)'\Z"


def _writers(rows: Rows) -> list[str]:
    """Return the accounts that read_only does not stop, without those of the server itself."""
    # Where there is a privilege of its own for this, SUPER is not enough any more.
    named = any("READ" in str(row.get("privileges")) for row in rows)
    return sorted(
        str(row["account"])
        for row in rows
        if row.get("account")
        and not re.match(_OWN_WRITERS, str(row["account"]))
        and (not named or "READ" in str(row.get("privileges")))
    )


def _empty(content: Rows, variables: Mapping[str, Any]) -> bool | None:
    """Whether the server holds no user schema and has written nothing itself."""
    if not content or not (integer(content[0].get("sees_schemas")) or integer(content[0].get("user_schemas"))):
        return None
    if integer(content[0].get("user_schemas")):
        return False
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid, mariadb_gtid

    try:
        own = str(variables.get("server_uuid") or "").lower()
        if any(gtid.source_of(key) == own for key in gtid.parse_set(variables.get("gtid_executed"))):
            return False
        server_id = integer(variables.get("server_id"))
        wrote = mariadb_gtid.parse_position(variables.get("gtid_binlog_state"))
        return not any(item.server_id == server_id for item in wrote)
    except ValueError:
        return None


def _position(flavor: str, variables: Mapping[str, Any], binlog: Mapping[str, Any], channels: list[Channel]) -> Raw:
    """Return what a replica needs to know of this server; opaque to the user."""
    position: Raw = {
        "kind": "file",
        "value": None,
        "file": text(binlog.get("file")),
        "pos": integer(binlog.get("position")),
        "server_id": integer(variables.get("server_id")),
        "uuid": text(variables.get("server_uuid")),
        "sources": [str(item) for channel in channels for item in (channel.uuid, channel.server_id) if item],
    }
    if flavor == "mariadb":
        slave, current = variables.get("gtid_slave_pos"), variables.get("gtid_current_pos")
        position["value"] = _squeezed(slave if channels else current or variables.get("gtid_binlog_pos"))
        position["state"] = _squeezed(variables.get("gtid_binlog_state"))
        if variables.get("gtid_binlog_state") is not None:
            position["kind"] = "mariadb_gtid"
    elif on(variables.get("gtid_mode")) or text(variables.get("gtid_executed")):
        position.update(kind="gtid", value=_squeezed(variables.get("gtid_executed")) or "")
    return position


def _dialect(flavor: str, variables: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return which words the server's statements use, by what it showed or said it knows."""
    if flavor == "mariadb":
        return "mariadb"
    if rows:
        return "source" if any("source_host" in row for row in rows) else "master"
    return "source" if variables.get("knows_source") else "master"


def _semi_sync(status: Mapping[str, Any], is_replica: bool) -> bool | None:
    """Whether commits wait for a replica, from the side that this server is on."""
    side = ("slave", "replica") if is_replica else ("master", "source")
    values = [on(status[name]) for name in (f"rpl_semi_sync_{word}_status" for word in side) if name in status]
    return any(values) if values else None


_OPTIONAL = "not everything could be read"


def _notes(refused: Mapping[str, MysqlError], flavor: str, who: str | None) -> list[Note]:
    if not refused:
        return []
    from ansible_collections.siteops.webcluster.plugins.module_utils._replication.words import grant

    return [
        Note(
            f"{_OPTIONAL}: {name}: {error.message}",
            grant(flavor, who, error.message) if error.kind == "privilege" else None,
            error.errno,
        )
        for name, error in refused.items()
    ]


def variables_of(found: Mapping[str, Rows]) -> dict[str, Any]:
    """Return the server's variables under lower case names."""
    variables: dict[str, Any] = {
        str(item.get("variable_name") or "").lower(): item.get("value")
        for item in map(_lower, found.get("variables", []))
    }
    # SHOW VARIABLES cuts long values, the plain SELECT does not; the last one was asked after the canary's write.
    for row in [*found.get("versions", []), *found.get("gtids", []), *found.get("position", [])]:
        variables.update({name: value for name, value in _lower(row).items() if value is not None})
    return variables


def normalise(
    rows: Mapping[str, Rows], channel: str | None = None, refused: Mapping[str, MysqlError] | None = None
) -> Snapshot:
    """Translate the rows of one look."""
    variables = variables_of(rows)
    shown = [_lower(row) for row in rows.get("channels", [])]
    binlog = _lower((rows.get("position_file") or rows.get("binlog") or [{}])[0])
    for full in (binlog.get("executed_gtid_set"), *(column(row, "executed") for row in shown)):
        if text(full) and len(str(full)) > len(str(variables.get("gtid_executed") or "")):
            variables["gtid_executed"] = full
    flavor = flavor_of(variables.get("version"), variables.get("version_comment"))
    status = {str(item.get("variable_name")).lower(): item.get("value") for item in map(_lower, rows.get("status", []))}
    threads = [_lower(row) for row in rows.get("threads", [])]
    every = [_channel(row, rows.get("links", []), rows.get("workers", [])) for row in shown]
    links = _place_heartbeats(
        every, [item for item in threads if item.get("command") == "Slave_IO"], status, variables.get("now")
    )
    channels = [item for item in every if channel is None or item.name == channel]
    return Snapshot(
        engine="mysql",
        flavor=flavor,
        version=text(variables.get("version")),
        dialect=_dialect(flavor, variables, shown),
        account=text(variables.get("account")),
        identity=Identity(
            host=_host(variables),
            port=integer(variables.get("port")),
            server_id=integer(variables.get("server_id")),
            uuid=text(variables.get("server_uuid")),
        ),
        read_only=on(variables.get("read_only")),
        super_read_only=on(variables.get("super_read_only")),
        writers=_writers(rows.get("writers", [])),
        channels=channels,
        peers=[str(value) for item in every if item not in channels for value in (item.uuid, item.server_id) if value],
        links=links if channel is None else [],
        replicas=_replicas(rows, threads),
        empty=_empty(rows.get("content", []), variables),
        gtid_mode=_gtid_mode(flavor, variables, channels),
        gtid_strict=on(variables.get("gtid_strict_mode")),
        executed=_squeezed(variables.get("gtid_slave_pos" if flavor == "mariadb" else "gtid_executed")),
        binlog_state=_squeezed(variables.get("gtid_binlog_state")),
        binlog_filters={
            name: str(binlog[name.lower()])
            for name in ("Binlog_Do_DB", "Binlog_Ignore_DB")
            if text(binlog.get(name.lower()))
            and not (name.endswith("Ignore_DB") and set(str(binlog[name.lower()]).lower().split(",")) <= SYSTEM_SCHEMAS)
        },
        semi_sync=_semi_sync(status, bool(every)),
        position=_position(flavor, variables, binlog, channels),
        notes=_notes(refused or {}, flavor, text(variables.get("account"))),
        raw={
            "variables": variables,
            "channels": [
                {name: error_text(value) if name.endswith("_Error") else value for name, value in row.items()}
                for row in rows.get("channels", [])
            ],
            "binlog": binlog,
        },
    )


def _gtid_mode(flavor: str, variables: Mapping[str, Any], channels: list[Channel]) -> str | None:
    if flavor != "mariadb":
        return text(variables.get("gtid_mode"))
    return channels[0].gtid_mode if channels else None
