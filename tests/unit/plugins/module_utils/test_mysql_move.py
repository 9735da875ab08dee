# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers that are only variables and a channel, and the steps between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import member
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Row, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import MOVE, PROMOTION, KeptFiles
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.move import (
    READ_READY,
    SAY_READY,
    MoveError,
    Mover,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.source import Wanted
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import READ_STATUS
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import MysqlServer, RefusingServer

ADDRESSES = {"db1": "10.0.0.20", "db2": "10.0.0.21"}
DEAD = RefusingServer(MysqlError("unreachable", "no answer within 5 seconds", detail="timeout"))


class Server(MysqlServer):
    """A MariaDB server that does what it is told; `refuses` is a statement that it cannot do."""

    def __init__(self, closed: bool, position: str, follows: str = "", **row: str) -> None:
        self.variables = {
            "version": "11.8.6-MariaDB",
            "server_id": "1",
            "read_only": "ON" if closed else "OFF",
            "gtid_binlog_pos": position,
            "gtid_binlog_state": position,
            "gtid_slave_pos": position if follows else "",
        }
        self.row: Row | None = {
            "Master_Host": ADDRESSES[follows],
            "Master_Port": "3306",
            "Slave_IO_Running": "Yes",
            "Slave_SQL_Running": "Yes",
            "Gtid_IO_Pos": position,
            "Using_Gtid": "Slave_Pos",
            "Master_Log_File": "binlog.000003",
            "Read_Master_Log_Pos": "1234",
            **row,
        } if follows else None  # fmt: skip
        self.refuses = ""
        # Whether the other one waits for it to close.
        self.awaited = True
        self.said: list[str] = []

    def write(self, position: str) -> None:
        self.variables |= {"gtid_binlog_pos": position, "gtid_binlog_state": position}

    def apply(self, position: str) -> None:
        self.write(position)
        self.variables["gtid_slave_pos"] = position

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        return [self._answer(statement) for statement in statements]

    def _answer(self, statement: str) -> Rows:
        if statement == member.READ_MEMBER:
            return [{"Variable_name": name, "Value": value} for name, value in self.variables.items()]
        if statement == READ_STATUS[-1]:
            return [self.row] if self.row else []
        if statement == READ_READY:
            return [{"used": "42" if self.awaited else None}]
        if statement == SAY_READY:
            return [{"got": "1"}]
        if statement == member.READ_LONG:
            return [{"count": "0", "seconds": "0"}]
        if self.refuses and statement.startswith(self.refuses):
            raise MysqlError("other", "Lock wait timeout exceeded", 1205)
        if statement not in READ_STATUS:
            self.said.append(statement)
        if setting := re.match(r"SET GLOBAL (read_only|gtid_slave_pos) = '?([^']*)'?", statement):
            self.variables[setting[1]] = setting[2]
        elif statement == "RESET SLAVE ALL":
            self.row = None
        elif change := re.match(r"CHANGE MASTER TO MASTER_HOST='([^']+)'", statement):
            self.row = {"Master_Host": change[1], "Master_Port": "3306", "Slave_IO_Running": "No"}
        elif statement == "START SLAVE" and self.row:
            self.row |= {"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes"}
        return []

    @property
    def open(self) -> bool:
        return self.variables["read_only"] == "OFF"

    @property
    def source(self) -> str | None:
        return self.row["Master_Host"] if self.row else None


class Clock:
    """Time that passes while somebody sleeps, and what happens meanwhile, once."""

    def __init__(self) -> None:
        self.time = 0.0
        self.meanwhile: Callable[[], object] | None = None

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        act, self.meanwhile = self.meanwhile, None
        if act:
            act()


class Pair:
    """db1 is the primary, db2 its replica; each has its steps."""

    def __init__(self, folder: Path, old: Server, new: Server) -> None:
        self.old, self.new, self.clock = old, new, Clock()
        self.on_old = self._mover(folder / "db1", old, new, "db2")
        self.on_new = self._mover(folder / "db2", new, old, "db1")

    def _mover(self, folder: Path, own: MysqlServer, other: MysqlServer, peer: str) -> Mover:
        folder.mkdir()
        files = KeptFiles(folder / "read-only.cnf", folder / "state")
        wanted = Wanted(ADDRESSES[peer], 3306, "replication", "secret")
        clock = self.clock
        return Mover(own, other, wanted, files, peer, clock=lambda: clock.time, sleep=clock.sleep, now=lambda: 1000.0)

    def starts_closed(self, mover: Mover) -> bool:
        return "read_only = ON" in mover.files.read_only_file.read_text(encoding="utf-8")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, Server(False, "0-1-7"), Server(True, "0-1-7", "db1"))


def moved(pair: Pair) -> bool:
    """Whether db2 is the open primary, db1 its closed replica, and both stay it over a restart."""
    live = pair.new.open and not pair.old.open and (pair.old.source, pair.new.source) == (ADDRESSES["db2"], None)
    return (
        live
        and pair.starts_closed(pair.on_old)
        and not pair.starts_closed(pair.on_new)
        and not pair.on_old.files.read(MOVE)
    )


