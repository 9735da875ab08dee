# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill, freeze, stop and misconfigure parts of a lab's cluster under a steady load, and hold each event to its budget.

Each event begins with a cluster that works. A write that was acknowledged must be in the database afterwards,
always, and none may be there twice. The exit
code is 1 when a budget is exceeded, or when the cluster does not come back.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cluster import CHECKOUT, ClusterError, Lab, table
from .load import Load, failures, longest_outage, milliseconds

READS, WRITES = 10, 3
# Seconds of load before an event, of the event itself, and after it is mended.
BEFORE, DURING, AFTER = 3.0, 12.0, 8.0
PATIENCE = 120.0
HEAD = (
    "event",
    "requests",
    "failed reads",
    "failed writes",
    "acknowledged",
    "lost",
    "longest outage of reads",
    "budget",
)
# Passes Apache's syntax check and ends Apache, were it reloaded with it.
BAD_CONFIG = "LoadModule proxy_balancer_module /usr/lib/apache2/modules/mod_proxy_balancer.so"
# Each is read at a start only.
RESTART = {"mysql_server_settings": {"back_log": 90}, "redis_server_settings": {"databases": 20}}

Act = Callable[["Cluster"], object]


@dataclass(frozen=True)
class Cluster:
    """The lab with the names of who does what."""

    lab: Lab
    door: str
    web: tuple[str, ...]
    members: dict[str, tuple[str, str]]

    def on(self, host: str, *words: str) -> None:
        self.lab.on(host, *words)

    def primary(self, engine: str) -> str:
        return self.members[engine][0]

    def replica(self, engine: str) -> str:
        return self.members[engine][1]

    def fpm(self) -> str:
        shown = self.lab.on(self.web[1], "sh", "-c", "ls /lib/systemd/system/php*-fpm.service")
        return Path(shown.strip()).stem

    def kept(self) -> Counter[str]:
        """The texts of all items that were ever written, and how often each was."""
        shown = self.lab.on(self.primary("mysql"), "mysql", "demo", "-NBe", "SELECT text FROM kept")
        return Counter(shown.splitlines())

    def serving(self) -> set[str]:
        """The web servers that answer at the front door with all their ways to the data."""
        found = set()
        for _try in range(3 * len(self.web)):
            connection = http.client.HTTPConnection(self.door, timeout=5)
            try:
                connection.request("GET", "/api/status")
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    found.add(answer.getheader("X-Served-By", ""))
            except (OSError, http.client.HTTPException):
                # Nobody answers yet.
                continue
            finally:
                connection.close()
        return found

    def wait_until_whole(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.serving() != set(self.web):
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"After {PATIENCE:.0f} s only {', '.join(sorted(self.serving())) or 'nobody'} serves."
                )
            time.sleep(1)


@dataclass(frozen=True)
class Event:
    """What happens, how it is mended, and how many requests may fail; no acknowledged write may be lost."""

    name: str
    act: Act
    mend: Act
    reads: int = 0
    writes: int = 0
    # How many requests the budget is for; with none, those of the event's own time.
    requests: int = 0
    # Within how many seconds all but a hundredth are answered; with none, nothing is asked.
    p99: float = 0.0


def send(signal: str, unit: str, host: str) -> Act:
    return lambda cluster: cluster.on(host, "systemctl", "kill", f"--signal={signal}", unit)


def tell(verb: str, unit: str, host: str) -> Act:
    return lambda cluster: cluster.on(host, "systemctl", verb, unit)


def power_off(host: str) -> Act:
    return lambda cluster: cluster.lab.lab("power-off", host)


def power_on(cluster: Cluster) -> None:
    cluster.lab.lab("up")


def push_bad_config(cluster: Cluster) -> None:
    """A configuration that Apache would not survive must be refused on the first web server, and reach no other."""
    code, output = cluster.lab.playbook("site.yml", variables={"apache_php_extra_config": BAD_CONFIG})
    first, *others = cluster.web
    wanted = f"{first} failed above, nothing was changed on {', '.join(others)}"
    if code == 0 or wanted not in " ".join(output.split()):
        raise ClusterError(f"site.yml did not say '{wanted}':\n{output}")


def change_restart_settings(cluster: Cluster) -> None:
    """Primaries are restarted after the run has said so."""
    output = cluster.lab.converge(variables=RESTART)
    for engine in cluster.members:
        said = f"{cluster.primary(engine)} is the primary and"
        if said not in " ".join(output.split()):
            raise ClusterError(f"site.yml did not say '{said} ... has to be restarted':\n{output}")


def converge(cluster: Cluster) -> None:
    cluster.lab.converge()


def nothing(_cluster: Cluster) -> None:
    """Stand in for the end of what ends by itself."""


