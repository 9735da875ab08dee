# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real ACME authority on loopback, Debian's pebble, for which every name leads to this machine."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
from contextlib import closing, suppress
from ipaddress import ip_address
from pathlib import Path

from ansible_collections.siteops.webcluster.tests.certificates import issue
from ansible_collections.siteops.webcluster.tests.checkers import PATH, need
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from cryptography.x509 import IPAddress


class Authority:
    """pebble, which asks for its challenges at one port of this machine, with its own name service."""

    def __init__(self, folder: Path, challenge_port: int) -> None:
        for program in ("pebble", "pebble-challtestsrv", "dehydrated"):
            need(program)
        listen, manage, names, control = (f"127.0.0.1:{free_port()}" for _number in range(4))
        own = issue("authority", names=[IPAddress(ip_address("127.0.0.1"))])
        (folder / "own.pem").write_text(own.certificate, encoding="utf-8")
        (folder / "own.key").write_text(own.private_key, encoding="utf-8")
        settings = {
            "listenAddress": listen,
            "managementListenAddress": manage,
            "certificate": str(folder / "own.pem"),
            "privateKey": str(folder / "own.key"),
            "httpPort": challenge_port,
            "tlsPort": free_port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": settings}), encoding="utf-8")
        environment = {"PATH": PATH, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "0"}
        resolver = ["pebble-challtestsrv", "-dns01", names, "-management", control, "-defaultIPv6", ""]
        resolver += [word for kind in ("http01", "https01", "tlsalpn01") for word in (f"-{kind}", "")]
        server = ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", names]
        self.log = folder / "pebble.log"
        with self.log.open("w", encoding="utf-8") as log:
            self.processes = [
                subprocess.Popen(command, env=environment, stdout=log, stderr=log) for command in (resolver, server)
            ]
        self.directory = f"https://{listen}/dir"
        root = self._fetch(manage, "/roots/0", ssl.create_default_context(cadata=own.certificate))
        # Whom one has to trust: its own name, and what it signs.
        self.authorities = own.certificate + root

    def _fetch(self, place: str, path: str, context: ssl.SSLContext) -> str:
        answers: list[str] = []

        def asked() -> bool:
            with (
                suppress(OSError),
                closing(http.client.HTTPSConnection(place, timeout=5, context=context)) as connection,
            ):
                connection.request("GET", path)
                answers.append(connection.getresponse().read().decode())
            return answers != []

        wait_for(asked, lambda: self.log.read_text(encoding="utf-8"))
        return answers[0]

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait()
