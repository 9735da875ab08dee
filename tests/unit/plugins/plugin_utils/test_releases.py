# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release a site gets, and the plan of the way to another one."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _releases
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import groups, hostvars, topology

DEBIAN = {"distribution": "Debian", "distribution_major_version": "13", "distribution_release": "trixie"}
RUN = ("lb", "web1", "web2")
PACKED = {"release": "new", "path": "/cache/shop-new.tar.gz"}
BY_ME: dict[str, t.Any] = {"action": "release", "by": "me@here", "at": 1_795_000_000.0}


def look(live: str = "old", **more: t.Any) -> dict[str, t.Any]:
    """What a web server says of the shop: two releases, the older one was live before."""
    usual = {
        "there": True,
        "live": live,
        "noted": live,
        "version": "",
        "before": [{"release": "older", "version": "1.2"}],
        "releases": ["old", "older"],
        "released": {},
    }
    return {**usual, **more}


class Cluster:
    """Two web servers and a site, whose entry and answers are given."""

    def __init__(
        self, *looks: dict[str, t.Any], entry: t.Mapping[str, t.Any] | None = None, **variables: t.Any
    ) -> None:
        site = {"name": "shop", "domains": ["shop.example"], "public": "public", "health_path": "/up", **(entry or {})}
        self.of = groups()
        self.changed: dict[str, t.Any] = {
            "webcluster": {"webcluster_sites": [site], "ansible_facts": DEBIAN, **variables}
        }
        self.topology = topology(self.of, (), **self.changed)
        self.looks = looks or (look(), look())

    @property
    def hostvars(self) -> dict[str, dict[str, t.Any]]:
        found = hostvars(self.of, **self.changed)
        for name, said in zip(("web1", "web2"), self.looks, strict=True):
            found[name]["__webcluster_known_releases"] = {"sites": {"shop": said}}
        return found

    def plan(self, packed: t.Mapping[str, t.Any] | None = None, /, **more: t.Any) -> _releases.ReleasePlan:
        usual: dict[str, t.Any] = {"site": "shop", "run": RUN, "forks": 5, "check_mode": False}
        usual["packed"] = PACKED if packed is None else packed
        return _releases.release_plan(self.topology, self.hostvars, [], **{**usual, **more})

    def back(self, to: str = "") -> _releases.ReleasePlan:
        return self.plan({}, to=to)

    def sources(self, run: t.Sequence[str] = RUN) -> _releases.Sources:
        return _releases.site_sources(self.topology, self.hostvars, [], run)

    def request(self, version: str = "", source: str = "") -> _releases.Request:
        return _releases.release_request(self.topology, "shop", version, source)


def test_a_release_finds_the_php_that_the_web_servers_have() -> None:
    plan = Cluster(apache_php_version="8.3").plan()
    assert plan["services"] == {"web1": "php8.3-fpm", "web2": "php8.3-fpm"}
    assert plan["previews"]["web1"]["socket"] == "/run/php/php8.3-fpm-site-shop.sock"


def test_a_release_goes_to_all_web_servers_and_they_would_go_back_to_what_is_live() -> None:
    plan = Cluster(entry={"migrate": "php migrate.php", "shared_folders": ["storage"]}).plan(version="1.4")
    assert (plan["errors"], plan["web"], plan["former"], plan["is_live"]) == ([], ["web1", "web2"], "old", False)
    assert plan["code"]["web2"] == {
        "name": "shop",
        "home": "/srv/webcluster/shop",
        "user": "site-shop",
        "readers": "web-shop",
        "shared_folders": ["storage"],
        "mounted_folders": [],
        "release": "new",
        "archive": "/cache/shop-new.tar.gz",
        "version": "1.4",
    }
    assert plan["former_code"]["web1"]["release"] == "old"
    assert plan["services"] == {"web1": "php8.4-fpm", "web2": "php8.4-fpm"}
    preview = plan["previews"]["web1"]
    assert preview["root"] == "/srv/webcluster/shop/releases/new/public"
    assert preview["socket"] == "/run/php/php8.4-fpm-site-shop.sock"
    assert (preview["path"], preview["host"], preview["front_controller"]) == ("/up", "shop.example", "index.php")
    assert plan["command"]["folder"] == "/srv/webcluster/shop/releases/new"
    assert plan["command"]["environment_file"] == "/etc/webcluster-sites/shop.env"
    assert plan["check"]["release"] == "new"


