# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill an empty MySQL replica from a busy primary without its first binary logs, interrupt that in every way, and compare.

A writer adds 200 rows a second to the primary all the time, each with a checksum, and keeps how long the longest write took. After
each event that ends well both servers must hold the same tables, by count and checksum. The exit code is 1 when they differ,
a sentence is not said, a write took longer than a second while a copy was made, or a second run changes something.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.error_budget.cluster import CHECKOUT, PROGRAM_HEAD, ClusterError, Lab, table
from tests.error_budget.replace_hosts import members_of, told

SCHEMA = """
DROP DATABASE IF EXISTS seeding;
CREATE DATABASE seeding;
CREATE TABLE seeding.writes (id INT PRIMARY KEY, text CHAR(32) NOT NULL, sum INT UNSIGNED NOT NULL);
CREATE TABLE seeding.big (id INT PRIMARY KEY, text LONGTEXT NOT NULL);
"""
# What does not compress, 64 KiB a row.
FILL = """
USE seeding;
INSERT INTO seeding.big SELECT seq, REPEAT(CONCAT(SHA2(seq, 512), SHA2(seq + 1, 512)), 256) FROM seq_{first}_to_{last};
"""
ROWS_A_STEP = 400
# Runs on the primary until its standard input ends.
WRITER = """
import select, time, zlib, pymysql
link = pymysql.connect(unix_socket="/run/mysqld/mysqld.sock", user="root", autocommit=True)
cursor, longest, number, when = link.cursor(), 0.0, first, time.monotonic()
while not select.select([sys.stdin], [], [], max(0.0, when - time.monotonic()))[0]:
    text = f"{number:032}"
    begun = time.monotonic()
    cursor.execute("INSERT INTO seeding.writes VALUES (%s, %s, %s)", (number, text, zlib.crc32(text.encode())))
    took = time.monotonic() - begun
    longest, number = max(longest, took), number + 1
    when = max(when + 0.005, time.monotonic() - 1.0)
print(json.dumps({"writes": number - first, "longest": round(longest, 3), "next": number}))
"""
CHECKSUM = "SELECT COUNT(*) FROM {0}; CHECKSUM TABLE {0} EXTENDED"
TABLES = ("seeding.big", "seeding.writes")
PROGRESS = "/var/lib/webcluster-seed/progress.json"
# Bytes after which a copy is interrupted.
MIDDLE = 10e6
LONGEST = 1.0
PATIENCE = 120.0
HEAD = ("event", "outcome", "seconds", "copy", "writes", "a second", "longest", "replica equal")


class Writer:
    """Writes to the primary while an event happens."""

    def __init__(self, lab: Lab, host: str, first: int) -> None:
        command = ["lab/lab", "ssh", "--inventory", str(lab.inventory), host]
        command.append(shlex.join(["sudo", "python3", "-c", PROGRAM_HEAD + WRITER]))
        self.begun = time.monotonic()
        self.process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"first": first}) + "\n")
        self.process.stdin.flush()

    def end(self) -> dict[str, Any]:
        out, _err = self.process.communicate(timeout=60)
        found: dict[str, Any] = json.loads(out)
        return {**found, "seconds": time.monotonic() - self.begun}


