# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mysql_seed and mysql_seed_source with servers that only answer, and a copy that goes over loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.action.mysql_seed import ActionModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError, Rows
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.errors import NO_SOCKET
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed import channel, copy, place
from ansible_collections.siteops.webcluster.plugins.modules import mysql_seed, mysql_seed_source
from ansible_collections.siteops.webcluster.tests.unit.plugins.doubles import (
    Module,
    ModuleError,
    MysqlServer,
    RefusingServer,
)

SOURCE = {
    "flavor": "mariadb",
    "version": "11.8.6",
    "in_logs": False,
    "size": 1000,
    "written": "0-7-9",
    "schemas": ["shop"],
    "own_id": "7",
}
ABSENT = MysqlError("unreachable", "the server's socket cannot be connected to", NO_SOCKET, "no_socket")


class Server(MysqlServer):
    """A server that holds nothing; keeps what it is told."""

    def __init__(self, datadir: Path) -> None:
        self.variables = {"version": "11.8.6-MariaDB", "server_id": "9", "datadir": str(datadir)}
        self.told: list[str] = []

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        if statements[0].startswith("SHOW GLOBAL VARIABLES"):
            return [
                [{"Variable_name": name, "Value": value} for name, value in self.variables.items()],
                [{"name": "mysql", "sees_all": "1", "bare": "0"}],
            ]
        self.told += [each for each in statements if each.startswith(("SET GLOBAL", "ALTER EVENT"))]
        if "information_schema.EVENTS" in statements[0]:
            return [[{"space": "shop", "name": "tidy"}]]
        return [[] for _statement in statements]


class SometimesAbsent(Server):
    """It does not answer the first two questions."""

    def __init__(self, datadir: Path) -> None:
        super().__init__(datadir)
        self.absent = 2

    def answer(self, statements: Sequence[str]) -> list[Rows]:
        self.absent -= 1
        if self.absent >= 0:
            raise ABSENT
        return super().answer(statements)


class Host:
    """A replica with its state folder; programs and services only remember."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.datadir = root / "state", root / "mysql"
        self.datadir.mkdir()
        (self.datadir / "ibdata1").write_text("former")
        self.server = Server(self.datadir)
        self.read_only = root / "read-only.cnf"
        self.done: list[str] = []
        monkeypatch.setattr(
            "ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.serve.systemctl",
            lambda verb, name: self.done.append(f"{verb} {name}"),
        )
        monkeypatch.setattr(mysql_seed, "is_empty", lambda _engine: True)
        monkeypatch.setattr(mysql_seed.signal, "signal", lambda *_words: None)
        self.script = ""
        monkeypatch.setattr(copy, "backup_command", lambda _scratch: ["sh", "-c", self.script])
        monkeypatch.setattr(copy, "unpack_command", lambda target: ["sh", "-c", f"cat >{target}/ibdata1"])
        monkeypatch.setattr(copy, "prepare", self.prepare)

    @staticmethod
    def prepare(target: Path) -> None:
        (target / copy.POSITION_FILES[0]).write_text("binlog.000001\t4\t0-7-9\n")

    def run(self, state: str, client: Client | None = None, check_mode: bool = False, **params: Any) -> dict[str, Any]:
        given = {"state": state, "source": SOURCE, "datadir": str(self.datadir), "read_only_file": str(self.read_only)}
        module = Module(mysql_seed.ARGUMENTS, given | params, check_mode)
        return mysql_seed.run(module, client or self.server, self.folder)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def of_source(state: str, folder: Path, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    module = Module(mysql_seed_source.ARGUMENTS, {"state": state, **params}, check_mode)
    return mysql_seed_source.run(module, RefusingServer(ABSENT), folder)


def free_port() -> int:
    with channel.listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def copied(host: Host, tmp_path: Path, script: str) -> dict[str, Any]:
    """Make a copy by both modules, as the role does; the primary's program is a shell script."""
    replica, primary = host.run("prepared"), of_source("keyed", tmp_path / "primary", host="127.0.0.1")
    port = free_port()

    def send() -> None:
        with suppress(ModuleError):
            of_source("sent", tmp_path / "primary", host="127.0.0.1", port=port, certificate=replica["certificate"])

    host.script = script
    thread = threading.Thread(target=send)
    thread.start()
    try:
        return host.run("received", address="127.0.0.1", port=port, certificate=primary["certificate"])
    finally:
        thread.join(20)
        # Its key was for this copy.
        assert list((tmp_path / "primary").iterdir()) == []


