# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A primary and its replica; the tests run on the replica and reach the primary from there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import make_authority
from testinfra.host import Host

Ask = Callable[..., str]
PRIMARY = "10.93.2.4"
REPLICA = "10.93.2.5"
TLS = {
    **dict(
        zip(
            ("redis_server_ca_certificate", "redis_server_ca_private_key"),
            make_authority(datetime.now(UTC)),
            strict=True,
        )
    ),
    "redis_replica_source_port": 6378,
}


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


def count(answer: str, name: str) -> str:
    found = re.search(rf"{name}:(\d+)", answer)
    assert found, answer
    return found.group(1)


def shown(host: Host, address: str) -> str:
    """The certificate that a server shows, which the authority on the replica must have signed for its address."""
    words = f"openssl s_client -connect {address}:6378 -CAfile /etc/webcluster-redis-tls/ca.pem -verify_return_error -verify_ip {address}"
    return str(host.check_output(f"{words} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"))


@pytest.fixture
def encrypted() -> None:
    code, output = converge("redis_replica", TLS)
    assert code == 0, output


def test_both_move_to_tls_without_a_restart_and_without_another_copy(host: Host, ask: Ask, primary: Ask) -> None:
    before = [count(each("admin", "INFO", "server"), "process_id") for each in (primary, ask)]
    copies = count(primary("admin", "INFO", "stats"), "sync_full")
    primary("app", "SET", "demo:moved", "1")
    code, output = converge("redis_replica", TLS)
    assert code == 0, output
    assert ask("monitor", "ROLE").splitlines()[:4] == ["slave", PRIMARY, "6378", "connected"]
    assert "port=6378,state=online" in primary("monitor", "INFO", "replication")
    assert [count(each("admin", "INFO", "server"), "process_id") for each in (primary, ask)] == before
    assert count(primary("admin", "INFO", "stats"), "sync_full") == copies
    assert ask("app", "GET", "demo:moved") == "1"
    assert changes(converge("redis_replica", TLS)[1]) == 0
    assert "Fingerprint" in shown(host, PRIMARY)
    assert "Fingerprint" in shown(host, REPLICA)


@pytest.mark.usefixtures("encrypted")
def test_keys_are_for_the_server_alone(host: Host, flavor: str) -> None:
    for name in ("server.pem", "ca.pem"):
        file = host.file(f"/etc/webcluster-redis-tls/{name}")
        assert (file.user, file.group, file.mode) == ("root", flavor, 0o640)
    assert host.file("/etc/webcluster-redis-tls").mode == 0o750


@pytest.mark.usefixtures("encrypted")
def test_a_new_certificate_is_taken_while_the_link_stays_up(host: Host, ask: Ask, primary: Ask) -> None:
    before, copies = shown(host, PRIMARY), count(primary("admin", "INFO", "stats"), "sync_full")
    pid = count(primary("admin", "INFO", "server"), "process_id")
    renewed = {**TLS, "redis_server_certificate_names": ["redis.example.org"]}
    code, output = converge("redis_replica", renewed)
    assert code == 0, output
    assert shown(host, PRIMARY) != before
    assert count(primary("admin", "INFO", "server"), "process_id") == pid
    assert count(primary("admin", "INFO", "stats"), "sync_full") == copies
    assert "master_link_status:up" in ask("monitor", "INFO", "replication")
    assert changes(converge("redis_replica", renewed)[1]) == 0


@pytest.mark.usefixtures("encrypted")
def test_a_moved_primary_speaks_tls_as_well(ask: Ask, primary: Ask) -> None:
    assert primary("admin", "FAILOVER", "TO", REPLICA, "6378", "TIMEOUT", "5000") == "OK"
    wait_for(lambda: primary("monitor", "INFO", "replication"), "master_link_status:up")
    assert primary("monitor", "ROLE").splitlines()[:4] == ["slave", REPLICA, "6378", "connected"]
    assert ask("admin", "FAILOVER", "TO", PRIMARY, "6378", "TIMEOUT", "5000") == "OK"
    wait_for(lambda: ask("monitor", "INFO", "replication"), "master_link_status:up")


@pytest.mark.usefixtures("encrypted")
def test_an_authority_with_another_key_is_refused(ask: Ask) -> None:
    wrong = {**TLS, "redis_server_ca_private_key": make_authority(datetime.now(UTC))[1]}
    code, output = converge("redis_replica", wrong)
    assert code == 2
    assert "authority_private_key is not the key of" in output
    assert changes(output) == 0
    assert "master_link_status:up" in ask("monitor", "INFO", "replication")


@pytest.mark.usefixtures("encrypted")
def test_it_goes_back_without_another_copy(ask: Ask, primary: Ask) -> None:
    copies = count(primary("admin", "INFO", "stats"), "sync_full")
    code, output = converge("redis_replica")
    assert code == 0, output
    assert ask("monitor", "ROLE").splitlines()[:4] == ["slave", PRIMARY, "6379", "connected"]
    assert count(primary("admin", "INFO", "stats"), "sync_full") == copies
    assert changes(converge("redis_replica")[1]) == 0
