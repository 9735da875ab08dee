# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs: make a copy, keep as many as were promised, prove the newest one by a restore."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._backup import record, scratch
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.record import Record
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.repository import Copy, Repository
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.settings import BackupError, Settings
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.standing import STANDINGS, Standing, decide
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.copy import backup_command

# A run of nights after which all of the data was read once.
CHECK_PARTS = 30
WAIT_PARTS = 12


@dataclass(frozen=True)
class World:
    """What a test puts its own in place of."""

    standing: Callable[[Settings], Standing]
    repository: Callable[[Settings], Repository] = Repository
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def usual_world(settings: Settings) -> World:
    return World(STANDINGS[settings.tier])


def age_minutes(copies: list[Copy], now: float) -> float | None:
    return (now - copies[-1].time.timestamp()) / 60 if copies else None


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """One run for a tier at a time; another one waits."""
    with open(Path(settings.state) / f"{settings.tier}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stream_command(settings: Settings, folder: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that says a copy of the server, and its environment."""
    environment = {**os.environ, "TMPDIR": folder}
    if settings.tier == "mysql":
        options = [f"--socket={settings.server.socket}"] if settings.server.socket else []
        return [*backup_command(folder), *options], environment
    server = settings.server
    environment.update(REDISCLI_AUTH=server.password, VALKEYCLI_AUTH=server.password)
    program = scratch.redis_program("cli")
    return [program, "--user", server.user, "-p", str(server.port), "--rdb", "-"], environment


def copy(settings: Settings, world: World, now: bool = False) -> Record:
    """Copy this host's server where it is the one to copy."""
    began = world.clock()
    repository = world.repository(settings)
    while True:
        standing = world.standing(settings)
        moment = world.clock()
        age = age_minutes(repository.copies(), moment)
        decision = decide(settings, standing, age, (moment - began) / 60, now)
        if decision == "nothing":
            return Record("copy", "nothing", f"the store has a copy that is {age:.0f} minutes old", moment)
        if decision == "copy":
            break
        world.sleep(settings.wait_minutes * 60 / WAIT_PARTS)
    with tempfile.TemporaryDirectory(dir=settings.state, prefix="copy-") as folder:
        command, environment = stream_command(settings, folder)
        stored = repository.store(command, environment, standing.role)
    if settings.keep:
        repository.forget()
    ended = world.clock()
    note = f", from the primary, as none of its {standing.replicas} replicas made one" if standing.replicas else ""
    message = f"copy {stored.id} of the {standing.role} was stored{note}"
    figures = {"bytes": stored.bytes, "added": stored.added, "source": standing.role}
    return Record("copy", "done", message, ended, round(ended - began, 1), stored.id, figures)


def keep(settings: Settings, world: World) -> Record:
    """Remove copies that nobody promised to keep, and read a share of the others."""
    began = world.clock()
    repository = world.repository(settings)
    if not repository.exists():
        return Record("keep", "nothing", "the store has no repository yet", began)
    repository.forget()
    part = int(began // 86400) % CHECK_PARTS + 1
    repository.check(part, CHECK_PARTS)
    ended = world.clock()
    left = len(repository.copies())
    message = f"{left} copies are kept, part {part} of {CHECK_PARTS} of the data was read"
    return Record("keep", "done", message, ended, round(ended - began, 1), "", {"copies": left})


def drill(settings: Settings, world: World, kept: str = "") -> Record:
    """Restore the newest copy into a server of its own and look at all of it. kept: a folder to leave the data in."""
    began = world.clock()
    repository = world.repository(settings)
    copies = repository.copies() if repository.exists() else []
    if not copies:
        return Record("drill", "nothing", "the store has no copy yet", began)
    newest = copies[-1]
    figures = scratch.prove(settings, repository, newest, kept)
    ended = world.clock()
    taken = newest.time.astimezone(timezone.utc)
    message = (
        f"copy {newest.id} of {newest.host}, begun {taken:%Y-%m-%d %H:%M:%S} UTC, was restored: {figures['holds']}"
    )
    return Record("drill", "done", message, ended, round(ended - began, 1), newest.id, figures)


def run(settings: Settings, job: str, world: World, now: bool = False, kept: str = "") -> Record:
    """Do a job and write down what became of it."""
    Path(settings.state).mkdir(mode=0o700, parents=True, exist_ok=True)
    begun = world.clock()
    try:
        with alone(settings):
            if job == "copy":
                found = copy(settings, world, now)
            elif job == "keep":
                found = keep(settings, world)
            else:
                found = drill(settings, world, kept)
    except BackupError as error:
        ended = world.clock()
        found = Record(job, "failed", str(error), ended, round(ended - begun, 1))
    record.write(settings.state, settings.tier, found)
    return found
