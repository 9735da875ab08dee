# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an estate costs: requests, wall time and CPU of azure_estate, with operations of one second.

The subscription (tests/loopback_estate.py) is not Azure: each of its operations takes one second and it answers at once. So
the figures show how well the waiting is shared and what this side costs, not how fast Azure is. The exit code is 1 when a
bound is exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, LoopbackArm
from ansible_collections.siteops.webcluster.tests.loopback_estate import Ledger

CHECKOUT = Path(__file__).resolve().parents[2]
ADHOC = ("localhost", "-i", "localhost,", "-c", "local", "-m", "siteops.webcluster.azure_estate")
# Seconds of the first run of eight machines and of 200, of the CPU of both, and GETs of a run that finds all as it is.
FIRST_SECONDS, MANY_SECONDS, CPU_SECONDS, GETS = 8.0, 25.0, 3.0, 12
# How much longer eight machines may take than one.
EIGHT_BY_ONE = 1.3
MANY = 200


@dataclass(frozen=True)
class Run:
    """One run of the action; seconds are its own, CPU that of the whole process, start of Ansible included."""

    what: str
    puts: int
    gets: int
    seconds: float
    cpu: float


def hosts(count: int) -> list[dict[str, str]]:
    """One load balancer, and web servers."""
    web = [{"name": f"web{number:03d}", "group": "apache_php"} for number in range(1, count)]
    return [{"name": "lb1", "group": "haproxy"}, *web]


def wide() -> dict[str, object]:
    """A network that holds hundreds of machines in a subnet."""
    tiers = {"web": "10.0.0.0/23", "mysql": "10.0.2.0/24", "redis": "10.0.3.0/24", "lb": "10.0.4.0/24"}
    return {"prefixes": ["10.0.0.0/20"], "subnets": tiers}


def run(server: LoopbackArm, what: str, folder: Path, **options: object) -> Run:
    """The action by itself, as an operator runs it."""
    usual = {
        "name": "webcluster", "location": "westeurope", "admin_cidrs": ["203.0.113.0/24"], "endpoint": server.url,
        "ssh_public_key": "ssh-ed25519 " + "A" * 68, "subscription_id": SUBSCRIPTION,
    }  # fmt: skip
    arguments = folder / "arguments.json"
    arguments.write_text(json.dumps({**usual, **options}), encoding="utf-8")
    program = Path(sys.executable).with_name("ansible")
    environment = {**os.environ, "AZURE_ACCESS_TOKEN": TOKEN, "ANSIBLE_NOCOLOR": "1"}
    log, asked = folder / "log", len(server.seen)
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            [str(program), *ADHOC, "-a", arguments.read_text(encoding="utf-8")],
            cwd=CHECKOUT, env=environment, stdout=sink, stderr=subprocess.STDOUT,
        )  # fmt: skip
        status, usage = os.wait4(process.pid, 0)[1:]
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(encoding="utf-8")
    found = re.search(r"\"?seconds\"?: ([\d.]+)", text)
    if process.returncode != 0 or not found:
        raise SystemExit(f"bench-azure: {what} failed:\n{text}")
    methods = [one.method for one in server.seen[asked:]]
    cpu = usage.ru_utime + usage.ru_stime
    return Run(what, methods.count("PUT"), methods.count("GET"), float(found[1]), round(cpu, 2))


def measure(folder: Path) -> list[Run]:
    """First and second run, one machine, 200 machines, and the way back."""
    runs = []
    with LoopbackArm(ledger=Ledger()) as server:
        # The first process of all reads the packages from the disk.
        run(server, "warming up", folder)
    with LoopbackArm(ledger=Ledger(seconds=1.0)) as server:
        runs.append(run(server, "8 machines, first run", folder))
        runs.append(run(server, "8 machines, second run", folder))
        runs.append(run(server, "8 machines, removal", folder, state="absent", confirm="webcluster", delete_data=True))
    with LoopbackArm(ledger=Ledger(seconds=1.0)) as server:
        runs.append(run(server, "1 machine, first run", folder, hosts=hosts(1)))
    with LoopbackArm(ledger=Ledger(seconds=1.0)) as server:
        runs.append(run(server, f"{MANY} machines, first run", folder, hosts=hosts(MANY), network=wide()))
        runs.append(run(server, f"{MANY} machines, second run", folder, hosts=hosts(MANY), network=wide()))
    return runs


def exceeded(runs: Sequence[Run]) -> list[str]:
    """The bounds that do not hold."""
    first, second, _removal, one, many, again = runs
    bounds = [
        (first.puts == 25, f"the first run took {first.puts} PUT; expected 25"),
        (first.seconds <= FIRST_SECONDS, f"the first run took {first.seconds} s; expected at most {FIRST_SECONDS}"),
        (second.puts + again.puts == 0, f"the second runs took {second.puts} and {again.puts} PUT; expected none"),
        (second.gets < GETS, f"the second run took {second.gets} GET; expected fewer than {GETS}"),
        (
            first.seconds <= EIGHT_BY_ONE * one.seconds,
            f"8 machines took {first.seconds} s, one {one.seconds} s; expected at most {EIGHT_BY_ONE} times",
        ),
        (many.seconds <= MANY_SECONDS, f"{MANY} machines took {many.seconds} s; expected at most {MANY_SECONDS}"),
        (first.cpu <= CPU_SECONDS, f"the first run took {first.cpu} s of CPU; expected at most {CPU_SECONDS}"),
    ]
    return [sentence for holds, sentence in bounds if not holds]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        runs = measure(Path(folder))
    print(f"{'':26} {'PUT':>5} {'GET':>5} {'seconds':>8} {'CPU s':>6}")
    for one in runs:
        print(f"{one.what:26} {one.puts:5} {one.gets:5} {one.seconds:8.2f} {one.cpu:6.2f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in runs], indent=2), encoding="utf-8")
    broken = exceeded(runs)
    for sentence in broken:
        print(f"bench-azure: {sentence}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
