# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints are statements that the server at hand understands."""

from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.expected import parse_wait_for
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.statements import (
    Statements,
    account,
    grant,
    grant_canary,
)
from hypothesis import given
from hypothesis import strategies as st

UUID = "511c0cf4-e659-11f1-a016-02fc00000001"


@pytest.mark.parametrize(
    ("dialect", "tls", "start", "point"),
    [
        (
            "source",
            "STOP REPLICA FOR CHANNEL 'c'; CHANGE REPLICATION SOURCE TO SOURCE_SSL = 1 FOR CHANNEL 'c';"
            " START REPLICA FOR CHANNEL 'c'",
            "START REPLICA",
            "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'h', SOURCE_AUTO_POSITION = 1; START REPLICA",
        ),
        (
            "master",
            "STOP SLAVE FOR CHANNEL 'c'; CHANGE MASTER TO MASTER_SSL = 1 FOR CHANNEL 'c'; START SLAVE FOR CHANNEL 'c'",
            "START SLAVE",
            "STOP SLAVE; CHANGE MASTER TO MASTER_HOST = 'h', MASTER_AUTO_POSITION = 1; START SLAVE",
        ),
        (
            "mariadb",
            "STOP SLAVE 'c'; CHANGE MASTER 'c' TO MASTER_SSL = 1; START SLAVE 'c'",
            "START SLAVE",
            "STOP SLAVE; CHANGE MASTER TO MASTER_HOST = 'h', MASTER_USE_GTID = slave_pos; START SLAVE",
        ),
    ],
)
def test_statements(dialect: str, tls: str, start: str, point: str) -> None:
    statements = Statements(dialect)
    assert statements.tls("c") == tls
    assert statements.start() == start
    assert statements.point("h") == point


def test_other_statements() -> None:
    assert "GET_SOURCE_PUBLIC_KEY = 1" in Statements("source").change({"PUBLIC_KEY": "1"})
    assert "GET_MASTER_PUBLIC_KEY = 1" in Statements("master").change({"PUBLIC_KEY": "1"})
    assert (
        Statements("source")
        .semi_sync(True)
        .startswith("SET GLOBAL rpl_semi_sync_replica_enabled = 1; STOP REPLICA IO_")
    )
    assert Statements("mariadb").semi_sync(False) == "SET GLOBAL rpl_semi_sync_master_enabled = 1"
    assert Statements("mariadb").by_gtid().count("MASTER_USE_GTID = slave_pos") == 1
    assert Statements("redis").start() == Statements("redis").point()
    assert Statements("redis").close() == "CONFIG SET replica-read-only yes"


@pytest.mark.parametrize(
    ("flavor", "message", "statement"),
    [
        ("mysql", "", "GRANT REPLICATION CLIENT, PROCESS ON *.* TO `m`@`%`"),
        ("mariadb", "", "GRANT SLAVE MONITOR, BINLOG MONITOR, PROCESS ON *.* TO `m`@`%`"),
        (
            "mariadb",
            "Access denied; you need (at least one of) the SLAVE MONITOR privilege(s) for this operation",
            "GRANT SLAVE MONITOR, BINLOG MONITOR, PROCESS ON *.* TO `m`@`%`",
        ),
        (
            "mysql",
            "Access denied; you need (at least one of) the SUPER, REPLICATION CLIENT privilege(s) for this operation",
            "GRANT REPLICATION CLIENT, PROCESS ON *.* TO `m`@`%`",
        ),
        # 10.5.2 to 10.5.8 had another name for it
        (
            "mariadb",
            "Access denied; you need (at least one of) the SUPER, REPLICATION SLAVE ADMIN privilege(s) for this operation",
            "GRANT REPLICATION SLAVE ADMIN, PROCESS ON *.* TO `m`@`%`",
        ),
        (
            "mysql",
            "SELECT command denied to user 'm'@'localhost' for table 'replication_connection_status'",
            "GRANT SELECT ON performance_schema.* TO `m`@`%`",
        ),
    ],
)
def test_grants_follow_the_server_s_own_words(flavor: str, message: str, statement: str) -> None:
    assert grant(flavor, "m@%", message) == statement


def test_accounts() -> None:
    assert account("a`b@10.0.0.%") == "`a``b`@`10.0.0.%`"
    assert account(None) == account("nobody") == "<the login account>"
    assert grant_canary("s", "t", "m@%") == "GRANT SELECT, INSERT, DROP ON `s`.`t` TO `m`@`%`"
    assert grant_canary("s", "t", "m@%", create=True) == "GRANT CREATE, SELECT, INSERT, DROP ON `s`.* TO `m`@`%`"


@pytest.mark.parametrize(
    ("engine", "value", "kind"),
    [
        ("mysql", None, None),
        ("mysql", {}, None),
        ("mysql", "", None),
        ("mysql", f"{UUID}:1-5,\n{UUID}:7", "gtid"),
        ("mysql", "0-20-118", "mariadb_gtid"),
        ("mysql", "0-20-118, 1-5-7", "mariadb_gtid"),
        ("mysql", "binlog.000003:154", "file"),
        ("mysql", {"file": "binlog.000003", "pos": "154"}, "file"),
        ("mysql", {"kind": "gtid", "value": f"{UUID}:1"}, "gtid"),
        ("redis", {"kind": "redis", "value": 5, "replid": "a" * 40}, "redis"),
        ("redis", {"replid": "a" * 40, "offset": 12}, "redis"),
        ("redis", f"{'a' * 40}:12", "redis"),
    ],
)
def test_positions_that_somebody_typed(engine: str, value: object, kind: str | None) -> None:
    found = parse_wait_for(value, engine)
    assert (found or {}).get("kind") == kind


@pytest.mark.parametrize(
    ("engine", "value"),
    [
        ("mysql", "nonsense"),
        ("mysql", {"replid": "a" * 40, "offset": 12}),
        ("mysql", {"file": "binlog", "pos": 4}),
        ("mysql", {"kind": "redis"}),
        ("mysql", 17),
        ("redis", "0-1-2"),
        ("redis", {"kind": "gtid"}),
        ("redis", {"replid": "a" * 40, "offset": -1}),
        ("redis", ["x"]),
    ],
)
def test_other_positions_are_refused_in_a_sentence(engine: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^wait_for is .*, expected .* for engine {engine}$"):
        parse_wait_for(value, engine)


def complaint(text: str, engine: str) -> str | None:
    try:
        parse_wait_for(text, engine)
    except ValueError as error:
        return str(error)
    return None


@given(st.text(max_size=60), st.sampled_from(["mysql", "redis"]))
def test_any_text_is_a_position_or_refused(text: str, engine: str) -> None:
    assert (complaint(text, engine) or "wait_for is ").startswith("wait_for is ")
