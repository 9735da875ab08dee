# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a list of sites says: names, defaults, and every sentence about what is wrong."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.filter import site_errors as site_errors_filter
from ansible_collections.siteops.webcluster.plugins.filter import site_plan
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _sites, _variables

Values = dict[str, t.Any]


def site(name: str = "shop", *domains: str, **more: t.Any) -> Values:
    return {"name": name, "domains": list(domains or (f"{name}.example",)), **more}


def validated(*sites: Values) -> list[Values]:
    """The sites with the defaults of the playbooks' spec."""
    options = _variables.read_options(_variables.PLAYBOOKS)
    settings = _variables.Settings({"web": {"webcluster_sites": list(sites)}}, options)
    found: list[Values] = settings.value("web", "webcluster_sites")
    assert settings.errors == []
    return found


def read(**more: t.Any) -> _sites.Site:
    return _sites.read_site(validated(site(**more))[0], 30, 8)


def test_a_site_of_one_line_has_every_default() -> None:
    found = read()
    assert (found.name, found.domains, found.source) == ("shop", ("shop.example",), "")
    assert (found.request_time_limit, found.upload_limit_mb) == (30, 8)
    assert (found.database, found.redis, found.sessions) == (None, None, "files")
    assert found.health == _sites.Health("/", 200, "")
    assert found.values["front_controller"] == "index.php"


def test_one_word_is_enough_for_a_database_for_keys_and_for_sessions() -> None:
    assert read(database={}).database == _sites.Database("shop", "shop", "utf8mb4", "")
    assert read(redis={}).redis == _sites.Redis("shop", "shop:", ())
    assert read(sessions="redis").redis == _sites.Redis("shop", "shop:", ())


def test_what_is_said_of_a_site_counts() -> None:
    found = read(
        request_time_limit=40,
        upload_limit_mb=15,
        database={"name": "store", "user": "clerk", "character_set": "latin1", "collation": "latin1_bin"},
        redis={"user": "cache", "prefix": "s:", "commands": ["eval"]},
        health_path="/up",
        health_status=204,
        health_text="fine",
    )
    assert (found.request_time_limit, found.upload_limit_mb) == (40, 15)
    assert found.database == _sites.Database("store", "clerk", "latin1", "latin1_bin")
    assert found.redis == _sites.Redis("cache", "s:", ("eval",))
    assert found.health == _sites.Health("/up", 204, "fine")


@pytest.mark.parametrize(
    ("domains", "name"),
    [(["*", "*.shop.example"], "www.shop.example"), (["*.a.example", "b.example"], "b.example"), (["*"], "")],
)
def test_the_verdict_asks_by_a_name_that_leads_to_the_site(domains: list[str], name: str) -> None:
    assert _sites.asked_as(domains) == name


def test_the_most_exact_name_comes_first() -> None:
    wide, exact, any_name = (
        site("wide", "*.example", "*.shop.example"),
        site("exact", "b.shop.example"),
        site("all", "*"),
    )
    found = _sites.faces([wide, any_name, exact])
    assert [(face["site"]["name"], face["domains"]) for face in found] == [
        ("exact", ["b.shop.example"]),
        ("wide", ["*.shop.example"]),
        ("wide", ["*.example"]),
    ]
    assert _sites.default_site([wide, any_name]) is any_name


# What is wrong, and what the sentence must say.
def mounted(*mounts: Values) -> Values:
    return site(shared_folders=["files"], mounts=[{"folder": "files", **mount} for mount in mounts])