def test_an_empty_replica_is_filled_and_goes_on_from_the_copy(host: Host, tmp_path: Path) -> None:
    plan = host.run("planned")
    assert (plan["changed"], "it is empty" in plan["needed"], plan["lost"]) == (False, True, "")
    result = copied(host, tmp_path, "printf new")
    assert result == {"changed": True, "position": "0-7-9"}
    assert {path.name: path.read_text() for path in host.datadir.iterdir()} == {"ibdata1": "new"}
    assert host.server.told == ["ALTER EVENT `shop`.`tidy` DISABLE ON SLAVE", "SET GLOBAL gtid_slave_pos = '0-7-9'"]
    assert host.done == ["stop mariadb", "stop mariadb", "start mariadb"]
    assert host.read_only.read_text().endswith("read_only = ON\n")
    seen = host.run("awaited")
    assert (seen["finished"], seen["changed"], seen["progress"]["received"]) == (True, True, 3)


def test_a_copy_that_fails_leaves_the_data_and_is_started_over(host: Host, tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match=r"ended with code 1: .*; the data here were not touched, run again"):
        copied(host, tmp_path, "printf half; exit 1")
    assert (host.datadir / "ibdata1").read_text() == "former"
    assert [path.name for path in host.datadir.iterdir()] == ["ibdata1"]
    assert host.done == []
    with pytest.raises(ModuleError, match="the data here were not touched"):
        host.run("awaited")
    assert copied(host, tmp_path, "printf new")["changed"]


def test_a_program_that_is_missing_is_named(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy, "unpack_command", lambda _target: ["no-mbstream"])
    with pytest.raises(ModuleError, match="no-mbstream: No such file or directory; the data here were not touched"):
        copied(host, tmp_path, "printf new")
    monkeypatch.setattr(copy, "unpack_command", lambda _target: ["cat"])
    monkeypatch.setattr(copy, "backup_command", lambda _scratch: ["no-backup"])
    with pytest.raises(ModuleError, match="could not send all: no-backup: No such file or directory"):
        copied(host, tmp_path, "")


def test_a_full_disk_ends_the_copy(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_seed, "RESERVE", 2)
    monkeypatch.setattr(mysql_seed, "STRIDE", 2)
    replica_free = [10**9]
    monkeypatch.setattr(mysql_seed, "free", lambda _path: replica_free.pop(0) if len(replica_free) > 0 else 1)
    monkeypatch.setattr(mysql_seed, "decided", lambda *_words: mysql_seed.Decision("it is empty"))
    with pytest.raises(ModuleError, match="is full; the data here were not touched, run again"):
        copied(host, tmp_path, "printf 'a lot of data'")


def test_a_next_run_throws_a_half_copy_away(host: Host) -> None:
    host.run("prepared")
    (host.datadir / place.NEW).mkdir()
    assert host.run("planned", check_mode=True)["changed"]
    assert (host.datadir / place.NEW).exists()
    assert host.run("planned")["completed"] is False
    assert not (host.datadir / place.NEW).exists()
    assert place.read_marker(host.folder) is None


def test_a_next_run_completes_a_move(host: Host) -> None:
    host.run("prepared")
    marker = place.read_marker(host.folder)
    assert marker
    (host.datadir / place.NEW).mkdir()
    (host.datadir / place.NEW / "ibdata1").write_text("new")
    place.write_marker(host.folder, mysql_seed.replace(marker, phase="aside", position="0-7-9"))
    plan = host.run("planned")
    assert (plan["changed"], plan["completed"]) == (True, True)
    assert (host.datadir / "ibdata1").read_text() == "new"
    assert host.server.told[-1] == "SET GLOBAL gtid_slave_pos = '0-7-9'"


