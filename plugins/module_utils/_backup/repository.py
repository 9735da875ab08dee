# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restic repository: what it holds, a stream that becomes a copy as a whole or not at all, and its way back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from ansible_collections.siteops.webcluster.plugins.module_utils import _programs
from ansible_collections.siteops.webcluster.plugins.module_utils._backup.settings import BackupError, Settings

# What restic says where there is no repository yet; its exit code for it came with 0.17.
ABSENT = re.compile(r"unable to open config file.*(does not exist|no such file)")
# What it says of a password that opens nothing.
NOT_OURS = re.compile(r"wrong password|no key found")
# The name in the middle of a URL's login is nothing to show.
LOGIN = re.compile(r"//[^/@\s]+@")
STREAMS = {"mysql": "mysql.xbstream", "redis": "redis.rdb"}


@dataclass(frozen=True)
class Copy:
    """One copy in the store. time: when it was begun. source: primary or replica."""

    id: str
    time: datetime
    host: str
    source: str = ""
    bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "time": self.time.isoformat(timespec="seconds"),
            "host": self.host,
            "source": self.source,
            "bytes": self.bytes,
        }


@dataclass(frozen=True)
class Stored:
    """What became of a stream: the copy's name, bytes read and bytes that the store did not have yet."""

    id: str
    bytes: int
    added: int


def parse_time(text: str) -> datetime:
    """Read restic's time stamp, which has nine digits behind the second."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00"))


def parse_copies(text: str) -> list[Copy]:
    """Return restic's list of snapshots, the oldest first."""
    found = []
    for raw in json.loads(text or "[]") or []:
        tags = dict(tag.partition("=")[::2] for tag in raw.get("tags") or [])
        size = (raw.get("summary") or {}).get("total_bytes_processed") or 0
        found.append(
            Copy(raw["short_id"], parse_time(raw["time"]), raw.get("hostname", ""), tags.get("source", ""), int(size))
        )
    return sorted(found, key=lambda copy: copy.time)