BAD: dict[str, tuple[list[Values], str]] = {
    "two sites with one domain": (
        [site("shop", "a.example"), site("blog", "A.example")],
        "Domain a.example is in the sites shop and blog; expected one site for it",
    ),
    "a domain twice": ([site("shop", "a.example", "a.example")], "Site shop names its domain a.example twice"),
    "a site twice": ([site("shop"), site("shop", "b.example")], "Site shop is in the list twice"),
    "no domain": ([{"name": "shop", "domains": []}], "Site shop has no domain; expected one at least"),
    "hyphen": ([site("my-shop", "a.example")], "A site is called 'my-shop'; expected 1 to 24 small letters"),
    "too long": ([site("a" * 25)], "expected 1 to 24 small letters, digits and '_', a letter first"),
    "digit first": ([site("1shop")], "A site is called '1shop'"),
    "line break": ([site("shop\n", "a.example")], "A site is called 'shop\\n'"),
    "capitals": ([site("shop", "Shop.example")], "Site shop: domains holds Shop.example, expected host names in small"),
    "port": ([site("shop", "a.example:80")], "Site shop: domains holds a.example:80"),
    "star inside": ([site("shop", "a.*.example")], "Site shop: domains holds a.*.example"),
    "public": ([site(public="../etc")], "Site shop: public holds ../etc, expected a folder of the code"),
    "front": ([site(front_controller="/index.php")], "Site shop: front_controller holds /index.php"),
    "shared": ([site(shared_folders=["up", "a/../.."])], "Site shop: shared_folders holds a/../.., expected folders"),
    "shared within shared": (
        [site(shared_folders=["a", "a/b"])],
        "shared_folders holds a/b, expected none within another",
    ),
    "extension": ([site(php_extensions=["g d"])], "Site shop: php_extensions holds g d, expected names such as gd"),
    "variable": ([site(environment={"A-B": 1})], "Site shop: environment holds A-B, expected names of letters"),
    "value": ([site(environment={"KEY": "a\nb"})], "Site shop: environment.KEY holds a line break"),
    "value of PHP-FPM's own": (
        [site(environment={"KEY": "$2y$10$abc"})],
        "or another control character, begins with $",
    ),
    "list value": ([site(environment={"KEY": ["a"]})], "Site shop: environment.KEY is no text"),
    "pool": (
        [site(fpm_settings={"user": "root"})],
        "Site shop: fpm_settings holds user, expected none of those that keep",
    ),
    "socket": ([site(fpm_settings={"listen.mode": "0666"})], "Site shop: fpm_settings holds listen.mode"),
    "restricted": (
        [site(restricted_paths=[{"path": "admin", "from": ["10.0.0.9"]}])],
        "Site shop: restricted_paths holds admin, expected paths such as /admin",
    ),
    "network": (
        [site(restricted_paths=[{"path": "/admin", "from": ["10.0.0.9/24"]}])],
        "Site shop: restricted_paths holds 10.0.0.9/24, expected addresses",
    ),
    "time": ([site(request_time_limit=0)], "Site shop: request_time_limit holds 0, expected a number from 1 to 86400"),
    "status": ([site(health_status=99)], "Site shop: health_status holds 99, expected a number from 100 to 599"),
    "health": ([site(health_path="up")], "Site shop: health_path holds up, expected a path such as /up"),
    "schema": ([site(database={"name": "a b"})], "Site shop: database.name holds a b, expected 1 to 64 letters"),
    "account": ([site(database={"user": "u" * 33})], "Site shop: database.user holds uuu"),
    "set": (
        [site(database={"character_set": "a;b"})],
        "Site shop: database.character_set holds a;b, expected one word",
    ),
    "prefix": ([site(redis={"prefix": "a*"})], "Site shop: redis.prefix holds a*, expected letters, digits"),
    "version": ([site(version="feature/x")], "Site shop: version holds feature/x, expected letters, digits and any of"),
    "git version": (
        [site(git={"url": "/shop"}, version="-x")],
        "Site shop: version holds -x, expected a tag, branch or commit such as v1.4: correct it.",
    ),
    "git": ([site(git={"url": "shop"})], "Site shop: git.url holds shop, expected a repository such as https://code"),
    "git option": ([site(git={"url": "--upload-pack=x"})], "Site shop: git.url holds --upload-pack=x"),
    "git helper": ([site(git={"url": "ext::sh -c x"})], "Site shop: git.url holds ext::sh -c x, expected a repository"),
    "mount of another folder": (
        [site(shared_folders=["a"], mounts=[{"folder": "b", "src": "nas.example:/x"}])],
        "Site shop: mounts names b, expected one of shared_folders (a): add it there, or correct it.",
    ),
    "mount without shared folders": (
        [site(mounts=[{"folder": "b", "src": "nas.example:/x"}])],
        "Site shop: mounts names b, expected a folder that shared_folders names",
    ),
    "mount twice": (
        [mounted({"src": "nas.example:/x"}, {"src": "nas.example:/y"})],
        "Site shop: mounts names files twice; expected one mount for it",
    ),
    "mount without a source": ([mounted({})], "Site shop: mounts[files] does not say what holds the folder"),
    "mount of a local path": (
        [mounted({"src": "/exports/shop"})],
        "Site shop: mounts[files].src holds /exports/shop, expected a server and a path for nfs4",
    ),
    "mount of no share": (
        [mounted({"src": "nas.example:/x", "fstype": "cifs"})],
        "Site shop: mounts[files].src holds nas.example:/x, expected a server and a share for cifs",
    ),
    "mount of two words": (
        [mounted({"src": "nas.example:/my files"})],
        "Site shop: mounts[files].src holds nas.example:/my files, expected one word",
    ),
    "mount of an option": (
        [mounted({"src": "-o", "fstype": "9p"})],
        "Site shop: mounts[files].src holds -o, expected one word",
    ),
    "mount type": (
        [mounted({"src": "nas.example:/x", "fstype": "NFS 4"})],
        "Site shop: mounts[files].fstype holds NFS 4, expected a word such as nfs4 or cifs",
    ),
    "mount options": (
        [mounted({"src": "nas.example:/x", "opts": "ro, soft"})],
        "Site shop: mounts[files].opts holds ro, soft, expected words with commas between them",
    ),
    "mount with half a login": (
        [mounted({"src": "//nas.example/x", "fstype": "cifs", "user": "u"})],
        "Site shop: mounts[files].user is set without mounts[files].password",
    ),
    "mount of two places": (
        [mounted({"src": "nas.example:/x", "host": "db3"})],
        "Site shop: mounts[files] has both src and host; expected one of them",
    ),
    "mount of a host with a login": (
        [mounted({"host": "db3", "fstype": "cifs", "user": "u", "password": "p"})],
        "Site shop: mounts[files] has a user and a password, which db3 takes from nobody",
    ),
    "mount with a login for nobody": (
        [mounted({"src": "nas.example:/x", "user": "u", "password": "p"})],
        "Site shop: mounts[files] has a user and a password, which nfs4 takes from nobody",
    ),
    "command": ([site(redis={"commands": ["+eval"]})], "Site shop: redis.commands holds +eval, expected commands"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name: str) -> None:
    sites, words = BAD[name]
    found = _sites.site_errors(sites)
    assert [sentence for sentence in found if words in sentence]
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in found)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:s3cret@code.example/shop.git",
        "https://s3cret@code.example/shop.git",
        "ssh://git:s3cret@code.example/shop.git",
        "https://code.example/shop.git?token=s3cret",
    ],
)
def test_a_login_in_an_address_is_refused_and_not_told(url: str) -> None:
    [found] = _sites.site_errors([site(git={"url": url})])
    assert found.startswith("Site shop: git.url holds a login or what may be one (not shown)")
    assert "s3cret" not in found