def test_the_plan_in_sentences() -> None:
    text = Cluster(entry={"migrate": "php migrate.php", "health_text": "fine"}).plan(version="1.4")["text"]
    assert text == [
        "Site shop runs release old on web1, web2; it gets release new (1.4) by release.",
        "It is unpacked on web1, web2 beside the live one.",
        "On web1 the site's user runs 'php migrate.php' in it, once.",
        "On each web server PHP is asked for /up of it, expected is 200 with the text 'fine'. Until then nothing that is served has"
        " changed, and whatever fails ends the run.",
        "All web servers switch to it within a second, and PHP-FPM is reloaded, which lets running requests end.",
        "It is asked on each web server itself and through lb; where that fails, all go back to release old.",
        "Expected downtime: none. The live release and 5 former ones are kept.",
    ]


def test_too_few_forks_are_told_since_not_all_can_wait_for_one_moment() -> None:
    plan = Cluster().plan(forks=1)
    assert plan["lead"] == 0
    assert any("run with --forks 2 to switch all within a second" in line for line in plan["text"])
    assert Cluster().plan()["lead"] > 0


def test_check_mode_tells_the_plan_and_names_no_host_for_it() -> None:
    plan = Cluster().plan(check_mode=True)
    assert (plan["web"], bool(plan["text"])) == ([], True)


def test_a_release_that_all_serve_already_is_only_looked_at() -> None:
    plan = Cluster(look("new", releases=["new"]), look("new", releases=["new"])).plan()
    assert plan["is_live"] is True
    assert plan["text"][1] == "All web servers serve it already: it is looked at, and nothing is changed."
    # PHP may not have been told on one of them.
    assert Cluster(look("new", noted="old"), look("new")).plan()["is_live"] is False


def test_what_an_interrupted_run_left_is_finished_and_would_go_back_to_the_others_release() -> None:
    done = look("new", releases=["new", "old"], before=[{"release": "old", "version": ""}])
    waiting = look("old", releases=["new", "old"])
    assert Cluster(done, waiting).plan()["former"] == "old"
    # All were switched, and one was not told.
    assert Cluster(done, {**done, "noted": "old"}).plan()["former"] == "old"
    # What is not everywhere is nothing to go back to.
    assert Cluster(done, look("odd", releases=["new", "odd"], before=[])).plan()["former"] == ""


def test_a_first_release_has_nothing_to_go_back_to() -> None:
    empty = look("", before=[], releases=[])
    plan = Cluster(empty, empty).plan()
    assert (plan["errors"], plan["former"]) == ([], "")
    assert any("it stays, as there is no release to go back to" in line for line in plan["text"])


def test_a_rollback_goes_to_the_release_before() -> None:
    plan = Cluster().back()
    assert (plan["release"], plan["former"], plan["action"], plan["migrate"]) == ("older", "old", "rollback", "")
    assert Cluster().back("older")["release"] == "older"


@pytest.mark.parametrize(
    ("looks", "to", "words"),
    [
        (
            (look(), look()),
            "gone",
            "Release gone of site shop is not on all web servers; expected one that is, and on all web servers are old, older",
        ),
        ((look(), look("older")), "", "Site shop runs old and older on different web servers"),
        ((look(before=[]), look(before=[])), "", "Site shop has no release before old on all web servers;"),
        (
            (look(), look(releases=["old"])),
            "",
            "Site shop has no release before old on all web servers; on all web servers are old:",
        ),
    ],
)
def test_a_rollback_that_cannot_be_is_one_sentence(looks: tuple[dict[str, t.Any], ...], to: str, words: str) -> None:
    [error] = Cluster(*looks).back(to)["errors"]
    assert error.startswith(words)


