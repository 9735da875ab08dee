# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare wanted accounts with those of a server and write the statements between them; no connection is made here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Rows, quote, quote_name
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.password import password_hash
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary_mysql import (
    create_schema,
    create_table,
)

READ_ACCOUNTS = (
    "SELECT User AS user, Host AS host, plugin, HEX(authentication_string) AS hash_hex, ssl_type FROM mysql.user"
)
# The servers' own accounts are never this module's to change.
RESERVED = frozenset(
    {"", "root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "debian-sys-maint", "public"}
)
READ_TABLES = "SELECT COUNT(*) AS count FROM information_schema.tables WHERE table_schema = {} AND table_name = {}"
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE = "*.*"
ALL = "ALL PRIVILEGES"

Name = tuple[str, str]  # (user, host)
Grants = dict[str, frozenset[str]]  # what they are on, as the server writes it -> privileges

_NAME = r"`(?:[^`]|``)*`"
_GRANT = re.compile(rf"GRANT (?P<privileges>.+?) ON (?P<target>(?:\*|{_NAME})\.(?:\*|{_NAME})) TO ")
_ROLE = re.compile(rf"GRANT (?P<role>{_NAME}(?:@{_NAME})?) TO ")


@dataclass(frozen=True)
class Wanted:
    """One account as it has to be. by_socket: the operating system's user of the same name, without a password."""

    user: str
    host: str
    password: str = field(repr=False)
    grants: Grants
    require_tls: bool = False
    by_socket: bool = False

    @property
    def name(self) -> Name:
        return self.user, self.host


@dataclass(frozen=True)
class Present:
    """One account as the server has it."""

    plugin: str
    stored: bytes = field(repr=False)
    tls: bool


@dataclass
class Plan:
    """The statements that lead from one to the other, and both states in words, without secrets."""

    logged: list[str] = field(default_factory=list)  # with binary log: they reach the replicas
    local: list[str] = field(default_factory=list)  # without
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.logged or self.local)


def account(name: Name) -> str:
    """Return the account as an SQL name."""
    return f"{quote(name[0])}@{quote(name[1])}"


def shown(name: Name) -> str:
    return f"{name[0]}@{name[1]}"


def grant_target(schema: str) -> str:
    """Return what a grant on a schema is written on; _ and % would be wildcards in a schema's name."""
    if schema == "*":
        return EVERYWHERE
    return quote_name(re.sub(r"([_%\\])", r"\\\1", schema)) + ".*"


def wanted_grants(grants: Iterable[tuple[str, Sequence[str]]]) -> Grants:
    """Return [(schema, privileges)] as the server would show them."""
    found: Grants = {}
    for schema, privileges in grants:
        names = {" ".join(privilege.upper().split()) for privilege in privileges}
        if names & {"ALL", ALL}:
            names = {ALL}
        found[grant_target(schema)] = found.get(grant_target(schema), frozenset()) | names
    return found


def _split(privileges: str) -> frozenset[str]:
    """Split at commas, not at those inside a column list."""
    return frozenset(part.strip() for part in re.split(r",(?![^()]*\))", privileges)) - {"USAGE"}


def parse_grants(lines: Iterable[str]) -> tuple[Grants, list[str]]:
    """Return the privileges and the roles in the answer to SHOW GRANTS."""
    grants: dict[str, frozenset[str]] = {}
    roles = []
    for line in lines:
        found = _GRANT.match(line)
        if found:
            names = _split(found.group("privileges"))
            if " WITH GRANT OPTION" in line[found.end() :]:
                names |= {"GRANT OPTION"}
            target = found.group("target")
            if names:
                grants[target] = grants.get(target, frozenset()) | names
            continue
        role = _ROLE.match(line)
        if role:
            roles.append(role.group("role"))
    return grants, roles


def read_accounts(rows: Rows) -> dict[Name, Present]:
    """Return the answer to READ_ACCOUNTS; MariaDB's roles, which have no host, are left out."""
    return {
        (row["user"] or "", row["host"] or ""): Present(
            row["plugin"] or "", bytes.fromhex(row["hash_hex"] or ""), bool(row["ssl_type"])
        )
        for row in rows
        if row["host"]
    }


def grant_changes(name: Name, present: Grants, roles: Sequence[str], wanted: Grants) -> list[str]:
    """Return the statements that make the privileges exactly the wanted ones."""
    who = account(name)
    statements = []
    for target in sorted(present.keys() | wanted.keys()):
        have, want = present.get(target, frozenset()), wanted.get(target, frozenset())
        extra = have - want
        # ALL PRIVILEGES covers every single one but the right to pass them on.
        if ALL in want:
            extra &= {"GRANT OPTION"}
        if extra:
            statements.append(f"REVOKE {', '.join(sorted(extra))} ON {target} FROM {who}")
        missing = want if ALL in extra else want - have
        if missing:
            statements.append(f"GRANT {', '.join(sorted(missing))} ON {target} TO {who}")
    return statements + [f"REVOKE {role} FROM {who}" for role in roles]


