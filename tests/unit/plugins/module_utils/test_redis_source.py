# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication as a desired state: what is done, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import RedisError, RedisLogin, Session
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.node import RefusedError
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import (
    Found,
    Plan,
    Primary,
    Wanted,
    carry_out,
    count_keys,
    decide,
    login_at_primary,
    look,
    primary_problem,
    same_primary,
    written_primary,
)

OLD = Primary("10.0.0.36", 6379)
NEW = Primary("10.0.0.37", 6379)
FRESH = Found(
    primary=None,
    link_up=False,
    keys=0,
    replicas=0,
    user="",
    password="",
    written=None,
    config_file="/etc/redis/redis.conf",
)
REPLICA = replace(FRESH, primary=OLD, written=OLD, link_up=True, keys=7, user="replication", password="secret")
LOGIN = ("replication", "secret")


def no_names(_name: str) -> set[str]:
    return set()


def plan(found: Found, wanted: Wanted) -> Plan:
    return decide(found, wanted, "127.0.0.1:6379", no_names)


class FakeClient(Session):
    """Answers from a table; an exception in it is raised."""

    def __init__(self, replies: dict[tuple[str, ...], Any]) -> None:
        self.replies = replies
        self.sent: list[tuple[str, ...]] = []
        self.login = RedisLogin("10.0.0.36", username="replication", password="secret")

    def command(self, *args: str) -> Any:
        self.sent.append(args)
        reply = self.replies.get(args, "OK")
        if isinstance(reply, Exception):
            raise reply
        return reply

    def log_in_as(self, login: RedisLogin) -> None:
        self.login = login

    def info(self, section: str) -> dict[str, str]:
        reply = self.command("INFO", section)
        return reply if isinstance(reply, dict) else {}


def test_fresh_server_becomes_replica_with_login_first() -> None:
    found = plan(FRESH, Wanted(OLD, *LOGIN))
    assert found.commands == (
        ("CONFIG", "SET", "masteruser", "replication"),
        ("CONFIG", "SET", "masterauth", "secret"),
        ("REPLICAOF", "10.0.0.36", "6379"),
    )
    assert found.rewrite


def test_replica_of_the_right_primary_is_left_alone() -> None:
    assert not plan(REPLICA, Wanted(OLD, *LOGIN)).changed


def test_primary_gets_the_login_for_the_day_it_is_demoted() -> None:
    found = plan(FRESH, Wanted(None, *LOGIN))
    assert [command[2] for command in found.commands] == ["masteruser", "masterauth"]


def test_primary_with_keys_and_replicas_stays_primary() -> None:
    busy = replace(FRESH, keys=7, replicas=2, user="replication", password="secret")
    assert not plan(busy, Wanted(None, *LOGIN)).changed


def test_login_that_is_not_given_is_left_alone() -> None:
    assert not plan(REPLICA, Wanted(OLD)).changed


def test_new_password_alone_does_not_touch_the_link() -> None:
    assert plan(REPLICA, Wanted(OLD, "replication", "new")).commands == (("CONFIG", "SET", "masterauth", "new"),)


@pytest.mark.parametrize("written", [None, NEW])
def test_role_that_the_file_does_not_hold_is_written(written: Primary | None) -> None:
    found = plan(replace(REPLICA, written=written), Wanted(OLD, *LOGIN))
    assert found.commands == ()
    assert found.rewrite


def test_server_without_a_file_cannot_write_one() -> None:
    assert not plan(replace(FRESH, config_file=""), Wanted(OLD)).rewrite


def test_primary_after_failover_is_not_demoted() -> None:
    with pytest.raises(RefusedError, match=r"primary of 1 replica.* not made a replica of 10\.0\.0\.36:6379"):
        plan(replace(FRESH, replicas=1), Wanted(OLD, *LOGIN))


def test_replica_after_failover_is_not_promoted() -> None:
    with pytest.raises(RefusedError, match=r"is a replica of 10\.0\.0\.36:6379, not a primary.* Promote it first"):
        plan(REPLICA, Wanted(None, *LOGIN))
    assert ("REPLICAOF", "NO", "ONE") in plan(REPLICA, Wanted(None, *LOGIN, allow_promote=True)).commands


def test_keys_of_its_own_are_not_deleted() -> None:
    with pytest.raises(RefusedError, match=r"holds 3 key\(s\) of its own.* would delete them"):
        plan(replace(FRESH, keys=3), Wanted(OLD, *LOGIN, allow_repoint=True, allow_promote=True))


