# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Update, release, scale and break the lab's web tier under a steady load, each event with its budget; no acknowledged write may be
lost, none may be done twice, and planned events fail no request.

Reads and writes come plain and over TLS, on new connections and on some that clients keep; beside them through the tutorial's
HAProxy, in front of the same web servers. At the end one of two load balancers is stopped (balancers.py). The exit code is 1 when
a budget was exceeded, or an event did not do what it has to.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import balancers, tutorial, web_faults
from .cluster import ClusterError
from .faults import Cluster, Event, judge, nothing, play
from .load import FIGURES, Load, figures
from .releases import HOST, Shop

# Reads and writes a second on new connections, and clients that keep theirs.
READS, WRITES, CLIENTS = 5, 3, 2
# For a budget of a share, which needs many requests.
MANY_READS, MANY_WRITES = 20, 5
# A client waits longer than the load balancer does for a web server that is frozen: 30 s for the page, and 5 more.
CLIENT_SECONDS = 40.0
# Seconds of load before an event and after it.
BEFORE, AFTER = 3.0, 5.0
RELOADS = 20
HEAD = ("event", "seconds", *FIGURES, "lost", "budget", *tutorial.HEAD)
PLAYBOOK = "playbooks/rolling_update.yml"
# Makes newer packages out of the present ones, and offers them to apt: newer.sh MARK [LINE OF A PREINST] PACKAGE...
NEWER = r"""
set -eu
mark=$1 preinst=$2; shift 2
rm -rf /srv/newer /etc/apt/sources.list.d/newer.list
apt-get update -qq
mkdir -p /srv/newer && cd /srv/newer
for package in "$@"; do
  apt-get download -qq "$package=$(apt-cache madison "$package" | awk 'NR == 1 {print $3}')"
  dpkg-deb -R "$package"_*.deb tree
  rm "$package"_*.deb
  sed -i "s/^Version: .*/&+newer$mark/" tree/DEBIAN/control
  if [ -n "$preinst" ]; then printf '#!/bin/sh\n%s\n' "$preinst" >tree/DEBIAN/preinst; chmod 755 tree/DEBIAN/preinst; fi
  dpkg-deb -b tree "$package.deb" >/dev/null
  rm -r tree
  { dpkg-deb -f "$package.deb"; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package.deb" \
    "$(stat -c %s "$package.deb")" "$(sha256sum "$package.deb" | cut -d ' ' -f 1)"; } >>Packages
done
echo 'deb [trusted=yes] file:/srv/newer ./' >/etc/apt/sources.list.d/newer.list
apt-get update -qq
"""
NO_NEWER = "rm -rf /srv/newer /etc/apt/sources.list.d/newer.list; apt-get update -qq"


def balancer(cluster: Cluster) -> str:
    return cluster.lab.groups()["haproxy"][0]


def hosts(cluster: Cluster) -> tuple[str, ...]:
    """Who is updated, in this order."""
    return (*cluster.web, balancer(cluster))


def packages(cluster: Cluster, host: str) -> list[str]:
    return ["apache2", cluster.fpm(), "haproxy"] if host in cluster.web else ["haproxy"]


def offer(cluster: Cluster, host: str, mark: str, preinst: str = "") -> None:
    """Let a host's apt know newer packages of what it runs."""
    cluster.on(host, "sh", "-c", NEWER, "newer", mark, preinst, *packages(cluster, host))


def versions(cluster: Cluster, host: str) -> list[str]:
    return cluster.lab.on(host, "dpkg-query", "--show", *packages(cluster, host)).splitlines()


def update(cluster: Cluster, said: Sequence[str], fails: bool = False, **variables: object) -> None:
    """Run the playbook, which must end well or fail, and say this."""
    cluster.lab.expect(PLAYBOOK, said, fails=fails, variables=variables)


def expect_newer(cluster: Cluster, mark: str) -> None:
    for host in hosts(cluster):
        old = [line for line in versions(cluster, host) if not line.endswith(f"+newer{mark}")]
        if old:
            raise ClusterError(f"{host} still has {', '.join(old)}; expected newer{mark}.")


def next_mark() -> str:
    """Newer than whatever an earlier event, or an earlier run in this lab, has left."""
    return str(int(time.time()))


