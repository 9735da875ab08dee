# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Apache with two sites answers by host name; PHP-FPM is not there."""

from __future__ import annotations

import http.client
import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.loopback import let_in
from ansible_collections.siteops.webcluster.tests.loopback_apache import Apache

# What is given to PHP, which is not there.
RUN = 503
REFUSED = 403
MIB = 1024 * 1024
SITES = [
    {
        "name": "shop",
        "domains": ["shop.example", "*.shop.example"],
        "public": "public",
        "shared_folders": ["public/own"],
        "upload_limit_mb": 2,
        "restricted_paths": [{"path": "/admin", "from": ["127.0.0.1"]}, {"path": "/closed", "from": ["10.9.9.9"]}],
        "static_cache_seconds": 60,
    },
    {"name": "blog", "domains": ["blog.shop.example"], "front_controller": ""},
]
FILES = {
    "shop/current/public/index.php": "",
    "shop/current/public/who.txt": "shop",
    "shop/current/public/style.css": "",
    "shop/current/public/admin/page.txt": "",
    "shop/current/public/admin/logo.css": "",
    "shop/current/public/admin/dump.sql": "",
    "shop/current/public/closed/page.txt": "",
    "shop/current/secret.txt": "",
    "shop/shared/public/own/picture.txt": "",
    "shop/shared/public/own/shell.php": "",
    "shop/shared/public/own/.htaccess": "Redirect 200 /",
    "blog/current/who.txt": "blog",
    "blog/current/private/page.txt": "blog",
}
ASKED = {
    ("shop.example", "/who.txt"): 200,
    ("SHOP.example", "/who.txt"): 200,
    ("shop.example:80", "/who.txt"): 200,
    ("any.shop.example", "/who.txt"): 200,
    ("blog.shop.example", "/private/page.txt"): 200,
    ("shop.example", "/private/page.txt"): RUN,
    ("blog.shop.example", "/none"): 404,
    ("shop.example", "/none"): RUN,
    ("shop.example", "/../secret.txt"): 400,
    ("shop.example", "/admin/page.txt"): 200,
    ("shop.example", "/admin/dump.sql"): REFUSED,
    ("shop.example", "/closed/page.txt"): REFUSED,
    ("shop.example", "//closed//page.txt"): REFUSED,
    ("shop.example", "/%63losed/page.txt"): REFUSED,
    ("shop.example", "/index.php/closed/x"): REFUSED,
    ("shop.example", "/closed"): REFUSED,
    ("shop.example", "/closedness"): RUN,
    ("shop.example", "/own/picture.txt"): 200,
    ("shop.example", "/own/shell.php"): REFUSED,
    ("shop.example", "/own/to-own.txt"): 200,
    ("shop.example", "/own/to-blog.txt"): REFUSED,
    ("shop.example", "/own/to-passwd.txt"): REFUSED,
    ("shop.example", "/healthz"): RUN,
    ("other.example", "/healthz"): RUN,
    ("other.example", "/livez"): 200,
    ("blog.shop.example", "/livez"): 404,
    ("other.example", "/who.txt"): 404,
}

Ask = Callable[..., http.client.HTTPResponse]


def own(path: Path) -> None:
    """Give a path to another user than the code's, as a site's own files are."""
    nobody = pwd.getpwnam("nobody")
    os.lchown(path, nobody.pw_uid, nobody.pw_gid)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The sites' folders, as a release and the site itself leave them."""
    if os.geteuid():
        pytest.skip("only root can make files of several users")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "webcluster")
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        shared = root / "shop/shared/public/own"
        link = root / "shop/current/public/own"
        link.symlink_to("../../shared/public/own")
        for name, target in {
            "to-own.txt": "picture.txt",
            "to-blog.txt": str(root / "blog/current/private/page.txt"),
            "to-passwd.txt": "/etc/passwd",
        }.items():
            (shared / name).symlink_to(target)
        for path in [Path(folder), *Path(folder).rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)
        for path in [link, shared, *shared.iterdir()]:
            own(path)
        yield root


@pytest.fixture(scope="module")
def ask(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Send a request for a path, by a host name."""
    folder = tmp_path_factory.mktemp("apache")
    system = folder / "system"
    (system / "public").mkdir(parents=True)
    (system / "livez.txt").write_text("alive\n")
    (system / "healthz.php").write_text("")
    let_in(folder)
    moved = {"/srv/webcluster": home, "/var/www/webcluster/system": system}
    # Somebody else than who asks here: what is asked of a request is for a cluster's web servers.
    variables = {"apache_php_sites": SITES, "apache_php_trusted_proxies": ["10.9.9.8"]}
    with Apache(folder, variables, moved) as apache:
        yield lambda host, path, **headers: apache.get(path, host, **headers)


@pytest.mark.parametrize(("host", "path"), ASKED)
def test_a_name_leads_to_its_site_and_a_site_to_its_own_files_only(ask: Ask, host: str, path: str) -> None:
    assert ask(host, path).status == ASKED[host, path]


@pytest.mark.parametrize(
    ("host", "site"), [("shop.example", "shop"), ("x.shop.example", "shop"), ("blog.shop.example", "blog")]
)
def test_the_most_exact_name_counts(ask: Ask, host: str, site: str) -> None:
    assert ask(host, "/who.txt").read() == site.encode()


@pytest.mark.parametrize(("host", "size"), [("shop.example", 2), ("blog.shop.example", 8), ("other.example", 8)])
def test_each_name_has_its_limit_of_a_body(ask: Ask, host: str, size: int) -> None:
    assert ask(host, "/who.txt", **{"Content-Length": str(size * MIB + 1)}).status == 413


def test_the_larger_limit_of_another_site_does_not_count(ask: Ask) -> None:
    assert ask("shop.example", "/who.txt", **{"Content-Length": str(3 * MIB)}).status == 413


def test_browsers_may_keep_what_is_said_and_nothing_else(ask: Ask) -> None:
    assert ask("shop.example", "/style.css").headers["Cache-Control"] == "public, max-age=60"
    assert ask("shop.example", "/who.txt").headers["Cache-Control"] is None
    # Whoever is on the way would hand it to those who may not see it.
    assert ask("shop.example", "/admin/logo.css").headers["Cache-Control"] == "private, max-age=60"


@pytest.mark.parametrize("headers", [{}, {"Referer": "http://shop.example/"}, {"Sec-Fetch-Site": "same-origin"}])
def test_what_everybody_may_keep_varies_with_nothing_but_its_compression(ask: Ask, headers: dict[str, str]) -> None:
    # HAProxy's cache and others on the way keep nothing that varies with more.
    answer = ask("shop.example", "/style.css", **{"Accept-Encoding": "gzip", **headers})
    varies = {name.strip().lower() for line in answer.headers.get_all("Vary", []) for name in line.split(",")}
    assert varies <= {"accept-encoding"}


def test_a_sites_own_view_is_for_programs_on_the_host(ask: Ask) -> None:
    # Here it is given to PHP; a visitor through a balancer has another address, and is refused.
    assert ask("shop.example", "/.well-known/webcluster/site").status == RUN
