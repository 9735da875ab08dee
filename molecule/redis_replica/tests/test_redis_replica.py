# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A primary and its replica; the tests run on the replica and reach the primary from there."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

Ask = Callable[..., str]
PRIMARY = "10.93.2.4"
REPLICA = "10.93.2.5"


def wait_for(look: Callable[[], str], wanted: str) -> None:
    assert until(lambda: wanted in look()), f"{wanted!r} not in {look()!r}"


@pytest.fixture
def primary(ask: Ask) -> Ask:
    """Ask the primary, from the replica."""
    return lambda user, *command: ask(user, *command, address=PRIMARY)


def test_replica_follows_its_primary(ask: Ask) -> None:
    role = ask("monitor", "ROLE").splitlines()
    assert role[:4] == ["slave", PRIMARY, "6379", "connected"]
    assert "slave_read_only:1" in ask("monitor", "INFO", "replication")


def test_key_arrives(ask: Ask, primary: Ask) -> None:
    value = str(time.time_ns())
    assert primary("app", "SET", "demo:arrives", value) == "OK"
    wait_for(lambda: ask("app", "GET", "demo:arrives"), value)


def test_replica_refuses_writes(ask: Ask) -> None:
    assert ask("app", "SET", "demo:a", "1").startswith("READONLY")


def test_both_know_the_login_for_the_day_the_roles_change(ask: Ask, primary: Ask) -> None:
    for each in (ask, primary):
        assert each("admin", "CONFIG", "GET", "masteruser").splitlines()[1] == "replication"
        assert each("admin", "CONFIG", "GET", "masterauth").splitlines()[1] == "molecule' replication"


def test_replica_outlives_a_restart(host: Host, flavor: str, ask: Ask) -> None:
    host.check_output(f"systemctl restart {flavor}-server")
    wait_for(lambda: ask("monitor", "INFO", "replication"), "master_link_status:up")
    assert f"master_host:{PRIMARY}" in ask("monitor", "INFO", "replication")


def test_wrong_replication_password_is_named_and_changes_nothing(ask: Ask) -> None:
    wrong = {"redis_server_replication_password": "not-the-one", "redis_replica_timeout": 4}
    code, output = converge("redis_replica", wrong, "--limit=redis_replica")
    assert code == 2
    assert f"The primary {PRIMARY}:6379 refuses the user 'replication': wrong replication password" in output
    assert changes(output) == 0
    assert "master_link_status:up" in ask("monitor", "INFO", "replication")


def test_new_replication_password_is_taken_while_the_link_is_up(ask: Ask) -> None:
    rotated = {"redis_server_replication_password": "rotated"}
    code, output = converge("redis_replica", rotated)
    assert code == 0, output
    assert "master_link_status:up" in ask("monitor", "INFO", "replication")
    assert ask("admin", "CONFIG", "GET", "masterauth").splitlines()[1] == "rotated"
    assert converge("redis_replica")[0] == 0


def test_unreachable_primary_is_named(ask: Ask) -> None:
    ask("admin", "REPLICAOF", PRIMARY, "6390")
    code, output = converge(
        "redis_replica", {"redis_replica_source_port": 6390, "redis_replica_timeout": 4}, "--limit=redis_replica"
    )
    assert code == 2
    assert f"The primary {PRIMARY}:6390 cannot be reached: Connection refused" in output
    ask("admin", "REPLICAOF", PRIMARY, "6379")
    wait_for(lambda: ask("monitor", "INFO", "replication"), "master_link_status:up")


def test_replica_of_another_primary_is_not_repointed(ask: Ask) -> None:
    code, output = converge("redis_replica", {"redis_replica_source_port": 6390}, "--limit=redis_replica")
    assert code == 2
    assert f"replicates from {PRIMARY}:6379 and is not re-pointed to {PRIMARY}:6390" in output
    assert "master_link_status:up" in ask("monitor", "INFO", "replication")


def test_replica_of_itself_is_refused() -> None:
    code, output = converge("redis_replica", {"redis_replica_source_host": REPLICA}, "--limit=redis_replica")
    assert code == 2
    assert f"told to replicate from itself, {REPLICA}:6379" in output


def test_server_with_keys_of_its_own_keeps_them(ask: Ask) -> None:
    ask("admin", "REPLICAOF", "NO", "ONE")
    ask("app", "SET", "demo:own", "1")
    code, output = converge("redis_replica", None, "--limit=redis_replica")
    assert code == 2
    assert "key(s) of its own and is not made a replica" in output
    assert ask("app", "GET", "demo:own") == "1"
    ask("admin", "FLUSHALL")
    code, output = converge("redis_replica", None, "--limit=redis_replica")
    assert code == 0, output
    assert "master_link_status:up" in ask("monitor", "INFO", "replication")


def test_run_after_a_failover_demotes_nobody(ask: Ask, primary: Ask) -> None:
    primary("app", "SET", "demo:before", "1")
    assert primary("admin", "FAILOVER", "TO", REPLICA, "6379", "TIMEOUT", "5000") == "OK"
    wait_for(lambda: ask("monitor", "ROLE").splitlines()[0], "master")
    wait_for(lambda: primary("monitor", "INFO", "replication"), "master_link_status:up")
    code, output = converge("redis_replica")
    assert code == 2
    assert "is the primary of 1 replica(s) and is not made a replica" in output
    assert f"is a replica of {REPLICA}:6379, not a primary, and is left as it is" in output
    assert ask("monitor", "ROLE").splitlines()[0] == "master"
    assert ask("app", "GET", "demo:before") == "1"
    ask("admin", "FAILOVER", "TO", PRIMARY, "6379", "TIMEOUT", "5000")
    wait_for(lambda: primary("monitor", "ROLE").splitlines()[0], "master")
    wait_for(lambda: ask("monitor", "INFO", "replication"), "master_link_status:up")
    code, output = converge("redis_replica")
    assert code == 0, output