def upgrade(cluster: Cluster) -> None:
    """Every web server and the load balancer get newer packages."""
    mark = next_mark()
    for host in hosts(cluster):
        offer(cluster, host, mark)
    update(cluster, [f"Order: {', then '.join(hosts(cluster))}.", "VERDICT healthy"])
    expect_newer(cluster, mark)


def upgrade_and_fail(cluster: Cluster) -> None:
    """A package that cannot be installed on the second web server ends the run there; mended, the run begins there."""
    first, second, third = cluster.web
    mark = next_mark()
    for host in hosts(cluster):
        offer(cluster, host, mark, "exit 1" if host == second else "")
    refused = f"{second} could not be updated: Upgrade Apache and PHP:"
    update(cluster, [refused, "It stays drained, the others serve."], fails=True)
    for host in (third, balancer(cluster)):
        if any(line.endswith(f"+newer{mark}") for line in versions(cluster, host)):
            raise ClusterError(f"{host} was updated after {second} had failed.")
    offer(cluster, second, mark)
    update(cluster, [f"Order: {second}, then {first}, then {third}, then {balancer(cluster)}.", "VERDICT healthy"])
    expect_newer(cluster, mark)


def configure(cluster: Cluster) -> None:
    """A changed setting reaches every web server, and goes again."""
    for line in ("# changed", ""):
        update(cluster, ["VERDICT healthy"], apache_php_extra_config=line, webcluster_update_packages=False)


def reload_often(cluster: Cluster) -> None:
    """The tutorial's HAProxy knows no reload: its new configuration takes a restart."""
    for _number in range(RELOADS):
        cluster.on(balancer(cluster), "systemctl", "reload", "haproxy")
        cluster.on(balancer(cluster), "systemctl", "restart", tutorial.UNIT)


def forget_newer(cluster: Cluster) -> None:
    for host in hosts(cluster):
        cluster.on(host, "sh", "-c", NO_NEWER)


UPDATES = (
    Event(f"{RELOADS} reloads of the load balancer", reload_often, nothing),
    Event("rolling update, newer packages", upgrade, forget_newer),
    Event("rolling update that fails, and again", upgrade_and_fail, forget_newer),
    Event("rolling update, configuration", configure, nothing),
)


def run(cluster: Cluster, event: Event, number: int) -> tuple[list[object], list[str]]:
    """Let an event happen under load; return its line of the table, and what exceeds its budget."""
    cluster.wait_until_whole()
    begin = time.monotonic()
    addresses = cluster.lab.addresses()
    servers = [(host, f"{addresses[host]}:80") for host in cluster.web]
    reads, writes = (MANY_READS, MANY_WRITES) if event.requests else (READS, WRITES)
    usual: dict[str, Any] = {"reads": reads, "kept": CLIENTS, "timeout": CLIENT_SECONDS}
    with (
        tutorial.balancer(cluster.lab, balancer(cluster), {tutorial.PORT: servers}),
        Load(cluster.door, **usual, writes=writes, name=f"web {number} item") as load,
        Load(cluster.door, **usual, writes=writes, tls=True, name=f"web {number} TLS item") as secure,
        Load(cluster.door, **usual, writes=0, read_path="/", host=HOST) as shop,
        Load(f"{cluster.door}:{tutorial.PORT}", **usual, writes=writes, name=f"tutorial {number}") as theirs,
    ):
        time.sleep(BEFORE)
        event.act(cluster)
        # What it does to running requests ends before the tutorial's HAProxy does.
        event.mend(cluster)
        time.sleep(AFTER)
        while sum(len(each.answers) for each in (load, secure, shop)) < event.requests:
            time.sleep(1)
    seconds = time.monotonic() - begin
    cluster.wait_until_whole()
    kept = cluster.kept()
    load.answers += secure.answers + shop.answers
    _line, wrong = judge(event, load, kept)
    lost = len(load.acknowledged() - kept.keys())
    budget = "exceeded" if wrong else f"{event.reads} reads, {event.writes} writes"
    return [event.name, f"{seconds:.0f}", *figures(load.answers), lost, budget, *figures(theirs.answers)], wrong


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        settings = {**shop.settings, **tutorial.openings([tutorial.PORT])}

        def events(cluster: Cluster) -> list[Event]:
            return [*UPDATES, *shop.events(), *web_faults.events(cluster)]

        exceeded = play(sys.argv[1:], "error-budget", __doc__, HEAD, events, run, settings)
    # Two load balancers are a lab of their own.
    sys.exit(balancers.play(sys.argv[1:]) or exceeded)
