# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings and users of a running server, compared with its files."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.settings import (
    Outcome,
    apply_settings,
    apply_users,
    differs,
    parse_config,
    parse_users,
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


class FakeServer:
    """Keeps settings as a server does: memory in bytes, some only at the start."""

    def __init__(self, settings: dict[str, str], users: list[str] | None = None) -> None:
        self.settings = dict(settings)
        self.users = list(users or [])
        self.sent: list[tuple[str, ...]] = []
        self.persistence: list[dict[str, str]] = []

    def command(self, *args: str) -> Any:
        if args[:2] == ("CONFIG", "GET"):
            return [args[2], self.settings[args[2]]] if args[2] in self.settings else []
        if args == ("ACL", "LIST"):
            return list(self.users)
        self.sent.append(args)
        if args[:2] == ("CONFIG", "SET"):
            if args[2] in ("aclfile", "databases"):
                raise RedisError("other", "ERR CONFIG SET failed - can't set immutable config")
            if args[3] == "wrong":
                raise RedisError("other", "ERR CONFIG SET failed - argument(s) must be one of the following: x")
            self.settings[args[2]] = {"30mb": "31457280"}.get(args[3], args[3])
        elif args[:2] == ("ACL", "SETUSER"):
            self.users = [line for line in self.users if line.split()[1] != args[2]]
            self.users.append(f"user {args[2]} {' '.join(args[4:])}")
        elif args[:2] == ("ACL", "DELUSER"):
            self.users = [line for line in self.users if line.split()[1] not in args[2:]]
        return "OK"

    def info(self, _section: str) -> dict[str, str]:
        return self.persistence.pop(0)


def set_all(server: FakeServer, wanted: dict[str, str], check_mode: bool = False) -> Outcome:
    outcome = Outcome()
    apply_settings(server, wanted, outcome, check_mode)  # type: ignore[arg-type]
    return outcome


def give_users(server: FakeServer, text: str = FILE, check_mode: bool = False) -> Outcome:
    outcome = Outcome()
    apply_users(server, parse_users(text), outcome, check_mode)  # type: ignore[arg-type]
    return outcome


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
    outcome = set_all(server, {"maxmemory": "30mb", "appendonly": "yes", "port": "6379", "include": "x"})
    assert server.sent == [("CONFIG", "SET", "maxmemory", "30mb")]
    assert (outcome.before, outcome.after) == ({"maxmemory": "20971520"}, {"maxmemory": "31457280"})
    assert outcome.changed
    assert not set_all(server, {"maxmemory": "30mb"}).changed


def test_check_mode_sets_nothing() -> None:
    server = FakeServer({"maxmemory": "20971520"})
    assert set_all(server, {"maxmemory": "30mb"}, check_mode=True).changed
    assert server.sent == []


def test_what_needs_a_restart_is_named() -> None:
    server = FakeServer({"aclfile": "", "databases": "16"})
    outcome = set_all(server, {"aclfile": "/etc/redis/webcluster.acl", "databases": "16"})
    assert outcome.restart == ["aclfile"]
    assert not outcome.changed


def test_refused_value_is_named() -> None:
    with pytest.raises(RefusedError, match=r"refuses maxmemory-policy: ERR .* must be one of"):
        set_all(FakeServer({"maxmemory-policy": "noeviction"}), {"maxmemory-policy": "wrong"})


def test_secrets_are_not_shown() -> None:
    outcome = set_all(FakeServer({"masterauth": "old"}), {"masterauth": "new"})
    assert outcome.changed
    assert "old" not in str(outcome.before)
    assert "new" not in str(outcome.after).replace("(hidden, new)", "")


@pytest.mark.parametrize("listed", [LIST_70, LIST_81])
def test_rules_are_compared_by_meaning(listed: list[str]) -> None:
    server = FakeServer({}, listed)
    assert not give_users(server).changed
    assert server.sent == []


def test_user_is_changed_in_one_command() -> None:
    server = FakeServer({}, [LIST_81[0].replace("-@dangerous", ""), *LIST_81[1:]])
    outcome = give_users(server)
    rules = f"on {HASH} ~demo:* &demo:* +@all -@dangerous".split()
    assert server.sent == [("ACL", "SETUSER", "app", "reset", *rules)]
    assert outcome.changed
    assert HASH not in str(outcome.before) + str(outcome.after)


def test_new_password_is_a_change_without_showing_it() -> None:
    outcome = give_users(FakeServer({}, LIST_81), FILE.replace(HASH, OTHER, 1))
    assert list(outcome.after) == ["user app"]
    assert outcome.after["user app"].endswith("(new password)")
    assert OTHER not in outcome.after["user app"]


def test_user_that_the_file_does_not_know_is_removed() -> None:
    server = FakeServer({}, [*LIST_81, "user intruder on nopass ~* &* +@all"])
    assert give_users(server).after == {"user intruder": "absent"}
    assert server.sent == [("ACL", "DELUSER", "intruder")]


def test_check_mode_changes_no_user() -> None:
    server = FakeServer({}, ["user default on nopass sanitize-payload ~* &* +@all"])
    assert give_users(server, check_mode=True).changed
    assert server.sent == []


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
    wait_for_aof(server, 60, naps.append)  # type: ignore[arg-type]
    assert len(naps) == 2
    server.persistence = [{"aof_rewrite_in_progress": "0", "aof_last_bgrewrite_status": "err"}]
    with pytest.raises(RefusedError, match="not restarted"):
        wait_for_aof(server, 0, naps.append)  # type: ignore[arg-type]
