# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get a load balancer's certificates from an ACME authority and show them: certificates.py SETTINGS.json.

dehydrated speaks with the authority. HAProxy takes what is new at its runtime socket, without a reload, and finds it in its
files at the next one. Prints as JSON what has changed and what went wrong; ends with 1 where something did.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SYSTEM_AUTHORITIES = "/etc/ssl/certs"
DEHYDRATED_SECONDS = 300
TRIES = 3
OWN = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)


class RefusedError(Exception):
    """What ended a step; the text is for the operator."""


@dataclass(frozen=True)
class Settings:
    """Which certificates this load balancer wants, and where everything lies."""

    # Host names by the certificate's name.
    certificates: dict[str, list[str]]
    directory: str
    # dehydrated's configuration, and the folder in which it keeps what it got.
    config: Path
    store: Path
    account_key: Path
    # Authorities that are trusted beside the system's; empty where there are none.
    authorities: str
    # What HAProxy reads.
    shown: Path
    haproxy_socket: str

    @property
    def list(self) -> Path:
        return self.shown / "certificates.list"

    @property
    def names(self) -> Path:
        return self.shown / "trusted.names"

    def pem(self, name: str) -> Path:
        return self.shown / f"{name}.pem"


def read_settings(text: str) -> Settings:
    values = json.loads(text)
    paths = {key: Path(values[key]) for key in ("config", "store", "account_key", "shown")}
    return Settings(**{**values, **paths})


@dataclass(frozen=True)
class Certificate:
    """What openssl tells of one."""

    names: list[str]
    begins: float
    ends: float

    def due(self, names: Iterable[str], now: float) -> bool:
        """A third of its life is left for further tries, or it is for other names."""
        return sorted(self.names) != sorted(names) or now > self.ends - (self.ends - self.begins) / 3


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=DEHYDRATED_SECONDS,
    )


def look_at(path: Path) -> Certificate | None:
    """The first certificate of a file; nothing where there is none."""
    asked = run("openssl", "x509", "-in", str(path), "-noout", "-startdate", "-enddate", "-ext", "subjectAltName")
    if asked.returncode:
        return None
    dates = dict(line.split("=", 1) for line in asked.stdout.splitlines() if line.startswith("not"))
    names = re.findall(r"DNS:([^,\s]+)", asked.stdout)
    return Certificate(names, ssl.cert_time_to_seconds(dates["notBefore"]), ssl.cert_time_to_seconds(dates["notAfter"]))


def is_trusted(path: Path, authorities: str) -> bool:
    """Whether browsers take it: its chain leads to a known authority, and nothing of it is over."""
    more = ["-CAfile", authorities] if authorities else []
    asked = run(
        "openssl",
        "verify",
        "-purpose",
        "sslserver",
        "-CApath",
        SYSTEM_AUTHORITIES,
        *more,
        "-untrusted",
        str(path),
        str(path),
    )
    return asked.returncode == 0


def reason(said: str) -> str:
    """The one thing in dehydrated's words that tells what to do."""
    told = re.findall(r'"detail"\]?:?\s*"((?:[^"\\]|\\.)*)"', said)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    marked = [line for line in lines if "ERROR" in line or "error" in line]
    found = told[-1] if told else (marked or lines or ["it said nothing"])[-1]
    return " ".join(found.split()).removeprefix("ERROR: ").rstrip(".")


def dehydrated(settings: Settings, *words: str) -> None:
    command = ["dehydrated", "--config", str(settings.config), "--privkey", str(settings.account_key), *words]
    said = ""
    for _try in range(TRIES):
        try:
            asked = run(*command)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RefusedError(f"dehydrated: {error}") from error
        said = asked.stdout + asked.stderr
        if not asked.returncode:
            return
        # An authority may refuse a number that it has forgotten; dehydrated does not ask for another one.
        if "badNonce" not in said:
            break
    raise RefusedError(reason(said))


def obtain(settings: Settings, now: float) -> tuple[list[str], list[str]]:
    """Get what is missing, over soon, or for other names; return which were got, and one sentence for each that was not."""
    due = {}
    for name, names in settings.certificates.items():
        held = look_at(settings.store / "certs" / name / "cert.pem")
        if held is None or held.due(names, now):
            due[name] = names
    got: list[str] = []
    problems: list[str] = []
    known = False
    for name, names in due.items():
        try:
            if not known:
                # An account that is there already is taken.
                dehydrated(settings, "--register", "--accept-terms")
                known = True
            domains = [word for each in names for word in ("--domain", each)]
            dehydrated(settings, "--cron", "--force", "--alias", name, *domains)
            got.append(name)
        except RefusedError as problem:
            problems.append(
                f"Certificate {name} for {', '.join(names)} was not got from {settings.directory}: {problem}. All is served as"
                " before; see that these names lead to the load balancers at port 80, then run this again."
            )
    shutil.rmtree(settings.store / "archive", ignore_errors=True)
    return got, problems


