# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look of replication_status costs, beside the modules that people use for it today, on real servers.

Each module is built by Ansible, left on its host, and run there by turns; CPU and wall time are those of its processes
without SSH. "start" is the same module with an argument that it does not know: Python, its imports and AnsibleModule.
Then the status service: the CPU of one HTTP check, and of a second without one. The exit code is 1 when a look needs more
CPU than the cheapest of the others on its server, or an HTTP check more than 10 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
SCENARIO = CHECKOUT / "molecule" / "replication_status"
INVENTORY = SCENARIO / "inventory"
SSH_CONFIG = INVENTORY / ".lab/current/ssh_config"
OURS = "siteops.webcluster.replication_status"
CHECK_LIMIT_MS = 10.0
# Runs on the host: (commands by name, rounds) -> milliseconds of wall time and CPU of each run.
RUNNER = """
import json, os, subprocess, sys, time
job = json.load(sys.stdin)
def server_cpu():
    shown = subprocess.run(["systemctl", "show", "-P", "CPUUsageNSec", job["unit"]], capture_output=True, text=True).stdout
    return int(shown) / 1e6 if shown.strip().isdigit() else 0.0
found = {name: [] for name in job["commands"]}
for turn in range(job["rounds"] + 1):
    for name, command in job["commands"].items():
        before, begin = server_cpu(), time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        usage = os.wait4(process.pid, 0)[2]
        wall = (time.perf_counter() - begin) * 1000
        # The first turn fills the caches.
        if turn:
            found[name].append([wall, (usage.ru_utime + usage.ru_stime) * 1000, server_cpu() - before])
print(json.dumps(found))
"""
# Runs on the host: asks the status service and takes the CPU of its whole unit and of the database.
ASKER = """
import http.client, json, subprocess, sys, time
job = json.load(sys.stdin)
def cpu(unit):
    return int(subprocess.run(["systemctl", "show", "-P", "CPUUsageNSec", unit], capture_output=True, text=True).stdout) / 1e6
def span(requests):
    before, base, begin = cpu("webcluster-status"), cpu(job["unit"]), time.monotonic()
    for _request in range(requests):
        connection = http.client.HTTPConnection(job["address"], 9200, timeout=5)
        connection.request("GET", "/replica")
        assert connection.getresponse().status == 200
        connection.close()
    while time.monotonic() < begin + job["seconds"]:
        time.sleep(0.05)
    seconds = time.monotonic() - begin
    return [cpu("webcluster-status") - before, cpu(job["unit"]) - base, seconds]
print(json.dumps({"idle": span(0), "asked": span(job["requests"]), "requests": job["requests"]}))
"""


@dataclass(frozen=True)
class Module:
    """A module call that looks at the replication of a server."""

    name: str
    fqcn: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """Medians in milliseconds. start: the part before the look; server: CPU of the server meanwhile."""

    start_cpu: float
    start_wall: float
    cpu: float
    wall: float
    server: float

    @property
    def look_cpu(self) -> float:
        return max(0.0, self.cpu - self.start_cpu)

    @property
    def look_wall(self) -> float:
        return max(0.0, self.wall - self.start_wall)


@dataclass(frozen=True)
class Http:
    """Milliseconds of CPU: of one check, and of the service and the server in a second without one."""

    check: float
    service_second: float
    server_second: float


def median_costs(found: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Cost]:
    """Join the runs of each module with those of its start."""

    def middle(name: str, index: int) -> float:
        return statistics.median(run[index] for run in found[name])

    return {
        name: Cost(
            middle(f"{name} start", 1), middle(f"{name} start", 0), middle(name, 1), middle(name, 0), middle(name, 2)
        )
        for name in found
        if not name.endswith(" start")
    }


def http_cost(found: Mapping[str, Any]) -> Http:
    """Return what a check costs beyond the looks that go on without it."""
    idle, asked = found["idle"], found["asked"]
    service_second, server_second = idle[0] / idle[2], idle[1] / idle[2]
    return Http(max(0.0, asked[0] - service_second * asked[2]) / found["requests"], service_second, server_second)


def complaints(costs: Mapping[str, Mapping[str, Cost]], http: Http | None) -> list[str]:
    """Say what broke the bounds."""
    found = []
    for server, modules in costs.items():
        others = {name: cost.cpu for name, cost in modules.items() if name != "replication_status"}
        if not others:
            continue
        cheapest = min(others, key=lambda name: others[name])
        own = modules["replication_status"].cpu
        if own > others[cheapest]:
            found.append(f"{server}: one look needs {own:.0f} ms CPU, {cheapest} {others[cheapest]:.0f} ms")
    if http and http.check > CHECK_LIMIT_MS:
        found.append(f"an HTTP check needs {http.check:.1f} ms CPU, at most {CHECK_LIMIT_MS:g} are allowed")
    return found


def table(server: str, costs: Mapping[str, Cost]) -> str:
    width = max(len("module"), *map(len, costs))
    lines = [
        server,
        f"  {'module':<{width}}  CPU ms: start  look  all  wall ms: start  look  all  server CPU ms",
    ]
    for name, cost in costs.items():
        lines.append(
            f"  {name:<{width}}  {cost.start_cpu:>13.0f}  {cost.look_cpu:>4.0f}  {cost.cpu:>3.0f}"
            f"  {cost.start_wall:>14.0f}  {cost.look_wall:>4.0f}  {cost.wall:>3.0f}  {cost.server:>13.1f}"
        )
    return "\n".join(lines)


