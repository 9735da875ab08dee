# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replica status row of MySQL and MariaDB: which statement shows it, and what its columns are called.

MySQL calls them Source and Replica from 8.0.22 on; MySQL before it and every MariaDB call them Master and Slave.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SYSTEM_SCHEMAS = frozenset({"mysql", "sys", "performance_schema", "information_schema"})


def chosen(old: str, *newer: tuple[str, str]) -> tuple[str, ...]:
    """Statements that run the newest of several that the server knows: (start of an executable comment, statement).

    MariaDB 10 and later skips /*!50700 ... */ up to /*!99999 ... */, MySQL skips /*M! ... */.
    """
    choices = "".join(f" {mark} , @siteops_sql = '{sql}' */" for mark, sql in newer)
    return (f"SET @siteops_sql = '{old}'{choices}", "PREPARE siteops_look FROM @siteops_sql", "EXECUTE siteops_look")


# The rows of all channels are the last result.
READ_STATUS = chosen("SHOW SLAVE STATUS", ("/*!80022", "SHOW REPLICA STATUS"), ("/*M!100005", "SHOW ALL SLAVES STATUS"))
# One after the other, for a server that rejects the statement that its own version chose.
OTHER_STATUS = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS", "SHOW ALL SLAVES STATUS")

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


@dataclass
class ReplicaStatus:
    """One channel of a replica; None: the server has no such column, or nothing in it.

    gtid_mode: auto_position, Slave_Pos, Current_Pos or No. tls, tls_verified, tls_authority: what the connection is set to. source_words:
    whether the columns are called Source and Replica.
    """

    name: str = ""
    host: str | None = None
    port: int | None = None
    user: str | None = None
    server_id: int | None = None
    uuid: str | None = None
    io_state: str | None = None
    io_errno: int | None = None
    io_error: str | None = None
    io_since: str | None = None
    sql_state: str | None = None
    sql_errno: int | None = None
    sql_error: str | None = None
    sql_since: str | None = None
    lag_seconds: int | None = None
    delay: int = 0
    filters: dict[str, str] = field(default_factory=dict)
    tls: bool | None = None
    tls_verified: bool | None = None
    tls_authority: str | None = None
    connect_retry: int | None = None
    retry_count: int | None = None
    heartbeat_period: float | None = None
    heartbeats: int | None = None
    gtid_mode: str | None = None
    retrieved: str | None = None
    executed: str | None = None
    read_file: str | None = None
    read_pos: int | None = None
    applied_file: str | None = None
    applied_pos: int | None = None
    source_words: bool = False


def read_status(row: Mapping[str, Any]) -> ReplicaStatus:
    """Translate a row of any version."""
    row = lower(row)

    def column(*names: str) -> Any:
        """Return the first of several columns that this server has; {} stands for both words of a time."""
        for name in names:
            for primary, replica in (("source", "replica"), ("master", "slave")):
                found = name.format(primary=primary, replica=replica)
                if found in row:
                    return row[found]
        return None

    return ReplicaStatus(
        name=text(column("channel_name", "connection_name")) or "",
        host=text(column("{primary}_host")),
        port=integer(column("{primary}_port")),
        user=text(column("{primary}_user")),
        server_id=integer(column("{primary}_server_id")) or None,
        uuid=text(column("{primary}_uuid")),
        io_state=text(column("{replica}_io_running")),
        io_errno=integer(column("last_io_errno")) or None,
        io_error=error_text(column("last_io_error")),
        io_since=text(column("last_io_error_timestamp")),
        sql_state=text(column("{replica}_sql_running")),
        sql_errno=integer(column("last_sql_errno", "last_errno")) or None,
        sql_error=error_text(column("last_sql_error", "last_error")),
        sql_since=text(column("last_sql_error_timestamp")),
        lag_seconds=integer(column("seconds_behind_{primary}")),
        delay=integer(column("sql_delay")) or 0,
        filters=significant_filters(row),
        tls=on(column("{primary}_ssl_allowed")),
        tls_verified=on(column("{primary}_ssl_verify_server_cert")),
        tls_authority=text(column("{primary}_ssl_ca_file")),
        connect_retry=integer(column("connect_retry")),
        retry_count=integer(column("{primary}_retry_count")),
        heartbeat_period=seconds(column("slave_heartbeat_period")),
        heartbeats=integer(column("slave_received_heartbeats")),
        gtid_mode=_gtid_mode(column("using_gtid"), column("auto_position")),
        retrieved=squeezed(column("retrieved_gtid_set", "gtid_io_pos")),
        executed=squeezed(column("executed_gtid_set")),
        read_file=text(column("{primary}_log_file")),
        read_pos=integer(column("read_{primary}_log_pos")),
        applied_file=text(column("relay_{primary}_log_file")),
        applied_pos=integer(column("exec_{primary}_log_pos")),
        source_words="source_host" in row,
    )


def _gtid_mode(using_gtid: Any, auto_position: Any) -> str | None:
    if using_gtid is not None or auto_position is None:
        return text(using_gtid)
    return "auto_position" if on(auto_position) else "No"


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


# --- Single values ------------------------------------------------------------------------------------------------


def lower(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in row.items()}


def by_name(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what SHOW VARIABLES or SHOW STATUS answered, under lower case names."""
    return {str(row.get("variable_name") or "").lower(): row.get("value") for row in map(lower, rows)}


def integer(value: Any) -> int | None:
    """Return a whole number, or None for anything else."""
    digits = str(value).strip().partition(".")[0] if value is not None else ""
    plain = digits[1:] if digits[:1] == "-" else digits
    return int(digits) if plain.isascii() and plain.isdigit() and len(plain) <= 20 else None


def seconds(value: Any) -> float | None:
    return float(value) if re.match(r"\d{1,9}(\.\d+)?\Z", str(value), re.ASCII) else None


def text(value: Any) -> str | None:
    """Return a text, or None for nothing."""
    found = "" if value is None else str(value)
    return found or None


def squeezed(value: Any) -> str | None:
    """Return a text without white space: servers break long GTID sets into lines."""
    return text("".join(str(value).split())) if value is not None else None


def on(value: Any) -> bool | None:
    """Return a server variable as a boolean; anything that is neither off nor unknown is on."""
    if value is None or str(value) == "":
        return None
    return str(value).upper() not in ("0", "OFF", "NO", "FALSE")


def error_text(value: Any) -> str | None:
    """Return a thread's error without the statement it may quote: that can hold data."""
    return text(re.split(r"\s(?:Default database|Query): '", str(value))[0].strip()) if value else None
