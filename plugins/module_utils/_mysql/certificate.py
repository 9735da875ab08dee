# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide how a running server comes to show the certificate of its files; nothing here talks to a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote

NAMES = ("ssl_ca", "ssl_cert", "ssl_key")
READ_SETTINGS = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'ssl_ca', 'ssl_cert', 'ssl_key')"
# None of it is for the replicas.
LOCAL_ONLY = "SET SESSION sql_log_bin = OFF"


@dataclass(frozen=True)
class Plan:
    """What to tell the server. waits: only a start gives it these files."""

    statements: tuple[str, ...] = ()
    waits: bool = False


def settings_of(folder: str) -> dict[str, str]:
    """The settings of a server whose files are in this folder."""
    return {"ssl_ca": f"{folder}/ca.pem", "ssl_cert": f"{folder}/server.pem", "ssl_key": f"{folder}/server.pem"}


def make_plan(variables: Mapping[str, str], folder: str, shown: str | None, own: str) -> Plan:
    """shown: the certificate that the server shows, None where it shows none; own: that of its file; both in hexadecimal."""
    wanted = settings_of(folder)
    mariadb = "mariadb" in variables.get("version", "").lower()
    reload = "FLUSH LOCAL SSL" if mariadb else "ALTER INSTANCE RELOAD TLS"
    differing = [name for name in NAMES if variables.get(name) != wanted[name]]
    if differing and mariadb:
        return Plan(waits=True)
    if not differing and shown == own:
        return Plan()
    settings = (f"SET GLOBAL {name} = {quote(wanted[name])}" for name in differing)
    return Plan((LOCAL_ONLY, *settings, reload))
