# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converge a fresh lab twice and show what it costs: tasks per host, CPU of controller and hosts, wall time, slowest tasks.

The hosts' CPU is that of their cgroups, their services' own work included; it is told for hosts that are containers of
this machine. The CPU of a module is that of its worker on the controller, SSH included, and of its host meanwhile.

The exit code is 1 when a run fails, when a host needs more tasks than allowed, or when the second run changes anything.

--against REVISION puts the second run beside that of another revision: each has a fresh lab of its own, their second runs
take turns, and the exit code is 1 when this tree needs more than two thirds of the other's CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
# Statuses of a task that ran on a host; "skipped" is counted apart.
RAN = ("ok", "changed", "failed", "ignored", "unreachable")
SLOWEST = 10
# What a second run may need of the CPU of another revision's, controller and hosts together.
RATIO = 2 / 3
AGAINST_PREFIX = "10.95.6"


@dataclass(frozen=True)
class Tree:
    """A checkout, and the environment in which it is run; its LAB_PREFIX tells whose lab it is. variables: more of them."""

    name: str
    checkout: Path
    inventory: Path
    environment: Mapping[str, str]
    variables: Path | None = None


@dataclass(frozen=True)
class Record:
    """What one host did in one task; times are seconds since the epoch, CPU is seconds, None where it cannot be told."""

    host: str
    task: str
    status: str
    begin: float
    end: float
    module: str = ""
    controller_cpu: float | None = None
    host_cpu: float | None = None


@dataclass
class Run:
    """One run of the playbook; times are seconds."""

    name: str
    exit_code: int
    wall: float
    cpu: float
    records: list[Record] = field(default_factory=list)
    host_cpu: dict[str, float] = field(default_factory=dict)

    def counts(self) -> dict[str, Counter[str]]:
        """How often each status occurred on each host, hosts in order of their names."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for record in self.records:
            counts[record.host][record.status] += 1
        return dict(sorted(counts.items()))

    def all_cpu(self) -> float:
        """CPU of the controller and of the hosts whose CPU can be told."""
        return self.cpu + sum(self.host_cpu.values())

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


@dataclass(frozen=True)
class ModuleCost:
    """What the runs of one module cost together; loop items count as one run, skipped tasks are a row of their own."""

    module: str
    runs: int
    controller_cpu: float
    host_cpu: float


def module_costs(run: Run) -> list[ModuleCost]:
    """The dearest module first; the last row is what belongs to no task: Ansible's main process, the services' own work."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in run.records:
        found[record.module if record.status in RAN else "(skipped)"].append(record)
    costs = [
        ModuleCost(
            module,
            len(records),
            sum(one.controller_cpu or 0 for one in records),
            sum(one.host_cpu or 0 for one in records),
        )
        for module, records in found.items()
    ]
    costs.sort(key=lambda cost: (-cost.controller_cpu - cost.host_cpu, cost.module))
    rest = ModuleCost(
        "(outside of tasks)",
        0,
        run.cpu - sum(cost.controller_cpu for cost in costs),
        sum(run.host_cpu.values()) - sum(cost.host_cpu for cost in costs),
    )
    return [*costs, rest]


def module_table(run: Run) -> list[str]:
    costs = module_costs(run)
    width = max(len(cost.module) for cost in costs)
    lines = [f"  {'module':<{width}}  runs  controller CPU s  host CPU s  of one run: controller  host"]
    for cost in costs:
        line = f"  {cost.module:<{width}}  {cost.runs or '':>4}  {cost.controller_cpu:>16.2f}  {cost.host_cpu:>10.2f}"
        if cost.runs:
            line += f"  {cost.controller_cpu / cost.runs:>22.3f}  {cost.host_cpu / cost.runs:>4.2f}"
        lines.append(line)
    return lines


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


