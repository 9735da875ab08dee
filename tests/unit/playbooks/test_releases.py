# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What release.yml and rollback.yml tell each web server, in which order, and what site.yml leaves as they put it."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import HEALTHY, INVENTORY, answers

RELEASE, ROLLBACK = CHECKOUT / "playbooks/release.yml", CHECKOUT / "playbooks/rollback.yml"
PACKED = {"archives": {"shop": {"release": "new", "path": "/cache/shop-new.tar.gz", "files": 1, "bytes": 1}}}
BY_ME: dict[str, Any] = {"action": "release", "by": "me@here", "at": 1_795_000_000.0}
WEB = ("web1", "web2")
STEPS = ("site_release", "site_command", "site_preview", "front_door")


def known(live: str = "old", **more: Any) -> Answer:
    usual = {
        "there": True,
        "live": live,
        "noted": live,
        "version": "",
        "before": [{"release": "older", "version": ""}],
        "releases": ["old", "older"],
        "released": {},
    }
    return Answer("site_release_info", {"sites": {"shop": {**usual, **more}}})


def play(playbook: Path, folder: Path, told: list[Answer], *options: str, **asked: str) -> Run:
    (folder / "code-1.4").mkdir()
    inventory: dict[str, Any] = copy.deepcopy(INVENTORY)
    inventory["webcluster"]["vars"] |= {
        "webcluster_sites": [
            {
                "name": "shop",
                "domains": ["shop.example"],
                "source": f"{folder}/code-{{version}}",
                "version": "1.4",
                "migrate": "php migrate.php",
                "health_path": "/up",
            }
        ],
        "apache_php_memory_mb": 1024,
    }
    door = {"reasons": [], "servers": {"web1": 1, "web2": 1}, "url": "http://10.0.0.52/", "sites": {}}
    everybody = [Answer("site_archive", PACKED), Answer("front_door", door), *answers(HEALTHY, HEALTHY)]
    extra = ["-e", json.dumps(asked)] if asked else []
    return run_playbook(playbook, inventory, [*told, *everybody], folder, "--forks", "5", *extra, *options)


def play_git(playbook: Path, folder: Path, told: list[Answer], *options: str, **asked: str) -> Run:
    """The same with a site whose code git has."""
    inventory: dict[str, Any] = copy.deepcopy(INVENTORY)
    site = {"name": "shop", "domains": ["shop.example"], "version": "v1", "git": {"url": "https://code.example/shop"}}
    inventory["webcluster"]["vars"] |= {"webcluster_sites": [site], "apache_php_memory_mb": 1024}
    door = {"reasons": [], "servers": {"web1": 1, "web2": 1}, "url": "http://10.0.0.52/", "sites": {}}
    everybody = [Answer("site_archive", PACKED), Answer("front_door", door), *answers(HEALTHY, HEALTHY)]
    return run_playbook(
        playbook, inventory, [*told, *everybody], folder, "--forks", "5", "-e", json.dumps(asked), *options
    )


def test_git_is_asked_for_the_version_of_the_release_before_it_is_packed(tmp_path: Path) -> None:
    run = play_git(RELEASE, tmp_path, [known()], site="shop", version="feature/x")
    assert run.code == 0, run.output
    git, clean = [call for call in run.calls if call.module in ("git", "command")]
    assert (git.host, git.arguments["repo"], git.arguments["version"]) == (
        "localhost",
        "https://code.example/shop",
        "feature/x",
    )
    assert (clean.host, clean.arguments["chdir"]) == ("localhost", git.arguments["dest"])
    [packed] = [call.arguments["sites"] for call in run.calls if call.module == "site_archive"]
    assert packed[0]["source"] == git.arguments["dest"]
    order = [call.module for call in run.calls if call.module in ("git", "command", "site_archive", "site_release")]
    assert order[:3] == ["git", "command", "site_archive"]
    assert run.of("web1", "site_release")[0]["sites"][0]["version"] == "feature/x"


def steps(run: Run) -> list[str]:
    """What each host was told, side by side where all were."""
    found: list[str] = []
    for call in run.calls:
        if call.module in STEPS:
            what = call.arguments
            release = what["sites"][0].get("release", "") if "sites" in what else ""
            said = {
                "site_release": f"{release} {what.get('action') or 'beside'}",
                "site_command": str(what.get("command")),
                "site_preview": str(what.get("root")),
                "front_door": f"{what.get('url')} {release}",
            }[call.module]
            found.append(f"{call.host}: {call.module} {said}")
    return found


def on_all(step: str) -> list[str]:
    return [f"{host}: {step}" for host in WEB]


BESIDE = [
    *on_all("site_release new beside"),
    "web1: site_command php migrate.php",
    *on_all("site_preview /srv/webcluster/shop/releases/new"),
]
LOOKED_AT = [*on_all("front_door http://127.0.0.1/ new"), "localhost: front_door http://10.0.0.52/ new"]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as elsewhere:
        # Seconds since 1970 are the same in Tokyo.
        elsewhere.setenv("TZ", "Asia/Tokyo")
        run = play(RELEASE, tmp_path_factory.mktemp("released"), [known()], site="shop")
    assert run.code == 0, run.output
    return run


def test_it_is_upload_migration_look_switch_and_look_again(released: Run) -> None:
    assert steps(released) == [*BESIDE, *on_all("site_release new release"), *LOOKED_AT]