def last_line(text: str) -> str:
    """The last line that says something, without a login."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line.removeprefix("Fatal: ") for line in lines if line.startswith("Fatal: ")]
    said = (fatal or lines or ["no word about it"])[-1]
    # restic may tell its errors as JSON.
    if said.startswith("{"):
        with contextlib.suppress(ValueError):
            said = str(json.loads(said).get("message") or said)
    return LOGIN.sub("//", said)


class Repository:
    """One tier's repository. look_only: leave no lock and no cache behind, for somebody who only looks at it."""

    def __init__(self, settings: Settings, look_only: bool = False) -> None:
        self.settings = settings
        self.look_only = look_only

    @property
    def name(self) -> str:
        return LOGIN.sub("//", self.settings.repository)

    def _words(self, words: Sequence[str]) -> list[str]:
        how = ["--cacert", self.settings.certificate] if self.settings.certificate else []
        how += ["--no-lock", "--no-cache"] if self.look_only else []
        return ["restic", *how, *words]

    def _environment(self) -> dict[str, str]:
        settings = self.settings
        usual = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": "/root",
            **usual,
            "RESTIC_CACHE_DIR": f"{settings.state}/cache",
            # A line of progress each minute is one too many for a log.
            "RESTIC_PROGRESS_FPS": "0.0001",
            "TMPDIR": settings.state,
            **settings.environment,
            "RESTIC_REPOSITORY": settings.repository,
            "RESTIC_PASSWORD": settings.password,
        }

    def _run(self, *words: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        try:
            return _programs.run(self._words(words), env=self._environment(), timeout=timeout)
        except subprocess.TimeoutExpired as error:
            said = (error.stderr or b"").decode("utf-8", "replace")
            why = f": {last_line(said)}" if said.strip() else ""
            raise BackupError(f"the store {self.name} did not answer within {timeout:g} seconds{why}") from error
        except OSError as error:
            raise BackupError(f"restic cannot be run: {error.strerror}") from error

    def _refusal(self, what: str, said: str) -> BackupError:
        if NOT_OURS.search(said):
            return BackupError(f"the store {self.name} is not ours: the password does not open it")
        if ABSENT.search(said):
            return BackupError(f"the store {self.name} has no repository yet: run site.yml")
        return BackupError(f"{what}: the store {self.name} says: {last_line(said)}")

    def ask(self, what: str, *words: str, timeout: float | None = None) -> str:
        done = self._run(*words, timeout=timeout)
        if done.returncode:
            raise self._refusal(what, done.stderr or done.stdout)
        return done.stdout

    def exists(self, timeout: float = 60) -> bool:
        """Whether there is a repository that our password opens; a store that cannot be asked is an error."""
        done = self._run("cat", "config", timeout=timeout)
        if not done.returncode:
            return True
        error = self._refusal("it cannot be opened", done.stderr or done.stdout)
        if "has no repository yet" in str(error):
            return False
        raise error

    def create(self) -> None:
        """Make it; two hosts at once would each leave a key in it, one of which opens nothing."""
        self.ask("it cannot be made", "init", timeout=120)

    def copies(self, timeout: float = 60) -> list[Copy]:
        return parse_copies(self.ask("its copies cannot be listed", "snapshots", "--json", timeout=timeout))

    def store(self, command: Sequence[str], environment: dict[str, str], source: str) -> Stored:
        """Store what a command says; where it fails nothing is stored.

        The end of the pipe is ours until the command has ended well: restic takes the end of its input for the end of the copy.
        """
        settings = self.settings
        words = ["backup", "--json", "--stdin", "--stdin-filename", STREAMS[settings.tier], "--host", settings.host]
        words += ["--tag", f"tier={settings.tier},source={source}"]
        reading, writing = os.pipe()
        with tempfile.TemporaryFile(dir=settings.state) as told, tempfile.TemporaryFile(dir=settings.state) as said:
            try:
                try:
                    restic = _programs.start(
                        self._words(words), env=self._environment(), stdin=reading, stdout=told, stderr=told
                    )
                finally:
                    os.close(reading)
                try:
                    self._feed(restic, command, environment, writing, said)
                    os.close(writing)
                    writing = -1
                    code = restic.wait()
                finally:
                    restic.kill()
                    restic.wait()
            except OSError as error:
                raise BackupError(f"a program of the copy cannot be run: {error}") from error
            finally:
                if writing >= 0:
                    os.close(writing)
            text = text_of(told)
        if code:
            raise self._refusal("the copy was not stored", text)
        return parse_summary(text)

    def _feed(
        self,
        restic: subprocess.Popen[bytes],
        command: Sequence[str],
        environment: dict[str, str],
        writing: int,
        said: IO[bytes],
    ) -> None:
        source = _programs.start(command, env=environment, stdout=writing, stderr=said)
        try:
            code = source.wait()
        finally:
            source.kill()
            source.wait()
        # Where restic ended first, its word tells why.
        if code and restic.poll() in (None, 0):
            raise BackupError(f"{command[0]} failed, and nothing was stored: {last_line(text_of(said))}")

    def dump(self, copy: Copy, command: Sequence[str]) -> None:
        """Give a copy to a command."""
        with (
            tempfile.TemporaryFile(dir=self.settings.state) as told,
            tempfile.TemporaryFile(dir=self.settings.state) as said,
        ):
            words = self._words(["dump", copy.id, f"/{STREAMS[self.settings.tier]}"])
            restic = _programs.start(words, env=self._environment(), stdout=subprocess.PIPE, stderr=told)
            taker = _programs.start(command, stdin=restic.stdout, stdout=subprocess.DEVNULL, stderr=said)
            if restic.stdout:
                restic.stdout.close()
            codes = taker.wait(), restic.wait()
            if codes[1]:
                raise self._refusal(f"copy {copy.id} cannot be read", text_of(told))
            if codes[0]:
                raise BackupError(f"copy {copy.id} cannot be unpacked: {last_line(text_of(said))}")

    def save(self, copy: Copy, path: Path) -> None:
        """Write a copy into a file."""
        self.dump(copy, ["dd", f"of={path}", "bs=1M", "iflag=fullblock", "status=none"])

    def forget(self) -> None:
        """Remove copies that nobody promised to keep; a lock that a killed program left behind is no obstacle."""
        self.ask("old locks cannot be removed", "unlock")
        kept = [part for name, number in sorted(self.settings.keep.items()) for part in (f"--keep-{name}", str(number))]
        # By tier, whichever host made the copy.
        self.ask("old copies cannot be removed", "forget", "--prune", "--group-by", "paths", *kept)

    def check(self, part: int, parts: int) -> None:
        """Read a share of the data and compare it with its checksums."""
        self.ask("the check found damage", "check", f"--read-data-subset={part}/{parts}")


def text_of(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def parse_summary(text: str) -> Stored:
    """Return restic's summary, the last of what it told."""
    for line in reversed(text.splitlines()):
        if '"message_type":"summary"' in line.replace(" ", ""):
            raw = json.loads(line)
            return Stored(raw["snapshot_id"][:8], int(raw["total_bytes_processed"]), int(raw["data_added"]))
    raise BackupError("restic did not tell the name of the copy")
