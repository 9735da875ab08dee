# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _releases
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, hostvars, topology

BLOG = {"name": "blog", "domains": ["blog.example"], "database": {}, "redis": {}}
PASSWORDS = {"blog": {"mysql": "x", "redis": "y"}}


def removing(*entries: t.Any, **more: t.Any) -> dict[str, t.Any]:
    usual = {"webcluster_sites": [BLOG], "webcluster_site_passwords": PASSWORDS}
    return {"webcluster": {**usual, "webcluster_sites_remove": list(entries), **more}}


def test_a_name_says_all_and_other_names_can_be_told() -> None:
    result = topology(None, (), **removing("demo", {"name": "shop", "database": "shop_db", "prefix": "cart:"}))
    assert result["errors"] == []
    assert result["removed"] == [
        {
            "name": "demo",
            "home": "/srv/webcluster/demo",
            "databases": ["demo", "demo-cron"],
            "prefixes": ["demo:", "demo-cron:"],
        },
        {
            "name": "shop",
            "home": "/srv/webcluster/shop",
            "databases": ["shop_db", "shop-cron"],
            "prefixes": ["cart:", "shop-cron:"],
        },
    ]
    assert topology()["removed"] == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            removing("blog"),
            "Site blog is in webcluster_sites and in webcluster_sites_remove; expected it in one of them",
        ),
        (
            removing({"name": "shop", "database": "blog"}),
            "webcluster_sites_remove would remove the database blog, which belongs to site blog; expected one that nobody needs",
        ),
        (
            removing({"name": "shop", "database": "own"}, mysql_server_application_databases=["own"]),
            "would remove the database own, which belongs to mysql_server_application_databases",
        ),
        (
            removing({"name": "shop", "database": "mysql"}),
            "would remove the database mysql, which belongs to the server itself",
        ),
        (
            removing({"name": "shop", "prefix": "b"}),
            "would remove the Redis keys that begin with b, and those of site blog begin with blog:; expected keys that nobody",
        ),
        (
            removing("../x"),
            "webcluster_sites_remove holds '../x'; expected the name of a site such as shop, or {name: shop,",
        ),
        (
            removing({"name": "shop", "redis": {}}),
            "webcluster_sites_remove holds {'name': 'shop', 'redis': {}}; expected",
        ),
        (
            removing({"database": "shop"}),
            "webcluster_sites_remove holds {'database': 'shop'}; expected the name of a site",
        ),
        (
            {**removing("demo"), "web2": {"webcluster_sites_remove": []}},
            "Variable webcluster_sites_remove differs between lb and web2; expected the same list for the whole cluster",
        ),
    ],
)
def test_what_somebody_needs_is_not_removed(changed: dict[str, t.Any], words: str) -> None:
    [found] = topology(None, (), **changed)["errors"]
    assert words in found


def test_without_its_entry_the_demo_may_go_and_with_it_not() -> None:
    assert topology(webcluster={"webcluster_sites": [], "webcluster_sites_remove": ["demo"]})["errors"] == []
    [found] = topology(webcluster={"webcluster_sites_remove": ["demo"]})["errors"]
    assert found.startswith("Site demo is in webcluster_sites and in webcluster_sites_remove")


def notes(removed: t.Sequence[t.Any], **others: list[str]) -> list[str]:
    of, changed = groups(), removing(*removed)
    variables = hostvars(of, **changed)
    for host, names in others.items():
        variables[host]["__webcluster_known_releases"] = {"sites": {}, "others": names}
    return _releases.site_sources(topology(of, (), **changed), variables, [], ["web1", "web2"])["notes"]


def test_what_stays_is_told_until_it_may_go() -> None:
    assert notes([], web1=["demo"], web2=["demo", "shop"]) == [
        "Site demo is not in webcluster_sites. What cannot be made again stays: /srv/webcluster/demo and the user site-demo on web1,"
        " web2, and the database and the Redis keys that it had; webcluster_sites_remove: [demo] removes all of it.",
        "Site shop is not in webcluster_sites. What cannot be made again stays: /srv/webcluster/shop and the user site-shop on web2, and"
        " the database and the Redis keys that it had; webcluster_sites_remove: [shop] removes all of it.",
    ]
    assert notes(["demo", {"name": "shop"}], web1=["demo"], web2=["demo", "shop"]) == []
    assert notes([]) == []