def test_a_fresh_host_is_judged_by_its_files(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = RefusingServer(ABSENT)
    assert host.run("planned", absent)["needed"]
    monkeypatch.setattr(mysql_seed, "is_empty", lambda _engine: False)
    assert host.run("planned", absent)["needed"] == ""


@pytest.mark.parametrize(
    ("state", "client", "told"),
    [
        ("planned", RefusingServer(MysqlError("auth", "access denied", 1045)), "MySQL: access denied"),
        ("prepared", RefusingServer(ABSENT), "does not answer, expected one that runs"),
        ("received", None, "nothing was prepared here"),
    ],
)
def test_what_cannot_be_is_one_sentence(host: Host, state: str, client: Client | None, told: str) -> None:
    place.own_folder(host.folder)
    with pytest.raises(ModuleError, match=told):
        host.run(state, client, certificate="", address="127.0.0.1")


def test_one_that_does_not_fit_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_seed, "free", lambda _path: 1000)
    with pytest.raises(ModuleError, match="make room; nothing was changed"):
        host.run("planned")
    assert not host.folder.exists()


def test_a_receiver_that_vanished_is_missed(host: Host) -> None:
    place.own_folder(host.folder)
    (host.folder / "progress.json").write_text(
        json.dumps({"step": "receiving", "received": 5, "expected": 9, "seconds": 1})
    )
    with pytest.raises(ModuleError, match="was ended while it was receiving; run again"):
        host.run("awaited")


def test_the_primary_tells_what_it_is(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.variables |= {"gtid_binlog_state": "0-7-9,0-8-5", "gtid_slave_pos": "0-3-2"}
    (tmp_path / "ibdata1").write_bytes(bytes(50))
    module = Module(mysql_seed_source.ARGUMENTS, {})
    source = mysql_seed_source.run(module, server, tmp_path)["source"]
    assert {**source, "in_logs": None} == {
        "flavor": "mariadb",
        "version": "11.8.6",
        "in_logs": None,
        "size": 50,
        "written": "0-7-9,0-8-5,0-3-2",
        "schemas": [],
        "own_id": "9",
    }


@pytest.mark.parametrize("empty", [True, False])
def test_a_primary_that_is_set_up_by_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: bool) -> None:
    monkeypatch.setattr(mysql_seed_source, "is_empty", lambda _engine: empty)
    if empty:
        assert of_source("described", tmp_path)["source"] == mysql_seed_source.NOT_THERE_YET
        return
    with pytest.raises(ModuleError, match="the primary does not answer"):
        of_source("described", tmp_path, timeout=0)
    # In check mode nobody starts it.
    assert of_source("described", tmp_path, check_mode=True)["source"] == mysql_seed_source.NOT_THERE_YET
    client = SometimesAbsent(tmp_path)
    assert mysql_seed_source.describe_soon(client, 60, lambda _seconds: None)["version"] == "11.8.6"


def test_check_mode_sends_nothing(tmp_path: Path) -> None:
    assert of_source("sent", tmp_path, check_mode=True) == {"changed": True}
    assert list(tmp_path.iterdir()) == []


class Play(ActionModule):
    """The action with a host that answers from a list, and no pauses."""

    def __init__(self, *answers: dict[str, Any], **arguments: Any) -> None:
        self._task = SimpleNamespace(args=arguments, async_val=86400, check_mode=False)
        self._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp/there"))
        self.answers, self.waits = list(answers), list[bool]()

    def _execute_module(self, **more: Any) -> dict[str, Any]:
        self.waits.append(bool(more.get("wrap_async")))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def look(said: str, step: str = "receiving", finished: bool = False) -> dict[str, Any]:
    return {"said": said, "finished": finished, "progress": {"step": step}}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.siteops.webcluster.plugins.action.mysql_seed.time.sleep", lambda _s: None)


def test_progress_is_printed_each_time_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    play = Play(look("1 MB"), look("1 MB"), look("2 MB"), look("done", "done", True), state="awaited")
    assert play.run(task_vars={"inventory_hostname": "db2"})["finished"]
    assert capsys.readouterr().out == "db2: 1 MB\ndb2: 2 MB\ndb2: done\n"
    assert play.waits == [False] * 4


def test_nobody_waits_for_what_was_not_begun() -> None:
    result = Play(look("waiting", "waiting"), state="awaited").run(task_vars={})
    assert (result["failed"], "no copy was begun" in result["msg"]) == (True, True)


def test_other_states_go_to_the_host_and_may_stay_there() -> None:
    play = Play({"changed": True}, state="received")
    assert (play.run(task_vars={}), play.waits) == ({"changed": True}, [True])
