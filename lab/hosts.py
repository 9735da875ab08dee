# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the hosts of a lab up, and take labs down."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .cluster import NAME, Cluster
from .command import LabError, run
from .inventory import Host
from .keys import drop_host_key, drop_keys, ssh_argv, write_keys
from .machine import restore_kernel, tune_kernel
from .network import check_addresses, drop_routes, make_networks, subnets_of
from .podman import Podman

# Root of a host is nobody on the machine: a user namespace, with ids that neither people nor other containers have.
ROOT_ID = 1900000000
IDS = f"0:{ROOT_ID}:65536"
# What systemd in a container does without. podman drops nothing from a privileged container, so its first process does.
DROPPED = (
    "sys_time sys_module sys_rawio sys_boot mknod syslog wake_alarm block_suspend mac_admin mac_override perfmon bpf"
)


def container_argv(cluster: Cluster, host: Host, image: str) -> list[str]:
    """The arguments that make one host."""
    state = cluster.state
    labels = {**cluster.labels, f"{NAME}-image": image}
    return [
        "run", "--detach", "--name", cluster.container(host), "--hostname", host.name,
        *(word for name, value in labels.items() for word in ("--label", f"{name}={value}")),
        "--network", f"{cluster.network(host.subnet)}:ip={host.address},mac={host.mac}",
        # "privileged" within the user namespace only: nothing of the machine belongs to it.
        "--systemd=always", "--privileged", "--uidmap", IDS, "--gidmap", IDS, "--pids-limit", "0",
        "--volume", f"{state}/hostkey-{host.name}:/etc/ssh/ssh_host_ed25519_key:ro",
        "--volume", f"{state}/authorized_keys:/etc/ssh/lab_authorized_keys:ro",
        image, "setpriv", "--bounding-set", ",".join(f"-{name}" for name in DROPPED.split()), "/sbin/init",
    ]  # fmt: skip


def up(cluster: Cluster, image: str, podman: Podman) -> None:
    """Bring every host to a state in which SSH answers and systemd has finished booting."""
    podman.prepare()
    check_addresses(cluster, podman)
    write_keys(cluster, ROOT_ID)
    tune_kernel()
    make_networks(cluster, podman)
    present = {row["Names"][0]: row for row in podman.containers(f"{NAME}={cluster.name}")}
    stale = set(present) - {cluster.container(host) for host in cluster.hosts}
    if stale:
        remove(podman, sorted(stale))
    for host in cluster.hosts:
        name = cluster.container(host)
        row = present.get(name)
        if row and (row["State"] == "created" or row["Labels"].get(f"{NAME}-image") != image):
            remove(podman, [name])
            row = None
        if row is None:
            podman(*container_argv(cluster, host, image))
        elif row["State"] != "running":
            podman("start", name)
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda host: wait_booted(cluster, host), cluster.hosts))


def power_off(cluster: Cluster, name: str, podman: Podman) -> None:
    """End a host as a power failure does. It cannot do so itself: no process of it may switch a machine off."""
    podman("kill", "--signal", "KILL", *present(cluster, name, podman)["Names"])


def present(cluster: Cluster, name: str, podman: Podman) -> dict[str, Any]:
    """What podman tells of a host."""
    host = next(host for host in cluster.hosts if host.name == name)
    rows = [row for row in podman.containers(f"{NAME}={cluster.name}") if cluster.container(host) in row["Names"]]
    if not rows:
        raise LabError(f"Lab host {name} is not up: run lab-up first.")
    return rows[0]


def replace(cluster: Cluster, name: str, podman: Podman) -> None:
    """Put an empty host of the same image in the place of a host: same name and address, another host key."""
    host = next(host for host in cluster.hosts if host.name == name)
    row = present(cluster, name, podman)
    remove(podman, [cluster.container(host)])
    drop_host_key(cluster, name)
    write_keys(cluster, ROOT_ID)
    podman(*container_argv(cluster, host, row["Labels"][f"{NAME}-image"]))
    wait_booted(cluster, host)


def remove(podman: Podman, names: Sequence[str], pause: float = 1.0) -> None:
    """Remove containers; on a busy machine their processes are there a moment longer, and crun refuses until they are gone."""
    for last in (False, False, True):
        podman("rm", "--force", "--ignore", "--time", "0", *names, check=last)
        if not {row["Names"][0] for row in podman.containers()} & set(names):
            return
        time.sleep(pause)


def wait_booted(cluster: Cluster, host: Host, patience: float = 90.0) -> None:
    """An open port is not a booted host: systemd itself must say so, and SSH must let us in."""
    deadline = time.monotonic() + patience
    state = ""
    while time.monotonic() < deadline:
        # Not with --wait: it was seen to miss the signal and to wait for ever on a host that was running.
        probe = run(ssh_argv(cluster, host.name, ["systemctl", "is-system-running"]), check=False)
        state = probe.stdout.strip()
        if state == "running":
            return
        if state == "degraded":
            failed = run(ssh_argv(cluster, host.name, ["systemctl", "--failed", "--plain", "--no-legend"]), check=False)
            raise LabError(f"Lab host {host.name} booted with failed units: {failed.stdout.strip()}")
        time.sleep(1)
    raise LabError(
        f"Lab host {host.name} did not boot within {patience:.0f} s (systemd says '{state}'): run lab-down, then lab-up."
    )


def every_lab(podman: Podman) -> dict[str, tuple[pathlib.Path, str]]:
    """The labs of the machine by name, each with its inventory and prefix, also those that a killed test left."""
    told = [row["Labels"] for row in podman.containers()] + [row["labels"] for row in podman.networks()]
    return {one[NAME]: (pathlib.Path(one[f"{NAME}-inventory"]), one[f"{NAME}-prefix"]) for one in told}


def down(name: str, inventory: pathlib.Path, prefix: str, podman: Podman) -> None:
    """Remove every trace of one lab, and of no other; the image stays."""
    containers = sorted(row["Names"][0] for row in podman.containers(f"{NAME}={name}"))
    if containers:
        remove(podman, containers)
    networks = podman.networks(f"{NAME}={name}")
    drop_routes(subnet for row in networks for subnet in subnets_of(row))
    if networks:
        podman("network", "rm", "--force", *sorted(row["name"] for row in networks))
    drop_keys(inventory, prefix)


def give_back(podman: Podman) -> None:
    """Undo what was changed on the machine, once the last lab is gone."""
    if not podman.containers() and not podman.networks():
        restore_kernel()
        podman.release()
