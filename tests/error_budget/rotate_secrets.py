# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change every password and every user name of a converged lab under load, by setting it and running site.yml again."""

from __future__ import annotations

import argparse
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cluster import CHECKOUT, ClusterError, Lab, table, usual_sites
from .load import Answer, Load, failures

# What begins when all data servers have the new passwords and no web server has.
HALF_WAY = "PLAY [Converge one web server]"
# Each of them logs in once and says whether it was let in.
AS_SITE = """
code = '$in = json_decode(fgets(STDIN), true); try { new PDO("mysql:host={$in[0]}", $in[1], $in[2]); }' \\
    ' catch (PDOException $error) { fwrite(STDERR, $error->getMessage()); exit(1); }'
done = subprocess.run(["php", "-r", code], input=json.dumps([server, user, password]) + "\\n", capture_output=True, text=True)
print(json.dumps([done.returncode == 0, done.stderr]))
"""
AS_MEMBER = """
done = subprocess.run(["mysql", "-h", server, "-u", user, "--skip-ssl-verify-server-cert", "-e", ""],
                      env={**os.environ, "MYSQL_PWD": password}, capture_output=True, text=True)
print(json.dumps([done.returncode == 0, done.stderr]))
"""
ON_REDIS = """
done = subprocess.run(["redis-cli", "-h", server, "--user", user, "--no-auth-warning", "PING"],
                      env={**os.environ, "REDISCLI_AUTH": password}, capture_output=True, text=True)
print(json.dumps(["PONG" in done.stdout, done.stdout + done.stderr]))
"""
# The logins that a data server refused since the time, or since it was asked before. MariaDB writes them down at level 2 only.
REFUSED_BY_MYSQL = """
subprocess.run(["mysql", "-e", f"SET GLOBAL log_warnings = {level}"], check=True)
log = ["journalctl", "--unit", "mariadb", "--output", "cat", "--since", f"@{since}"]
said = subprocess.run(log, capture_output=True, text=True, check=True).stdout
print(json.dumps([line for line in said.splitlines() if "Access denied for user" in line]))
"""
REFUSED_BY_REDIS = """
with open("/etc/webcluster-redis.json") as file:
    kept = json.load(file)
def ask(*words):
    return subprocess.run(["redis-cli", "--user", kept["user"], "--no-auth-warning", "--json", *words], capture_output=True,
                          text=True, env={**os.environ, "REDISCLI_AUTH": kept["password"]}, check=True).stdout
entries = json.loads(ask("ACL", "LOG", "128"))
ask("ACL", "LOG", "RESET")
print(json.dumps([str(entry) for entry in entries if entry["reason"] == "auth"]))
"""
# 1698: MariaDB says so where the account is unknown and an account without a name is not.
REFUSED = re.compile(r"\b1045\b|\b1698\b|WRONGPASS")


# The demo, whose users are named in its entry of webcluster_sites.
SITE = "demo"


@dataclass(frozen=True)
class Login:
    """A user of the cluster: its password is a file beside the inventory, its name an option with a default."""

    engine: str
    what: str
    usual_name: str

    @property
    def file(self) -> str:
        return f"site_{self.what}_{self.engine}" if self.what == SITE else f"{self.engine}_{self.what}"

    @property
    def option(self) -> str:
        return f"{self.engine}_server_{self.what}_user"

    def is_let_in(self, lab: Lab, name: str, password: str) -> bool:
        """Whether every server of the tier lets this user in; raises ClusterError where none can say."""
        groups, addresses = lab.groups(), lab.addresses()
        members = [*groups[f"{self.engine}_master"], *groups[f"{self.engine}_replica"]]
        found = set()
        for server in members:
            others = [member for member in members if member != server]
            program, host = {
                ("mysql", SITE): (AS_SITE, groups["apache_php"][0]),
                ("redis", self.what): (ON_REDIS, server),
            }.get((self.engine, self.what), (AS_MEMBER, others[0]))
            let_in, said = lab.run_python(host, program, server=addresses[server], user=name, password=password)
            if not let_in and not REFUSED.search(said):
                raise ClusterError(f"{server} could not be asked for the user {name}: {said}")
            found.add(let_in)
        if len(found) > 1:
            raise ClusterError(f"{' and '.join(members)} do not agree about the user {name}")
        return found.pop()


LOGINS = [
    Login("mysql", SITE, "demo"),
    Login("redis", SITE, "demo"),
    Login("mysql", "monitor", "monitor"),
    Login("redis", "monitor", "monitor"),
    Login("mysql", "replication", "replication"),
    Login("redis", "replication", "replication"),
    Login("redis", "admin", "admin"),
]


@dataclass(frozen=True)
class Line:
    """What came of one secret."""

    secret: str
    answers: Sequence[Answer]
    refused_logins: Sequence[str]
    new_works: bool
    old_is_refused: bool
    second_run_changes: int

    @property
    def failures(self) -> Counter[str]:
        return failures(self.answers)

    @property
    def good(self) -> bool:
        right = self.new_works and self.old_is_refused and self.second_run_changes == 0
        return bool(self.answers) and not self.failures and not self.refused_logins and right

    def cells(self) -> list[object]:
        words = {True: "yes", False: "NO"}
        return [
            self.secret,
            len(self.answers),
            self.failures.total(),
            len(self.refused_logins),
            words[self.new_works],
            words[self.old_is_refused],
            self.second_run_changes,
        ]


def changes(output: str) -> int:
    """How many changes the recap of a run counts."""
    return sum(int(number) for number in re.findall(r" changed=(\d+) ", output))


