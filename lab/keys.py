# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, known hosts and the SSH configuration of one lab."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Sequence

from .cluster import CURRENT, STATE, Cluster
from .command import LabError, run

HOST_USER = "ops"


def write_keys(cluster: Cluster, root_id: int) -> None:
    """One key for the operator, one host key for each host, made before the first connection."""
    state = cluster.state
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = [state / "id_ed25519"] + [state / f"hostkey-{host.name}" for host in cluster.hosts]
    for path in wanted:
        if not path.exists():
            comment = f"{cluster.name} {path.name}"
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    shutil.copy(state / "id_ed25519.pub", state / "authorized_keys")
    # sshd takes neither file unless its own root owns it.
    for path in [state / "authorized_keys", *wanted[1:]]:
        os.chown(path, root_id, root_id)
    known, config = [], []
    for host in cluster.hosts:
        key = " ".join((state / f"hostkey-{host.name}.pub").read_text().split()[:2])
        known.append(f"{host.name},{host.address} {key}\n")
        config.append(f"Host {host.name} {host.address}\n  HostName {host.address}\n")
    (state / "known_hosts").write_text("".join(known))
    cluster.ssh_config.write_text(
        "".join(config)
        + f"Host *\n  User {HOST_USER}\n  IdentityFile {quoted(state / 'id_ed25519')}\n  IdentitiesOnly yes\n"
        + f"  UserKnownHostsFile {quoted(state / 'known_hosts')}\n  GlobalKnownHostsFile none\n"
        + "  StrictHostKeyChecking yes\n  ConnectTimeout 10\n"
    )
    (state / "prefix").write_text(cluster.prefix)
    cluster.set_current()


def drop_host_key(cluster: Cluster, name: str) -> None:
    """Let the next write_keys make another one, as for a machine that was installed anew."""
    for ending in ("", ".pub"):
        (cluster.state / f"hostkey-{name}{ending}").unlink()


def quoted(path: pathlib.Path) -> str:
    """A path as ssh_config takes it, with blanks and percent signs."""
    return '"' + str(path).replace("%", "%%") + '"'


def drop_keys(inventory: pathlib.Path, prefix: str) -> None:
    """Remove what write_keys made; of several labs of the inventory another becomes the current one."""
    folder = inventory / STATE
    shutil.rmtree(folder / prefix, ignore_errors=True)
    current = folder / CURRENT
    if not current.is_symlink() or current.exists():
        return
    current.unlink()
    others = sorted(path.name for path in folder.iterdir())
    if others:
        current.symlink_to(others[0])
    else:
        folder.rmdir()


def ssh_argv(cluster: Cluster, host: str, command: Sequence[str] = ()) -> list[str]:
    if not cluster.ssh_config.exists():
        raise LabError(
            f"The lab of {cluster.inventory} with prefix {cluster.prefix} is not up: run lab-up first, "
            "or set LAB_PREFIX to the one it was brought up with."
        )
    return ["ssh", "-F", str(cluster.ssh_config), *(["-o", "BatchMode=yes"] if command else []), host, *command]