def shown_cpu(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


def report(run: Run, limit: int) -> str:
    """The table of one run."""
    counts = run.counts()
    width = max([len("host"), *map(len, counts)])
    lines = [
        f"{run.name} run: {run.wall:.1f} s wall, {run.cpu:.1f} s controller CPU, {sum(run.host_cpu.values()):.1f} s host CPU",
        f"  {'host':<{width}}  tasks (at most {limit})  ok  changed  failed  skipped  CPU s",
    ]
    for host, count in counts.items():
        failed = count["failed"] + count["ignored"] + count["unreachable"]
        lines.append(
            f"  {host:<{width}}  {tasks_run(count):>{len(f'tasks (at most {limit})')}}"
            f"  {count['ok']:>2}  {count['changed']:>7}  {failed:>6}  {count['skipped']:>7}  {shown_cpu(run.host_cpu.get(host)):>5}"
        )
    lines += module_table(run)
    lines.append("  slowest tasks")
    lines += [f"  {seconds:7.1f} s  {hosts:>2} hosts  {task}" for task, seconds, hosts in slowest(run.records)]
    return "\n".join(lines)


def read_log(path: Path) -> list[Record]:
    """Join what the callback wrote of each task with what its worker wrote."""
    if not path.exists():
        return []
    workers: dict[tuple[str, str], float] = {}
    tasks = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "task" in row:
            tasks.append(row)
        else:
            workers[row["host"], row["id"]] = row["controller_cpu"]
    for row in tasks:
        row["controller_cpu"] = workers.get((row["host"], row.pop("id")))
    return [Record(**row) for row in tasks]


# --- The hosts' cgroups ---------------------------------------------------------------------------------------------

CONTAINER = re.compile(r"^0::(/.*?libpod-[0-9a-f]{64}(?:\.scope)?)", re.MULTILINE)


def container_cgroups() -> dict[str, str]:
    """Network namespace to cgroup of every container of this machine."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            cgroup = CONTAINER.search((process / "cgroup").read_text(encoding="utf-8"))
            if cgroup:
                found[os.readlink(process / "ns/net")] = cgroup[1]
        except OSError:  # it has ended
            continue
    return found


def host_meters(tree: Tree) -> dict[str, str]:
    """The cpu.stat file of each host that is a container of this machine."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    root = next((row[1] for row in mounts if row[2] == "cgroup2"), None)
    cgroups = container_cgroups()
    if root is None or not cgroups:
        return {}
    # Its network namespace tells which container a host is, whatever their names.
    question = ["all", "-i", str(tree.inventory), "-m", "raw", "-a", "readlink /proc/self/ns/net", "--one-line"]
    said = subprocess.run(
        [program("ansible"), *question],
        cwd=tree.checkout,
        env=tree.environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    namespaces = dict(re.findall(r"^(\S+) \| .*(net:\[\d+\])", said, re.MULTILINE))
    return {host: f"{root}{cgroups[name]}/cpu.stat" for host, name in namespaces.items() if name in cgroups}


def read_meters(meters: Mapping[str, str]) -> dict[str, float]:
    """CPU seconds of each host since it was made, user and system."""
    return {host: int(Path(path).read_text(encoding="utf-8").split()[1]) / 1e6 for host, path in meters.items()}


# --- The runs -------------------------------------------------------------------------------------------------------


def program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def converge(name: str, tree: Tree, playbook: str, folder: Path, meters: Mapping[str, str]) -> Run:
    """Run the playbook with the task log on and take its times, those of its child processes included."""
    log = folder / f"{tree.name} {name}"
    enabled = ",".join(filter(None, [tree.environment.get("ANSIBLE_CALLBACKS_ENABLED"), "task_log"]))
    env = {
        **tree.environment,
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callback_plugins")),
        "ANSIBLE_CALLBACKS_ENABLED": enabled,
        "TASK_LOG": str(log),
        "TASK_LOG_METERS": json.dumps(meters),
    }
    more = ["--extra-vars", f"@{tree.variables}"] if tree.variables else []
    command = [program("ansible-playbook"), "-i", str(tree.inventory), *more, playbook]
    before, begin = read_meters(meters), time.monotonic()
    process = subprocess.Popen(command, cwd=tree.checkout, env=env)
    status, usage = os.wait4(process.pid, 0)[1:]
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begin
    host_cpu = {host: seconds - before[host] for host, seconds in read_meters(meters).items()}
    return Run(name, process.returncode, wall, usage.ru_utime + usage.ru_stime, read_log(log), host_cpu)


def this_tree(options: argparse.Namespace) -> Tree:
    return Tree("this tree", CHECKOUT, CHECKOUT / options.inventory, os.environ, options.variables)


def measure(options: argparse.Namespace, folder: Path) -> list[Run]:
    """Converge a fresh lab twice."""
    if not options.keep_lab:
        subprocess.run(["make", "--no-print-directory", "lab-down", "lab-up"], cwd=CHECKOUT, check=True)
    tree = this_tree(options)
    meters = host_meters(tree)
    return [converge(name, tree, options.playbook, folder, meters) for name in ("first", "second")]


# --- Against another revision ---------------------------------------------------------------------------------------


@contextmanager
def checked_out(options: argparse.Namespace, folder: Path) -> Iterator[Tree]:
    """The other revision in a work tree, with its own inventory, keys and secrets."""
    checkout, keys = folder / "checkout", folder / "cache/webcluster-lab/clusters"
    subprocess.run(
        ["git", "worktree", "add", "--quiet", "--detach", checkout, options.against], cwd=CHECKOUT, check=True
    )
    try:
        subprocess.run(["bash", "-euc", ". tools/common.sh; link_collection"], cwd=checkout, check=True)
        inventory = checkout / options.inventory
        # Inventories up to commit eb13032 look for the lab's keys in the cache.
        keys.mkdir(parents=True)
        (keys / "lab").symlink_to(inventory / ".lab" / options.against_prefix)
        own = {"LAB_PREFIX": options.against_prefix, "XDG_CACHE_HOME": str(folder / "cache")}
        yield Tree(options.against, checkout, inventory, {**os.environ, **own}, options.variables)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", checkout], cwd=CHECKOUT, check=True)


@contextmanager
def fresh_lab(tree: Tree) -> Iterator[dict[str, str]]:
    """A lab for a tree, always made by this one; yields the meters of its hosts."""

    def lab(action: str) -> None:
        command = [str(CHECKOUT / "lab/lab"), action, "--inventory", str(tree.inventory)]
        subprocess.run(command, cwd=CHECKOUT, env=tree.environment, check=True)

    try:
        lab("down")
        lab("up")
        yield host_meters(tree)
    finally:
        lab("down")


def measure_pair(options: argparse.Namespace, folder: Path) -> tuple[list[Run], list[Run]]:
    """The second runs of the other revision and of this tree, each on hosts that it has converged itself."""
    now = this_tree(options)
    with checked_out(options, folder) as before, fresh_lab(before) as meters_before, fresh_lab(now) as meters_now:
        sides = [(before, meters_before), (now, meters_now)]
        for tree, meters in sides:
            if converge("first", tree, options.playbook, folder, meters).exit_code != 0:
                raise SystemExit(f"bench-converge: the first run of {tree.name} failed, see above")
        runs: dict[str, list[Run]] = {before.name: [], now.name: []}
        for turn in range(1, options.rounds + 1):
            # Each begins every other turn, so that neither always finds the machine as the other left it.
            sides.reverse()
            for tree, meters in sides:
                run = converge(f"second {turn}", tree, options.playbook, folder, meters)
                print(f"\nbench-converge: {tree.name}, {run.name}: {run.all_cpu():.1f} s CPU", flush=True)
                runs[tree.name].append(run)
    return runs[before.name], runs[now.name]


def pair_report(revision: str, before: Sequence[Run], now: Sequence[Run]) -> str:
    lines = [
        f"second runs  {revision + ': controller':>24}  hosts  all CPU s  this tree: controller  hosts  all CPU s  ratio"
    ]
    for old, new in zip(before, now, strict=True):
        lines.append(
            f"{new.name:<11}  {old.cpu:>24.1f}  {sum(old.host_cpu.values()):>5.1f}  {old.all_cpu():>9.1f}"
            f"  {new.cpu:>21.1f}  {sum(new.host_cpu.values()):>5.1f}  {new.all_cpu():>9.1f}"
            f"  {new.all_cpu() / old.all_cpu():>5.2f}"
        )
    lines.append(f"all CPU of this tree by that of {revision}: {cpu_ratio(before, now):.2f} (at most {RATIO:.2f})")
    return "\n".join(lines)


def cpu_ratio(before: Sequence[Run], now: Sequence[Run]) -> float:
    return sum(run.all_cpu() for run in now) / sum(run.all_cpu() for run in before)


def pair_complaints(before: Sequence[Run], now: Sequence[Run]) -> list[str]:
    found = [
        f"{run.name}: ended with exit code {run.exit_code}, {run.changed()} tasks reported a change"
        for run in (*before, *now)
        if run.exit_code != 0 or run.changed()
    ]
    if not all(run.host_cpu for run in (*before, *now)):
        found.append("the hosts' CPU cannot be told: they are no containers of this machine")
    if cpu_ratio(before, now) > RATIO:
        found.append(
            f"a second run needs {cpu_ratio(before, now):.2f} of the CPU of before, at most {RATIO:.2f} is allowed"
        )
    return found


# --- The command ----------------------------------------------------------------------------------------------------


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep-lab", action="store_true", help="take the lab as it is instead of a fresh one")
    parser.add_argument("--inventory", default="inventory/lab", help="inventory to converge (default: %(default)s)")
    parser.add_argument(
        "--variables", type=Path, metavar="FILE", help="extra variables of the runs, such as more sites"
    )
    parser.add_argument("--playbook", default="site.yml", help="playbook to run (default: %(default)s)")
    parser.add_argument("--first", type=int, default=45, metavar="N", help="most tasks of a host in the first run")
    parser.add_argument("--second", type=int, default=25, metavar="N", help="most tasks of a host in the second run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file as well")
    parser.add_argument("--against", metavar="REVISION", help="compare the second run with that of another revision")
    parser.add_argument(
        "--against-prefix",
        default=AGAINST_PREFIX,
        metavar="PREFIX",
        help="LAB_PREFIX of its lab (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="second runs of each (default: %(default)s)")
    return parser.parse_args(argv)


def figures(run: Run) -> dict[str, Any]:
    return {
        "run": run.name,
        "exit_code": run.exit_code,
        "wall_seconds": round(run.wall, 1),
        "cpu_seconds": round(run.cpu, 1),
        "host_cpu_seconds": {host: round(seconds, 2) for host, seconds in run.host_cpu.items()},
        "modules": [asdict(cost) for cost in module_costs(run)],
        "hosts": {host: dict(count) for host, count in run.counts().items()},
        "slowest": slowest(run.records),
    }


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    limits = (options.first, options.second)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if options.against:
            before, now = measure_pair(options, Path(folder))
            runs = [*before, *now]
            for name, run in ((options.against, before[-1]), ("this tree", now[-1])):
                print("\n".join([f"\n{name}, {run.name}", *module_table(run)]))
            print(f"\n{pair_report(options.against, before, now)}")
            found = pair_complaints(before, now)
        else:
            runs = measure(options, Path(folder))
            for run, limit in zip(runs, limits, strict=True):
                print(f"\n{report(run, limit)}")
            found = complaints(runs, limits)
    if options.json:
        options.json.write_text(json.dumps([figures(run) for run in runs], indent=2) + "\n", encoding="utf-8")
    print("\n" + ("\n".join(found) if found else "bench-converge: within bounds, second run changed nothing"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
