# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings and users of a running server, compared with its files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError, RedisLogin, Session
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.settings import (
    Plan,
    carry_out,
    differs,
    keep_former_users,
    make_plan,
    parse_config,
    parse_users,
    password_rule,
    refuse_open_door,
    refuse_own_users,
    rule_set,
    wait_for_aof,
)

HASH = "#" + "9f86" * 16
OTHER = "#" + "ab12" * 16
# ACL LIST of Redis 7.0, which orders and shortens rules its own way, and of Valkey 8.1.
LIST_70 = [
    f"user app on {HASH} ~demo:* resetchannels &demo:* +@all -@dangerous",
    "user default off resetchannels -@all",
    f"user monitor on {HASH} resetchannels -@all +role +wait +ping +info",
]
LIST_81 = [
    f"user app on sanitize-payload {HASH} ~demo:* resetchannels &demo:* +@all -@dangerous",
    "user default off sanitize-payload resetchannels -@all",
    f"user monitor on sanitize-payload {HASH} resetchannels -@all +ping +info +role +wait",
]
FILE = f"""user default off
user app on {HASH} ~demo:* &demo:* +@all -@dangerous
user monitor on {HASH} -@all +ping +info +role +wait
"""


ADMIN = RedisLogin(username="admin", password="new admin")
START_ONLY = ("aclfile", "databases")


class FakeServer(Session):
    """Keeps settings as a server does: memory in bytes, some only at the start, all of a command or none."""

    def __init__(self, settings: dict[str, str], users: list[str] | None = None) -> None:
        self.settings = dict(settings)
        self.users = list(users or [])
        self.sent: list[tuple[str, ...]] = []
        self.persistence: list[dict[str, str]] = []
        self.login = RedisLogin("127.0.0.1", username="admin")

    def log_in_as(self, login: RedisLogin) -> None:
        rules = parse_users("\n".join(self.users))[login.username or ""]
        assert password_rule(login.password or "") in rules
        self.login = login

    def command(self, *args: str) -> Any:
        user = self.login.username or ""
        if user != "admin" and "+@all" not in parse_users("\n".join(self.users))[user]:
            raise RedisError("noperm", f"NOPERM User {user} has no permissions to run the command")
        if args[:2] == ("CONFIG", "GET"):
            return [args[2], self.settings[args[2]]] if args[2] in self.settings else []
        if args == ("ACL", "LIST"):
            return list(self.users)
        if args[:2] == ("CONFIG", "SET"):
            given = dict(zip(args[2::2], args[3::2], strict=True))
            for name in given:
                if name in START_ONLY:
                    raise RedisError("other", f"ERR CONFIG SET failed (argument '{name}') - can't set immutable config")
                if name not in self.settings:
                    raise RedisError("other", f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            if "wrong" in given.values():
                raise RedisError("other", "ERR CONFIG SET failed - argument(s) must be one of the following: x")
            self.settings.update({name: {"30mb": "31457280"}.get(value, value) for name, value in given.items()})
        elif args[:2] == ("ACL", "SETUSER"):
            if "+wrong" in args:
                raise RedisError("other", "ERR Error in ACL SETUSER modifier '+wrong': Unknown command")
            self.users = [line for line in self.users if line.split()[1] != args[2]]
            self.users.append(f"user {args[2]} {' '.join(args[4:])}")
        elif args[:2] == ("ACL", "DELUSER"):
            self.users = [line for line in self.users if line.split()[1] not in args[2:]]
        self.sent.append(args)
        return "OK"

    def info(self, _section: str) -> dict[str, str]:
        return self.persistence.pop(0)


def bring(
    server: FakeServer,
    settings: dict[str, str] | None = None,
    text: str | None = None,
    check_mode: bool = False,
    known: Collection[str] | None = None,
) -> Plan:
    """Do what the module does; without a text the users are to stay as they are."""
    users = parse_users("\n".join(server.users) if text is None else text)
    plan = make_plan(server, settings or {}, users, known)
    if not check_mode:
        carry_out(server, plan, ADMIN)
    return plan


def test_file_is_read_as_the_server_reads_it() -> None:
    text = '# head\n\nPort 6379\nsave ""\nsave 3600 1\nsave 300 100\nbind 127.0.0.1 10.0.0.36\nport 6380\nlogfile ""\n'
    assert parse_config(text) == {
        "port": "6380",
        "save": "3600 1 300 100",
        "bind": "127.0.0.1 10.0.0.36",
        "logfile": "",
    }


@pytest.mark.parametrize(
    ("name", "live", "wanted", "expected"),
    [
        ("maxmemory", "104857600", "100mb", False),
        ("maxmemory", "104857600", "101mb", True),
        ("repl-backlog-size", "1000000", "1m", False),
        ("maxmemory-policy", "allkeys-lru", "allkeys-lru", False),
        ("save", "", "", False),
        ("save", "3600 1", "", True),
        ("notify-keyspace-events", "xE", "Ex", False),
        ("notify-keyspace-events", "AK", "KA", False),
        ("notify-keyspace-events", "xE", "Kx", True),
        ("dir", "/var/lib/redis", "/var/lib/redis/", False),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 536870912 134217728 60 pubsub 33554432 8388608 60",
            "replica 512mb 128mb 60",
            False,
        ),
        ("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60", "replica 512mb 128mb 60", True),
    ],
)
def test_values_are_compared_by_meaning(name: str, live: str, wanted: str, expected: bool) -> None:
    assert differs(name, live, wanted) is expected