def test_the_primary_moves(pair: Pair) -> None:
    pair.clock.meanwhile = pair.on_new.take_over
    pair.on_old.hand_over()
    assert moved(pair)
    assert pair.old.variables["gtid_slave_pos"] == "0-1-7"


def test_the_old_primary_is_closed_before_the_new_one_opens(pair: Pair) -> None:
    seen: list[bool] = []

    def take_over() -> None:
        seen.append(pair.old.open)
        pair.on_new.take_over()

    pair.clock.meanwhile = take_over
    pair.on_old.hand_over()
    assert seen == [False]
    assert pair.old.said[:3] == [
        "SET SESSION lock_wait_timeout = 2",
        "FLUSH TABLES WITH READ LOCK",
        "SET GLOBAL read_only = ON",
    ]
    # Nobody writes, root neither, before the new one is open.
    assert pair.old.said[3] == "UNLOCK TABLES"


def test_nothing_is_closed_before_the_new_primary_waits_for_it(pair: Pair) -> None:
    pair.old.awaited = False
    with pytest.raises(MoveError, match="db2 was not ready to take over within 10 s; nothing was changed here"):
        pair.on_old.hand_over()
    assert pair.old.said == []
    assert not pair.on_old.files.read(MOVE)


def test_a_statement_that_goes_on_leaves_everything_as_it_was(pair: Pair) -> None:
    pair.old.refuses = "FLUSH TABLES"
    with pytest.raises(MoveError, match=r"could not be closed for writes within 2 s.*open as before"):
        pair.on_old.hand_over()
    assert pair.old.open
    assert not pair.starts_closed(pair.on_old)
    assert not pair.on_old.files.read(MOVE)


def test_a_new_primary_that_does_not_open_leaves_the_old_one_closed_and_marked(pair: Pair) -> None:
    with pytest.raises(MoveError, match="db2 did not take over within 10 s; this server stands closed for writes"):
        pair.on_old.hand_over()
    assert not pair.old.open
    assert pair.on_old.files.read(MOVE) == {"to": "db2", "at": 1000}


def test_it_goes_on_after_the_old_one_closed(pair: Pair) -> None:
    with pytest.raises(MoveError):
        pair.on_old.hand_over()
    pair.clock.meanwhile = pair.on_new.take_over
    pair.on_old.hand_over()
    assert moved(pair)


def test_it_goes_on_after_the_new_one_left_the_old_one(pair: Pair) -> None:
    with pytest.raises(MoveError):
        pair.on_old.hand_over()
    pair.new.row = None
    pair.clock.meanwhile = pair.on_new.take_over
    pair.on_old.hand_over()
    assert moved(pair)


def test_it_goes_on_after_the_new_one_opened(pair: Pair) -> None:
    with pytest.raises(MoveError):
        pair.on_old.hand_over()
    pair.on_new.take_over()
    pair.on_old.hand_over()
    assert moved(pair)


def test_a_second_run_changes_nothing(pair: Pair) -> None:
    pair.clock.meanwhile = pair.on_new.take_over
    pair.on_old.hand_over()
    pair.old.said, pair.new.said, pair.on_old.done, pair.on_new.done = [], [], [], []
    pair.on_new.take_over()
    pair.on_old.hand_over()
    assert (pair.old.said, pair.new.said, pair.on_old.done, pair.on_new.done) == ([], [], [], [])


def test_nothing_is_taken_over_from_an_open_primary(pair: Pair) -> None:
    with pytest.raises(MoveError, match="db1 did not close within 10 s; nothing was changed here"):
        pair.on_new.take_over()
    assert pair.new.said == []


def test_what_is_not_applied_is_waited_for(pair: Pair) -> None:
    pair.old.write("0-1-9")
    pair.old.variables["read_only"] = "ON"
    pair.clock.meanwhile = lambda: pair.new.apply("0-1-9")
    assert pair.on_new.take_over() == {"position": "0-1-9"}


def test_what_cannot_be_applied_keeps_it_a_replica(pair: Pair) -> None:
    pair.old.write("0-1-9")
    pair.old.variables["read_only"] = "ON"
    with pytest.raises(
        MoveError, match="2 transactions of db1 were not applied within 10 s; it is a replica as before"
    ):
        pair.on_new.take_over()
    assert pair.new.said == []


def test_a_write_after_the_closing_stops_it(pair: Pair) -> None:
    pair.old.write("0-1-8")
    pair.old.variables["read_only"] = "ON"

    def root_writes() -> None:
        pair.old.write("0-1-9")
        pair.new.apply("0-1-8")

    pair.clock.meanwhile = root_writes
    with pytest.raises(MoveError, match="written to although it had closed"):
        pair.on_new.take_over()
    assert pair.new.said == []


