# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read replication from MySQL, Percona Server and MariaDB, and say it in the words of the model.

read() asks (one client process for a privileged login), normalise() translates the rows, compare() holds a replica
against a position of its primary. Features decide, never a version number: the server itself picks the statement it
knows through executable comments, and columns are found by any of their names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_client import MysqlError, Row, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import gtid
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.model import (
    Channel,
    Comparison,
    Failure,
    Identity,
    Raw,
    Replica,
    Snapshot,
    Thread,
)

SYSTEM_SCHEMAS = frozenset({"mysql", "sys", "performance_schema", "information_schema"})

# MariaDB 10 and later skips /*!50700 ... */ up to /*!99999 ... */, MySQL skips /*M! ... */.
_VARIABLES = (
    "SELECT VERSION() AS version, @@version_comment AS version_comment"
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


@dataclass(frozen=True)
class Step:
    """Statements that belong together; the last result set counts. optional: the look goes on without it."""

    name: str
    statements: tuple[str, ...]
    optional: bool = True


_DUMPS = "SELECT HOST, USER, COMMAND, TIME, STATE FROM {table} WHERE COMMAND LIKE ''Binlog Dump%''"
_CONTENT = """SELECT
 (SELECT COUNT(*) FROM information_schema.SCHEMATA
  WHERE LOWER(SCHEMA_NAME) NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')) AS user_schemas,
 (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES
  WHERE PRIVILEGE_TYPE = 'SHOW DATABASES' AND REPLACE(GRANTEE, '''', '') = CURRENT_USER()) AS sees_schemas,
 (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES
  WHERE PRIVILEGE_TYPE = 'PROCESS' AND REPLACE(GRANTEE, '''', '') = CURRENT_USER()) AS sees_processes"""

STEPS = (
    Step("versions", (_VARIABLES,), optional=False),
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
    Step(
        "dumps",
        _chosen(
            _DUMPS.format(table="information_schema.PROCESSLIST"),
            ("/*!80022", _DUMPS.format(table="performance_schema.processlist")),
        ),
    ),
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

# Asked one after the other where a server rejects the statement that its own version chose.
CHANNEL_FALLBACKS = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS", "SHOW ALL SLAVES STATUS")


class Client(Protocol):
    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]: ...


@dataclass
class Found:
    """The rows of one look, by step."""

    rows: dict[str, Rows] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _first_unfinished(steps: Sequence[Step], results: Sequence[Rows], found: Found) -> int:
    """Store the finished steps' rows and return the index of the first step without all its results."""
    done = 0
    for index, step in enumerate(steps):
        if done + len(step.statements) > len(results):
            return index
        done += len(step.statements)
        found.rows[step.name] = results[done - 1]
    return len(steps)


def read(client: Client, steps: Sequence[Step] = STEPS) -> Found:
    """Ask all steps; an optional step that is refused is noted and left out, the others raise MysqlError."""
    found = Found()
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
            found.rows["channels"] = _read_channels(client, error)
        elif not failed.optional:
            raise error
        else:
            found.notes.append(f"{failed.name}: {error.message}")
    return found


def _read_channels(client: Client, first: MysqlError) -> Rows:
    error = first
    for statement in CHANNEL_FALLBACKS:
        results, failed = client.try_query([statement])
        if failed is None:
            return results[0]
        error = failed
        if failed.kind != "syntax":
            break
    raise error


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
    "retrieved": ("Retrieved_Gtid_Set", "Gtid_IO_Pos"),
    "executed": ("Executed_Gtid_Set",),
    "auto_position": ("Auto_Position",),
    "using_gtid": ("Using_Gtid",),
    "read_file": ("Source_Log_File", "Master_Log_File"),
    "read_pos": ("Read_Source_Log_Pos", "Read_Master_Log_Pos"),
    "exec_file": ("Relay_Source_Log_File", "Relay_Master_Log_File"),
    "exec_pos": ("Exec_Source_Log_Pos", "Exec_Master_Log_Pos"),
    "heartbeat_period": ("Slave_heartbeat_period",),
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
    match = re.match(r"\s*(-?\d{1,20})(?:\.\d*)?\s*\Z", str(value)) if value is not None else None
    return int(match.group(1)) if match else None


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
    return text(re.sub(r"\s+", "", str(value))) if value is not None else None


def error_text(value: Any) -> str | None:
    """Return a thread's error without the statement it may quote: that can hold data."""
    return text(re.split(r"\s(?:Default database|Query): '", str(value))[0].strip()) if value is not None else None


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


def _channel(row: Mapping[str, Any], links: Rows, workers: Rows) -> Channel:
    name = str(column(row, "channel") or "")
    link: Row = next((item for item in links if (item.get("channel") or "") == name), {})
    own_workers: list[Raw] = [
        {
            "id": integer(item.get("id")),
            "state": item.get("state"),
            "errno": integer(item.get("errno")) or None,
            "error": error_text(item.get("error")),
        }
        for item in workers
        if (item.get("channel") or "") == name
    ]
    failed = next((item for item in own_workers if item["errno"]), None)
    running = column(row, "io_state") == "Yes" and column(row, "sql_state") == "Yes"
    age = integer(link.get("heartbeat_age"))
    period = link.get("heartbeat_period") or column(row, "heartbeat_period")
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
        io=Thread(
            state=text(column(row, "io_state")),
            errno=integer(column(row, "io_errno")) or None,
            error=error_text(column(row, "io_error")),
            since=text(column(row, "io_since")),
            # A zero timestamp in performance_schema gives a NULL or an absurd age: nothing was received yet.
            heartbeat_age=float(age) if age is not None and 0 <= age < 10**8 else None,
            heartbeat_period=float(period) if re.match(r"\d+(\.\d+)?\Z", str(period)) else None,
        ),
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
        gtid_mode=using,
        retrieved=_squeezed(column(row, "retrieved")),
        file=text(exec_file),
        pos=exec_pos,
    )


