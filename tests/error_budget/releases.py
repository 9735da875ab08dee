# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release a site of the lab, take it back, and let releases fail and be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cluster import CHECKOUT, ClusterError, usual_sites
from .faults import Cluster, Event, nothing

SITE, HOST = "shop", "shop.example"
RELEASE, ROLLBACK = "playbooks/release.yml", "playbooks/rollback.yml"
# What /up answers to the look beside the live release, and to everybody else.
PAGE = """<?php
$version = require __DIR__ . '/../version.php';
if ($_SERVER['REQUEST_URI'] === '/up') {
    $beside = str_contains($_SERVER['HTTP_USER_AGENT'] ?? '', 'site_preview');
    http_response_code($beside ? $version['beside'] : $version['live']);
}
echo $version['name'], "\\n";
"""
VERSION = "<?php return ['name' => '{name}', 'beside' => {beside}, 'live' => {live}];\n"
# A row for each run, as the site's user and with its environment.
MIGRATE = """<?php
$login = sprintf('mysql:host=%s;port=%s;dbname=%s', getenv('DB_HOST'), getenv('DB_PORT'), getenv('DB_DATABASE'));
$database = new PDO($login, getenv('DB_USERNAME'), getenv('DB_PASSWORD'));
$database->exec('CREATE TABLE IF NOT EXISTS migrations (version VARCHAR(20), user VARCHAR(40))');
$name = (require __DIR__ . '/version.php')['name'];
$database->prepare('INSERT INTO migrations VALUES (?, ?)')->execute([$name, posix_getpwuid(posix_geteuid())['name']]);
"""
# What each address answers for a host's name, asked so often.
ASK = """
import http.client
def ask(address):
    connection = http.client.HTTPConnection(address, timeout=15)
    try:
        connection.request("GET", "/", headers={"Host": domain})
        return connection.getresponse().read().decode().strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
print(json.dumps({name: [ask(address) for _again in range(times)] for name, address in addresses.items()}))
"""
# Seconds between the first and the last web server.
TOGETHER = 1.0


