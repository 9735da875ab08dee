# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the replication check as a service: main.py CONFIG.json, with the collection's code in the folder beside it."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_client import MysqlLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_session import MysqlSession
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import service
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.look import MysqlLooker

log = logging.getLogger("webcluster-status")
# A server that takes longer for a look that needs milliseconds is not one to send anybody to.
LOOK_SECONDS = 1.5


class Client:
    """The command line client as a child process."""

    def __init__(self, argv: list[str], env: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, env=dict(env), stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        self.stdin = cast("IO[bytes]", self.process.stdin)
        self.stdout = cast("IO[bytes]", self.process.stdout)
        self.stderr = cast("IO[bytes]", self.process.stderr)

    def end(self, patience: float) -> None:
        # The end of its input lets it take leave of the server, which would log a broken connection else.
        with contextlib.suppress(OSError):
            self.stdin.close()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.stdout.close()
        self.stderr.close()


def main(argv: list[str]) -> int:
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        config = json.loads(Path(argv[1]).read_text(encoding="utf-8"))
        login = MysqlLogin(user=config.pop("user"), unix_socket=config.pop("unix_socket", None), connect_timeout=1)
        settings = service.parse_settings(config)
    except (IndexError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.error("the configuration cannot be used: %r", error)
        return 2
    looker = MysqlLooker(MysqlSession(login, Client, LOOK_SECONDS), steps=service.STEPS)
    try:
        service.run(settings, looker, log.info)
    except OSError as error:
        log.error("cannot listen at %s, port %d: %s", settings.address, settings.port, error.strerror)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