@pytest.mark.parametrize(
    ("more", "looks", "words"),
    [
        (
            {"site": "shp"},
            (look(), look()),
            "Site 'shp' is not in webcluster_sites; expected one of that list, and it has shop",
        ),
        ({"site": ""}, (look(), look()), "No site was named; expected one of that list"),
        ({"run": ["web1"]}, (look(), look()), "web2: not in this run; expected all web servers"),
        ({}, (look(), look(there=False)), "Site shop is not set up on web2;"),
    ],
)
def test_what_makes_a_release_impossible_is_one_sentence(
    more: dict[str, t.Any], looks: tuple[dict[str, t.Any], ...], words: str
) -> None:
    plan = Cluster(*looks).plan(**more)
    [error] = plan["errors"]
    assert error.startswith(words)
    assert plan["web"] == []


def test_none_kept_is_refused() -> None:
    [error] = Cluster(apache_php_releases_kept=0).plan()["errors"]
    assert error == "apache_php_releases_kept is 0, expected 1 at least: raise it."


def test_a_version_takes_its_place_in_the_source(tmp_path: Path) -> None:
    (tmp_path / "shop-1.4").mkdir()
    (tmp_path / "shop-1.3").mkdir()
    source = f"{tmp_path}/shop-{{version}}"
    cluster = Cluster(entry={"source": source, "version": "1.3", "build": "make"})
    found = cluster.request(version="1.4")
    assert (found["errors"], found["version"]) == ([], "1.4")
    assert found["pack"] == [{"name": "shop", "source": f"{tmp_path}/shop-1.4", "exclude": [".git", ".svn", ".hg"]}]
    assert found["build"] == [{"name": "shop", "command": "make", "folder": f"{tmp_path}/shop-1.4"}]
    assert cluster.request()["pack"][0]["source"] == f"{tmp_path}/shop-1.3"
    given = cluster.request(source=str(tmp_path))
    assert (given["pack"][0]["source"], given["version"]) == (str(tmp_path), "")


GIT: dict[str, t.Any] = {"git": {"url": "https://code.example/shop.git"}, "version": "v1.3", "exclude": ["docs"]}
CHECKOUT = "~/.cache/siteops.webcluster/git/shop-7c71768a"


def test_the_code_of_a_repository_is_checked_out_built_and_packed_without_gits_own(tmp_path: Path) -> None:
    cluster = Cluster(entry={**GIT, "build": "make"})
    found = cluster.request(version="feature/x")
    assert (found["errors"], found["version"]) == ([], "feature/x")
    assert found["checkout"] == [
        {
            "name": "shop",
            "version": "feature/x",
            "url": "https://code.example/shop.git",
            "key_file": "",
            "folder": CHECKOUT,
        }
    ]
    assert found["pack"] == [{"name": "shop", "source": CHECKOUT, "exclude": ["docs", ".git"]}]
    assert found["build"] == [{"name": "shop", "command": "make", "folder": CHECKOUT}]
    assert [one["version"] for one in cluster.sources()["checkout"]] == ["v1.3"]
    # A path that is given goes before it.
    given = cluster.request(source=str(tmp_path))
    assert (given["checkout"], given["pack"][0]["source"]) == ([], str(tmp_path))


def test_a_web_server_that_lacks_the_release_gets_it_from_its_tag_built_anew() -> None:
    mine = look(version="v1.4", released=BY_ME)
    cluster = Cluster(mine, look("", there=False, releases=[], before=[]), entry={**GIT, "build": "make"})
    found = cluster.sources()
    assert [one["version"] for one in found["checkout"]] == ["v1.4"]
    assert [(one["source"], one["release"]) for one in found["pack"]] == [(CHECKOUT, "old")]
    assert [one["folder"] for one in found["build"]] == [CHECKOUT]


