# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the lab's data tiers go over to TLS, and change their certificates and the authority of these, under load.

Every request through the front door must be answered, every acknowledged write must be there exactly once on every server, no server
may be restarted but a MariaDB that is a replica at that moment, and the next run of site.yml must change nothing. Where the MySQL primary
moves, writers may wait for 3 s. The exit code is 1 where it is otherwise.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import mysql
from .cluster import CHECKOUT, ClusterError, Lab, table
from .load import Load, failures
from .mysql import MOST_SECONDS
from .redis_load import Count, RedisLoad, count, lists_on
from .rotate_secrets import changes

HEAD = (
    "event",
    "requests",
    "failed",
    "writes to Redis",
    "rows in MySQL",
    "lost",
    "doubled",
    "refused by Redis",
    "failed reads of MySQL",
    "longest gap of writers",
    "restarts",
    "certificates",
    "changes of a second run",
)
SERVICES = {"mysql": "mariadb", "redis": "redis-server"}
FOLDERS = {"mysql": "/etc/mysql/webcluster-tls", "redis": "/etc/webcluster-redis-tls"}
PORTS = {"mysql": 3306, "redis": 6378}
# MySQL turns to TLS after its greeting.
TURNS = {"mysql": ["-starttls", "mysql"], "redis": []}
WITHOUT: Mapping[str, object] = {"webcluster_tls": []}
# What others are shown, asked on the host itself; a server without TLS shows nothing.
SHOWN = """
words = ["openssl", "s_client", *turns, "-connect", f"{address}:{port}", "-CAfile", f"{folder}/ca.pem", "-verify_return_error"]
said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
end = "-----END CERTIFICATE-----"
print(json.dumps(said.partition(end)[0] if end in said and "Verify return code: 0" in said else ""))
"""


@dataclass(frozen=True)
class Cluster:
    """The lab's cluster, and its data servers by tier."""

    lab: Lab
    web: str
    tiers: dict[str, list[str]]
    mysql: mysql.Cluster

    def starts(self) -> dict[str, str]:
        """When each data server began."""
        return {
            host: self.lab.on(
                host, "systemctl", "show", "-P", "ExecMainStartTimestampMonotonic", SERVICES[tier]
            ).strip()
            for tier, hosts in self.tiers.items()
            for host in hosts
        }

    def shown(self) -> dict[str, str]:
        """The certificate of each data server that its authority has signed; empty where there is none."""
        addresses = self.lab.addresses()
        return {
            host: self.lab.run_python(
                host, SHOWN, address=addresses[host], port=PORTS[tier], folder=FOLDERS[tier], turns=TURNS[tier]
            )
            for tier, hosts in self.tiers.items()
            for host in hosts
        }


def without(cluster: Cluster) -> None:
    """Take TLS from a cluster that has it: MariaDB gives its certificate up at its start."""
    cluster.lab.converge(variables=WITHOUT)
    for host in (cluster.mysql.replica, cluster.mysql.primary):
        cluster.mysql.systemctl(host, "restart", SERVICES["mysql"])
    cluster.lab.converge(variables=WITHOUT)


def go_over(cluster: Cluster) -> None:
    cluster.lab.converge()


def move_on(cluster: Cluster) -> None:
    """The MariaDB that was the primary takes its certificate when it is a replica."""
    mysql.move(cluster.mysql)
    cluster.lab.converge()


def renew(cluster: Cluster) -> None:
    """Servers whose certificate is gone get another one, as those whose certificate ends do."""
    for tier, hosts in cluster.tiers.items():
        for host in hosts:
            cluster.lab.on(host, "rm", f"{FOLDERS[tier]}/server.pem")
    cluster.lab.converge()