def _host(variables: Mapping[str, Any]) -> str | None:
    """Return the address under which the server is best known: what it reports, its own address, its name."""
    if text(variables.get("report_host")):
        return text(variables.get("report_host"))
    for item in str(variables.get("bind_address") or "").split(","):
        try:
            address = ipaddress.ip_address(item.strip())
        except ValueError:
            continue
        if not address.is_unspecified and not address.is_loopback:
            return str(address)
    return text(variables.get("hostname"))


def flavor_of(version: str | None, comment: str | None) -> str:
    """Return mariadb, percona or mysql; numbers say nothing."""
    words = f"{version or ''} {comment or ''}".lower()
    if "mariadb" in words:
        return "mariadb"
    return "percona" if "percona" in words else "mysql"


def number_of(version: str | None) -> str | None:
    """Return the leading number; a proxy or old client may put 5.5.5- before it."""
    match = re.match(r"(?:5\.5\.5-)?(\d+(?:\.\d+)+)", version or "")
    return match.group(1) if match else None


def _replicas(found: Mapping[str, Rows]) -> list[Replica] | None:
    if "dumps" not in found:
        return None
    content = (found.get("content") or [{}])[0]
    replicas = []
    for item in map(_lower, found["dumps"]):
        host, _mark, port = str(item.get("host") or "").rpartition(":")
        replicas.append(
            Replica(host=host or port or None, port=integer(port) if host else None, state=text(item.get("state")))
        )
    # Without PROCESS only own threads show, so an empty list would say nothing.
    return replicas if replicas or integer(content.get("sees_processes")) else None


def _empty(content: Rows, variables: Mapping[str, Any]) -> bool | None:
    """Whether the server holds no user schema and has written nothing itself."""
    if not content or not (integer(content[0].get("sees_schemas")) or integer(content[0].get("user_schemas"))):
        return None
    if integer(content[0].get("user_schemas")):
        return False
    try:
        own = str(variables.get("server_uuid") or "").lower()
        if any(gtid.source_of(key) == own for key in gtid.parse_set(variables.get("gtid_executed"))):
            return False
        server_id = integer(variables.get("server_id"))
        return not any(item.server_id == server_id for item in gtid.parse_position(variables.get("gtid_binlog_state")))
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
        if position["value"] or position["state"]:
            position["kind"] = "mariadb_gtid"
    elif on(variables.get("gtid_mode")) or text(variables.get("gtid_executed")):
        position.update(kind="gtid", value=_squeezed(variables.get("gtid_executed")) or "")
    return position