def test_only_what_differs_is_set_live() -> None:
    server = FakeServer({"maxmemory": "20971520", "appendonly": "yes", "port": "6379"})
    plan = bring(server, {"maxmemory": "30mb", "appendonly": "yes", "port": "6379", "include": "x"})
    assert server.sent == [("CONFIG", "SET", "maxmemory", "30mb")]
    assert (plan.before, plan.after) == ({"maxmemory": "20971520"}, {"maxmemory": "30mb"})
    assert not bring(server, {"maxmemory": "30mb"}).after


def test_check_mode_changes_nothing() -> None:
    server = FakeServer({"maxmemory": "20971520"}, ["user default on nopass sanitize-payload ~* &* +@all"])
    plan = bring(server, {"maxmemory": "30mb"}, FILE, check_mode=True)
    assert set(plan.after) == {"maxmemory", "user default", "user app", "user monitor"}
    assert server.sent == []


def test_e2_check_mode_tells_what_the_real_run_does() -> None:
    users = [LIST_81[0].replace("-@dangerous", ""), *LIST_81[1:], "user intruder on nopass ~* &* +@all"]
    settings = {"aclfile": "", "databases": "8", "maxmemory": "20971520", "masterauth": "old", "save": "3600 1"}
    wanted = {"aclfile": "/a", "databases": "16", "maxmemory": "30mb", "masterauth": "new", "save": "3600 1"}
    checked, real = (bring(FakeServer(settings, users), wanted, FILE, check) for check in (True, False))
    assert (checked.before, checked.after, checked.restart) == (real.before, real.after, real.restart)
    assert real.restart == ["aclfile", "databases"]
    assert set(real.after) == {"maxmemory", "masterauth", "user app", "user intruder"}


def test_e2_an_acl_file_without_default_is_refused() -> None:
    users = parse_users(FILE.replace("user default off\n", ""))
    with pytest.raises(
        RefusedError, match=r"^/etc/redis/users.acl has no line for the user default: .*let everybody in"
    ):
        refuse_open_door(users, "/etc/redis/users.acl")
    refuse_open_door(parse_users(FILE), "/etc/redis/users.acl")


def test_e2_all_is_changed_or_nothing() -> None:
    users = [*LIST_81[1:], "user intruder on nopass ~* &* +@all"]
    server = FakeServer({"maxmemory-policy": "noeviction", "maxmemory": "1"}, users)
    rules = {name: rule_set(words) for name, words in parse_users("\n".join(users)).items()}
    with pytest.raises(RefusedError, match=r"^The running server refuses .*must be one of.* Nothing was changed\.$"):
        bring(server, {"maxmemory": "30mb", "maxmemory-policy": "wrong"}, FILE)
    assert server.settings == {"maxmemory-policy": "noeviction", "maxmemory": "1"}
    assert {name: rule_set(words) for name, words in parse_users("\n".join(server.users)).items()} == rules