def begun(lab: Lab, until: str, playbook: str = "site.yml", *options: str) -> None:
    """Run a playbook and kill it as soon as it says this."""
    words = ["ansible-playbook", "-i", str(lab.inventory), playbook, *options]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "NO_COLOR": "1"}
    with subprocess.Popen(
        words, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        said = next((line for line in run.stdout or () if until in line), None)
        os.killpg(run.pid, signal.SIGKILL)
    if said is None:
        raise ClusterError(f"{playbook} ended before it said {until!r}")


def new_password(lab: Lab, login: Login) -> str:
    """Give a user another password, for the next run; return the one it had."""
    old = lab.secret(login.file)
    path = lab.inventory / ".secrets" / login.file
    path.write_text(f"{secrets.token_hex(16)}\n", encoding="utf-8")
    return old


def refused_logins(lab: Lab, since: int, level: int) -> list[str]:
    """What the data servers noted of web servers whose login they refused: the demo hides it where it can do without."""
    groups, addresses = lab.groups(), lab.addresses()
    said: list[str] = []
    for tier, program in (("mysql", REFUSED_BY_MYSQL), ("redis", REFUSED_BY_REDIS)):
        for host in (*groups[f"{tier}_master"], *groups[f"{tier}_replica"]):
            said += lab.run_python(host, program, since=since, level=level)
    web = [re.compile(rf"\b{re.escape(addresses[name])}\b") for name in groups["apache_php"]]
    return [line for line in said if any(address.search(line) for address in web)]


def under_load(lab: Lab, act: Callable[[], object]) -> tuple[list[Answer], list[str]]:
    """Return what became of the load's requests, and of the logins behind them."""
    address = lab.addresses()[lab.groups()["haproxy"][0]]
    begin = int(time.time())
    refused_logins(lab, begin, level=2)
    with Load(address, reads=20, writes=5) as load:
        act()
    return load.answers, refused_logins(lab, begin, level=1)


def rotate_passwords(lab: Lab, logins: Sequence[Login], interrupted: bool = False) -> list[Line]:
    """Change these passwords in one run, or in one that is killed half-way and another that ends."""
    old: dict[Login, str] = {}

    def run() -> None:
        old.update({login: new_password(lab, login) for login in logins})
        if interrupted:
            begun(lab, HALF_WAY)
            for login in logins:
                both = [login.is_let_in(lab, login.usual_name, word) for word in (old[login], lab.secret(login.file))]
                if both != [True, True]:
                    raise ClusterError(f"After the killed run {login.file}: old and new password are valid: {both}")
        lab.converge()

    answers, refused = under_load(lab, run)
    again = changes(lab.converge())
    note = ", killed half-way and finished" if interrupted else ""
    return [
        Line(
            f"{login.engine} {login.what} password{note}",
            answers,
            refused,
            login.is_let_in(lab, login.usual_name, lab.secret(login.file)),
            not login.is_let_in(lab, login.usual_name, old[login]),
            again,
        )
        for login in logins
    ]


def named(names: Mapping[Login, str]) -> dict[str, Any]:
    """The variables that give users these names."""
    sites = usual_sites()
    found: dict[str, Any] = {}
    for login, name in names.items():
        if login.what == SITE:
            sites[0][{"mysql": "database", "redis": "redis"}[login.engine]]["user"] = name
            found["webcluster_sites"] = sites
        elif name != login.usual_name:
            found[login.option] = name
    return found


def rotate_names(lab: Lab, names: Mapping[Login, str], former: Mapping[Login, str]) -> list[Line]:
    variables = named(names)
    answers, refused = under_load(lab, lambda: lab.converge(variables=variables))
    again = changes(lab.converge(variables=variables))
    return [
        Line(
            f"{login.engine} {login.what} user {former[login]} -> {name}",
            answers,
            refused,
            login.is_let_in(lab, name, lab.secret(login.file)),
            not login.is_let_in(lab, former[login], lab.secret(login.file)),
            again,
        )
        for login, name in names.items()
    ]


def rotate_all(lab: Lab) -> Iterator[Line]:
    for what in (SITE, "monitor", "replication", "admin"):
        yield from rotate_passwords(lab, [login for login in LOGINS if login.what == what])
    yield from rotate_passwords(lab, LOGINS, interrupted=True)
    usual = {login: login.usual_name for login in LOGINS}
    other = {login: f"{name}2" for login, name in usual.items()}
    yield from rotate_names(lab, other, usual)
    # Back to what the inventory says.
    yield from rotate_names(lab, usual, other)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    lab = Lab(parser.parse_args().inventory.absolute())
    lines: list[Line] = []
    problem = None
    try:
        if not lab.verdict()["healthy"]:
            raise ClusterError("The lab's cluster is not healthy: 'make site' first.")
        for line in rotate_all(lab):
            lines.append(line)
            print(f"{line.secret}: {'done' if line.good else 'NOT GOOD'}", file=sys.stderr, flush=True)
    except ClusterError as error:
        problem = error
    head = ("SECRET", "REQUESTS", "FAILED", "REFUSED LOGINS", "NEW WORKS", "OLD REFUSED", "CHANGES OF A SECOND RUN")
    print(table(head, [line.cells() for line in lines]))
    for line in lines:
        for reason, count in (line.failures + Counter(line.refused_logins)).most_common(3):
            print(f"{line.secret}: {count} x {reason}")
    if problem is not None:
        print(problem, file=sys.stderr)
    return 0 if problem is None and all(line.good for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
