# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Apache on loopback with the role's apache2.conf; PHP-FPM is not there."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Variables, play_role

USUAL: Variables = {"apache_php_memory_mb": 1024}


class Apache:
    """Runs while the context lasts; `moved` says where folders of a host are here."""

    def __init__(self, folder: Path, variables: Variables, moved: Mapping[str, Path] | None = None) -> None:
        need("apache2ctl")
        played = play_role("apache_php", {"web": Case({**USUAL, **variables})}, folder)
        assert played.refusal("web") == ""
        self.folder, self.port = folder, free_port()
        text = played.file("web", "apache2.conf").content
        for there, here in (moved or {}).items():
            text = text.replace(there, str(here))
        text = re.sub(r"(?m)^Listen .*", f"Listen 127.0.0.1:{self.port}", text).replace("*:80>", f"*:{self.port}>")
        self.config = folder / "apache2.conf"
        self.config.write_text(text, encoding="utf-8")

    def __enter__(self) -> Apache:
        pid = self.folder / "pid"
        places = {f"APACHE_{name}": str(self.folder) for name in ("RUN_DIR", "LOCK_DIR", "LOG_DIR")}
        owner = {"APACHE_RUN_USER": "www-data", "APACHE_RUN_GROUP": "www-data", "APACHE_PID_FILE": str(pid)}
        words = ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", str(self.config)]
        self.process = subprocess.Popen(words, env={**os.environ, **places, **owner})
        wait_for(pid.is_file)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait()

    def get(self, path: str, host: str = "localhost", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers={"Host": host, "Connection": "close", **headers})
        return connection.getresponse()