def write(path: Path, text: str, mode: int) -> bool:
    """Put a text in its place in one step; return whether it is another one."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    new = path.with_name(f".{path.name}")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.chmod(mode)
    new.replace(path)
    return True


def bring(settings: Settings) -> list[str]:
    """Put into HAProxy's folder what was got, and nothing else; return which certificates changed."""
    changed = []
    for name in settings.certificates:
        held = settings.store / "certs" / name
        if (held / "fullchain.pem").is_file() and (held / "privkey.pem").is_file():
            parts = [(held / part).read_text(encoding="utf-8") for part in ("fullchain.pem", "privkey.pem")]
            # A blank line ends what the runtime socket reads.
            text = "".join(f"{line}\n" for part in parts for line in part.splitlines() if line.strip())
            if write(settings.pem(name), text, 0o600):
                changed.append(name)
    for path in settings.shown.glob("*.pem"):
        if path.stem not in settings.certificates:
            path.unlink()
            changed.append(path.stem)
    for path in (settings.store / "certs").glob("*"):
        if path.name not in settings.certificates:
            shutil.rmtree(path)
    return changed


def there(settings: Settings) -> list[Path]:
    return [settings.pem(name) for name in sorted(settings.certificates) if settings.pem(name).is_file()]


def trusted_names(settings: Settings) -> list[str]:
    """Names to which visitors may be sent over HTTPS."""
    found = {path: look_at(path) for path in there(settings) if is_trusted(path, settings.authorities)}
    return sorted({name for held in found.values() if held for name in held.names})


class Runtime:
    """The runtime socket of HAProxy."""

    def __init__(self, path: str) -> None:
        self.path = path

    def ask(self, command: str, success: str = "") -> list[str]:
        """Give a command; return the lines of the answer, which must hold the word of success."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(10)
                connection.connect(self.path)
                connection.sendall(f"{command}\n".encode())
                answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError as error:
            raise RefusedError(f"HAProxy does not answer at {self.path} ({error.strerror or error})") from error
        if success not in answer:
            raise RefusedError(f"HAProxy answers {' '.join(answer.split())!r} to {command.splitlines()[0]!r}")
        return [line.strip() for line in answer.splitlines() if line.strip()]

    def fingerprint(self, path: Path) -> str:
        found = [line.split(":", 1)[1] for line in self.ask(f"show ssl cert {path}") if line.startswith("SHA1 Finger")]
        return found[0].strip().lower() if found else ""

    def load(self, path: Path, loaded: bool) -> None:
        if not loaded:
            self.ask(f"new ssl cert {path}", "New empty")
        self.ask(f"set ssl cert {path} <<\n{path.read_text(encoding='utf-8')}", "Transaction")
        self.ask(f"commit ssl cert {path}", "Success")


def show(settings: Settings, runtime: Runtime) -> bool:
    """Let the running HAProxy show what lies in its folder, and send visitors there; return whether it did not yet."""
    changed = False
    wanted, listed = there(settings), runtime.ask(f"show ssl crt-list {settings.list}", str(settings.list))
    loaded = set(runtime.ask("show ssl cert", "# filename"))
    for path in wanted:
        own = OWN.search(path.read_text(encoding="utf-8"))
        held = hashlib.sha1(ssl.PEM_cert_to_DER_cert(own[0]), usedforsecurity=False).hexdigest() if own else ""
        if str(path) not in loaded or runtime.fingerprint(path) != held:
            runtime.load(path, str(path) in loaded)
            changed = True
        if str(path) not in listed:
            runtime.ask(f"add ssl crt-list {settings.list} {path}", "Success")
    for gone in {line for line in listed if line.startswith("/")} - set(map(str, wanted)):
        runtime.ask(f"del ssl crt-list {settings.list} {gone}", "deleted")
        runtime.ask(f"del ssl cert {gone}", "deleted")
        changed = True
    names = set(trusted_names(settings))
    known = {line.split()[-1] for line in runtime.ask(f"show acl {settings.names}")}
    for name in sorted(names - known):
        runtime.ask(f"add acl {settings.names} {name}")
    for name in sorted(known - names):
        runtime.ask(f"del acl {settings.names} {name}")
    return changed or names != known


def settle(settings: Settings, now: float) -> dict[str, list[str]]:
    """Do all of it; return what changed, and one sentence for each thing that went wrong."""
    (settings.store / "challenges").mkdir(parents=True, exist_ok=True)
    got, problems = obtain(settings, now)
    changed = [*got, *bring(settings)]
    if write(settings.list, "".join(f"{path}\n" for path in there(settings)), 0o600):
        changed.append(settings.list.name)
    if write(settings.names, "".join(f"{name}\n" for name in trusted_names(settings)), 0o644):
        changed.append(settings.names.name)
    try:
        if show(settings, Runtime(settings.haproxy_socket)):
            changed.append("haproxy")
    except RefusedError as problem:
        problems.append(f"{problem}: reload it, then it shows the certificates that were got.")
    if not problems:
        # Another authority's, or another account's.
        for path in settings.store.parent.glob("*"):
            if path != settings.store and path.is_dir():
                shutil.rmtree(path)
                changed.append(path.name)
    return {"changed": list(dict.fromkeys(changed)), "problems": problems}


def main(argv: list[str]) -> int:
    settings = read_settings(Path(argv[1]).read_text(encoding="utf-8"))
    settings.store.mkdir(parents=True, exist_ok=True)
    with open(settings.store.parent / "lock", "w", encoding="utf-8") as lock:
        # The timer and a run of the role wait for each other.
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = settle(settings, time.time())
    sys.stdout.write(f"{json.dumps(result)}\n")
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