@dataclass(frozen=True)
class Shop:
    """The site, whose versions lie in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.make("1")

    @property
    def settings(self) -> dict[str, Any]:
        """What the cluster is told of it."""
        site = {
            "name": SITE,
            "domains": [HOST],
            "source": f"{self.folder}/{{version}}",
            "version": "1",
            "public": "public",
            "database": {},
            "migrate": "php migrate.php",
            "health_path": "/up",
        }
        return {"webcluster_sites": [*usual_sites(), site]}

    def make(self, version: str = "", beside: int = 200, live: int = 200) -> str:
        """Write the code of a version, a new one where none is named."""
        version = version or str(int(time.time()))
        code = {
            "public/index.php": PAGE,
            "version.php": VERSION.format(name=version, beside=beside, live=live),
            "migrate.php": MIGRATE,
        }
        for name, text in code.items():
            path = self.folder / version / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return version

    def events(self) -> tuple[Event, ...]:
        return (
            Event("release", self.release, nothing),
            Event("rollback", self.roll_back, nothing),
            Event("release that its health check refuses", self.refused, nothing),
            Event("release that goes back by itself", self.goes_back, nothing),
            Event("release killed half-way, and again", self.killed, nothing),
            Event("site.yml after a release", self.converge, nothing),
        )

    def release(self, cluster: Cluster) -> None:
        """All web servers switch within a second, and the database is migrated once."""
        version = self.make()
        cluster.lab.expect(RELEASE, ["All web servers switch to it within a second"], variables=asked(version))
        expect_version(cluster, version)
        apart = max(switched_at(cluster)) - min(switched_at(cluster))
        print(f"release: the web servers switched within {apart:.3f} s", flush=True)
        if apart > TOGETHER:
            raise ClusterError(f"The web servers switched {apart:.3f} s apart, expected at most {TOGETHER:g} s.")
        if migrated_by(cluster, version) != ["site-shop"]:
            raise ClusterError(f"{migrated_by(cluster, version)} migrated; expected the site's user, once.")

    def converge(self, cluster: Cluster) -> None:
        """site.yml leaves what was released, though the source of the entry holds another version."""
        version = version_on(cluster, cluster.web[0])
        cluster.lab.expect("site.yml", ["Site shop stays at release", "VERDICT healthy"])
        expect_version(cluster, version)

    def roll_back(self, cluster: Cluster) -> None:
        """All go back to what was live before."""
        former, version = version_on(cluster, cluster.web[0]), self.make()
        cluster.lab.expect(RELEASE, [], variables=asked(version))
        expect_version(cluster, version)
        cluster.lab.expect(ROLLBACK, ["by rollback."], variables={"site": SITE})
        expect_version(cluster, former)

    def refused(self, cluster: Cluster) -> None:
        """A release that answers 500 or 404 beside the live one changes nothing that is served."""
        former, before = version_on(cluster, cluster.web[0]), switched_at(cluster)
        for status in (500, 404):
            answers = f"/up of the new release answers {status}, expected 200"
            said = ["is refused, nothing that is served was changed", answers]
            cluster.lab.expect(RELEASE, said, fails=True, variables=asked(self.make(beside=status)))
            if switched_at(cluster) != before:
                raise ClusterError("A web server was switched, though the release was refused.")
            expect_version(cluster, former)

    def goes_back(self, cluster: Cluster) -> None:
        """A release that answers 500 only when it is live is taken back on all web servers."""
        former = version_on(cluster, cluster.web[0])
        said = ["/up answers 500, expected 200", f"{', '.join(cluster.web)} went back to release"]
        cluster.lab.expect(RELEASE, said, fails=True, variables=asked(self.make(live=500)))
        expect_version(cluster, former)

    def killed(self, cluster: Cluster) -> None:
        """Ended between two web servers it leaves a mix, which status tells; the next run finishes it."""
        version = self.make()
        kill_after(cluster, "Switch to the release", cluster.web[0], asked(version))
        found = versions(cluster)
        if len(set[str]().union(*found.values())) == 1:
            raise ClusterError(f"All web servers serve the same version {found}; expected a mix.")
        code, output = cluster.lab.playbook("playbooks/status.yml")
        if code == 0 or "mixed" not in output:
            raise ClusterError(f"status.yml did not tell of the mix {found}:\n{output}")
        cluster.lab.expect(RELEASE, ["Site shop runs release"], variables=asked(version))
        expect_version(cluster, version)
        cluster.lab.expect("playbooks/status.yml", ["VERDICT healthy"])


def asked(version: str) -> dict[str, Any]:
    return {"site": SITE, "version": version}


def versions(cluster: Cluster, times: int = 1) -> dict[str, set[str]]:
    """What each web server itself answers, asked by the load balancer, as the firewalls let nobody else ask."""
    balancer, addresses = cluster.lab.groups()["haproxy"][0], cluster.lab.addresses()
    asked_of = {host: addresses[host] for host in cluster.web}
    found = cluster.lab.run_python(balancer, ASK, addresses=asked_of, domain=HOST, times=times)
    return {host: set(answers) for host, answers in found.items()}


def version_on(cluster: Cluster, host: str) -> str:
    """What a web server answers."""
    return " and ".join(sorted(versions(cluster)[host]))


def expect_version(cluster: Cluster, version: str) -> None:
    """Every web server answers with this version, every time."""
    for host, found in versions(cluster, times=10).items():
        if found != {version}:
            raise ClusterError(f"{host} serves version {' and '.join(sorted(found))}, expected {version}.")


def switched_at(cluster: Cluster) -> list[float]:
    """When the link to the live release was made on each web server."""
    link = f"/srv/webcluster/{SITE}/current"
    return [float(cluster.lab.on(host, "stat", "--format=%.9Y", link)) for host in cluster.web]


def migrated_by(cluster: Cluster, version: str) -> list[str]:
    """Who ran the migration of a version, each time."""
    query = f"SELECT user FROM migrations WHERE version = '{version}'"
    return cluster.lab.on(cluster.primary("mysql"), "mysql", SITE, "-NBe", query).splitlines()


def kill_after(cluster: Cluster, task: str, host: str, variables: dict[str, Any]) -> None:
    """Run the release at one host at a time, and kill it when a task has been done on a host."""
    words: Sequence[str] = cluster.lab.playbook_words(RELEASE, "--forks", "1", variables=variables)
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    reached, said = False, []
    with subprocess.Popen(
        words,
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        for line in run.stdout or ():
            said.append(line)
            reached = reached or line.startswith(f"TASK [{task}]")
            if reached and line.startswith(f"changed: [{host}]"):
                os.killpg(run.pid, signal.SIGKILL)
                return
    raise ClusterError(f"'{task}' was never done on {host}:\n{''.join(said)}")
