# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Apache with the role's apache2.conf hands out of a document root; PHP-FPM is not there."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, play_role

# What is given to PHP, which is not there.
RUN = 503
REFUSED = 403
FILES = {
    "index.php": RUN,
    "page.html": 200,
    "robots.txt": 200,
    "manifest.json": 200,
    "download.tar.gz": 200,
    ".well-known/security.txt": 200,
    "uploads/picture.png": 200,
    "inner/uploads/page.php": RUN,
    ".git/config": REFUSED,
    "shop/.git/config": REFUSED,
    ".env": REFUSED,
    ".well-known/.git/config": REFUSED,
    ".well-knowns/x": REFUSED,
    "dump.sql": REFUSED,
    "dump.SQL.gz": REFUSED,
    "index.php.bak": REFUSED,
    "index.php~": REFUSED,
    "wp-config.php.1": REFUSED,
    "page.old": REFUSED,
    "page.orig": REFUSED,
    "settings.php.swp": REFUSED,
    "config.dist": REFUSED,
    "composer.json": REFUSED,
    "composer.lock": REFUSED,
    "page.phtml": REFUSED,
    "page.PHP": REFUSED,
    "tool.phar": REFUSED,
    "uploads/shell.php": REFUSED,
    "uploads/2026/shell.php": REFUSED,
    "uploads/shell.PhP5": REFUSED,
    "wp-content/uploads/shell.php": REFUSED,
    "sites/default/files/shell.php": REFUSED,
    "mine/shell.php": REFUSED,
}
# Asked for, and what is asked for in another spelling.
PATHS = {
    **{f"/{name}": status for name, status in FILES.items()},
    "/%2egit/config": REFUSED,
    "//.git//config": REFUSED,
    "/shop/../.git/config": REFUSED,
    "/uploads/shell.php/more": REFUSED,
    "/uploads/%73hell.php": REFUSED,
    "/uploads//shell.php": REFUSED,
    "/uploads/picture.png/x.php": 404,
}
FOLDERS = ["uploads", "wp-content/uploads", "sites/*/files", "mine"]

Ask = Callable[[str], int]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A document root that Apache's own user can read."""
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            path = Path(folder, "public", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("content")
        for path in [Path(folder), *Path(folder).rglob("*")]:
            path.chmod(0o755)
        yield Path(folder, "public")


@pytest.fixture(scope="module")
def ask(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """The status of a path."""
    need("apache2ctl")
    variables = {
        "apache_php_memory_mb": 1024,
        "apache_php_demo_enabled": False,
        "apache_php_document_root": str(root),
        "apache_php_upload_folders": FOLDERS,
    }
    played = play_role("apache_php", {"web": Case(variables)}, tmp_path_factory.mktemp("role"))
    assert played.refusal("web") == ""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("apache")
    config = folder / "apache2.conf"
    text = re.sub(r"(?m)^Listen .*", f"Listen 127.0.0.1:{port}", played.file("web", "apache2.conf").content)
    config.write_text(text)
    places = {f"APACHE_{name}": str(folder) for name in ("RUN_DIR", "LOCK_DIR", "LOG_DIR")}
    owner = {"APACHE_RUN_USER": "www-data", "APACHE_RUN_GROUP": "www-data", "APACHE_PID_FILE": str(folder / "pid")}
    words = ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", str(config)]
    with subprocess.Popen(words, env={**os.environ, **places, **owner}) as apache:

        def status(path: str) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            finally:
                connection.close()

        for _try in range(100):
            if (folder / "pid").is_file():
                break
            time.sleep(0.1)
        yield status
        apache.terminate()


@pytest.mark.parametrize("path", PATHS)
def test_b8_nothing_hidden_is_served_and_nothing_uploaded_is_run(ask: Ask, path: str) -> None:
    assert ask(path) == PATHS[path]
