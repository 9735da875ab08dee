# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove on real hosts that labs cannot be mixed up and that a host cannot change the machine; needs root.

Two copies of the checkout each make a lab of two hosts, as another user of the machine would.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FIRST_PREFIX = "10.95.4"
SECOND_PREFIX = "10.95.5"
HOSTS = """---
all:
  hosts:
    near: {ansible_host: '{{ lab_prefix }}.4'}
    far: {ansible_host: '{{ lab_prefix }}.5'}
"""
# Attempts to change the machine, each with how to see that it was refused.
ATTEMPTS = (
    ("the clock by timedatectl", "timedatectl set-time '2020-01-01 00:00:00'"),
    ("the clock by date", "date --set 2020-01-01"),
    ("a kernel setting", "sh -c 'echo 1 >/proc/sys/kernel/panic'"),
    ("the machine's devices", "mount -t devtmpfs none /mnt"),
    ("a device made by hand", "mknod /tmp/disk b 254 0"),
)
# Numbers of the capabilities in linux/capability.h.
GONE = {"CAP_SYS_MODULE": 16, "CAP_SYS_RAWIO": 17, "CAP_SYS_TIME": 25, "CAP_MKNOD": 27}


class CheckError(Exception):
    """A sentence that says what does not hold."""


@dataclass(frozen=True)
class Clone:
    """A copy of the checkout with an inventory of two hosts."""

    folder: Path

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory/pair"

    def run(self, command: Sequence[str | Path], prefix: str = "") -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "LAB_"))}
        environment |= {"LAB_PYTHON": sys.executable} | ({"LAB_PREFIX": prefix} if prefix else {})
        words = [str(word) for word in command]
        return subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    def lab(self, *words: str, prefix: str = "") -> str:
        action, *rest = words
        command = [self.folder / "lab/lab", action, "--inventory", self.inventory, *rest]
        done = self.run(command, prefix)
        if done.returncode != 0:
            raise CheckError(f"'lab {' '.join(words)}' in {self.folder} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def reached(self, prefix: str = "", variables: Mapping[str, str] | None = None) -> tuple[set[str], str]:
        """The names that the hosts which Ansible reaches from here give themselves, and the whole output."""
        program = Path(sys.executable).with_name("ansible")
        command: list[str | Path] = [
            program,
            "all",
            "-i",
            self.inventory,
            "-m",
            "ansible.builtin.command",
            "-a",
            "hostid",
        ]
        done = self.run([*command, "-e", json.dumps(variables or {})], prefix)
        return {name for name in ("near", "far") if f"{name} | CHANGED" in done.stdout}, done.stdout + done.stderr


def make_clone(folder: Path) -> Clone:
    """Copy what is tracked or new and not ignored, as a clone of the next commit would have it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = CHECKOUT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    clone = Clone(folder)
    shutil.copytree(folder / "inventory/lab/group_vars/webcluster", clone.inventory / "group_vars/all")
    (clone.inventory / "hosts.yml").write_text(HOSTS, encoding="utf-8")
    return clone


def expect(holds: object, sentence: str) -> None:
    if not holds:
        raise CheckError(sentence)


def check_healthy(clone: Clone, prefix: str = "") -> None:
    reached, output = clone.reached(prefix)
    expect(reached == {"near", "far"}, f"{clone.folder} does not reach both of its hosts:\n{output}")


def check_sides(first: Clone, second: Clone) -> None:
    """Nobody gets the other's addresses, and nobody logs in to the other's hosts."""
    refused = second.run([second.folder / "lab/lab", "up", "--inventory", second.inventory], FIRST_PREFIX)
    expect(
        refused.returncode == 2 and f"belongs to the lab of the checkout {first.folder} " in refused.stderr,
        f"The second clone was not told who has {FIRST_PREFIX}: {refused.stdout}{refused.stderr}",
    )
    second.lab("up", prefix=SECOND_PREFIX)
    for clone in (first, second):
        check_healthy(clone)
    print("two clones, two prefixes: each reaches its own hosts, also with the prefix forgotten")
    # The first clone's connections are open now, for two minutes.
    strange, output = second.reached(FIRST_PREFIX)
    expect(not strange, f"The second clone reached hosts of the first by its prefix:\n{output}")
    forced = {"lab_prefix": FIRST_PREFIX, "ansible_ssh_common_args": f"-F {second.inventory}/.lab/current/ssh_config"}
    strange, output = second.reached(variables=forced)
    expect(not strange, f"The second clone logged in to hosts of the first with its own key:\n{output}")
    expect("host key" in output.lower(), f"The second clone was stopped, but not by the host key:\n{output}")
    print("the other's prefix: refused by name, unreachable, unknown host key")


def check_machine(clone: Clone) -> None:
    """A host's root has no way to the machine."""
    for what, command in ATTEMPTS:
        before = time.time()
        done = clone.run([clone.folder / "lab/lab", "ssh", "--inventory", clone.inventory, "near", f"sudo {command}"])
        expect(done.returncode not in (0, 255), f"A host may change {what}: {done.stdout}{done.stderr}")
        expect(abs(time.time() - before) < 300, f"A host moved the machine's clock by {command}.")
    devices = clone.lab(
        "ssh", "near", "sudo sh -c 'for d in $(find /dev -type b); do head -c 1 $d 2>/dev/null && echo $d; done'; true"
    )
    expect(not devices.strip(), f"A host reads devices of the machine: {devices}")
    bounds = int(clone.lab("ssh", "near", "awk '/^CapBnd/ {print $2}' /proc/self/status"), 16)
    kept = [name for name, number in GONE.items() if bounds >> number & 1]
    expect(not kept, f"A host still has {', '.join(kept)}.")
    print(f"the machine: {len(ATTEMPTS)} attempts refused, no block device readable, without {', '.join(GONE)}")


def check_made_anew(clone: Clone) -> None:
    """A neighbour that still remembers the former host finds the new one at once."""
    look = "python3 -c \"import socket; socket.create_connection(('{}', 22), 2)\""
    address = f"{FIRST_PREFIX}.5"
    clone.lab("ssh", "near", look.format(address))
    known = clone.lab("ssh", "near", f"ip neigh show {address}").split()
    hosts = clone.lab("list")
    expect(address in hosts, f"The lab has no host {address}: {hosts}")
    clone.lab("ssh", "far", "sudo touch /former")
    # A container that is gone, as after a crash: lab-up makes another under the same address.
    (clone.inventory / "hosts.yml").write_text(HOSTS.replace("    far:", "    away:"), encoding="utf-8")
    clone.lab("up", prefix=FIRST_PREFIX)
    (clone.inventory / "hosts.yml").write_text(HOSTS, encoding="utf-8")
    clone.lab("up", prefix=FIRST_PREFIX)
    expect("former" not in clone.lab("ssh", "far", "ls /"), "The host was not made anew.")
    clone.lab("ssh", "near", look.format(address))
    now = clone.lab("ssh", "near", f"ip neigh show {address}").split()
    expect("lladdr" in known and known[4] == now[4], f"The neighbour's entry changed from {known} to {now}.")
    print(f"made anew: {address} is still at {now[4]}")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="webcluster-lab-") as name:
        first, second = make_clone(Path(name) / "first"), make_clone(Path(name) / "second")
        try:
            first.lab("up", prefix=FIRST_PREFIX)
            check_sides(first, second)
            check_machine(first)
            check_made_anew(first)
            second.lab("down")
            expect(not (second.inventory / ".lab").exists(), "lab-down left keys behind.")
            check_healthy(first)
            second.lab("up", prefix=SECOND_PREFIX)
            first.lab("down")
            check_healthy(second)
            print("down: each was healthy after the other was taken down")
        finally:
            first.lab("down", prefix=FIRST_PREFIX)
            second.lab("down", prefix=SECOND_PREFIX)
    print("lab-check: passed")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CheckError as error:
        print(f"lab-check: {error}", file=sys.stderr)
        sys.exit(1)