def test_it_is_taken_back(pair: Pair) -> None:
    with pytest.raises(MoveError):
        pair.on_old.hand_over()
    # Killed after it had left the old one.
    pair.new.row = None
    pair.old.variables["read_only"] = "OFF"
    assert pair.on_new.withdraw() == {"opened": False}
    assert pair.new.source == ADDRESSES["db1"]
    pair.old.variables["read_only"] = "ON"
    pair.on_old.reopen()
    assert pair.old.open
    assert not pair.starts_closed(pair.on_old)
    assert not pair.on_old.files.read(MOVE)


def test_one_that_took_over_says_so(pair: Pair) -> None:
    pair.old.variables["read_only"] = "ON"
    pair.on_new.take_over()
    assert pair.on_new.withdraw() == {"opened": True}
    assert pair.new.open


def test_a_replica_is_not_reopened(pair: Pair) -> None:
    with pytest.raises(MoveError, match="it is a replica"):
        pair.on_new.reopen()


def back(tmp_path: Path, position: str) -> Pair:
    """db2 was promoted at 7 and has written since; db1 comes back open, as it was killed."""
    pair = Pair(tmp_path, Server(False, position), Server(False, "0-2-9"))
    pair.new.variables["gtid_binlog_state"] = "0-1-7,0-2-9"
    return pair


def test_an_old_primary_without_own_writes_rejoins(tmp_path: Path) -> None:
    pair = back(tmp_path, "0-1-7")
    pair.on_old.follow()
    assert moved_back(pair)
    assert "SET GLOBAL gtid_slave_pos = '0-1-7'" in pair.old.said


def moved_back(pair: Pair) -> bool:
    return not pair.old.open and pair.old.source == ADDRESSES["db2"] and pair.starts_closed(pair.on_old)


def test_an_old_primary_with_own_writes_is_left_alone(tmp_path: Path) -> None:
    pair = back(tmp_path, "0-1-8")
    with pytest.raises(MoveError, match=r"it has 1 transactions that db2 has not \(0-1-8\)") as refused:
        pair.on_old.follow()
    assert refused.value.own_writes == "0-1-8"
    assert pair.old.said == []
    assert not pair.on_old.files.read_only_file.exists()


def test_nobody_follows_a_closed_server(tmp_path: Path) -> None:
    pair = back(tmp_path, "0-1-7")
    pair.new.variables["read_only"] = "ON"
    with pytest.raises(MoveError, match="db2 is closed for writes"):
        pair.on_old.follow()


def emergency(tmp_path: Path, **row: str) -> Pair:
    pair = Pair(
        tmp_path, Server(False, "0-1-9"), Server(True, "0-1-7", "db1", **{"Slave_IO_Running": "Connecting", **row})
    )
    pair.on_new.peer = DEAD
    return pair


def test_a_replica_of_a_dead_primary_is_promoted_and_its_coordinates_kept(tmp_path: Path) -> None:
    pair = emergency(tmp_path)
    pair.on_new.promote()
    assert pair.new.open
    assert pair.new.source is None
    assert pair.on_new.files.read(PROMOTION) == {
        "at": 1000,
        "former_primary": "db1",
        "former_primary_said": "no answer within 5 seconds",
        "file": "binlog.000003",
        "file_position": 1234,
        "received": "0-1-7",
        "position": "0-1-7",
    }
    assert pair.on_new.promote() == {}


def test_nobody_is_promoted_while_the_primary_answers(tmp_path: Path) -> None:
    pair = emergency(tmp_path)
    pair.on_new.peer = pair.old
    with pytest.raises(MoveError, match="db1 lives and answers"):
        pair.on_new.promote()
    assert pair.new.said == []


def test_nobody_is_promoted_while_the_connection_stands(tmp_path: Path) -> None:
    pair = emergency(tmp_path, Slave_IO_Running="Yes")
    with pytest.raises(MoveError, match="db1 is still connected to this replica; nothing was changed"):
        pair.on_new.promote()
    assert pair.new.said == []


def test_nobody_is_promoted_with_a_relay_log_that_is_not_applied(tmp_path: Path) -> None:
    pair = emergency(tmp_path, Gtid_IO_Pos="0-1-8", Last_SQL_Error="Duplicate entry")
    with pytest.raises(MoveError, match=r"0-1-8 was received and could not be applied within 10 s: Duplicate entry"):
        pair.on_new.promote()
    assert pair.new.said == []


def test_a_look_says_what_a_plan_needs(pair: Pair) -> None:
    found = pair.on_new.look()
    assert found["follows"]["file_position"] == 1234
    assert (found["closed"], found["position"], found["version"]) == (True, "0-1-7", [11, 8, 6])
    pair.on_new.client = DEAD
    assert pair.on_new.look() == {
        "answers": False,
        "said": "no answer within 5 seconds",
        "detail": "timeout",
        "move": {},
        "promotion": {},
    }