@pytest.mark.parametrize(
    ("url", "version"),
    [
        ("https://code.example:8443/team/shop.git", "v1.4"),
        ("ssh://git@code.example:2222/team/shop.git", "release/2026-11"),
        ("git@code.example:team/shop.git", "0a1b2c3"),
        ("file:///srv/git/shop.git", "shop@1.4+build"),
        ("/srv/git/shop.git", "1"),
        ("https://[fd00::1]/shop.git", "main"),
    ],
)
def test_a_repository_and_its_versions_are_accepted(url: str, version: str) -> None:
    assert _sites.site_errors(validated(site(git={"url": url}, version=version))) == []
    assert read(git={"url": url}, version=version).git == _sites.Git(url, "")


@pytest.mark.parametrize(
    "more",
    [
        {"opts": "vers=3.1.1,password=s3cret"},
        {"opts": "username=me,pass=s3cret"},
        {"user": "me", "password": "s3cret\nx"},
    ],
)
def test_a_login_of_a_mount_is_refused_and_not_told(more: Values) -> None:
    [found] = _sites.site_errors([mounted({"src": "//nas.example/x", "fstype": "cifs", **more})])
    assert "s3cret" not in found


def test_users_of_two_sites_never_have_one_number() -> None:
    def shared(name: str) -> Values:
        return site(name, shared_folders=["files"], mounts=[{"folder": "files", "src": "nas.example:/x"}])

    # Names whose numbers are the same, found by trying.
    [found] = _sites.site_errors([shared("s53"), shared("s171")])
    assert found.startswith("Sites s53 and s171 have mounts, and their names give their users the same number")


def test_a_secret_is_not_told() -> None:
    [found] = _sites.site_errors([site(environment={"KEY": "se\ncret"})])
    assert "se" not in found.removeprefix("Site shop: environment.KEY holds a line break").split("expected")[1].split()
    assert "cret" not in found


@pytest.mark.parametrize(
    "good",
    [
        site("shop", "shop.example", "*.shop.example", "10.0.0.52", "localhost"),
        site("a", "*"),
        site(
            public="web/public",
            shared_folders=["storage", "wp-content/uploads"],
            environment={"APP_ENV": "production", "DEBUG": False, "N": 1, "QUOTED": "it's"},
            mounts=[
                {"folder": "storage", "src": "[fd00::1]:/exports/shop"},
                {
                    "folder": "wp-content/uploads",
                    "src": "//account.file.core.windows.net/shop",
                    "fstype": "cifs",
                    "opts": "vers=3.1.1,serverino,actimeo=30",
                    "user": "account",
                    "password": "k\\%,'ey==",
                },
            ],
            restricted_paths=[{"path": "/admin", "from": ["10.0.0.0/24", "fd00::1"]}],
            redis={"prefix": "{shop}:", "commands": ["eval", "@scripting", "config|get"]},
        ),
    ],
)
def test_good_input_is_accepted(good: Values) -> None:
    assert _sites.site_errors(validated(good)) == []


def test_an_unknown_extension_is_named_with_what_was_meant() -> None:
    found = site_errors_filter.site_errors(
        [site(php_extensions=["gd", "mbstrin", "nosuch"])], ["gd", "mbstring"], "Debian 13"
    )
    assert found == [
        "Site shop: Debian 13 has no PHP extension mbstrin; did you mean mbstring?",
        "Site shop: Debian 13 has no PHP extension nosuch: correct it, or remove it.",
    ]


def test_a_roles_sites_get_its_defaults() -> None:
    found = site_plan.site_plan([site("shop", "*", upload_limit_mb="15")], "haproxy_http_sites")
    assert found["sites"] == [{"name": "shop", "domains": ["*"], "request_time_limit": 30, "upload_limit_mb": 15}]
    assert found["default"]["name"] == "shop"
    assert found["faces"] == []
