# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WordPress, installed over HTTP, and who is logged in to it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.siteops.webcluster.molecule.wordpress.tests.visitor import Answer, Visitor, hidden_fields

USER, PASSWORD = "editor", "of the scenario, with spaces & more"
SLOW_SECONDS = 40
# WordPress publishes at once what is due within a minute.
DUE_SECONDS = 61


def install(site: str) -> Visitor:
    """Install WordPress, log in and let its addresses be pretty, as an owner does."""
    owner = Visitor(site)
    form = {
        "weblog_title": f"The site {site}",
        "user_name": USER,
        "admin_password": PASSWORD,
        "admin_password2": PASSWORD,
        "admin_email": "owner@blog.example",
        "language": "",
        "blog_public": "0",
    }
    installed = owner.ask("/wp-admin/install.php?step=2", form)
    assert "Success!" in installed.text or "Already Installed" in installed.text, installed.text
    logged_in = owner.log_in(USER, PASSWORD)
    assert (logged_in.status, logged_in.headers["location"]) == (302, f"https://{site}/wp-admin/")
    page = owner.ask("/wp-admin/options-permalink.php").text
    changed = owner.ask(
        "/wp-admin/options-permalink.php",
        {**hidden_fields(page), "selection": "/%postname%/", "permalink_structure": "/%postname%/", "submit": "Save"},
    )
    assert changed.status == 302, changed.text
    return owner


@pytest.fixture(scope="session")
def blog() -> Visitor:
    return install("blog.example")


@pytest.fixture(scope="session")
def news() -> Visitor:
    return install("news.example")


@pytest.fixture(scope="session", autouse=True)
def scheduled(blog: Visitor) -> Answer:
    """A post that is for later."""
    due = datetime.now(UTC) + timedelta(seconds=DUE_SECONDS)
    values = {"title": "Later", "content": "x", "status": "future", "date_gmt": due.isoformat()[:19]}
    return blog.api("posts", values)


@pytest.fixture(scope="session", autouse=True)
def slow(blog: Visitor) -> Iterator[Future[Answer]]:
    """A request that takes long, while the other tests run."""
    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(Visitor(blog.site).ask, f"/?slow={SLOW_SECONDS}")
