# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the lab."""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import subprocess
from collections.abc import Sequence

from .cluster import CHECKOUT, Cluster, find_cluster
from .command import LabError
from .hosts import down, every_lab, give_back, power_off, replace, up
from .image import ensure_image
from .keys import drop_keys, ssh_argv
from .machine import ensure_machine, extend_path, locked
from .podman import Podman

ACTIONS = {
    "up": "start the hosts of an inventory",
    "down": "remove them with everything that belongs to them",
    "ssh": "open a shell on a host, or run a command there",
    "power-off": "cut the power of a host, which writes nothing any more; 'up' switches it on again",
    "replace": "put an empty host in the place of a host, under the same name and address",
    "image": "build the image",
    "list": "names and addresses",
}
NEEDS_ROOT = ("up", "down", "power-off", "replace", "image")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--inventory", type=pathlib.Path, default=CHECKOUT / "inventory/lab", help="folder with hosts.yml and host_vars"
    )
    parser = argparse.ArgumentParser(prog="lab", description="Real systemd hosts with sshd, reached like VMs.")
    actions = parser.add_subparsers(dest="action", required=True)
    for action, summary in ACTIONS.items():
        sub = actions.add_parser(action, parents=[shared], help=summary, description=summary)
        if action == "down":
            sub.add_argument("--all", action="store_true", help="every lab of this machine, also of other checkouts")
        if action in ("ssh", "power-off", "replace"):
            sub.add_argument("host")
        if action == "ssh":
            sub.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    options.inventory = options.inventory.resolve()
    return options


def ready_podman() -> Podman:
    ensure_machine()
    podman = Podman()
    podman.prepare()
    return podman


def take_down(options: argparse.Namespace) -> None:
    """Take down one lab, or all; without podman there is none, only its keys may have stayed."""
    with locked():
        podman = Podman() if shutil.which("podman") else None
        if podman:
            podman.prepare()
        if not options.all:
            cluster = find_cluster(options.inventory, os.environ)
            labs = {cluster.name: (cluster.inventory, cluster.prefix)}
        else:
            labs = every_lab(podman) if podman else {}
        for name, (inventory, prefix) in labs.items():
            if podman:
                down(name, inventory, prefix, podman)
            else:
                drop_keys(inventory, prefix)
            print(f"lab: '{name}' of {inventory} with prefix {prefix} is down, nothing is left of it")
        if podman:
            give_back(podman)


def bring_up(cluster: Cluster, release: str) -> None:
    with locked():
        podman = ready_podman()
        up(cluster, ensure_image(podman, release), podman)
    where = f"ssh -F {cluster.ssh_config} {cluster.hosts[0].name}"
    print(f"lab: {len(cluster.hosts)} hosts of '{cluster.name}' are up with prefix {cluster.prefix}; {where}")


def put_in_place(cluster: Cluster, name: str) -> None:
    with locked():
        podman = Podman()
        podman.prepare()
        replace(cluster, name, podman)
    print(f"lab: {name} is an empty host now, at the same address and with a new host key")


def main(argv: Sequence[str]) -> int:
    options = parse(argv)
    if options.action in NEEDS_ROOT and os.geteuid() != 0:
        raise LabError("The lab makes and removes containers, networks and routes and needs root: run it with sudo.")
    extend_path()
    release = os.environ.get("LAB_RELEASE") or "13"
    if options.action == "image":
        with locked():
            print(ensure_image(ready_podman(), release))
        return 0
    if options.action == "down":
        take_down(options)
        return 0
    cluster = find_cluster(options.inventory, os.environ)
    if options.action == "up":
        bring_up(cluster, release)
        return 0
    if options.action in ("ssh", "power-off", "replace"):
        names = [host.name for host in cluster.hosts]
        if options.host not in names:
            raise LabError(f"HOST is '{options.host}'; expected one of {', '.join(names)}.")
        if options.action == "ssh":
            return subprocess.call(ssh_argv(cluster, options.host, options.command))
        if options.action == "power-off":
            power_off(cluster, options.host, Podman())
            return 0
        put_in_place(cluster, options.host)
        return 0
    for host in cluster.hosts:
        print(f"{host.name:16} {host.address}")
    return 0
