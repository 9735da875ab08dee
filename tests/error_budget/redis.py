# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move, kill and freeze the lab's Redis primary under 200 writes a second, and compare every server with what was acknowledged.

A planned move loses nothing and lets no writer wait for more than three seconds. A primary that dies may take with it what it
had not sent yet; how much is told. The exit code is 1 when a budget is exceeded, or when the tier does not come back.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import moves, tier_update
from .cluster import CHECKOUT, ClusterError, Lab, table
from .redis_load import RedisLoad, count, lists_on
from .rotate_secrets import changes

BEFORE, AFTER = 3.0, 5.0
# Seconds without service: writers as promised; a reader's connection is cut when its server becomes the primary, it takes another.
WRITERS, READERS = 3.0, 1.0
HEAD = (
    "event",
    "acknowledged",
    "lost",
    "doubled",
    "longest gap of writers",
    "longest gap of readers",
    "refused writes",
    "failed reads",
    "budget",
)
UNIT = "redis-server"
PACKAGES = ("redis-server", "redis-tools")
# The tasks after which the playbook is killed.
STEPS = ("TASK [Tell the plan]", "TASK [Move the primary]", "TASK [Finish and look]")
# A killed server stays dead, as on a host that is gone.
NO_RESTART = f"""
mkdir -p /run/systemd/system/{UNIT}.service.d
printf '[Service]\\nRestart=no\\n' >/run/systemd/system/{UNIT}.service.d/dead.conf
systemctl daemon-reload
systemctl kill --signal=KILL {UNIT}
"""
RESTART_AGAIN = f"rm -r /run/systemd/system/{UNIT}.service.d; systemctl daemon-reload"


@dataclass
class Tier:
    """The Redis servers of a lab; primary is who is it now, as far as this run moved it."""

    lab: Lab
    web: str
    primary: str
    replica: str

    def play(self, name: str, to: str, *options: str, **variables: object) -> str:
        code, output = self.lab.playbook(
            f"playbooks/{name}.yml", *options, variables={"tier": "redis", "to": to, **variables}
        )
        if code != 0:
            raise ClusterError(f"{name}.yml to {to} failed:\n{output}")
        return output

    def refused(self, name: str, to: str, said: str, *options: str, **variables: object) -> None:
        code, output = self.lab.playbook(
            f"playbooks/{name}.yml", *options, variables={"tier": "redis", "to": to, **variables}
        )
        if code == 0 or said not in " ".join(output.split()):
            raise ClusterError(f"{name}.yml to {to} ended with {code} and did not say '{said}':\n{output}")

    def swap(self) -> None:
        self.primary, self.replica = self.replica, self.primary

    def shell(self, host: str, script: str) -> None:
        self.lab.on(host, "sh", "-c", script)


@dataclass(frozen=True)
class Event:
    """What happens; planned: whether nothing may be lost and nobody may wait for long."""

    name: str
    act: Callable[[Tier], None]
    planned: bool = False


def there_and_back(times: int) -> Callable[[Tier], None]:
    def act(tier: Tier) -> None:
        for _move in range(2 * times):
            tier.play("switchover", tier.replica)
            tier.swap()
            time.sleep(AFTER)

    return act


def killed_playbook(tier: Tier) -> None:
    """The playbook is killed as each step begins; run again, it finishes, or says that there is nothing left."""
    for step in STEPS:
        done = "is the primary already, and every replica follows it"
        moves.killed_and_again(tier.lab, step, "redis", tier.replica, done)
        tier.swap()
        time.sleep(AFTER)


def rejoin(tier: Tier, old: str) -> None:
    """Its lists end earlier than those of the primary, so they are named, and given up when that is asked for."""
    tier.refused("rejoin", old, f"{old} has keys of its own")
    tier.play("rejoin", old, allow_reseed=[old])


def kill(tier: Tier) -> None:
    old = tier.primary
    tier.refused("promote", tier.replica, f"{old} is the primary and alive")
    tier.shell(old, NO_RESTART)
    tier.play("promote", tier.replica)
    tier.shell(old, RESTART_AGAIN)
    tier.swap()
    rejoin(tier, old)


def freeze(tier: Tier) -> None:
    old = tier.primary
    tier.lab.on(old, "systemctl", "kill", "--signal=STOP", UNIT)
    tier.play("promote", tier.replica, accept_data_loss=True)
    # It is fenced: there is nobody left to wake up.
    tier.shell(old, f"systemctl kill --signal=CONT {UNIT} || true")
    tier.swap()
    time.sleep(AFTER)
    rejoin(tier, old)


