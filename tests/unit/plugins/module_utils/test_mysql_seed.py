# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy's way over real sockets, its place on a real disk with a stop after each step, and who may be given one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import server as servers
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.source import Channel
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import read_status
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed import (
    channel,
    copy,
    decide,
    place,
    progress,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.channel import SeedError

# --- The way ------------------------------------------------------------------------------------------------------


class Ends:
    """Both sides of one copy, and a stranger."""

    def __init__(self, folder: Path) -> None:
        self.replica, self.primary, self.stranger = (folder / name for name in ("replica", "primary", "stranger"))
        for side in (self.replica, self.primary, self.stranger):
            side.mkdir()
        self.of_replica, self.of_primary, self.of_stranger = (
            channel.make_identity(side) for side in (self.replica, self.primary, self.stranger)
        )
        self.listener = channel.listen("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]

    def receive(self) -> bytes:
        with channel.accept(self.listener, channel.context(self.replica, self.of_primary, True), 10) as connection:
            return b"".join(channel.received(connection))

    def send(self, script: str) -> list[str]:
        """Send what a shell script writes; return the list that gets the sentence where it fails."""
        failures: list[str] = []

        def work() -> None:
            try:
                command = ["sh", "-c", script]
                copy.send_copy(self.primary, "127.0.0.1", self.port, self.of_replica, lambda _scratch: command)
            except SeedError as error:
                failures.append(str(error))

        self.thread = threading.Thread(target=work)
        self.thread.start()
        return failures


@pytest.fixture
def ends(tmp_path: Path) -> Any:
    made = Ends(tmp_path)
    yield made
    made.listener.close()
    if hasattr(made, "thread"):
        made.thread.join(10)


def test_a_copy_arrives_whole(ends: Ends) -> None:
    failures = ends.send("head -c 3000000 /dev/zero; printf end")
    assert ends.receive() == bytes(3000000) + b"end"
    assert failures == []


def test_keys_are_of_root_alone_and_made_anew(ends: Ends) -> None:
    assert (ends.replica / "key.pem").stat().st_mode & 0o777 == 0o600
    assert channel.make_identity(ends.replica) != ends.of_replica


def test_the_replica_hears_why_a_copy_failed(ends: Ends) -> None:
    failures = ends.send("printf half; echo 'first line' >&2; echo 'Access denied' >&2; exit 3")
    with pytest.raises(SeedError, match="the primary could not send all: sh ended with code 3: Access denied"):
        ends.receive()
    ends.thread.join(10)
    assert failures == ["sh ended with code 3: Access denied"]


def test_a_stranger_is_turned_away_and_the_primary_let_in(ends: Ends) -> None:
    tls = channel.context(ends.stranger, ends.of_replica, server=False)

    def strange() -> None:
        # TLS 1.3 tells a client that it is refused only when it reads.
        with suppress(OSError), channel.connect("127.0.0.1", ends.port, tls, 0) as connection:
            connection.recv(1)
        ends.send("printf right")

    stranger = threading.Thread(target=strange)
    stranger.start()
    assert ends.receive() == b"right"
    stranger.join(10)


def test_a_replica_that_is_a_stranger_is_sent_nothing(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "PATIENCE", 0.0)
    monkeypatch.setattr(channel.connect, "__defaults__", (0.0,))
    ends.of_replica = ends.of_stranger
    failures = ends.send("printf secret")
    with pytest.raises(SeedError, match="did not connect"):
        channel.accept(ends.listener, channel.context(ends.replica, ends.of_primary, True), 1)
    ends.thread.join(10)
    assert "cannot be reached" in failures[0]


def test_a_copy_that_is_cut_is_not_taken_for_whole() -> None:
    near, far = socket.socketpair()
    channel.send(far, channel.DATA, b"half of it")
    far.close()
    with near, pytest.raises(SeedError, match="cut before the copy was complete"):
        list(channel.received(near))


def test_the_program_ends_when_the_replica_is_gone(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    near.close()
    with far, (tmp_path / "said").open("wb+") as said, pytest.raises(OSError, match="Broken pipe"):
        channel.send_output(far, ["sh", "-c", f"echo $$ >{tmp_path}/pid; exec cat /dev/zero"], said)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_the_unpacking_program_says_why(tmp_path: Path) -> None:
    taken: list[int] = []
    copy.unpack([b"abc", b"de"], ["sh", "-c", f"cat >{tmp_path}/out"], taken.append)
    assert ((tmp_path / "out").read_bytes(), taken) == (b"abcde", [3, 2])
    with pytest.raises(SeedError, match=r"could not be unpacked \(sh: No space left\)"):
        copy.unpack([b"x" * 2**20] * 4, ["sh", "-c", "echo No space left >&2; exit 1"], taken.append)


def test_commits_do_not_wait_a_second_for_the_copy() -> None:
    interval = next(word for word in copy.backup_command("/tmp/x") if word.startswith("--log-copy-interval="))
    assert int(interval.partition("=")[2]) <= 100


@pytest.mark.parametrize("name", copy.POSITION_FILES)
def test_the_position_of_either_release(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("binlog.000002\t1234\t0-7-99\n")
    assert copy.position_of(tmp_path) == "0-7-99"


def test_a_copy_without_position_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="does not say its last transaction"):
        copy.position_of(tmp_path)


def test_logs_are_no_part_of_a_copy(tmp_path: Path) -> None:
    for name, size in (("ibdata1", 100), ("binlog.000001", 7), ("shop/t.ibd", 30), (".webcluster-seed/t.ibd", 9)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(size))
    assert copy.size_of(tmp_path) == 130


# --- The place ----------------------------------------------------------------------------------------------------


class StopError(Exception):
    """The machine was switched off."""


class Host:
    """A data directory with a complete copy below it, and a service that only remembers."""

    def __init__(self, root: Path) -> None:
        self.folder, self.datadir = root / "state", root / "mysql"
        self.folder.mkdir()
        for name in ("debian-11.8.flag", "ibdata1", "old/t.ibd", f"{place.NEW}/ibdata1", f"{place.NEW}/shop/t.ibd"):
            path = self.datadir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("new" if place.NEW in name else "former")
        self.marker = place.Marker(
            "aside", str(self.datadir), "mariadb", "0-7-99", str(root / "read-only.cnf"), "read_only = ON\n"
        )
        place.write_marker(self.folder, self.marker)
        self.done: list[str] = []
        self.service = place.Service(
            stop=lambda name: self.done.append(f"stop {name}"),
            start=lambda name: self.done.append(f"start {name}"),
            go_on_from=lambda position: self.done.append(f"from {position}"),
        )

    def finish(self) -> None:
        marker = place.read_marker(self.folder)
        assert marker
        place.finish(self.folder, marker, self.service)

    def files(self) -> dict[str, str]:
        found = (path for path in self.datadir.rglob("*") if path.is_file())
        return {str(path.relative_to(self.datadir)): path.read_text() for path in found}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


PLACED = {"debian-11.8.flag": "former", "ibdata1": "new", "shop/t.ibd": "new"}


def test_a_copy_takes_the_place_of_the_data(host: Host) -> None:
    host.finish()
    assert host.files() == PLACED
    assert host.done == ["stop mariadb", "stop mariadb", "start mariadb", "from 0-7-99"]
    assert Path(host.marker.read_only_file).read_text() == "read_only = ON\n"
    assert place.read_marker(host.folder) is None


# Renames of three markers among them; after the last one the service is asked.
@pytest.mark.parametrize("survived", range(6))
def test_a_next_run_goes_on_after_any_rename(host: Host, monkeypatch: pytest.MonkeyPatch, survived: int) -> None:
    rename, left = os.rename, [survived]

    def failing(source: Any, target: Any) -> None:
        if not left[0]:
            raise StopError
        left[0] -= 1
        rename(source, target)

    monkeypatch.setattr(place.os, "rename", failing)
    with suppress(StopError):
        host.finish()
    monkeypatch.setattr(place.os, "rename", rename)
    if survived < 4:
        assert place.read_marker(host.folder)
        host.finish()
    assert host.files() == PLACED
    assert host.done[-2:] == ["start mariadb", "from 0-7-99"]


def test_the_server_is_closed_for_writes_before_it_starts_on_the_copy(host: Host) -> None:
    def start(_name: str) -> None:
        raise SeedError("the service mariadb does not start: no reason")

    host.service = replace(host.service, start=start)
    with pytest.raises(SeedError, match="does not start"):
        host.finish()
    assert Path(host.marker.read_only_file).is_file()
    marker = place.read_marker(host.folder)
    assert marker
    assert marker.phase == "starting"


def test_a_half_copy_is_thrown_away_and_the_data_stay(host: Host) -> None:
    place.clear(host.datadir, host.folder)
    assert host.files() == {"debian-11.8.flag": "former", "ibdata1": "former", "old/t.ibd": "former"}
    assert list(host.folder.iterdir()) == []


HOLD = """
import fcntl, os, sys, time
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
os.write(descriptor, str(os.getpid()).encode())
print(flush=True)
time.sleep(60)
"""


def test_a_copy_that_a_killed_run_left_behind_is_ended(host: Host) -> None:
    place.write_marker(host.folder, replace(host.marker, phase="receiving"))
    command = [sys.executable, "-c", HOLD, str(host.folder / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert not place.Lock(host.folder).take()
        place.end_former(host.folder)
        assert process.wait() == -15


# --- Who may be given one -----------------------------------------------------------------------------------------

SCHEMAS: list[dict[str, str | None]] = [{"name": "mysql", "sees_all": "1", "bare": "0"}]
SHOP = [*SCHEMAS, {"name": "shop", "sees_all": "1", "bare": "0"}]
SOURCE = decide.Source("mariadb", "11.8.6", False, 200_000_000, "0-7-500", ("shop",))
FREE = 10**10


def server(schemas: Any = None, **variables: str) -> servers.Server:
    values = {"version": "11.8.6-MariaDB", "server_id": "9", **variables}
    return servers.read_server(
        [{"Variable_name": name, "Value": value} for name, value in values.items()], schemas or SCHEMAS
    )


def here(found: servers.Server | None = None, errno: str = "", free: int = FREE, empty: bool = True) -> decide.Here:
    row = {"Master_Host": "10.0.0.20", "Last_IO_Errno": errno, "Slave_IO_Running": "No"}
    return decide.Here(found, [Channel(read_status(row))] if errno else (), empty, free)


COPIED = server(SHOP, gtid_slave_pos="0-7-400", gtid_binlog_state="0-7-400")
STRAYED = server(SHOP, gtid_slave_pos="0-7-400", gtid_binlog_state="0-7-400,0-9-401")
OLD_PRIMARY = server(SHOP, server_id="7", gtid_binlog_state="0-7-500")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (here(), "it is empty, and the binary logs"),
        (here(server()), "it is empty, and the binary logs"),
        (here(COPIED, "1236"), "no longer has the binary logs that it lacks"),
    ],
)
def test_a_copy_is_chosen_by_itself(found: decide.Here, reason: str) -> None:
    decision = decide.decide(found, SOURCE, "db1", False)
    assert reason in decision.needed
    assert (decision.lost, decision.refusal) == ("", "")


@pytest.mark.parametrize("in_logs", [True, None])
def test_the_logs_are_enough(in_logs: bool | None) -> None:
    source = replace(SOURCE, in_logs=in_logs)
    assert decide.decide(here(server()), source, "db1", False) == decide.Decision()
    # A stopped server with data is started first.
    assert decide.decide(here(empty=False), SOURCE, "db1", False) == decide.Decision()
    assert decide.decide(here(COPIED, "1045"), SOURCE, "db1", True) == decide.Decision()


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (here(STRAYED, "1236"), "but then it would lose transactions that the primary does not have (0-9-401)"),
        (
            here(STRAYED),
            "then it would lose transactions that the primary does not have (0-9-401); or run the primary's role",
        ),
        (here(OLD_PRIMARY), "expected an empty server or a copy of db1"),
        (here(OLD_PRIMARY), "the primary has all of that"),
        (here(server(SHOP)), "then it would lose schemas whose transactions nobody counted (shop)"),
    ],
)
def test_data_of_its_own_are_replaced_only_where_they_are_given_up(found: decide.Here, told: str) -> None:
    refusal = decide.decide(found, SOURCE, "db1", False).refusal
    assert told in refusal
    assert "in mysql_replica_allow_reseed" in refusal
    assert refusal.endswith("nothing was changed")
    allowed = decide.decide(found, SOURCE, "db1", True)
    assert allowed.needed
    assert allowed.refusal == ""


@pytest.mark.parametrize(
    ("found", "source", "told"),
    [
        (here(free=340_000_000), SOURCE, "has 340 MB free, expected 354 MB for 200 MB of data"),
        (here(), replace(SOURCE, flavor="mysql", version="9.7.4"), "mysql 9.7.4 is not copied by the role"),
        (here(), replace(SOURCE, version="10.3.39"), "expected MariaDB from 10.4 on"),
        (here(server(version="10.11.6-MariaDB")), SOURCE, "runs mariadb 10.11.6 and the primary mariadb 11.8.6"),
    ],
)
def test_a_copy_that_cannot_be_made_is_refused_before(found: decide.Here, source: decide.Source, told: str) -> None:
    decision = decide.decide(found, source, "db1", True)
    assert told in decision.refusal
    assert decision.refusal.endswith("nothing was changed")


# --- How far it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("receiving", "receiving, 120 MB of about 260 MB, 40.0 MB/s, 4 s left"),
        ("preparing", "preparing, 120 MB after 3 s"),
    ],
)
def test_progress_in_words(step: str, words: str) -> None:
    assert progress.in_words(progress.Progress(step, 120_000_000, 260_000_000, 3.0)) == words


