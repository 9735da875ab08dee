# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request costs on the lab's cluster, and through the tutorial's settings on the same hosts in the same run.

CPU microseconds per request, of the services' cgroups, what they use while nobody asks taken off. The tutorial's settings are its
HAProxy (httpclose, balance source) before Apache with prefork and mod_php as they come, once without opcache, as its PHP was,
and once with it; its PHP asks the data servers themselves. A bare HAProxy, which only passes on to the cluster's web servers, tells
what HAProxy and the lab's network need by themselves. Ports 8081 to 8083 of the lab are opened for them.

The load comes from wrk (the package of that name), bounded in requests and time. The exit code is 1 when a request failed or an
aim was missed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..error_budget import tutorial
from ..error_budget.cluster import CHECKOUT, ClusterError, Lab, table

CONNECTIONS = 8
# wrk asks for as long as this, or until it has asked so often; it waits for the end of the time in either case.
SECONDS, MOST_REQUESTS = 3, 20_000
WARM_SECONDS = 1
IDLE_SECONDS = 6.0
# Ends wrk after so many answers.
COUNT = 'local left = tonumber(os.getenv("REQUESTS"))\nfunction response() left = left - 1 if left <= 0 then wrk.thread:stop() end end\n'
# What each host tells when a line is written to it: microseconds of each service so far.
TELL = """
import json, pathlib, sys
def used(unit):
    path = pathlib.Path("/sys/fs/cgroup/system.slice", unit, "cpu.stat")
    return int(path.read_text().split()[1]) if path.exists() else 0
for line in sys.stdin:
    print(json.dumps({unit: used(unit) for unit in sys.argv[1:]}), flush=True)
"""
# Runs on a web server: prefork with mod_php beside what serves, on the same pages.
WEB_SERVER = r"""
import pathlib, re, shlex
home = pathlib.Path("/srv/tutorial")
home.mkdir(mode=0o700, exist_ok=True)
version = sorted(path.name for path in pathlib.Path("/etc/php").iterdir())[-1]
module = home / f"root/usr/lib/apache2/modules/libphp{version}.so"
if not module.exists():
    subprocess.run(["apt-get", "download", "-qq", f"libapache2-mod-php{version}"], cwd=home, check=True)
    for package in home.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, home / "root"], check=True)
(home / "php.ini").write_text(pathlib.Path(f"/usr/lib/php/{version}/php.ini-production").read_text())
found = dict(line.split("=", 1) for line in pathlib.Path("/etc/webcluster-sites/demo.env").read_text().splitlines() if "=" in line)
values = {name: shlex.split(value)[0] if value else "" for name, value in found.items()} | direct
environment = "\n".join(f'SetEnv {name} "{value}"' for name, value in values.items() if value)
modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                    for name in ("mpm_prefork", "authz_core", "dir", "mime", "env"))
for port, opcache in ports.items():
    scanned = home / f"conf-{port}"
    scanned.mkdir(exist_ok=True)
    for path in pathlib.Path(f"/etc/php/{version}/mods-available").glob("*.ini"):
        text = path.read_text()
        order = re.search(r"priority=(\d+)", text)
        (scanned / f"{order[1] if order else 20}-{path.name}").write_text(text if opcache or path.stem != "opcache" else "")
    pathlib.Path(f"/run/tutorial-{port}").mkdir(exist_ok=True)
    config = home / f"apache-{port}.conf"
    config.touch(0o600)
    config.write_text(f'''
ServerRoot /etc/apache2
ServerName tutorial
DefaultRuntimeDir /run/tutorial-{port}
PidFile /run/tutorial-{port}/pid
User www-data
Group www-data
Listen {port}
{modules}
LoadModule php_module {module}
PHPIniDir {home}
TypesConfig /etc/mime.types
KeepAlive On
DocumentRoot /srv/webcluster/demo/current/public
<Directory /srv/webcluster/>
    Require all granted
    DirectoryIndex index.php
    FallbackResource /index.php
</Directory>
<FilesMatch "[.]php$">
    SetHandler application/x-httpd-php
</FilesMatch>
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog /srv/tutorial/access-{port}.log combined
ErrorLog /srv/tutorial/error-{port}.log
{environment}
''')
    unit = f"tutorial-apache-{port}"
    subprocess.run(["systemctl", "stop", unit], check=False, capture_output=True)
    subprocess.run(["systemd-run", "--quiet", f"--unit={unit}", f"--setenv=PHP_INI_SCAN_DIR={scanned}",
                    "apache2", "-f", config, "-DFOREGROUND"], check=True)
print(json.dumps({}))
"""
# By port, whether it has opcache.
TUTORIAL_PORTS = {8081: False, 8082: True}
# What HAProxy itself and the lab's network need: a configuration that does nothing but pass on.
BARE_PORT, BARE_UNIT = 8083, "bare-haproxy"
BARE_SETTINGS = """\
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
listen web
    bind :{port}
"""
CLUSTER, TUTORIAL, BARE = "cluster", "tutorial", "bare HAProxy"
JOURNAL = "its journal"
PARTS = ("balancer", JOURNAL, "Apache", "PHP-FPM", "data proxy")
HEAD = ("page", "connections", "stack", "requests", *PARTS, "all")
STATIC, FROM_REDIS = "static file", "from Redis"
MOST_MICROSECONDS, MOST_SHARE, MOST_LOGGING, LEAST_PAGES = 25, 1 / 3, 1 / 5, 2.0


