# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Azure inventory costs: requests, CPU, memory and time by number of machines, from a loopback server.

The server (tests/loopback_arm.py) is not Azure: it answers at once or after a fixed delay, so the figures show what the
plugin and Ansible cost on this machine, not how fast Azure is. The exit code is 1 when a bound is exceeded.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
SERVER = CHECKOUT / "tests/loopback_arm.py"
SIZES = (8, 100, 1_000, 10_000)
DELAYS = (0.0, 0.05)
# Bounds: requests by number of machines, CPU seconds of the plugin at the largest size, how much dearer a machine may be
# among many than among few, and a cached run by the time of the same hosts in a YAML file.
REQUESTS = {8: 4, 10_000: 91}
CPU_SECONDS = 6.0
GROWTH = 2.0
CACHED_BY_YAML = 2.0
# Where noise is larger than the figure, the least of several runs is nearest to the truth.
REPEATS = {8: 3, 100: 3, 1_000: 3}
SAID = re.compile(r"azure_subnet: (\d+) machines from (?:(\d+) requests|the cache) in ([\d.]+) s \(([\d.]+) s of CPU\)")
IMPORTS = ("azure.identity", "azure.mgmt.compute", "azure.mgmt.network")


@dataclass(frozen=True)
class Run:
    """One ansible-inventory --list; seconds and megabytes. What the plugin says of itself is None for other sources."""

    machines: int
    delay: float
    requests: int
    wall: float
    cpu: float
    memory: float
    plugin_wall: float | None
    plugin_cpu: float | None


@dataclass(frozen=True)
class Cached:
    """A cached run beside the same hosts and groups in a YAML file, and the reading of a file with one host."""

    machines: int
    cached: Run
    plain: Run
    empty: Run


@contextmanager
def serving(machines: int, delay: float, folder: Path) -> Iterator[str]:
    """A server in a process of its own, so that its CPU is not counted."""
    port_file = folder / f"port-{machines}-{delay}"
    command = [sys.executable, str(SERVER), "serve", "--machines", str(machines), "--latency", str(delay)]
    process = subprocess.Popen([*command, "--port-file", str(port_file)])
    try:
        while not port_file.exists() or not port_file.read_text(encoding="utf-8"):
            if process.poll() is not None:
                raise SystemExit(f"bench-inventory: the loopback server ended with exit code {process.returncode}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text(encoding='utf-8')}"
    finally:
        process.terminate()
        process.wait()
        port_file.unlink(missing_ok=True)


def asked(url: str) -> int:
    """How many requests the server has seen."""
    with closing(http.client.HTTPConnection(url.removeprefix("http://"))) as connection:
        connection.request("GET", "/loopback/counts")
        return sum(json.load(connection.getresponse()).values())


def list_hosts(source: Path, output: Path, machines: int, delay: float = 0.0) -> Run:
    """Run ansible-inventory and take its times, its peak memory and what the plugin says of itself."""
    program = Path(sys.executable).with_name("ansible-inventory")
    log = output.with_suffix(".log")
    begin = time.monotonic()
    with log.open("w", encoding="utf-8") as sink:
        command = [str(program), "-i", str(source), "--list", "-v", "--output", str(output)]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "AZURE_ACCESS_TOKEN": "loopback-token"}
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=sink, stderr=subprocess.STDOUT)
        status, usage = os.wait4(process.pid, 0)[1:]
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begin
    text = log.read_text(encoding="utf-8")
    if process.returncode != 0:
        raise SystemExit(f"bench-inventory: ansible-inventory failed:\n{text}")
    said = SAID.search(text)
    return Run(
        machines=machines,
        delay=delay,
        requests=int(said.group(2) or 0) if said else 0,
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss / 1024,
        plugin_wall=float(said.group(3)) if said else None,
        plugin_cpu=float(said.group(4)) if said else None,
    )


def write_inventory(folder: Path, url: str, **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "azure_subnet.yml"
    options = {
        "plugin": "siteops.webcluster.azure_subnet",
        "endpoint": url,
        "subscription_ids": ["11111111-2222-3333-4444-555555555555"],
        **more,
    }
    path.write_text(yaml.safe_dump(options), encoding="utf-8")
    return path


def measure(machines: int, delay: float, folder: Path) -> Run:
    """The least CPU of some runs; the server must have seen as many requests as the plugin counts."""
    runs = []
    with serving(machines, delay, folder) as url:
        source = write_inventory(folder / f"{machines}-{delay}", url)
        for _again in range(REPEATS.get(machines, 1) if delay == 0 else 1):
            before = asked(url)
            run = list_hosts(source, folder / "hosts.json", machines, delay)
            if asked(url) - before != run.requests:
                raise SystemExit(
                    f"bench-inventory: the plugin says {run.requests} requests, the server {asked(url) - before}"
                )
            runs.append(run)
    return min(runs, key=lambda one: one.cpu)


def as_yaml(listed: Mapping[str, Any]) -> dict[str, Any]:
    """The same hosts and groups as a plain inventory, with nothing but an address: what is quickest to read."""
    groups = {name: dict(group) for name, group in listed.items() if name not in ("_meta", "all", "ungrouped")}
    for group in groups.values():
        group["hosts"] = {name: {} for name in group.get("hosts", [])}
        group["children"] = {name: {} for name in group.get("children", [])}
    hosts = {
        name: {"ansible_host": variables["ansible_host"]} for name, variables in listed["_meta"]["hostvars"].items()
    }
    return {"all": {"hosts": hosts}, **groups}


def measure_cached(machines: int, folder: Path) -> Cached:
    output = folder / "hosts.json"
    with serving(machines, 0.0, folder) as url:
        cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder / "cache")}
        source = write_inventory(folder / "cached", url, **cache)
        list_hosts(source, output, machines)
        before = asked(url)
        cached = list_hosts(source, output, machines)
        if asked(url) != before:
            raise SystemExit("bench-inventory: the cached run asked the server")
    file = folder / "plain.yml"
    listed = json.loads(output.read_text(encoding="utf-8"))
    file.write_text(yaml.dump(as_yaml(listed), Dumper=yaml.CSafeDumper), encoding="utf-8")
    same = list_hosts(file, folder / "plain.json", machines)
    read_back = json.loads((folder / "plain.json").read_text(encoding="utf-8"))
    if read_back["_meta"]["hostvars"].keys() != listed["_meta"]["hostvars"].keys():
        raise SystemExit("bench-inventory: the YAML file does not hold the same hosts")
    empty = folder / "empty.yml"
    empty.write_text("all: {hosts: {one: {}}}\n", encoding="utf-8")
    return Cached(machines, cached, same, list_hosts(empty, folder / "empty.json", 1))


