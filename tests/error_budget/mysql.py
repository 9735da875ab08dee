# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move, kill, freeze and bring back the lab's MySQL primary while an application writes and reads through its own ports.

Every acknowledged row, numbered and checksummed, must be there exactly once on every server afterwards, after each planned move; where a
primary was killed, what promote.yml said would be lost may lack. The exit code is 1 when it is otherwise, when writers were without
service for more than 3 s in a planned move, or readers at all.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .cluster import CHECKOUT, ClusterError, Lab, table
from .load import Answer, longest_outage

MAKE = """
DROP TABLE IF EXISTS counted;
CREATE TABLE counted (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, writer VARCHAR(40) NOT NULL, number INT NOT NULL,
  checksum CHAR(32) NOT NULL);
"""
ROWS = "SELECT writer, number, COUNT(*), SUM(checksum <> MD5(CONCAT(writer, ':', number))) FROM counted GROUP BY 1, 2"
PROGRAM = Path(__file__).with_name("rows.php")
ON_HOST = "/tmp/rows.php"
# Rows and reads a second: one application keeps its connection, another one makes a new one for each.
KEPT_RATE, NEW_RATE = 40, 20
WRITE_PORT, READ_PORT = 3306, 3307
BEFORE, AFTER, ALONE = 3.0, 5.0, 8.0
MOST_SECONDS = 3.0
PATIENCE = 60.0
SERVICE = "mariadb"
HEAD = ("event", "acknowledged", "lost", "doubled", "longest gap of writers", "of readers", "budget")