def normalise(found: Mapping[str, Rows], channel: str | None = None, notes: Sequence[str] = ()) -> Snapshot:
    """Translate the rows of one look."""
    variables: dict[str, Any] = {
        str(item.get("variable_name") or "").lower(): item.get("value")
        for item in map(_lower, found.get("variables", []))
    }
    # SHOW VARIABLES cuts long values, the plain SELECT does not.
    for row in found.get("versions", []):
        variables.update({name: value for name, value in _lower(row).items() if value is not None})
    rows = [_lower(row) for row in found.get("channels", [])]
    binlog = _lower((found.get("binlog") or [{}])[0])
    for full in (binlog.get("executed_gtid_set"), *(column(row, "executed") for row in rows)):
        if text(full) and len(str(full)) > len(str(variables.get("gtid_executed") or "")):
            variables["gtid_executed"] = full
    flavor = flavor_of(variables.get("version"), variables.get("version_comment"))
    channels = [_channel(row, found.get("links", []), found.get("workers", [])) for row in rows]
    if channel is not None:
        channels = [item for item in channels if item.name == channel]
    status = {
        str(item.get("variable_name")).lower(): item.get("value") for item in map(_lower, found.get("status", []))
    }
    semi_sync = [on(value) for value in status.values()]
    return Snapshot(
        engine="mysql",
        flavor=flavor,
        version=text(variables.get("version")),
        identity=Identity(
            host=_host(variables),
            port=integer(variables.get("port")),
            server_id=integer(variables.get("server_id")),
            uuid=text(variables.get("server_uuid")),
        ),
        read_only=on(variables.get("read_only")),
        super_read_only=on(variables.get("super_read_only")),
        channels=channels,
        replicas=_replicas(found),
        empty=_empty(found.get("content", []), variables),
        gtid_mode=_gtid_mode(flavor, variables, channels),
        executed=_squeezed(variables.get("gtid_slave_pos" if flavor == "mariadb" else "gtid_executed")),
        binlog_state=_squeezed(variables.get("gtid_binlog_state")),
        binlog_filters={
            name: str(binlog[name.lower()])
            for name in ("Binlog_Do_DB", "Binlog_Ignore_DB")
            if text(binlog.get(name.lower()))
            and not (name.endswith("Ignore_DB") and set(str(binlog[name.lower()]).lower().split(",")) <= SYSTEM_SCHEMAS)
        },
        semi_sync=any(semi_sync) if semi_sync else None,
        position=_position(flavor, variables, binlog, channels),
        notes=list(notes),
        raw={
            "variables": variables,
            "channels": [
                {name: error_text(value) if name.endswith("_Error") else value for name, value in row.items()}
                for row in found.get("channels", [])
            ],
            "binlog": binlog,
        },
    )


def _gtid_mode(flavor: str, variables: Mapping[str, Any], channels: list[Channel]) -> str | None:
    if flavor != "mariadb":
        return text(variables.get("gtid_mode"))
    return channels[0].gtid_mode if channels else None


# --- A replica against its primary --------------------------------------------------------------------------------


def _ids(values: Any) -> tuple[set[str], set[int]]:
    """Split a list of UUIDs and server ids."""
    items = [str(item).strip().lower() for item in values or []]
    return {item for item in items if not item.isdigit()}, {int(item) for item in items if item.isdigit()}


def compare(snapshot: Snapshot, primary: Mapping[str, Any] | None, allow_errant: Collection[str] = ()) -> Comparison:
    """Hold a replica against a position of its primary; without one only what the replica itself shows."""
    try:
        if snapshot.flavor == "mariadb":
            return _compare_mariadb(snapshot, primary or {}, allow_errant)
        return _compare_mysql(snapshot, primary or {}, allow_errant)
    except (ValueError, TypeError) as error:
        return Comparison(why=str(error))


def _compare_mysql(snapshot: Snapshot, primary: Mapping[str, Any], allow_errant: Collection[str]) -> Comparison:
    if not snapshot.executed and not on(snapshot.gtid_mode):
        return _compare_file(snapshot, primary)
    executed = gtid.parse_set(snapshot.executed)
    allowed, _numbers = _ids(allow_errant)
    exact = primary.get("kind") == "gtid"
    if exact:
        target = gtid.parse_set(primary.get("value"))
        sources, _numbers = _ids(primary.get("sources"))
        sources.add(str(primary.get("uuid") or "").lower())
        sources.discard(str(snapshot.identity.uuid or "").lower())
        errant = gtid.errant(executed, target, sources, allowed)
    else:
        target = {}
        for channel in snapshot.channels:
            target = gtid.union(target, gtid.parse_set(channel.retrieved))
        own = str(snapshot.identity.uuid or "").lower()
        mine = {key: value for key, value in executed.items() if gtid.source_of(key) == own}
        errant = gtid.errant(mine, {}, (), allowed)
    missing = gtid.subtract(target, executed)
    return Comparison(
        reached=not missing,
        missing=gtid.format_set(missing),
        behind_transactions=gtid.count(missing),
        errant=gtid.format_set(errant),
        errant_count=gtid.count(errant),
        exact=exact,
    )