@pytest.mark.parametrize(
    ("entry", "more", "words"),
    [
        ({}, {}, "Site shop has no source; expected one: give -e source=PATH"),
        ({"source": "/builds/{version}"}, {}, "Site shop: source is /builds/{version}, and no version was given;"),
        ({"source": "/builds/{version}"}, {"version": "../x"}, "version is '../x', expected letters"),
        (
            {"source": "/builds/{version}"},
            {"version": "9"},
            "Site shop: source is /builds/9, which is no absolute path of",
        ),
        (GIT, {"version": "--upload-pack=x"}, "version is '--upload-pack=x', expected a tag, branch or commit such as"),
        (GIT, {"version": "a..b"}, "version is 'a..b', expected a tag, branch or commit such as v1.4: correct it."),
        ({}, {"source": "here"}, "Site shop: source is here, which is no absolute path of"),
        (
            {"build": "make"},
            {"source": __file__},
            f"Site shop: build is set, and source is {__file__}, which is no folder",
        ),
    ],
)
def test_code_that_is_nowhere_is_one_sentence(entry: dict[str, t.Any], more: dict[str, str], words: str) -> None:
    [error] = Cluster(entry=entry).request(**more)["errors"]
    assert error.startswith(words)


def test_an_unknown_site_has_no_code() -> None:
    assert _releases.release_request(topology(webcluster={"webcluster_sites": []}), "shop")["errors"] == [
        "Site 'shop' is not in webcluster_sites; expected one of that list, and it is empty: give -e site=NAME."
    ]


def test_the_source_decides_until_an_operator_does(tmp_path: Path) -> None:
    cluster = Cluster(entry={"source": str(tmp_path), "build": "make"})
    found = cluster.sources()
    assert [entry["source"] for entry in found["pack"]] == [str(tmp_path)]
    assert [entry["command"] for entry in found["build"]] == ["make"]
    archives = {"shop": {"release": "abc", "path": "/cache/abc"}}
    assert _releases.site_releases(cluster.topology, cluster.hostvars, [], archives) == {
        "shop": {"release": "abc", "archive": "/cache/abc", "version": "", "released": {}}
    }


def test_what_an_operator_has_put_in_place_stays_and_is_told(tmp_path: Path) -> None:
    mine = look(version="1.4", released=BY_ME)
    cluster = Cluster(mine, mine, entry={"source": str(tmp_path), "build": "make"})
    found = cluster.sources()
    assert (found["pack"], found["build"]) == ([], [])
    assert found["notes"] == [
        "Site shop stays at release old (1.4), where me@here has put it by release on 2026-11-18 11:06 UTC; release.yml and"
        " rollback.yml change it."
    ]
    assert _releases.site_releases(cluster.topology, cluster.hostvars, [], {}) == {
        "shop": {"release": "old", "archive": "", "version": "1.4", "released": BY_ME}
    }


def test_a_web_server_that_lacks_the_release_gets_it_from_its_version() -> None:
    mine = look(version="1.4", released=BY_ME)
    fresh = look("", there=False, releases=[], before=[])
    cluster = Cluster(mine, fresh, entry={"source": "/builds/{version}", "version": "1.0"})
    [pack] = cluster.sources()["pack"]
    assert (pack["source"], pack["release"]) == ("/builds/1.4", "old")
    # It is not in this run.
    assert cluster.sources(["web1"])["pack"] == []


def test_of_two_the_last_one_was_meant() -> None:
    first, last = look("a", released=BY_ME), look("b", released={**BY_ME, "at": BY_ME["at"] + 60})
    cluster = Cluster(first, last)
    assert _releases.site_releases(cluster.topology, cluster.hostvars, [], {})["shop"]["release"] == "b"


def test_a_web_server_outside_of_the_run_has_its_say() -> None:
    cluster = Cluster()
    elsewhere: list[dict[str, t.Any]] = [
        {"item": "web2", "sites": {"shop": look("b", released=BY_ME)}},
        {"item": "web1", "unreachable": True},
    ]
    found = _releases.site_releases(cluster.topology, cluster.hostvars, elsewhere, {})
    assert found["shop"]["release"] == "b"