def test_all_switch_at_one_moment_and_php_is_told(released: Run) -> None:
    told = [released.of(host, "site_release")[1] for host in WEB]
    assert len({float(each["moment"]) for each in told}) == 1
    assert float(told[0]["moment"]) == pytest.approx(time.time(), abs=600)
    for each in told:
        assert (each["service"], each["keep"], each["sites"][0]["version"]) == ("php8.4-fpm", 5, "1.4")
        assert "@" in each["by"]


def test_the_plan_is_told_first_and_says_what_is_live_at_the_end(released: Run) -> None:
    said = " ".join(released.output.split())
    plan = said.index("Site shop runs release old on web1, web2; it gets release new (1.4) by release.")
    assert plan < said.index("PLAY [Release]") < said.index("Site shop runs release new on web1, web2.")


def test_check_mode_tells_the_plan_and_no_host_anything(tmp_path: Path) -> None:
    run = play(RELEASE, tmp_path, [known()], "--check", site="shop")
    assert run.code == 0, run.output
    assert steps(run) == []
    assert "it gets release new (1.4) by release." in " ".join(run.output.split())


def test_a_release_that_is_refused_switches_nobody(tmp_path: Path) -> None:
    refused = Answer("site_preview", {"failed": True, "msg": "Site shop: /up of the new release answers 404."}, "web2")
    run = play(RELEASE, tmp_path, [known(), refused], site="shop")
    assert run.code != 0
    assert steps(run) == BESIDE
    said = " ".join(run.output.split())
    assert "Release new of site shop is refused, nothing that is served was changed: Site shop: /up of the new" in said


def test_a_migration_that_fails_ends_it_before_anybody_is_asked(tmp_path: Path) -> None:
    failed = Answer("site_command", {"failed": True, "msg": "Site shop: 'php migrate.php' ended with 1: no table"})
    run = play(RELEASE, tmp_path, [known(), failed], site="shop")
    assert run.code != 0
    assert steps(run) == BESIDE[:3]


@pytest.mark.parametrize("kind", ["failed", "unreachable"])
def test_a_release_that_does_not_work_is_taken_back_on_all(tmp_path: Path, kind: str) -> None:
    wrong = Answer("front_door", {kind: True, "msg": "Site shop does not work: /up answers 500."}, "web2")
    run = play(RELEASE, tmp_path, [known(), wrong], site="shop")
    assert run.code != 0
    back = [f"{host}: site_release old automatic rollback" for host in WEB if kind == "failed" or host == "web1"]
    assert steps(run) == [*BESIDE, *on_all("site_release new release"), *LOOKED_AT[:2], *back]
    who = "web1, web2" if kind == "failed" else "web1"
    assert f"{who} went back to release old: mend it and run again." in " ".join(run.output.split())


def test_what_is_live_everywhere_is_looked_at_only(tmp_path: Path) -> None:
    run = play(RELEASE, tmp_path, [known("new", releases=["new", "old"])], site="shop")
    assert run.code == 0, run.output
    assert steps(run) == LOOKED_AT
    assert "changed=1" not in run.output


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "No site was named; expected one of that list, and it has shop"),
        ({"site": "shop", "version": "9"}, "which is no absolute path of something on the controller"),
    ],
)
def test_what_cannot_be_released_is_refused_before_it_is_packed(
    asked: dict[str, str], words: str, tmp_path: Path
) -> None:
    run = play(RELEASE, tmp_path, [known()], **asked)
    assert run.code != 0
    assert words in " ".join(run.output.split())
    assert not {call.module for call in run.calls} & {*STEPS, "site_archive"}


def test_a_rollback_goes_to_the_release_before_without_a_migration(tmp_path: Path) -> None:
    run = play(ROLLBACK, tmp_path, [known()], site="shop")
    assert run.code == 0, run.output
    looked_at = [step.replace(" new", " older") for step in LOOKED_AT]
    beside = [*on_all("site_release older beside"), *on_all("site_preview /srv/webcluster/shop/releases/older")]
    assert steps(run) == [*beside, *on_all("site_release older rollback"), *looked_at]
    assert "site_archive" not in {call.module for call in run.calls}


def test_an_answer_of_no_does_nothing(tmp_path: Path) -> None:
    run = play(ROLLBACK, tmp_path, [known()], site="shop", webcluster_confirm="no")
    assert run.code != 0
    assert "webcluster_confirm is 'no'; expected 'go back': nothing was changed." in " ".join(run.output.split())
    assert steps(run) == []


def test_site_yml_leaves_what_was_released_and_tells_so(tmp_path: Path) -> None:
    look = {"sites": {"shop": {"ok": True, "problem": "", "status": 200, "own": {"release": "old"}}}}
    door = {"reasons": [], "servers": {"web1": 1, "web2": 1}, "url": "http://10.0.0.52/", **look}
    run = play(CHECKOUT / "site.yml", tmp_path, [known(version="1.4", released=BY_ME), Answer("front_door", door)])
    assert run.code == 0, run.output
    for host in WEB:
        told = run.one(host, "site_release")
        assert (told["sites"][0]["release"], told["sites"][0]["released"]) == ("old", BY_ME)
    assert "Site shop stays at release old (1.4), where me@here has put it by release" in " ".join(run.output.split())
    assert "site_archive" not in {call.module for call in run.calls}