def _compare_mariadb(snapshot: Snapshot, primary: Mapping[str, Any], allow_errant: Collection[str]) -> Comparison:
    current = gtid.parse_position(snapshot.executed)
    state = gtid.parse_position(snapshot.binlog_state)
    _names, allowed = _ids(allow_errant)
    exact = primary.get("kind") == "mariadb_gtid"
    own = snapshot.identity.server_id
    if exact:
        target = gtid.parse_position(primary.get("value"))
        _names, sources = _ids([*(primary.get("sources") or []), primary.get("server_id") or ""])
        # What the primary only received in an earlier life stands in its position, not always in its binlog state.
        known = [*gtid.parse_position(primary.get("state")), *target]
        errant = gtid.mariadb_errant(state, known, sources - {own}, allowed)
    else:
        target = [item for channel in snapshot.channels for item in gtid.parse_position(channel.retrieved)]
        errant = [item for item in state if item.server_id == own and own not in allowed]
    missing = gtid.position_missing(target, current)
    if not exact and any(channel.gtid_mode == "No" for channel in snapshot.channels):
        return _compare_file(snapshot, primary)
    return Comparison(
        reached=not missing,
        missing=gtid.format_position(missing),
        behind_transactions=gtid.position_distance(target, current),
        errant=gtid.format_position(errant),
        errant_count=len(errant),
        exact=exact,
    )


def file_key(name: str | None, pos: int | None) -> tuple[int, int] | None:
    """Order binlog coordinates by number: binlog.1000000 comes after binlog.999999."""
    match = re.search(r"\.(\d+)\Z", name or "")
    return (int(match.group(1)), pos) if match and pos is not None else None


def _compare_file(snapshot: Snapshot, primary: Mapping[str, Any]) -> Comparison:
    target = file_key(text(primary.get("file")), integer(primary.get("pos")))
    current = [file_key(channel.file, channel.pos) for channel in snapshot.channels]
    if target is None or not current or current[0] is None:
        return Comparison(why="without GTIDs the primary's binlog position is needed")
    return Comparison(
        reached=current[0] >= target,
        missing=None if current[0] >= target else f"{primary.get('file')}:{primary.get('pos')}",
        behind_bytes=max(0, target[1] - current[0][1]) if target[0] == current[0][0] else None,
        exact=True,
    )


# --- Why there was no look ----------------------------------------------------------------------------------------

GRANTS = {
    "mariadb": "GRANT SLAVE MONITOR, BINLOG MONITOR, PROCESS ON *.* TO the login account",
    "mysql": "GRANT REPLICATION CLIENT, PROCESS ON *.* and SELECT ON performance_schema.* TO the login account",
}


def failure(error: MysqlError) -> Failure:
    """Turn a client error into the verdict's words."""
    if error.kind in ("client_missing", "unreachable"):
        hints = {
            "not_installed": "Install the server with its client, or run this on the database host.",
            "no_socket": "Start the server, or give login_unix_socket or login_host.",
            "refused": "Start the server, and check login_host, login_port and its bind_address.",
            "timeout": "The server or the network does not answer: check the host, its firewall and its load.",
            "permission": "Run as root, or as a user who may open the server's socket.",
        }
        value = error.detail or "failed"
        return Failure("unreachable", value, error.message, hints.get(value), error.errno)
    if error.kind == "auth":
        hint = "Check login_user and login_password; without them the module logs in as root over the unix socket."
        return Failure("auth_failed", "auth", error.message, hint, error.errno)
    if error.kind == "tls":
        hint = "Check tls, ca_cert and validate_certs against what the server offers."
        return Failure("unreachable", "tls", error.message, hint, error.errno)
    if error.kind == "privilege":
        return Failure(
            "auth_failed",
            "privilege",
            error.message,
            f"{GRANTS['mysql']} (MySQL), or {GRANTS['mariadb']} (MariaDB).",
            error.errno,
        )
    return Failure("unsupported", error.kind, error.message, "The server does not know what was asked.", error.errno)
