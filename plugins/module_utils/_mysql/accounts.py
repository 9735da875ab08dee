# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare wanted accounts with those of a server and write the statements between them; no connection is made here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Row, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.password import password_hash
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.quoting import quote, quote_name
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary_mysql import (
    create_schema,
    create_table,
)

# Each server reads the comment that is meant for it, and tells by it of the passwords beside the first one.
READ_ACCOUNTS = (
    "SELECT User AS user, Host AS host, plugin, HEX(authentication_string) AS hash_hex, ssl_type"
    " /*!80014 , HEX(User_attributes->>'$.additional_password') AS second_hex */"
    " /*M!100400 , (SELECT JSON_EXTRACT(g.Priv, '$.auth_or') FROM mysql.global_priv AS g"
    " WHERE g.User = u.User AND g.Host = u.Host) AS methods */"
    " FROM mysql.user AS u"
)
# The servers' own accounts are never this module's to change.
RESERVED = frozenset(
    {"", "root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "debian-sys-maint", "public"}
)
READ_DATABASES = (
    "SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS character_set, DEFAULT_COLLATION_NAME AS collation"
    " FROM information_schema.SCHEMATA"
)
READ_TABLES = "SELECT COUNT(*) AS count FROM information_schema.tables WHERE table_schema = {} AND table_name = {}"
DEFAULT_CHARACTER_SET = "utf8mb4"
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE = "*.*"
ALL = "ALL PRIVILEGES"

Name = tuple[str, str]  # (user, host)
Grants = dict[str, frozenset[str]]  # what they are on, as the server writes it -> privileges

_NAME = r"`(?:[^`]|``)*`"
# Older servers quote accounts as texts.
_PART = rf"(?:{_NAME}|'(?:[^']|'')*')"
_ACCOUNT = rf"{_PART}(?:@{_PART})?"
# What is granted on may be a routine: its kind comes before its name.
_GRANT = re.compile(rf"GRANT (?P<privileges>.+?) ON (?P<target>(?:[A-Z ]+ )?(?:\*|{_NAME})\.(?:\*|{_NAME})) TO ")
_PROXY = re.compile(rf"GRANT PROXY ON (?P<target>{_ACCOUNT}) TO ")
_ROLES = re.compile(rf"GRANT (?P<roles>{_ACCOUNT}(?:, ?{_ACCOUNT})*) TO ")


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
    # Passwords that are valid beside it.
    former: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def passwords(self) -> tuple[bytes, ...]:
        return (self.stored, *self.former)


@dataclass(frozen=True)
class Database:
    """A database with what its new tables get; None leaves that to the server, or as it is."""

    name: str
    character_set: str | None = None
    collation: str | None = None

    def fits(self, present: Database) -> bool:
        return all(
            wish is None or _canonical(wish) == _canonical(there)
            for wish, there in ((self.character_set, present.character_set), (self.collation, present.collation))
        )

    @property
    def clauses(self) -> str:
        character_set = f" CHARACTER SET {self.character_set}" if self.character_set else ""
        return character_set + (f" COLLATE {self.collation}" if self.collation else "")

    @property
    def trial(self) -> str | None:
        """Return a statement that changes nothing and fails where the server does not know what is named."""
        if not self.character_set and not self.collation:
            return None
        # A collation begins with its character set; MariaDB's uca1400 ones fit every Unicode one.
        prefix = (self.collation or "").partition("_")[0].lower()
        character_set = self.character_set or (DEFAULT_CHARACTER_SET if prefix == "uca1400" else prefix)
        return f"DO CONVERT('' USING {character_set})" + (f" COLLATE {self.collation}" if self.collation else "")

    @property
    def words(self) -> str:
        return ", ".join(filter(None, (self.character_set, self.collation)))


@dataclass
class Plan:
    """The statements that lead from one to the other, and both states in words, without secrets."""

    logged: list[str] = field(default_factory=list)  # with binary log: they reach the replicas
    local: list[str] = field(default_factory=list)  # without
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)
    # Users and accounts that are still let in as they were before.
    former: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.logged or self.local)


