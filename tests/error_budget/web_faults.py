# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may happen to web servers and certificates: killed, frozen, broken, taken away and given back, and replaced."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import yaml

from ..certificates import issue
from . import faults
from .cluster import ClusterError, Lab
from .faults import Act, Cluster, Event, nothing, send

# Seconds that a frozen or broken web server stays so: longer than its health check needs, shorter than a client waits.
DURING = 10.0
# With one read in three on it, and two checks, 0.3 s apart after the first, until it is out; an answer of 500 is the application's,
# and asking another server for it again would let three do what failed on one.
READS_OF_A_BROKEN_ONE, WRITES_OF_A_BROKEN_ONE = 40, 8
# A kill may cost one request in ten thousand: a write that was under way, which nobody may send a second time.
KILLED, REQUESTS, WRITES_OF_A_KILL = ("PHP-FPM killed", "Apache killed", "web host switched off"), 10_000, 1
# The time limit of the demo's requests, and half a second.
FROZEN_SECONDS = 30.5
BROKEN = "Redirect 500 /"
CONFIG = "/etc/apache2/apache2.conf"
NAME = "swapped.example"


def lasting(act: Act) -> Act:
    """Do something, and let it last."""

    def done(cluster: Cluster) -> None:
        act(cluster)
        time.sleep(DURING)

    return done


def each(*acts: Act) -> Act:
    def done(cluster: Cluster) -> None:
        for act in acts:
            act(cluster)

    return done


def broken(host: str) -> Act:
    """Let every page of a web server answer 500, its health page too."""
    return lambda cluster: cluster.on(
        host, "sh", "-c", f"cp {CONFIG} /srv/apache2.conf && echo '{BROKEN}' >> {CONFIG} && systemctl reload apache2"
    )


def mended(host: str) -> Act:
    return lambda cluster: cluster.on(host, "sh", "-c", f"cp /srv/apache2.conf {CONFIG} && systemctl reload apache2")


def swap_certificates(cluster: Cluster) -> None:
    """A certificate takes the place of the placeholder, and another one its place; each is what visitors are shown then."""
    balancer = cluster.lab.groups()["haproxy"][0]
    for _renewed in range(2):
        certificate = issue(NAME)
        cluster.lab.converge("--tags", "haproxy", variables={"haproxy_https_certificates": [certificate.variables()]})
        asked = f"openssl s_client -connect {cluster.door}:443 -servername {NAME} </dev/null 2>/dev/null | openssl x509"
        shown = cluster.lab.on(balancer, "sh", "-c", asked)
        if shown.strip() not in certificate.certificate:
            raise ClusterError(f"After the run {NAME} is not shown its certificate.")


def forget_certificates(cluster: Cluster) -> None:
    cluster.lab.converge("--tags", "haproxy")


def without(inventory: Path, host: str, folder: Path) -> Path:
    """The same inventory, keys and passwords, but for a host."""
    copy = folder / "inventory"
    shutil.copytree(inventory, copy, ignore=shutil.ignore_patterns(".lab", ".secrets", ".cache"))
    for kept in (".lab", ".secrets"):
        (copy / kept).symlink_to(inventory / kept)
    path = copy / "hosts.yml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    del tree["webcluster"]["children"]["apache_php"]["hosts"][host]
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return copy


def scale_in_and_out(cluster: Cluster) -> None:
    """A web server leaves the inventory, and comes back to it."""
    last = cluster.web[-1]
    with tempfile.TemporaryDirectory() as folder:
        Lab(without(cluster.lab.inventory, last, Path(folder)), cluster.lab.settings).converge()
    rest = set(cluster.web) - {last}
    if cluster.serving() != rest:
        raise ClusterError(f"Without {last} in the inventory {', '.join(sorted(cluster.serving()))} serve.")
    cluster.lab.converge()


def events(cluster: Cluster) -> list[Event]:
    second = cluster.web[1]
    units = ("apache2", cluster.fpm())
    killed = [one for one in faults.events(cluster) if one.name in KILLED]
    return [
        *(Event(one.name, lasting(one.act), one.mend, writes=WRITES_OF_A_KILL, requests=REQUESTS) for one in killed),
        Event(
            "web server frozen",
            lasting(each(*(send("STOP", unit, second) for unit in units))),
            each(*(send("CONT", unit, second) for unit in units)),
            p99=FROZEN_SECONDS,
        ),
        Event(
            "web server answers 500",
            lasting(broken(second)),
            mended(second),
            READS_OF_A_BROKEN_ONE,
            WRITES_OF_A_BROKEN_ONE,
        ),
        Event("certificate swapped twice", swap_certificates, forget_certificates),
        Event("a web server leaves and comes back", scale_in_and_out, nothing),
    ]