@dataclass(frozen=True)
class Page:
    """What is asked for."""

    name: str
    path: str


@dataclass(frozen=True)
class Part:
    """A service that takes part in an answer, and the hosts on which it runs."""

    name: str
    unit: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """What answers: its address, and whose CPU it uses."""

    name: str
    scheme: str
    port: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Row:
    """What a request cost: microseconds of each part."""

    page: str
    keeps: bool
    stack: str
    requests: int
    costs: Mapping[str, float]

    @property
    def whole(self) -> float:
        return sum(self.costs.values())


@dataclass(frozen=True)
class Loaded:
    """What wrk says."""

    requests: int
    failed: int
    seconds: float


class Meters:
    """What the services of the hosts have used, over connections that stay open: a login would cost the journal something."""

    def __init__(self, lab: Lab, units: Mapping[str, Collection[str]], stack: ExitStack) -> None:
        self._told = {}
        for host, names in units.items():
            words = ["ssh", "-F", str(lab.inventory / ".lab/current/ssh_config"), host, "sudo", "python3", "-u", "-c"]
            program = stack.enter_context(
                subprocess.Popen(
                    [*words, f"'{TELL}'", *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
                )
            )
            self._told[host] = program

    def read(self) -> dict[str, dict[str, int]]:
        found = {}
        for host, program in self._told.items():
            if program.stdin is None or program.stdout is None:
                raise ClusterError(f"No pipe to {host}.")
            program.stdin.write("\n")
            found[host] = json.loads(program.stdout.readline())
        return found


def used(
    parts: Sequence[Part], before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]
) -> dict[str, int]:
    """Microseconds of each part between two readings, all its hosts together."""
    return {part.name: sum(after[host][part.unit] - before[host][part.unit] for host in part.hosts) for part in parts}


def per_request(spent: Mapping[str, int], idle: Mapping[str, float], loaded: Loaded) -> dict[str, float]:
    """Microseconds a request, without what a part uses by itself."""
    return {name: max(0.0, spent[name] - idle[name] * loaded.seconds) / loaded.requests for name in spent}


