# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do with WordPress, through the load balancer and on all web servers."""

from __future__ import annotations

import base64
import io
import json
import os
import time
import zipfile
import zlib
from concurrent.futures import Future
from datetime import UTC, datetime

import pytest
from ansible_collections.siteops.webcluster.molecule.utils.reporting import report
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from ansible_collections.siteops.webcluster.molecule.wordpress.tests.visitor import Answer, Visitor

MIB = 1024 * 1024


def media(owner: Visitor, name: str, kind: str, content: bytes) -> Answer:
    """Upload a file as a form does."""
    nonce = owner.ask("/wp-admin/admin-ajax.php?action=rest-nonce").text
    edge = "the-edge-of-the-part"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
    headers = {"X-WP-Nonce": nonce, "Content-Type": f"multipart/form-data; boundary={edge}"}
    return owner.ask("/wp-json/wp/v2/media", body=body, headers=headers)


def archive(content: bytes) -> bytes:
    """An archive with one file: WordPress looks whether a file is what its name says."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("file", content)
    return packed.getvalue()


def picture(width: int) -> bytes:
    """A PNG in one colour, as large as it is wide."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = width.to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    rows = (b"\0" + b"\x20\x60\xa0" * width) * width
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_who_logs_in_on_one_web_server_is_logged_in_on_all(blog: Visitor) -> None:
    pages = blog.on_all("/wp-admin/")
    assert {(page.status, "wp-admin-bar-my-account" in page.text) for page in pages.values()} == {(200, True)}
    assert {page.status for page in Visitor(blog.site).on_all("/wp-admin/").values()} == {302}


@pytest.mark.parametrize("name", ["blog", "news"])
def test_a_post_has_a_pretty_address_on_all_web_servers(name: str, request: pytest.FixtureRequest) -> None:
    owner: Visitor = request.getfixturevalue(name)
    address = f"/seen-by-all-{time.time_ns()}/"
    made = owner.api("posts", {"title": address.strip("/"), "content": "Grüße, 世界 🌍", "status": "publish"})
    assert made.status == 201, made.text
    assert made.data["link"] == f"https://{owner.site}{address}"
    pages = Visitor(owner.site).on_all(address)
    assert {(page.status, "Grüße, 世界 🌍" in page.text) for page in pages.values()} == {(200, True)}
    unknown = Visitor(owner.site).ask("/no-such-page/")
    assert (unknown.status, "wp-includes" in unknown.text) == (404, True)


def test_htaccess_counts_where_the_site_says_so(blog: Visitor, news: Visitor) -> None:
    assert Visitor(news.site).ask("/of-this-file").status == 302
    assert Visitor(blog.site).ask("/of-this-file").status == 404
    assert Visitor(news.site).ask("/.htaccess").status in (403, 404)


def test_a_file_of_20_mib_is_uploaded(blog: Visitor) -> None:
    content = archive(os.urandom(MIB) * 20)
    made = media(blog, "archive.zip", "application/zip", content)
    assert made.status == 201, made.text
    assert made.data["source_url"].startswith(f"https://{blog.site}/wp-content/uploads/")
    refused = media(blog, "archive.zip", "application/zip", archive(os.urandom(25 * MIB)))
    assert refused.status == 413


def test_a_picture_gets_smaller_ones_and_is_served(blog: Visitor) -> None:
    made = media(blog, "blue.png", "image/png", picture(400))
    assert made.status == 201, made.text
    small = made.data["media_details"]["sizes"]["thumbnail"]["source_url"]
    path = small.removeprefix(f"https://{blog.site}")
    served = Visitor(blog.site).on_all(path)[made.server]
    assert (served.status, served.headers["content-type"], served.body[:4]) == (200, "image/png", b"\x89PNG")


def test_no_php_is_run_in_uploads(blog: Visitor) -> None:
    assert media(blog, "page.php", "image/png", b"<?php echo 1;").status in (400, 500)
    assert Visitor(blog.site).ask("/wp-content/uploads/page.php").status in (403, 404)


def test_a_program_logs_in_with_an_application_password(blog: Visitor) -> None:
    made = blog.api("users/me/application-passwords", {"name": f"scenario {time.time()}"})
    assert made.status == 201, made.text

    def status(password: str) -> int:
        login = base64.b64encode(f"editor:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        return Visitor(blog.site).ask("/wp-json/wp/v2/users/me?context=edit", headers=headers).status

    assert (status(made.data["password"]), status("of somebody else")) == (200, 401)


def test_another_site_reads_only_what_is_its_own(blog: Visitor) -> None:
    assert blog.ask("/").status == 200
    for answer in Visitor("desk.example").on_all("/").values():
        found = answer.data
        own = {name: found.pop(name).partition(":")[0] for name in ("own database", "own key", "own file")}
        assert own == dict.fromkeys(own, "read"), answer.text
        assert found.pop("site") == "desk"
        assert "denied" in found.pop("database"), answer.text
        assert "No permissions" in found.pop("key"), answer.text
        assert {said.partition(":")[0] for said in found.values()} == {"refused"}, answer.text
        assert set(found) == {"databases", "code", "secrets"}


def test_status_knows_every_site() -> None:
    found = report("wordpress")
    assert found["healthy"] is True, found["reasons"]
    assert all(name in json.dumps(found) for name in ("blog", "news", "desk"))


def test_a_request_may_take_40_seconds(slow: Future[Answer]) -> None:
    answer = slow.result()
    assert (answer.status, answer.text) == (200, "slow but whole")


def test_cron_publishes_what_is_due(blog: Visitor, scheduled: Answer) -> None:
    assert (scheduled.status, scheduled.data["status"]) == (201, "future")
    due = datetime.fromisoformat(scheduled.data["date_gmt"]).replace(tzinfo=UTC)
    time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds() + 1))
    path = f"posts/{scheduled.data['id']}"
    assert blog.api(path).data["status"] == "future"
    assert Visitor(blog.site).ask("/wp-cron.php?doing_wp_cron").status == 200
    until(lambda: blog.api(path).data["status"] != "future")
    assert blog.api(path).data["status"] == "publish"
