# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Apache with the role's apache2.conf hands out of a document root; PHP-FPM is not there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.loopback_apache import Apache

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
def apache(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apache]:
    variables = {
        "apache_php_document_root": str(root),
        "apache_php_upload_folders": FOLDERS,
        "apache_php_trusted_proxies": ["127.0.0.1"],
        # What PHP would be told.
        "apache_php_extra_config": 'Header always set X-Told "%{HTTPS}e"',
    }
    with Apache(tmp_path_factory.mktemp("apache"), variables) as apache:
        yield apache


@pytest.mark.parametrize("path", PATHS)
def test_b8_nothing_hidden_is_served_and_nothing_uploaded_is_run(apache: Apache, path: str) -> None:
    assert apache.get(path).status == PATHS[path]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}, "on"),
        ({"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "http"}, "(null)"),
        ({"X-Forwarded-For": "192.0.2.9"}, "(null)"),
        # Nobody who is no load balancer.
        ({"X-Forwarded-Proto": "https"}, "(null)"),
    ],
)
def test_an_application_knows_of_https_as_the_load_balancer_says(
    apache: Apache, headers: dict[str, str], told: str
) -> None:
    assert apache.get("/page.html", **headers).headers["X-Told"] == told


def test_what_another_site_has_asked_for_is_not_compressed(root: Path, tmp_path: Path) -> None:
    """Its size would tell the other site what stands in it (BREACH)."""
    (root / "long.html").write_text("secret " * 500)
    own, other = "http://shop.example/cart", "https://other.example/shop.example/"
    asked: list[tuple[dict[str, str], str | None]] = [
        ({}, "gzip"),
        ({"Referer": own}, "gzip"),
        ({"Referer": own.replace("http:", "https:"), "Sec-Fetch-Site": "same-origin"}, "gzip"),
        ({"Sec-Fetch-Site": "none"}, "gzip"),
        ({"Referer": other}, None),
        ({"Sec-Fetch-Site": "cross-site"}, None),
        ({"Sec-Fetch-Site": "same-site"}, None),
    ]
    variables = {"apache_php_document_root": str(root), "apache_php_trusted_proxies": ["127.0.0.1"]}
    with Apache(tmp_path, variables) as apache:
        for headers, wanted in asked:
            answer = apache.get("/long.html", "shop.example", **{"Accept-Encoding": "gzip", **headers})
            assert (headers, answer.status, answer.headers["Content-Encoding"]) == (headers, 200, wanted)