def _canonical(name: str | None) -> str:
    """Return a character set or collation under its newest name."""
    return re.sub(r"^utf8(?=_|$)", "utf8mb3", (name or "").lower())


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
    """Return the privileges and the roles in the answer to SHOW GRANTS; what is not understood is an error."""
    grants: dict[str, frozenset[str]] = {}
    roles: list[str] = []
    for line in lines:
        # A default role that is not granted any more gives no right.
        if line.startswith("SET DEFAULT ROLE "):
            continue
        if proxy := _PROXY.match(line):
            # Taking it away takes the right to pass it on as well.
            grants[proxy.group("target")] = frozenset({"PROXY"})
        elif found := _GRANT.match(line):
            names = _split(found.group("privileges"))
            if " WITH GRANT OPTION" in line[found.end() :]:
                names |= {"GRANT OPTION"}
            target = found.group("target")
            if names:
                grants[target] = grants.get(target, frozenset()) | names
        elif some := _ROLES.match(line):
            roles += re.findall(_ACCOUNT, some.group("roles"))
        else:
            right = re.split(r" (?:TO|FROM) ", line)[0]
            raise MysqlError(
                "other", f"an account has {right!r}, which is none of the rights known here: revoke it first"
            )
    return grants, roles


def _former(row: Row) -> tuple[bytes, ...]:
    """Return the passwords beside the first one: MySQL's second, or those of MariaDB's other methods of the same kind."""
    if second := row.get("second_hex"):
        return (bytes.fromhex(second),)
    methods = json.loads(row.get("methods") or "[]")
    return tuple(
        method["authentication_string"].encode("ascii") for method in methods if method.get("plugin") == row["plugin"]
    )


def read_accounts(rows: Rows) -> dict[Name, Present]:
    """Return the answer to READ_ACCOUNTS; MariaDB's roles, which have no host, are left out."""
    return {
        (row["user"] or "", row["host"] or ""): Present(
            row["plugin"] or "", bytes.fromhex(row["hash_hex"] or ""), bool(row["ssl_type"]), _former(row)
        )
        for row in rows
        if row["host"]
    }


def read_databases(rows: Rows) -> dict[str, Database]:
    """Return the answer to READ_DATABASES."""
    found = (Database(row["name"] or "", row["character_set"], row["collation"]) for row in rows)
    return {database.name: database for database in found}


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


def _identified(mariadb: bool, passwords: Sequence[bytes]) -> str:
    """Return the clause that lets in by these passwords, the first of which alone counts for MySQL; by none: by socket."""
    if not passwords:
        return f"IDENTIFIED {'VIA' if mariadb else 'WITH'} {_plugin(mariadb, True)}"
    if mariadb:
        methods = (f"mysql_native_password USING {quote(stored.decode('ascii'))}" for stored in passwords)
        return f"IDENTIFIED VIA {' OR '.join(methods)}"
    return f"IDENTIFIED WITH caching_sha2_password AS 0x{passwords[0].hex()}"


def _wanted_password(plugin: str, password: str, known: Sequence[bytes]) -> bytes:
    """Return the hash of a password: the known one where there is one, for a salt makes another each time."""
    found = (each for each in known if password_hash(plugin, password, each) == each)
    return next(found, b"") or password_hash(plugin, password)


def made_by_others(
    mariadb: bool, users: Iterable[Mapping[str, Any]], present: Mapping[Name, Present], known: Iterable[str]
) -> list[str]:
    """Return the accounts under names of ours that we did not make: their owner would lose them."""
    found = []
    for user in users:
        plugin = _plugin(mariadb, user["by_socket"])
        for name, have in present.items():
            same = have.plugin == plugin and (
                user["by_socket"] or _wanted_password(plugin, user["password"], have.passwords) in have.passwords
            )
            if name[0] == user["name"] and name[0] not in known and not same:
                found.append(shown(name))
    return sorted(found)


def taken(others: Sequence[str]) -> str:
    """The sentence about them."""
    are = "is an account" if len(others) == 1 else "are accounts"
    return (
        f"{', '.join(others)} {are} that somebody else made here; expected names that nobody has: give the cluster's user"
        " another name, or drop what nobody uses."
    )


def _require(tls: bool) -> str:
    return "REQUIRE SSL" if tls else "REQUIRE NONE"