def import_seconds(module: str) -> float:
    """CPU that the import of a module costs a fresh Python, bytecode in place; the median of three."""
    program = f"import time; begin = time.process_time(); import {module}; print(time.process_time() - begin)"
    runs = [
        float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)
        for _again in range(3)
    ]
    return statistics.median(runs)


def growth(runs: Sequence[Run]) -> float | None:
    """CPU that one more machine costs between the largest two sizes, by what it costs between the two before them."""
    quick = sorted((run for run in runs if run.delay == 0), key=lambda run: run.machines)
    if len(quick) < 3:
        return None
    first, second, third = quick[-3:]
    few = ((second.plugin_cpu or 0) - (first.plugin_cpu or 0)) / (second.machines - first.machines)
    many = ((third.plugin_cpu or 0) - (second.plugin_cpu or 0)) / (third.machines - second.machines)
    return many / few if few > 0 else None


def complaints(runs: Sequence[Run], cached: Cached | None) -> list[str]:
    """Say which bound was exceeded."""
    found = []
    for run in runs:
        bound = REQUESTS.get(run.machines)
        if bound is not None and run.requests > bound:
            found.append(f"{run.machines} machines took {run.requests} requests, at most {bound} are allowed")
        if run.machines == max(REQUESTS) and (run.plugin_cpu or 0) > CPU_SECONDS:
            found.append(
                f"{run.machines} machines took {run.plugin_cpu:.2f} CPU seconds, at most {CPU_SECONDS:g} are allowed"
            )
    rate = growth(runs)
    if rate is not None and rate > GROWTH:
        found.append(f"a machine among many costs {rate:.2f} times one among few, at most {GROWTH:g} are allowed")
    if cached and cached.cached.cpu > CACHED_BY_YAML * cached.plain.cpu:
        ratio = cached.cached.cpu / cached.plain.cpu
        found.append(f"a cached run takes {ratio:.2f} times the YAML file, at most {CACHED_BY_YAML:g} are allowed")
    return found


def table(runs: Sequence[Run]) -> str:
    """One line a run, bounds beside the figures."""
    lines = [
        "machines  delay    requests           plugin CPU       plugin wall  whole CPU  of it Ansible  whole wall  peak memory",
        "             ms       (bound)           s (bound)                s          s              s           s           MB",
    ]
    for run in runs:
        requests = f"{run.requests}" + (f" ({REQUESTS[run.machines]})" if run.machines in REQUESTS else "")
        own = run.plugin_cpu or 0.0
        cpu = f"{own:.2f}" + (f" ({CPU_SECONDS:g})" if run.machines == max(REQUESTS) else "")
        lines.append(
            f"{run.machines:>8}  {run.delay * 1000:>5.0f}  {requests:>10}  {cpu:>18}  {run.plugin_wall or 0:>16.2f}"
            f"  {run.cpu:>9.2f}  {run.cpu - own:>13.2f}  {run.wall:>10.2f}  {run.memory:>11.0f}"
        )
    return "\n".join(lines)


def cached_table(cached: Cached) -> str:
    rows = (
        ("cached", cached.cached),
        ("a YAML file: ansible_host alone", cached.plain),
        ("a YAML file with one host", cached.empty),
    )
    lines = [f"{f'{cached.machines} machines':<38}  whole CPU s  whole wall s  plugin CPU s  peak memory MB"]
    for name, run in rows:
        own = "-" if run.plugin_cpu is None else f"{run.plugin_cpu:.2f}"
        lines.append(f"{name:<38}  {run.cpu:>11.2f}  {run.wall:>12.2f}  {own:>12}  {run.memory:>14.0f}")
    ratio = cached.cached.cpu / cached.plain.cpu
    lines.append(f"cached by YAML: {ratio:.2f} of the CPU (at most {CACHED_BY_YAML:g})")
    return "\n".join(lines)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N", help="numbers of machines")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file as well")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        imports = {module: import_seconds(module) for module in IMPORTS}
        runs = [measure(machines, delay, folder) for delay in DELAYS for machines in options.sizes]
        cached = measure_cached(max(options.sizes), folder)
    print(
        "A loopback server, not Azure; 'plugin' is all that it does, 'Ansible' the rest of ansible-inventory --list.\n"
    )
    print(table(runs))
    rate = growth(runs)
    if rate is not None:
        print(f"growth: a machine among many costs {rate:.2f} times one among few (at most {GROWTH:g})")
    print(f"\n{cached_table(cached)}")
    print("\nimport, CPU s: " + ", ".join(f"{module} {seconds:.2f}" for module, seconds in imports.items()))
    if options.json:
        figures = {"runs": [asdict(run) for run in runs], "cached": asdict(cached), "import_seconds": imports}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    found = complaints(runs, cached)
    print("\n" + ("\n".join(found) if found else "bench-inventory: within bounds"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