@dataclass
class Run:
    """The lab, its two servers, and what was found out."""

    lab: Lab
    primary: str
    replica: str
    next: int = 1
    lines: list[tuple[object, ...]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def sql(self, host: str, text: str) -> str:
        return self.lab.on(host, "mysql", "-NB", stdin=text)

    def checksums(self, host: str) -> list[str]:
        return [self.sql(host, CHECKSUM.format(name)).replace("\n", " ") for name in TABLES]

    def unequal(self) -> str:
        """Wait until the replica holds what the primary does; nobody writes at present."""
        wanted, deadline = self.checksums(self.primary), time.monotonic() + PATIENCE
        while True:
            try:
                found = self.checksums(self.replica)
            except ClusterError as error:
                found = [str(error)]
            if found == wanted:
                return ""
            if time.monotonic() > deadline:
                return f"{found} is not {wanted}"
            time.sleep(1)

    def event(
        self,
        name: str,
        act: Callable[[], tuple[int, str]],
        expect: str = "",
        says: Sequence[str] = (),
        unchanged: bool = False,
    ) -> None:
        """Let something happen while the writer writes. expect: what the sentence of a run that must fail says."""
        writer, begun = Writer(self.lab, self.primary, self.next), time.monotonic()
        code, output = act()
        seconds = time.monotonic() - begun
        written = writer.end()
        self.next = int(written["next"])
        sentence = told(output) if code else ""
        # Ansible breaks long sentences into lines.
        said = " ".join(output.split())
        wrong = [f"it did not say {text!r}" for text in [expect, *says] if text.strip() not in said]
        if code and not expect:
            wrong.append(f"it failed: {sentence}")
        if not code and expect:
            wrong.append("it did not fail")
        if unchanged and re.search(r"changed=[1-9]", output):
            wrong.append("it changed something")
        if written["longest"] > LONGEST:
            wrong.append(f"a write took {written['longest']} s")
        differs = "" if expect else self.unequal()
        wrong += [differs] if differs else []
        copied = (re.findall(r"^\S+: ((?:receiving|done|preparing|moving), .*)$", output, re.M) or ["-"])[-1]
        rate = f"{written['writes'] / written['seconds']:.0f}"
        equal = "; ".join(wrong) or ("-" if expect else "yes")
        outcome = "failed as it must" if code and expect else "failed" if code else "filled"
        line = (name, outcome, f"{seconds:.0f}", copied, written["writes"], rate, f"{written['longest']:.3f} s", equal)
        self.lines.append(line)
        self.failures += [f"{name}: {each}" for each in wrong]
        self.sentences += [f"{name}:\n  {sentence}"] if sentence else []
        print(*line, sep=" | ", flush=True)
        if sentence:
            print(f"  {sentence}", flush=True)

    def site(self, **variables: Any) -> tuple[int, str]:
        return self.lab.playbook("site.yml", variables=variables)

    def received(self) -> float:
        """Bytes that the replica has received at this moment."""
        try:
            found = json.loads(self.lab.on(self.replica, "cat", PROGRESS))
        except (ClusterError, ValueError):
            return 0
        return float(found["received"]) if found["step"] == "receiving" else 0

    def interrupted(self, how: Callable[[subprocess.Popen[str]], None]) -> tuple[int, str]:
        """Run site.yml, and do something to it in the middle of the copy."""
        words = ["ansible-playbook", "-i", str(self.lab.inventory), "site.yml"]
        environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "NO_COLOR": "1"}
        with subprocess.Popen(
            words,
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            # First the copy of a run that was killed has to go, as it goes on until this run ends it.
            for far_enough in (False, True):
                while (self.received() >= MIDDLE) != far_enough:
                    if process.poll() is not None:
                        return 0, f"it ended before it was interrupted: {process.communicate()[0]}"
                    time.sleep(0.1)
            how(process)
            out = process.communicate(timeout=600)[0]
        return process.returncode, out

    def kill_the_run(self, process: subprocess.Popen[str]) -> None:
        os.killpg(process.pid, signal.SIGKILL)

    def kill_the_copy(self, _process: subprocess.Popen[str]) -> None:
        self.lab.on(self.primary, "sh", "-c", "kill -9 $(pidof mariadb-backup)")

    def kill_the_receiver(self, _process: subprocess.Popen[str]) -> None:
        self.lab.on(self.replica, "sh", "-c", "kill -9 $(cat /var/lib/webcluster-seed/lock)")

    def cut_the_connection(self, _process: subprocess.Popen[str]) -> None:
        self.lab.on(self.replica, "ss", "--kill", "state", "established", "( sport = :4444 )")

    def fill_the_disk(self, _process: subprocess.Popen[str]) -> None:
        program = "fallocate -l $(($(df --output=avail -B1 /var/lib/mysql | tail -1) - 4000000)) /var/lib/mysql/filler"
        self.lab.on(self.replica, "sh", "-c", program)


def fill(run: Run, megabytes: int) -> None:
    """Some data, in logs that are gone afterwards."""
    run.sql(run.primary, SCHEMA)
    rows = megabytes * 16
    for first in range(1, rows + 1, ROWS_A_STEP):
        run.sql(run.primary, FILL.format(first=first, last=min(first + ROWS_A_STEP - 1, rows)))
    # What the replica still reads would not be purged.
    if differs := run.unequal():
        raise ClusterError(f"the replica does not get the data: {differs}")
    run.sql(run.primary, "FLUSH BINARY LOGS")
    # The one before is kept until all of its transactions are on disk.
    purge = "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY; SHOW BINARY LOGS"
    deadline = time.monotonic() + PATIENCE
    while len(run.sql(run.primary, purge).splitlines()) > 1:
        if time.monotonic() > deadline:
            raise ClusterError("the primary does not purge its logs")
        time.sleep(1)


def replaced(run: Run) -> None:
    run.lab.lab("replace", run.replica)
    run.event("an empty host in the replica's place", run.site, says=["is filled with a copy of"])
    run.event("- run again", run.site, unchanged=True)


def interrupted(run: Run) -> None:
    run.lab.lab("replace", run.replica)
    gone = " "
    run.event("run killed in the middle", lambda: run.interrupted(run.kill_the_run), expect=gone)
    untouched = "the data here were not touched, run again"
    run.event("- again, copy killed on the primary", lambda: run.interrupted(run.kill_the_copy), expect=untouched)
    ended = "the process that received the copy was ended"
    run.event("- again, receiver killed", lambda: run.interrupted(run.kill_the_receiver), expect=ended)
    run.event("- again, connection cut", lambda: run.interrupted(run.cut_the_connection), expect=untouched)
    run.event("- again", run.site, says=["is filled with a copy of"])


def disk_full(run: Run) -> None:
    run.lab.lab("replace", run.replica)
    mount = "mkdir -p /var/lib/mysql && mount -t tmpfs -o size=300m tmpfs /var/lib/mysql"
    run.lab.on(run.replica, "sh", "-c", mount)
    run.event("300 MB of disk", run.site, expect="make room; nothing was changed")
    run.lab.on(run.replica, "mount", "-o", "remount,size=1500m", "/var/lib/mysql")
    run.event(
        "disk full in the middle", lambda: run.interrupted(run.fill_the_disk), expect="the data here were not touched"
    )
    run.lab.on(run.replica, "rm", "/var/lib/mysql/filler")
    run.event("- again with room", run.site, says=["is filled with a copy of"])


def own_data(run: Run) -> None:
    """A replica that was taken for a primary and written to."""
    strayed = "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF; CREATE TABLE seeding.own (id INT); INSERT INTO seeding.own VALUES (1)"
    run.sql(run.replica, strayed)
    run.event("replica written to by itself", run.site, expect="MySQL has 2 primaries")
    allow = {"mysql_replica_allow_reseed": [run.replica]}
    run.event(
        "- its data given up", lambda: run.site(**allow), says=["It loses transactions that the primary does not have"]
    )
    run.event("- run again", lambda: run.site(**allow), unchanged=True)


STEPS: tuple[Callable[[Run], None], ...] = (replaced, interrupted, disk_full, own_data)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    parser.add_argument("--megabytes", type=int, default=250)
    parser.add_argument("--steps", nargs="*", choices=[step.__name__ for step in STEPS], help="only these")
    options = parser.parse_args(argv)
    lab = Lab(options.inventory.resolve())
    lab.lab("up")
    lab.converge()
    primary, replica, *_others = members_of(lab)["mysql"]
    run = Run(lab, primary, replica)
    fill(run, options.megabytes)
    try:
        for step in STEPS:
            if not options.steps or step.__name__ in options.steps:
                step(run)
    finally:
        print("\n", table(HEAD, run.lines), "\n\n", "\n".join(run.sentences), sep="")
    for failure in run.failures:
        print(f"WRONG: {failure}", file=sys.stderr)
    return bool(run.failures)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        print(f"seeding: {error}", file=sys.stderr)
        sys.exit(2)
