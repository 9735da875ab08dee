# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy on loopback, with the files of the role, as its unit runs it."""

from __future__ import annotations

import csv
import re
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ansible_collections.siteops.webcluster.tests.certificates import issue
from ansible_collections.siteops.webcluster.tests.checkers import PATH, need
from ansible_collections.siteops.webcluster.tests.loopback import wait_for
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Variables, play_role

CERTIFICATES = ("haproxy_https_certificates", "haproxy_acme_certificates")
PLACEHOLDER = issue("placeholder")
# Where the host's folders are below the test's own; the others are that one.
FOLDERS = {
    "/etc/haproxy/acme": "acme",
    "/etc/webcluster-acme": "acme-settings",
    "/var/lib/webcluster-acme": "acme-state",
    "/etc/tmpfiles.d": "tmpfiles.d",
}
PLACES = "/run/haproxy|/usr/local/lib/webcluster|/etc/haproxy/(?:certificates|authorities)|/etc/haproxy(?=/placeholder)"


class Proxy:
    """HAProxy as the unit runs it, with its files in a folder."""

    def __init__(self, folder: Path, variables: Variables, journal: str = "") -> None:
        need("haproxy")
        need("socat")
        self.folder = folder
        self.config = folder / "haproxy.cfg"
        program = self.configure(variables, journal)
        path = folder / "save-server-state"
        path.write_text(program, encoding="utf-8")
        path.chmod(0o755)
        for prepare in self.commands("ExecStartPre"):
            subprocess.run(["sh", "-c", prepare], check=True)
        command = ["haproxy", "-W", "-db", "-S", str(folder / "master.sock"), "-f", str(self.config)]
        with open(folder / "requests.log", "ab") as requests:
            self.process = subprocess.Popen(command, env={"PATH": PATH}, stdout=requests)

    def configure(self, variables: Variables, journal: str = "") -> str:
        """Write the files that the role writes; return the program that a reload needs."""
        folder = self.folder
        usual = {"haproxy_https_enabled": any(variables.get(option) for option in CERTIFICATES)}
        run = play_role("haproxy", {"lb": Case({**usual, **variables})}, Path(tempfile.mkdtemp(dir=folder)))
        for arguments in run.of("lb", "configured_service"):
            for file in arguments["files"]:
                if file.get("first") or arguments["name"] == "webcluster-acme.timer":
                    path = Path(self.here(file["path"]))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(self.here(file.get("content") or file["secret_content"]), encoding="utf-8")
        # What the host makes itself.
        (folder / "placeholder.pem").write_text(PLACEHOLDER.certificate + PLACEHOLDER.private_key, encoding="utf-8")
        for kind, made in re.findall(r"(?m)^([df]) (\S+)", self.text_of("tmpfiles.d/webcluster-acme.conf")):
            Path(made).mkdir(parents=True, exist_ok=True) if kind == "d" else Path(made).touch()
        names = ("haproxy.cfg", "webcluster.conf", "save-server-state")
        config, unit, program = (run.file("lb", name).content for name in names)
        if journal:
            config = config.replace("log /dev/log", f"log {journal}")
        config = re.sub(r"(?m)^    (chroot|user|group|log /dev) ?.*\n", "", config)
        # The socket belongs to a user of the host.
        config = re.sub(r"admin\.sock .*", "admin.sock level admin", config)
        self.config.write_text(self.here(config), encoding="utf-8")
        self.unit = unit
        return program

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def here(self, text: str) -> str:
        for theirs, ours in FOLDERS.items():
            text = text.replace(theirs, f"{self.folder}/{ours}")
        return re.sub(PLACES, str(self.folder), text)

    def text_of(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def commands(self, kind: str) -> list[str]:
        found = [line.removeprefix("-") for line in re.findall(rf"(?m)^{kind}=(.+)$", self.unit)]
        return [self.here(command) for command in found]

    def reload(self) -> None:
        environment = {
            "PATH": PATH,
            "CONFIG": str(self.config),
            "EXTRAOPTS": "",
            "MAINPID": str(self.process.pid),
        }
        before = self.process_id()
        for command in self.commands("ExecReload"):
            subprocess.run(["sh", "-c", command], check=True, env=environment)
        while self.process_id() in ("", before):
            time.sleep(0.01)

    def ask(self, question: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.folder / "admin.sock"))
            connection.sendall(f"{question}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def process_id(self) -> str:
        """Who answers: a reload starts another process."""
        with suppress(OSError):
            return str(re.findall(r"(?m)^Pid: (\d+)$", self.ask("show info"))[0])
        return ""

    def rows(self) -> dict[str, dict[str, str]]:
        """The statistics of each server, by backend and server."""
        lines = [line for line in self.ask("show stat").removeprefix("# ").splitlines() if line]
        rows = [row for row in csv.DictReader(lines) if row["svname"] not in ("FRONTEND", "BACKEND")]
        return {f"{row['pxname']}/{row['svname']}": row for row in rows}

    def states(self) -> dict[str, str]:
        """The status of each server, by backend and server."""
        return {path: row["status"] for path, row in self.rows().items()}

    def wait_for(self, name: str, state: str) -> None:
        def is_so() -> bool:
            with suppress(OSError):
                return self.states().get(name, "").startswith(state)
            return False

        wait_for(is_so, self.states)
