# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace each host of a lab's cluster by an empty one, empty and stop its data servers, and compare every row and key.

Each event ends in a run of site.yml that heals the cluster, or that refuses before any change and says the way out, which
is followed to the word. Rows and keys count what a tier's primary holds; they are compared one by one with those before,
and with the replica's. The exit code is 1 when anything is lost, differs, or ends otherwise than expected.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.error_budget.cluster import CHECKOUT, ClusterError, Lab, table

# Several tables of several types, and rows that came in many transactions.
TABLES = """
DROP DATABASE IF EXISTS shop;
CREATE DATABASE shop;
CREATE TABLE shop.customers (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80) NOT NULL, since DATETIME(6), note TEXT);
CREATE TABLE shop.orders (id CHAR(36) PRIMARY KEY, customer INT NOT NULL, total DECIMAL(12, 2), paid BOOL,
  FOREIGN KEY (customer) REFERENCES shop.customers (id));
CREATE TABLE shop.settings (name VARCHAR(40) PRIMARY KEY, value JSON);
"""
ROWS = """
INSERT INTO shop.customers (name, since, note) VALUES ('Zoë {n} "O''Neil"', '2026-01-01 00:00:00.{n:06}', REPEAT('x', {n}));
INSERT INTO shop.orders VALUES (UUID(), LAST_INSERT_ID(), {n} / 7, {n} MOD 2);
INSERT INTO shop.settings VALUES ('setting {n}', JSON_OBJECT('n', {n}));
"""
MANY = 120
ACCOUNT = "CREATE USER 'reports'@'localhost' IDENTIFIED BY 'of its own';"
KEPT_ACCOUNT = "SELECT COUNT(*) FROM mysql.user WHERE User = 'reports'"
# Of several types; each command is one line of redis-cli.
KEYS = """SET kept:text:{n} "value {n} \\x00\\xff"
HSET kept:hash:{n} name "n {n}" total {n}
RPUSH kept:list {n}
SADD kept:set:{ten} {n}
ZADD kept:sorted {n} member-{n}
XADD kept:stream {n}-1 field {n}
"""
# The demo keeps its newest items only; the table beside it keeps all of them.
TRIMMED = "`demo`.`items`"
PATIENCE = 60.0
SERVICES = {"mysql": "mariadb", "redis": "redis-server"}
TITLES = {"mysql": "MySQL", "redis": "Redis"}
HEAD = ("event", "outcome", "rows before", "after", "keys before", "after", "nothing lost, replicas equal")


@dataclass(frozen=True)
class Contents:
    """What one data server holds: each row with how often it is there, or each key with its value."""

    items: Counter[tuple[str, str]]

    def lost(self, after: Contents) -> list[tuple[str, str]]:
        return sorted(item for item in self.items - after.items if item[0] != TRIMMED)

    @property
    def size(self) -> int:
        return self.items.total()