@dataclass
class Client:
    """One program on a web server; what became of its requests is there when it has ended."""

    lab: Lab
    host: str
    name: str
    kind: str
    keep: bool
    answers: list[Answer] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Client:
        port, rate = WRITE_PORT if self.kind == "write" else READ_PORT, KEPT_RATE if self.keep else NEW_RATE
        words = ["php", ON_HOST, self.name, self.kind, str(port), str(rate), "keep" if self.keep else "new"]
        self.process = subprocess.Popen(
            ["lab/lab", "ssh", "--inventory", str(self.lab.inventory), self.host, " ".join(words)],
            cwd=CHECKOUT,
            env={**os.environ, "LAB_PYTHON": sys.executable},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self.process.stdin:
            self.process.stdin.write(self.lab.secret("site_demo_mysql") + "\n")
            self.process.stdin.flush()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process:
            said, _none = self.process.communicate(timeout=60)
            self.answers = [read_answer(self.kind, line) for line in said.splitlines()]


def read_answer(kind: str, line: str) -> Answer:
    """Translate a line of rows.php."""
    number, begin, seconds, error = line.split("\t")
    return Answer(kind, float(begin), float(seconds), 0 if error else 200, error, number)


def longest_gap(answers: Sequence[Answer]) -> float:
    """Seconds between two answers that were good, at most, where one failed in between or took long."""
    waited = max((answer.seconds for answer in answers if answer.good), default=0.0)
    return max(longest_outage(answers), waited)


def found_rows(text: str) -> dict[tuple[str, int], tuple[int, int]]:
    """Translate the answer to ROWS: how often a row is there, and in how many cases with another checksum."""
    found = {}
    for line in text.splitlines():
        writer, number, count, wrong = line.split("\t")
        found[writer, int(number)] = (int(count), int(wrong))
    return found


@dataclass
class Cluster:
    """The lab's MySQL tier: who is primary and who is replica at present."""

    lab: Lab
    web: str
    primary: str
    replica: str
    writers: int = 0

    def turn(self) -> None:
        self.primary, self.replica = self.replica, self.primary

    def play(self, name: str, to: str, said: str = "", fails: bool = False, **variables: object) -> str:
        """Run a playbook of the tier, which must end well or fail, and say this; return what it said."""
        given = {"tier": "mysql", "to": to, **variables}
        code, output = self.lab.playbook(f"playbooks/{name}.yml", variables=given)
        words = " ".join(output.split())
        if (code != 0) != fails or said not in words:
            raise ClusterError(f"{name}.yml -e to={to} ended with {code}, and should have said {said!r}:\n{output}")
        return words

    def step(self, host: str, step: str, peer: str, **more: object) -> str:
        """Do one step of a move by itself, as a run leaves it that is killed after it."""
        given = {
            "step": step,
            "host": self.lab.addresses()[peer],
            "name": peer,
            "user": "replication",
            "password": "{{ mysql_server_replication_password }}",
            "fail": False,
            **more,
        }
        words = [
            "ansible",
            "-i",
            str(self.lab.inventory),
            host,
            "-b",
            "-m",
            "siteops.webcluster.mysql_primary",
            "-a",
            json.dumps(given),
        ]
        done = self.lab.command(*words)
        if done.returncode != 0:
            raise ClusterError(f"{step} on {host} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def systemctl(self, host: str, *words: str) -> None:
        self.lab.on(host, "systemctl", *words)

    def rows(self, host: str) -> dict[tuple[str, int], tuple[int, int]]:
        return found_rows(self.lab.on(host, "mysql", "demo", "-NBe", ROWS))


def move(cluster: Cluster) -> None:
    cluster.play("switchover", cluster.replica, f"{cluster.replica} is the primary")
    cluster.turn()


def there_and_back(cluster: Cluster) -> None:
    for _time in range(2):
        move(cluster)
        time.sleep(2)


def close_only(cluster: Cluster) -> None:
    """Leave what a run leaves that is killed after the old primary has closed."""
    # A session in the place of the new primary, which does not take over.
    waiting = "SELECT GET_LOCK('webcluster_move', 5); SELECT SLEEP(25)"
    words = ["lab/lab", "ssh", "--inventory", str(cluster.lab.inventory), cluster.primary, f'sudo mysql -e "{waiting}"']
    with subprocess.Popen(
        words, cwd=CHECKOUT, stdout=subprocess.DEVNULL, env={**os.environ, "LAB_PYTHON": sys.executable}
    ):
        # On a busy host that session comes late.
        cluster.step(cluster.primary, "hand_over", cluster.replica, timeout=8)
    if cluster.lab.on(cluster.primary, "mysql", "-NBe", "SELECT @@read_only").strip() not in ("1", "ON"):
        raise ClusterError(f"{cluster.primary} did not close, so that there is nothing to go on from.")


def killed_after_closing(cluster: Cluster) -> None:
    """The old primary is closed, the new one has not taken over; the next run goes on."""
    close_only(cluster)
    move(cluster)


def killed_and_taken_back(cluster: Cluster) -> None:
    """The same, and the next run is asked to take it back."""
    close_only(cluster)
    cluster.play("switchover", cluster.primary, f"{cluster.primary} is the primary")


def killed_after_opening(cluster: Cluster) -> None:
    """The new primary has opened, the old one does not follow it yet; the next run lets it."""
    close_only(cluster)
    cluster.step(cluster.replica, "take_over", cluster.primary)
    cluster.play("switchover", cluster.replica, f"{cluster.replica} is the primary")
    cluster.turn()


def killed_at(seconds: float) -> Callable[[Cluster], None]:
    """The playbook is killed after so many seconds, and run again."""

    def act(cluster: Cluster) -> None:
        words = [
            "ansible-playbook",
            "-i",
            str(cluster.lab.inventory),
            "playbooks/switchover.yml",
            "-e",
            "tier=mysql",
            "-e",
        ]
        process = subprocess.Popen(
            [*words, f"to={cluster.replica}"],
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        code, output = cluster.lab.playbook(
            "playbooks/switchover.yml", variables={"tier": "mysql", "to": cluster.replica}
        )
        if code != 0 and f"{cluster.replica} is the primary already" not in " ".join(output.split()):
            raise ClusterError(
                f"switchover.yml, killed after {seconds:g} s and run again, ended with {code}:\n{output}"
            )
        cluster.turn()

    return act


def promote(cluster: Cluster) -> int:
    """Promote the replica; return how many transactions were told to be lost."""
    told = re.compile(r"(\d+) transactions in the binary logs of")
    code, output = cluster.lab.playbook(
        "playbooks/promote.yml", variables={"tier": "mysql", "to": cluster.replica, "accept_data_loss": False}
    )
    lost = told.search(" ".join(output.split()))
    if code != 0:
        if "accept_data_loss" not in output and "expected an hour" not in " ".join(output.split()):
            raise ClusterError(f"promote.yml ended with {code}:\n{output}")
        cluster.play("promote", cluster.replica, f"{cluster.replica} is the primary", accept_data_loss=True)
    return int(lost[1]) if lost else 0


def rejoin(cluster: Cluster, old: str, lost: int) -> None:
    """Bring the old primary back; one with writes of its own is refused, and then replaced by an empty host."""
    if not lost:
        cluster.play("rejoin", old)
        return
    cluster.play("rejoin", old, "is in /var/lib/webcluster-mysql/unsent-", fails=True)
    cluster.lab.lab("replace", old)
    cluster.lab.converge()


def kill_promote_rejoin(cluster: Cluster) -> int:
    old = cluster.primary
    cluster.play("promote", cluster.replica, f"The primary {old} lives and answers", fails=True)
    cluster.systemctl(old, "kill", "--signal=KILL", SERVICE)
    # Or systemd starts it again.
    cluster.systemctl(old, "stop", SERVICE)
    lost = promote(cluster)
    cluster.turn()
    rejoin(cluster, old, lost)
    return lost


def freeze_promote_wake(cluster: Cluster) -> int:
    """A frozen primary is fenced by the promotion, and has nothing left to wake up for."""
    old = cluster.primary
    cluster.systemctl(old, "kill", "--signal=STOP", SERVICE)
    lost = promote(cluster)
    cluster.turn()
    cluster.systemctl(old, "kill", "--signal=CONT", SERVICE)
    time.sleep(8)
    rejoin(cluster, old, lost)
    return lost


def two_primaries(cluster: Cluster) -> None:
    """A replica that somebody opens claims to be the primary as well: writes go to none until rejoin.yml has closed it."""
    second = cluster.replica
    cluster.lab.on(second, "mysql", "-e", "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF")
    time.sleep(ALONE)
    cluster.play("switchover", second, "both take writes as primaries", fails=True)
    cluster.play("rejoin", second)


def settled(cluster: Cluster) -> None:
    output = cluster.lab.converge()
    changed = [line for line in output.splitlines() if re.search(r"changed=[1-9]", line)]
    if changed:
        raise ClusterError(f"site.yml changed something after the move: {' '.join(changed)}")


@dataclass(frozen=True)
class Event:
    """What happens; for how long writers may be without service, None where only what is lost counts."""

    name: str
    act: Callable[[Cluster], int | None]
    seconds: float | None = MOST_SECONDS
    # Whether site.yml is run after it, and must change nothing.
    settles: bool = False


EVENTS = (
    Event("switchover there and back, 1", there_and_back),
    Event("switchover, then site.yml", move, settles=True),
    Event("killed after closing, run again", killed_after_closing, None),
    Event("killed after opening, run again", killed_after_opening, None),
    Event("primary killed, promote, rejoin", kill_promote_rejoin, None),
    Event("primary frozen, promote, woken, rejoin", freeze_promote_wake, None, settles=True),
    Event("two servers open: writes to none", two_primaries, None),
    Event("killed after closing, taken back", killed_and_taken_back, None),
    Event("playbook killed after 4 s, run again", killed_at(4), None),
    Event("playbook killed after 6 s, run again", killed_at(6), None),
    Event("switchover there and back, 2", there_and_back),
)


def prepare(cluster: Cluster) -> None:
    """Make the table that is written to, and bring the program that does so to the web server."""
    cluster.lab.on(cluster.primary, "mysql", "demo", "-e", MAKE)
    cluster.lab.lab("ssh", cluster.web, f"cat > {ON_HOST}", stdin=PROGRAM.read_text(encoding="utf-8"))


def clients(cluster: Cluster) -> list[Client]:
    """Two applications that write and two that read."""
    cluster.writers += 1
    number = cluster.writers
    return [
        Client(cluster.lab, cluster.web, f"w{number}-{word}", kind, keep)
        for kind in ("write", "read")
        for word, keep in (("kept", True), ("new", False))
    ]


def compare(cluster: Cluster, acknowledged: set[tuple[str, int]]) -> tuple[int, int]:
    """Return how many acknowledged rows are lost, and how many rows doubled or changed, on the worst server."""
    deadline = time.monotonic() + PATIENCE
    while (on_primary := cluster.rows(cluster.primary)) != cluster.rows(cluster.replica):
        if time.monotonic() > deadline:
            raise ClusterError(f"{cluster.replica} does not hold the rows that {cluster.primary} holds.")
        time.sleep(1)
    lost = len(acknowledged - set(on_primary))
    return lost, sum(count > 1 or wrong > 0 for count, wrong in on_primary.values())


def run(cluster: Cluster, event: Event) -> tuple[list[object], list[str]]:
    """Let an event happen under load; return its line of the table, and what exceeds its budget."""
    programs: list[Client] = clients(cluster)
    with ExitStack() as stack:
        for each in programs:
            entered: AbstractContextManager[object] = each
            stack.enter_context(entered)
        time.sleep(BEFORE)
        told = event.act(cluster) or 0
        time.sleep(AFTER)
    acknowledged = {
        (each.name, int(answer.text))
        for each in programs
        for answer in each.answers
        if each.kind == "write" and answer.good
    }
    gaps = {
        kind: max(longest_gap(each.answers) for each in programs if each.kind == kind) for kind in ("write", "read")
    }
    lost, doubled = compare(cluster, acknowledged)
    wrong = []
    if lost > told or doubled:
        wrong.append(
            f"{event.name}: {lost} acknowledged rows are lost ({told} were told), {doubled} doubled or changed"
        )
    if event.seconds is not None and gaps["write"] > event.seconds:
        wrong.append(f"{event.name}: writers were without service for {gaps['write']:.1f} s")
    failed = [answer.reason for each in programs for answer in each.answers if each.kind == "read" and not answer.good]
    if event.seconds is not None and failed:
        wrong.append(f"{event.name}: {len(failed)} reads failed, the first with {failed[0]}")
    if event.settles:
        settled(cluster)
    line = [event.name, len(acknowledged), lost, doubled, f"{gaps['write']:.1f} s", f"{gaps['read']:.1f} s"]
    return [*line, "exceeded" if wrong else "kept"], wrong


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    parser.add_argument("--only", default="", help="run the events whose names hold this text")
    options = parser.parse_args(arguments)
    lab = Lab(options.inventory.resolve())
    lines: list[list[object]] = []
    wrong: list[str] = []
    try:
        lab.lab("up")
        lab.converge()
        groups = lab.groups()
        live = {row["server"]: row["role"] for row in lab.verdict()["servers"] if row["tier"] == "mysql"}
        primary = next(name for name, role in live.items() if role == "primary")
        replica = next(name for name, role in live.items() if role == "replica")
        cluster = Cluster(lab, groups["apache_php"][0], primary, replica)
        prepare(cluster)
        for event in EVENTS:
            if options.only in event.name:
                line, found = run(cluster, event)
                lines.append(line)
                wrong += found
                print(*line, sep="  ", flush=True)
        lab.on(cluster.primary, "mysql", "demo", "-e", "DROP TABLE counted")
    except ClusterError as error:
        wrong.append(str(error))
    print(f"\n{table(HEAD, lines)}\n")
    print("\n".join(wrong) or "error-budget: every budget was kept.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