def made_by_somebody_else() -> str:
    """The private key and the certificate of an authority."""
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "3650",
    ]
    words += ["-subj", "/CN=another authority", "-keyout", "-", "-out", "-"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def change_authority(cluster: Cluster) -> None:
    """The three runs of docs/tls.md."""
    path = cluster.lab.inventory / ".secrets/ca.pem"
    mark = "-----BEGIN CERTIFICATE-----"
    old_key, _mark, rest = path.read_text(encoding="utf-8").partition(mark)
    old = mark + rest
    new_key, _mark, rest = made_by_somebody_else().partition(mark)
    new = mark + rest
    for text in (old_key + old + new, new_key + new + old, new_key + new):
        path.write_text(text, encoding="utf-8")
        cluster.lab.converge()


@dataclass(frozen=True)
class Event:
    """What happens; before: what comes first, without load. restarts: of replicas. moves: whether the MySQL primary does."""

    name: str
    act: Callable[[Cluster], None]
    before: Callable[[Cluster], None] | None = None
    restarts: int = 0
    moves: bool = False


EVENTS = (
    Event("a cluster without TLS goes over", go_over, without, restarts=1),
    Event("the MySQL primary moves, site.yml again", move_on, restarts=1, moves=True),
    Event("certificates renewed", renew),
    Event("another authority, in three runs", change_authority),
)


@dataclass(frozen=True)
class Figures:
    """What became of the load while an event happened."""

    requests: int
    failed: int
    redis: Count
    rows: int
    rows_lost: int
    rows_doubled: int
    refused: int
    failed_reads: int
    gap: float
    restarts: int

    def cells(self) -> list[object]:
        lost, doubled = self.redis.lost + self.rows_lost, self.redis.doubled + self.redis.broken + self.rows_doubled
        shown: list[object] = [self.requests, self.failed, self.redis.acknowledged, self.rows, lost, doubled]
        return [*shown, self.refused, self.failed_reads, f"{self.gap:.2f} s", self.restarts]


def judge(event: Event, found: Figures, needless: int, old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What went wrong. needless: changes of the next run; old and new: the certificate of each server."""
    expected = {
        "acknowledged writes lost": found.redis.lost + found.rows_lost,
        "writes there twice": found.redis.doubled + found.redis.broken + found.rows_doubled,
        "writes refused by Redis": found.refused,
        "requests failed": 0 if event.moves else found.failed,
        "changes of site.yml afterwards": needless,
    }
    wrong = [f"{event.name}: {number} {what}, expected none" for what, number in expected.items() if number]
    wrong += [f"{event.name}: {found.restarts} restarts, expected {event.restarts}"] * (
        found.restarts != event.restarts
    )
    wrong += [f"{event.name}: a writer had no service for {found.gap:.1f} s"] * (found.gap > MOST_SECONDS)
    same = [host for host in new if new[host] == old[host]]
    # A primary that waits for its start, and the servers that had theirs before.
    if len(same) > (1 if event.restarts else 0) and not event.moves:
        wrong.append(f"{event.name}: {', '.join(same)} show what they showed before")
    return wrong


def run(cluster: Cluster, event: Event, number: int) -> tuple[list[object], list[str]]:
    """Let an event happen under load; return its line of the table, and what went wrong."""
    lab = cluster.lab
    if event.before:
        event.before(cluster)
    starts, old = cluster.starts(), cluster.shown()
    door = Load(lab.addresses()[lab.groups()["haproxy"][0]], name=f"tls{number}")
    writers = RedisLoad(lab, cluster.web, f"{int(time.time())}-{number}", lab.secret("site_demo_redis"))
    programs = mysql.clients(cluster.mysql)
    with ExitStack() as stack:
        loads: list[AbstractContextManager[object]] = [door, writers, *programs]
        for load in loads:
            stack.enter_context(load)
        time.sleep(mysql.BEFORE)
        event.act(cluster)
        time.sleep(mysql.AFTER)
    needless = changes(lab.converge())
    new, then = cluster.shown(), cluster.starts()
    written = writers.of("write")
    counts = [count(written, lists_on(lab, host, written)) for host in cluster.tiers["redis"]]
    rows = {
        (each.name, int(answer.text))
        for each in programs
        for answer in each.answers
        if each.kind == "write" and answer.good
    }
    reads = [answer for each in programs for answer in each.answers if each.kind == "read"]
    gaps = [mysql.longest_gap(each.answers) for each in programs if each.kind == "write"]
    figures = Figures(
        len(door.answers),
        failures(door.answers).total(),
        max(counts, key=lambda each: (each.lost, each.doubled, each.broken)),
        len(rows),
        *mysql.compare(cluster.mysql, rows),
        writers.reasons("write").total(),
        failures(reads).total(),
        max(*gaps, writers.gap("write")),
        sum(starts[host] != then[host] for host in starts),
    )
    for reason, times in (failures(door.answers) + writers.reasons("write") + failures(reads)).most_common(3):
        print(f"{event.name}: {times} x {reason}", file=sys.stderr)
    shown = f"{sum(bool(new[host]) and new[host] != old[host] for host in new)} of {len(new)} new"
    return [event.name, *figures.cells(), shown, needless], judge(event, figures, needless, old, new)


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
        tiers = {tier: [*groups[f"{tier}_master"], *groups[f"{tier}_replica"]] for tier in SERVICES}
        live = {row["role"]: row["server"] for row in lab.verdict()["servers"] if row["tier"] == "mysql"}
        web = groups["apache_php"][0]
        cluster = Cluster(lab, web, tiers, mysql.Cluster(lab, web, live["primary"], live["replica"]))
        mysql.prepare(cluster.mysql)
        for number, event in enumerate(EVENTS, 1):
            if options.only in event.name:
                line, found = run(cluster, event, number)
                lines.append(line)
                wrong += found
                print(*line, sep="  ", flush=True)
    except ClusterError as error:
        wrong.append(str(error))
    print(f"\n{table(HEAD, lines)}\n")
    print("\n".join(wrong) or "error-budget: every budget was kept.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