def test_e2_a_refused_rule_leaves_the_users_before_it_as_they_were() -> None:
    server = FakeServer({"maxmemory": "1"}, LIST_81)
    with pytest.raises(RefusedError, match=r"modifier '\+wrong'.* Nothing was changed"):
        bring(server, {"maxmemory": "30mb"}, FILE.replace(HASH, OTHER, 1) + "user late on +wrong\n")
    assert parse_users("\n".join(server.users)) == parse_users("\n".join(LIST_81))
    assert server.settings == {"maxmemory": "1"}


def test_another_spelling_of_what_is_there_is_no_change() -> None:
    server = FakeServer({"maxmemory": "31457280"})
    server.settings["loglevel"] = "notice"
    plan = Plan({"loglevel": "notice"}, {}, {"loglevel": "notice"}, before={"loglevel": "a"}, after={"loglevel": "b"})
    carry_out(server, plan, ADMIN)
    assert (plan.before, plan.after) == ({}, {})


def test_secrets_are_not_shown() -> None:
    plan = bring(FakeServer({"masterauth": "old"}), {"masterauth": "new"})
    assert plan.before == {"masterauth": "(hidden)"}
    assert plan.after == {"masterauth": "(hidden, new)"}


@pytest.mark.parametrize("listed", [LIST_70, LIST_81])
def test_rules_are_compared_by_meaning(listed: list[str]) -> None:
    server = FakeServer({}, listed)
    assert not bring(server, text=FILE).after
    assert server.sent == []


def test_user_is_changed_in_one_command() -> None:
    server = FakeServer({}, [LIST_81[0].replace("-@dangerous", ""), *LIST_81[1:]])
    plan = bring(server, text=FILE)
    rules = f"on {HASH} ~demo:* &demo:* +@all -@dangerous".split()
    assert server.sent == [("ACL", "SETUSER", "app", "reset", *rules)]
    assert HASH not in str(plan.before) + str(plan.after)


def test_new_password_is_a_change_without_showing_it() -> None:
    plan = bring(FakeServer({}, LIST_81), text=FILE.replace(HASH, OTHER, 1))
    assert list(plan.after) == ["user app"]
    assert plan.after["user app"].endswith("(new password)")
    assert OTHER not in plan.after["user app"]


def test_user_that_the_file_does_not_know_is_removed() -> None:
    server = FakeServer({}, [*LIST_81, "user intruder on nopass ~* &* +@all"])
    assert bring(server, text=FILE).after == {"user intruder": "absent"}
    assert server.sent == [("ACL", "DELUSER", "intruder")]


def test_words_for_the_same_rule_are_one() -> None:
    assert rule_set(["on", "allkeys", "allchannels", "allcommands"]) == rule_set(["on", "~*", "&*", "+@all"])


def test_append_only_file_is_complete_before_a_restart() -> None:
    server = FakeServer({})
    server.persistence = [
        {"aof_rewrite_in_progress": "0", "aof_rewrite_scheduled": "1", "aof_last_bgrewrite_status": "ok"},
        {"aof_rewrite_in_progress": "1", "aof_rewrite_scheduled": "0", "aof_last_bgrewrite_status": "ok"},
        {"aof_rewrite_in_progress": "0", "aof_rewrite_scheduled": "0", "aof_last_bgrewrite_status": "ok"},
    ]
    naps: list[float] = []
    wait_for_aof(server, 60, naps.append)
    assert len(naps) == 2
    server.persistence = [{"aof_rewrite_in_progress": "0", "aof_last_bgrewrite_status": "err"}]
    with pytest.raises(RefusedError, match="not restarted"):
        wait_for_aof(server, 0, naps.append)


FORMER_APP = f"user app on {OTHER} ~demo:* resetchannels &demo:* +@all -@dangerous"


def former_passwords(server: FakeServer, name: str) -> set[str]:
    rules = parse_users("\n".join(server.users)).get(name, [])
    return {rule for rule in rules if rule.startswith("#")}


def test_b3_a_former_password_stays_valid_until_it_is_taken_back() -> None:
    server = FakeServer({}, [FORMER_APP, *LIST_81[1:]])
    plan = bring(server, text=FILE, known=[])
    assert former_passwords(server, "app") == {HASH, OTHER}
    assert list(plan.former) == ["app"]
    # An interrupted run leaves both, and the next one says so and changes nothing.
    again = bring(server, text=FILE, known=[])
    assert (again.after, list(again.former)) == ({}, ["app"])
    last = bring(server, text=FILE)
    assert former_passwords(server, "app") == {HASH}
    assert (list(last.after), last.former) == (["user app"], {})