def freeze_out_of_reach(tier: Tier) -> None:
    """Its host cannot be reached, so it is not fenced, wakes up and says that it is the primary: nobody writes there."""
    old = tier.primary
    with moves.out_of_reach(old) as options:
        tier.lab.on(old, "systemctl", "kill", "--signal=STOP", UNIT)
        said = tier.play("promote", tier.replica, *options, accept_data_loss=True)
    if f"{old} could not be fenced" not in " ".join(said.split()):
        raise ClusterError(f"promote.yml did not say that it could not fence {old}:\n{said}")
    tier.swap()
    time.sleep(AFTER)
    tier.lab.on(old, "systemctl", "kill", "--signal=CONT", UNIT)
    time.sleep(AFTER)
    tier.refused("switchover", old, "expected one")
    # It got nothing after the moment in which it was frozen, so it has no keys of its own and none has to be named.
    tier.play("rejoin", old)


def updated(tier: Tier) -> None:
    """Both servers get newer packages; the primary has moved then."""
    tier_update.upgrade(tier.lab, "redis", tier.primary, tier.replica, PACKAGES)
    tier.swap()


def updated_after_a_failure(tier: Tier) -> None:
    """A package that cannot be installed on the replica ends it there; mended, the run goes on from there."""
    tier_update.fail_and_upgrade(tier.lab, "redis", tier.primary, tier.replica, PACKAGES)
    tier.swap()


def events(times: int) -> list[Event]:
    return [
        Event(f"switchover there and back, {times} times", there_and_back(times), planned=True),
        Event("switchover killed after each step, and run again", killed_playbook, planned=True),
        Event("primary killed, promote, rejoin", kill),
        Event("primary frozen, promote, woken up, rejoin", freeze),
        Event("primary frozen out of reach, promote, woken up, rejoin", freeze_out_of_reach),
        Event("rolling update, newer packages", updated, planned=True),
        Event("rolling update that fails on the replica, and again", updated_after_a_failure, planned=True),
    ]


def run(tier: Tier, event: Event, number: int) -> tuple[list[object], list[str]]:
    """Let an event happen under load; return its line of the table, and what exceeds its budget."""
    name = f"{int(time.time())}-{number}"
    with RedisLoad(tier.lab, tier.web, name, tier.lab.secret("site_demo_redis")) as load:
        time.sleep(BEFORE)
        event.act(tier)
        time.sleep(AFTER)
    time.sleep(1)
    writers = load.of("write")
    counts = [count(writers, lists_on(tier.lab, host, writers)) for host in (tier.primary, tier.replica)]
    lost, doubled, broken = (max(getattr(each, what) for each in counts) for what in ("lost", "doubled", "broken"))
    wrong = [f"{event.name}: {doubled} writes are there twice"] * bool(doubled)
    wrong += [f"{event.name}: {broken} entries have a wrong checksum"] * bool(broken)
    wrong += [f"{event.name}: the servers differ: {counts}"] * (counts[0] != counts[1])
    wrong += [f"{event.name}: nothing was acknowledged"] * (not counts[0].acknowledged)
    gaps = load.gap("write"), load.gap("read")
    if event.planned:
        wrong += [f"{event.name}: {lost} acknowledged writes are lost"] * bool(lost)
        wrong += [f"{event.name}: a writer had no service for {gaps[0]:.1f} s"] * (gaps[0] > WRITERS)
    wrong += [f"{event.name}: a reader had no service for {gaps[1]:.1f} s"] * (gaps[1] > READERS)
    refused, failed = load.reasons("write").total(), load.reasons("read").total()
    shown = (counts[0].acknowledged, lost, doubled, *(f"{gap:.2f} s" for gap in gaps), refused, failed)
    return [event.name, *shown, "exceeded" if wrong else "kept"], wrong


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    parser.add_argument("--only", default="", help="run the events whose names hold this text")
    parser.add_argument("--times", type=int, default=10, help="how often the primary moves there and back")
    options = parser.parse_args(arguments)
    lab = Lab(options.inventory.resolve())
    lines: list[list[object]] = []
    wrong: list[str] = []
    try:
        lab.lab("up")
        lab.converge()
        groups = lab.groups()
        members = [*groups["redis_master"], *groups["redis_replica"]]
        primary = next(
            row["server"] for row in lab.verdict()["servers"] if row["tier"] == "redis" and row["role"] == "primary"
        )
        replica = next(name for name in members if name != primary)
        tier = Tier(lab, groups["apache_php"][0], primary, replica)
        for number, event in enumerate(events(options.times), 1):
            if options.only in event.name:
                line, found = run(tier, event, number)
                lines.append(line)
                wrong += found
                print(*line, sep="  ", flush=True)
        changed = changes(lab.converge())
        if changed:
            wrong.append(f"site.yml changed {changed} things after it all; expected none")
    except ClusterError as error:
        wrong.append(str(error))
    print(f"\n{table(HEAD, lines)}\n")
    print("\n".join(wrong) or "error-budget: every budget was kept.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