@dataclass
class Cluster:
    """The lab with who is primary and who is replica now; servers that hold nothing are not asked."""

    lab: Lab
    members: dict[str, list[str]]
    # Engines whose servers do not run at present.
    silent: set[str] = field(default_factory=set)
    lines: list[tuple[object, ...]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def primary(self, engine: str) -> str:
        return self.members[engine][0]

    def replica(self, engine: str) -> str:
        return self.members[engine][1]

    def turn(self, engine: str) -> None:
        self.members[engine].reverse()

    def holds(self, engine: str, host: str) -> Contents:
        return counted(self.lab.rows(host) if engine == "mysql" else self.lab.keys(host))

    def primaries(self) -> dict[str, Contents]:
        asked = [engine for engine in self.members if engine not in self.silent]
        return {engine: self.holds(engine, self.primary(engine)) for engine in asked}

    def unequal(self) -> list[str]:
        """Say which replicas do not hold exactly what their primary does, after some time to catch up."""
        deadline = time.monotonic() + PATIENCE
        wrong: list[str] = []
        for engine in self.members:
            primary, replica = self.primary(engine), self.replica(engine)
            while self.holds(engine, primary) != self.holds(engine, replica):
                if time.monotonic() > deadline:
                    wrong.append(f"{replica} does not hold what {primary} holds")
                    break
                time.sleep(1)
        return wrong

    def note(self, event: str, outcome: str, before: dict[str, Contents], wrong: Sequence[str]) -> None:
        """Compare with what was held before, and write the event's line."""
        after = self.primaries()
        found = list(wrong)
        for engine in after:
            lost = before[engine].lost(after[engine])
            found += [f"{TITLES[engine]} lost {len(lost)}, the first is {lost[0]}"] if lost else []
        self.failures += [f"{event}: {each}" for each in found]
        sizes = [each[engine].size if engine in each else "-" for engine in self.members for each in (before, after)]
        verdict = "; ".join(found) or ("yes" if after else "none runs")
        self.lines.append((event, outcome, *sizes, verdict))
        print(f"{event}: {outcome}{'' if not found else ' WRONG: ' + '; '.join(found)}", flush=True)

    def expect_healed(self, event: str, before: dict[str, Contents], outcome: str = "healed") -> None:
        code, output = self.lab.playbook("site.yml")
        wrong = [] if code == 0 else [f"site.yml failed: {told(output)}"]
        self.note(event, outcome if code == 0 else "failed", before, wrong or self.unequal())

    def expect_refused(self, event: str, before: dict[str, Contents], names: Sequence[str]) -> str:
        """Run site.yml, which must say a sentence that holds all the names, and change nothing; return the sentence."""
        code, output = self.lab.playbook("site.yml")
        sentence = told(output)
        wrong = [f"site.yml did not say {name!r}" for name in names if name not in sentence]
        changed = sorted(set(re.findall(r"^(\S+) +: ok=\d+ +changed=[1-9]", output, re.M)))
        wrong += [f"site.yml changed {', '.join(changed)}"] if changed else []
        self.note(event, "refused" if code else "not refused", before, wrong if code else ["it was not refused"])
        self.sentences.append(f"{event}:\n  {sentence}")
        print(f"  {sentence}", flush=True)
        return sentence


def counted(found: Mapping[str, list[str] | str]) -> Contents:
    """What a server holds, of its rows by table or its keys."""
    pairs = ((name, text) for name, value in found.items() for text in (value if isinstance(value, list) else [value]))
    return Contents(Counter(pairs))


def told(output: str) -> str:
    """What Ansible says of the task that ended the run."""
    found = re.findall(r"^\[ERROR\]: Task failed: (?:Action|Module) failed: (.*)$", output, re.M)
    return " ".join(dict.fromkeys(found)) or output[-2000:]


def add_rows(cluster: Cluster, numbers: Sequence[int]) -> None:
    cluster.lab.on(cluster.primary("mysql"), "mysql", stdin="".join(ROWS.format(n=number) for number in numbers))


def add_keys(cluster: Cluster, numbers: Sequence[int]) -> None:
    redis(cluster, cluster.primary("redis"), "".join(KEYS.format(n=number, ten=number % 10) for number in numbers))


ADD = {"mysql": add_rows, "redis": add_keys}


def members_of(lab: Lab) -> dict[str, list[str]]:
    """The data servers of each engine, its primary first."""
    rows = sorted(lab.verdict()["servers"], key=lambda row: str(row["role"]))
    return {engine: [row["server"] for row in rows if row["tier"] == engine] for engine in TITLES}


def fill(cluster: Cluster) -> None:
    """Rows and keys of several types, in many transactions."""
    primary = cluster.primary("mysql")
    cluster.lab.keep_items(primary)
    cluster.lab.on(primary, "mysql", stdin=TABLES)
    redis(cluster, cluster.primary("redis"), "DEL kept:list kept:stream\n")
    for add in ADD.values():
        add(cluster, range(1, MANY + 1))


def redis(cluster: Cluster, host: str, commands: str) -> None:
    """Send lines of commands to a Redis server as its administrator; one that is refused is an error."""
    program = """
done = subprocess.run(["redis-cli", "-e", "--user", "admin", "--no-auth-warning"], input=commands, text=True,
                      env={**os.environ, "REDISCLI_AUTH": password}, capture_output=True)
print(json.dumps(done.returncode and done.stdout + done.stderr))
"""
    failed = cluster.lab.run_python(host, program, commands=commands, password=cluster.lab.secret("redis_admin"))
    if failed:
        raise ClusterError(f"Redis on {host} refused a command: {failed[-300:]}")


def way_out(cluster: Cluster, engine: str, host: str, sentence: str) -> None:
    """Do on a server, to the word, what the sentence tells to do on it."""
    found = re.search(r"\(on it: ([^)]*)\)", sentence)
    if not found:
        raise ClusterError(f"The sentence names no way out: {sentence}")
    if engine == "mysql":
        cluster.lab.on(host, "mysql", "-e", found.group(1))
    else:
        redis(cluster, host, f"{found.group(1)}\n")


def replace_others(cluster: Cluster) -> None:
    """Hosts without data, and the replicas: site.yml heals them."""
    servers = {host for hosts in cluster.members.values() for host in hosts}
    others = [host for host in cluster.lab.addresses() if host not in servers]
    for host in [*others, *(cluster.replica(engine) for engine in cluster.members)]:
        before = cluster.primaries()
        cluster.lab.lab("replace", host)
        cluster.expect_healed(f"{host} replaced", before)


def refuse_and_follow(cluster: Cluster, engine: str, event: str, before: dict[str, Contents]) -> None:
    """The primary is empty: site.yml refuses; its sentence is followed, and the empty host becomes a replica."""
    empty, full = cluster.members[engine]
    cluster.turn(engine)
    names = [TITLES[engine], f"{empty} is empty", f"{full} holds", "nothing was changed", "(on it: "]
    sentence = cluster.expect_refused(event, before, names)
    way_out(cluster, engine, full, sentence)
    cluster.expect_healed(f"- {full} made the primary as told", before, f"healed, {empty} joined it")


def replace_primaries(cluster: Cluster) -> None:
    for engine in cluster.members:
        host, before = cluster.primary(engine), cluster.primaries()
        cluster.lab.lab("replace", host)
        refuse_and_follow(cluster, engine, f"{host} (primary) replaced", before)
        # What is written to the new primary counts from now on as well.
        ADD[engine](cluster, range(1000, 1010))


def empty_mysql(cluster: Cluster) -> None:
    """A primary whose directory was emptied is refused while it is stopped, and when it was started by hand."""
    (host, full), before = cluster.members["mysql"], cluster.primaries()
    cluster.lab.on(host, "systemctl", "stop", "mariadb")
    cluster.lab.on(host, "find", "/var/lib/mysql", "-mindepth", "1", "-delete")
    cluster.turn("mysql")
    names = ["MySQL", f"{host} is empty", f"{full} holds", "nothing was changed"]
    cluster.expect_refused(f"{host} (primary) stopped, directory emptied", before, names)
    cluster.lab.on(host, "sh", "-c", "mariadb-install-db --user=mysql >/dev/null && systemctl start mariadb")
    cluster.turn("mysql")
    refuse_and_follow(cluster, "mysql", f"- {host} started by hand on it", before)


def empty_redis(cluster: Cluster) -> None:
    """A primary that is started on an empty directory is refused, as its replica, which was stopped, has the keys."""
    (host, full), before = cluster.members["redis"], cluster.primaries()
    # While it runs, a Redis replica takes over whatever its primary holds, nothing as well.
    cluster.lab.on(full, "systemctl", "stop", "redis-server")
    cluster.lab.on(host, "systemctl", "stop", "redis-server")
    cluster.lab.on(host, "find", "/var/lib/redis", "-mindepth", "1", "-delete")
    cluster.lab.on(host, "systemctl", "start", "redis-server")
    cluster.silent.add("redis")
    cluster.turn("redis")
    names = [
        "Redis",
        f"while {host} runs and is empty",
        f"{full} holds",
        "does not answer",
        "nothing was changed",
        f"stop Redis on {host}",
    ]
    sentence = cluster.expect_refused(
        f"{host} (primary) started on an emptied directory, replica stopped", before, names
    )
    cluster.lab.on(host, "systemctl", "stop", "redis-server")
    cluster.lab.on(full, "systemctl", "start", "redis-server")
    cluster.silent.clear()
    way_out(cluster, "redis", full, sentence)
    cluster.expect_healed(f"- {full} made the primary as told", before, f"healed, {host} joined it")


def stop_all(cluster: Cluster) -> None:
    """Servers that are all stopped are refused until they are started again; hosts that are down likewise."""
    before, every = (
        cluster.primaries(),
        [(engine, host) for engine in cluster.members for host in cluster.members[engine]],
    )
    for engine, host in every:
        cluster.lab.on(host, "systemctl", "stop", SERVICES[engine])
    cluster.silent.update(cluster.members)
    names = [f"{host} holds data" for _engine, host in every]
    cluster.expect_refused("every data server stopped", before, [*names, "start MySQL on", "start Redis on"])
    for engine, host in every:
        cluster.lab.on(host, "systemctl", "start", SERVICES[engine])
    cluster.silent.clear()
    cluster.expect_healed("- started as told", before)

    before = cluster.primaries()
    for host in cluster.members["mysql"]:
        cluster.lab.lab("ssh", host, "sudo systemctl --no-block poweroff")
    time.sleep(5)
    cluster.silent.add("mysql")
    names = [f"Host {host} cannot be reached" for host in cluster.members["mysql"]]
    cluster.expect_refused("both MySQL hosts down", before, names)
    cluster.lab.lab("up")
    cluster.silent.clear()
    cluster.expect_healed("- started again", before)


def purge_logs(cluster: Cluster) -> None:
    """A replaced replica is filled with a copy where the primary no longer has the binary logs from its first transaction on."""
    add_rows(cluster, range(2000, 2010))
    before = cluster.primaries()
    (primary, replica), lab = cluster.members["mysql"], cluster.lab
    lab.on(primary, "mysql", "-e", "FLUSH BINARY LOGS")
    newest = lab.on(primary, "mysql", "-NBe", "SHOW BINARY LOGS").splitlines()[-1].split()[0]
    lab.on(primary, "mysql", "-e", f"PURGE BINARY LOGS TO '{newest}'")
    lab.lab("replace", replica)
    cluster.expect_healed(f"{replica} replaced, {primary} without its first logs", before, "filled with a copy")


def take_over(cluster: Cluster) -> None:
    """Servers that were there before us: a Redis that knows no users, and a MariaDB without binary logs and our client."""
    lab = cluster.lab
    for hosts in cluster.members.values():
        for host in hosts:
            lab.lab("replace", host)
    (mysql, fresh), (cache, _replica) = cluster.members["mysql"], cluster.members["redis"]
    lab.on(mysql, "apt-get", "install", "--quiet", "--yes", "mariadb-server")
    lab.on(mysql, "mysql", stdin=TABLES + "".join(ROWS.format(n=number) for number in range(1, MANY + 1)) + ACCOUNT)
    lab.on(cache, "apt-get", "install", "--quiet", "--yes", "redis-server")
    lab.on(cache, "redis-cli", stdin="".join(KEYS.format(n=n, ten=n % 10) for n in range(1, MANY + 1)))
    before = {"mysql": cluster.holds("mysql", mysql), "redis": counted(lab.keys(cache, "default", ""))}
    code, output = lab.playbook("site.yml")
    wrong = [f"site.yml failed: {told(output)}"] if code else []
    wrong += [] if lab.on(mysql, "mysql", "-NBe", KEPT_ACCOUNT).strip() == "1" else ["the account of its own is gone"]
    cluster.note(f"{mysql} and {cache} taken over, {fresh} empty", "taken over", before, wrong or cluster.unequal())


STEPS: tuple[Callable[[Cluster], None], ...] = (
    replace_others,
    replace_primaries,
    empty_mysql,
    empty_redis,
    stop_all,
    purge_logs,
    take_over,
)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    parser.add_argument("--steps", nargs="*", choices=[step.__name__ for step in STEPS], help="only these")
    options = parser.parse_args(argv)
    lab = Lab(options.inventory.resolve())
    lab.lab("up")
    lab.converge()
    cluster = Cluster(lab, members_of(lab))
    fill(cluster)
    try:
        for step in STEPS:
            if not options.steps or step.__name__ in options.steps:
                step(cluster)
    finally:
        print("\n", table(HEAD, cluster.lines), "\n\n", "\n".join(cluster.sentences), sep="")
    for failure in cluster.failures:
        print(f"WRONG: {failure}", file=sys.stderr)
    return bool(cluster.failures)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        print(f"replace_hosts: {error}", file=sys.stderr)
        sys.exit(2)