def _alter_statements(mariadb: bool, want: Wanted, have: Present, keep_former: bool) -> tuple[list[str], bool]:
    """Return the statements from one way in to the other, and whether who came in before still does."""
    plugin = _plugin(mariadb, want.by_socket)
    present = have.passwords if have.plugin == plugin and not want.by_socket else ()
    first = () if want.by_socket else (_wanted_password(plugin, want.password, present),)
    former = tuple(each for each in present if each not in first) if keep_former else ()
    same = have.plugin == plugin and (present == (*first, *former) if mariadb else present[:1] == first)
    identify = "" if same else f"{_identified(mariadb, (*first, *former))} "
    # MySQL has room for one former password: the oldest stays, which is that of all who have not moved yet.
    if not mariadb and identify and former and set(have.former) <= set(first):
        identify += "RETAIN CURRENT PASSWORD "
    # Who comes without TLS does so until everybody has moved.
    plain = keep_former and want.require_tls and not have.tls
    tls = want.require_tls and not plain
    who = account(want.name)
    statements = []
    if identify or have.tls != tls:
        statements.append(f"ALTER USER {who} {identify}{_require(tls)}")
    if not mariadb and have.former and not former:
        statements.append(f"ALTER USER {who} DISCARD OLD PASSWORD")
    return statements, bool(former) or plain


def _words(require_tls: bool, grants: Grants, password: str) -> dict[str, object]:
    return {
        "password": password,
        "tls": "required" if require_tls else "not required",
        "grants": [f"{', '.join(sorted(names))} ON {target}" for target, names in sorted(grants.items())],
    }


def plan_account(
    plan: Plan,
    mariadb: bool,
    want: Wanted,
    have: Present | None,
    grants: Grants,
    roles: Sequence[str],
    keep_former: bool = False,
) -> None:
    """Add what one wanted account needs."""
    key = shown(want.name)
    if have is None:
        passwords = [] if want.by_socket else [password_hash(_plugin(mariadb, False), want.password)]
        statements = [
            f"CREATE USER {account(want.name)} {_identified(mariadb, passwords)} {_require(want.require_tls)}"
        ]
    else:
        statements, former = _alter_statements(mariadb, want, have, keep_former)
        plan.former += [key] if former else []
    password = "another" if any(" IDENTIFIED " in statement for statement in statements) else "the given one"
    statements += grant_changes(want.name, grants, roles, want.grants)
    if not statements:
        return
    plan.local += statements
    if have is not None:
        plan.before[key] = {
            **_words(have.tls, grants, password),
            **({"roles": list(roles)} if roles else {}),
        }
    plan.after[key] = _words(want.require_tls, want.grants, "the given one")


def plan_accounts(
    mariadb: bool,
    names: Iterable[str],
    wanted: Sequence[Wanted],
    present: Mapping[Name, Present],
    grants: Mapping[Name, tuple[Grants, list[str]]],
    former_names: Iterable[str] = (),
    keep_former: bool = False,
) -> Plan:
    """Make the wanted accounts, remove every other host of the named users, and former users unless they are kept."""
    plan = Plan()
    for want in wanted:
        have_grants, roles = grants.get(want.name, ({}, []))
        plan_account(plan, mariadb, want, present.get(want.name), have_grants, roles, keep_former)
    keep = {want.name for want in wanted}
    drop_accounts(plan, sorted(name for name in present if name[0] in set(names) and name not in keep))
    former = sorted(name for name in present if name[0] in set(former_names) - set(names) - RESERVED)
    if keep_former:
        plan.former += map(shown, former)
    else:
        drop_accounts(plan, former)
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


def plan_databases(plan: Plan, wanted: Iterable[Database], present: Mapping[str, Database]) -> None:
    """Make databases; one that is there gets the character set and collation that are named, for its new tables."""
    for want in wanted:
        have = present.get(want.name)
        if have is None:
            verb = "CREATE"
            if not want.collation:
                want = replace(want, character_set=want.character_set or DEFAULT_CHARACTER_SET)
        elif want.fits(have):
            continue
        else:
            verb = "ALTER"
            plan.before[f"database {want.name}"] = have.words
        plan.logged.append(f"{verb} DATABASE {quote_name(want.name)}{want.clauses}")
        plan.after[f"database {want.name}"] = want.words


def drop_databases(plan: Plan, names: Iterable[str], schemas: Iterable[str]) -> None:
    """Remove databases with all that is in them."""
    for name in (name for name in dict.fromkeys(names) if name in set(schemas)):
        plan.logged.append(f"DROP DATABASE {quote_name(name)}")
        plan.before[f"database {name}"] = "present"


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
