# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converge a fresh lab twice and show what it costs: tasks per host, controller CPU, wall time, slowest tasks.

The exit code is 1 when a run fails, when a host needs more tasks than allowed, or when the second run changes anything.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
# Statuses of a task that ran on a host; "skipped" is counted apart.
RAN = ("ok", "changed", "failed", "ignored", "unreachable")
SLOWEST = 10


@dataclass(frozen=True)
class Record:
    """What one host did in one task; times are seconds since the epoch."""

    host: str
    task: str
    status: str
    begin: float
    end: float


@dataclass
class Run:
    """One run of the playbook; times are seconds."""

    name: str
    exit_code: int
    wall: float
    cpu: float
    records: list[Record] = field(default_factory=list)

    def counts(self) -> dict[str, Counter[str]]:
        """How often each status occurred on each host, hosts in order of their names."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for record in self.records:
            counts[record.host][record.status] += 1
        return dict(sorted(counts.items()))

    def changed(self) -> int:
        return sum(record.status == "changed" for record in self.records)


def tasks_run(count: Counter[str]) -> int:
    return sum(count[status] for status in RAN)


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds in which at least one of the spans was under way: hosts that work side by side count once."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def slowest(records: Iterable[Record], number: int = SLOWEST) -> list[tuple[str, float, int]]:
    """The tasks that took most wall time, as (task, seconds, hosts that ran it); its plays and repeats are summed."""
    spans: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.status in RAN:
            spans[record.task].append(record)
    rows = [
        (task, covered((one.begin, one.end) for one in found), len({one.host for one in found}))
        for task, found in spans.items()
    ]
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:number]


def complaints(runs: Sequence[Run], limits: Sequence[int]) -> list[str]:
    """Say what broke the bounds: limits hold the most tasks that a host may need, run by run."""
    found = []
    for run, limit in zip(runs, limits, strict=False):
        if run.exit_code != 0:
            found.append(f"{run.name} run: ansible-playbook ended with exit code {run.exit_code}")
        if not run.records:
            found.append(f"{run.name} run: no host ran a task")
        for host, count in run.counts().items():
            if tasks_run(count) > limit:
                found.append(f"{run.name} run: {host} needed {tasks_run(count)} tasks, at most {limit} are allowed")
    for run in runs[1:]:
        names = sorted({f"{one.task} ({one.host})" for one in run.records if one.status == "changed"})
        if names:
            found.append(f"{run.name} run: {run.changed()} tasks reported a change: {', '.join(names)}")
    return found


def report(run: Run, limit: int) -> str:
    """The table of one run."""
    counts = run.counts()
    width = max([len("host"), *map(len, counts)])
    lines = [
        f"{run.name} run: {run.wall:.1f} s wall, {run.cpu:.1f} s controller CPU",
        f"  {'host':<{width}}  tasks (at most {limit})  ok  changed  failed  skipped",
    ]
    for host, count in counts.items():
        failed = count["failed"] + count["ignored"] + count["unreachable"]
        lines.append(
            f"  {host:<{width}}  {tasks_run(count):>{len(f'tasks (at most {limit})')}}"
            f"  {count['ok']:>2}  {count['changed']:>7}  {failed:>6}  {count['skipped']:>7}"
        )
    lines.append("  slowest tasks")
    lines += [f"  {seconds:7.1f} s  {hosts:>2} hosts  {task}" for task, seconds, hosts in slowest(run.records)]
    return "\n".join(lines)


def read_log(path: Path) -> list[Record]:
    if not path.exists():
        return []
    return [Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def converge(name: str, command: Sequence[str], log: Path) -> Run:
    """Run the playbook with the task log on and take its times, those of its child processes included."""
    plugins = str(Path(__file__).with_name("callback_plugins"))
    enabled = ",".join(filter(None, [os.environ.get("ANSIBLE_CALLBACKS_ENABLED"), "task_log"]))
    env = os.environ | {"ANSIBLE_CALLBACK_PLUGINS": plugins, "ANSIBLE_CALLBACKS_ENABLED": enabled, "TASK_LOG": str(log)}
    begin = time.monotonic()
    process = subprocess.Popen(command, cwd=CHECKOUT, env=env)
    status, usage = os.wait4(process.pid, 0)[1:]
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begin
    return Run(name, process.returncode, wall, usage.ru_utime + usage.ru_stime, read_log(log))


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep-lab", action="store_true", help="take the lab as it is instead of a fresh one")
    parser.add_argument("--inventory", default="inventory/lab", help="inventory to converge (default: %(default)s)")
    parser.add_argument("--playbook", default="site.yml", help="playbook to run (default: %(default)s)")
    parser.add_argument("--first", type=int, default=45, metavar="N", help="most tasks of a host in the first run")
    parser.add_argument("--second", type=int, default=25, metavar="N", help="most tasks of a host in the second run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file as well")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    if not options.keep_lab:
        subprocess.run(["make", "--no-print-directory", "lab-down", "lab-up"], cwd=CHECKOUT, check=True)
    beside = Path(sys.executable).with_name("ansible-playbook")
    program = str(beside) if beside.exists() else "ansible-playbook"
    limits = (options.first, options.second)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [program, "-i", options.inventory, options.playbook]
        runs = [converge(name, command, Path(folder, name)) for name in ("first", "second")]
    for run, limit in zip(runs, limits, strict=True):
        print(f"\n{report(run, limit)}")
    if options.json:
        figures = [
            {
                "run": run.name,
                "exit_code": run.exit_code,
                "wall_seconds": round(run.wall, 1),
                "cpu_seconds": round(run.cpu, 1),
                "hosts": {host: dict(count) for host, count in run.counts().items()},
                "slowest": slowest(run.records),
            }
            for run in runs
        ]
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    found = complaints(runs, limits)
    print("\n" + ("\n".join(found) if found else "bench-converge: within bounds, second run changed nothing"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