def read_wrk(output: str) -> Loaded:
    """What wrk has printed."""
    done = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", output)
    if not done:
        raise ClusterError(f"wrk gave no result: {output}")
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
    failed = sum(int(count) for count in re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", output))
    return Loaded(int(done[1]), failed, float(done[2]) * units[done[3]])


def load(script: Path, url: str, seconds: int, keeps: bool) -> Loaded:
    """Ask again and again, on a few connections at a time."""
    words = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", str(script)]
    words += [] if keeps else ["-H", "Connection: close"]
    done = subprocess.run(
        [*words, url],
        env={**os.environ, "REQUESTS": str(MOST_REQUESTS)},
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
    )
    return read_wrk(done.stdout)


def bare(servers: Sequence[tuple[str, str]]) -> str:
    """The configuration that only passes on, to each name at its address."""
    lines = "".join(f"    server {name} {address}:80 check\n" for name, address in servers)
    return BARE_SETTINGS.format(port=BARE_PORT) + lines


@contextmanager
def beside(lab: Lab, addresses: Mapping[str, str]) -> Iterator[None]:
    """The tutorial's settings and a bare HAProxy beside the cluster's, until the end."""
    groups = lab.groups()
    balancer, web = groups["haproxy"][0], groups["apache_php"]
    direct = {
        "DB_HOST": addresses[groups["mysql_replica"][0]],
        "DB_READ_PORT": "3306",
        "REDIS_HOST": addresses[groups["redis_replica"][0]],
        "REDIS_READ_PORT": "6379",
    }
    listens = {port: [(host, f"{addresses[host]}:{port}") for host in web] for port in TUTORIAL_PORTS}
    with ExitStack() as stops:
        for host in web:
            lab.run_python(host, WEB_SERVER, direct=direct, ports=TUTORIAL_PORTS)
            stops.callback(lab.on, host, "systemctl", "stop", *(f"tutorial-apache-{port}" for port in TUTORIAL_PORTS))
        stops.enter_context(tutorial.balancer(lab, balancer, listens))
        stops.enter_context(tutorial.running(lab, balancer, BARE_UNIT, bare([(host, addresses[host]) for host in web])))
        # Until its servers have been checked.
        time.sleep(5)
        yield


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    options = parser.parse_args(arguments)
    if not shutil.which("wrk"):
        sys.exit("There is no wrk on the PATH: apt-get install wrk.")
    lab = Lab(options.inventory.resolve(), tutorial.openings([*TUTORIAL_PORTS, BARE_PORT]))
    lab.lab("up")
    lab.converge()
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script, beside(lab, lab.addresses()):
        script.write(COUNT)
        script.flush()
        return bench(lab, Path(script.name))


def pages(door: str) -> list[Page]:
    """The pages, after an item has been written that Redis has, too."""
    item = ask(door, "POST", "/api/items", {"text": "to be asked for"})["id"]
    ask(door, "GET", f"/api/items/{item}?from=auto", None)
    return [
        Page(STATIC, "/style.css"),
        Page(FROM_REDIS, f"/api/items/{item}?from=cache"),
        Page("from MySQL", f"/api/items/{item}?from=replica"),
    ]


def ask(door: str, method: str, path: str, values: Mapping[str, str] | None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(door, timeout=10)
    body = json.dumps(values) if values else None
    connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    found: dict[str, Any] = json.loads(answer.read())
    if answer.status >= 400:
        raise ClusterError(f"{method} {path} was answered with {answer.status}: {found}")
    return found


def stacks(balancer: str, web: Sequence[str], fpm: str) -> list[Stack]:
    """The cluster plain and over TLS, then the tutorial's settings."""
    hosts = tuple(web)
    ours = (
        Part("balancer", "haproxy.service", (balancer,)),
        Part(JOURNAL, "systemd-journald.service", (balancer,)),
        Part("Apache", "apache2.service", hosts),
        Part("PHP-FPM", f"{fpm}.service", hosts),
        Part("data proxy", "haproxy.service", hosts),
    )
    passing_on = (Part("balancer", f"{BARE_UNIT}.service", (balancer,)), *ours[1:])
    found = [
        Stack(CLUSTER, "http", 80, ours),
        Stack(f"{CLUSTER}, TLS", "https", 443, ours),
        Stack(BARE, "http", BARE_PORT, passing_on),
    ]
    for port, opcache in TUTORIAL_PORTS.items():
        parts = (
            Part("balancer", f"{tutorial.UNIT}.service", (balancer,)),
            Part("Apache", f"tutorial-apache-{port}.service", hosts),
        )
        found.append(Stack(f"{TUTORIAL}, opcache" if opcache else TUTORIAL, "http", port, parts))
    return found


def bench(lab: Lab, script: Path) -> int:
    """Ask for each page in each way, of the cluster and of the tutorial's settings; print what that cost."""
    groups = lab.groups()
    balancer, web = groups["haproxy"][0], groups["apache_php"]
    door = lab.addresses()[balancer]
    fpm = Path(lab.on(web[0], "sh", "-c", "ls /lib/systemd/system/php*-fpm.service").strip()).stem
    asked = stacks(balancer, web, fpm)
    units: dict[str, set[str]] = {}
    for part in (part for stack in asked for part in stack.parts):
        for host in part.hosts:
            units.setdefault(host, set()).add(part.unit)
    rows, failed = [], 0
    with ExitStack() as stack_of_logins:
        meters = Meters(lab, units, stack_of_logins)
        before = meters.read()
        time.sleep(IDLE_SECONDS)
        after = meters.read()
        for page in pages(door):
            for keeps in (True, False):
                for stack in asked:
                    idle = {name: spent / IDLE_SECONDS for name, spent in used(stack.parts, before, after).items()}
                    url = f"{stack.scheme}://{door}:{stack.port}{page.path}"
                    load(script, url, WARM_SECONDS, keeps)
                    begin = meters.read()
                    loaded = load(script, url, SECONDS, keeps)
                    costs = per_request(used(stack.parts, begin, meters.read()), idle, loaded)
                    failed += loaded.failed
                    rows.append(Row(page.name, keeps, stack.name, loaded.requests, costs))
                    print(*line(rows[-1]), sep="  ", flush=True)
    print(f"\nCPU microseconds of a request\n\n{table(HEAD, [line(row) for row in rows])}\n")
    said = aims(rows)
    print("\n".join(f"{'kept' if kept else 'MISSED'}: {text}" for text, kept in said))
    if failed:
        print(f"{failed} requests failed.")
    return 1 if failed or not all(kept for _text, kept in said) else 0


def line(row: Row) -> list[str]:
    costs = [f"{row.costs[name]:.0f}" if name in row.costs else "-" for name in PARTS]
    return [row.page, "kept" if row.keeps else "new", row.stack, str(row.requests), *costs, f"{row.whole:.0f}"]


def aims(rows: Sequence[Row]) -> list[tuple[str, bool]]:
    """What was aimed at, and whether it was reached."""
    found = {(row.page, row.keeps, row.stack): row for row in rows}
    ours, theirs = found[STATIC, True, CLUSTER].costs, found[STATIC, True, TUTORIAL].costs
    least = found[STATIC, True, BARE].costs["balancer"]
    share = ours["balancer"] / theirs["balancer"]
    logged = ours[JOURNAL] / ours["balancer"]
    faster = found[FROM_REDIS, True, TUTORIAL].whole / found[FROM_REDIS, True, CLUSTER].whole
    compiled = found[FROM_REDIS, True, f"{TUTORIAL}, opcache"].whole / found[FROM_REDIS, True, CLUSTER].whole
    return [
        (
            f"HAProxy needs {ours['balancer']:.0f} us for a kept request of a file, at most {MOST_MICROSECONDS},"
            f" or the {least:.0f} that one which only passes on needs on this machine",
            ours["balancer"] <= max(MOST_MICROSECONDS, least),
        ),
        (f"that is {share:.2f} of the tutorial's settings, at most {MOST_SHARE:.2f}", share <= MOST_SHARE),
        (f"its journal adds {logged:.2f}, at most {MOST_LOGGING:.2f}", logged <= MOST_LOGGING),
        (
            f"a CPU second gives {faster:.1f} times the tutorial's pages from Redis, at least {LEAST_PAGES:.1f}"
            f" ({compiled:.1f} times where its PHP has opcache)",
            faster >= LEAST_PAGES,
        ),
    ]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        sys.exit(str(error))
