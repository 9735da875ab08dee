# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the errors of the two threads of a MySQL or MariaDB replica mean, and what mends them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import Channel, Thread
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.statements import Statements

CLONE_HINT = "Give each server its own server_id; on a cloned MySQL host also stop it, remove auto.cnf and start it."

_NETWORK = {1040, 1053, 1129, 1203, 2002, 2003, 2005, 2006, 2013}
_ACCESS = {1045, 1698, 1862, 3118, 3955, 4151}
_PLUGIN = {1251, 2058, 2059, 2061}
_TLS = {2026, 3159}
_OTHER_DATA = {1007, 1008, 1032, 1050, 1051, 1062, 1146, 1396}


@dataclass(frozen=True)
class Cause:
    """What a thread's error means: the state that follows, a sentence, what mends it."""

    state: str
    sentence: str
    hint: str | None = None


def _binlog_cause(text: str, dialect: str) -> Cause:
    """Explain error 1236: the primary cannot serve the position that the replica asks for."""
    low = text.lower()
    if "equal mysql server" in low or "same server_uuid" in low or "same server_id" in low:
        return Cause("broken", "another server with the same id is connected to the primary", CLONE_HINT)
    if re.search(
        r"has more gtids than|errant|diverged|not in the master's binlog|position > file size|impossible pos", low
    ):
        return Cause(
            "diverged",
            "this server holds transactions that the primary does not have",
            "Save what is needed of them, then seed this replica anew from the primary.",
        )
    if "max_allowed_packet" in low:
        variable = f"{'replica' if dialect == 'source' else 'slave'}_max_allowed_packet"
        return Cause("broken", "an event is larger than max_allowed_packet", f"SET GLOBAL {variable} = 1073741824")
    return Cause(
        "needs_reseed",
        "the primary no longer has the binary logs that this server needs",
        "Seed this replica anew from the primary, and let the primary keep its binary logs longer than a replica may be"
        " down (binlog_expire_logs_seconds).",
    )


def _encrypted(statements: Statements, channel: str) -> str:
    """Return what gets a password through to an account that takes it over an encrypted connection only."""
    hint = statements.tls(channel)
    if statements.dialect != "mariadb":
        hint += f"; or, without TLS, {statements.change({'PUBLIC_KEY': '1'}, channel)}"
    return hint


def _tls_hint(statements: Statements, channel: Channel, text: str) -> str:
    if re.search(r"verif|self.signed|certificate|trusted|unable to get", text, re.IGNORECASE):
        return statements.change({"SSL_CA": "'<file of the CA that signed the primary certificate>'"}, channel.name)
    if re.search(r"required|not support|doesn't support", text, re.IGNORECASE):
        without = statements.change({"SSL": "0"}, channel.name)
        return f"Give the primary a certificate (ssl_cert, ssl_key); without TLS: {without}"
    return "Check the CA and the certificates of both: ssl_ca, ssl_cert and ssl_key here and on the primary."


def io_cause(channel: Channel, statements: Statements) -> Cause:
    """Explain why the connection to the primary does not run."""
    errno, text = channel.io.errno or 0, channel.io.error or ""
    if errno == 1236 or "fatal error 1236" in text:
        return _binlog_cause(text, statements.dialect)
    if "equal MySQL server" in text:
        return Cause("broken", "this server and its primary have the same server id or UUID", CLONE_HINT)
    refused = _login_cause(channel, statements)
    if refused:
        return refused
    if errno in _TLS or (errno and re.search(r"\b(SSL|TLS|certificate)\b", text)):
        return Cause("broken", f"TLS with the primary {channel.primary} fails", _tls_hint(statements, channel, text))
    stopped = channel.io.state in (None, "No")
    start = statements.start(channel.name)
    if errno in _NETWORK and stopped:
        return Cause("stopped", f"the connection to {channel.primary} failed and is not tried again", start)
    if errno in _NETWORK:
        return Cause(
            "connecting",
            f"the primary {channel.primary} cannot be reached",
            "Check that the primary runs, its bind address and the firewalls between the two.",
        )
    if errno:
        return Cause("broken" if stopped else "connecting", f"replication from {channel.primary} stopped")
    if stopped:
        return Cause("stopped", "the connection to the primary is stopped", start)
    return Cause("connecting", f"the connection to {channel.primary} is not up yet")


def _login_cause(channel: Channel, statements: Statements) -> Cause | None:
    """Explain why the primary does not let the replica in; None where that is not the cause."""
    errno, text, primary = channel.io.errno or 0, channel.io.error or "", channel.primary
    user = f"'{channel.user}'" if channel.user else "the replication account"
    if errno in _ACCESS:
        return Cause(
            "auth_failed",
            f"the primary {primary} refuses the password or account of {user}",
            f"{statements.password(channel.name)}; check the account's host part on the primary.",
        )
    if errno in _PLUGIN:
        return Cause(
            "auth_failed",
            f"the primary {primary} refuses {user}: its authentication plugin needs an encrypted connection or is missing",
            _encrypted(statements, channel.name),
        )
    if errno == 1130:
        return Cause(
            "auth_failed",
            f"the primary {primary} allows no account to connect from this host",
            f"CREATE USER {user}@'<this host>' ... and GRANT REPLICATION SLAVE ON *.* TO it (on the primary)",
        )
    if errno in (1142, 1227, 1044) or "REPLICATION SLAVE privilege" in text:
        return Cause(
            "auth_failed",
            f"{user} may not replicate from {primary}",
            f"GRANT REPLICATION SLAVE ON *.* TO {user}@'<this host>' (on the primary)",
        )
    return None


def sql_cause(channel: Channel, statements: Statements) -> Cause:
    """Explain why the applier does not run."""
    errno, start = channel.sql.errno or 0, statements.start(channel.name)
    if errno in (1950, 13530) or "out-of-order" in (channel.sql.error or ""):
        return Cause(
            "diverged",
            "the applier met a GTID that does not follow this server's own ones",
            "Find the writes that were made on this server itself, then seed it anew.",
        )
    if errno in _OTHER_DATA:
        return Cause(
            "broken",
            "the applier stopped because the data here differ from the primary's",
            "Compare the row or object on both servers; seed this replica anew when the reason is not clear.",
        )
    if errno:
        return Cause("broken", "the applier stopped with an error", f"Mend the cause, then {start}")
    return Cause("stopped", "the applier is stopped", start)


def in_its_own_words(thread: Thread) -> str:
    """Return the server's error, without the statement it may quote and cut to a readable length."""
    text = " ".join((thread.error or "").split())
    return f" (error {thread.errno}: {text[:300]})" if thread.errno else ""
