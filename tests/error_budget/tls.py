# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the lab's data tiers go over to TLS, and change their certificates and the authority of these, under load.

Every request through the front door must be answered, every acknowledged write must be there exactly once on every server, no server
may be restarted, and the next run of site.yml must change nothing. The exit code is 1 where it is otherwise.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cluster import CHECKOUT, ClusterError, Lab, table
from .load import Load, failures
from .redis_load import Count, RedisLoad, count, lists_on
from .rotate_secrets import changes

HEAD = (
    "event",
    "requests",
    "failed",
    "writes to Redis",
    "lost",
    "doubled",
    "refused",
    "longest gap of writers",
    "restarts",
    "certificates",
    "changes of a second run",
)
SERVICES = {"redis": "redis-server"}
FOLDERS = {"redis": "/etc/webcluster-redis-tls"}
WITHOUT: Mapping[str, object] = {"webcluster_tls": []}
# What others are shown, asked on the host itself; a server without TLS shows nothing.
SHOWN = """
words = ["openssl", "s_client", "-connect", f"{address}:{port}", "-CAfile", f"{folder}/ca.pem", "-verify_return_error"]
said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
end = "-----END CERTIFICATE-----"
print(json.dumps(said.partition(end)[0] if end in said and "Verify return code: 0" in said else ""))
"""
PORTS = {"redis": 6378}


@dataclass(frozen=True)
class Cluster:
    """The lab's cluster, and its data servers by tier."""

    lab: Lab
    web: str
    tiers: dict[str, list[str]]

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
            host: self.lab.run_python(host, SHOWN, address=addresses[host], port=PORTS[tier], folder=FOLDERS[tier])
            for tier, hosts in self.tiers.items()
            for host in hosts
        }


def go_over(cluster: Cluster) -> None:
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
    """What happens; before: what the cluster is told first, without load."""

    name: str
    act: Callable[[Cluster], None]
    before: Mapping[str, object] | None = None


EVENTS = (
    Event("a cluster without TLS goes over", go_over, WITHOUT),
    Event("certificates renewed", renew),
    Event("another authority, in three runs", change_authority),
)


def worst(counts: Iterable[Count], what: str) -> int:
    return max(int(getattr(each, what)) for each in counts)


def judge(event: str, figures: dict[str, int], needless: int, old: dict[str, str], new: dict[str, str]) -> list[str]:
    """What went wrong. figures: what must be 0, by what it is. needless: changes of the next run."""
    wrong = [f"{event}: {number} {what}, expected none" for what, number in figures.items() if number]
    wrong += [f"{event}: site.yml changed {needless} things afterwards, expected none"] * bool(needless)
    wrong += [f"{event}: {host} shows no certificate that its authority has signed" for host in new if not new[host]]
    wrong += [f"{event}: {host} shows its former certificate" for host in new if new[host] and new[host] == old[host]]
    return wrong


def run(cluster: Cluster, event: Event, number: int) -> tuple[list[object], list[str]]:
    """Let an event happen under load; return its line of the table, and what went wrong."""
    lab = cluster.lab
    if event.before is not None:
        lab.converge(variables=event.before)
    starts, old = cluster.starts(), cluster.shown()
    door = Load(lab.addresses()[lab.groups()["haproxy"][0]], name=f"tls{number}")
    writers = RedisLoad(lab, cluster.web, f"{int(time.time())}-{number}", lab.secret("site_demo_redis"))
    with door, writers:
        event.act(cluster)
    needless = changes(lab.converge())
    new, then = cluster.shown(), cluster.starts()
    written = writers.of("write")
    counts = [count(written, lists_on(lab, host, written)) for host in cluster.tiers["redis"]]
    figures = {
        "requests failed": failures(door.answers).total(),
        "acknowledged writes lost": worst(counts, "lost"),
        "writes there twice": worst(counts, "doubled") + worst(counts, "broken"),
        "writes refused": writers.reasons("write").total(),
        "servers restarted": sum(starts[host] != then[host] for host in starts),
    }
    failed, lost, doubled, refused, restarts = figures.values()
    renewed = sum(bool(new[host]) and new[host] != old[host] for host in new)
    line: list[object] = [event.name, len(door.answers), failed, counts[0].acknowledged, lost, doubled, refused]
    line += [f"{writers.gap('write'):.2f} s", restarts, f"{renewed} of {len(new)} new", needless]
    for reason, times in (failures(door.answers) + writers.reasons("write")).most_common(3):
        print(f"{event.name}: {times} x {reason}", file=sys.stderr)
    return line, judge(event.name, figures, needless, old, new)


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
        cluster = Cluster(lab, groups["apache_php"][0], tiers)
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