def http_lines(http: Http) -> str:
    return "\n".join(
        [
            "status service of the replica",
            f"  one HTTP check: {http.check:.2f} ms CPU (at most {CHECK_LIMIT_MS:g})",
            f"  a second of looks, whoever asks: {http.service_second:.1f} ms CPU of the service,"
            f" {http.server_second:.1f} ms of the server, its own work included",
        ]
    )


# --- On the lab -----------------------------------------------------------------------------------------------------


def environment(**more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **more}


def lab(*arguments: str) -> None:
    subprocess.run([str(CHECKOUT / "lab" / "lab"), *arguments, "--inventory", str(INVENTORY)], check=True, cwd=CHECKOUT)


def converge(playbook: str) -> None:
    command = ["ansible-playbook", "-i", str(INVENTORY), str(SCENARIO / playbook)]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}{done.stderr}\nbench-status: {playbook} failed, see above")


def on_host(host: str, script: str, job: Mapping[str, Any]) -> Any:
    command = ["ssh", "-F", str(SSH_CONFIG), host, f"sudo python3 -c {shlex.quote(script)}"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{host}: {done.stderr.strip().splitlines()[-1] if done.stderr else 'no message'}")
    return json.loads(done.stdout)


def build(host: str, module: Module, start: bool) -> str:
    """Let Ansible build a module and leave it on its host; return its path there."""
    args = {**module.args, "no_such_option": 1} if start else dict(module.args)
    subprocess.run(
        ["ansible", host, "-i", str(INVENTORY), "-m", module.fqcn, "-a", json.dumps(args)],
        cwd=CHECKOUT,
        env=environment(ANSIBLE_PIPELINING="false", ANSIBLE_KEEP_REMOTE_FILES="1"),
        capture_output=True,
        check=False,
    )
    newest = "ls -t ~/.ansible/tmp/*/AnsiballZ_*.py | head -n 1"
    found = subprocess.run(["ssh", "-F", str(SSH_CONFIG), host, newest], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def measure(host: str, unit: str, modules: Sequence[Module], rounds: int) -> dict[str, Cost]:
    commands = {}
    for module in modules:
        for start in (True, False):
            commands[module.name + (" start" if start else "")] = ["python3", build(host, module, start)]
    return median_costs(on_host(host, RUNNER, {"commands": commands, "rounds": rounds, "unit": unit}))


def servers(release: str) -> dict[str, tuple[str, str, list[Module]]]:
    """Server to host, unit and modules."""
    variables = yaml.safe_load((INVENTORY / "group_vars/all.yml").read_text(encoding="utf-8"))
    admin = {"login_user": "admin", "login_password": variables["redis_server_admin_password"]}
    socket = {"login_unix_socket": "/run/mysqld/mysqld.sock", "login_user": "root"}
    engine = "mysql" if release == "sid" else "mariadb"
    found = {
        "MySQL" if engine == "mysql" else "MariaDB": (
            "rsdb2",
            engine,
            [
                Module("replication_status", OURS, {"engine": "mysql", "fail_on": []}),
                Module(
                    f"{engine}_replication", f"ansible.{engine}.{engine}_replication", {"mode": "getreplica", **socket}
                ),
                Module(f"{engine}_info", f"ansible.{engine}.{engine}_info", socket),
            ],
        )
    }
    for name in ("redis", "valkey") if release != "12" else ("redis",):
        found[name.capitalize()] = (
            f"rs{name}2",
            f"{name}-server",
            [
                Module("replication_status", OURS, {"engine": "redis", "fail_on": [], **admin}),
                Module("redis_info", "community.general.redis_info", admin),
            ],
        )
    return found


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each module (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=20, help="seconds to watch the service, twice (default: %(default)s)"
    )
    parser.add_argument("--requests", type=int, default=300, help="HTTP checks in that time (default: %(default)s)")
    parser.add_argument("--keep-lab", action="store_true", help="take the scenario's hosts as they are, and leave them")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    release = os.environ.get("LAB_RELEASE") or "13"
    try:
        if not options.keep_lab:
            lab("up")
            for playbook in ("prepare.yml", "converge.yml"):
                converge(playbook)
        costs = {}
        for server, (host, unit, modules) in servers(release).items():
            costs[server] = measure(host, unit, modules, options.rounds)
            print(
                table(f"{server}, medians of {options.rounds} runs on its host", costs[server]), end="\n\n", flush=True
            )
        address = yaml.safe_load((INVENTORY / "hosts.yml").read_text(encoding="utf-8"))["mysql"]["hosts"]["rsdb2"][
            "ansible_host"
        ]
        unit = "mysql" if release == "sid" else "mariadb"
        job = {"address": address, "unit": unit, "seconds": options.seconds, "requests": options.requests}
        http = http_cost(on_host("rsdb2", ASKER, job))
        print(http_lines(http))
    finally:
        if not options.keep_lab:
            lab("down")
    found = complaints(costs, http)
    print(
        "\n" + ("\n".join(found) if found else "bench-status: no look needs more CPU than the cheapest of the others")
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