def test_what_the_primary_wrote_since_it_was_asked_is_nothing_of_the_replicas_own() -> None:
    newer = decide.Here(
        server(SHOP, gtid_slave_pos="0-7-600", gtid_binlog_state="0-7-600"), here(None, "1").channels, False, FREE
    )
    assert decide.decide(newer, replace(SOURCE, own_id="7"), "db1", True) == decide.Decision()
    assert decide.decide(newer, replace(SOURCE, own_id="8"), "db1", True).lost


def test_one_that_cannot_apply_is_filled_where_it_is_named() -> None:
    row = {"Master_Host": "10.0.0.20", "Last_SQL_Errno": "1062", "Slave_IO_Running": "Yes"}
    stuck = decide.Here(COPIED, [Channel(read_status(row))], False, FREE)
    assert decide.decide(stuck, SOURCE, "db1", False) == decide.Decision()
    assert "(error 1062)" in decide.decide(stuck, SOURCE, "db1", True).needed


def test_progress_is_written_once_a_second(tmp_path: Path) -> None:
    now = [0.0]
    reporter = progress.Reporter(tmp_path / "progress.json", 300, lambda: now[0])
    reporter.add(100)
    assert progress.read_progress(reporter.path) is None
    now[0] = 2.0
    reporter.add(100)
    assert progress.read_progress(reporter.path) == progress.Progress("receiving", 200, 300, 2.0)
    assert progress.Progress("receiving", 60, 3_000_000_000, 2.0).left is None


def test_what_is_waited_for_is_bounded() -> None:
    with channel.listen("127.0.0.1", 0) as listener:
        begun = time.monotonic()
        with pytest.raises(SeedError, match="let it reach that port"):
            channel.accept(listener, channel.ssl.SSLContext(channel.ssl.PROTOCOL_TLS_SERVER), 0.2)
        assert time.monotonic() - begun < 5