def _plugin(mariadb: bool, by_socket: bool) -> str:
    if by_socket:
        return "unix_socket" if mariadb else "auth_socket"
    return "mysql_native_password" if mariadb else "caching_sha2_password"


def _identified(mariadb: bool, stored: bytes, by_socket: bool) -> str:
    if by_socket:
        return f"IDENTIFIED {'VIA' if mariadb else 'WITH'} {_plugin(mariadb, True)}"
    if mariadb:
        return f"IDENTIFIED VIA mysql_native_password USING {quote(stored.decode('ascii'))}"
    return f"IDENTIFIED WITH caching_sha2_password AS 0x{stored.hex()}"


def _words(require_tls: bool, grants: Grants, password: str) -> dict[str, object]:
    return {
        "password": password,
        "tls": "required" if require_tls else "not required",
        "grants": [f"{', '.join(sorted(names))} ON {target}" for target, names in sorted(grants.items())],
    }


def plan_account(
    plan: Plan, mariadb: bool, want: Wanted, have: Present | None, grants: Grants, roles: Sequence[str]
) -> None:
    """Add what one wanted account needs."""
    plugin = _plugin(mariadb, want.by_socket)
    require = "REQUIRE SSL" if want.require_tls else "REQUIRE NONE"
    stored = b"" if want.by_socket else password_hash(plugin, want.password, have.stored if have else b"")
    identify = _identified(mariadb, stored, want.by_socket)
    statements = []
    same_password = have is not None and have.plugin == plugin and (want.by_socket or have.stored == stored)
    if have is None:
        statements.append(f"CREATE USER {account(want.name)} {identify} {require}")
    elif not same_password or have.tls != want.require_tls:
        identified = "" if same_password else identify + " "
        statements.append(f"ALTER USER {account(want.name)} {identified}{require}")
    statements += grant_changes(want.name, grants, roles, want.grants)
    if not statements:
        return
    plan.local += statements
    key = shown(want.name)
    if have is not None:
        plan.before[key] = {
            **_words(have.tls, grants, "the given one" if same_password else "another"),
            **({"roles": list(roles)} if roles else {}),
        }
    plan.after[key] = _words(want.require_tls, want.grants, "the given one")


def plan_accounts(
    mariadb: bool,
    names: Iterable[str],
    wanted: Sequence[Wanted],
    present: Mapping[Name, Present],
    grants: Mapping[Name, tuple[Grants, list[str]]],
) -> Plan:
    """Make the wanted accounts, and remove every other host of the named users."""
    plan = Plan()
    for want in wanted:
        have_grants, roles = grants.get(want.name, ({}, []))
        plan_account(plan, mariadb, want, present.get(want.name), have_grants, roles)
    keep = {want.name for want in wanted}
    drop_accounts(plan, sorted(name for name in present if name[0] in set(names) and name not in keep))
    return plan


def drop_accounts(plan: Plan, names: Iterable[Name]) -> None:
    for name in names:
        plan.local.append(f"DROP USER {account(name)}")
        plan.before[shown(name)] = "present"


def insecure_accounts(present: Mapping[Name, Present]) -> list[Name]:
    """Return accounts without a name, and root from anywhere but this machine."""
    return sorted(
        (user, host) for user, host in present if not user or (user == "root" and host.lower() not in LOCAL_HOSTS)
    )


def plan_databases(plan: Plan, wanted: Iterable[str], present: Iterable[str]) -> None:
    for name in sorted(set(wanted) - set(present)):
        plan.logged.append(f"CREATE DATABASE {quote_name(name)} CHARACTER SET utf8mb4")
        plan.after[f"database {name}"] = "present"


def plan_canary(plan: Plan, schema: str, table: str, schemas: Iterable[str], tables: Rows) -> None:
    """Make what replication_status writes its canary to."""
    if schema not in set(schemas):
        plan.logged.append(create_schema(schema))
        plan.after[f"database {schema}"] = "present"
    if not tables or tables[0].get("count") == "0":
        plan.logged.append(create_table(schema, table))
        plan.after[f"table {schema}.{table}"] = "present"


def drop_test_database(plan: Plan) -> None:
    plan.local.append("DROP DATABASE `test`")
    plan.before["database test"] = "present, empty"