def test_replica_is_repointed_only_when_told_so() -> None:
    with pytest.raises(RefusedError, match=r"replicates from 10\.0\.0\.36:6379 and is not re-pointed to 10\.0\.0\.37"):
        plan(REPLICA, Wanted(NEW, *LOGIN))
    assert plan(REPLICA, Wanted(NEW, *LOGIN, allow_repoint=True)).commands == (("REPLICAOF", "10.0.0.37", "6379"),)


def test_the_primary_is_compared_by_address_and_port() -> None:
    names = {"redis1": {"10.0.0.36"}, "10.0.0.36": {"10.0.0.36"}}
    assert same_primary(OLD, Primary("redis1", 6379), lambda name: names.get(name, set()))
    assert not same_primary(OLD, Primary("10.0.0.36", 6380), no_names)
    assert not same_primary(OLD, None, no_names)
    assert same_primary(None, None, no_names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("# replicaof 10.0.0.36 6379\n", None),
        ("port 6379\nreplicaof 10.0.0.36 6379\n", OLD),
        ('slaveof "10.0.0.36" 6379\n', OLD),
        ("replicaof 10.0.0.37 6379\nreplicaof 10.0.0.36 6379\n", OLD),
        ("replicaof no one\n", None),
    ],
)
def test_the_primary_is_read_from_the_configuration_file(text: str, expected: Primary | None) -> None:
    assert written_primary(text) == expected


def test_keys_of_all_databases_count() -> None:
    assert count_keys({"db0": "keys=3,expires=0,avg_ttl=0", "db9": "keys=4,expires=1,avg_ttl=9"}) == 7
    assert count_keys({}) == 0


def test_look_reads_role_login_and_file() -> None:
    client = FakeClient(
        {
            ("INFO", "replication"): {
                "role": "slave",
                "master_host": "10.0.0.36",
                "master_port": "6379",
                "master_link_status": "up",
                "connected_slaves": "0",
            },
            ("INFO", "server"): {"config_file": "/etc/redis/redis.conf"},
            ("INFO", "keyspace"): {"db0": "keys=7,expires=0"},
            ("CONFIG", "GET", "masteruser"): ["masteruser", "replication"],
            ("CONFIG", "GET", "masterauth"): ["masterauth", "secret"],
            ("CONFIG", "GET", "appendonly"): ["appendonly", "yes"],
        }
    )
    assert look(client, lambda _path: "replicaof 10.0.0.36 6379\n") == REPLICA


def test_commands_are_sent_in_order_and_the_file_is_written_last() -> None:
    client = FakeClient({})
    carry_out(client, Plan((("REPLICAOF", "10.0.0.36", "6379"),), rewrite=True))
    assert client.sent == [("REPLICAOF", "10.0.0.36", "6379"), ("CONFIG", "REWRITE")]


@pytest.mark.parametrize(
    ("error", "text", "may_heal"),
    [
        (RedisError("auth", "WRONGPASS invalid"), "10.0.0.36:6379 refuses the user 'replication': wrong replic", False),
        (RedisError("noperm", "NOPERM ping"), "does not allow the user 'replication' to replicate", False),
        (RedisError("unreachable", "Connection refused"), "10.0.0.36:6379 cannot be reached: Connection refused", True),
        (RedisError("loading", "LOADING"), "answers: LOADING", True),
    ],
)
def test_primary_that_lets_nobody_in_is_described(error: RedisError, text: str, may_heal: bool) -> None:
    problem = primary_problem(FakeClient({("PING",): error}))
    assert problem is not None
    assert text in problem.text
    assert "secret" not in problem.text
    assert problem.may_heal is may_heal


def test_primary_that_lets_us_in_is_no_problem() -> None:
    assert primary_problem(FakeClient({})) is None


@pytest.mark.parametrize(
    ("found", "wanted", "user", "password"),
    [
        (REPLICA, Wanted(OLD), "replication", "secret"),
        (REPLICA, Wanted(OLD, "other", "new"), "other", "new"),
        (FRESH, Wanted(OLD), None, None),
    ],
)
def test_the_primary_is_asked_with_the_replicas_own_login(
    found: Found, wanted: Wanted, user: str | None, password: str | None
) -> None:
    own = RedisLogin(unix_socket="/run/redis.sock", username="admin", password="own")
    assert login_at_primary(own, OLD, found, wanted) == RedisLogin(
        host=OLD.host, port=OLD.port, username=user, password=password
    )
