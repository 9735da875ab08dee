# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real MariaDB server of this machine on a socket of its own, with a binary log; it can be killed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlClient, MysqlLogin
from ansible_collections.siteops.webcluster.tests.loopback import wait_for


class RealMariadb:
    """One server below its folder; whoever runs the test may do everything on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.socket = str(folder / "s")
        self.process: subprocess.Popen[bytes] | None = None
        self.client = MysqlClient(MysqlLogin(unix_socket=self.socket, user="root"), timeout=60)
        folder.mkdir(parents=True, exist_ok=True)
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--user=root"]
        subprocess.run(
            [*install, "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, capture_output=True
        )

    def start(self, *options: str) -> None:
        words = ["mariadbd", "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}", "--skip-networking"]
        words += ["--user=root", "--log-bin=binlog", "--server-id=1", "--innodb-buffer-pool-size=16M", *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*words, f"--pid-file={self.folder}/pid"], stdout=log, stderr=log)
        wait_for(self.answers)

    def answers(self) -> bool:
        _rows, error = self.client.try_query(["SELECT 1"])
        return error is None

    def run(self, *statements: str) -> None:
        self.client.query(statements)

    def kill(self) -> None:
        self.client.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
