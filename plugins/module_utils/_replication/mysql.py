# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask MySQL, Percona Server and MariaDB about their replication, and translate the rows into facts.

Features decide, never a version number: the server itself picks the statement it knows through executable comments, and
columns are found by any of their names.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    Client,
    MysqlError,
    Row,
    Rows,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.content import READ_SCHEMAS, read_content
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import KeptFiles, handing_over
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.server import AUTHORITY_FILE
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import (
    OTHER_STATUS,
    READ_STATUS,
    SYSTEM_SCHEMAS,
    ReplicaStatus,
    by_name,
    chosen,
    error_text,
    integer,
    lower,
    on,
    read_status,
    seconds,
    squeezed,
    text,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import canary_mysql
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary, refuse_replica
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.certificate import ends_at
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    LOOPBACK,
    CanaryReply,
    Channel,
    Failure,
    Identity,
    Look,
    Note,
    Raw,
    Refusal,
    Replica,
    Snapshot,
    Thread,
    reachable_address,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.heartbeats import Heartbeats
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.statements import grant


class MysqlProbe:
    """Asks one server. channel: only this one is judged. patient: as of Heartbeats. files: those of the server's host, on it."""

    def __init__(
        self,
        client: Client,
        channel: str | None = None,
        questions: Sequence[Question] | None = None,
        clock: Callable[[], float] = time.monotonic,
        patient: bool = False,
        files: KeptFiles | None = None,
    ) -> None:
        self.client = client
        self.channel = channel
        self.questions = QUESTIONS if questions is None else questions
        self.clock = clock
        self.heartbeats = Heartbeats(patient)
        self.files = files

    def look(self, canary: Canary | None = None) -> Look:
        answers = Answers()
        try:
            ask(self.client, self.questions, answers)
        except MysqlError as error:
            if error.kind == "privilege":
                # A connection keeps the account that it came as, also where there is a better one by now.
                self.client.close()
            return Look(failure(error, answers))
        with contextlib.suppress(MysqlError):
            go_on_to_the_first_transaction(self.client, answers)
        reply = self._send(canary, answers) if canary else None
        snapshot = translate(answers, self.channel)
        if self.files:
            # Who is not root is not told.
            with contextlib.suppress(PermissionError):
                snapshot.handing_over = handing_over(self.files)
        self.heartbeats.listen(snapshot, self.clock())
        return Look(snapshot, reply)

    def _send(self, canary: Canary, answers: Answers) -> CanaryReply:
        before = translate(answers)
        usual, self.client.timeout = self.client.timeout, canary_mysql.WRITE_SECONDS
        try:
            if canary.mode == "read":
                return canary_mysql.read(self.client, canary, before.account)
            reply = refuse_replica(before) or canary_mysql.write(self.client, canary, before.account)
            if reply.seen:
                # The position that this look tells includes the canary, where it can still be asked.
                with contextlib.suppress(MysqlError):
                    ask(self.client, AFTER_A_WRITE, answers)
            return reply
        finally:
            self.client.timeout = usual

    def close(self) -> None:
        self.client.close()


# --- What is asked ------------------------------------------------------------------------------------------------

# Times of the server are compared; those of a zone jump when its daylight saving time begins or ends.
_UTC = "SET SESSION time_zone = '+00:00'"
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
_VARIABLES = (
    "bind_address",
    "gtid_domain_id",
    "gtid_executed",
    "gtid_mode",
    "gtid_strict_mode",
    "group_replication_group_name",
    "hostname",
    "log_bin",
    "log_replica_updates",
    "log_slave_updates",
    "port",
    "read_only",
    "replica_exec_mode",
    "replica_skip_errors",
    "replicate_events_marked_for_skip",
    "report_host",
    "server_id",
    "server_uuid",
    "slave_exec_mode",
    "slave_skip_errors",
    "ssl_ca",
    "super_read_only",
    "transaction_read_only",
    "tx_read_only",
    "wsrep_cluster_name",
    "wsrep_on",
)
_STATUS = (
    "Rpl_semi_sync_master_status",
    "Rpl_semi_sync_replica_status",
    "Rpl_semi_sync_slave_status",
    "Rpl_semi_sync_source_status",
    # MySQL 5.6 tells these here only.
    "Slave_heartbeat_period",
    "Slave_last_heartbeat",
    "Ssl_server_not_after",
    "wsrep_cluster_size",
    "wsrep_local_state_comment",
)
# Without PROCESS a login sees its own threads only.
_RIGHTS = (
    "SELECT COUNT(*) AS sees_processes FROM information_schema.USER_PRIVILEGES"
    " WHERE PRIVILEGE_TYPE = 'PROCESS' AND REPLACE(GRANTEE, '''', '') = CURRENT_USER()"
)
# Threads that serve replicas, those that wait to write, and MariaDB's connections to its primaries, whose time begins anew
# with each event.
_WHICH_THREADS = (
    "COMMAND LIKE ''Binlog Dump%'' OR (TIME >= 2 AND (STATE LIKE ''Waiting for semi-sync ACK%''"
    " OR STATE LIKE ''Waiting for %read lock'' OR STATE IN (''Waiting for commit lock'', ''Waiting for backup lock'',"
    " ''Waiting for disk space'')))"
)
_THREADS = "SELECT HOST, USER, COMMAND, TIME, STATE FROM information_schema.PROCESSLIST WHERE {which}"
_MARIADB_THREADS = (
    "SELECT HOST, USER, COMMAND, TIME_MS, STATE FROM information_schema.PROCESSLIST"
    " WHERE COMMAND = ''Slave_IO'' OR {which}"
)
_MYSQL_THREADS = (
    "SELECT p.HOST, p.USER, p.COMMAND, p.TIME, p.STATE,"
    " (SELECT MAX(CAST(v.VARIABLE_VALUE AS CHAR)) FROM performance_schema.threads t"
    " JOIN performance_schema.user_variables_by_thread v USING (THREAD_ID) WHERE t.PROCESSLIST_ID = p.ID"
    " AND v.VARIABLE_NAME IN (''replica_uuid'', ''slave_uuid'')) AS UUID"
    " FROM performance_schema.processlist p WHERE {which}"
)
_GROUP = (
    "SELECT MEMBER_STATE AS state, MEMBER_ROLE AS role FROM performance_schema.replication_group_members"
    " WHERE MEMBER_ID = @@GLOBAL.server_uuid"
)
# A global read lock shows nowhere in MariaDB, but nothing can be locked for a change while it is held. This reads no row,
# changes nothing and waits for nothing.
_GLOBAL_LOCK = "SELECT 1 FROM ansible_canary.probe WHERE 1 = 0 FOR UPDATE NOWAIT"
_MYSQL_GLOBAL_LOCK = (
    "SELECT COUNT(*) AS locks FROM performance_schema.metadata_locks WHERE OBJECT_TYPE = ''GLOBAL''"
    " AND LOCK_TYPE = ''SHARED'' AND LOCK_STATUS = ''GRANTED''"
)
# Who may write where read_only is on; without rights on the schema mysql a login sees itself only.
_WRITERS = (
    "SELECT GRANTEE AS account, GROUP_CONCAT(PRIVILEGE_TYPE) AS privileges FROM information_schema.USER_PRIVILEGES"
    " WHERE PRIVILEGE_TYPE IN ('SUPER', 'READ ONLY ADMIN', 'READ_ONLY ADMIN', 'CONNECTION_ADMIN') GROUP BY GRANTEE"
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
class Question:
    """Statements that belong together; the last one's rows are the answer. optional: the look goes on without it."""

    name: str
    statements: tuple[str, ...]
    optional: bool = True


def _show(what: str, names: Collection[str]) -> str:
    return f"SHOW GLOBAL {what} WHERE Variable_name IN ({', '.join(repr(name) for name in sorted(names))})"


# How many events a log has at most before its first transaction, and how many logs are looked at.
FIRST_EVENTS = 8
FIRST_LOGS = 10

_ASK_GTIDS = Question("gtids", (_GTIDS,), optional=False)
_ASK_BINLOG = Question(
    "binlog",
    chosen("SHOW MASTER STATUS", ("/*!80200", "SHOW BINARY LOG STATUS"), ("/*M!100502", "SHOW BINLOG STATUS")),
)
QUESTIONS = (
    Question("versions", (_UTC, _SERVER), optional=False),
    _ASK_GTIDS,
    Question("variables", (_show("VARIABLES", _VARIABLES),), optional=False),
    Question("channels", READ_STATUS, optional=False),
    _ASK_BINLOG,
    Question("status", (_show("STATUS", _STATUS),)),
    Question("schemas", (READ_SCHEMAS,)),
    Question("rights", (_RIGHTS,)),
    Question(
        "threads",
        chosen(
            _THREADS.format(which=_WHICH_THREADS),
            ("/*!80022", _MYSQL_THREADS.format(which=_WHICH_THREADS)),
            ("/*M!100005", _MARIADB_THREADS.format(which=_WHICH_THREADS)),
        ),
    ),
    Question("writers", (_WRITERS,)),
    Question(
        "links",
        chosen(
            "DO 0",
            ("/*!50700", _LINKS.format(queued="s.LAST_HEARTBEAT_TIMESTAMP")),
            ("/*!80001", _LINKS.format(queued="s.LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP")),
        ),
    ),
    Question("workers", chosen("DO 0", ("/*!50700", _WORKERS))),
    Question("group", chosen("DO 0", ("/*!80002", _GROUP))),
    # Without a name it is the oldest one; MariaDB's begins with the position before it, MySQL has gtid_purged.
    Question("first_log", chosen("DO 0", ("/*M!100005", f"SHOW BINLOG EVENTS LIMIT {FIRST_EVENTS}"))),
    Question("global_lock", chosen("DO 0", ("/*!80000", _MYSQL_GLOBAL_LOCK), ("/*M!100300", _GLOBAL_LOCK))),
)
AFTER_A_WRITE = (_ASK_GTIDS, _ASK_BINLOG)


@dataclass
class Answers:
    """The rows of one look by question, and the errors of those that were refused."""

    rows: dict[str, Rows] = field(default_factory=dict)
    refused: dict[str, MysqlError] = field(default_factory=dict)


def _first_unanswered(questions: Sequence[Question], results: Sequence[Rows], answers: Answers) -> int:
    """Keep the rows of those with all their results and return the index of the first one without."""
    done = 0
    for index, question in enumerate(questions):
        if done + len(question.statements) > len(results):
            return index
        done += len(question.statements)
        answers.rows[question.name] = results[done - 1]
    return len(questions)


def ask(client: Client, questions: Sequence[Question], answers: Answers) -> None:
    """Ask all at once; an optional question that is refused is noted and left out, the others raise MysqlError.

    answers: filled also where it ends with an error.
    """
    left = list(questions)
    while left:
        results, error = client.try_query([statement for question in left for statement in question.statements])
        index = _first_unanswered(left, results, answers)
        if error is None:
            return
        failed, left = left[min(index, len(left) - 1)], left[index + 1 :]
        if error.kind not in ("privilege", "syntax", "other") or error.errno is None:
            raise error
        if failed.name == "channels" and error.kind == "syntax":
            answers.rows["channels"] = _other_status(client, error)
        elif not failed.optional:
            raise error
        else:
            answers.refused[failed.name] = error


def _other_status(client: Client, error: MysqlError) -> Rows:
    """Ask for the replica status where a server rejects the statement that its own version chose."""
    for statement in OTHER_STATUS:
        results, failed = client.try_query([statement])
        if failed is None:
            return results[0]
        error = failed
        if failed.kind != "syntax":
            break
    raise error


def go_on_to_the_first_transaction(client: Client, answers: Answers) -> None:
    """Add the beginnings of further logs where the oldest one holds no transaction, as a server that was started again at once leaves it."""
    found = answers.rows.get("first_log") or []
    if not found or any(row.get("Event_type") == "Gtid" for row in found):
        return
    for log in client.query(["SHOW BINARY LOGS"])[0][1:FIRST_LOGS]:
        more = client.query([f"SHOW BINLOG EVENTS IN {quote(log['Log_name'] or '')} LIMIT {FIRST_EVENTS}"])[0]
        found += more
        if any(row.get("Event_type") == "Gtid" for row in more):
            return


# --- What it means ------------------------------------------------------------------------------------------------


def translate(answers: Answers, channel: str | None = None) -> Snapshot:
    """Return the facts. channel: only this one is judged."""
    rows = answers.rows
    variables = variables_of(rows)
    statuses = [
        status
        for status in map(read_status, rows.get("channels", []))
        # A group replicates through channels of its own, which have no primary.
        if not status.name.startswith("group_replication_")
    ]
    binlog = lower((rows.get("binlog") or [{}])[0])
    for full in (binlog.get("executed_gtid_set"), *(status.executed for status in statuses)):
        # SHOW VARIABLES cuts it.
        if text(full) and len(str(full)) > len(str(variables.get("gtid_executed") or "")):
            variables["gtid_executed"] = full
    flavor = flavor_of(variables.get("version"), variables.get("version_comment"))
    status = by_name(rows.get("status", []))
    threads = [lower(row) for row in rows.get("threads", [])]
    every = [_channel(item, rows.get("links", []), rows.get("workers", [])) for item in statuses]
    link_ages = _place_heartbeats(every, threads, status, variables.get("now"))
    channels = [item for item in every if channel is None or item.name == channel]
    account = text(variables.get("account"))
    empty = read_content(variables, rows["schemas"]).empty if "schemas" in rows else None
    return Snapshot(
        engine="mysql",
        flavor=flavor,
        version=text(variables.get("version")),
        dialect=_dialect(flavor, variables, statuses),
        account=account,
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
        link_ages=link_ages if channel is None else [],
        replicas=_replicas(rows, threads),
        writes_refused=_writes_refused(answers, variables, threads),
        empty=empty,
        in_logs=_in_logs(variables, rows.get("first_log", [])) if empty is False else None,
        gtid_mode=_gtid_mode(flavor, variables, channels),
        gtid_strict=on(variables.get("gtid_strict_mode")),
        executed=squeezed(variables.get("gtid_slave_pos" if flavor == "mariadb" else "gtid_executed")),
        binlog_state=squeezed(variables.get("gtid_binlog_state")),
        binlog_filters=_binlog_filters(binlog),
        lenient=_lenient(variables),
        absent_channel=_absent_channel(channel, every),
        member_of=_member_of(variables, status, rows.get("group", [])),
        addresses=_addresses(variables),
        binary_log=on(variables.get("log_bin")),
        logs_replicated=on(variables.get("log_replica_updates") or variables.get("log_slave_updates")),
        semi_sync=_semi_sync(status, bool(every)),
        certificate_ends=_certificate_ends(variables, status),
        position=_position(flavor, variables, binlog, channels),
        notes=_notes(answers.refused, flavor, account),
        raw={
            "variables": variables,
            "channels": [
                {name: error_text(value) if name.endswith("_Error") else value for name, value in row.items()}
                for row in rows.get("channels", [])
            ],
            "binlog": binlog,
        },
    )


def variables_of(rows: Mapping[str, Rows]) -> Raw:
    """Return the server's variables under lower case names."""
    variables = by_name(rows.get("variables", []))
    # SHOW VARIABLES cuts long values, the plain SELECT does not.
    for row in [*rows.get("versions", []), *rows.get("gtids", [])]:
        variables.update({name: value for name, value in lower(row).items() if value is not None})
    return variables


def _in_logs(variables: Raw, first_log: Rows) -> bool | None:
    """Whether the binary logs hold all that the server holds; None where that cannot be told."""
    if on(variables.get("log_bin")) is False:
        return False
    if "gtid_purged" in variables:
        return str(variables.get("gtid_mode")).upper() == "ON" and not squeezed(variables["gtid_purged"])
    before = [row.get("Info") for row in first_log if row.get("Event_type") == "Gtid_list"]
    first = [str(row.get("Info")) for row in first_log if row.get("Event_type") == "Gtid"]
    if before and before[0] != "[]":
        return False
    # A server that was filled with a copy begins with the number after it.
    return bool(re.search(r"GTID \d+-\d+-1\b", first[0])) if first else None


def _channel(status: ReplicaStatus, links: Rows, workers: Rows) -> Channel:
    link: Row = next((item for item in links if (item.get("channel") or "") == status.name), {})
    own_workers = [_worker(item) for item in workers if (item.get("channel") or "") == status.name]
    failed = next((item for item in own_workers if item["errno"]), None)
    age = integer(link.get("heartbeat_age"))
    channel = Channel(
        name=status.name,
        host=status.host,
        port=status.port,
        user=status.user,
        server_id=status.server_id,
        uuid=status.uuid,
        io=Thread(
            state=status.io_state,
            errno=status.io_errno,
            error=status.io_error,
            since=status.io_since,
            attempts=_attempts(status.io_error, status.retry_count),
            # A zero timestamp in performance_schema gives a NULL or an absurd age: nothing was received yet.
            heartbeat_age=float(age) if age is not None and 0 <= age < 10**8 else None,
            heartbeat_period=seconds(link.get("heartbeat_period")) or status.heartbeat_period,
            heartbeats=status.heartbeats,
        ),
        sql=Thread(
            state=status.sql_state,
            errno=status.sql_errno,
            # The coordinator only points to its worker.
            error=failed["error"] if failed else status.sql_error,
            since=status.sql_since,
        ),
        workers=own_workers,
        delay=status.delay,
        filters=status.filters,
        tls=status.tls,
        tls_verified=status.tls_verified,
        retry_count=status.retry_count,
        gtid_mode=status.gtid_mode,
        retrieved=status.retrieved,
        file=status.applied_file,
        pos=status.applied_pos,
    )
    # The server's own word for the lag is worth nothing while a thread does not run.
    if channel.running:
        channel.lag_seconds = status.lag_seconds
        if status.read_file == status.applied_file and None not in (status.read_pos, status.applied_pos):
            channel.lag_bytes = max(0, (status.read_pos or 0) - (status.applied_pos or 0))
    return channel


def _worker(row: Row) -> Raw:
    return {
        "id": integer(row.get("id")),
        "state": row.get("state"),
        "errno": integer(row.get("errno")) or None,
        "error": error_text(row.get("error")),
    }


def _attempts(error: str | None, retry_count: int | None) -> str | None:
    """Return how often the connection was tried, where the server's message says it."""
    if not error or "maximum-retries" in error:
        return None
    tried = re.search(r"\bretries: (\d+)", error)
    if not tried:
        return None
    return f"{tried.group(1)} of {retry_count}" if retry_count else tried.group(1)


def _place_heartbeats(
    channels: list[Channel], threads: Sequence[Raw], status: Mapping[str, Any], now: Any
) -> list[float]:
    """Give the channels the ages that other places than performance_schema tell; return those without a channel."""
    ages = [
        float(item["time_ms"] or 0) / 1000
        for item in threads
        if item.get("command") == "Slave_IO" and seconds(item.get("time_ms")) is not None
    ]
    if len(channels) != 1 or channels[0].io.state != "Yes":
        return [round(age, 1) for age in ages]
    io = channels[0].io
    if io.heartbeat_age is None and len(ages) == 1:
        io.heartbeat_age = round(ages[0], 1)
    elif io.heartbeat_age is None and status.get("slave_last_heartbeat"):
        io.heartbeat_age = _seconds_between(status["slave_last_heartbeat"], now)
    io.heartbeat_period = io.heartbeat_period or seconds(status.get("slave_heartbeat_period"))
    return []


def _seconds_between(earlier: Any, later: Any) -> float | None:
    """Return the seconds between two of the server's times; None where one of them is none."""
    try:
        begin, end = (datetime.strptime(str(value)[:19], "%Y-%m-%d %H:%M:%S") for value in (earlier, later))
    except ValueError:
        return None
    return max(0.0, (end - begin).total_seconds())


def _host(variables: Mapping[str, Any]) -> str | None:
    """Return the address under which the server is best known: what it reports, its own address, its name."""
    if text(variables.get("report_host")):
        return text(variables.get("report_host"))
    for item in str(variables.get("bind_address") or "").split(","):
        address = reachable_address(item.strip())
        if address:
            return address
    return text(variables.get("hostname"))


def flavor_of(version: str | None, comment: str | None) -> str:
    """Return mariadb, percona or mysql; numbers say nothing."""
    words = f"{version or ''} {comment or ''}".lower()
    if "mariadb" in words:
        return "mariadb"
    return "percona" if "percona" in words else "mysql"


def _dialect(flavor: str, variables: Mapping[str, Any], statuses: Sequence[ReplicaStatus]) -> str:
    """Return whose statements the server knows, by what it showed or said."""
    if flavor == "mariadb":
        return "mariadb"
    knows = any(status.source_words for status in statuses) if statuses else variables.get("knows_source")
    return "source" if knows else "master"


def _serves_a_replica(thread: Raw) -> bool:
    return str(thread.get("command") or "Binlog Dump").startswith("Binlog Dump")


def _replicas(rows: Mapping[str, Rows], threads: Sequence[Raw]) -> list[Replica] | None:
    if "threads" not in rows:
        return None
    rights = (rows.get("rights") or [{}])[0]
    replicas = []
    for item in threads:
        if not _serves_a_replica(item):
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
    return replicas if replicas or integer(rights.get("sees_processes")) else None


LOCK_WAIT_TIMEOUT = 1205
_GLOBAL_LOCK_HELD = (
    "a global read lock is held (FLUSH TABLES WITH READ LOCK)",
    "UNLOCK TABLES in the session that holds it, or KILL that; a backup gives it back when it ends.",
)
# State of a thread that waits to write, why it does, and what mends that.
_WAITING = (
    (
        r"Waiting for semi-sync ACK",
        "commits wait for a semi-synchronous replica that does not answer",
        "Bring the replica back; a lower rpl_semi_sync timeout gives up on it sooner.",
    ),
    (
        r"Waiting for disk space",
        "its disk is full",
        "Free space for the data directory and the binary logs ('df -h').",
    ),
    (r"Waiting for (.* read|commit|backup) lock", *_GLOBAL_LOCK_HELD),
)


def _writes_refused(answers: Answers, variables: Mapping[str, Any], threads: Sequence[Raw]) -> Refusal | None:
    """Say why a server that is not read-only would take no write."""
    refused = answers.refused.get("global_lock")
    locks = answers.rows.get("global_lock") or [{}]
    if (refused and refused.errno == LOCK_WAIT_TIMEOUT) or integer(locks[0].get("locks")):
        return Refusal("broken", *_GLOBAL_LOCK_HELD)
    for name in ("transaction_read_only", "tx_read_only"):
        if on(variables.get(name)):
            return Refusal("broken", f"{name} makes every new transaction read-only", f"SET GLOBAL {name} = 0")
    for thread in threads:
        for state, why, hint in _WAITING:
            if re.match(state, str(thread.get("state"))):
                return Refusal("broken", why, hint)
    return None


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


def _gtid_mode(flavor: str, variables: Mapping[str, Any], channels: list[Channel]) -> str | None:
    if flavor != "mariadb":
        return text(variables.get("gtid_mode"))
    return channels[0].gtid_mode if channels else None


def _binlog_filters(binlog: Mapping[str, Any]) -> dict[str, str]:
    found = {name: str(binlog.get(name.lower()) or "") for name in ("Binlog_Do_DB", "Binlog_Ignore_DB")}
    if set(found["Binlog_Ignore_DB"].lower().split(",")) <= SYSTEM_SCHEMAS:
        del found["Binlog_Ignore_DB"]
    return {name: value for name, value in found.items() if value}


# Setting -> what it has to be.
_STRICT = {
    "replica_exec_mode": "STRICT",
    "replica_skip_errors": "OFF",
    "replicate_events_marked_for_skip": "REPLICATE",
    "slave_exec_mode": "STRICT",
    "slave_skip_errors": "OFF",
}


def _lenient(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings by which a replica skips what it should stop at; MySQL 8 shows each under two names."""
    found = {
        name: str(variables[name]) for name, value in _STRICT.items() if variables.get(name) not in (None, "", value)
    }
    for name in list(found):
        if name.startswith("replica_"):
            found.pop(name.replace("replica_", "slave_"), None)
    return found


def _absent_channel(wanted: str | None, channels: Sequence[Channel]) -> str | None:
    names = [repr(channel.name) if channel.name else "'' (the unnamed one)" for channel in channels]
    if wanted is None or not channels or wanted in [channel.name for channel in channels]:
        return None
    return f"channel is {wanted!r}, but the channels of this server are {', '.join(names)}"


def _member_of(variables: Mapping[str, Any], status: Mapping[str, Any], group: Rows) -> str | None:
    """Name the cluster of equals that the server belongs to."""
    if on(variables.get("wsrep_on")):
        name, state = variables.get("wsrep_cluster_name"), status.get("wsrep_local_state_comment")
        return f"a member of the Galera cluster {name!r} ({state or 'state unknown'}, size {status.get('wsrep_cluster_size') or '?'})"
    if group and group[0].get("state") not in (None, "", "OFFLINE"):
        name = variables.get("group_replication_group_name")
        return f"a member of the replication group {name!r} ({group[0].get('state')}, {group[0].get('role')})"
    return None


def _addresses(variables: Mapping[str, Any]) -> list[str]:
    """Return under what the server itself can be reached, as far as it knows."""
    own = [str(variables.get(name) or "") for name in ("report_host", "hostname")]
    bound = [item.strip() for item in str(variables.get("bind_address") or "").split(",")]
    return sorted({*LOOPBACK, *own, *bound} - {""})


def _certificate_ends(variables: Mapping[str, Any], status: Mapping[str, Any]) -> str | None:
    """When the certificate ends that the cluster's authority has signed; one that the server makes itself is made anew at each start."""
    ends = text(status.get("ssl_server_not_after"))
    return ends_at(ends) if ends and variables.get("ssl_ca") == AUTHORITY_FILE else None


def _semi_sync(status: Mapping[str, Any], is_replica: bool) -> bool | None:
    """Whether commits wait for a replica, from the side that this server is on."""
    side = ("slave", "replica") if is_replica else ("master", "source")
    values = [on(status[name]) for name in (f"rpl_semi_sync_{word}_status" for word in side) if name in status]
    return any(values) if values else None


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
        applied, current = variables.get("gtid_slave_pos"), variables.get("gtid_current_pos")
        position["value"] = squeezed(applied if channels else current or variables.get("gtid_binlog_pos"))
        position["state"] = squeezed(variables.get("gtid_binlog_state"))
        if variables.get("gtid_binlog_state") is not None:
            position["kind"] = "mariadb_gtid"
    elif on(variables.get("gtid_mode")) or text(variables.get("gtid_executed")):
        position.update(kind="gtid", value=squeezed(variables.get("gtid_executed")) or "")
    return position


def _notes(refused: Mapping[str, MysqlError], flavor: str, account: str | None) -> list[Note]:
    return [
        Note(
            f"not everything could be read: {name}: {error.message}",
            grant(flavor, account, error.message) if error.kind == "privilege" else None,
            error.errno,
        )
        for name, error in refused.items()
        # What stands in its way is a finding, or there is no table to try it on.
        if name not in ("global_lock", "first_log")
    ]


# --- Why there was no answer --------------------------------------------------------------------------------------

_UNREACHABLE_HINTS = {
    "not_installed": "Install the server, or run this on the database host.",
    "no_client": "apt install python3-pymysql",
    "no_socket": "Start the server (its log and 'df -h' tell why it ended), or give login_unix_socket or login_host.",
    "refused": "Start the server, and check login_host, login_port and its bind_address.",
    "timeout": "The server or the network does not answer: check the host, its disk ('df -h'), its load and its firewall.",
    "permission": "Run as root, or as a user who may open the server's socket.",
}


def _tls_hint(errno: int | None, message: str) -> str:
    if errno == 3159 or "require_secure_transport" in message:
        return "tls: required"
    if re.search(r"certificat|verif|self.signed|trusted", message, re.IGNORECASE):
        return "ca_cert: <the file of the CA that signed the server's certificate>, or validate_certs: false"
    if re.search(r"not support|but is required|doesn't", message, re.IGNORECASE):
        return "tls: disabled, or give the server a certificate (ssl_cert, ssl_key)"
    return "Check tls, ca_cert, client_cert and validate_certs against what the server offers."


def _login_hint(errno: int | None) -> str:
    if errno in (2059, 2061, 1251):
        return "tls: required (the account's plugin takes a password over an encrypted connection only)"
    return "Check login_user and login_password; without them the module logs in as root over the unix socket."


def failure(error: MysqlError, answers: Answers) -> Failure:
    """Say what an error of the client means. answers: what was answered before."""
    if error.detail == "timeout" and answers.rows:
        return Failure(
            "broken",
            "hangs",
            f"the server lets us in but does not answer everything ({error.message})",
            "Something holds its binary log or its tables: look for a full disk ('df -h'), then at SHOW PROCESSLIST.",
        )
    if error.kind in ("client_missing", "unreachable"):
        value = error.detail or "failed"
        return Failure("unreachable", value, error.message, _UNREACHABLE_HINTS.get(value), error.errno)
    if error.kind == "auth":
        return Failure("auth_failed", "auth", error.message, _login_hint(error.errno), error.errno)
    if error.kind == "tls":
        return Failure("unreachable", "tls", error.message, _tls_hint(error.errno, error.message), error.errno)
    if error.kind == "privilege":
        variables = variables_of(answers.rows)
        flavor = flavor_of(variables.get("version"), variables.get("version_comment"))
        hint = grant(flavor, text(variables.get("account")), error.message)
        return Failure("auth_failed", "privilege", error.message, hint, error.errno)
    hint = "The server does not know what was asked: check that it is MySQL, Percona Server or MariaDB."
    return Failure("unsupported", error.kind, error.message, hint, error.errno)
