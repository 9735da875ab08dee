# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements that mend something, in the words that the server at hand understands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote, quote_name

# Stands for what only the reader knows.
BLANK = "'...'"


@dataclass(frozen=True)
class Statements:
    """dialect: source (MySQL from 8.0.23 on), master (MySQL before), mariadb or redis."""

    dialect: str

    def _suffix(self, channel: str) -> str:
        if not channel:
            return ""
        return f" {quote(channel)}" if self.dialect == "mariadb" else f" FOR CHANNEL {quote(channel)}"

    @property
    def _noun(self) -> str:
        return "REPLICA" if self.dialect == "source" else "SLAVE"

    def start(self, channel: str = "") -> str:
        if self.dialect == "redis":
            return "REPLICAOF <primary> <port>"
        return f"START {self._noun}{self._suffix(channel)}"

    def stop(self, channel: str = "") -> str:
        return f"STOP {self._noun}{self._suffix(channel)}"

    def change(self, options: Mapping[str, str], channel: str = "") -> str:
        """Return the sequence that gives a channel other options; names come without SOURCE_ or MASTER_."""
        prefix = "SOURCE" if self.dialect == "source" else "MASTER"
        listed = ", ".join(
            f"{'GET_' + prefix if name == 'PUBLIC_KEY' else prefix}_{name} = {value}" for name, value in options.items()
        )
        verb = "CHANGE REPLICATION SOURCE" if self.dialect == "source" else "CHANGE MASTER"
        suffix = self._suffix(channel)
        if self.dialect == "mariadb":
            return f"{self.stop(channel)}; {verb}{suffix} TO {listed}; {self.start(channel)}"
        return f"{self.stop(channel)}; {verb} TO {listed}{suffix}; {self.start(channel)}"

    def point(self, host: str = "<primary>", channel: str = "") -> str:
        """Return what makes the server follow a primary by GTID."""
        if self.dialect == "redis":
            return f"REPLICAOF {host} <port>"
        return self.change({"HOST": quote(host), **self._gtid}, channel)

    def leave(self, channel: str = "") -> str:
        """Return what makes the server follow nobody."""
        if self.dialect == "redis":
            return "REPLICAOF NO ONE"
        if self.dialect == "mariadb":
            return f"{self.stop(channel)}; RESET SLAVE{self._suffix(channel)} ALL"
        return f"{self.stop(channel)}; RESET {self._noun} ALL{self._suffix(channel)}"

    def by_gtid(self, channel: str = "") -> str:
        return self.change(self._gtid, channel)

    @property
    def _gtid(self) -> dict[str, str]:
        return {"USE_GTID": "slave_pos"} if self.dialect == "mariadb" else {"AUTO_POSITION": "1"}

    def password(self, channel: str = "") -> str:
        return self.change({"PASSWORD": BLANK}, channel)

    def tls(self, channel: str = "") -> str:
        return self.change({"SSL": "1"}, channel)

    def close(self) -> str:
        """Return what keeps writers away."""
        if self.dialect == "redis":
            return "CONFIG SET replica-read-only yes"
        return "SET GLOBAL read_only = 1" if self.dialect == "mariadb" else "SET GLOBAL super_read_only = 1"

    def open(self) -> str:
        return "SET GLOBAL read_only = 0"

    def semi_sync(self, replica: bool) -> str:
        side = {"mariadb": ("master", "slave"), "master": ("master", "slave")}.get(self.dialect, ("source", "replica"))
        statement = f"SET GLOBAL rpl_semi_sync_{side[replica]}_enabled = 1"
        return f"{statement}; STOP {self._noun} IO_THREAD; START {self._noun} IO_THREAD" if replica else statement


def account(current_user: str | None) -> str:
    """Return CURRENT_USER() as a statement takes it."""
    name, mark, host = (current_user or "").rpartition("@")
    return f"{quote_name(name)}@{quote_name(host)}" if mark and name and host else "<the login account>"


# What SHOW REPLICA STATUS and its companions need where the server does not say it itself.
_DEFAULT_PRIVILEGES = {"mariadb": "SLAVE MONITOR, BINLOG MONITOR, PROCESS", "mysql": "REPLICATION CLIENT, PROCESS"}


def grant(flavor: str | None, current_user: str | None, message: str = "") -> str:
    """Return the GRANT that a refused look asks for; message: the server's own words, which name the privilege."""
    table = re.search(r"\b(?:SELECT|INSERT|DELETE) command denied to user .* for table (.+)", message)
    if table:
        # MySQL names the table alone, MariaDB schema and table; only performance_schema is asked for here.
        return f"GRANT SELECT ON performance_schema.* TO {account(current_user)}"
    named = re.search(r"need \(at least one of\) the (.+?) privilege", message)
    family = "mariadb" if flavor == "mariadb" else "mysql"
    known = [item.strip() for item in named.group(1).split(",") if item.strip() != "SUPER"] if named else []
    privileges = _DEFAULT_PRIVILEGES[family].split(", ")
    missing = [item for item in known if item not in privileges]
    if missing and len(known) == len(missing):
        # A version that calls it by another name.
        privileges = [known[0], *(item for item in privileges if item == "PROCESS")]
    return f"GRANT {', '.join(privileges)} ON *.* TO {account(current_user)}"


def grant_canary(schema: str, table: str, current_user: str | None, create: bool = False) -> str:
    """Return the GRANT that writing and reading the canary needs."""
    if create:
        return f"GRANT CREATE, SELECT, INSERT, DROP ON {quote_name(schema)}.* TO {account(current_user)}"
    target = f"{quote_name(schema)}.{quote_name(table)}"
    return f"GRANT SELECT, INSERT, DROP ON {target} TO {account(current_user)}"