def events(cluster: Cluster) -> list[Event]:
    second, third = cluster.web[1], cluster.web[2]
    fpm, mysql, redis = cluster.fpm(), "mariadb", "redis-server"
    mysql1, mysql2 = cluster.members["mysql"]
    redis1, redis2 = cluster.members["redis"]
    balancer = cluster.lab.groups()["haproxy"][0]
    # A write is not repeated, so what was under way is lost with who did it; the others count the seconds without a primary.
    return [
        Event("PHP-FPM killed", send("KILL", fpm, second), tell("start", fpm, second), writes=1),
        Event("Apache killed", send("KILL", "apache2", second), tell("start", "apache2", second), writes=3),
        Event("data proxy stopped", tell("stop", "haproxy", second), tell("start", "haproxy", second), writes=10),
        Event("web host switched off", power_off(third), power_on, writes=6),
        Event("MySQL replica killed", send("KILL", mysql, mysql2), tell("start", mysql, mysql2)),
        Event("MySQL primary killed", send("KILL", mysql, mysql1), tell("start", mysql, mysql1), writes=45),
        Event("MySQL primary frozen", send("STOP", mysql, mysql1), send("CONT", mysql, mysql1), writes=60),
        Event("Redis replica killed", send("KILL", redis, redis2), tell("start", redis, redis2)),
        Event("Redis primary killed", send("KILL", redis, redis1), tell("start", redis, redis1)),
        Event("balancer reloaded", tell("reload", "haproxy", balancer), tell("reload", "haproxy", balancer)),
        Event("bad Apache configuration", push_bad_config, nothing),
        Event("settings that need a restart", change_restart_settings, converge, writes=90),
    ]


# Lets the n-th event happen under load; returns its line of the table, and what exceeds its budget.
Run = Callable[[Cluster, Event, int], tuple[list[object], list[str]]]


def judge(event: Event, load: Load, kept: Counter[str]) -> tuple[list[object], list[str]]:
    """Return the event's line of the table, and what exceeds its budget."""
    wrong = []
    failed = {}
    for kind, allowed in (("read", event.reads), ("write", event.writes)):
        found = failures(load.of(kind))
        failed[kind] = found.total()
        if failed[kind] > allowed:
            said = ", ".join(f"{count} x {text}" for text, count in found.most_common(3))
            wrong.append(f"{event.name}: {failed[kind]} {kind}s failed, allowed are {allowed}: {said}")
    acknowledged = load.acknowledged()
    lost = acknowledged - kept.keys()
    if lost:
        wrong.append(f"{event.name}: {len(lost)} acknowledged writes are lost, the first is {min(lost)}")
    doubled = {answer.text for answer in load.of("write") if kept[answer.text] > 1}
    if doubled:
        wrong.append(f"{event.name}: {len(doubled)} writes were done twice, the first is {min(doubled)}")
    slow = milliseconds(load.answers, 0.99) / 1000
    if event.p99 and slow > event.p99:
        wrong.append(f"{event.name}: all but a hundredth took up to {slow:.1f} s, allowed are {event.p99:.1f} s")
    outage = f"{longest_outage(load.of('read')):.1f} s"
    budget = "exceeded" if wrong else f"{event.reads} reads, {event.writes} writes"
    counts = (len(load.answers), failed["read"], failed["write"], len(acknowledged), len(lost))
    return [event.name, *counts, outage, budget], wrong


def run(cluster: Cluster, event: Event, number: int) -> tuple[list[object], list[str]]:
    """Let an event happen under load, and judge it when the cluster is whole again."""
    cluster.wait_until_whole()
    with Load(cluster.door, reads=READS, writes=WRITES, name=f"event {number} item") as load:
        time.sleep(BEFORE)
        event.act(cluster)
        time.sleep(DURING)
        event.mend(cluster)
        time.sleep(AFTER)
    cluster.wait_until_whole()
    return judge(event, load, cluster.kept())


def find_cluster(lab: Lab) -> Cluster:
    groups = lab.groups()
    members = {engine: (groups[f"{engine}_master"][0], groups[f"{engine}_replica"][0]) for engine in ("mysql", "redis")}
    return Cluster(lab, lab.addresses()[groups["haproxy"][0]], tuple(groups["apache_php"]), members)


def play(
    arguments: Sequence[str],
    name: str,
    what: str,
    head: Sequence[str],
    events: Callable[[Cluster], Sequence[Event]],
    run: Run,
    settings: Mapping[str, Any] | None = None,
) -> int:
    """Build the lab's cluster, let the events happen one after the other, and tell what became of them."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    parser.add_argument("--only", default="", help="run the events whose names hold this text")
    options = parser.parse_args(arguments)
    lab = Lab(options.inventory.resolve(), settings or {})
    lines: list[list[object]] = []
    wrong: list[str] = []
    try:
        lab.lab("up")
        lab.converge()
        cluster = find_cluster(lab)
        # site.yml's last look has written an item, and so made the table.
        lab.keep_items(cluster.primary("mysql"))
        for number, event in enumerate(events(cluster), 1):
            if options.only in event.name:
                line, found = run(cluster, event, number)
                lines.append(line)
                wrong += found
                print(*line, sep="  ", flush=True)
        lab.on(cluster.primary("mysql"), "mysql", "demo", "-e", "DROP TRIGGER keep; DROP TABLE kept")
    except ClusterError as error:
        wrong.append(str(error))
    print(f"\n{table(head, lines)}\n")
    print("\n".join(wrong) or f"{name}: every budget was kept.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(play(sys.argv[1:], "fault-run", __doc__, HEAD, events, run))
