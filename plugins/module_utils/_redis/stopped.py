# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis or Valkey service that does not run: look at its data where nobody else reaches them, and start it as a replica."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils import _programs
from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    Client,
    RedisClient,
    RedisError,
    RedisLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.fence import (
    FenceError,
    Run,
    Service,
    do,
    is_active,
    release,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.rejoin import as_replica
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.source import Primary

# Reading a large append-only file takes its time.
LOADING = 900.0


class RealHost:
    """This host, with the service that the role has set up."""

    def __init__(self, service: Service, login: RedisLogin, run: Run, clock: Clock | None = None) -> None:
        self.service = service
        self.login = login
        self.run = run
        self.clock = clock or Clock()

    def is_active(self) -> bool:
        return is_active(self.service, self.run)

    @contextmanager
    def at_rest(self) -> Iterator[Client]:
        """Start a server over the data, on a socket in a folder of its own, and end it afterwards; it changes nothing."""
        owner = self.service.data_dir.stat()
        folder = Path(tempfile.mkdtemp(prefix="webcluster-rejoin-"))
        os.chown(folder, owner.st_uid, owner.st_gid)
        socket = folder / "socket"
        as_owner = ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
        words = [
            *(as_owner if owner.st_uid != os.geteuid() else []),
            *(self.service.program, str(self.service.config), "--include", str(self.service.settings)),
            *("--port", "0", "--tls-port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
            *("--replicaof", "no", "one", "--daemonize", "no", "--supervised", "no", "--pidfile", str(folder / "pid")),
            *("--save", "", "--auto-aof-rewrite-percentage", "0", "--logfile", str(folder / "log")),
        ]
        server = _programs.start(words, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        try:
            client = RedisClient(replace(self.login, unix_socket=str(socket)), timeout=60)
            self._wait_until_loaded(client, server, folder / "log")
            with client:
                yield client
        finally:
            server.terminate()
            server.wait()
            shutil.rmtree(folder)

    def _wait_until_loaded(self, client: RedisClient, server: subprocess.Popen[bytes], log: Path) -> None:
        end = self.clock.now() + LOADING
        while True:
            try:
                client.command("PING")
                return
            except RedisError as error:
                if server.poll() is not None or self.clock.now() > end or error.kind not in ("unreachable", "loading"):
                    said = error.message
                    with suppress(OSError):
                        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]
                    raise FenceError(f"Its data could not be looked at: {said}. Nothing was changed.") from None
            self.clock.sleep(0.1)

    def start_as_replica(self, primary: Primary) -> None:
        config = self.service.config
        kept = config.stat()
        # In the same folder, so that the change is one step.
        new = config.with_name(f"{config.name}.new")
        new.write_text(
            as_replica(config.read_text(encoding="utf-8", errors="surrogateescape"), primary),
            encoding="utf-8",
            errors="surrogateescape",
        )
        os.chown(new, kept.st_uid, kept.st_gid)
        new.chmod(kept.st_mode & 0o777)
        os.replace(new, config)
        release(self.service, self.run)
        do(self.run, "systemctl", "start", self.service.unit)