def test_b3_nothing_is_former_where_nothing_was_changed() -> None:
    server = FakeServer({}, LIST_81)
    plan = bring(server, text=FILE, known=[])
    assert (plan.after, plan.former, server.sent) == ({}, {}, [])


def test_b3_a_user_whose_name_changed_stays_until_it_is_taken_back() -> None:
    strangers = ["user gone off -@all", "user intruder on nopass ~* &* +@all"]
    server = FakeServer({}, [*LIST_81, f"user watch on {HASH} -@all +ping", *strangers])
    plan = bring(server, text=FILE, known=["app", "watch", "gone"])
    assert (list(plan.former), plan.after) == (["watch"], {"user gone": "absent", "user intruder": "absent"})
    assert former_passwords(server, "watch") == {HASH}
    bring(server, text=FILE)
    assert "watch" not in parse_users("\n".join(server.users))


def test_b3_a_user_that_is_switched_off_keeps_no_password() -> None:
    server = FakeServer({}, [LIST_81[0], LIST_81[2], f"user default on {HASH} ~* &* +@all"])
    assert bring(server, text=FILE, known=[]).former == {}
    assert former_passwords(server, "default") == set()


def test_b3_a_restart_keeps_what_is_still_valid(tmp_path: Path) -> None:
    file = tmp_path / "users.acl"
    file.write_text(FILE, encoding="utf-8")
    file.chmod(0o640)
    server = FakeServer({}, [FORMER_APP, *LIST_81[1:], f"user watch on {HASH} -@all +ping"])
    keep_former_users(str(file), bring(server, text=FILE, known=["watch"]).former)
    kept = parse_users(file.read_text(encoding="utf-8"))
    assert {rule for rule in kept["app"] if rule.startswith("#")} == {HASH, OTHER}
    assert kept["watch"] == ["on", HASH, "-@all", "+ping"]
    assert {name: rules for name, rules in kept.items() if name not in ("app", "watch")} == {
        name: rules for name, rules in parse_users(FILE).items() if name != "app"
    }
    assert (file.stat().st_mode & 0o777, [path.name for path in tmp_path.iterdir()]) == (0o640, ["users.acl"])


@pytest.mark.parametrize("entered_as", ["root", "default"])
def test_b3_another_admin_takes_over_before_the_one_that_let_us_in_goes(entered_as: str) -> None:
    everything = "~* &* +@all"
    server = FakeServer({}, [LIST_81[0], LIST_81[2], f"user {entered_as} on nopass {everything}"])
    server.login = RedisLogin("127.0.0.1", username=entered_as)
    text = f"{FILE}user admin on {password_rule('new admin')} {everything}\n"
    bring(server, text=text)
    assert server.login.username == "admin"
    assert server.sent[0][:3] == ("ACL", "SETUSER", "admin")
    assert {name: rule_set(rules) for name, rules in parse_users("\n".join(server.users)).items()} == {
        name: rule_set(rules) for name, rules in parse_users(text).items()
    }


def test_b4_users_of_a_servers_own_are_named_before_its_file_takes_them_away() -> None:
    ours, others = ["app", "monitor"], ["user default on nopass ~* +@all", *LIST_70, "user cron on nopass ~* +@all"]
    adopted = FakeServer({"aclfile": ""}, others)
    with pytest.raises(
        RefusedError, match=r"ACL users of its own, cron, which /etc/redis/our\.acl would not have. Nothing"
    ):
        refuse_own_users(adopted, "/etc/redis/our.acl", ours)
    refuse_own_users(adopted, "/etc/redis/our.acl", [*ours, "cron"])
    # Once the file is ours, a user beside it is drift.
    refuse_own_users(FakeServer({"aclfile": "/etc/redis/our.acl"}, others), "/etc/redis/our.acl", ours)
    assert adopted.sent == []


def test_b4_settings_alone_leave_the_users_alone() -> None:
    server = FakeServer({"appendonly": "no"}, ["user default on nopass ~* +@all"])
    plan = make_plan(server, {"appendonly": "yes"}, None)
    assert (plan.settings, plan.users, plan.stale) == ({"appendonly": "yes"}, {}, [])
